//! What kube-iam writes into a cluster: the status, finalizers and events of its objects, the Leases of its replicas, and
//! the `caBundle` of its registration. Nothing else writes, and no `spec` is ever written.
//!
//! ```text
//! catalog ─┐                                        ┌→ status          (field manager kube-iam)
//! in force ┼→ observe ─→ plan::steps ─→ perform ────┼→ finalizer       (kube-iam-finalizer)
//! replicas ┘             one holder                 └→ events
//! catalog ─→ record ─→ status.lastGood                every replica but the holder, where that knows less
//! in force ─→ report ─→ Lease kube-iam-replica-<id>   every replica, of itself
//! Leases, registration ─→ bundle ─→ caBundle          (kube-iam-ca), one holder
//! RootUses ─→ root ─→ events                          every replica
//! ```
//!
//! # Guarantees
//! - One replica, which holds the Lease `kube-iam-operator`, writes, but for what another one alone remembers; decisions never depend on it. A Lease is no fence, so
//!   two who write side by side do no harm either: what is written is a function of what is there, each write names the
//!   resource version and the uid that it was made for, and what is there already is not written (`guarantees.md` R16).
//! - One object's failure, panic or refusal delays that object and no other.
//! - At rest nothing is written but Leases.
//!
//! What is to be written is [`crate::plan`]; where objects come from is `source`.

mod agenda;
mod bundle;
mod call;
mod election;
mod event;
mod follow;
mod observe;
mod perform;
mod queue;
mod reconcile;
mod record;
mod registration;
mod replicas;
mod report;
mod root;
mod run;
mod track;

pub use replicas::{ReplicaId, ReplicaIdError};
pub use run::{Authorities, Heard, Operator, Parts, Trusted};
