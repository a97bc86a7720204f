//! Asks once: exec, httpGet, tcpSocket, grpc (`prober.runProbe`).

use super::dial::{Dialer, resolve_port};
use super::grpc;
use super::http::{self, Outcome, Url};
use crate::backoff::go_duration;
use k8s_openapi::api::core::v1::{Container, Probe};
use podsim_cri::{ContainerId, Error};
use podsim_sys::{Clock, sleep_until};
use std::sync::Arc;
use std::time::Duration;

/// What came of asking once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is well.
    Success,
    /// It is well, but somebody should look at it.
    Warning(String),
    /// It is not; why.
    Failure(String),
    /// It could not be asked: the probe itself went wrong.
    Error(String),
}

/// Whom to ask, and how.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) dialer: Dialer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) id: ContainerId,
    pub(crate) container: Container,
}

/// At most so much of a command's output is told.
const MAX_OUTPUT: usize = 10 << 10;

/// Asks once.
pub(crate) async fn ask(subject: &Subject, probe: &Probe) -> Answer {
    let timeout = Duration::from_secs(u64::try_from(probe.timeout_seconds.unwrap_or(1)).unwrap_or(1).max(1));
    let limit = sleep_until(&subject.clock, subject.clock.monotonic() + timeout);
    let dialer = &subject.dialer;
    if let Some(exec) = &probe.exec {
        return exec_probe(subject, exec.command.as_deref().unwrap_or_default(), timeout).await;
    }
    if let Some(action) = &probe.http_get {
        let url = match Url::of(action, &subject.container, dialer) {
            Ok(url) => url,
            Err(why) => return Answer::Error(why),
        };
        let headers = action.http_headers.as_deref().unwrap_or_default();
        return tokio::select! {
            biased;
            result = http::get_following(dialer, &url, headers, "probe") => http_answer(result),
            () = limit => Answer::Failure(http::timed_out(&url)),
        };
    }
    if let Some(action) = &probe.tcp_socket {
        let port = match resolve_port(&action.port, &subject.container) {
            Ok(port) => port,
            Err(why) => return Answer::Error(why),
        };
        let host = dialer.host(action.host.as_deref());
        return tokio::select! {
            biased;
            result = dialer.connect(host, port) => match result {
                Ok(_) => Answer::Success,
                Err(why) => Answer::Failure(why),
            },
            () = limit => Answer::Failure(format!("dial tcp {}: i/o timeout", super::dial::join_host_port(host, port))),
        };
    }
    if let Some(action) = &probe.grpc {
        let (host, port) = (dialer.host(None), u16::try_from(action.port).unwrap_or(0));
        let service = action.service.as_deref().unwrap_or_default();
        return tokio::select! {
            biased;
            result = grpc::check(dialer, host, port, service) => match result {
                Ok(()) => Answer::Success,
                Err(failure) => Answer::Failure(failure.message(host, port)),
            },
            () = limit => Answer::Failure(grpc::timed_out(host, port, timeout)),
        };
    }
    Answer::Error(format!("missing probe handler for {}", subject.container.name))
}

async fn exec_probe(subject: &Subject, command: &[String], timeout: Duration) -> Answer {
    // `$(NAME)` of the container's own plain variables (`ExpandContainerCommandOnlyStatic`).
    let plain = subject
        .container
        .env
        .iter()
        .flatten()
        .filter(|v| v.value_from.is_none());
    let known = plain
        .map(|v| (v.name.clone(), v.value.clone().unwrap_or_default()))
        .collect();
    let command: Vec<String> = command.iter().map(|word| crate::env::expand(word, &known)).collect();
    let result = subject
        .dialer
        .runtime
        .exec_sync(&subject.id, &command, Some(timeout))
        .await;
    match result {
        Ok(output) if output.exit_code == 0 => Answer::Success,
        Ok(output) => {
            let mut text = [output.stdout, output.stderr].concat();
            text.truncate(MAX_OUTPUT);
            Answer::Failure(String::from_utf8_lossy(&text).into_owned())
        }
        Err(Error::Timeout(_)) => Answer::Failure(format!(
            "command timed out: {:?} timed out after {}",
            command.join(" "),
            go_duration(timeout)
        )),
        Err(error) => Answer::Error(error.to_string()),
    }
}

fn http_answer(result: Result<Outcome, String>) -> Answer {
    match result {
        Ok(Outcome::Redirected(response)) => {
            Answer::Warning(format!("Probe terminated redirects, Response body: {}", response.body))
        }
        Ok(Outcome::Answered(response)) if (200..300).contains(&response.status) => Answer::Success,
        Ok(Outcome::Answered(response)) if (300..400).contains(&response.status) => {
            Answer::Warning(format!("Probe terminated redirects, Response body: {}", response.body))
        }
        Ok(Outcome::Answered(response)) => {
            Answer::Failure(format!("HTTP probe failed with statuscode: {}", response.status))
        }
        Err(why) => Answer::Failure(why),
    }
}
