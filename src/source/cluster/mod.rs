//! The objects of a cluster, followed through its API server.
//!
//! ```text
//! API server ─→ watch (one per kind) ─→ mirror ─→ catalog ─→ building ─→ store::Publisher
//!                    discovery ─────────↗
//! ```
//!
//! A `watch` lists its kind by quorum, follows it, and starts over when that is the only way to be right; what it tells is
//! a `notice`. The `mirror` takes notices into the catalog and sees to it that no restriction gets lost on the way;
//! `pace` says when to build, and [`Cluster`] is the one task that builds and publishes; `check` compares with a build from
//! scratch from time to time. `discovery` asks other servers for the scopes of their kinds. [`load`] does all of it once,
//! for who only wants to look.
//!
//! Objects are never decoded into types here: one that does not fit would take its whole list down. `item` reads what
//! stands around a `spec`; what it says is judged by [`crate::world`].

mod api_server;
mod backoff;
mod building;
mod check;
mod departure;
mod discovery;
mod failure;
mod item;
mod lines;
mod listing;
mod load;
mod mirror;
mod notice;
mod pace;
mod resource;
#[cfg(test)]
mod tests;
mod watch;

pub use building::{Cluster, client};
pub use failure::ClusterError;
pub use load::{load, read};
