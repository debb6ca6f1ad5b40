//! Free ports for servers that must be told theirs.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that systems give to outgoing connections: a server that is down for a moment finds its port again.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A port of 127.0.0.1 that nobody listens on, never the same twice in a process. Processes start looking at different
/// places, because a port stays free until its server has started.
///
/// # Errors
/// When none is free.
pub fn free_port() -> Result<u16, String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let number = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if let Ok(port) = u16::try_from(FIRST + number)
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        {
            return Ok(port);
        }
    }
    Err("no port of 127.0.0.1 is free".to_owned())
}
