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

pub(super) fn pod(policy: &str, init: &[&str]) -> Pod {
    // `s…` is a sidecar, `S…` one with a startup probe; `e…` among the init containers is an ephemeral container.
    let container = |name: &&str| {
        let mut container = json!({ "name": name.to_lowercase(), "image": "busybox" });
        if name.starts_with(['s', 'S']) {
            container["restartPolicy"] = "Always".into();
        }
        if name.starts_with('S') {
            container["startupProbe"] = json!({ "exec": { "command": ["up"] } });
        }
        container
    };
    let (ephemeral, init): (Vec<_>, Vec<_>) = init.iter().partition(|n| n.starts_with('e'));
    let ephemeral: Vec<_> = ephemeral.iter().map(container).collect();
    let init: Vec<_> = init.iter().map(container).collect();
    let value = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "x" },
        "spec": { "restartPolicy": policy, "initContainers": init, "ephemeralContainers": ephemeral, "containers": [container(&"a"), container(&"b")] },
    });
    serde_json::from_value(value).unwrap_or_default()
}

pub(super) fn sandbox(attempt: u32, state: PodSandboxState) -> PodSandboxStatus {
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
pub(super) fn container(text: &str) -> ContainerStatus {
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
    words.extend(
        actions
            .ephemeral_containers_to_start
            .iter()
            .map(|i| format!("ephemeral {i}")),
    );
    words.extend(actions.init_containers_to_start.iter().map(|i| format!("init {i}")));
    words.extend(
        actions
            .containers_to_kill
            .iter()
            .map(|k| format!("kill {} {:?}", k.name, k.reason)),
    );
    words.extend(actions.containers_to_start.iter().map(|i| format!("start {i}")));
    words.join(", ")
}

/// What it is, restart policy, init containers, the sandbox, the containers, the plan.
type Row = (
    &'static str,
    &'static str,
    &'static [&'static str],
    Option<PodSandboxState>,
    &'static str,
    &'static str,
);

const READY: Option<PodSandboxState> = Some(PodSandboxState::Ready);

/// As `TestComputePodActionsWithRestartableInitContainers` of upstream has them, and some more.
const SIDECARS: &[Row] = &[
    (
        "a sidecar has started: the next",
        "Always",
        &["s", "i"],
        READY,
        "s:run",
        "init 1",
    ),
    (
        "a sidecar that is last has started: the rest",
        "Never",
        &["i", "s"],
        READY,
        "i:0 s:run",
        "start 0, start 1",
    ),
    (
        "a sidecar has to say first that it has started",
        "Always",
        &["S", "i"],
        READY,
        "s:run",
        "",
    ),
    (
        "a sidecar runs beside a later init container",
        "Always",
        &["s", "i"],
        READY,
        "s:run i:run",
        "",
    ),
    (
        "a sidecar that ended starts again while a later one runs",
        "Never",
        &["s", "i"],
        READY,
        "s:1 i:run",
        "init 0",
    ),
    (
        "a sidecar that ended starts again while the Pod runs",
        "Never",
        &["s", "i"],
        READY,
        "s:0 i:0 a:run b:run",
        "init 0",
    ),
    (
        "a sidecar that is gone starts again, an init container does not",
        "Always",
        &["s", "i"],
        READY,
        "a:run b:run",
        "init 0",
    ),
    (
        "a sidecar does not keep the Pod alive",
        "Never",
        &["s"],
        READY,
        "s:run a:0 b:1",
        "kill pod",
    ),
    (
        "a sidecar is not started for a Pod that is over",
        "Never",
        &["s"],
        READY,
        "s:1 a:0 b:1",
        "kill pod",
    ),
    (
        "all but the first init container wait",
        "Always",
        &["s", "s2", "i"],
        READY,
        "",
        "init 0",
    ),
    (
        "two sidecars, the first has ended",
        "Always",
        &["s", "s2"],
        READY,
        "s:1 s2:run a:run b:run",
        "init 0",
    ),
    (
        "an init container has failed for good although a sidecar runs",
        "Never",
        &["s", "i"],
        READY,
        "s:run i:1",
        "kill pod",
    ),
    (
        "an init container has failed beside a sidecar: again",
        "Always",
        &["s", "i"],
        READY,
        "s:run i:1",
        "init 1",
    ),
    (
        "a sidecar's image was changed",
        "Always",
        &["s"],
        READY,
        "s:run! a:run b:run",
        "kill s DefinitionChanged",
    ),
    (
        "an ephemeral container does not wait",
        "Always",
        &["e", "i"],
        READY,
        "i:run",
        "ephemeral 0",
    ),
    (
        "an ephemeral container is not started twice",
        "Always",
        &["e"],
        READY,
        "e:1 a:run b:run",
        "",
    ),
];

