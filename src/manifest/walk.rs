//! Which files there are.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use super::error::ManifestError;

/// Files of one reading.
const FILES: usize = 250_000;

/// A folder or link that waits for its turn.
struct Waiting {
    path: PathBuf,
    /// The same without links in it.
    real: PathBuf,
}

struct Walk<'e> {
    /// Files as they were reached from the paths that were asked for.
    found: Vec<PathBuf>,
    /// Files and folders that were reached already, without links in their paths.
    seen: HashSet<PathBuf>,
    /// Links, looked at when everything that has a name of its own is known.
    links: VecDeque<PathBuf>,
    errors: &'e mut Vec<ManifestError>,
}

/// The manifest files at and below these paths, sorted below each path.
pub(super) fn walk(paths: &[PathBuf], errors: &mut Vec<ManifestError>) -> Vec<PathBuf> {
    let mut walk = Walk { found: Vec::new(), seen: HashSet::new(), links: VecDeque::new(), errors };
    for path in paths {
        let first = walk.found.len();
        walk.root(path);
        while let Some(link) = walk.links.pop_front() {
            walk.link(link);
        }
        if let Some(new) = walk.found.get_mut(first..) {
            new.sort();
        }
    }
    if walk.found.len() > FILES {
        walk.found.truncate(FILES);
        let at = paths.first().map_or(Path::new(""), PathBuf::as_path);
        walk.errors.push(ManifestError::new(at, None, format!("holds more than {FILES} manifest files")));
    }
    walk.found
}

// === impl Walk ===

impl Walk<'_> {
    fn root(&mut self, path: &Path) {
        match fs::canonicalize(path).and_then(|real| Ok((fs::metadata(path)?.is_dir(), real))) {
            Ok((true, real)) => self.folder(Waiting { path: path.to_owned(), real }),
            Ok((false, real)) => self.file(path.to_owned(), real),
            Err(error) => self.failed(path, &error),
        }
    }

    /// Everything below a folder but links.
    fn folder(&mut self, folder: Waiting) {
        let mut waiting = vec![folder];
        while let Some(folder) = waiting.pop() {
            if !self.seen.insert(folder.real.clone()) {
                continue;
            }
            let mut entries = match fs::read_dir(&folder.path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                Ok(entries) => entries,
                Err(error) => {
                    self.failed(&folder.path, &error);
                    continue;
                }
            };
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let name = entry.file_name();
                if name.as_encoded_bytes().first() == Some(&b'.') {
                    continue;
                }
                let (path, real) = (entry.path(), folder.real.join(&name));
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => waiting.push(Waiting { path, real }),
                    Ok(kind) if kind.is_symlink() => self.links.push_back(path),
                    Ok(kind) if is_manifest(&path) => {
                        if kind.is_file() {
                            self.file(path, real);
                        } else {
                            self.errors.push(ManifestError::new(&path, None, "is no regular file"));
                        }
                    }
                    Ok(_) => {}
                    Err(error) => self.failed(&path, &error),
                }
            }
        }
    }

    /// What a link leads to, in the end.
    fn link(&mut self, path: PathBuf) {
        match fs::canonicalize(&path).and_then(|real| Ok((fs::metadata(&real)?, real))) {
            Ok((target, real)) if target.is_dir() => self.folder(Waiting { path, real }),
            Ok((target, real)) if is_manifest(&path) => {
                if target.is_file() {
                    self.file(path, real);
                } else {
                    self.errors.push(ManifestError::new(&path, None, "leads to no regular file"));
                }
            }
            Ok(_) => {}
            Err(error) => self.failed(&path, &error),
        }
    }

    fn file(&mut self, path: PathBuf, real: PathBuf) {
        // One more than allowed shows that there are too many.
        if self.found.len() <= FILES && self.seen.insert(real) {
            self.found.push(path);
        }
    }

    fn failed(&mut self, path: &Path, error: &std::io::Error) {
        self.errors.push(ManifestError::new(path, None, format!("cannot be read: {error}")));
    }
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}
