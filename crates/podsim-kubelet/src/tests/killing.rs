//! The end of a Pod: preStop, the stop signal, SIGKILL.

use super::harness::{Harness, settle};
use podsim_cri::ExecSyncOutput;
use podsim_cri::fake::{ExecScript, Script, TermOutcome};
use serde_json::{Value, json};
use std::time::Duration;

fn with_pre_stop(grace: i64) -> Value {
    let lifecycle = json!({ "preStop": { "exec": { "command": ["bye"] } } });
    let container = json!({ "name": "a", "image": "busybox", "imagePullPolicy": "Never", "lifecycle": lifecycle });
    json!({ "terminationGracePeriodSeconds": grace, "containers": [container] })
}

fn takes(seconds: u64) -> ExecScript {
    ExecScript {
        takes: Duration::from_secs(seconds),
        ..ExecScript::default()
    }
}

fn ignores_term() -> Script {
    Script {
        term: TermOutcome::Ignored,
        ..Script::default()
    }
}

#[tokio::test]
async fn pre_stop_ends_before_the_stop_signal_inside_the_grace_period() {
    let node = Harness::new().await;
    node.runtime.script_exec("bye", takes(7));
    node.pod(with_pre_stop(30)).await;
    node.delete(None).await;
    node.seconds(6).await;
    assert_eq!(node.calls(&["exec_sync", "stop_container"]), ["exec_sync a bye"]);
    assert_eq!(node.phase(), "Running");
    node.seconds(1).await;
    assert_eq!(
        node.calls(&["exec_sync", "stop_container"]),
        ["exec_sync a bye", "stop_container a 23s"]
    );
    assert_eq!(node.phase(), "gone");
    assert_eq!(
        node.events().last().map(String::as_str),
        Some("Killing: Stopping container a")
    );
    assert!(node.calls(&["remove_pod_sandbox"]).len() == 1);
}

#[tokio::test]
async fn a_pre_stop_that_takes_the_whole_grace_leaves_two_seconds() {
    let node = Harness::new().await;
    node.runtime.script("a", ignores_term());
    node.runtime.script_exec("bye", takes(100));
    node.pod(with_pre_stop(5)).await;
    node.delete(None).await;
    node.seconds(5).await;
    assert_eq!(node.calls(&["stop_container"]), ["stop_container a 2s"]);
    node.seconds(1).await;
    assert_eq!(node.phase(), "Running");
    node.seconds(1).await;
    assert_eq!(node.phase(), "gone");
    // The command went on until its container was killed.
    assert!(
        node.events()
            .contains(&"FailedPreStopHook: PreStopHook failed".to_owned()),
        "{:?}",
        node.events()
    );
}

#[tokio::test]
async fn a_failing_pre_stop_does_not_hold_the_end_up() {
    let node = Harness::new().await;
    let output = ExecSyncOutput {
        exit_code: 1,
        ..ExecSyncOutput::default()
    };
    node.runtime.script_exec(
        "bye",
        ExecScript {
            output,
            ..ExecScript::default()
        },
    );
    node.pod(with_pre_stop(30)).await;
    node.delete(None).await;
    assert_eq!(node.phase(), "gone");
    assert!(
        node.events()
            .contains(&"FailedPreStopHook: PreStopHook failed".to_owned())
    );
}

#[tokio::test]
async fn a_container_that_ignores_the_stop_signal_is_killed_at_the_end_of_the_grace() {
    let node = Harness::new().await;
    node.runtime.script("a", ignores_term());
    node.pod(json!({ "containers": [
        { "name": "a", "image": "busybox", "imagePullPolicy": "Never" },
        { "name": "b", "image": "busybox", "imagePullPolicy": "Never" },
    ] }))
    .await;
    node.delete(None).await;
    assert_eq!(
        (node.state("a").as_str(), node.state("b").as_str()),
        ("running", "terminated 143 Error")
    );
    node.seconds(29).await;
    assert_eq!(node.phase(), "Running");
    node.seconds(1).await;
    assert_eq!(node.phase(), "gone");
}

#[tokio::test]
async fn a_second_deletion_shortens_the_grace() {
    let node = Harness::new().await;
    node.runtime.script("a", ignores_term());
    node.runtime.script_exec("bye", takes(100));
    node.pod(with_pre_stop(300)).await;
    node.delete(None).await;
    node.seconds(10).await;
    node.delete(Some(1)).await;
    node.seconds(2).await;
    assert_eq!(node.phase(), "gone");
}

#[tokio::test]
async fn a_forced_deletion_takes_the_object_at_once_and_the_containers_soon() {
    let node = Harness::new().await;
    node.runtime.script("a", ignores_term());
    node.pod(json!({ "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }] }))
        .await;
    node.delete(Some(0)).await;
    assert_eq!(node.phase(), "gone");
    node.seconds(2).await;
    assert!(
        node.calls(&["remove_pod_sandbox"]).len() == 1,
        "{:?}",
        node.runtime.calls()
    );
}

#[tokio::test]
async fn a_deleted_pod_is_not_restarted_and_ends_in_a_final_phase() {
    let node = Harness::new().await;
    node.runtime.script("a", ignores_term());
    node.pod(json!({ "containers": [
        { "name": "a", "image": "busybox", "imagePullPolicy": "Never" },
        { "name": "b", "image": "busybox", "imagePullPolicy": "Never" },
    ] }))
    .await;
    let mut watch = node
        .store
        .api::<k8s_openapi::api::core::v1::Pod>()
        .watch(None, &podsim_store::Selectors::default(), podsim_store::Since::Now)
        .unwrap_or_else(|e| panic!("{e}"));
    node.delete(None).await;
    node.seconds(31).await;
    let mut last = String::new();
    while let Some((_, pod)) = futures_util::FutureExt::now_or_never(watch.next()).flatten() {
        last = pod.status.and_then(|s| s.phase).unwrap_or_default();
    }
    assert_eq!(last, "Failed");
    settle().await;
    assert_eq!(node.calls(&["start_container"]).len(), 2);
}

#[tokio::test]
async fn a_pod_that_lasts_longer_than_its_deadline_fails() {
    let node = Harness::new().await;
    let container = json!({ "name": "a", "image": "busybox", "imagePullPolicy": "Never" });
    node.pod(json!({ "activeDeadlineSeconds": 60, "containers": [container] }))
        .await;
    node.seconds(59).await;
    assert_eq!(node.phase(), "Running");
    node.seconds(1).await;
    let status = node.get().and_then(|p| p.status).unwrap_or_default();
    assert_eq!(
        (status.phase.as_deref(), status.reason.as_deref()),
        (Some("Failed"), Some("DeadlineExceeded"))
    );
    assert_eq!(node.state("a"), "terminated 143 Error");
    node.seconds(30).await;
    assert_eq!(node.calls(&["start_container"]).len(), 1);
}
