//! `serve`: the webhooks, from start to clean end.
//!
//! [`process`] is what every run has: listeners, certificates, signals. [`folder`] takes the world from manifests,
//! [`cluster`] from an API server.

mod cluster;
mod folder;
mod process;

pub(super) use process::run;
