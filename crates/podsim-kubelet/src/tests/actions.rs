//! The decision, as a table: what there is → what to do.

use crate::actions::{InFlight, PodActions, compute_pod_actions};
use crate::backoff::Backoff;
use crate::runtime_status::PodRuntimeStatus;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use podsim_cri::{
    ContainerId, ContainerMetadata, ContainerState, ContainerStatus, NamespaceOption, PodSandboxMetadata,
    PodSandboxState, PodSandboxStatus, SandboxId, UtsNamespace,
};
use serde_json::json;
use std::time::Duration;

fn pod(policy: &str, init: &[&str]) -> Pod {
    let container = |name: &&str| json!({ "name": name, "image": "busybox" });
    let init: Vec<_> = init.iter().map(container).collect();
    let value = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "x" },
        "spec": { "restartPolicy": policy, "initContainers": init, "containers": [container(&"a"), container(&"b")] },
    });
    serde_json::from_value(value).unwrap_or_default()
}

fn sandbox(attempt: u32, state: PodSandboxState) -> PodSandboxStatus {
    PodSandboxStatus {
        id: SandboxId(format!("s{attempt}")),
        metadata: PodSandboxMetadata {
            attempt,
            ..PodSandboxMetadata::default()
        },
        state,
        created_at: Timestamp::UNIX_EPOCH,
        ips: vec![std::net::IpAddr::from([10, 0, 0, 1])],
        pid: None,
        image: String::new(),
        namespace_inodes: Default::default(),
        namespaces: NamespaceOption::default(),
        uts: UtsNamespace::Container,
        labels: Default::default(),
        annotations: Default::default(),
    }
}

/// `a:run`, `a:made`, `a:0`, `a:1` (exited), or with another image `a:run!`.
fn container(text: &str) -> ContainerStatus {
    let (name, state) = text.split_once(':').unwrap_or((text, "run"));
    let image = if state.ends_with('!') { "old" } else { "busybox" };
    let (state, exit_code) = match state.trim_end_matches('!') {
        "run" => (ContainerState::Running, None),
        "made" => (ContainerState::Created, None),
        code => (ContainerState::Exited, code.parse().ok()),
    };
    ContainerStatus {
        id: ContainerId(name.to_owned()),
        sandbox: SandboxId("s0".to_owned()),
        metadata: ContainerMetadata {
            name: name.to_owned(),
            attempt: 0,
        },
        state,
        created_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        finished_at: None,
        exit_code,
        signal: None,
        image: image.to_owned(),
        image_id: String::new(),
        reason: String::new(),
        message: String::new(),
        pid: None,
        namespace_inodes: Default::default(),
        namespaces: NamespaceOption::default(),
        argv: vec![],
        mounts: vec![],
        labels: Default::default(),
        annotations: Default::default(),
        log_path: String::new(),
        tty: false,
        stdin: false,
    }
}

/// The plan in one line.
fn plan(actions: &PodActions) -> String {
    let mut words = vec![];
    if actions.kill_pod {
        words.push("kill pod".to_owned());
    }
    if actions.create_sandbox {
        words.push(format!("sandbox {}", actions.attempt));
    }
    words.extend(actions.init_container_to_start.map(|i| format!("init {i}")));
    words.extend(
        actions
            .containers_to_kill
            .iter()
            .map(|k| format!("kill {} {:?}", k.name, k.reason)),
    );
    words.extend(actions.containers_to_start.iter().map(|i| format!("start {i}")));
    words.join(", ")
}

