//! Pods with user namespaces of their own (`hostUsers: false`), on every backend.

use crate::nodes::{Node, on_each_node};

const PODS: &str = "apiVersion: v1
kind: Pod
metadata: {name: own}
spec:
  hostUsers: false
  terminationGracePeriodSeconds: 0
  securityContext: {fsGroup: 2000}
  volumes:
  - {name: v, emptyDir: {}}
  - {name: m, emptyDir: {medium: Memory}}
  - {name: c, configMap: {name: cm, defaultMode: 0640}}
  containers:
  - name: a
    image: busybox
    command: [sh, -c, 'echo by root >/v/a; echo to the log >/dev/stdout; exec sleep 43210']
    volumeMounts: [{name: v, mountPath: /v}, {name: m, mountPath: /m}, {name: c, mountPath: /c}]
  - name: b
    image: busybox
    securityContext: {runAsUser: 1000}
    command: [sh, -c, 'echo by 1000 >/m/b; echo to the log >/dev/stdout; exec sleep 1000']
    volumeMounts: [{name: m, mountPath: /m}]
---
apiVersion: v1
kind: Pod
metadata: {name: other}
spec:
  hostUsers: false
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: busybox, command: [sleep, '1000']}
---
apiVersion: v1
kind: Pod
metadata: {name: node}
spec:
  hostPID: true
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: busybox, command: [sleep, '1000'], securityContext: {privileged: true}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
data: {key: value}
---
";

fn sh(node: &Node, pod: &str, script: &str) -> String {
    node.succeeds(&[
        "exec",
        pod,
        "-c",
        if pod == "own" { "a" } else { "c" },
        "--",
        "sh",
        "-c",
        script,
    ])
}

/// What user 0 of a Pod is on the node.
fn first_id(node: &Node, pod: &str) -> u64 {
    let map = sh(node, pod, "cat /proc/self/uid_map");
    let numbers: Vec<u64> = map
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    match numbers.as_slice() {
        [0, first, 65536] if *first >= 65536 && first % 65536 == 0 => *first,
        _ => panic!("{}: {pod}: {map}", node.backend),
    }
}

#[test]
fn the_root_of_a_pod_is_nobody_on_the_node() {
    on_each_node(|node| {
        if node.only_root {
            node.run(PODS, &[]);
            while !node
                .succeeds(&["describe", "pod", "other"])
                .contains("hostUsers: false needs a podsim of root")
            {}
            return;
        }
        node.run(PODS, &["--wait"]);
        let (own, other) = (first_id(node, "own"), first_id(node, "other"));
        assert_ne!(own, other);
        assert_eq!(
            sh(node, "node", "cat /proc/self/uid_map")
                .split_whitespace()
                .next_back(),
            Some("4294967295")
        );
        assert_eq!(
            sh(
                node,
                "own",
                "id -u; cat /v/a /m/b /c/key; stat -Lc '%u %g %a' / /tmp /etc/passwd /v /v/a /m/b /c/key /dev/shm /proc/self; cat /proc/self/gid_map | wc -l"
            ),
            "0\nby root\nby 1000\nvalue0 0 755\n0 0 1777\n0 0 644\n0 2000 2777\n0 2000 644\n1000 2000 644\n0 2000 640\n0 0 1777\n0 0 555\n1\n",
            "{}",
            node.backend
        );
        assert_eq!(
            node.succeeds(&["logs", "own", "--all-containers"]),
            "to the log\nto the log\n"
        );
        // The node's own see through it.
        let seen = sh(
            node,
            "node",
            "p=$(grep -l '4321[0]' /proc/[0-9]*/cmdline | head -n 1); p=${p%/cmdline}; grep -h Uid: $p/status; readlink $p/ns/user",
        );
        let theirs = sh(node, "own", "readlink /proc/self/ns/user");
        assert_eq!(
            seen,
            format!("Uid:\t{own}\t{own}\t{own}\t{own}\n{theirs}"),
            "{}",
            node.backend
        );
        assert_ne!(theirs, sh(node, "node", "readlink /proc/self/ns/user"));
        // Being root, it can do what is its Pod's own, and nothing of the node's.
        assert_eq!(sh(node, "own", "chown 1:2 /v/a; stat -c %u:%g /v/a"), "1:2\n");
        let refused = node.podsim(&["exec", "own", "-c", "a", "--", "sh", "-c", "ulimit -Hn 99999999"]);
        assert_ne!(refused.code, Some(0), "{}: {}", node.backend, refused.whole());
    });
}
