//! One request becomes one answer.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Version};

use super::activity::Activity;
use super::admit::Admit;
use super::authorize::{Authorize, Reply, ReplyStatus};
use super::body::{AnswerBody, BodyReader};
use super::limits::Limits;
use super::reject::Rejection;
use super::request_id::RequestIds;
use crate::name::Revision;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REVISION: HeaderName = HeaderName::from_static("x-kube-iam-revision");
const DEFAULT_API_SERVER: &str = "default";

/// Whether the caller of a connection showed a certificate that the client authority signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// It did.
    Verified,
    /// It showed none.
    Anonymous,
}

/// Which surface a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    /// `/authorize` and `/authorize/<api server>`.
    Authorize {
        /// What the API server calls itself.
        api_server: &'a str,
    },
    /// `/admit-iam`.
    AdmitIam,
}

/// What all requests share.
pub(super) struct Exchange<A, M> {
    authorize: A,
    admit: M,
    bodies: BodyReader,
    ids: RequestIds,
    head_bytes: usize,
}

// === impl Exchange ===

impl<A: Authorize, M: Admit> Exchange<A, M> {
    pub(super) fn new(authorize: A, admit: M, limits: &Limits) -> Self {
        let bodies = BodyReader::new(limits.body_bytes, limits.body, limits.large_bodies);
        Self { authorize, admit, bodies, ids: RequestIds::new(), head_bytes: limits.head_bytes }
    }

    pub(super) async fn answer(
        self: Arc<Self>,
        peer: Peer,
        activity: Arc<Activity>,
        request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Infallible> {
        let _guard = activity.request();
        let (head, mut unread) = request.into_parts();
        let id = self.ids.echo_or_make(head.headers.get(REQUEST_ID));
        let (status, body, revision) = match self.reply(peer, &head, &mut unread).await {
            Ok(reply) => (status(reply.status), reply.body, reply.revision),
            Err(rejection) => (rejection.status(), rejection.body(), None),
        };
        let mut unread = Some(unread).filter(|body| !body.is_end_stream());
        // Over HTTP/1.1 the connection lets the rest in; over HTTP/2 each stream does.
        if head.version < Version::HTTP_2 && unread.take().is_some() {
            activity.leave_rest_unread();
        }
        tracing::debug!(request_id = id.to_str().unwrap_or_default(), status = status.as_u16(), "answered");
        Ok(response(status, AnswerBody::new(body, unread), id, revision))
    }

    async fn reply(&self, peer: Peer, head: &Parts, body: &mut Incoming) -> Result<Reply, Rejection> {
        if head_bytes(head) > self.head_bytes {
            return Err(Rejection::MalformedHttp);
        }
        let route = route(head.uri.path())?;
        if head.method != Method::POST {
            return Err(Rejection::WrongMethod);
        }
        // Where `/admit-iam` needs a certificate too, the handshake has seen to it.
        if peer == Peer::Anonymous && route != Route::AdmitIam {
            return Err(Rejection::NoClientCertificate);
        }
        check_content(&head.headers)?;
        let held = self.bodies.read(body).await?;
        match route {
            Route::Authorize { api_server } => self.authorize(api_server, &held.bytes),
            Route::AdmitIam => self.admit(&held.bytes).await,
        }
    }

    // INVARIANT: a panic leaves nothing half-changed behind that a later request could see: implementations of `Authorize`
    // and `Admit` read what others publish and change nothing.

    fn authorize(&self, api_server: &str, body: &[u8]) -> Result<Reply, Rejection> {
        let decided = catch_unwind(AssertUnwindSafe(|| self.authorize.authorize(api_server, body)));
        decided.or_else(|_| panicked("authorize", || self.authorize.authorize_panicked(body)))
    }

    async fn admit(&self, body: &[u8]) -> Result<Reply, Rejection> {
        let judged = AssertUnwindSafe(async { self.admit.admit(body).await }).catch_unwind().await;
        judged.or_else(|_| panicked("admit-iam", || self.admit.admit_panicked(body)))
    }
}

/// The refusal in place of an answer that panicked.
fn panicked(surface: &str, refuse: impl FnOnce() -> Reply) -> Result<Reply, Rejection> {
    tracing::error!(surface, "a decision panicked and was refused");
    catch_unwind(AssertUnwindSafe(refuse)).map_err(|_| Rejection::Failed)
}

/// The surface of a path.
fn route(path: &str) -> Result<Route<'_>, Rejection> {
    if path == "/admit-iam" {
        return Ok(Route::AdmitIam);
    }
    let rest = path.strip_prefix("/authorize").ok_or(Rejection::UnknownPath)?;
    if rest.is_empty() {
        return Ok(Route::Authorize { api_server: DEFAULT_API_SERVER });
    }
    let api_server = rest.strip_prefix('/').ok_or(Rejection::UnknownPath)?;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=63).contains(&api_server.len()) && api_server.bytes().all(good) {
        Ok(Route::Authorize { api_server })
    } else {
        Err(Rejection::BadApiServerName)
    }
}

