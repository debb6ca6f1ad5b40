//! The bytes of files at one moment.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::ManifestError;
use super::reading::too_large;
use super::walk;
use crate::policy::tree::Position;

/// Bytes of the largest file or text.
pub(super) const TEXT_BYTES: usize = 4 << 20;

/// What stood in the files at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Files {
    texts: Vec<(PathBuf, String)>,
    errors: Vec<ManifestError>,
}

// === impl Files ===

impl Files {
    /// Reads the files at and below these paths: `*.yaml`, `*.yml` and `*.json` in folders, whatever their name if they
    /// are asked for by name.
    ///
    /// # Caveats
    /// A name that begins with a point is skipped below a folder that was asked for. Links are followed, also through
    /// skipped names, but each file is read once, and under its own name where that is not skipped; so loops end.
    ///
    /// # Errors
    /// Kept inside: a file that cannot be read, is no regular file, is larger than 4 MiB or no UTF-8, and a folder that
    /// cannot be listed.
    pub fn read(paths: &[PathBuf]) -> Self {
        let mut files = Self::default();
        for path in walk::walk(paths, &mut files.errors) {
            match text(&path) {
                Ok(text) => files.texts.push((path, text)),
                Err(error) => files.errors.push(error),
            }
        }
        files
    }

    /// The files that could be read, with their texts.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// What could not be read.
    pub fn errors(&self) -> &[ManifestError] {
        &self.errors
    }
}

fn text(path: &Path) -> Result<String, ManifestError> {
    let failed = |message: String| ManifestError::new(path, None, message);
    let file = File::open(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(TEXT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(|error| failed(format!("cannot be read: {error}")))?;
    if bytes.len() > TEXT_BYTES {
        return Err(failed(too_large()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let at = end(&String::from_utf8_lossy(before));
        ManifestError::new(path, Some(at), "not UTF-8")
    })
}

/// The position after a text.
fn end(text: &str) -> Position {
    let lines = text.matches('\n').count();
    let last = text.rsplit('\n').next().unwrap_or_default();
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).saturating_add(1);
    Position { line: number(lines), column: number(last.chars().count()) }
}
