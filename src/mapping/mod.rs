//! Kubernetes' questions as IAM requests, and decisions as Kubernetes' answers (`kubernetes-contract.md` part B).
//!
//! ```text
//! bytes ── review::decode ──► Attributes ── request ──► decide::Request ──► decide ──► Decision
//!                                  │                                                      │
//!                                  └── Unasked (exempt, refused) ──► Outcome ◄────────────┘
//! bytes ◄── review::encode ── Answer ◄── answer(mode) ──┘
//! ```
//!
//! Nothing is split again once it is in a slot, nothing is decoded or normalised, and whatever is not understood makes
//! a question broader, never narrower. What a request *means* for policies is [`crate::decide`]; transport, HTTP statuses
//! and readiness belong to the server.

mod answer;
mod attributes;
mod baseline;
#[cfg(test)]
mod fixture;
mod identity;
mod json;
mod keys;
mod request;
mod review;
mod selector;
mod text;

pub use answer::{Answer, Opinion, Outcome, answer};
pub use attributes::{Attributes, Requirement, ResourceAttributes, SelectorOperator, Target, UrlAttributes};
pub use baseline::baseline;
pub use identity::{Refusal, Unasked};
pub use request::{Now, ScopeFacts, Served, Setting, request};
pub use review::{MAX_REVIEW_BYTES, Review, ReviewError, ReviewVersion, decode, encode};
pub use text::{MAX_LINE_CHARACTERS, one_line};
