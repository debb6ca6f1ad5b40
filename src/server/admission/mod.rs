//! Admission of our own kinds, and of what Namespaces say about accounts (`design.md` §4.1, §8; `kubernetes-contract.md`
//! A11, B6).
//!
//! ```text
//! bytes ── review::decode ──► Review ── judge(catalog) ──► Verdict ── privilege ──► Answer ── review::encode ──► bytes
//!                                         │                            │
//!                             object, account: pure rules    may the caller `escalate`? asks the API server
//! ```
//!
//! Guarantees: nothing that the evaluator would not read gets in, whatever an API server's schema lets through; stored
//! objects stay modifiable, for what was wrong before and is the same now passes (ratcheting); nothing is written
//! anywhere, so dry runs are like others; both webhooks refuse in every mode, for only policy decisions are shadowed.
//!
//! Assumptions: admission sees the present through watches, a few milliseconds late. So it refuses mistakes early and
//! well explained; that two writes which raced each other leave nothing open is the work of [`crate::world`].
//!
//! What an object means is not here. Content of other objects is not judged here either.

mod account;
mod answer;
mod applied;
mod effect;
mod judge;
mod object;
mod pairs;
mod privilege;
mod ratchet;
mod reference;
mod review;
mod shorten;
mod spec;
#[cfg(test)]
mod tests;
mod verdict;
mod webhook;

pub use answer::{Reviewed, answer_offline, answer_online};
pub use judge::judge;
pub use review::{Operation, Review, ReviewError, decode};
pub use verdict::{Reserved, Subject, Verdict};
pub use webhook::AdmissionWebhook;
