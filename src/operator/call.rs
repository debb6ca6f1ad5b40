//! One call to the API server, and what its refusal means for the one who made it.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// How long a call may take.
pub(super) const CALL: Duration = Duration::from_secs(5);

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: RefusalKind,
    message: String,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusalKind {
    /// The object, its namespace or its kind is not there.
    Gone,
    /// The object is another by now.
    Conflict,
    /// The object would be larger than the API server stores.
    TooLarge,
    /// Too many calls; wait for this long.
    Throttled(Duration),
    /// It may not be done, or not like this.
    Refused,
    /// The API server cannot be reached, or does not answer.
    Unavailable,
}

/// Makes a call, for [`CALL`] at most.
///
/// # Errors
/// When it fails, is refused, or takes too long.
pub(super) async fn call<T>(future: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Refusal> {
    match tokio::time::timeout(CALL, future).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Refusal::from(error)),
        Err(_) => Err(Refusal { kind: RefusalKind::Unavailable, message: format!("no answer within {CALL:?}") }),
    }
}

/// A moment, waited for; one that never comes where there is none.
pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

// === impl Refusal ===

impl Refusal {
    /// Nothing came for too long.
    pub(super) fn silence(silence: Duration) -> Self {
        Self { kind: RefusalKind::Unavailable, message: format!("nothing heard for {silence:?}") }
    }
}

impl From<kube::Error> for Refusal {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = &error else {
            return Self { kind: RefusalKind::Unavailable, message: chain(&error) };
        };
        let wait = status.details.as_ref().map_or(0, |details| details.retry_after_seconds).max(1);
        let kind = match status.code {
            404 => RefusalKind::Gone,
            409 => RefusalKind::Conflict,
            413 => RefusalKind::TooLarge,
            429 => RefusalKind::Throttled(Duration::from_secs(wait.into())),
            400..=499 => RefusalKind::Refused,
            _ if status.message.contains("request is too large") => RefusalKind::TooLarge,
            _ => RefusalKind::Unavailable,
        };
        Self { kind, message: format!("{} {}", status.code, status.message) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error with what caused it, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: u16, message: &str) -> RefusalKind {
        Refusal::from(kube::Error::Api(kube::core::Status::failure(message, "").with_code(code).boxed())).kind
    }

    #[test]
    fn each_answer_has_its_meaning() {
        for (code, message, expected) in [
            (404, "iamusers.kube-iam.dev \"x\" not found", RefusalKind::Gone),
            (409, "the object has been modified", RefusalKind::Conflict),
            (413, "limit is 3145728", RefusalKind::TooLarge),
            (500, "etcdserver: request is too large", RefusalKind::TooLarge),
            (429, "too many requests", RefusalKind::Throttled(Duration::from_secs(1))),
            (403, "forbidden", RefusalKind::Refused),
            (422, "metadata.uid: Invalid value", RefusalKind::Refused),
            (500, "internal error", RefusalKind::Unavailable),
            (503, "unavailable", RefusalKind::Unavailable),
        ] {
            assert_eq!(kind(code, message), expected, "{code} {message}");
        }
    }
}
