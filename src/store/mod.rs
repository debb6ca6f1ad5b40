//! What is in force: one writer publishes it, any number of readers load it.
//!
//! The task that builds snapshots owns the [`Publisher`]; surfaces hold a [`Reader`] each. How a snapshot is made is not
//! here (`snapshot`), nor where its objects come from (`source`).

mod pointer;

pub use pointer::{Publisher, Reader, channel};
