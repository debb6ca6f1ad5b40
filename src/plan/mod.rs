//! Reconciling as data: what is known of one object in, the steps that its status and finalizer need out.
//!
//! ```text
//! Object ─→ Declared ┐
//! world ─→ InForce ──┼→ Observation ─→ steps ─→ Step, Step, …
//! replicas, status ──┘
//! ```
//!
//! [`steps()`] is a pure function: the clock is text in the observation, and after its steps are done it asks for none
//! (`guarantees.md` I26). So two who reconcile side by side end at the same object, and nobody writes what is there
//! already.
//!
//! # How an object stands
//!
//! Conditions follow kstatus (`standards.md` §12.5). `Ready` is always there and is the one to wait for; `Enforced` says
//! on how many replicas this version runs; `Reconciling` stands there while replicas are waited for, `Stalled` while only
//! a person can help. Each carries the generation it speaks about, and its time moves only when its `status` does.
//!
//! `Ready=True` and `Enforced=True` are latched per generation (`guarantees.md` R12): a replica that joins later catches
//! up before it serves, so it takes nothing back.
//!
//! Who performs the steps, and when, is `operator`.

mod conditions;
mod declared;
mod finalizer;
mod identifier;
mod judgement;
mod observation;
mod status;
mod steps;
#[cfg(test)]
mod tests;
mod text;

pub use declared::{Declared, Details, PolicyType, Validity};
pub use finalizer::IN_USE;
pub use identifier::unique_id;
pub use judgement::{Judgement, judge};
pub use observation::{InForce, Observation, Referrers, Replicas};
pub use status::{Condition, ConditionStatus, Finding, LastGood, Severity, Status};
pub use steps::{Event, Step, Urgency, steps};
