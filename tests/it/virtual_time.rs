//! Whole lives of Pods on the virtual backend under virtual time: the same every time, and with the kubelet's times to the second.

use crate::podsim::User;
use serde_json::Value;

/// A run with a trace.
struct Life {
    code: Option<i32>,
    said: String,
    trace: String,
}

fn live(manifest: &str, options: &[&str]) -> Life {
    let user = User::new();
    user.file("pod.yaml", manifest);
    let common = ["run", "--clock=virtual", "--trace=trace", "pod.yaml"];
    let said = user.podsim(&[&common, options].concat());
    Life {
        code: said.code,
        said: said.whole(),
        trace: std::fs::read_to_string(user.home().join("trace")).unwrap_or_default(),
    }
}

impl Life {
    fn lines(&self) -> impl Iterator<Item = Value> {
        self.trace
            .lines()
            .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
    }

    /// When Events with this reason were recorded.
    fn events(&self, reason: &str) -> Vec<f64> {
        let events = self.lines().filter(|l| l["type"] == "event" && l["reason"] == reason);
        events.filter_map(|line| line["time"].as_f64()).collect()
    }

    /// When the containers or hooks with this last argument started or ended, and the exit codes. A subshell has it, too, but another
    /// parent.
    fn processes(&self, change: &str, argument: &str) -> Vec<(f64, Option<i64>)> {
        let is = |line: &Value| {
            let last = line["argv"].as_array().and_then(|argv| argv.last());
            line["type"] == "process"
                && line["change"] == change
                && last.is_some_and(|a| a == argument)
                && line["ppid"] == "0"
        };
        let of = |line: Value| Some((line["time"].as_f64()?, line["code"].as_i64()));
        self.lines().filter(is).filter_map(of).collect()
    }

    fn starts(&self, argument: &str) -> Vec<f64> {
        self.processes("started", argument)
            .into_iter()
            .map(|(time, _)| time)
            .collect()
    }

    /// The Pod as it was last.
    fn pod(&self) -> Value {
        let mut pods = self.lines().filter(|l| l["type"] == "object" && l["kind"] == "Pod");
        let first = pods.next().expect("a Pod");
        pods.last().unwrap_or(first)["object"].take()
    }
}

/// A Pod `x` with one container `c` of busybox that runs `command` in a shell; `pod` and `container` are more fields.
fn pod(command: &str, pod: &str, container: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec:\n  {pod}\n  containers:\n  - name: c\n    image: busybox\n    \
         imagePullPolicy: Never\n    command: [sh, -c, '{command}']\n    {container}\n"
    )
}

