//! Probes: what is asked, what is told, and what follows.

use super::harness::{Harness, settle};
use podsim_cri::ExecSyncOutput;
use podsim_cri::fake::{ExecScript, PortScript};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn with(probes: Value) -> Value {
    let mut container = json!({ "name": "a", "image": "busybox", "imagePullPolicy": "Never", "ports": [{ "name": "web", "containerPort": 80 }] });
    for (key, value) in probes.as_object().into_iter().flatten() {
        container[key] = value.clone();
    }
    container
}

fn fails(stderr: &str) -> ExecScript {
    let output = ExecSyncOutput {
        exit_code: 1,
        stderr: stderr.as_bytes().to_vec(),
        ..ExecSyncOutput::default()
    };
    ExecScript {
        output,
        ..ExecScript::default()
    }
}

fn asked(node: &Harness, command: &str) -> usize {
    node.calls(&["exec_sync"])
        .iter()
        .filter(|c| c.ends_with(command))
        .count()
}

fn is_ready(node: &Harness) -> bool {
    let status = node.get().and_then(|p| p.status).unwrap_or_default();
    let mut conditions = status.conditions.into_iter().flatten();
    conditions.any(|c| c.type_ == "Ready" && c.status == "True")
}

#[tokio::test]
async fn a_container_whose_liveness_fails_three_times_is_restarted() {
    let node = Harness::new().await;
    let probe = json!({ "exec": { "command": ["live"] }, "initialDelaySeconds": 5, "periodSeconds": 10 });
    node.pod(json!({ "containers": [with(json!({ "livenessProbe": probe }))] }))
        .await;
    node.seconds(4).await;
    assert_eq!(asked(&node, "live"), 0);
    node.seconds(1).await;
    assert_eq!(asked(&node, "live"), 1);
    node.runtime.script_exec("live", fails("no such file\n"));
    // At 15, 25 and 35 s.
    node.seconds(29).await;
    assert_eq!((asked(&node, "live"), node.container("a").restart_count), (3, 0));
    node.seconds(1).await;
    settle().await;
    assert_eq!(
        (node.container("a").restart_count, node.state("a").as_str()),
        (1, "running")
    );
    let events = node.events();
    assert!(
        events.contains(&"Unhealthy: Liveness probe failed: no such file\n (x3)".to_owned()),
        "{events:?}"
    );
    assert!(
        events.contains(&"Killing: Container a failed liveness probe, will be restarted".to_owned()),
        "{events:?}"
    );
    assert!(is_ready(&node));
}

#[tokio::test]
async fn a_liveness_probes_own_grace_comes_before_the_pods() {
    let node = Harness::new().await;
    node.runtime.script_exec("live", fails(""));
    let probe = json!({ "exec": { "command": ["live"] }, "failureThreshold": 1, "terminationGracePeriodSeconds": 7 });
    node.pod(json!({ "terminationGracePeriodSeconds": 60, "containers": [with(json!({ "livenessProbe": probe }))] }))
        .await;
    let stops = node.calls(&["stop_container"]);
    assert_eq!(stops.first().map(String::as_str), Some("stop_container a 7s"));
}

#[tokio::test]
async fn readiness_comes_and_goes_and_never_restarts() {
    let node = Harness::new().await;
    node.runtime.script_exec("ready", fails("not yet"));
    let probe =
        json!({ "exec": { "command": ["ready"] }, "periodSeconds": 5, "successThreshold": 2, "failureThreshold": 2 });
    node.pod(json!({ "containers": [with(json!({ "readinessProbe": probe }))] }))
        .await;
    node.seconds(60).await;
    assert!(!is_ready(&node));
    assert_eq!(node.phase(), "Running");
    let conditions = node.get().and_then(|p| p.status?.conditions).unwrap_or_default();
    let ready = conditions
        .iter()
        .find(|c| c.type_ == "Ready")
        .cloned()
        .unwrap_or_default();
    assert_eq!(
        (ready.reason.as_deref(), ready.message.as_deref()),
        (Some("ContainersNotReady"), Some("containers with unready status: [a]"))
    );
    node.runtime.script_exec("ready", ExecScript::default());
    node.seconds(5).await;
    assert!(!is_ready(&node), "one success is not enough");
    node.seconds(5).await;
    assert!(is_ready(&node));
    node.runtime.script_exec("ready", fails("busy"));
    node.seconds(5).await;
    assert!(is_ready(&node), "one failure is not enough");
    node.seconds(5).await;
    assert!(!is_ready(&node));
    assert_eq!(node.container("a").restart_count, 0);
}

#[tokio::test]
async fn the_other_probes_wait_until_the_startup_probe_has_succeeded() {
    let node = Harness::new().await;
    node.runtime.script_exec("up", fails("booting"));
    let exec = |command: &str| json!({ "exec": { "command": [command] }, "periodSeconds": 3 });
    let mut startup = exec("up");
    startup["failureThreshold"] = 30.into();
    let probes = json!({ "startupProbe": startup, "livenessProbe": exec("live"), "readinessProbe": exec("ready") });
    node.pod(json!({ "containers": [with(probes)] })).await;
    node.seconds(20).await;
    assert_eq!(
        (asked(&node, "live"), asked(&node, "ready"), node.container("a").started),
        (0, 0, Some(false))
    );
    node.runtime.script_exec("up", ExecScript::default());
    node.seconds(3).await;
    settle().await;
    assert_eq!(
        (asked(&node, "live"), asked(&node, "ready"), node.container("a").started),
        (1, 1, Some(true))
    );
    assert!(is_ready(&node));
    let ups = asked(&node, "up");
    node.seconds(10).await;
    assert_eq!(asked(&node, "up"), ups);
}

