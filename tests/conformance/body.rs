//! What happens to a conformance program, whatever the backend: it runs in a container of its own, exits with 0 if everything was as on
//! Linux, and otherwise says what was not.

use futures_util::StreamExt;
use podsim_cri::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a program may take, in the host's time.
const LIMIT: Duration = Duration::from_secs(60);
/// How often the time of a node that has its own is looked at.
const TICK: Duration = Duration::from_millis(1);

/// What a program came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The program.
    pub(crate) name: String,
    /// Its exit code; none if it did not end, or could not be started.
    pub(crate) exit_code: Option<i32>,
    /// What it wrote, or why there is no exit code.
    pub(crate) log: String,
}

/// Runs a program in a Pod of its own. `tick` is called again and again while it runs: there, virtual time goes on.
pub(crate) async fn run(node: &dyn RuntimeService, name: &str, wasm: &'static [u8], tick: impl FnMut()) -> Outcome {
    let (exit_code, log) = match tokio::time::timeout(LIMIT, try_run(node, name, wasm, tick)).await {
        Ok(Ok((exit_code, log))) => (exit_code, log),
        Ok(Err(error)) => (None, error.to_string()),
        Err(_) => (None, format!("did not end within {} s", LIMIT.as_secs())),
    };
    Outcome {
        name: name.to_owned(),
        exit_code,
        log,
    }
}

async fn try_run(
    node: &dyn RuntimeService,
    name: &str,
    wasm: &'static [u8],
    mut tick: impl FnMut(),
) -> Result<(Option<i32>, String)> {
    let mut events = node.get_container_events().await?;
    let sandbox = node.run_pod_sandbox(sandbox_config(name)).await?;
    let file = VolumeFile {
        path: name.to_owned(),
        content: bytes::Bytes::from_static(wasm),
        mode: 0o755,
    };
    let volume = node
        .create_volume(VolumeConfig {
            pod_uid: name.to_owned(),
            name: "programs".to_owned(),
            mode: 0o755,
            files: vec![file],
            ..VolumeConfig::default()
        })
        .await?;
    let id = node.create_container(&sandbox, container_config(name, &volume)).await?;
    node.start_container(&id).await?;
    let status = loop {
        let status = node.container_status(&id).await?;
        if status.state == ContainerState::Exited {
            break status;
        }
        if tokio::time::timeout(TICK, events.next()).await.is_err() {
            tick();
        }
    };
    let entries = node.container_logs(&id, LogOptions::default()).await?;
    let lines: Vec<_> = entries
        .map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned())
        .collect()
        .await;
    node.remove_pod_sandbox(&sandbox).await?;
    node.remove_volume(&volume).await?;
    Ok((status.exit_code, lines.concat()))
}

fn namespaces() -> NamespaceOption {
    NamespaceOption {
        pid: NamespaceMode::Container,
        ..NamespaceOption::default()
    }
}

fn sandbox_config(name: &str) -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: PodSandboxMetadata {
            name: "conformance".to_owned(),
            uid: name.to_owned(),
            namespace: "default".to_owned(),
            attempt: 0,
        },
        hostname: "conformance".to_owned(),
        namespaces: namespaces(),
        ..PodSandboxConfig::default()
    }
}

fn container_config(name: &str, volume: &VolumeId) -> ContainerConfig {
    ContainerConfig {
        image: "busybox".to_owned(),
        // Not as process 1, to which other rules apply.
        command: vec![
            "sh".to_owned(),
            "-c".to_owned(),
            format!("cd /tmp; /conformance/{name}; exit $?"),
        ],
        mounts: vec![Mount {
            container_path: "/conformance".to_owned(),
            source: MountSource::Volume {
                id: volume.clone(),
                sub_path: None,
            },
            readonly: true,
            recursive_readonly: false,
            propagation: MountPropagation::Private,
        }],
        namespaces: namespaces(),
        security: SecurityContext {
            privileged: true,
            ..SecurityContext::default()
        },
        ..ContainerConfig::default()
    }
}
