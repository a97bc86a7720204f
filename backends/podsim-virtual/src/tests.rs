//! A Pod by hand: sandbox, container, exec, logs, end.

use crate::{VirtualConfig, VirtualRuntime};
use futures_util::StreamExt;
use podsim_cri::backend::Cidr;
use podsim_cri::*;
use podsim_image::ImageStore;
use podsim_sys::ManualClock;
use std::sync::Arc;
use std::time::Duration;

fn config() -> VirtualConfig {
    VirtualConfig::new(Arc::new(ManualClock::new(Duration::from_secs(1_750_000_000))))
}

fn pod(name: &str) -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: PodSandboxMetadata {
            name: name.to_owned(),
            uid: name.to_owned(),
            namespace: "default".to_owned(),
            attempt: 0,
        },
        hostname: name.to_owned(),
        namespaces: NamespaceOption {
            pid: NamespaceMode::Container,
            ..NamespaceOption::default()
        },
        ..PodSandboxConfig::default()
    }
}

fn container(command: &[&str]) -> ContainerConfig {
    ContainerConfig {
        metadata: ContainerMetadata {
            name: "main".to_owned(),
            attempt: 0,
        },
        image: "busybox".to_owned(),
        command: command.iter().map(|&arg| arg.to_owned()).collect(),
        namespaces: NamespaceOption {
            pid: NamespaceMode::Container,
            ..NamespaceOption::default()
        },
        ..ContainerConfig::default()
    }
}

async fn wait_exited(runtime: &VirtualRuntime, id: &ContainerId, events: &mut ContainerEvents) -> ContainerStatus {
    while runtime.container_status(id).await.expect("a status").state != ContainerState::Exited {
        events.next().await;
    }
    runtime.container_status(id).await.expect("a status")
}