#[test]
fn a_run_ends_with_its_pod_and_sleeping_costs_nothing() {
    let manifest = pod("date; sleep 7200; date; exit 3", "restartPolicy: Never", "");
    let life = live(&manifest, &[]);
    insta::assert_snapshot!(life.said, @r"
    exit code 3
    --- stdout
    Wed Jan  1 00:00:00 UTC 2025
    Wed Jan  1 02:00:00 UTC 2025
    --- stderr
    pod/x created
    ");
}

#[test]
fn a_pod_that_never_ends_is_left_when_its_time_is_over() {
    let never = |command: &str| pod(command, "restartPolicy: Never", "");
    let other = never("exit 3").replace("name: x", "name: other");
    let manifest = format!("{}---\n{other}", never("sleep 1000000"));
    let life = live(&manifest, &["--for=90m"]);
    insta::assert_snapshot!(life.said, @r"
    exit code 3
    --- stdout
    --- stderr
    pod/x created
    pod/other created
    After 1h30m0s of virtual time: pod/x is Running
    ");
}

#[test]
fn restarts_back_off_from_ten_seconds_to_five_minutes() {
    let life = live(&pod("exit 1", "restartPolicy: Always", ""), &["--for=1h"]);
    let mut expected = vec![0.0, 0.0, 10.0, 30.0, 70.0, 150.0, 310.0];
    expected.extend((0..10).map(|n| 610.0 + 300.0 * f64::from(n)));
    assert_eq!(life.starts("exit 1"), expected);
    assert_eq!(life.pod()["status"]["containerStatuses"][0]["restartCount"], 16);
}

#[test]
fn ten_minutes_without_a_failure_forget_the_back_off() {
    let command = "n=$(cat /v/n || echo 0); echo $((n + 1)) >/v/n; [ $n != 3 ] || sleep 601; exit 1";
    let volume = "volumes: [{name: v, emptyDir: {}}]";
    let life = live(
        &pod(command, volume, "volumeMounts: [{name: v, mountPath: /v}]"),
        &["--for=12m"],
    );
    assert_eq!(
        life.starts(command),
        [0.0, 0.0, 10.0, 30.0, 631.0, 631.0 + 10.0, 641.0 + 20.0, 661.0 + 40.0]
    );
}

#[test]
fn pulls_of_an_image_that_is_not_there_back_off() {
    let manifest = pod("true", "restartPolicy: Always", "").replace("busybox", "example.com/missing:1");
    let life = live(&manifest.replace("Never", "IfNotPresent"), &["--for=16m"]);
    assert_eq!(
        life.events("Pulling"),
        [0.0, 10.0, 30.0, 70.0, 150.0, 310.0, 610.0, 910.0]
    );
    let state = &life.pod()["status"]["containerStatuses"][0]["state"];
    assert_eq!(state["waiting"]["reason"], "ImagePullBackOff", "{}", life.said);
}

/// What is signalled, and does not mind.
const STUBBORN: &str = "trap \"\" TERM; while :; do sleep 1; done";

#[test]
fn the_active_deadline_ends_the_pod_within_its_grace() {
    let more = "activeDeadlineSeconds: 30\n  terminationGracePeriodSeconds: 5";
    let life = live(&pod(STUBBORN, more, ""), &[]);
    assert_eq!(life.events("DeadlineExceeded"), [30.0]);
    assert_eq!(life.processes("ended", STUBBORN), [(35.0, Some(137))]);
    let status = &life.pod()["status"];
    assert_eq!(
        (&status["phase"], &status["reason"]),
        (&"Failed".into(), &"DeadlineExceeded".into())
    );
    assert_eq!(life.code, Some(137), "{}", life.said);
}

#[test]
fn pre_stop_takes_its_time_from_the_grace_but_two_seconds_are_left() {
    // The grace, how long preStop takes, and when SIGKILL comes: the deadline is at 30.
    for (grace, hook, killed) in [(10, 4, 40.0), (10, 9, 41.0), (3, 60, 35.0), (1, 0, 32.0)] {
        let more = format!("activeDeadlineSeconds: 30\n  terminationGracePeriodSeconds: {grace}");
        let hook_field = format!("lifecycle: {{preStop: {{exec: {{command: [sleep, \"{hook}\"]}}}}}}");
        let life = live(&pod(STUBBORN, &more, &hook_field), &[]);
        let ended = life.processes("ended", STUBBORN);
        assert_eq!(
            ended,
            [(killed, Some(137))],
            "grace {grace}, preStop {hook}: {}",
            life.said
        );
        assert_eq!(life.starts(&hook.to_string()), [30.0], "grace {grace}, preStop {hook}");
    }
}

#[test]
fn probes_kill_at_their_threshold_with_their_own_grace() {
    // The probe, the times of its failures, and when the container is killed.
    let rows: [(&str, &[f64], f64); 3] = [
        (
            "livenessProbe: {exec: {command: [\"false\"]}, periodSeconds: 5, failureThreshold: 2",
            &[0.0, 5.0],
            9.0,
        ),
        (
            "livenessProbe: {exec: {command: [\"false\"]}, initialDelaySeconds: 7, failureThreshold: 3",
            &[7.0, 17.0, 27.0],
            31.0,
        ),
        (
            "startupProbe: {exec: {command: [\"false\"]}, initialDelaySeconds: 4, periodSeconds: 2, failureThreshold: 3",
            &[4.0, 6.0, 8.0],
            12.0,
        ),
    ];
    for (probe, failures, killed) in rows {
        let probe = format!("{probe}, terminationGracePeriodSeconds: 4}}");
        let life = live(&pod(STUBBORN, "restartPolicy: Never", &probe), &[]);
        assert_eq!(life.events("Unhealthy"), failures, "{probe}");
        assert_eq!(life.processes("ended", STUBBORN), [(killed, Some(137))], "{probe}");
    }
}

#[test]
fn a_guest_that_never_sleeps_cannot_stop_time() {
    let more = "restartPolicy: Never\n  activeDeadlineSeconds: 2\n  terminationGracePeriodSeconds: 1";
    for command in ["while :; do :; done", "while [ $(date +%s) != 0 ]; do :; done"] {
        let life = live(&pod(command, more, ""), &[]);
        assert_eq!(
            life.pod()["status"]["reason"],
            "DeadlineExceeded",
            "{command}: {}",
            life.said
        );
    }
}

#[test]
fn options_of_virtual_time_need_it() {
    let refuse = |options: &[&str]| User::new().podsim(&[&["run", "pod.yaml"], options].concat()).stderr;
    for (options, message) in [
        (vec!["--seed=1"], "error: --seed needs --clock=virtual\n"),
        (vec!["--trace=t"], "error: --trace needs --clock=virtual\n"),
        (vec!["--for=1s"], "error: --for needs --clock=virtual\n"),
        (
            vec!["--clock=virtual", "--backend=linux"],
            "error: --clock=virtual needs --backend=virtual\n",
        ),
        (
            vec!["--clock=virtual", "-d"],
            "error: --clock=virtual is over before anybody could look: leave -d out\n",
        ),
    ] {
        assert_eq!(refuse(&options), message);
    }
}

/// A sidecar, a preStop hook, probes of both kinds, and back-off.
const LIFE: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: life}
spec:
  terminationGracePeriodSeconds: 10
  initContainers:
  - {name: s, image: busybox, imagePullPolicy: Never, restartPolicy: Always, command: [sh, -c, 'while :; do sleep 7; echo $RANDOM; done']}
  containers:
  - name: a
    image: busybox
    imagePullPolicy: Never
    command: [sh, -c, 'trap "" TERM; while :; do sleep 1; done']
    lifecycle: {preStop: {exec: {command: [sleep, "3"]}}}
    livenessProbe: {exec: {command: [sh, -c, 'test $(date +%S) -lt 20']}, periodSeconds: 5, failureThreshold: 2}
  - name: b
    image: nginx
    imagePullPolicy: Never
    readinessProbe: {httpGet: {port: 80, path: /}, periodSeconds: 3}
"#;

/// The same in short: a probe that fails, a slow preStop, back-off.
const SHORT_LIFE: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: short}
spec:
  containers:
  - name: a
    image: busybox
    imagePullPolicy: Never
    command: [sleep, "1000"]
    lifecycle: {preStop: {exec: {command: [sleep, "1"]}}}
    livenessProbe: {exec: {command: ["false"]}, periodSeconds: 2, failureThreshold: 1}
  - {name: b, image: busybox, imagePullPolicy: Never, command: [sh, -c, 'echo $RANDOM; exit 1']}
