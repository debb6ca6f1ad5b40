//! Every refusal of the HTTPS listener that is not a decision: one type, one JSON shape.

use hyper::StatusCode;

/// Why a request is not answered by a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rejection {
    /// The request is not HTTP as we read it. The connection ends.
    #[error("the request is not well-formed HTTP, or its head is too large")]
    MalformedHttp,
    /// There is no such path.
    #[error("there is nothing at this path")]
    UnknownPath,
    /// The name of the API server in the path is not one.
    #[error("the name of an API server has 1 to 63 letters, digits, `.`, `_` and `-`")]
    BadApiServerName,
    /// Another method than POST.
    #[error("only POST is answered here")]
    WrongMethod,
    /// The caller showed no client certificate.
    #[error("a client certificate is required here")]
    NoClientCertificate,
    /// Another content type than JSON, or none.
    #[error("expected Content-Type: application/json")]
    WrongContentType,
    /// A compressed body.
    #[error("a Content-Encoding is not accepted")]
    EncodedBody,
    /// A body above the limit.
    #[error("the body is too large")]
    BodyTooLarge,
    /// A body that broke off.
    #[error("the body cannot be read")]
    UnreadableBody,
    /// A body that did not come in time.
    #[error("the body was not sent in time")]
    SlowBody,
    /// Too many large bodies at a time.
    #[error("too many large requests at a time")]
    Busy,
    /// The decision failed, and so did the answer that says so.
    #[error("the request could not be decided")]
    Failed,
}

// === impl Rejection ===

impl Rejection {
    /// The HTTP status. 503 only for what another attempt may cure; never one that a kube-apiserver repeats by itself.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::MalformedHttp
            | Self::UnknownPath
            | Self::BadApiServerName
            | Self::WrongMethod
            | Self::WrongContentType
            | Self::EncodedBody
            | Self::UnreadableBody
            | Self::SlowBody => StatusCode::BAD_REQUEST,
            Self::NoClientCertificate => StatusCode::FORBIDDEN,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy | Self::Failed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The JSON body.
    pub(super) fn body(self) -> Vec<u8> {
        error_body(&format!("{self:?}"), &self.to_string())
    }
}

/// The one shape: `{"error":{"code":"…","message":"…"}}`.
pub(super) fn error_body(code: &str, message: &str) -> Vec<u8> {
    serde_json::json!({"error": {"code": code, "message": message}}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_one_object_with_code_and_message() {
        let body: serde_json::Value = serde_json::from_slice(&Rejection::WrongMethod.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"error": {"code": "WrongMethod", "message": "only POST is answered here"}})
        );
    }
}