async fn log(runtime: &VirtualRuntime, id: &ContainerId) -> String {
    let entries = runtime
        .container_logs(
            id,
            LogOptions {
                follow: true,
                ..LogOptions::default()
            },
        )
        .await
        .expect("a log");
    let lines = entries.map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned());
    lines.collect::<Vec<_>>().await.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_runs_prints_and_ends_with_its_exit_code() {
    let runtime = VirtualRuntime::new(config()).expect("a node");
    let mut events = runtime.get_container_events().await.expect("events");
    let sandbox = runtime.run_pod_sandbox(pod("web")).await.expect("a sandbox");
    let id = runtime
        .create_container(&sandbox, container(&["echo", "hello"]))
        .await
        .expect("a container");
    runtime.start_container(&id).await.expect("a start");
    let status = wait_exited(&runtime, &id, &mut events).await;
    assert_eq!((status.exit_code, status.reason.as_str()), (Some(0), "Completed"));
    assert_eq!(log(&runtime, &id).await, "hello\n");
    runtime.remove_pod_sandbox(&sandbox).await.expect("removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exec_runs_beside_the_container_and_stop_kills_what_does_not_listen() {
    let runtime = VirtualRuntime::new(config()).expect("a node");
    let sandbox = runtime.run_pod_sandbox(pod("web")).await.expect("a sandbox");
    let id = runtime
        .create_container(&sandbox, container(&["sleep", "1000"]))
        .await
        .expect("a container");
    runtime.start_container(&id).await.expect("a start");
    let command = ["cat", "/etc/hostname", "/proc/self/comm"].map(str::to_owned);
    let output = runtime.exec_sync(&id, &command, None).await.expect("an exec");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "web\ncat\n");
    let missing = runtime
        .exec_sync(&id, &["nope".to_owned()], None)
        .await
        .expect_err("no such program");
    assert_eq!(
        missing.to_string(),
        "unable to start container process: exec: \"nope\": executable file not found in $PATH"
    );
    runtime.stop_container(&id, Duration::ZERO).await.expect("stopped");
    assert_eq!(
        runtime.container_status(&id).await.expect("a status").exit_code,
        Some(137)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shell_runs_pipelines_and_sees_its_own_processes() {
    let runtime = VirtualRuntime::new(config()).expect("a node");
    let mut events = runtime.get_container_events().await.expect("events");
    let sandbox = runtime.run_pod_sandbox(pod("web")).await.expect("a sandbox");
    let script =
        "echo one two | (read a b; echo $b $a); echo $((6 * 7)); x=$(hostname); echo $x; ps; ls -l / | wc -l; exit 3";
    let id = runtime
        .create_container(&sandbox, container(&["sh", "-c", script]))
        .await
        .expect("a container");
    runtime.start_container(&id).await.expect("a start");
    let status = wait_exited(&runtime, &id, &mut events).await;
    let log = log(&runtime, &id).await;
    assert_eq!(status.exit_code, Some(3), "{log}");
    assert!(
        log.starts_with("two one\n42\nweb\nPID   USER     TIME  COMMAND\n    1 root      0:00 sh -c echo"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_range_of_addresses_is_an_error_and_the_node_goes_on() {
    let small = Cidr::parse("10.9.0.0/30").expect("a range");
    let runtime = VirtualRuntime::new(VirtualConfig {
        pod_cidr: small,
        ..config()
    })
    .expect("a node");
    let first = runtime.run_pod_sandbox(pod("first")).await.expect("a sandbox");
    let full = runtime.run_pod_sandbox(pod("second")).await.expect_err("no address");
    assert_eq!(full.to_string(), "no free address in 10.9.0.0/30");
    runtime.remove_pod_sandbox(&first).await.expect("removed");
    runtime.run_pod_sandbox(pod("third")).await.expect("a sandbox");
}

/// A directory has a `/` at its end.
fn tar(files: &[(&str, u64, u32, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, uid, mode, content) in files {
        let mut header = tar::Header::new_gnu();
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        header.set_uid(*uid);
        header.set_gid(*uid);
        builder.append_data(&mut header, name, *content).expect("a member");
    }
    builder.into_inner().expect("an archive")
}

/// The layers over busybox's, as `docker save` packs an image.
fn saved(name: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    let busybox = ImageStore::with_builtin_images().find("busybox").expect("busybox");
    let layers: Vec<&[u8]> = busybox
        .layers
        .iter()
        .map(|layer| &layer.data[..])
        .chain(layers.iter().map(Vec::as_slice))
        .collect();
    let diff_ids: Vec<String> = layers.iter().map(|layer| podsim_image::image::sha256(layer)).collect();
    let paths: Vec<String> = (0..layers.len()).map(|n| format!("{n}/layer.tar")).collect();
    let config = serde_json::json!({
        "os": "wasip1",
        "architecture": "wasm",
        "config": { "Env": ["PATH=/bin"], "Entrypoint": null },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
    .to_string();
    let manifest = serde_json::json!([{ "Config": "c.json", "RepoTags": [name], "Layers": paths }]).to_string();
    let mut files: Vec<(&str, u64, u32, &[u8])> = vec![
        ("c.json", 0, 0o644, config.as_bytes()),
        ("manifest.json", 0, 0o644, manifest.as_bytes()),
    ];
    files.extend(
        paths
            .iter()
            .zip(layers)
            .map(|(path, layer)| (path.as_str(), 0, 0o644, layer)),
    );
    tar(&files)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_of_the_users_has_its_layers_over_each_other() {
    let data = tempfile::tempdir().expect("a directory");
    let images = ImageStore::open(data.path());
    let service = podsim_image::NodeImages::new(images.clone(), podsim_image::Registries::default());
    let runtime = VirtualRuntime::new(VirtualConfig {
        images: images.clone(),
        ..config()
    })
    .expect("a node");
    let lower = tar(&[
        ("data/", 1000, 0o750, b""),
        ("data/gone", 0, 0o644, b"low"),
        ("data/keep", 0, 0o644, b"low"),
        ("opaque/gone", 0, 0o644, b"low"),
    ]);
    let upper = tar(&[
        ("data/.wh.gone", 0, 0o644, b""),
        ("data/new", 0, 0o644, b"high"),
        ("opaque/new", 0, 0o644, b"high"),
        ("opaque/.wh..wh..opq", 0, 0o644, b""),
        (".wh.home", 0, 0o644, b""),
    ]);
    // The node runs already: it sees the image all the same.
    let file = data.path().join("app.tar");
    std::fs::write(&file, saved("app:1", &[lower, upper])).expect("a file");
    let loaded = images.load(&file, None).expect("loaded");
    assert_eq!(loaded.notes, Vec::<String>::new());

    let mut events = runtime.get_container_events().await.expect("events");
    let sandbox = runtime.run_pod_sandbox(pod("app")).await.expect("a sandbox");
    let script = "stat -c '%a %u' /data; ls /data /opaque; ls -d /home";
    let config = ContainerConfig {
        image: "app:1".to_owned(),
        ..container(&["sh", "-c", script])
    };
    let id = runtime.create_container(&sandbox, config).await.expect("a container");
    runtime.start_container(&id).await.expect("a start");
    wait_exited(&runtime, &id, &mut events).await;
    assert_eq!(
        log(&runtime, &id).await,
        "750 1000\n/data:\nkeep\nnew\n\n/opaque:\nnew\nls: /home: No such file or directory\n"
    );
    let listed = service.list_images().await.expect("images");
    let app = listed
        .iter()
        .find(|image| image.repo_tags == ["docker.io/library/app:1"]);
    assert_eq!(app.map(|image| &image.id), Some(&loaded.images[0].0));
    service.remove_image("app:1").await.expect("removed");
    assert!(service.image_status("app:1").await.expect("a status").is_none());
}
