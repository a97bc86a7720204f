//! The gRPC health check (`pkg/probe/grpc`): `grpc.health.v1.Health/Check`, over h2, with the two messages written by hand.

use super::dial::{Dialer, join_host_port};
use crate::backoff::go_duration;
use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::Request;
use std::time::Duration;

/// Why a check failed, in the order in which things can go wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody answers, or not in HTTP/2.
    Connect(String),
    /// gRPC's code and message.
    Status(u32, String),
    /// The service says so: its state.
    Unhealthy(&'static str),
}

impl Failure {
    /// In the words of the kubelet.
    pub(crate) fn message(&self, host: &str, port: u16) -> String {
        match self {
            Self::Connect(why) => format!(
                "error: failed to connect service at \"{}\": {why}",
                join_host_port(host, port)
            ),
            Self::Status(12, message) => format!(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"
            ),
            Self::Status(code, message) => format!(
                "error: health rpc probe failed: rpc error: code = {} desc = {message}",
                code_name(*code)
            ),
            Self::Unhealthy(state) => format!("service unhealthy (responded with \"{state}\")"),
        }
    }
}

/// What is said of a check that took too long.
pub(crate) fn timed_out(host: &str, port: u16, timeout: Duration) -> String {
    format!(
        "timeout: failed to connect service \"{}\" within {}: context deadline exceeded",
        join_host_port(host, port),
        go_duration(timeout)
    )
}

fn code_name(code: u32) -> String {
    const NAMES: [&str; 17] = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];
    let name = usize::try_from(code).ok().and_then(|at| NAMES.get(at));
    name.map_or_else(|| format!("Code({code})"), |n| (*n).to_owned())
}

/// Asks whether a service is well.
pub(crate) async fn check(dialer: &Dialer, host: &str, port: u16, service: &str) -> Result<(), Failure> {
    let stream = dialer.connect(host, port).await.map_err(Failure::Connect)?;
    let (client, connection) = h2::client::handshake(stream)
        .await
        .map_err(|e| Failure::Connect(e.to_string()))?;
    let authority = join_host_port(host, port);
    let ask = ask(client, &authority, service);
    let mut connection = std::pin::pin!(connection);
    let mut ask = std::pin::pin!(ask);
    // The connection has to be driven while the request is under way; when it ends, the request has its answer, or an error.
    tokio::select! {
        biased;
        answer = &mut ask => answer,
        _ = &mut connection => ask.await,
    }
}

async fn ask(client: SendRequest<Bytes>, authority: &str, service: &str) -> Result<(), Failure> {
    // 14: Unavailable.
    let broken = |e: h2::Error| Failure::Status(14, e.to_string());
    let request = Request::post(format!("http://{authority}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "kube-probe/1.34")
        .body(())
        .map_err(|e| Failure::Status(13, e.to_string()))?;
    let mut client = client.ready().await.map_err(broken)?;
    let (response, mut body) = client.send_request(request, false).map_err(broken)?;
    body.send_data(health_check_request(service), true).map_err(broken)?;
    let response = response.await.map_err(broken)?;
    let status = response.status();
    if !status.is_success() {
        return Err(Failure::Status(
            14,
            format!("unexpected HTTP status code received from server: {status}"),
        ));
    }
    // A server that has nothing but an error to say puts its status into the header.
    let in_header = grpc_status(response.headers());
    let mut body = response.into_body();
    let mut message = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(broken)?;
        body.flow_control().release_capacity(data.len()).ok();
        message.extend_from_slice(&data);
        if message.len() > 1 << 16 {
            return Err(Failure::Status(8, "the answer is too long".to_owned()));
        }
    }
    let trailers = body.trailers().await.map_err(broken)?;
    let status = trailers.as_ref().and_then(grpc_status).or(in_header);
    match status {
        Some((0, _)) => {}
        Some((code, message)) => return Err(Failure::Status(code, message)),
        None => {
            return Err(Failure::Status(
                13,
                "server closed the stream without sending trailers".to_owned(),
            ));
        }
    }
    match serving_status(&message) {
        1 => Ok(()),
        0 => Err(Failure::Unhealthy("UNKNOWN")),
        2 => Err(Failure::Unhealthy("NOT_SERVING")),
        _ => Err(Failure::Unhealthy("SERVICE_UNKNOWN")),
    }
}

fn grpc_status(headers: &http::HeaderMap) -> Option<(u32, String)> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let code = text("grpc-status")?.parse().ok()?;
    Some((code, text("grpc-message").unwrap_or_default().to_owned()))
}

/// `HealthCheckRequest { string service = 1; }` in a gRPC frame.
fn health_check_request(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        put_varint(&mut message, service.len());
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(0));
    frame.put_slice(&message);
    frame.freeze()
}

fn put_varint(to: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        to.put_u8(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    to.put_u8(u8::try_from(value).unwrap_or(0));
}

/// `HealthCheckResponse { ServingStatus status = 1; }` out of a gRPC frame; a status that is not there is 0.
fn serving_status(frame: &[u8]) -> u8 {
    match frame.get(5..) {
        Some([0x08, status, ..]) => *status,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_protobuf_in_a_grpc_frame() {
        assert_eq!(health_check_request("").as_ref(), [0, 0, 0, 0, 0]);
        assert_eq!(
            health_check_request("ab").as_ref(),
            [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']
        );
        assert_eq!(
            health_check_request(&"x".repeat(200)).get(..8),
            Some([0, 0, 0, 0, 203, 0x0a, 0xc8, 1].as_slice())
        );
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 2]), 2);
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), 0);
    }

    #[test]
    fn failures_are_told_as_upstream_tells_them() {
        for (failure, message) in [
            (
                Failure::Status(5, "unknown service".to_owned()),
                "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service",
            ),
            (
                Failure::Unhealthy("NOT_SERVING"),
                "service unhealthy (responded with \"NOT_SERVING\")",
            ),
        ] {
            assert_eq!(failure.message("10.0.0.1", 80), message);
        }
    }
}
