//! What a caller can make us hold or wait for.

use std::time::Duration;

/// The limits of the HTTPS listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time, those in the handshake included; more wait in the kernel's queue.
    pub connections: usize,
    /// Longest TLS handshake.
    pub handshake: Duration,
    /// Longest time from the first byte of an HTTP/1.1 request to the end of its head.
    pub head: Duration,
    /// Longest time to send a body.
    pub body: Duration,
    /// Longest time without a request on a connection; [`Limits::head`] when four fifths of the connections are taken.
    pub idle: Duration,
    /// Longest time that running requests may take once the process stops.
    pub grace: Duration,
    /// Bytes of the largest body.
    pub body_bytes: usize,
    /// Bytes of the largest head: names and values of all fields, and the path.
    pub head_bytes: usize,
    /// Bodies above 64 KiB that are held at a time; more wait, within [`Limits::body`].
    pub large_bodies: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(5),
            body: Duration::from_secs(10),
            // Longer than the 90 s after which Go's client gives a connection up, so that it is the one to close.
            idle: Duration::from_secs(120),
            grace: Duration::from_secs(10),
            body_bytes: 4 << 20,
            head_bytes: 32 << 10,
            large_bodies: 64,
            streams: 250,
        }
    }
}

impl Limits {
    /// Lowers [`Limits::connections`] to what the process may open, with room for files and for its own connections.
    pub fn within_open_files(mut self) -> Self {
        const RESERVED: usize = 128;
        let status = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        if let Some(open_files) = open_files(&status) {
            self.connections = self.connections.min(open_files.saturating_sub(RESERVED).max(16));
        }
        self
    }
}

/// The soft limit in the text of `/proc/<pid>/limits`; none when there is no such line or no limit.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_open_files_is_read() {
        let text =
            "Max processes 1 2 processes\nMax open files            1024                 524288               files\n";
        assert_eq!(open_files(text), Some(1_024));
        assert_eq!(open_files("Max open files            unlimited            unlimited            files"), None);
        assert_eq!(open_files(""), None);
    }
}
