//! The verbs as a user meets them: exit codes, messages, nodes that come and go.

use crate::podsim::{Said, User};
use std::process::Stdio;

fn job(command: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: job}}\nspec:\n  restartPolicy: Never\n  containers:\n  - name: a\n    \
         image: busybox\n    command: [sh, -c, '{command}']\n"
    )
}

const SLEEPER: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: sleeper, labels: {app: sleeper}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: a, image: busybox, command: [sleep, \"1000\"]}
  - {name: b, image: busybox, command: [sleep, \"1000\"]}
";

/// A node in the background that ends with the test.
struct Background(User);

impl Background {
    fn start(manifest: &str) -> Self {
        let user = User::new();
        user.file("pod.yaml", manifest);
        let said = user.podsim(&["run", "-d", "--wait", "pod.yaml"]);
        assert_eq!(said.code, Some(0), "{}", said.whole());
        Self(user)
    }

    fn podsim(&self, args: &[&str]) -> Said {
        self.0.podsim(args)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.podsim(&["node", "stop"]);
    }
}

#[test]
fn run_ends_as_its_pod_does() {
    for (command, code, output) in [
        ("echo done", 0, "done\n"),
        ("echo oops; exit 3", 3, "oops\n"),
        ("exit 137", 137, ""),
    ] {
        let user = User::new();
        user.file("job.yaml", &job(command));
        let said = user.podsim(&["run", "job.yaml"]);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (Some(code), output),
            "{command}: {}",
            said.whole()
        );
        assert_eq!(said.stderr, "pod/job created\n");
    }
}

#[test]
fn bad_input_gets_one_message_with_its_place_and_leaves_nothing_behind() {
    let pod = |container: &str| {
        format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: bad\nspec:\n  containers:\n  - name: a\n{container}")
    };
    for (manifest, expected) in [
        ("a: b: c\n".to_owned(), "pod.yaml:1:5: "),
        (
            pod("    image: busybox\n    hostAliases: []\n"),
            "hint: hostAliases belongs to the Pod (spec.hostAliases)",
        ),
        (pod("    image: busybox\n    tty: 3\n"), "pod.yaml:9:"),
        (
            pod("    image: nosuch\n    imagePullPolicy: Never\n"),
            "pod.yaml:8:5: spec.containers[0].image: container \"a\" of pod \"bad\": ErrImageNeverPull",
        ),
        (
            pod("    image: busybox\n    command: [nope]\n"),
            "pod.yaml:9:5: spec.containers[0].command: container \"a\" of pod \"bad\": StartError",
        ),
    ] {
        let user = User::new();
        user.file("pod.yaml", &manifest);
        let said = user.podsim(&["run", "pod.yaml"]);
        assert_eq!(said.code, Some(1), "{manifest}\n{}", said.whole());
        assert!(said.stderr.contains(expected), "{manifest}\n{}", said.whole());
        assert_eq!(user.podsim(&["node", "ls"]).stdout, "", "a node is left behind");
    }
}

#[test]
fn verbs_without_a_node_say_how_to_get_one() {
    let said = User::new().podsim(&["get", "pods"]);
    assert_eq!(
        said.whole(),
        "exit code 1\n--- stdout\n--- stderr\nerror: no podsim node is running: start one with `podsim run FILE`\n"
    );
}

#[test]
fn the_verbs_work_on_a_node_in_the_background() {
    let node = Background::start(SLEEPER);
    let get = node
        .podsim(&["get", "pods", "-l", "app=sleeper", "--no-headers"])
        .stdout;
    assert!(get.starts_with("sleeper   2/2   Running   0     "), "{get}");
    assert_eq!(
        node.podsim(&["get", "pod", "sleeper", "-o", "name"]).stdout,
        "pod/sleeper\n"
    );

    let exec = node.podsim(&["exec", "sleeper", "--", "sh", "-c", "echo out; exit 4"]);
    assert_eq!((exec.code, exec.stdout.as_str()), (Some(4), "out\n"));
    assert_eq!(
        exec.stderr,
        "Defaulted container \"a\" out of: a, b\ncommand terminated with exit code 4\n"
    );
    let missing = node.podsim(&["exec", "sleeper", "-c", "b", "--", "nope"]);
    assert_eq!(missing.code, Some(127), "{}", missing.whole());
    assert!(
        missing
            .stderr
            .contains("exec: \"nope\": executable file not found in $PATH"),
        "{}",
        missing.whole()
    );

    let wait = node.podsim(&["wait", "--for=condition=Ready", "pod/sleeper"]);
    assert_eq!(wait.stdout, "pod/sleeper condition met\n", "{}", wait.whole());
    let again = node.podsim(&["create", "-f", "pod.yaml"]);
    assert_eq!(
        again.stderr,
        "Error from server (AlreadyExists): error when creating \"pod.yaml\": pods \"sleeper\" already exists\n"
    );
    let namespaces = node.podsim(&["namespaces", "sleeper"]).stdout;
    let net: Vec<&str> = namespaces.lines().filter(|line| line.contains("net:[")).collect();
    assert_eq!(net.len(), 3, "{namespaces}");
    assert!(
        net.iter().all(|line| line.contains("spec.hostNetwork is not set")),
        "{namespaces}"
    );

    let delete = node.podsim(&["delete", "pod", "sleeper"]);
    assert_eq!(delete.stdout, "pod \"sleeper\" deleted\n", "{}", delete.whole());
    let gone = node.podsim(&["get", "pod", "sleeper"]);
    assert_eq!(
        gone.stderr,
        "Error from server (NotFound): pods \"sleeper\" not found\n"
    );
}

#[test]
fn the_nodes_shell_has_the_tools_of_a_node() {
    let node = Background::start(SLEEPER);
    let shell = |command: &str| node.podsim(&["node", "shell", "--", "sh", "-c", command]);
    let kubectl = shell("kubectl get pods | grep sleeper").stdout;
    assert!(
        kubectl.starts_with("sleeper   2/2     Running   0          "),
        "{kubectl}"
    );
    assert_eq!(shell("k exec sleeper -c b -- hostname").stdout, "sleeper\n");
    assert_eq!(shell("docker ps -q").stdout.lines().count(), 3);
    let pid = shell("docker inspect -f '{{.State.Pid}}' $(docker ps -q)").stdout;
    assert!(
        pid.lines().all(|pid| pid.parse::<u32>().is_ok_and(|pid| pid > 1)),
        "{pid}"
    );
    let crictl = shell("crictl pods").stdout;
    assert!(
        crictl
            .lines()
            .nth(1)
            .is_some_and(|line| line.contains("Ready") && line.contains("sleeper")),
        "{crictl}"
    );
    assert_eq!(shell("kubectl get nope").code, Some(1));
}

#[test]
fn a_partitioned_node_can_be_healed() {
    let node = Background::start(SLEEPER);
    assert!(node.podsim(&["node", "partition"]).stdout.contains("is cut off"));
    assert!(node.podsim(&["node", "heal"]).stdout.contains("is connected"));
}

/// The first Ctrl-C is a graceful deletion: the trap of the shell runs, and the exit code is 0.
#[cfg(unix)]
#[test]
fn ctrl_c_deletes_the_pod_gracefully() {
    use std::io::{BufRead, BufReader, Read};
    let user = User::new();
    user.file(
        "pod.yaml",
        &job("trap \"echo bye; exit 0\" TERM; echo ready; while true; do sleep 0.1; done"),
    );
    let mut podsim = user
        .command(&["run", "pod.yaml"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("podsim runs");
    let mut output = BufReader::new(podsim.stdout.take().expect("stdout"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    let kill = std::process::Command::new("kill")
        .args(["-INT", &podsim.id().to_string()])
        .status();
    assert!(kill.is_ok_and(|status| status.success()));
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("the rest");
    assert_eq!(rest, "bye\n");
    assert_eq!(podsim.wait().expect("an end").code(), Some(0));
}