#[tokio::test]
async fn a_container_that_does_not_start_in_time_is_restarted() {
    let node = Harness::new().await;
    node.runtime.script_exec("up", fails("booting"));
    let startup = json!({ "exec": { "command": ["up"] }, "periodSeconds": 1, "failureThreshold": 3 });
    node.pod(json!({ "containers": [with(json!({ "startupProbe": startup }))] }))
        .await;
    node.seconds(2).await;
    settle().await;
    assert_eq!(node.container("a").restart_count, 1);
    assert!(
        node.events()
            .contains(&"Killing: Container a failed startup probe, will be restarted".to_owned())
    );
}

#[tokio::test]
async fn a_probe_that_takes_too_long_has_failed_and_one_that_cannot_be_asked_counts_as_nothing() {
    let node = Harness::new().await;
    let slow = ExecScript {
        takes: Duration::from_secs(60),
        ..ExecScript::default()
    };
    node.runtime.script_exec("slow", slow);
    let broken = ExecScript {
        error: Some(podsim_cri::Error::Internal("no such command".to_owned())),
        ..ExecScript::default()
    };
    node.runtime.script_exec("broken", broken);
    let exec = |command: &str| json!({ "exec": { "command": [command] }, "failureThreshold": 1, "timeoutSeconds": 2 });
    node.pod(json!({ "restartPolicy": "Never", "containers": [
        with(json!({ "livenessProbe": exec("broken"), "readinessProbe": exec("slow") })),
    ] }))
    .await;
    node.seconds(3).await;
    let events = node.events();
    assert!(
        events
            .contains(&"Unhealthy: Readiness probe failed: command timed out: \"slow\" timed out after 2s".to_owned()),
        "{events:?}"
    );
    assert!(
        events.contains(&"Unhealthy: Liveness probe errored and resulted in unknown state: no such command".to_owned()),
        "{events:?}"
    );
    assert_eq!(node.state("a"), "running");
    assert_eq!(asked(&node, "broken"), 3);
}

/// The event of a readiness probe on a port with this script, or `ready`.
async fn told_of(probe: Value, script: PortScript) -> String {
    let node = Harness::new().await;
    node.runtime.script_port(80, script);
    node.pod(json!({ "containers": [with(json!({ "readinessProbe": probe }))] }))
        .await;
    node.seconds(2).await;
    let ip = node.get().and_then(|p| p.status?.pod_ip).unwrap_or_default();
    let events = node.events();
    let told = events
        .iter()
        .find(|e| e.contains("probe "))
        .map(|e| e.replace(&ip, "IP"));
    match (told, is_ready(&node)) {
        (None, true) => "ready".to_owned(),
        (Some(told), true) => format!("ready, {told}"),
        (told, false) => told.unwrap_or_else(|| "unready".to_owned()),
    }
}

#[tokio::test]
async fn what_is_said_of_http_and_tcp_is_upstreams() {
    let http = || json!({ "httpGet": { "path": "/healthz", "port": "web" } });
    let https = || json!({ "httpGet": { "path": "/", "port": 80, "scheme": "HTTPS" } });
    let tcp = || json!({ "tcpSocket": { "port": 80 } });
    let answers = |text: &str| PortScript::Answers(text.to_owned());
    for (probe, script, expected) in [
        (http(), answers("HTTP/1.1 200 OK\r\n\r\nok"), "ready"),
        (
            http(),
            answers("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
            "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500",
        ),
        (
            http(),
            PortScript::Refused,
            "Unhealthy: Readiness probe failed: Get \"http://IP:80/healthz\": dial tcp IP:80: connect: connection refused",
        ),
        (
            http(),
            PortScript::Hangs,
            "Unhealthy: Readiness probe failed: Get \"http://IP:80/healthz\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        ),
        (
            http(),
            answers("HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\n\r\nthere"),
            "ready, ProbeWarning: Readiness probe warning: Probe terminated redirects, Response body: there",
        ),
        (
            http(),
            answers("HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n"),
            "Unhealthy: Readiness probe failed: Get \"http://IP:80/again\": stopped after 10 redirects",
        ),
        (
            https(),
            answers("HTTP/1.1 400 Bad Request\r\n\r\n"),
            "Unhealthy: Readiness probe failed: Get \"https://IP:80/\": http: server gave HTTP response to HTTPS client",
        ),
        (
            https(),
            answers("SSH-2.0-x"),
            "Unhealthy: Readiness probe failed: Get \"https://IP:80/\": tls: first record does not look like a TLS handshake",
        ),
        (https(), over_tls("HTTP/1.1 200 OK\r\n\r\nok"), "ready"),
        (
            https(),
            over_tls("HTTP/1.1 503 Oops\r\nContent-Length: 0\r\n\r\n"),
            "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503",
        ),
        (tcp(), PortScript::Hangs, "ready"),
        (
            tcp(),
            PortScript::Refused,
            "Unhealthy: Readiness probe failed: dial tcp IP:80: connect: connection refused",
        ),
    ] {
        assert_eq!(told_of(probe, script).await, expected);
    }
}

/// A server that answers this over TLS, with a certificate that nobody has signed.
fn over_tls(answer: &'static str) -> PortScript {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    let made = rcgen::generate_simple_self_signed(vec!["example.com".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
        });
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a configuration")));
    PortScript::Serves(Arc::new(move |stream| {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut stream = acceptor.accept(stream).await?;
            let _ = stream.read(&mut [0; 1024]).await?;
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        });
    }))
}

