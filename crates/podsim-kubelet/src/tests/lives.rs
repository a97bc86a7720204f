//! Pods that live and die by themselves.

use super::harness::{Harness, settle};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use podsim_cri::Error;
use podsim_cri::ExecSyncOutput;
use podsim_cri::fake::{ExecScript, PullOutcome, Script, StartOutcome, TermOutcome};
use serde_json::json;
use std::time::Duration;

fn exits(code: i32) -> Script {
    Script {
        start: StartOutcome::ExitsAfter(Duration::ZERO, code),
        ..Script::default()
    }
}

#[tokio::test]
async fn a_pod_runs_without_any_time_passing() {
    let node = Harness::new().await;
    node.pod(json!({ "containers": [
        { "name": "shell", "image": "busybox", "imagePullPolicy": "Never", "stdin": true, "tty": true },
        { "name": "web", "image": "nginx", "imagePullPolicy": "IfNotPresent" },
    ] }))
    .await;
    assert_eq!(node.phase(), "Running");
    let pod = node.get().unwrap_or_default();
    let status = pod.status.unwrap_or_default();
    let conditions: Vec<_> = status
        .conditions
        .iter()
        .flatten()
        .map(|c| format!("{}={}", c.type_, c.status))
        .collect();
    assert_eq!(
        conditions,
        [
            "PodReadyToStartContainers=True",
            "Initialized=True",
            "Ready=True",
            "ContainersReady=True",
            "PodScheduled=True"
        ]
    );
    assert!(
        node.container("web")
            .container_id
            .is_some_and(|id| id.starts_with("podsim://"))
    );
    assert_eq!(
        node.events(),
        [
            "Scheduled: Successfully assigned default/x to node-1",
            "Pulled: Container image \"busybox\" already present on machine",
            "Created: Created container: shell",
            "Started: Started container shell",
            "Pulled: Container image \"nginx\" already present on machine",
            "Created: Created container: web",
            "Started: Started container web",
        ]
    );
    assert_eq!(
        node.calls(&["run_pod_sandbox", "create_container", "start_container"]),
        [
            "run_pod_sandbox x",
            "create_container shell",
            "start_container shell",
            "create_container web",
            "start_container web"
        ]
    );
}

