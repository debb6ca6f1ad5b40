//! One printable line out of whatever text (`guarantees.md` Z20).
//!
//! Reasons reach terminals, audit logs and web pages unescaped, and names in them are chosen by callers.

/// Characters of the longest line.
pub const MAX_LINE_CHARACTERS: usize = 512;

/// Characters of the longest name within a line, so that what follows it is still read.
const MAX_NAME_CHARACTERS: usize = 160;

const ELLIPSIS: &str = "...";

/// A line being written: escaped and bounded from the start.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    characters: usize,
    cut: bool,
}

/// The text as one printable line of at most [`MAX_LINE_CHARACTERS`]; the end of a longer one is replaced by `...`.
pub fn one_line(text: &str) -> String {
    let mut line = Line::new();
    line.push(text);
    line.finish()
}

/// A name from outside, escaped and cut, for an error text.
pub(super) fn name(text: &str) -> String {
    let mut line = Line::new();
    line.push_name(text);
    line.finish()
}

// === impl Line ===

impl Line {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a text, cut only where the line ends.
    pub(super) fn push(&mut self, text: &str) {
        self.push_within(text, MAX_LINE_CHARACTERS);
    }

    /// Adds a name that may be long.
    pub(super) fn push_name(&mut self, text: &str) {
        self.push_within(text, MAX_NAME_CHARACTERS);
    }

    /// Adds a text of which at most so many characters are shown.
    pub(super) fn push_within(&mut self, text: &str, most: usize) {
        let mut left = most;
        let fits = text.chars().all(|c| match left.checked_sub(Escaped::new(c).characters()) {
            Some(less) => {
                left = less;
                true
            }
            None => false,
        });
        let mut left = if fits { most } else { most.saturating_sub(ELLIPSIS.len()) };
        for c in text.chars() {
            let escaped = Escaped::new(c);
            let length = escaped.characters();
            let Some(less) = left.checked_sub(length) else {
                self.write(ELLIPSIS.chars(), ELLIPSIS.len());
                return;
            };
            left = less;
            if !self.write(escaped, length) {
                return;
            }
        }
    }

    /// The line.
    pub(super) fn finish(mut self) -> String {
        if self.cut {
            self.text.push_str(ELLIPSIS);
        }
        self.text
    }

    /// Writes all of it or nothing.
    fn write(&mut self, characters: impl Iterator<Item = char>, length: usize) -> bool {
        let after = self.characters.saturating_add(length);
        if self.cut || after.saturating_add(ELLIPSIS.len()) > MAX_LINE_CHARACTERS {
            self.cut = true;
            return false;
        }
        self.text.extend(characters);
        self.characters = after;
        true
    }
}

/// A character as it may be shown: itself, or `\u{…}`.
#[derive(Clone)]
enum Escaped {
    Plain(Option<char>),
    Unicode(std::char::EscapeUnicode),
}

impl Escaped {
    fn new(c: char) -> Self {
        let plain = match c {
            '<' | '>' | '&' => false,
            '"' | '\'' | '\\' => true,
            // Escapes control, format and bidi characters, odd blanks, and marks that pile up on their neighbour.
            _ => c.escape_debug().len() == 1,
        };
        if plain { Self::Plain(Some(c)) } else { Self::Unicode(c.escape_unicode()) }
    }

    fn characters(&self) -> usize {
        match self {
            Escaped::Plain(c) => usize::from(c.is_some()),
            Escaped::Unicode(escape) => escape.len(),
        }
    }
}

impl Iterator for Escaped {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Escaped::Plain(c) => c.take(),
            Escaped::Unicode(escape) => escape.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_or_opens_a_tag_stays() {
        for (text, expected) in [
            ("plain text, 'quoted' \"too\" \\", "plain text, 'quoted' \"too\" \\"),
            ("jürgen 李", "jürgen 李"),
            ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("<b>&", "\\u{3c}b\\u{3e}\\u{26}"),
            ("\u{202e}x\u{2066}\u{200b}\u{feff}\u{2028}", "\\u{202e}x\\u{2066}\\u{200b}\\u{feff}\\u{2028}"),
            ("e\u{301}\u{a0}", "e\\u{301}\\u{a0}"),
        ] {
            assert_eq!(one_line(text), expected);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = one_line(&"x".repeat(1 << 20));
        assert_eq!(long.chars().count(), MAX_LINE_CHARACTERS);
        assert!(long.ends_with("x..."));
        let escaped = one_line(&"<".repeat(1 << 20));
        assert!(escaped.chars().count() <= MAX_LINE_CHARACTERS && escaped.ends_with("\\u{3c}..."), "{escaped}");
        assert_eq!(name(&"x".repeat(160)), "x".repeat(160));
        assert_eq!(name(&"x".repeat(161)), format!("{}...", "x".repeat(157)));
        let mut line = Line::new();
        line.push_name(&"x".repeat(1 << 20));
        line.push(" and more");
        let line = line.finish();
        assert!(line.ends_with("x... and more") && line.chars().count() == 160 + 9, "{line}");
    }
}
