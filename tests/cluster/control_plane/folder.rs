//! Folders that go away with the test, also when it crashes.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::build::Programs;

/// A folder below the system's temporary one, for one test or one cluster. Only its owner can read it.
///
/// A process of its own removes it when this value is dropped or when the test process ends in any way, so a folder in
/// a `static`, which is never dropped, goes away too. With `KUBE_IAM_TEST_KEEP` set it stays, for a look at the logs.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    remover: Option<Child>,
}

// === impl Folder ===

impl Folder {
    /// # Errors
    /// When the programs cannot be built, or the folder cannot be created.
    pub fn new(name: &str) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let supervise = Programs::get()?.path("supervise");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("kube-iam-{name}-{}-{number}", process::id()));
        let failed = |e: io::Error| format!("cannot create the folder {}: {e}", path.display());
        DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        // The name of a link, as /tmp is one on macOS, would be refused by programs that compare paths.
        let path = fs::canonicalize(&path).map_err(failed)?;
        if env::var_os("KUBE_IAM_TEST_KEEP").is_some() {
            return Ok(Self { path, remover: None });
        }
        let remover = Command::new(supervise)
            .arg("-remove")
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| format!("cannot run `supervise`: {e}"))?;
        Ok(Self { path, remover: Some(remover) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only its owner can read, and returns its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf, String> {
        let path = self.path.join(name);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(remover) = &mut self.remover {
            drop(remover.stdin.take());
            let _ = remover.wait();
        }
    }
}