/// JSON, said once, and not compressed.
fn check_content(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let is_json = |value: &HeaderValue| {
        let media_type = value.to_str().ok().and_then(|text| text.split(';').next()).unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("application/json")
    };
    if !types.next().is_some_and(is_json) || types.next().is_some() {
        return Err(Rejection::WrongContentType);
    }
    let identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(identity) { Ok(()) } else { Err(Rejection::EncodedBody) }
}

/// As HTTP/2 counts a head: names, values and 32 bytes for each field (RFC 9113 §6.5.2), and the path.
fn head_bytes(head: &Parts) -> usize {
    let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum::<usize>();
    fields + head.uri.path_and_query().map_or(0, |path| path.as_str().len())
}

fn status(status: ReplyStatus) -> StatusCode {
    match status {
        ReplyStatus::Ok => StatusCode::OK,
        ReplyStatus::BadRequest => StatusCode::BAD_REQUEST,
        ReplyStatus::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn response(status: StatusCode, body: AnswerBody, id: HeaderValue, revision: Option<Revision>) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REQUEST_ID, id);
    if let Some(revision) = revision {
        headers.insert(REVISION, HeaderValue::from(revision.0));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_surface_or_nothing() {
        let name = "a".repeat(63);
        let long = format!("/authorize/{name}");
        for (path, api_server) in
            [("/authorize", "default"), ("/authorize/east-1_b.c", "east-1_b.c"), (long.as_str(), name.as_str())]
        {
            assert_eq!(route(path), Ok(Route::Authorize { api_server }), "{path}");
        }
        assert_eq!(route("/admit-iam"), Ok(Route::AdmitIam));
        for path in [
            "",
            "/",
            "/authorise",
            "/Authorize",
            "/authorizer",
            "//authorize",
            "/authorize2/a",
            "/admit",
            "/admit-iam/",
            "/admit-iam/a",
            "/Admit-iam",
        ] {
            assert_eq!(route(path), Err(Rejection::UnknownPath), "{path}");
        }
        for path in ["/authorize/", "/authorize/a/b", "/authorize/a%20b", "/authorize/é", &format!("{long}a")] {
            assert_eq!(route(path), Err(Rejection::BadApiServerName), "{path}");
        }
    }

    #[test]
    fn only_plain_json_is_taken() {
        let check = |fields: &[(HeaderName, &'static str)]| {
            let fields = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            let mut headers = HeaderMap::new();
            fields.for_each(|(name, value)| _ = headers.append(name, value));
            check_content(&headers)
        };
        assert_eq!(check(&[(CONTENT_TYPE, "application/json")]), Ok(()));
        assert_eq!(check(&[(CONTENT_TYPE, "Application/JSON; charset=utf-8"), (CONTENT_ENCODING, "identity")]), Ok(()));
        for wrong in ["application/jsonp", "text/plain", "", "application/yaml"] {
            assert_eq!(check(&[(CONTENT_TYPE, wrong)]), Err(Rejection::WrongContentType), "{wrong}");
        }
        let twice = [(CONTENT_TYPE, "application/json"), (CONTENT_TYPE, "application/json")];
        assert_eq!(check(&twice), Err(Rejection::WrongContentType));
        assert_eq!(check(&[]), Err(Rejection::WrongContentType));
        let gzip = [(CONTENT_TYPE, "application/json"), (CONTENT_ENCODING, "gzip")];
        assert_eq!(check(&gzip), Err(Rejection::EncodedBody));
    }
}
