//! The seam between the listener and the decision on a SubjectAccessReview.

use super::reject::error_body;
use crate::name::Revision;

/// Answers SubjectAccessReviews.
///
/// Flow: the listener reads a body whole, calls [`Authorize::authorize`] once and sends the [`Reply`]. It calls from a
/// task of the runtime, so an implementation does not wait, and takes microseconds.
///
/// Guarantees: the caller showed a client certificate that the client authority signed; the body has at most
/// [`super::Limits::body_bytes`] bytes and was sent as `application/json`; `api_server` has 1 to 63 letters, digits,
/// `.`, `_` and `-`.
pub trait Authorize: Send + Sync + 'static {
    /// Decides the review in `body` for the API server that calls itself `api_server`, `default` where it says nothing.
    fn authorize(&self, api_server: &str, body: &[u8]) -> Reply;

    /// The answer in place of one that panicked: a refusal of the review in `body`, counted. When this panics too, the
    /// listener answers 503.
    fn authorize_panicked(&self, body: &[u8]) -> Reply;
}

/// An answer to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: ReplyStatus,
    /// Its body, JSON.
    pub body: Vec<u8>,
    /// The snapshot that it was made from, for `X-Kube-Iam-Revision`.
    pub revision: Option<Revision>,
}

/// The statuses that a decision may be sent with: there is no other (`kubernetes-contract.md` A4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyStatus {
    /// 200: an answered review.
    Ok,
    /// 400: no review.
    BadRequest,
    /// 503: a review that cannot be answered now.
    Unavailable,
}

// === impl Reply ===

impl Reply {
    /// An answered review.
    pub fn ok(body: Vec<u8>, revision: Revision) -> Self {
        Self { status: ReplyStatus::Ok, body, revision: Some(revision) }
    }

    /// What was sent is no review; the message says why.
    pub fn malformed(message: &str, revision: Option<Revision>) -> Self {
        Self { status: ReplyStatus::BadRequest, body: error_body("MalformedReview", message), revision }
    }

    /// The review cannot be answered now; the message says why.
    pub fn unavailable(message: &str, revision: Option<Revision>) -> Self {
        Self { status: ReplyStatus::Unavailable, body: error_body("NotReady", message), revision }
    }
}
