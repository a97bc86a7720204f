//! The status, as a table over the pure function: what there is → phase, conditions, states (`Test_generateAPIPodStatus` and
//! `TestPodPhaseWith…` of upstream).

use crate::KubeletConfig;
use crate::prober::{ProbeResult, ProbeResults};
use crate::runtime_status::PodRuntimeStatus;
use crate::status::{StatusInput, generate};
use crate::tests::actions::{container, pod, sandbox};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerState, ContainerStatus, Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use podsim_cri::{ContainerId, PodSandboxState};
use std::collections::{HashMap, HashSet};

/// All that a status follows from, with nothing special.
struct Case {
    pod: Pod,
    runtime: PodRuntimeStatus,
    previous: PodStatus,
    waiting: HashMap<String, (String, String)>,
    probes: ProbeResults,
    terminated: bool,
    failure: Option<(&'static str, &'static str)>,
    now: i64,
}

impl Case {
    fn new(policy: &str, init: &[&str], containers: &str) -> Self {
        Self {
            pod: pod(policy, init),
            runtime: PodRuntimeStatus {
                sandboxes: vec![sandbox(0, PodSandboxState::Ready)],
                containers: containers.split_whitespace().map(container).collect(),
                ..PodRuntimeStatus::default()
            },
            previous: PodStatus::default(),
            waiting: HashMap::new(),
            probes: ProbeResults::default(),
            terminated: false,
            failure: None,
            now: 100,
        }
    }

    fn generate(&self) -> PodStatus {
        let config = KubeletConfig::default();
        let input = StatusInput {
            config: &config,
            runtime_name: "podsim",
            waiting: &self.waiting,
            hooks_pending: &HashSet::new(),
            probes: &self.probes,
            terminated: self.terminated,
            failure: self.failure,
            actual: &HashMap::new(),
            resize: &[],
            now: Time(Timestamp::from_second(self.now).unwrap_or_default()),
        };
        generate(&self.pod, &self.runtime, &self.previous, &input)
    }
}

fn phase(status: &PodStatus) -> &str {
    status.phase.as_deref().unwrap_or_default()
}

fn condition(status: &PodStatus, type_: &str) -> String {
    let mut all = status.conditions.iter().flatten();
    let found = all.find(|c| c.type_ == type_).cloned().unwrap_or_default();
    let words = [Some(found.status), found.reason, found.message];
    words.into_iter().flatten().collect::<Vec<_>>().join(" | ")
}

#[test]
fn each_state_has_its_phase() {
    /// What it is, policy, init containers, containers, the phase.
    type Row = (
        &'static str,
        &'static str,
        &'static [&'static str],
        &'static str,
        &'static str,
    );
    let rows: &[Row] = &[
        ("nothing has started", "Always", &[], "", "Pending"),
        ("one has started", "Always", &[], "a:run", "Pending"),
        ("all run", "Always", &[], "a:run b:run", "Running"),
        (
            "one has ended and will start again",
            "Always",
            &[],
            "a:0 b:run",
            "Running",
        ),
        (
            "all have ended and will start again",
            "Always",
            &[],
            "a:1 b:0",
            "Running",
        ),
        ("all have succeeded", "OnFailure", &[], "a:0 b:0", "Succeeded"),
        (
            "one has failed and will start again",
            "OnFailure",
            &[],
            "a:1 b:0",
            "Running",
        ),
        ("all have succeeded for good", "Never", &[], "a:0 b:0", "Succeeded"),
        ("one has failed for good", "Never", &[], "a:1 b:0", "Failed"),
        (
            "one has failed for good and one runs",
            "Never",
            &[],
            "a:1 b:run",
            "Running",
        ),
        ("an init container runs", "Always", &["i"], "i:run", "Pending"),
        (
            "an init container has failed and will start again",
            "Always",
            &["i"],
            "i:1",
            "Pending",
        ),
        (
            "an init container has failed for good",
            "Never",
            &["i"],
            "i:1",
            "Failed",
        ),
        ("an init container has succeeded", "Never", &["i"], "i:0", "Pending"),
        (
            "all init containers have succeeded and all run",
            "Never",
            &["i"],
            "i:0 a:run b:run",
            "Running",
        ),
        ("a sidecar runs", "Always", &["s"], "s:run", "Pending"),
        (
            "a sidecar and all others run",
            "Always",
            &["s"],
            "s:run a:run b:run",
            "Running",
        ),
        (
            "a sidecar has ended and all others run",
            "Always",
            &["s"],
            "s:1 a:run b:run",
            "Running",
        ),
        (
            "a sidecar runs after all others",
            "Never",
            &["s"],
            "s:run a:0 b:0",
            "Running",
        ),
        (
            "a sidecar has failed after all others",
            "Never",
            &["s"],
            "s:137 a:0 b:0",
            "Succeeded",
        ),
        (
            "a sidecar has not said that it has started",
            "Always",
            &["S"],
            "s:run",
            "Pending",
        ),
        (
            "a sidecar starts again in a Pod that runs",
            "Always",
            &["S"],
            "s:run a:run b:run",
            "Running",
        ),
    ];
    for (name, policy, init, containers, expected) in rows {
        assert_eq!(
            phase(&Case::new(policy, init, containers).generate()),
            *expected,
            "{name}"
        );
    }
}

