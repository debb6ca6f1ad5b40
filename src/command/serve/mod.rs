//! `serve`: the webhooks, from start to clean end.
//!
//! [`process`] is what every run has: listeners, certificates, signals. [`folder`] takes the world from manifests,
//! [`cluster`] from an API server; there [`trust`] is waited for, too.

mod cluster;
mod folder;
mod process;
mod trust;

pub(super) use process::run;
