//! The outside: HTTPS for kube-apiservers, HTTP for health and metrics, and the files that connect them.
//!
//! Reading order: [`Authorize`] and [`Admit`] are the seams to what decides; `https` accepts, `connection` watches over
//! one connection, `exchange` turns one request into one answer. [`Tls`] holds the certificates, [`state_folder`] writes
//! what a kube-apiserver needs. What an answer says is decided in [`AuthorizationWebhook`] and [`admission`].
//!
//! Guarantees (`guarantees.md` F24, F27, F28, F35, F36): a caller without a certificate is refused before its body is
//! read, on `/authorize` always and on `/admit-iam` by [`ClientAuth`]; what a caller can make us hold or wait for is
//! bounded ([`Limits`]); the statuses of the HTTPS listener are 200, 400, 403, 413 and 503; no answer carries
//! `Retry-After`; a panic in a decision costs that request only.
//!
//! Caveat: an HTTP/2 head above 1 MiB, which no client sends that heeds our settings, is answered by the HTTP/2 library
//! with 431.

pub mod admission;
pub mod api_server_files;
pub mod authority;
pub mod private_file;
pub mod self_test;
pub mod state_folder;
pub mod validity;

mod activity;
mod admit;
mod authorize;
mod body;
mod connection;
mod exchange;
mod health;
mod https;
mod lifecycle;
mod limits;
mod provided;
mod question;
mod readiness;
mod reject;
mod request_id;
mod stream;
mod succession;
mod tls;
mod webhook;

pub use admission::AdmissionWebhook;
pub use admit::Admit;
pub use api_server_files::{Reach, authorization_configuration, webhook_registration};
pub use authorize::{Authorize, Reply, ReplyStatus};
pub use health::serve_health;
pub use https::serve_https;
pub use lifecycle::Lifecycle;
pub use limits::Limits;
pub use question::{Answered, answer, decided, refused, with_request};
pub use readiness::{Condition, Readiness};
pub use succession::Announced;
pub use tls::{
    CertificateError, ClientAuth, ClientSource, Refreshed, ServingSource, Sources, Tls, keep_fresh, unix_now,
};
pub use webhook::AuthorizationWebhook;