#[test]
fn a_final_phase_is_never_left_and_a_deleted_pod_gets_one() {
    for (previous, containers, terminated, expected) in [
        (Some("Succeeded"), "a:run b:run", false, "Succeeded"),
        (Some("Failed"), "a:0 b:0", false, "Failed"),
        (Some("Running"), "a:0 b:0", true, "Succeeded"),
        (Some("Running"), "a:0 b:137", true, "Failed"),
        (Some("Unknown"), "a:run b:run", false, "Running"),
    ] {
        let mut case = Case::new("Always", &[], containers);
        case.previous.phase = previous.map(str::to_owned);
        case.terminated = terminated;
        assert_eq!(phase(&case.generate()), expected, "{previous:?} {containers}");
    }
    let failed = ("Failed", Some("DeadlineExceeded"), Some("too long"));
    for (containers, expected) in [("a:run b:143", ("Running", None, None)), ("a:143 b:143", failed)] {
        let mut case = Case::new("Always", &[], containers);
        case.previous.phase = Some("Running".to_owned());
        case.failure = Some(("DeadlineExceeded", "too long"));
        let status = case.generate();
        let told = (phase(&status), status.reason.as_deref(), status.message.as_deref());
        assert_eq!(told, expected, "{containers}");
    }
}

#[test]
fn nobody_hears_that_a_pod_is_over_while_something_of_it_runs() {
    for (containers, expected) in [("s:run i:1", "Pending"), ("s:137 i:1", "Failed")] {
        let mut case = Case::new("Never", &["s", "i"], containers);
        case.previous.phase = Some("Pending".to_owned());
        assert_eq!(phase(&case.generate()), expected, "{containers}");
    }
}

#[test]
fn reason_and_message_last_as_long_as_the_phase() {
    let said = |status: PodStatus| (status.phase, status.reason, status.message);
    let text = |text: &str| Some(text.to_owned());
    let mut case = Case::new("Never", &[], "a:run b:run");
    case.previous = PodStatus {
        phase: text("Running"),
        reason: text("Why"),
        ..PodStatus::default()
    };
    assert_eq!(said(case.generate()), (text("Running"), text("Why"), None));
    case.runtime.containers = ["a:0", "b:0"].into_iter().map(container).collect();
    assert_eq!(said(case.generate()), (text("Succeeded"), None, None));
    // Somebody else has ended the Pod.
    case.pod.status = Some(PodStatus {
        phase: text("Failed"),
        reason: text("Evicted"),
        message: text("no room"),
        ..PodStatus::default()
    });
    case.previous.reason = None;
    assert_eq!(
        said(case.generate()),
        (text("Failed"), text("Evicted"), text("no room"))
    );
}

