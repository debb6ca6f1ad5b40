//! What is wrong with a manifest, and where.

use std::path::{Path, PathBuf};

use crate::policy::tree::Position;

/// One reason why a file, or an object in it, was not read.
///
/// An error without a position is about the file or folder as a whole: nothing is known about what stands in it or below
/// it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ManifestError {
    /// The file, as it was reached from the path that was asked for.
    pub file: PathBuf,
    /// Line and column.
    pub at: Option<Position>,
    /// What is wrong and what would be right, on one line.
    pub message: String,
}

/// Bytes of user input that a message repeats.
const QUOTED_BYTES: usize = 200;

// === impl ManifestError ===

impl ManifestError {
    /// An error at a place in a file, or about the whole of it.
    pub(super) fn new(file: &Path, at: Option<Position>, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), at, message: message.into() }
    }
}

impl std::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", escape(&self.file.to_string_lossy()))?;
        if let Some(at) = self.at {
            write!(f, "{at}:")?;
        }
        write!(f, " {}", self.message)
    }
}

/// User input between back-ticks: cut, and without control characters.
pub(super) fn quoted(input: &str) -> String {
    let mut end = input.len().min(QUOTED_BYTES);
    while !input.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let shown = escape(input.get(..end).unwrap_or_default());
    if end < input.len() { format!("`{shown}…`") } else { format!("`{shown}`") }
}

fn escape(input: &str) -> String {
    let mut shown = String::with_capacity(input.len());
    for character in input.chars() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}') {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_like_a_compiler_message() {
        let at = Some(Position { line: 3, column: 7 });
        assert_eq!(ManifestError::new(Path::new("a/b.yaml"), at, "odd").to_string(), "a/b.yaml:3:7: odd");
        assert_eq!(ManifestError::new(Path::new("a"), None, "odd").to_string(), "a: odd");
    }

    #[test]
    fn quoted_input_is_cut_between_characters_and_escaped() {
        assert_eq!(quoted("a\nb\u{1b}"), "`a\\u{a}b\\u{1b}`");
        let long = quoted(&"é".repeat(200));
        assert_eq!(long.chars().filter(|c| *c == 'é').count(), 100);
        assert!(long.ends_with("…`"));
        assert_eq!(quoted(&format!("a{}", "é".repeat(200))).chars().filter(|c| *c == 'é').count(), 99);
    }
}
