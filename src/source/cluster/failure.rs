//! Why a request to the API server brought nothing.

use std::error::Error;
use std::time::Duration;

use super::resource;
use crate::store::WatchedKind;

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// No such collection or object.
    #[error("not found: {0}")]
    NotFound(String),
    /// 410: what was asked for is too old.
    #[error("the resource version is too old")]
    Expired,
    /// It is older than what was seen before.
    #[error("the answer is older than what was seen before")]
    Older,
    /// Another status.
    #[error("the API server answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
        /// After how long it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// No connection, or one that broke.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    /// Nothing came for too long.
    #[error("the API server says nothing")]
    Silent,
    /// More than is read.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// An answer that is none.
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
}

/// Why the world of a cluster cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot list objects of kind {}: {failure}{}", .kind.as_str(), self.hint())]
pub struct ClusterError {
    pub(super) kind: WatchedKind,
    pub(super) failure: Failure,
}

// === impl ClusterError ===

impl ClusterError {
    fn hint(&self) -> &'static str {
        match (&self.failure, resource::definition(self.kind)) {
            (Failure::NotFound(_), Some(_)) => "; are the CustomResourceDefinitions installed? (`kube-iam crds`)",
            _ => "",
        }
    }
}

// === impl Failure ===

impl Failure {
    /// What the server asked for in `Retry-After`.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::NotFound(_)
            | Self::Expired
            | Self::Older
            | Self::Unreachable(_)
            | Self::Silent
            | Self::TooLong(_)
            | Self::Malformed(_) => None,
        }
    }

    /// An error and all that caused it, each said once.
    pub(super) fn unreachable(error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Self::Unreachable(text)
    }
}
