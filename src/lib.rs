//! AWS-style IAM for Kubernetes: users, groups, roles and policies are objects, and every request to a cluster is
//! decided from them.
//!
//! # How data flows
//!
//! ```text
//! folder of manifests ─→ manifest ─→ source::folder ─┬→ world ─→ snapshot ─→ store::Publisher
//! API server ─→ source::cluster ─→ store::Catalog ───┘                           │ one pointer, swapped whole
//! a request ─→ server ─→ mapping ─→ decide(snapshot, request) ←─────────── store::Reader
//!                 ↑                      │
//!              answer ←── mapping ←── Decision ─→ telemetry
//! a change of an object ─→ server::admission ─→ verdict ←── store::Catalog
//! store::Catalog, store::Reader ─→ operator ─→ plan ─→ steps ─→ status, finalizers, events, caBundle
//! command (can-i, simulate, explain, review) ─→ mapping ─→ decide
//! api ─→ CustomResourceDefinitions
//! ```
//!
//! Each arrow is one conversion in one place, from raw to checked to compiled, never back. Time enters as an argument.
//!
//! # The rooms
//!
//! The ground storey is pure: no network, no runtime, no clock. It builds with `--no-default-features`.
//!
//! - [`name`]: ARNs, revisions and other names, parsed once.
//! - [`policy`]: the policy language, read strictly into one syntax tree.
//! - [`world`]: the validated set of all objects, with an outcome for each.
//! - [`snapshot`]: the world compiled for decisions.
//! - [`decide`]: a request and a snapshot in, a decision with its reasons out.
//! - [`mapping`]: what Kubernetes asks as a request, and a decision as what Kubernetes is told.
//! - [`lint`]: what is valid and worth a second look.
//! - [`plan`]: what the status and the finalizer of an object need, as data.
//!
//! The first storey, feature `kubernetes`: `api` (the schemas of the four kinds), `manifest` (YAML and JSON files),
//! `source` (where objects come from: a folder, a cluster), `store` (what is in force, and the catalog of a cluster's
//! objects), `operator` (writes what became of objects, on the replica that holds the Lease), `telemetry` (metrics).
//!
//! The second storey, feature `server`: `server` (HTTPS for API servers: authorization, and admission of our own objects),
//! `command` (the command line), `config` (its flags). `operator` and `server` never see each other: they meet in `store`.

#[cfg(feature = "kubernetes")]
pub mod api;
#[cfg(feature = "server")]
pub mod command;
#[cfg(feature = "server")]
pub mod config;
pub mod decide;
pub mod lint;
#[cfg(feature = "kubernetes")]
pub mod manifest;
pub mod mapping;
pub mod name;
#[cfg(feature = "kubernetes")]
pub mod operator;
pub mod plan;
pub mod policy;
#[cfg(feature = "server")]
pub mod server;
pub mod snapshot;
#[cfg(feature = "kubernetes")]
pub mod source;
#[cfg(feature = "kubernetes")]
pub mod store;
#[cfg(feature = "kubernetes")]
pub mod telemetry;
pub mod world;
