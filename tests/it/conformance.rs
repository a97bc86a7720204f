//! The conformance programs, each in a container of its own on the virtual kernel. A program exits with 0 if everything was as
//! on Linux, and otherwise says what was not.

use futures_util::StreamExt;
use podsim_cri::*;
use podsim_sys::ManualClock;
use podsim_virtual::{VirtualConfig, VirtualRuntime};
use std::sync::Arc;
use std::time::Duration;

macro_rules! program {
    ($name:ident, $wasm:expr) => {
        #[test]
        fn $name() {
            conforms(stringify!($name), $wasm);
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/conformance.rs"));

/// How long a program may take, in the host's time. (Its own time is a clock that only goes on when all sleep.)
const LIMIT: Duration = Duration::from_secs(60);

fn conforms(name: &str, wasm: &'static [u8]) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("tokio");
    let result = runtime.block_on(async { tokio::time::timeout(LIMIT, run(name, wasm)).await });
    match result {
        Ok((Some(0), _)) => {}
        Ok((code, log)) => panic!("{name} exited with {code:?}:\n{log}"),
        Err(_) => panic!("{name} did not end within {} s", LIMIT.as_secs()),
    }
}

async fn run(name: &str, wasm: &'static [u8]) -> (Option<i32>, String) {
    let clock = Arc::new(ManualClock::new(Duration::from_secs(1_750_000_000)));
    let node = VirtualRuntime::new(VirtualConfig::new(clock.clone())).expect("a node");
    let mut events = node.get_container_events().await.expect("events");
    let sandbox = node.run_pod_sandbox(sandbox_config()).await.expect("a sandbox");
    let file = VolumeFile {
        path: name.to_owned(),
        content: bytes::Bytes::from_static(wasm),
        mode: 0o755,
    };
    let volume = VolumeConfig {
        pod_uid: "1".to_owned(),
        name: "programs".to_owned(),
        mode: 0o755,
        files: vec![file],
        ..VolumeConfig::default()
    };
    let volume = node.create_volume(volume).await.expect("a volume");
    let container = ContainerConfig {
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
                id: volume,
                sub_path: None,
            },
            readonly: true,
        }],
        namespaces: NamespaceOption {
            pid: NamespaceMode::Container,
            ..NamespaceOption::default()
        },
        security: SecurityContext {
            privileged: true,
            ..SecurityContext::default()
        },
        ..ContainerConfig::default()
    };
    let id = node.create_container(&sandbox, container).await.expect("a container");
    node.start_container(&id).await.expect("a start");
    let kernel = node.kernel().clone();
    let status = loop {
        let status = node.container_status(&id).await.expect("a status");
        if status.state == ContainerState::Exited {
            break status;
        }
        // Virtual time: when every process sleeps, it jumps to the next timer.
        let idle = kernel.is_idle();
        match tokio::time::timeout(Duration::from_millis(1), events.next()).await {
            Err(_) if idle && kernel.is_idle() => {
                clock.advance_to_next();
            }
            _ => {}
        }
    };
    let entries = node.container_logs(&id, LogOptions::default()).await.expect("a log");
    let lines: Vec<_> = entries
        .map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned())
        .collect()
        .await;
    (status.exit_code, lines.concat())
}

fn sandbox_config() -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: PodSandboxMetadata {
            name: "conformance".to_owned(),
            uid: "1".to_owned(),
            namespace: "default".to_owned(),
            attempt: 0,
        },
        hostname: "conformance".to_owned(),
        namespaces: NamespaceOption {
            pid: NamespaceMode::Container,
            ..NamespaceOption::default()
        },
        ..PodSandboxConfig::default()
    }
}
