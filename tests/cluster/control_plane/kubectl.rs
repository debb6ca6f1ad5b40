//! kubectl, as people run it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::build::Programs;
use super::deadline::holds_within;
use super::folder::Folder;
use super::kubeconfig::Kubeconfig;

/// For one request to the API server, unless the arguments say otherwise.
const REQUEST_TIMEOUT: &str = "30s";
/// For the whole call; kubectl itself waits for ever, for instance for a namespace to go away.
const DEADLINE: Duration = Duration::from_secs(90);

/// kubectl with a home of its own: no kubeconfig, cache or preference of the person who runs the tests.
#[derive(Debug)]
pub struct Kubectl {
    file: PathBuf,
    home: PathBuf,
}

/// What a call of kubectl or helm came to.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

// === impl Kubectl ===

impl Kubectl {
    pub(super) fn new(folder: &Folder) -> Result<Self, String> {
        let home = folder.path().join("home");
        fs::create_dir(&home).map_err(|e| format!("cannot create {}: {e}", home.display()))?;
        Ok(Self { file: Programs::get()?.path("kubectl"), home })
    }

    /// Runs kubectl as somebody, with something on its standard input.
    pub(super) fn run(&self, who: &Kubeconfig, arguments: &[OsString], input: &str) -> Result<Output, String> {
        let mut command = Command::new(&self.file);
        command
            .arg("--kubeconfig")
            .arg(who.path())
            .args(["--request-timeout", REQUEST_TIMEOUT])
            .args(arguments)
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .current_dir(&self.home);
        run_to_end(&mut command, input)
    }
}

// === impl Output ===

impl Output {
    /// Standard output of a call that must have gone well.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert!(self.status.success(), "failed ({}): {}{}", self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// Standard error of a call that must have failed.
    #[track_caller]
    pub fn failed(self) -> String {
        assert!(!self.status.success(), "did not fail: {}{}", self.stdout, self.stderr);
        self.stderr
    }
}

/// Runs a program, which must end in time, with something on its standard input.
///
/// # Errors
/// When it cannot be run, or still runs at the deadline; it is killed then.
pub fn run_to_end(command: &mut Command, input: &str) -> Result<Output, String> {
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot run {shown}: {e}"))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || {
            // It may end without reading it all.
            if let Some(mut stdin) = stdin {
                let _ = stdin.write_all(input.as_bytes());
            }
        });
        let stdout = scope.spawn(move || text_of(stdout));
        let stderr = scope.spawn(move || text_of(stderr));
        let mut status = None;
        holds_within(DEADLINE, || {
            status = child.try_wait().ok().flatten();
            status.is_some()
        });
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let stdout = stdout.join().unwrap_or_default();
        let stderr = stderr.join().unwrap_or_default();
        match status {
            Some(status) => Ok(Output { status, stdout, stderr }),
            None => Err(format!("{shown} still ran after {DEADLINE:?}\n{stdout}{stderr}")),
        }
    })
}

fn text_of(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = stream.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
