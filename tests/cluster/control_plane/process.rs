//! Processes that live no longer than the test process.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::build::Programs;
use super::deadline::holds_within;

/// How many lines of a log stand in a message.
const TAIL: usize = 25;

/// What to run, as often as wanted.
#[derive(Debug, Clone)]
pub struct Program {
    /// Names the log files.
    pub name: String,
    pub file: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Where `<name>.out` and `<name>.log` are kept: standard output and standard error of every run, one behind the
    /// other.
    pub logs: PathBuf,
}

/// A signal, as `supervise` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Terminate,
    /// Suspends the process: it keeps its connections and answers nothing.
    Stop,
    Continue,
    Kill,
}

/// One run of a [`Program`], below `supervise`. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    supervisor: Child,
    program: Program,
    output_begins: usize,
}

// === impl Program ===

impl Program {
    /// # Errors
    /// When a log cannot be opened or `supervise` cannot be run. A file that cannot be run ends the process with exit
    /// code 127.
    pub fn start(&self) -> Result<Process, String> {
        let output = self.append_to(&self.output_file())?;
        let errors = self.append_to(&self.log_file())?;
        let output_begins = fs::metadata(self.output_file()).map_or(0, |file| file.len()) as usize;
        let supervisor = Command::new(Programs::get()?.path("supervise"))
            .arg(&self.file)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.logs)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|e| format!("cannot run `supervise`: {e}"))?;
        Ok(Process { supervisor, program: self.clone(), output_begins })
    }

    pub fn output_file(&self) -> PathBuf {
        self.logs.join(format!("{}.out", self.name))
    }

    pub fn log_file(&self) -> PathBuf {
        self.logs.join(format!("{}.log", self.name))
    }

    /// The last lines of both logs, for a message.
    pub fn log_tails(&self) -> String {
        let mut tails = String::new();
        for file in [self.output_file(), self.log_file()] {
            let text = fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            if !lines.is_empty() {
                tails.push_str(&format!("\n--- the end of {} ---\n", file.display()));
                tails.push_str(&lines[lines.len().saturating_sub(TAIL)..].join("\n"));
            }
        }
        tails
    }

    fn append_to(&self, path: &PathBuf) -> Result<File, String> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|e| format!("cannot open the log {}: {e}", path.display()))
    }
}

// === impl Process ===

impl Process {
    /// Asks `supervise` to send a signal; it does so a moment later. A process that has ended gets nothing.
    pub fn signal(&mut self, signal: Signal) {
        let order = match signal {
            Signal::Terminate => "TERM\n",
            Signal::Stop => "STOP\n",
            Signal::Continue => "CONT\n",
            Signal::Kill => "KILL\n",
        };
        if let Some(orders) = &mut self.supervisor.stdin {
            let _ = orders.write_all(order.as_bytes());
        }
    }

    /// How it ended, if it did: the program's own exit code, or 128 plus the number of the signal that ended it.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.supervisor.try_wait().ok().flatten()
    }

    /// Sends SIGTERM and waits.
    ///
    /// # Errors
    /// When it still runs after that time. It is killed then.
    pub fn stop(mut self, within: Duration) -> Result<ExitStatus, String> {
        self.signal(Signal::Terminate);
        let mut ended = None;
        holds_within(within, || {
            ended = self.ended();
            ended.is_some()
        });
        ended.ok_or_else(|| {
            format!("{} still runs {within:?} after SIGTERM{}", self.program.name, self.program.log_tails())
        })
    }

    /// Ends it with SIGKILL, and returns when it is gone.
    pub fn kill(self) {
        drop(self);
    }

    /// What this run has written to standard output so far.
    pub fn output(&self) -> String {
        let text = fs::read(self.program.output_file()).unwrap_or_default();
        String::from_utf8_lossy(text.get(self.output_begins..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::Kill);
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}