"#;

fn check_repeated(life: &str, time: &str, times: usize) {
    let run = |seed: &str| live(life, &[time, seed]);
    let first = run("--seed=7");
    assert!(
        first.events("BackOff").len() > 1 || !first.events("Killing").is_empty(),
        "{}",
        first.said
    );
    let threads = 4;
    let repeat = || {
        for _ in 0..times.div_ceil(threads) {
            let again = run("--seed=7");
            assert!(
                again.trace == first.trace,
                "{}",
                first_difference(&first.trace, &again.trace)
            );
            assert_eq!(again.said, first.said);
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(repeat))));
    assert!(run("--seed=8").trace != first.trace);
}

fn first_difference(a: &str, b: &str) -> String {
    let pairs = a.lines().zip(b.lines());
    let found = pairs.enumerate().find(|(_, (a, b))| a != b);
    format!("first different line: {found:#?}")
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    check_repeated(LIFE, "--for=90s", 48);
}

#[test]
fn the_same_seed_gives_the_same_trace_a_thousand_times() {
    check_repeated(SHORT_LIFE, "--for=15s", 1000);
}

#[test]
fn a_limit_of_cpu_makes_a_program_take_longer() {
    let seconds = |limit: &str| {
        let pod = format!(
            "apiVersion: v1
kind: Pod
metadata: {{name: a}}
spec:
  restartPolicy: Never
  containers:
  - name: a
    image: busybox
    resources: {{limits: {{{limit}}}}}
    command:
    - sh
    - -c
    - 'began=$(date +%s); i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo >/dev/null; done; echo took $(($(date +%s) - began));
      grep nr_throttled /sys/fs/cgroup/cpu.stat'
"
        );
        live(&pod, &[]).said
    };
    let (free, tenth, hundredth) = (seconds(""), seconds("cpu: 100m"), seconds("cpu: 10m"));
    assert!(free.contains("took 0\nnr_throttled 0\n"), "{free}");
    let took = |said: &str| -> u32 {
        let line = said.lines().find_map(|line| line.strip_prefix("took "));
        line.and_then(|seconds| seconds.parse().ok())
            .unwrap_or_else(|| panic!("{said}"))
    };
    // It has computed for two thirds of a second.
    assert!((5..=8).contains(&took(&tenth)), "{tenth}");
    assert!((55..=75).contains(&took(&hundredth)), "{hundredth}");
    assert_eq!(seconds("cpu: 10m"), hundredth, "the same every time");
}
