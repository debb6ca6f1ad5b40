//! The decision: a request and a snapshot in, an answer with its reasons out.
//!
//! Total: no `Result`, no panic, a bounded number of steps. Nothing here reads a clock, waits, or locks.

mod candidate;
mod combine;
mod condition;
mod context;
mod decision;
mod evaluate;
mod explain;
mod facts;
mod principal;
mod request;
mod standalone;
mod statement;
mod truth;

pub use combine::decide;

pub use context::{Absence, Context, Fact, Possible, PossibleValues};
pub use decision::{Cause, Decision, Layer, Matched, Narrower, Verdict};
pub use explain::{CandidateTrace, ConditionTrace, Explanation, StatementTrace, explain};
pub use request::{
    AccountSlot, Action, Baseline, Caller, Identity, OpenName, Request, Resource, ResourceAccount, Rest, Slot, Slots,
};
pub use standalone::{
    IsRoot, Standalone, StandalonePrincipal, StandaloneRequest, action_entry_matches, conditions_hold,
    principal_element_matches, resource_entry_matches,
};
pub use statement::Mismatch;
pub use truth::Applies;

pub use crate::policy::Effect;