#[tokio::test]
async fn a_crash_loop_backs_off_from_ten_seconds_to_five_minutes() {
    let node = Harness::new().await;
    node.runtime.script("a", exits(1));
    node.pod(json!({ "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }] }))
        .await;
    settle().await;
    // The first restart is at once.
    assert_eq!(node.container("a").restart_count, 1);
    let uid = node.get().and_then(|p| p.metadata.uid).unwrap_or_default();
    assert_eq!(
        node.state("a"),
        format!("waiting CrashLoopBackOff: back-off 10s restarting failed container=a pod=x_default({uid})")
    );
    assert_eq!(node.phase(), "Running");
    let last = node
        .container("a")
        .last_state
        .and_then(|s| s.terminated)
        .unwrap_or_default();
    assert_eq!((last.exit_code, last.reason.as_deref()), (1, Some("Error")));
    // Jump from timer to timer for six hours: after 20, 40, 80 and 160 s, every five minutes.
    let mut restarts = vec![];
    let mut elapsed = Duration::ZERO;
    let mut seen = 1;
    while elapsed < Duration::from_secs(6 * 3600) {
        elapsed += node.clock.advance_to_next().unwrap_or_default();
        settle().await;
        let count = node.container("a").restart_count;
        if count > seen {
            seen = count;
            restarts.push(elapsed.as_secs());
        }
    }
    assert_eq!(restarts.get(..7), Some([10, 30, 70, 150, 310, 610, 910].as_slice()));
    assert!(
        node.state("a").starts_with("waiting CrashLoopBackOff: back-off 5m0s"),
        "{}",
        node.state("a")
    );
    // Old containers do not pile up.
    let status = crate::runtime_status::PodRuntimeStatus::read(node.runtime.as_ref(), &uid)
        .await
        .unwrap_or_default();
    assert_eq!(status.containers.len(), 2);
}

#[tokio::test]
async fn a_restart_policy_decides_what_becomes_of_the_pod() {
    for (policy, code, phase, restarts) in [
        ("Never", 0, "Succeeded", 0),
        ("Never", 3, "Failed", 0),
        ("OnFailure", 0, "Succeeded", 0),
        ("OnFailure", 3, "Running", 1),
        ("Always", 0, "Running", 1),
    ] {
        let node = Harness::new().await;
        node.runtime.script("a", exits(code));
        let container = json!({ "name": "a", "image": "busybox", "imagePullPolicy": "Never" });
        node.pod(json!({ "restartPolicy": policy, "containers": [container] }))
            .await;
        settle().await;
        assert_eq!(
            (node.phase().as_str(), node.container("a").restart_count),
            (phase, restarts),
            "{policy} {code}"
        );
    }
}

#[tokio::test]
async fn an_image_that_is_not_there_says_why_by_policy() {
    for (policy, state) in [
        (
            "Never",
            "waiting ErrImageNeverPull: Container image \"nope\" is not present with pull policy of Never",
        ),
        (
            "IfNotPresent",
            "waiting ImagePullBackOff: Back-off pulling image \"nope\": ErrImagePull: nope: not found",
        ),
    ] {
        let node = Harness::new().await;
        node.pod(json!({ "containers": [{ "name": "a", "image": "nope", "imagePullPolicy": policy }] }))
            .await;
        settle().await;
        assert_eq!((node.phase().as_str(), node.state("a").as_str()), ("Pending", state));
        if policy == "IfNotPresent" {
            let once = |event: String| event.split(" (x").next().unwrap_or_default().to_owned();
            assert_eq!(
                node.events().into_iter().map(once).collect::<Vec<_>>().get(1..),
                Some(
                    [
                        "Pulling: Pulling image \"nope\"",
                        "Failed: Failed to pull image \"nope\": nope: not found",
                        "Failed: Error: ErrImagePull",
                        "BackOff: Back-off pulling image \"nope\"",
                        "Failed: Error: ImagePullBackOff",
                    ]
                    .map(str::to_owned)
                    .as_slice()
                )
            );
            node.images.script_pull("nope", PullOutcome::Succeeds);
        } else {
            node.images.add("nope");
        }
        node.seconds(11).await;
        assert_eq!(node.phase(), "Running", "{policy}");
    }
}

#[tokio::test]
async fn a_command_that_is_not_there_is_a_start_error() {
    let node = Harness::new().await;
    let fails = StartOutcome::Fails {
        reason: "StartError".to_owned(),
        message: "exec: \"nope\": executable file not found in $PATH".to_owned(),
    };
    node.runtime.script(
        "a",
        Script {
            start: fails,
            ..Script::default()
        },
    );
    let container = json!({ "name": "a", "image": "busybox", "imagePullPolicy": "Never", "command": ["nope"] });
    node.pod(json!({ "restartPolicy": "Never", "containers": [container] }))
        .await;
    settle().await;
    assert_eq!(
        (node.phase().as_str(), node.state("a").as_str()),
        ("Failed", "terminated 128 StartError")
    );
    let events = node.events();
    assert!(
        events.contains(&"Failed: Error: exec: \"nope\": executable file not found in $PATH".to_owned()),
        "{events:?}"
    );
}

#[tokio::test]
async fn init_containers_run_one_after_the_other_before_the_rest() {
    let node = Harness::new().await;
    node.runtime.script("one", exits(0));
    let c = |name: &str| json!({ "name": name, "image": "busybox", "imagePullPolicy": "Never" });
    node.pod(json!({ "initContainers": [c("one"), c("two")], "containers": [c("a")] }))
        .await;
    assert_eq!(
        (node.phase().as_str(), node.state("two").as_str()),
        ("Pending", "running")
    );
    assert_eq!(node.state("a"), "waiting PodInitializing: ");
    node.runtime.exit("two", 0);
    settle().await;
    assert_eq!(
        (node.phase().as_str(), node.state("a").as_str()),
        ("Running", "running")
    );
    assert_eq!(
        node.calls(&["start_container"]),
        ["start_container one", "start_container two", "start_container a"]
    );
}

#[tokio::test]
async fn a_failed_post_start_hook_kills_the_container() {
    let node = Harness::new().await;
    let output = ExecSyncOutput {
        exit_code: 1,
        stderr: b"no such thing\n".to_vec(),
        ..ExecSyncOutput::default()
    };
    let script = ExecScript {
        takes: Duration::from_secs(5),
        output,
        ..ExecScript::default()
    };
    node.runtime.script_exec("hook", script);
    let lifecycle = json!({ "postStart": { "exec": { "command": ["hook"] } } });
    let container = json!({ "name": "a", "image": "busybox", "imagePullPolicy": "Never", "lifecycle": lifecycle });
    node.pod(json!({ "restartPolicy": "Never", "containers": [container] }))
        .await;
    // The entrypoint runs beside the hook; the status waits for the hook.
    assert_eq!(
        node.calls(&["start_container", "exec_sync"]),
        ["start_container a", "exec_sync a hook"]
    );
    assert_eq!(node.state("a"), "waiting ContainerCreating: ");
    node.runtime.script(
        "a",
        Script {
            term: TermOutcome::ExitsAfter(Duration::from_secs(3), 143),
            ..Script::default()
        },
    );
    node.seconds(6).await;
    let uid = node.get().and_then(|p| p.metadata.uid).unwrap_or_default();
    assert_eq!(
        node.state("a"),
        format!(
            "waiting PostStartHookError: Exec lifecycle hook ([hook]) for Container \"a\" in Pod \"x_default({uid})\" failed - \
             error: command 'hook' exited with 1: no such thing\n, message: \"no such thing\\n\""
        )
    );
    node.seconds(3).await;
    assert_eq!(node.state("a"), "terminated 143 Error");
    let events = node.events();
    assert!(
        events.ends_with(&[
            "FailedPostStartHook: PostStartHook failed".to_owned(),
            "Killing: FailedPostStartHook".to_owned()
        ]),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_sandbox_that_dies_is_made_anew_with_its_containers() {
    let node = Harness::new().await;
    node.pod(json!({ "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }] }))
        .await;
    let uid = node.get().and_then(|p| p.metadata.uid).unwrap_or_default();
    node.runtime.kill_sandbox(&uid);
    settle().await;
    node.seconds(1).await;
    assert_eq!(
        (node.phase().as_str(), node.state("a").as_str()),
        ("Running", "running")
    );
    assert_eq!(node.container("a").restart_count, 1);
    assert!(
        node.events().iter().any(|e| e.starts_with("SandboxChanged: ")),
        "{:?}",
        node.events()
    );
}

#[tokio::test]
async fn a_sandbox_that_cannot_be_made_is_tried_again() {
    let node = Harness::new().await;
    node.runtime
        .fail_next("run_pod_sandbox", Error::Internal("no address left".to_owned()));
    node.pod(json!({ "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }] }))
        .await;
    assert_eq!(node.phase(), "Pending");
    assert!(
        node.events()
            .contains(&"FailedCreatePodSandBox: Failed to create pod sandbox: no address left".to_owned())
    );
    node.seconds(10).await;
    assert_eq!(node.phase(), "Running");
}

#[tokio::test]
async fn a_changed_image_restarts_the_container() {
    let node = Harness::new().await;
    node.pod(json!({ "restartPolicy": "Never", "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }] })).await;
    let pods = node.store.api::<k8s_openapi::api::core::v1::Pod>();
    let change = pods.modify("default", "x", |pod| {
        pod.spec.get_or_insert_default().containers[0].image = Some("nginx".to_owned());
    });
    change.expect("an image may change");
    settle().await;
    assert_eq!(node.state("a"), "running");
    assert_eq!(
        (node.container("a").image.as_str(), node.container("a").restart_count),
        ("nginx", 1)
    );
    assert!(
        node.events()
            .contains(&"Killing: Container a definition changed, will be restarted".to_owned())
    );
}

#[tokio::test]
async fn a_volume_of_an_unsupported_type_is_refused_aloud() {
    let node = Harness::new().await;
    let volumes = json!([{ "name": "v", "nfs": { "server": "s", "path": "/" } }]);
    node.pod(json!({ "volumes": volumes, "containers": [{ "name": "a", "image": "busybox" }] }))
        .await;
    let status = node.get().and_then(|p| p.status).unwrap_or_default();
    assert_eq!(status.phase.as_deref(), Some("Failed"));
    assert_eq!(
        status.message.as_deref(),
        Some("Pod was rejected: volume \"v\" is of type nfs, which podsim does not support yet")
    );
}

/// Upstream's status manager compares every ten seconds.
#[tokio::test]
async fn what_others_write_over_the_status_is_set_right_after_a_while() {
    let node = Harness::new().await;
    node.pod(json!({ "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }] }))
        .await;
    let write = |change: fn(&mut PodStatus)| {
        let modified = node
            .store
            .api::<Pod>()
            .modify_status("default", "x", |pod| change(pod.status.get_or_insert_default()));
        modified.map(drop).expect("a status");
    };
    let said = || {
        let status = node.get().and_then(|p| p.status).unwrap_or_default();
        (status.message.unwrap_or_default(), status.pod_ip.is_some())
    };
    write(|status| {
        status.message = Some("mine".to_owned());
        status.pod_ip = None;
    });
    settle().await;
    assert_eq!(said(), ("mine".to_owned(), false));
    node.seconds(10).await;
    assert_eq!(said(), (String::new(), true));
    // A final phase is final, whoever wrote it.
    write(|status| status.phase = Some("Failed".to_owned()));
    settle().await;
    node.seconds(1).await;
    assert_eq!(
        (node.phase().as_str(), node.state("a").as_str()),
        ("Failed", "terminated 143 Error")
    );
}