#[test]
fn conditions_say_what_is_missing() {
    /// What it is, init containers, containers, policy, and Initialized, ContainersReady, Ready.
    type Row = (
        &'static str,
        &'static [&'static str],
        &'static str,
        &'static str,
        [&'static str; 3],
    );
    let rows: &[Row] = &[
        ("all runs", &[], "a:run b:run", "Always", ["True", "True", "True"]),
        (
            "one has ended",
            &[],
            "a:run b:1",
            "Always",
            [
                "True",
                "False | ContainersNotReady | containers with unready status: [b]",
                "False | ContainersNotReady | containers with unready status: [b]",
            ],
        ),
        (
            "it is initialised",
            &["i", "j"],
            "i:0 j:run",
            "Always",
            [
                "False | ContainersNotInitialized | containers with incomplete status: [j]",
                "False | ContainersNotReady | containers with unready status: [a b]",
                "False | ContainersNotReady | containers with unready status: [a b]",
            ],
        ),
        (
            "a sidecar is not ready",
            &["s"],
            "s:1 a:run b:run",
            "Always",
            [
                "True",
                "False | ContainersNotReady | containers with unready status: [s]",
                "False | ContainersNotReady | containers with unready status: [s]",
            ],
        ),
        (
            "all is done",
            &["i"],
            "i:0 a:0 b:0",
            "Never",
            ["True | PodCompleted", "False | PodCompleted", "False | PodCompleted"],
        ),
        (
            "it has failed",
            &[],
            "a:1 b:0",
            "Never",
            ["True", "False | PodFailed", "False | PodFailed"],
        ),
    ];
    for (name, init, containers, policy, expected) in rows {
        let status = Case::new(policy, init, containers).generate();
        let found = ["Initialized", "ContainersReady", "Ready"].map(|t| condition(&status, t));
        assert_eq!(found, *expected, "{name}");
    }
    let mut gone = Case::new("Always", &[], "a:137 b:137");
    gone.runtime.sandboxes = vec![sandbox(0, PodSandboxState::NotReady)];
    assert_eq!(condition(&gone.generate(), "PodReadyToStartContainers"), "False");
}

#[test]
fn a_condition_keeps_its_time_until_it_changes() {
    let mut case = Case::new("Always", &[], "a:run b:run");
    let at = |status: &PodStatus, type_: &str| {
        let mut all = status.conditions.iter().flatten();
        let found = all
            .find(|c| c.type_ == type_)
            .and_then(|c| c.last_transition_time.clone());
        found.map(|t| t.0.as_second())
    };
    let first = case.generate();
    case.previous = first.clone();
    case.now = 200;
    assert_eq!(case.generate(), first);
    case.runtime.containers = ["a:run", "b:1"].into_iter().map(container).collect();
    let second = case.generate();
    assert_eq!(
        (at(&second, "Ready"), at(&second, "Initialized")),
        (Some(200), Some(100))
    );
    assert_eq!(second.start_time, first.start_time);
}

#[test]
fn gates_and_conditions_of_others_are_kept_and_obeyed() {
    let mut case = Case::new("Always", &[], "a:run b:run");
    let gates = serde_json::json!([{ "conditionType": "x/one" }, { "conditionType": "x/two" }]);
    case.pod.spec.get_or_insert_default().readiness_gates = serde_json::from_value(gates).ok();
    let foreign = |type_: &str, status: &str| PodCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        ..PodCondition::default()
    };
    case.previous.conditions = Some(vec![foreign("x/one", "False"), foreign("y/other", "True")]);
    let status = case.generate();
    assert_eq!(
        condition(&status, "Ready"),
        "False | ReadinessGatesNotReady | the status of pod readiness gate \"x/one\" is not \"True\", but False, \
         corresponding condition of pod readiness gate \"x/two\" does not exist."
    );
    assert_eq!(condition(&status, "ContainersReady"), "True");
    assert_eq!(condition(&status, "y/other"), "True");
}

