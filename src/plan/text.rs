//! Text of bounded length.

/// Bytes of a condition's message, and of a finding's.
pub(super) const MESSAGE_BYTES: usize = 1_024;
/// Bytes of the path of a finding.
pub(super) const PATH_BYTES: usize = 512;

/// The text, cut where it is longer than it may be.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    const MARK: &str = "…";
    let mut end = most.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    format!("{}{MARK}", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcdef", 5), "ab…");
        assert_eq!(cut("äöü", 5), "ä…");
        assert_eq!(cut(&"ä".repeat(2_000), MESSAGE_BYTES).len(), 1_023);
    }
}
