//! Exec and attach over WebSockets, frame by frame.

use super::*;
use futures_util::{SinkExt, StreamExt};
use podsim_cri::fake::ExecScript;
use podsim_cri::{ExecSyncOutput, LogStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

async fn connect(server: &Server, path: &str, protocol: &str) -> Result<WebSocketStream<TcpStream>, String> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut request = format!("ws://{}/api/v1/namespaces/default/pods/{path}", server.address)
        .into_client_request()
        .unwrap();
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
    let (socket, response) = client_async(request, stream).await.map_err(|error| error.to_string())?;
    assert_eq!(
        response.headers()["sec-websocket-protocol"],
        protocol.split(',').next().unwrap()
    );
    Ok(socket)
}

/// All frames to the end: `channel: text`, empty ones as `channel:`.
async fn frames(mut socket: WebSocketStream<TcpStream>) -> Vec<String> {
    let mut frames = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(data) = message {
            frames.push(format!("{}: {}", data[0], String::from_utf8_lossy(&data[1..])));
        }
    }
    frames
}

fn script(stdout: &str, stderr: &str, exit_code: i32) -> ExecScript {
    let output = ExecSyncOutput {
        stdout: stdout.into(),
        stderr: stderr.into(),
        exit_code,
    };
    ExecScript {
        output,
        ..ExecScript::default()
    }
}

#[tokio::test]
async fn a_command_that_fails_ends_with_its_exit_code() {
    let server = Server::start().await;
    server.run_pod("p", &["a"]).await;
    server.runtime.script_exec("false", script("", "", 1));
    server.runtime.script_exec("ls -l", script("out\n", "err\n", 0));

    let socket = connect(&server, "p/exec?command=false&stdout=true", "v4.channel.k8s.io")
        .await
        .unwrap();
    let got = frames(socket).await;
    assert_eq!(got[0], "1: ");
    let status: Value = serde_json::from_str(got[1].strip_prefix("3: ").unwrap()).unwrap();
    assert_eq!(status["reason"], "NonZeroExitCode");
    assert_eq!(
        status["details"]["causes"],
        json!([{"reason": "ExitCode", "message": "1"}])
    );

    let path = "p/exec?command=ls&command=-l&stdout=true&stderr=true&container=a";
    let socket = connect(&server, path, "v5.channel.k8s.io,v4.channel.k8s.io")
        .await
        .unwrap();
    let mut got = frames(socket).await;
    assert_eq!(got.pop().unwrap(), r#"3: {"metadata":{},"status":"Success"}"#);
    got.sort();
    assert_eq!(got, ["1: ", "1: out\n", "2: err\n"]);
}

#[tokio::test]
async fn stdin_goes_to_the_command_until_it_is_closed() {
    let server = Server::start().await;
    server.run_pod("p", &["a"]).await;
    let path = "p/exec?command=cat&stdin=true&stdout=true";
    let mut socket = connect(&server, path, "v5.channel.k8s.io").await.unwrap();
    socket.send(Message::binary(b"\x00hello".to_vec())).await.unwrap();
    socket
        .send(Message::binary(b"\x04{\"Width\":80,\"Height\":24}".to_vec()))
        .await
        .unwrap();
    socket.send(Message::binary(vec![255, 0])).await.unwrap();
    let got = frames(socket).await;
    assert_eq!(got, ["1: ", "1: hello", r#"3: {"metadata":{},"status":"Success"}"#]);
}

#[tokio::test]
async fn a_command_that_is_not_there_is_told_in_words_and_by_its_code() {
    let server = Server::start().await;
    server.run_pod("p", &["a"]).await;
    let error = Error::StartFailed {
        reason: "StartError".into(),
        message: "exec: \"nope\": executable file not found in $PATH".into(),
        exit_code: 127,
    };
    let script = ExecScript {
        error: Some(error),
        ..ExecScript::default()
    };
    server.runtime.script_exec("nope", script);
    let socket = connect(
        &server,
        "p/exec?command=nope&stdout=true&stderr=true",
        "v4.channel.k8s.io",
    )
    .await
    .unwrap();
    let got = frames(socket).await;
    assert_eq!(
        got[0],
        "2: OCI runtime exec failed: exec failed: unable to start container process: exec: \"nope\": executable file not found \
         in $PATH: unknown\n"
    );
    assert!(got[1].contains(r#""message":"127""#), "{got:?}");
}

/// As upstream's conformance tests do it.
#[tokio::test]
async fn old_clients_have_no_status_and_logs_come_over_websockets_too() {
    let server = Server::start().await;
    server.run_pod("p", &["a"]).await;
    server.runtime.script_exec("echo hi", script("hi\n", "", 0));
    server.runtime.script_exec("false", script("", "", 1));
    let path = "p/exec?command=echo&command=hi&stdout=1&stderr=1";
    let socket = connect(&server, path, "channel.k8s.io").await.unwrap();
    assert_eq!(frames(socket).await, ["1: ", "1: hi\n"]);
    let path = "p/exec?command=false&stdout=1";
    let socket = connect(&server, path, "channel.k8s.io").await.unwrap();
    assert_eq!(
        frames(socket).await,
        [
            "1: ",
            "3: command terminated with non-zero exit code: command terminated with exit code 1"
        ]
    );
    server.runtime.write_log("a", LogStream::Stdout, "container is alive\n");
    let mut socket = connect(&server, "p/log?container=a", "binary.k8s.io").await.unwrap();
    let mut text = Vec::new();
    while let Some(Ok(Message::Binary(data))) = socket.next().await {
        text.extend_from_slice(&data);
    }
    assert_eq!(String::from_utf8_lossy(&text), "container is alive\n");
}

#[tokio::test]
async fn unknown_protocols_are_refused() {
    let server = Server::start().await;
    server.run_pod("p", &["a"]).await;
    let path = "p/exec?command=ls&stdout=true";
    assert!(connect(&server, path, "v9.channel.k8s.io").await.is_err());
    let spdy = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n";
    let answer = server
        .send("POST", &format!("/api/v1/namespaces/default/pods/{path}"), spdy, "")
        .await;
    assert!(
        answer.error().contains("unable to negotiate protocol"),
        "{}",
        answer.error()
    );
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_session_only() {
    let server = Server::start().await;
    server.run_pod("p", &["a"]).await;
    let path = "p/exec?command=cat&stdin=true&stdout=true";
    let left = connect(&server, path, "v5.channel.k8s.io").await.unwrap();
    drop(left);
    let mut socket = connect(&server, path, "v5.channel.k8s.io").await.unwrap();
    socket.send(Message::binary(vec![0, b'x'])).await.unwrap();
    socket.send(Message::binary(vec![255, 0])).await.unwrap();
    assert_eq!(frames(socket).await.len(), 3);
}

#[tokio::test]
async fn a_port_is_forwarded_with_its_number_first() {
    let server = Server::start().await;
    server.run_pod("p", &["a"]).await;
    let mut socket = connect(&server, "p/portforward?ports=8080", "v4.channel.k8s.io")
        .await
        .unwrap();
    socket.send(Message::binary(b"\x00hello".to_vec())).await.unwrap();
    // The port in two bytes on the data and on the error channel, then what the fake sends back.
    for expected in [&[0, 0x90, 0x1f][..], &[1, 0x90, 0x1f], b"\x00hello"] {
        assert_eq!(socket.next().await.unwrap().unwrap().into_data(), expected);
    }
    assert!(
        connect(&server, "p/portforward?ports=0", "v4.channel.k8s.io")
            .await
            .is_err()
    );
}