/// A gRPC health service that answers with this state, or (`None`) does not know the service.
fn health(state: Option<u8>) -> PortScript {
    PortScript::Serves(Arc::new(move |stream| {
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(stream).await?;
            while let Some(request) = connection.accept().await {
                let (_, mut respond) = request?;
                let header = http::Response::builder().header("content-type", "application/grpc");
                let mut trailers = http::HeaderMap::new();
                let Some(state) = state else {
                    let header = header
                        .header("grpc-status", "12")
                        .header("grpc-message", "unknown service");
                    respond.send_response(header.body(()).unwrap_or_default(), true)?;
                    continue;
                };
                let mut stream = respond.send_response(header.body(()).unwrap_or_default(), false)?;
                stream.send_data(bytes::Bytes::from(vec![0, 0, 0, 0, 2, 8, state]), false)?;
                trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
                stream.send_trailers(trailers)?;
            }
            Ok::<_, h2::Error>(())
        });
    }))
}

#[tokio::test]
async fn what_is_said_of_grpc_is_upstreams() {
    for (script, expected) in [
        (health(Some(1)), "ready"),
        (
            health(Some(2)),
            "Unhealthy: Readiness probe failed: service unhealthy (responded with \"NOT_SERVING\")",
        ),
        (
            health(None),
            "Unhealthy: Readiness probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service",
        ),
        (
            PortScript::Hangs,
            "Unhealthy: Readiness probe failed: timeout: failed to connect service \"IP:80\" within 1s: context deadline exceeded",
        ),
        (
            PortScript::Refused,
            "Unhealthy: Readiness probe failed: error: failed to connect service at \"IP:80\": dial tcp IP:80: connect: connection refused",
        ),
    ] {
        assert_eq!(told_of(json!({ "grpc": { "port": 80 } }), script).await, expected);
    }
}

#[tokio::test]
async fn a_readiness_gate_waits_for_somebody_elses_condition() {
    let node = Harness::new().await;
    let container = with(json!({}));
    node.pod(json!({ "readinessGates": [{ "conditionType": "example.com/lb" }], "containers": [container] }))
        .await;
    let ready = || {
        let conditions = node.get().and_then(|p| p.status?.conditions).unwrap_or_default();
        conditions.into_iter().find(|c| c.type_ == "Ready").unwrap_or_default()
    };
    assert_eq!(
        (ready().reason.as_deref(), ready().message.as_deref()),
        (
            Some("ReadinessGatesNotReady"),
            Some("corresponding condition of pod readiness gate \"example.com/lb\" does not exist.")
        )
    );
    for (status, expected) in [("False", "False"), ("True", "True")] {
        let pods = node.store.api::<k8s_openapi::api::core::v1::Pod>();
        let patched = pods.modify_status("default", "x", |pod| {
            let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
            conditions.retain(|c| c.type_ != "example.com/lb");
            conditions.push(k8s_openapi::api::core::v1::PodCondition {
                type_: "example.com/lb".to_owned(),
                status: status.to_owned(),
                ..Default::default()
            });
        });
        patched.expect("a status");
        settle().await;
        assert_eq!(ready().status, expected);
    }
    let kept = node.get().and_then(|p| p.status?.conditions).unwrap_or_default();
    assert!(kept.iter().any(|c| c.type_ == "example.com/lb"));
}

#[tokio::test]
async fn a_pod_that_ends_is_not_restarted_for_its_liveness() {
    let node = Harness::new().await;
    node.runtime.script(
        "a",
        podsim_cri::fake::Script {
            term: podsim_cri::fake::TermOutcome::Ignored,
            ..Default::default()
        },
    );
    let probe = json!({ "exec": { "command": ["live"] }, "periodSeconds": 1 });
    let ready = json!({ "exec": { "command": ["ready"] }, "periodSeconds": 1 });
    node.pod(json!({ "containers": [with(json!({ "livenessProbe": probe, "readinessProbe": ready }))] }))
        .await;
    node.delete(Some(20)).await;
    let (before, ready_before) = (asked(&node, "live"), asked(&node, "ready"));
    node.seconds(10).await;
    assert_eq!(asked(&node, "live"), before);
    assert!(asked(&node, "ready") > ready_before);
}
