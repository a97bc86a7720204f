//! Failures as one clear message each, worded as kubectl words them.

use serde_json::Value;

/// A failure with an exit code of its own, or with a message that needs no `error:` before it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// What is printed; nothing if empty.
    pub(crate) message: String,
    /// The exit code.
    pub(crate) code: i32,
}

impl Failure {
    /// A message that is printed as it is; exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 1,
        }
    }
}

/// What the API server answered in place of success. `context` is what was being done, as `error when creating "pod.yaml"`.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub(crate) struct ApiFailure {
    pub(crate) status: Box<kube::core::Status>,
    pub(crate) context: Option<String>,
}

impl ApiFailure {
    fn text(&self) -> String {
        let status = &self.status;
        let context = self
            .context
            .as_ref()
            .map(|context| format!("{context}: "))
            .unwrap_or_default();
        match status.reason.as_str() {
            "Invalid" if self.context.is_none() => invalid(status),
            "" | "Unknown" => format!("error: {context}{}", status.message),
            "Unauthorized" => "error: the node does not accept the token: it was started anew, try again".into(),
            _ => format!("Error from server ({}): {context}{}", status.reason, status.message),
        }
    }
}

/// Several complaints stand below each other.
fn invalid(status: &kube::core::Status) -> String {
    let details = status.details.as_ref();
    let causes = details.map(|details| details.causes.as_slice()).unwrap_or_default();
    let (kind, name) = details
        .map(|details| (details.kind.as_str(), details.name.as_str()))
        .unwrap_or_default();
    match causes {
        [] => format!("Error from server (Invalid): {}", status.message),
        [cause] => format!("The {kind} \"{name}\" is invalid: {}: {}", cause.field, cause.message),
        many => {
            let lines: String = many
                .iter()
                .map(|cause| format!("\n* {}: {}", cause.field, cause.message))
                .collect();
            format!("The {kind} \"{name}\" is invalid: {lines}")
        }
    }
}

/// The message for people and the exit code.
pub(crate) fn report(error: &anyhow::Error) -> (String, i32) {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return (failure.message.clone(), failure.code);
    }
    if let Some(failure) = error.downcast_ref::<ApiFailure>() {
        return (failure.to_string(), 1);
    }
    if let Some(io) = error.downcast_ref::<std::io::Error>()
        && io.kind() == std::io::ErrorKind::BrokenPipe
    {
        // The reader of our output has seen enough, as with `podsim get pods | head -1`.
        return (String::new(), 141);
    }
    (format!("error: {error:#}"), 1)
}

/// The words of a `Status` in an error channel.
pub(crate) fn status_message(status: &Value) -> &str {
    status["message"].as_str().unwrap_or("the node gave no reason")
}
