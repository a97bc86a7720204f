//! Pods resized in place, on both backends.

use super::Served;
use crate::podsim::{Said, User};

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: busybox
    command: [sleep, \"1000\"]
    resources: {requests: {cpu: 100m, memory: 16Mi}, limits: {cpu: 200m, memory: 128Mi}}
";

/// What the container's own control group says, whatever its version.
const LIMITS: &str = "exec p -- sh -c 'cd /sys/fs/cgroup; cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes; \
                      cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us cpu,cpuacct/cpu.cfs_quota_us 2>/dev/null'";

fn resize(served: &Served, resources: &str) -> Said {
    let patch = format!(r#"{{"spec":{{"containers":[{{"name":"main","resources":{resources}}}]}}}}"#);
    let args = ["patch", "pod", "p", "--subresource", "resize", "-p", &patch];
    served.command(&args).output().expect("kubectl runs").into()
}

/// The limit of the memory in bytes and that of the CPU in microseconds.
fn limits(served: &Served) -> (u64, u64) {
    let said = served.kubectl(LIMITS);
    let mut numbers = said.stdout.split_whitespace().map(|word| word.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Waits until the container has this memory limit.
fn becomes(served: &Served, memory: &str) {
    let path = "{.status.containerStatuses[0].resources.limits.memory}";
    let wait = format!("wait --for=jsonpath={path}={memory} pod/p --timeout=20s");
    served.says(&wait, "pod/p condition met\n");
}

fn a_pod_is_resized(served: &Served, enforced: bool) {
    served.user.file("pod.yaml", POD);
    served.says("apply -f pod.yaml", "pod/p created\n");
    served.says(
        "wait --for=condition=Ready pod/p --timeout=20s",
        "pod/p condition met\n",
    );
    if enforced {
        assert_eq!(limits(served), (128 << 20, 20_000));
    }
    let said = resize(served, r#"{"limits":{"cpu":"300m","memory":"96Mi"}}"#);
    assert_eq!(said.stdout, "pod/p patched\n", "{}", said.whole());
    becomes(served, "96Mi");
    if enforced {
        assert_eq!(limits(served), (96 << 20, 30_000));
    }
    // An editor that writes another number.
    let mut edit = served.command(&["edit", "pod", "p", "--subresource=resize"]);
    edit.env("KUBE_EDITOR", "sed -i s/96Mi/80Mi/");
    let said = Said::from(edit.output().expect("kubectl runs"));
    assert_eq!(said.stdout, "pod/p edited\n", "{}", said.whole());
    becomes(served, "80Mi");
    if enforced {
        assert_eq!(limits(served), (80 << 20, 30_000));
    }
    served.says(
        "get pod p -o jsonpath={.status.containerStatuses[0].restartCount},{.status.containerStatuses[0].allocatedResources.memory}",
        "0,16Mi",
    );
    served.has(
        "get events --field-selector involvedObject.name=p",
        &["ResizeStarted", "ResizeCompleted"],
    );
    for (resources, error) in [
        (
            r#"{"requests":{"cpu":"300m","memory":"80Mi"}}"#,
            "spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing",
        ),
        (
            r#"{"limits":{"cpu":null}}"#,
            "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
        ),
        (
            r#"{"requests":{"cpu":"2"}}"#,
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 300m",
        ),
    ] {
        let said = resize(served, resources);
        assert!(said.stderr.contains(error), "{resources}: {}", said.whole());
    }
    served.fails(
        r#"patch pod p -p {"spec":{"containers":[{"name":"main","resources":{"limits":{"cpu":"1"}}}]}}"#,
        "pod updates may not change fields other than",
    );
    let said = resize(served, r#"{"requests":{"cpu":"1000"},"limits":{"cpu":"1000"}}"#);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    served.says(
        "wait --for=condition=PodResizePending pod/p --timeout=20s",
        "pod/p condition met\n",
    );
    served.has(
        "describe pod p",
        &[
            "PodResizePending",
            "ResizeInfeasible",
            "Node didn't have enough capacity: cpu, requested: 1000000",
        ],
    );
}

#[test]
fn a_pod_of_the_virtual_backend_is_resized() {
    let Some(served) = Served::start() else { return };
    a_pod_is_resized(&served, true);
    // The guest feels it: dd wants its whole block in memory.
    let dd = "exec p -- dd if=/dev/zero of=/dev/null bs=60M count=1";
    let said = served.kubectl(dd);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let said = resize(
        &served,
        r#"{"requests":{"cpu":"100m"},"limits":{"cpu":"300m","memory":"40Mi"}}"#,
    );
    assert_eq!(said.code, Some(0), "{}", said.whole());
    becomes(&served, "40Mi");
    let said = served.kubectl(dd);
    assert_eq!(said.code, Some(137), "{}", said.whole());
}

#[cfg(target_os = "linux")]
#[test]
fn a_pod_of_the_linux_backend_is_resized() {
    if !crate::podsim::is_root() {
        return;
    }
    let node = User::new();
    node.file("node.yaml", "interfaces: [{name: eth0, address: 192.168.78.2/24}]\n");
    let config = format!("--node-config={}", node.home().join("node.yaml").display());
    let Some(served) = Served::start_with(&["--backend=linux", &config]) else {
        return;
    };
    // Without control groups podsim says so, and nothing is limited.
    let writable = podsim_linux::cgroup::Manager::detect();
    let enforced = podsim_linux::cgroup::Controller::ALL
        .iter()
        .all(|controller| matches!(writable.support(*controller), podsim_linux::cgroup::Support::Used(_)));
    a_pod_is_resized(&served, enforced);
}
