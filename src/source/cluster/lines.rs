//! Lines out of a stream of bytes, each of a bounded length.

/// Bytes of the longest line that is read. An object has 1.5 MiB at most (`kubernetes-contract.md` A12).
pub(super) const LONGEST: usize = 8 << 20;

/// Bytes that arrived, cut at line ends.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to here there is no line end after `start`.
    scanned: usize,
}

/// A line is longer than [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

// === impl Lines ===

impl Lines {
    /// More bytes arrived. Take all lines that there are before the next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.scanned = self.scanned.saturating_sub(self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line, without its end. An empty one is passed over.
    ///
    /// # Errors
    /// When a line, whole or not, is too long.
    pub(super) fn take(&mut self) -> Result<Option<&[u8]>, TooLong> {
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(length) = unseen.iter().position(|byte| *byte == b'\n') else {
                self.scanned = self.buffer.len();
                let waiting = self.buffer.len().saturating_sub(self.start);
                return if waiting > LONGEST { Err(TooLong) } else { Ok(None) };
            };
            let end = self.scanned.saturating_add(length);
            let begin = std::mem::replace(&mut self.start, end.saturating_add(1));
            self.scanned = self.start;
            if end.saturating_sub(begin) > LONGEST {
                return Err(TooLong);
            }
            if end > begin {
                return Ok(self.buffer.get(begin..end));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut Lines) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(line) = lines.take().unwrap() {
            found.push(String::from_utf8(line.to_vec()).unwrap());
        }
        found
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let text = b"one\ntwo and more\n\n\nthree\nunfinished";
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for chunk in text.chunks(size) {
                lines.push(chunk);
                found.extend(all(&mut lines));
            }
            assert_eq!(found, ["one", "two and more", "three"], "in chunks of {size}");
        }
    }

    #[test]
    fn a_line_that_never_ends_is_refused_before_it_fills_the_memory() {
        let mut lines = Lines::default();
        let mut refused = false;
        for _ in 0..LONGEST / (1 << 16) + 2 {
            lines.push(&[b'x'; 1 << 16]);
            refused |= lines.take() == Err(TooLong);
        }
        assert!(refused);
    }
}