#[test]
fn probes_decide_whether_a_container_has_started_and_is_ready() {
    use ProbeResult::{Failure, Success};
    for (startup, readiness, expected) in [
        (None, None, (Some(false), false)),
        (Some(Failure), None, (Some(false), false)),
        (Some(Success), None, (Some(true), false)),
        (Some(Success), Some(Failure), (Some(true), false)),
        (Some(Success), Some(Success), (Some(true), true)),
    ] {
        let mut case = Case::new("Always", &[], "a:run b:run");
        let probe = serde_json::json!({ "exec": { "command": ["x"] } });
        let spec = case.pod.spec.get_or_insert_default();
        if let Some(a) = spec.containers.first_mut() {
            a.startup_probe = serde_json::from_value(probe.clone()).ok();
            a.readiness_probe = serde_json::from_value(probe).ok();
        }
        let id = ContainerId("a".to_owned());
        case.probes.startup.extend(startup.map(|r| (id.clone(), r)));
        case.probes.readiness.extend(readiness.map(|r| (id.clone(), r)));
        let statuses = case.generate().container_statuses.unwrap_or_default();
        let found: Vec<_> = statuses.iter().map(|s| (s.started, s.ready)).collect();
        assert_eq!(found, [expected, (Some(true), true)]);
    }
}

#[test]
fn statuses_are_in_the_order_of_names_but_those_of_init_containers() {
    let mut case = Case::new("Always", &[], "a:run");
    let spec = case.pod.spec.get_or_insert_default();
    for list in [&mut spec.containers, spec.init_containers.get_or_insert_default()] {
        *list = ["c", "a", "b"]
            .map(|name| Container {
                name: name.to_owned(),
                ..Container::default()
            })
            .to_vec();
    }
    let status = case.generate();
    let names = |statuses: Option<Vec<ContainerStatus>>| {
        statuses
            .unwrap_or_default()
            .into_iter()
            .map(|s| s.name)
            .collect::<String>()
    };
    assert_eq!(
        (names(status.container_statuses), names(status.init_container_statuses)),
        ("abc".to_owned(), "cab".to_owned())
    );
}

#[test]
fn a_container_that_waits_to_start_again_shows_how_it_ended() {
    let text = |state: &Option<ContainerState>| {
        let state = state.clone().unwrap_or_default();
        match (state.waiting, state.running, state.terminated) {
            (Some(w), _, _) => format!("waiting {}", w.reason.unwrap_or_default()),
            (_, Some(_), _) => "running".to_owned(),
            (_, _, Some(t)) => format!("terminated {}", t.exit_code),
            _ => "none".to_owned(),
        }
    };
    for (policy, containers, waits, state, last) in [
        (
            "Always",
            "a:1",
            Some("CrashLoopBackOff"),
            "waiting CrashLoopBackOff",
            "terminated 1",
        ),
        ("Always", "a:1", None, "terminated 1", "none"),
        ("Never", "a:1", Some("CrashLoopBackOff"), "terminated 1", "none"),
        ("OnFailure", "a:0", Some("CrashLoopBackOff"), "terminated 0", "none"),
        (
            "Always",
            "",
            Some("ImagePullBackOff"),
            "waiting ImagePullBackOff",
            "none",
        ),
        ("Always", "", None, "waiting ContainerCreating", "none"),
        ("Always", "a:run", Some("CrashLoopBackOff"), "running", "none"),
    ] {
        let mut case = Case::new(policy, &[], containers);
        let reason = waits.map(|w| ("a".to_owned(), (w.to_owned(), String::new())));
        case.waiting.extend(reason);
        let statuses = case.generate().container_statuses.unwrap_or_default();
        let a = statuses.first().cloned().unwrap_or_default();
        assert_eq!(
            (text(&a.state).as_str(), text(&a.last_state).as_str()),
            (state, last),
            "{policy} {containers}"
        );
    }
}
