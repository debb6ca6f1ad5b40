//! helm, as people run it.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::build::{HELM_3, HELM_4};
use super::folder::Folder;
use super::kubeconfig::Kubeconfig;
use super::kubectl::{Output, run_to_end};

/// The lines of helm that people use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Three,
    Four,
}

/// helm with a home of its own: no cache, plugin or setting of the person who runs the tests.
#[derive(Debug)]
pub struct Helm {
    file: PathBuf,
    home: Folder,
}

// === impl Line ===

impl Line {
    pub const ALL: [Self; 2] = [Self::Four, Self::Three];
}

// === impl Helm ===

impl Helm {
    /// # Errors
    /// When it cannot be built.
    pub fn try_new(line: Line) -> Result<Self, String> {
        let module = match line {
            Line::Three => &HELM_3,
            Line::Four => &HELM_4,
        };
        Ok(Self { file: module.programs()?.path("helm"), home: Folder::new("helm")? })
    }

    /// Runs helm without a cluster.
    #[track_caller]
    pub fn run<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        // A server that nobody is: a test that needs one must say so.
        self.call(["--kube-apiserver", "https://127.0.0.1:1"].map(OsString::from), arguments)
    }

    /// Runs helm on a cluster as somebody.
    #[track_caller]
    pub fn run_as<A: Into<OsString>>(&self, who: &Kubeconfig, arguments: impl IntoIterator<Item = A>) -> Output {
        self.call(["--kubeconfig".into(), who.path().into()], arguments)
    }

    /// Writes a file of values and returns its path.
    #[track_caller]
    pub fn values(&self, values: &serde_json::Value) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("values-{}.json", COUNT.fetch_add(1, Ordering::Relaxed));
        match self.home.write(&name, &values.to_string()) {
            Ok(path) => path,
            Err(message) => panic!("{message}"),
        }
    }

    #[track_caller]
    fn call<A: Into<OsString>>(&self, cluster: [OsString; 2], arguments: impl IntoIterator<Item = A>) -> Output {
        let home = self.home.path();
        let mut command = Command::new(&self.file);
        command
            .args(arguments.into_iter().map(Into::into))
            .args(cluster)
            .env_clear()
            .env("HOME", home)
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .current_dir(home);
        match run_to_end(&mut command, "") {
            Ok(output) => output,
            Err(message) => panic!("{message}"),
        }
    }
}
