//! The glob by its definition, without any cleverness.

/// A token: a character, `?` as `None` inside `Some`, `*` as `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Star,
    One,
    Just(char),
}

/// The parts of a text whose `*` and `?` act.
pub fn parts(text: &str) -> Vec<Part> {
    text.chars()
        .map(|c| match c {
            '*' => Part::Star,
            '?' => Part::One,
            c => Part::Just(c),
        })
        .collect()
}

/// Whether the parts match all of the text: row by row, which suffixes of the text each suffix of the parts matches.
pub fn glob(parts: &[Part], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut row: Vec<bool> = (0..=text.len()).map(|at| at == text.len()).collect();
    for part in parts.iter().rev() {
        let mut above = vec![false; text.len() + 1];
        for at in (0..=text.len()).rev() {
            let next = at < text.len();
            above[at] = match part {
                Part::Star => row[at] || next && above[at + 1],
                Part::One => next && row[at + 1],
                Part::Just(c) => next && text[at] == *c && row[at + 1],
            };
        }
        row = above;
    }
    row[0]
}