#[test]
fn each_state_has_its_plan() {
    use PodSandboxState::{NotReady, Ready};
    /// What it is, restart policy, init containers, the sandbox, the containers, the plan.
    type Row = (
        &'static str,
        &'static str,
        &'static [&'static str],
        Option<PodSandboxState>,
        &'static str,
        &'static str,
    );
    let rows: &[Row] = &[
        (
            "nothing there: make all",
            "Always",
            &[],
            None,
            "",
            "kill pod, sandbox 0, start 0, start 1",
        ),
        (
            "nothing there, with init containers: the first of them",
            "Always",
            &["i"],
            None,
            "",
            "kill pod, sandbox 0, init 0",
        ),
        ("all runs: nothing", "Always", &[], Some(Ready), "a:run b:run", ""),
        (
            "one has ended: start it",
            "Always",
            &[],
            Some(Ready),
            "a:0 b:run",
            "start 0",
        ),
        (
            "one has succeeded and need not run again",
            "OnFailure",
            &[],
            Some(Ready),
            "a:0 b:run",
            "",
        ),
        (
            "one has failed and must run again",
            "OnFailure",
            &[],
            Some(Ready),
            "a:1 b:run",
            "start 0",
        ),
        (
            "one has failed and may not run again",
            "Never",
            &[],
            Some(Ready),
            "a:1 b:run",
            "",
        ),
        (
            "all have ended for good: the Pod ends",
            "Never",
            &[],
            Some(Ready),
            "a:1 b:0",
            "kill pod",
        ),
        (
            "all have succeeded: the Pod ends",
            "OnFailure",
            &[],
            Some(Ready),
            "a:0 b:0",
            "kill pod",
        ),
        (
            "one was made but not started: start it",
            "Never",
            &[],
            Some(Ready),
            "a:made b:run",
            "start 0",
        ),
        (
            "the sandbox died: make it anew",
            "Always",
            &[],
            Some(NotReady),
            "a:137 b:137",
            "kill pod, sandbox 1, start 0, start 1",
        ),
        (
            "the sandbox died and nothing may run again",
            "Never",
            &[],
            Some(NotReady),
            "a:137 b:137",
            "kill pod",
        ),
        (
            "the sandbox died, one has succeeded",
            "OnFailure",
            &[],
            Some(NotReady),
            "a:0 b:137",
            "kill pod, sandbox 1, start 1",
        ),
        (
            "the sandbox was stopped after success",
            "OnFailure",
            &[],
            Some(NotReady),
            "a:0 b:0",
            "kill pod",
        ),
        (
            "an init container runs: wait",
            "Always",
            &["i", "j"],
            Some(Ready),
            "i:run",
            "",
        ),
        (
            "an init container is done: the next",
            "Always",
            &["i", "j"],
            Some(Ready),
            "i:0",
            "init 1",
        ),
        (
            "the last init container is done: the rest",
            "Always",
            &["i", "j"],
            Some(Ready),
            "i:0 j:0",
            "start 0, start 1",
        ),
        (
            "an init container has failed: again",
            "Always",
            &["i", "j"],
            Some(Ready),
            "i:1",
            "init 0",
        ),
        (
            "an init container has failed for good: the Pod ends",
            "Never",
            &["i", "j"],
            Some(Ready),
            "i:1",
            "kill pod",
        ),
        (
            "the image was changed: kill and start anew",
            "Never",
            &[],
            Some(Ready),
            "a:run! b:run",
            "kill a DefinitionChanged",
        ),
        (
            "the image was changed and the old one has ended",
            "Never",
            &[],
            Some(Ready),
            "a:143! b:run",
            "start 0",
        ),
    ];
    for (name, policy, init, state, containers, expected) in rows {
        let status = PodRuntimeStatus {
            sandboxes: state.iter().map(|s| sandbox(0, *s)).collect(),
            containers: containers.split_whitespace().map(container).collect(),
            ..PodRuntimeStatus::default()
        };
        let actions = compute_pod_actions(&pod(policy, init), &status, &InFlight::default());
        assert_eq!(plan(&actions), *expected, "{name}");
    }
}

#[test]
fn what_is_under_way_is_not_decided_again() {
    let status = PodRuntimeStatus {
        sandboxes: vec![sandbox(0, PodSandboxState::Ready)],
        containers: vec![container("a:run!"), container("b:run")],
        ..PodRuntimeStatus::default()
    };
    let mut in_flight = InFlight::default();
    in_flight.killing.insert(ContainerId("a".to_owned()));
    in_flight.hook_failed.insert(ContainerId("b".to_owned()));
    let actions = compute_pod_actions(&pod("Always", &[]), &status, &in_flight);
    assert_eq!(plan(&actions), "kill b PostStartHookFailed");
}

#[test]
fn a_back_off_doubles_is_bounded_and_is_forgotten_after_ten_minutes() {
    let at = |seconds: i64| Timestamp::from_second(seconds).unwrap_or_default();
    let mut backoff = Backoff::default();
    assert_eq!(backoff.remaining("a", at(0), at(0)), None);
    backoff.next("a", at(0), at(0));
    assert_eq!(
        backoff.remaining("a", at(4), at(5)),
        Some((Duration::from_secs(9), Duration::from_secs(10)))
    );
    assert_eq!(backoff.remaining("a", at(4), at(14)), None);
    assert_eq!(backoff.remaining("b", at(4), at(5)), None);
    for (failed, tried) in [(4, 14), (14, 34), (34, 74), (74, 154), (154, 314), (314, 614)] {
        backoff.next("a", at(failed), at(tried));
    }
    let left = backoff
        .remaining("a", at(615), at(615))
        .map(|(_, whole)| whole.as_secs());
    assert_eq!(left, Some(300));
    // It then ran for more than ten minutes.
    assert_eq!(backoff.remaining("a", at(1300), at(1300)), None);
    backoff.next("a", at(1300), at(1300));
    assert_eq!(
        backoff.remaining("a", at(1300), at(1300)).map(|(_, w)| w.as_secs()),
        Some(10)
    );
}
