//! Files that are whole or not there, and nobody else's: mode 0600, written beside and renamed.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long another process may hold the lock of a folder: it is held for milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Makes a folder and those above it; new ones are ours alone.
///
/// # Errors
/// As the file system says.
pub fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Puts a file in place whole: whoever opens the name reads the old content or the new, also after a crash.
///
/// # Errors
/// As the file system says; the old file is in place then.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(path)?;
    let result = write_new(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
        return result;
    }
    // The rename is durable once the folder is; a file system that cannot sync a folder has done what it can.
    if let Some(folder) = path.parent() {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// Reads a text; `None` when there is no such file. What is read is made ours alone, should it not be.
///
/// # Errors
/// As the file system says, or when the content is no UTF-8.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let mode = fs::metadata(path)?.permissions().mode();
            if mode & 0o077 != 0 {
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            }
            Ok(Some(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Holds the lock of a folder until dropped; waits for another process for ten seconds at most.
///
/// # Errors
/// As the file system says, or [`io::ErrorKind::TimedOut`].
pub fn lock(folder: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(".lock"))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds the lock of this folder"));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Removes what a crash left beside. What is younger than a minute may be the work of another process and stays.
pub fn remove_leftovers(folder: &Path) {
    const YOUNG: Duration = Duration::from_secs(60);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|changed| changed.elapsed().ok());
        let ours = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".tmp"));
        if ours && age.is_some_and(|age| age > YOUNG) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(path.with_file_name(format!(".{name}.{}.{number}.tmp", std::process::id())))
}
