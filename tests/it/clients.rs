//! Other clients than kubectl: the Python one from PyPI, and the crate `kube`.

use crate::kubectl::serve;
use crate::podsim::User;
use futures_util::{AsyncBufReadExt, StreamExt, TryStreamExt};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// A served node that ends with the test.
struct Running {
    user: User,
    podsim: Child,
    server: String,
}

impl Running {
    fn start(options: &[&str]) -> Self {
        let user = User::new();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let (podsim, server) = serve(&user, &options, "127.0.0.1:0");
        Self { user, podsim, server }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.user.podsim(&["node", "stop"]);
        let _ = self.podsim.kill();
        let _ = self.podsim.wait();
    }
}

/// The Python that has the client: that of `target/python`, which `.ci/run` makes, or the machine's.
fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    [own, "python3".into()].into_iter().find(|python| {
        let found = Command::new(python).args(["-c", "import kubernetes"]).output();
        found.is_ok_and(|output| output.status.success())
    })
}

#[test]
fn the_python_client_watches_execs_and_forwards() {
    let Some(python) = python() else {
        println!(
            "the Python client is not there, this test is skipped; to have it: \
             python3 -m venv target/python && target/python/bin/pip install kubernetes"
        );
        return;
    };
    let running = Running::start(&[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/clients/client.py");
    let output = Command::new(python)
        .arg(script)
        .arg(running.user.home().join("kubeconfig"))
        .output()
        .expect("python runs");
    let (said, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(
        said,
        "watched: MODIFIED py\nexec: got hello bad 4\nforwarded: True None\nlog: True\nrefused: 409 Conflict\n\
         patched: {'by': 'python', 'more': 'yes'}\nversions: 1\n",
        "{complaint}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kube_crate_watches_execs_and_forwards() {
    use k8s_openapi::api::core::v1::Pod;
    use kube::api::{AttachParams, LogParams, PostParams, WatchEvent, WatchParams};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let running = Running::start(&["--insecure-http"]);
    let text = std::fs::read_to_string(running.user.home().join("kubeconfig")).expect("a kubeconfig");
    let token = text.lines().find_map(|line| line.trim().strip_prefix("token: "));
    let mut config = kube::Config::new(running.server.parse().expect("an address"));
    config.auth_info.token = Some(token.expect("a token").to_owned().into());
    config.default_namespace = "default".into();
    let client = kube::Client::try_from(config).expect("a client");
    let pods: kube::Api<Pod> = kube::Api::default_namespaced(client);
    let pod = json!({
        "metadata": {"name": "rs"},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "web", "image": "nginx"}]},
    });
    let pod: Pod = serde_json::from_value(pod).expect("a Pod");
    let made = pods.create(&PostParams::default(), &pod).await.expect("created");
    let version = made.metadata.resource_version.expect("a version");
    let mut events = pods
        .watch(&WatchParams::default(), &version)
        .await
        .expect("a watch")
        .boxed();
    loop {
        let event = events.try_next().await.expect("an event").expect("not the end");
        let WatchEvent::Modified(pod) = event else { continue };
        let conditions = pod.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True") {
            break;
        }
    }
    let params = AttachParams::default().stdin(true).stderr(false);
    let mut exec = pods
        .exec("rs", ["sh", "-c", "read word; echo got $word"], &params)
        .await
        .expect("exec");
    let mut stdin = exec.stdin().expect("stdin");
    stdin.write_all(b"hello\n").await.expect("written");
    let mut said = String::new();
    let mut stdout = exec.stdout().expect("stdout");
    stdout.read_to_string(&mut said).await.expect("read");
    assert_eq!(said, "got hello\n");
    let mut forward = pods.portforward("rs", &[80]).await.expect("a port-forward");
    let mut stream = forward.take_stream(80).expect("a stream");
    stream
        .write_all(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        .await
        .expect("written");
    let mut page = String::new();
    stream.read_to_string(&mut page).await.expect("read");
    assert!(page.contains("Welcome to nginx!"), "{page}");
    let mut lines = pods
        .log_stream("rs", &LogParams::default())
        .await
        .expect("a log")
        .lines();
    assert!(lines.try_next().await.expect("read").is_some());
    pods.delete("rs", &Default::default()).await.expect("deleted");
}
