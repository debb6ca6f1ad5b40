//! Asking the API server: raw requests, bounded in time and size.
//!
//! Nothing is decoded on the way: a typed list would fail as a whole on one object that does not fit, and a stock watcher
//! notices a dead connection after minutes.

use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, RETRY_AFTER};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::Deserialize;
use tokio::time::timeout;

use super::failure::Failure;

/// How long an answer may take to begin, and to go on.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of an error's text that are read.
const MESSAGE_BYTES: usize = 64 << 10;

const JSON: &str = "application/json";
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// The server, cheap to clone.
#[derive(Clone)]
pub(super) struct ApiServer {
    client: kube::Client,
}

/// An answer that arrives piece by piece.
pub(super) struct Stream {
    body: Body,
}

/// Whether something that holds objects is there: a CustomResourceDefinition, or a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// It is: the one with this uid.
    There(String),
    /// It is being deleted, with all its objects.
    Leaving,
    /// It is not.
    Gone,
}

// === impl ApiServer ===

impl ApiServer {
    pub(super) fn new(client: kube::Client) -> Self {
        Self { client }
    }

    /// A whole answer.
    pub(super) async fn get(&self, path: &str, most_bytes: usize) -> Result<Vec<u8>, Failure> {
        self.open_as(path, JSON).await?.whole(most_bytes).await
    }

    /// An answer as it comes.
    pub(super) async fn open(&self, path: &str) -> Result<Stream, Failure> {
        self.open_as(path, JSON).await
    }

    /// Asks a quorum about the object at a path.
    pub(super) async fn holder(&self, path: &str) -> Result<Holder, Failure> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            uid: String,
            deletion_timestamp: Option<String>,
        }
        let answer = match self.open_as(path, METADATA).await {
            Ok(stream) => stream.whole(super::lines::LONGEST).await?,
            Err(Failure::NotFound(_)) => return Ok(Holder::Gone),
            Err(failure) => return Err(failure),
        };
        let object: Object = read(&answer)?;
        Ok(match object.metadata.deletion_timestamp {
            None => Holder::There(object.metadata.uid),
            Some(_) => Holder::Leaving,
        })
    }

    async fn open_as(&self, path: &str, accept: &str) -> Result<Stream, Failure> {
        let request = Request::get(path)
            .header(ACCEPT, accept)
            // A server may compress each event by itself, which no ordinary reader takes apart.
            .header(ACCEPT_ENCODING, "identity")
            .body(Body::empty())
            .map_err(|error| Failure::Malformed(error.to_string()))?;
        let answer = timeout(PATIENCE, self.client.send(request)).await.map_err(|_| Failure::Silent)?;
        let (parts, body) = answer.map_err(|error| Failure::unreachable(&error))?.into_parts();
        let stream = Stream { body };
        if parts.status.is_success() {
            return Ok(stream);
        }
        let text = stream.whole(MESSAGE_BYTES).await.unwrap_or_default();
        Err(refusal(parts.status, &parts.headers, &text))
    }
}

// === impl Stream ===

impl Stream {
    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(Failure::unreachable(&error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    async fn whole(mut self, most_bytes: usize) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        while let Some(piece) = timeout(PATIENCE, self.next()).await.map_err(|_| Failure::Silent)?? {
            let piece = piece.as_ref();
            if whole.len().saturating_add(piece.len()) > most_bytes {
                return Err(Failure::TooLong(most_bytes));
            }
            whole.extend_from_slice(piece);
        }
        Ok(whole)
    }
}

// === free functions ===

/// Reads an answer.
pub(super) fn read<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer).map_err(|error| Failure::Malformed(error.to_string()))
}

/// What an error status means.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, text: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Status {
        #[serde(default)]
        message: String,
    }
    let message = match serde_json::from_slice::<Status>(text) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(text).trim().chars().take(200).collect(),
    };
    match status {
        StatusCode::NOT_FOUND => Failure::NotFound(message),
        StatusCode::GONE => Failure::Expired,
        _ => {
            let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Failure::Refused { status: status.as_u16(), message, retry_after: seconds.map(Duration::from_secs) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_server_said_and_wanted() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "3".parse().unwrap());
        let failure = refusal(StatusCode::TOO_MANY_REQUESTS, &headers, b"slow down\n");
        assert_eq!(failure.to_string(), "the API server answered 429: slow down");
        assert_eq!(failure.retry_after(), Some(Duration::from_secs(3)));
        let text = br#"{"kind":"Status","message":"iamusers is forbidden","code":403}"#;
        let failure = refusal(StatusCode::FORBIDDEN, &HeaderMap::new(), text);
        assert_eq!(failure.to_string(), "the API server answered 403: iamusers is forbidden");
        assert_eq!(refusal(StatusCode::GONE, &HeaderMap::new(), b""), Failure::Expired);
    }
}
