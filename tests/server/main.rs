//! The HTTPS listener, its files and its health, from outside: raw sockets and real clients over loopback.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod admission;
mod bounds;
mod client;
mod files;
mod folder;
mod health;
mod http;
mod memory;
mod shutdown;
mod site;
mod succession;
mod tls;
