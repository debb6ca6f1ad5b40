//! The seam between the listener and the judgement on an AdmissionReview.

use super::authorize::Reply;

/// Answers AdmissionReviews of our own kinds and of Namespaces.
///
/// Flow: the listener reads a body whole, awaits [`Admit::admit`] once and sends the [`Reply`]. An implementation may ask
/// the API server and wait for it, within a few seconds: kube-apiserver gives up after the `timeoutSeconds` of the
/// registration.
///
/// Guarantees: the body has at most [`super::Limits::body_bytes`] bytes and was sent as `application/json`. Whether the
/// caller showed a client certificate is a matter of [`super::ClientAuth`]: an answer says nothing but the verdict on the
/// object that was sent.
pub trait Admit: Send + Sync + 'static {
    /// Judges the review in `body`.
    fn admit(&self, body: &[u8]) -> impl Future<Output = Reply> + Send;

    /// The answer in place of one that panicked: a refusal of the review in `body`, counted. When this panics too, the
    /// listener answers 503.
    fn admit_panicked(&self, body: &[u8]) -> Reply;
}
