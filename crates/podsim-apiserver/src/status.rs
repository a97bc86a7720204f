//! [`ApiError`]: a failure as the `Status` object that Kubernetes answers with (`apimachinery/pkg/api/errors`).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A failure that a client is told about: HTTP code, machine-readable reason, words for people.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// `NotFound`, `AlreadyExists`, `Invalid`, …
    pub reason: &'static str,
    /// One clear message.
    pub message: String,
    /// `details` of the Status: name, kind, causes, retryAfterSeconds.
    pub details: Option<Value>,
}

/// The result of a request.
pub type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
        }
    }

    /// A message and nothing else: clients print it as it is.
    pub fn plain(code: u16, message: impl Into<String>) -> Self {
        Self::new(code, "", message)
    }

    /// 404 for a path that is nothing. Its details are empty, not absent: kubectl looks into them (`kubectl debug` crashes else).
    pub fn no_such_path() -> Self {
        Self {
            details: Some(json!({})),
            ..Self::new(404, "NotFound", "the server could not find the requested resource")
        }
    }

    /// 405: the resource exists, the verb on it does not.
    pub fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    /// 422 without an object: a patch that does not fit.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "Invalid", message)
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "Forbidden", message)
    }

    /// 406: no format that both sides know.
    pub fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json";
        Self::new(406, "NotAcceptable", message)
    }

    /// 409.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "Conflict", message)
    }

    /// 429: not now.
    pub fn too_many_requests(message: impl Into<String>) -> Self {
        Self::new(429, "TooManyRequests", message)
    }

    /// 413.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        )
    }

    /// 415.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 500.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {message}"))
    }

    /// 503: who would answer is not there.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// 504: waited for too long.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(504, "Timeout", message)
    }

    /// The `Status` object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if let (Some(details), Some(status)) = (&self.details, status.as_object_mut()) {
            status.insert("details".into(), details.clone());
        }
        status
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (
            code,
            [(header::CONTENT_TYPE, "application/json")],
            self.to_value().to_string(),
        )
            .into_response()
    }
}

/// What the store says goes to the client as it is.
impl From<podsim_store::StoreError> for ApiError {
    fn from(error: podsim_store::StoreError) -> Self {
        let details = error.to_status().get("details").cloned();
        Self {
            details,
            ..Self::new(error.code(), error.reason(), error.to_string())
        }
    }
}

/// A CRI error, as the API server tells a client of a streaming call.
impl From<podsim_cri::Error> for ApiError {
    fn from(error: podsim_cri::Error) -> Self {
        use podsim_cri::Error as E;
        match &error {
            E::NotFound(_) => Self::new(404, "NotFound", error.to_string()),
            E::InvalidArgument(_) | E::FailedPrecondition(_) => Self::bad_request(error.to_string()),
            E::Timeout(_) => Self::timeout(error.to_string()),
            E::Unsupported(_) => Self::new(501, "NotImplemented", error.to_string()),
            E::ImageNotFound(_) | E::StartFailed { .. } | E::AlreadyExists(_) | E::Internal(_) => Self::internal(error),
        }
    }
}
