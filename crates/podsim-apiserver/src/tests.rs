//! The server over the fake runtime: objects, watches, errors, and exec frame by frame.

mod exec;
mod fuzz;
mod hostile;
mod objects;

use crate::node_view::{NodeAccess, NodeExec};
use crate::{ApiServer, Config};
use async_trait::async_trait;
use podsim_cri::fake::{FakeImageService, FakeRuntimeService};
use podsim_cri::{
    ContainerConfig, ContainerMetadata, Error, ExecSession, PodSandboxConfig, PodSandboxMetadata, RuntimeService,
};
use podsim_store::Store;
use podsim_sys::ManualClock;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "secret";

#[derive(Default)]
struct FakeNode {
    partitioned: AtomicBool,
}

#[async_trait]
impl NodeAccess for FakeNode {
    async fn exec(&self, _request: NodeExec) -> podsim_cri::Result<ExecSession> {
        Err(Error::Unsupported("there is no node here".into()))
    }

    fn partitioned(&self) -> bool {
        self.partitioned.load(Ordering::Relaxed)
    }

    fn set_partitioned(&self, partitioned: bool) {
        self.partitioned.store(partitioned, Ordering::Relaxed);
    }

    fn shutdown(&self) {}
}

struct Server {
    store: Store,
    address: SocketAddr,
    runtime: Arc<FakeRuntimeService>,
}

/// What came back.
struct Answer {
    code: u16,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// `404 NotFound: message`.
    fn error(&self) -> String {
        let status = self.json();
        format!(
            "{} {}: {}",
            self.code,
            status["reason"].as_str().unwrap_or("-"),
            status["message"].as_str().unwrap()
        )
    }
}

impl Server {
    async fn start() -> Self {
        // 2025-06-17T14:41:00Z
        let clock = Arc::new(ManualClock::new(Duration::from_secs(1_750_171_260)));
        let mut entropy = 0;
        let store = Store::new(clock.clone(), move || {
            entropy += 1;
            entropy
        });
        let runtime = Arc::new(FakeRuntimeService::new(clock));
        let server = ApiServer::new(Config {
            store: store.clone(),
            others: std::collections::BTreeMap::new(),
            runtime: runtime.clone(),
            images: Arc::new(FakeImageService::with_images(&["busybox"])),
            node: Arc::new(FakeNode::default()),
            token: TOKEN.into(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(server.serve(listener, std::future::pending()));
        Self {
            store,
            address,
            runtime,
        }
    }

    async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
             {headers}Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.to_lowercase().contains("transfer-encoding: chunked") {
            unchunk(body)
        } else {
            body.to_owned()
        };
        Answer { code, body }
    }

    /// The first events of a watch.
    async fn watch(&self, path: &str, count: usize) -> Vec<Value> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
        writer.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(reader).lines();
        let mut events = Vec::new();
        while events.len() < count {
            // Between the events are the sizes of the chunks.
            let line = lines.next_line().await.unwrap().unwrap();
            events.extend(serde_json::from_str(&line).ok().filter(Value::is_object));
        }
        events
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", "").await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "Content-Type: application/json\r\n", &body.to_string())
            .await
    }

    async fn patch(&self, path: &str, kind: &str, body: &Value) -> Answer {
        let header = format!("Content-Type: application/{kind}\r\n");
        self.send("PATCH", path, &header, &body.to_string()).await
    }

    /// A Pod in the store, and its running container in the runtime.
    async fn run_pod(&self, name: &str, containers: &[&str]) {
        let specs: Vec<Value> = containers
            .iter()
            .map(|name| json!({"name": name, "image": "busybox"}))
            .collect();
        let pod = json!({"metadata": {"name": name}, "spec": {"containers": specs}});
        let created = self.post("/api/v1/namespaces/default/pods", &pod).await.json();
        let metadata = PodSandboxMetadata {
            name: name.into(),
            uid: created["metadata"]["uid"].as_str().unwrap().into(),
            namespace: "default".into(),
            attempt: 0,
        };
        let config = PodSandboxConfig {
            metadata,
            ..PodSandboxConfig::default()
        };
        let sandbox = self.runtime.run_pod_sandbox(config).await.unwrap();
        for container in containers {
            let metadata = ContainerMetadata {
                name: (*container).into(),
                attempt: 0,
            };
            let config = ContainerConfig {
                metadata,
                image: "busybox".into(),
                ..ContainerConfig::default()
            };
            let id = self.runtime.create_container(&sandbox, config).await.unwrap();
            self.runtime.start_container(&id).await.unwrap();
        }
    }
}

fn unchunk(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        out.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    out
}