#[test]
fn each_state_has_its_plan() {
    use PodSandboxState::{NotReady, Ready};
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
    for (name, policy, init, state, containers, expected) in rows.iter().chain(SIDECARS) {
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

#[test]
fn a_failed_probe_kills_its_container() {
    use crate::prober::ProbeResult::{Failure, Success};
    /// What it is, restart policy, init containers, what runs, liveness and startup of the container, the plan and the words.
    type Row = (
        &'static str,
        &'static str,
        &'static [&'static str],
        &'static str,
        (&'static str, Option<bool>, Option<bool>),
        &'static str,
        &'static str,
    );
    let rows: &[Row] = &[
        (
            "liveness is well",
            "Always",
            &[],
            "a:run b:run",
            ("a", Some(true), None),
            "",
            "",
        ),
        (
            "liveness has failed",
            "Always",
            &[],
            "a:run b:run",
            ("a", Some(false), None),
            "kill a LivenessProbe",
            "Container a failed liveness probe, will be restarted",
        ),
        (
            "liveness has failed and it may not run again",
            "Never",
            &[],
            "a:run b:run",
            ("a", Some(false), None),
            "kill a LivenessProbe",
            "Container a failed liveness probe",
        ),
        (
            "startup has failed",
            "OnFailure",
            &[],
            "a:run b:run",
            ("b", None, Some(false)),
            "kill b StartupProbe",
            "Container b failed startup probe, will be restarted",
        ),
        (
            "a sidecar has started",
            "Always",
            &["S", "i"],
            "s:run",
            ("s", None, Some(true)),
            "init 1",
            "",
        ),
        (
            "a sidecar has not started in time",
            "Always",
            &["S", "i"],
            "s:run",
            ("s", None, Some(false)),
            "kill s StartupProbe",
            "Init container s failed startup probe",
        ),
        (
            "a sidecar's liveness has failed",
            "Never",
            &["s"],
            "s:run a:run b:run",
            ("s", Some(false), None),
            "kill s LivenessProbe",
            "Init container s failed liveness probe",
        ),
    ];
    for (name, policy, init, containers, (id, liveness, startup), expected, message) in rows {
        let status = PodRuntimeStatus {
            sandboxes: vec![sandbox(0, PodSandboxState::Ready)],
            containers: containers.split_whitespace().map(container).collect(),
            ..PodRuntimeStatus::default()
        };
        let mut in_flight = InFlight::default();
        let (id, result) = (
            ContainerId((*id).to_owned()),
            |ok: bool| if ok { Success } else { Failure },
        );
        in_flight
            .probes
            .liveness
            .extend(liveness.map(|ok| (id.clone(), result(ok))));
        in_flight
            .probes
            .startup
            .extend(startup.map(|ok| (id.clone(), result(ok))));
        let actions = compute_pod_actions(&pod(policy, init), &status, &in_flight);
        assert_eq!(plan(&actions), *expected, "{name}");
        let said = actions.containers_to_kill.first().map_or("", |k| k.message.as_str());
        assert_eq!(said, *message, "{name}");
    }
}

#[test]
fn a_containers_own_rules_come_before_the_pods_policy() {
    let rule = |operator: &str, codes: &[i32]| json!([{ "action": "Restart", "exitCodes": { "operator": operator, "values": codes } }]);
    for (pod_policy, own, rules, code, again) in [
        ("Never", None, None, 1, false),
        ("Never", Some("Always"), None, 0, true),
        ("Always", Some("Never"), None, 1, false),
        ("Always", Some("OnFailure"), None, 0, false),
        ("Never", Some("Never"), Some(rule("In", &[42])), 42, true),
        ("Never", Some("Never"), Some(rule("In", &[42])), 1, false),
        ("Never", Some("Never"), Some(rule("NotIn", &[0])), 7, true),
        ("Never", Some("Never"), Some(rule("NotIn", &[0])), 0, false),
    ] {
        let container = json!({ "name": "a", "image": "x", "restartPolicy": own, "restartPolicyRules": rules });
        let container = serde_json::from_value(container).unwrap_or_default();
        let decided = crate::containers::should_restart(&container, &pod(pod_policy, &[]), code);
        assert_eq!(decided, again, "{pod_policy} {own:?} {rules:?} {code}");
    }
}
