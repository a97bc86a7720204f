//! The shell of the busybox image against a corpus whose expected outputs the real BusyBox wrote
//! (`wasm-images/busybox/tests/sh`, see the script `expect` there).
//!
//! Each script runs by exec in a container of its own.

use futures_util::FutureExt;
use podsim_cri::*;
use podsim_sys::ManualClock;
use podsim_virtual::{Cidr, InterfaceConfig, VirtualConfig, VirtualRuntime};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Makes the two files that the scripts find in their directory, and runs the script there.
const WRAPPER: &str = r#"cd /tmp; echo one > a.txt; echo two >> a.txt; echo x > b.txt; exec sh -c "$1" 2>&1 </dev/null"#;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wasm-images/busybox/tests/sh")
}

/// A node whose clock goes on in real time while the test runs.
fn node() -> VirtualRuntime {
    let clock = Arc::new(ManualClock::new(Duration::from_secs(1_750_000_000)));
    let ticking = clock.clone();
    tokio::spawn(async move {
        let tick = Duration::from_millis(5);
        let mut interval = tokio::time::interval(tick);
        loop {
            interval.tick().await;
            ticking.advance(tick);
        }
    });
    VirtualRuntime::new(VirtualConfig {
        clock,
        seed: 1,
        hostname: "node-1".to_owned(),
        pod_cidr: Cidr::parse("10.244.0.0/24").expect("a range"),
        sandbox_image: "registry.k8s.io/pause:3.9".to_owned(),
        memory: 1 << 30,
        cpus: 2,
        bridge: InterfaceConfig {
            name: "cni0".to_owned(),
            mac: None,
            ipv4: None,
            broadcast: Ipv4Addr::UNSPECIFIED,
            mtu: 1500,
            tx_queue_len: 1000,
            carrier: true,
        },
        interfaces: Vec::new(),
        hosts: String::new(),
        resolv_conf: String::new(),
        native: Arc::new(|_, _| async {}.boxed()),
    })
    .expect("a node")
}

async fn container(runtime: &VirtualRuntime, sandbox: &SandboxId) -> ContainerId {
    let config = ContainerConfig {
        metadata: ContainerMetadata {
            name: "main".to_owned(),
            attempt: 0,
        },
        image: "busybox".to_owned(),
        // Waits for input that never comes.
        command: vec!["cat".to_owned()],
        stdin: true,
        namespaces: NamespaceOption {
            pid: NamespaceMode::Container,
            ..NamespaceOption::default()
        },
        ..ContainerConfig::default()
    };
    let id = runtime.create_container(sandbox, config).await.expect("a container");
    runtime.start_container(&id).await.expect("a start");
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_print_what_busybox_prints() {
    let runtime = node();
    let sandbox = PodSandboxConfig {
        metadata: PodSandboxMetadata {
            name: "corpus".to_owned(),
            uid: "corpus".to_owned(),
            namespace: "default".to_owned(),
            attempt: 0,
        },
        hostname: "corpus".to_owned(),
        ..PodSandboxConfig::default()
    };
    let sandbox = runtime.run_pod_sandbox(sandbox).await.expect("a sandbox");
    let mut different = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(corpus()).expect("the corpus") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "sh") {
            continue;
        }
        let scripts = std::fs::read_to_string(&path).expect("scripts");
        let outputs = std::fs::read_to_string(path.with_extension("out")).expect("outputs");
        let outputs = outputs.strip_suffix("%%\n").unwrap_or(&outputs).split("%%\n");
        for (script, want) in scripts.trim_end_matches('\n').split("\n%%\n").zip(outputs) {
            count += 1;
            let id = container(&runtime, &sandbox).await;
            let command = ["sh", "-c", WRAPPER, "sh", script].map(str::to_owned);
            let got = match runtime.exec_sync(&id, &command, Some(Duration::from_secs(20))).await {
                Ok(output) => {
                    format!("{}[{}]\n", String::from_utf8_lossy(&output.stdout), output.exit_code)
                }
                Err(error) => format!("{error}\n"),
            };
            runtime.remove_container(&id).await.expect("removed");
            if got != want {
                different.push(format!("=== {script}\n--- want\n{want}--- got\n{got}"));
            }
        }
    }
    assert!(count > 200, "only {count} scripts were found");
    assert!(different.is_empty(), "{} of {count} scripts:\n{}", different.len(), different.join("\n"));
}
