//! Collects the problems of one document: paths, quoting, suggestions.

use std::fmt::{self, Display, Write as _};

use super::limits;
use super::problem::Problem;
use super::tree::Position;

/// The way from the parsed node to a field, kept as a chain on the stack and written only for a problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

/// The problems found so far, at most [`limits::PROBLEMS`]; further ones are only counted.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    further: usize,
}

/// User input in a message: in back-ticks, control characters escaped, cut at 200 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted<'a>(pub &'a str);

/// The end of a message about a word that is not known: a near miss, or what can stand there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hint<'a> {
    pub found: &'a str,
    pub known: &'a [&'a str],
}

const QUOTED_BYTES: usize = 200;

// === impl Path ===

impl<'a> Path<'a> {
    /// The parsed node itself.
    pub(crate) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    /// A key of the map at this path.
    pub(crate) fn key<'b>(&'b self, key: &'b str) -> Path<'b> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    /// An entry of the list at this path.
    pub(crate) fn index(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), step: Step::Index(index) }
    }
}

/// `Statement[0].Condition.StringEquals["aws:x"]`.
impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut is_first = true;
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
            is_first = matches!(parent.step, Step::Root);
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) if is_word(key) => write!(f, "{}{key}", if is_first { "" } else { "." }),
            Step::Key(key) => {
                f.write_str("[\"")?;
                write_cut(key, f)?;
                f.write_str("\"]")
            }
        }
    }
}

// === impl Problems ===

impl Problems {
    /// Notes a problem. The message is written only if it will be shown.
    pub(crate) fn add(&mut self, path: &Path<'_>, at: Option<Position>, message: impl Display) {
        if self.found.len() < limits::PROBLEMS {
            self.found.push(Problem { path: path.to_string(), at, message: message.to_string() });
        } else {
            self.further = self.further.saturating_add(1);
        }
    }

    /// The problems in the order of the text, as far as positions are known.
    pub(crate) fn into_vec(self) -> Vec<Problem> {
        let mut problems = self.found;
        if problems.iter().all(|problem| problem.at.is_some()) {
            problems.sort_by_key(|problem| problem.at);
        }
        if self.further > 0 {
            let message = format!("{} further problems are not shown", self.further.saturating_add(1));
            if let Some(last) = problems.last_mut() {
                *last = Problem { path: String::new(), at: None, message };
            }
        }
        problems
    }
}

// === impl Quoted ===

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('`')?;
        write_cut(self.0, f)?;
        f.write_char('`')
    }
}

// === impl Hint ===

impl Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match nearest(self.found, self.known.iter().copied()) {
            Some(word) => write!(f, "; did you mean `{word}`?"),
            None => {
                f.write_str("; expected ")?;
                for (index, word) in self.known.iter().enumerate() {
                    let left = self.known.len().saturating_sub(index);
                    let before = match (index, left) {
                        (0, _) => "",
                        (_, 1) => " or ",
                        _ => ", ",
                    };
                    write!(f, "{before}`{word}`")?;
                }
                Ok(())
            }
        }
    }
}

// === free functions ===

/// The word that was probably meant: the same but for case, or one or two letters away.
pub(crate) fn nearest<'w>(found: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let found = found.get(..found.len().min(64)).unwrap_or("").to_lowercase();
    let mut best = None;
    for word in words {
        let allowed = if word.len() < 5 { 1 } else { 2 };
        if word.len().abs_diff(found.len()) <= allowed {
            let distance = edit_distance(&found, &word.to_lowercase());
            if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, word));
            }
        }
    }
    best.map(|(_, word)| word)
}

/// Insertions, deletions, replacements and swaps of neighbours that make one text of the other.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (row, x) in a.chars().enumerate() {
        let mut current = vec![row.saturating_add(1)];
        for (column, y) in b.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX);
            let replaced = at(&above, column).saturating_add(usize::from(x != *y));
            let removed = at(&above, column.saturating_add(1)).saturating_add(1);
            let added = at(&current, column).saturating_add(1);
            let mut least = replaced.min(removed).min(added);
            if let Some(left) = column.checked_sub(1)
                && b.get(left) == Some(&x)
                && last == Some(*y)
            {
                least = least.min(at(&before, left).saturating_add(1));
            }
            current.push(least);
        }
        last = Some(x);
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= QUOTED_BYTES
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// Writes a text without control characters and cut at 200 bytes, so that it fits on one line.
fn write_cut(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut written = 0usize;
    for c in text.chars() {
        written = written.saturating_add(c.len_utf8());
        if written > QUOTED_BYTES {
            return f.write_char('…');
        }
        if is_invisible(c) {
            write!(f, "{}", c.escape_default())?;
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}

/// Characters that break a line, or change how the rest of it looks.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_quote_what_is_no_word() {
        let root = Path::ROOT;
        let statements = root.key("Statement");
        let statement = statements.index(0);
        let condition = statement.key("Condition");
        let operator = condition.key("ForAllValues:StringEquals");
        assert_eq!(
            operator.key("aws:x").to_string(),
            "Statement[0].Condition[\"ForAllValues:StringEquals\"][\"aws:x\"]"
        );
        assert_eq!(root.to_string(), "");
    }

    #[test]
    fn input_is_cut_and_escaped() {
        assert_eq!(Quoted("a\nb\u{202e}").to_string(), "`a\\nb\\u{202e}`");
        let long = "ä".repeat(300);
        assert_eq!(Quoted(&long).to_string().len(), 2 + 200 + '…'.len_utf8());
    }

    #[test]
    fn near_misses_are_found() {
        let words = ["Condition", "Action", "NotAction", "Sid"];
        for (found, expected) in [
            ("condition", Some("Condition")),
            ("Conditoin", Some("Condition")),
            ("actions", Some("Action")),
            ("NotActions", Some("NotAction")),
            ("sid", Some("Sid")),
            ("Sod", Some("Sid")),
            ("Foo", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, words), expected, "{found}");
        }
    }

    #[test]
    fn problems_beyond_the_limit_are_counted() {
        let mut problems = Problems::default();
        for index in 0..limits::PROBLEMS + 5 {
            problems.add(&Path::ROOT.index(index), None, "bad");
        }
        let problems = problems.into_vec();
        assert_eq!(problems.len(), limits::PROBLEMS);
        assert_eq!(problems.last().unwrap().message, "6 further problems are not shown");
    }
}
