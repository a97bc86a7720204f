//! Volumes as containers see them, on every backend. `mounttest` prints what the tests of Kubernetes itself look at.

use crate::nodes::{Node, on_each_node};

/// What most Pods here show.
const SOURCES: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
data: {data-1: 'value-1', data-2: 'value-2'}
binaryData: {dump: AQID}
---
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {data-1: 'secret-1'}
---
";

/// A container that looks at files with `mounttest`.
struct Look {
    name: &'static str,
    /// Fields of the container in YAML.
    fields: &'static str,
    args: &'static [&'static str],
    /// What it prints.
    expected: &'static str,
}

/// A Pod whose containers look and end; `spec` is YAML, indented by two.
fn looking(name: &str, spec: &str, looks: &[Look]) -> String {
    let container = |look: &Look| {
        let Look { name, fields, args, .. } = look;
        format!(
            "  - {{name: {name}, image: 'registry.k8s.io/e2e-test-images/agnhost:2.47', args: [mounttest, {}], {fields}}}\n",
            args.join(", ")
        )
    };
    let containers: String = looks.iter().map(container).collect();
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{b: '2', a: '1'}}, annotations: {{builder: bar}}}}
spec:
  restartPolicy: Never
{spec}  containers:
{containers}---
"
    )
}

/// A text for nodes where all are root.
fn adapted(node: &Node, text: &str) -> String {
    if !node.only_root {
        return text.to_owned();
    }
    ["1000", "1001"]
        .iter()
        .fold(text.to_owned(), |text, id| text.replace(&format!(": {id}"), ": 0"))
}

/// Waits for the end of the Pod and compares what its containers have printed.
fn check(node: &Node, pod: &str, looks: &[Look]) {
    let name = format!("pod/{pod}");
    node.succeeds(&[
        "wait",
        "--for=jsonpath={.status.phase}=Succeeded",
        &name,
        "--timeout=60s",
    ]);
    for look in looks {
        let said = node.succeeds(&["logs", pod, "-c", look.name]);
        let expected = adapted(node, look.expected);
        assert_eq!(
            said.trim_end(),
            expected.trim_end(),
            "{}: {pod} {}",
            node.backend,
            look.name
        );
    }
}

#[test]
fn files_of_volumes_have_their_content_modes_and_owners() {
    let plain = [
        Look {
            name: "config-map",
            fields: "volumeMounts: [{name: cm, mountPath: /v}]",
            args: &["--file_content=/v/data-1", "--file_mode=/v/data-1"],
            expected: "mode of file \"/v/data-1\": -rw-r--r--\ncontent of file \"/v/data-1\": value-1",
        },
        Look {
            name: "default-mode",
            fields: "volumeMounts: [{name: strict, mountPath: /v}]",
            args: &["--file_content=/v/data-1", "--file_mode=/v/data-1", "--fs_type=/v"],
            expected: "mount type of \"/v\": tmpfs\nmode of file \"/v/data-1\": -r--------\ncontent of file \"/v/data-1\": secret-1",
        },
        Look {
            name: "mapped",
            fields: "volumeMounts: [{name: mapped, mountPath: /v}], securityContext: {runAsUser: 1000}",
            args: &["--file_content=/v/path/to/data-2", "--file_mode=/v/path/to/data-2"],
            expected: "mode of file \"/v/path/to/data-2\": -r--r--r--\ncontent of file \"/v/path/to/data-2\": value-2",
        },
        Look {
            name: "binary",
            fields: "volumeMounts: [{name: cm, mountPath: /v, subPath: dump}]",
            args: &["--file_content=/v"],
            expected: "content of file \"/v\": \u{1}\u{2}\u{3}",
        },
        Look {
            name: "labels",
            fields: "volumeMounts: [{name: pod, mountPath: /etc/podinfo}]",
            args: &["--file_content=/etc/podinfo/labels", "--file_mode=/etc/podinfo/labels"],
            expected: "mode of file \"/etc/podinfo/labels\": -r--------\ncontent of file \"/etc/podinfo/labels\": a=\"1\"\nb=\"2\"",
        },
        Look {
            name: "cpu",
            fields: "volumeMounts: [{name: pod, mountPath: /etc/podinfo}], resources: {limits: {cpu: 1250m}}",
            args: &["--file_content=/etc/podinfo/cpu", "--file_mode=/etc/podinfo/cpu"],
            expected: "mode of file \"/etc/podinfo/cpu\": -r--r--r--\ncontent of file \"/etc/podinfo/cpu\": 2",
        },
        Look {
            name: "all-in-one",
            fields: "volumeMounts: [{name: projected, mountPath: /all}]",
            args: &["--file_content=/all/secret/data-1", "--file_mode=/all/name"],
            expected: "mode of file \"/all/name\": -rw-r-----\ncontent of file \"/all/secret/data-1\": secret-1",
        },
    ];
    let volumes = "  volumes:
  - {name: cm, configMap: {name: cm}}
  - {name: strict, secret: {secretName: secret, defaultMode: 0400}}
  - {name: mapped, configMap: {name: cm, items: [{key: data-2, path: path/to/data-2, mode: 0444}]}}
  - name: pod
    downwardAPI:
      defaultMode: 0400
      items:
      - {path: labels, fieldRef: {fieldPath: metadata.labels}}
      - {path: cpu, mode: 0444, resourceFieldRef: {containerName: cpu, resource: limits.cpu}}
  - name: projected
    projected:
      defaultMode: 0640
      sources:
      - {configMap: {name: cm}}
      - {secret: {name: secret, items: [{key: data-1, path: secret/data-1}]}}
      - {downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}
";
    let grouped = [Look {
        name: "c",
        fields: "volumeMounts: [{name: strict, mountPath: /v}]",
        args: &[
            "--file_content=/v/data-1",
            "--file_mode=/v/data-1",
            "--file_owner=/v/data-1",
        ],
        expected: "mode of file \"/v/data-1\": -r--r-----\nowner UID of \"/v/data-1\": 0\nowner GID of \"/v/data-1\": 1001\n\
                   content of file \"/v/data-1\": secret-1",
    }];
    let with_group = "  securityContext: {runAsUser: 1000, fsGroup: 1001}
  volumes:
  - {name: strict, secret: {secretName: secret, defaultMode: 0440}}
";
    let manifest = [
        SOURCES,
        &looking("plain", volumes, &plain),
        &looking("grouped", with_group, &grouped),
    ]
    .concat();
    on_each_node(|node| {
        node.run(&adapted(node, &manifest), &[]);
        check(node, "plain", &plain);
        check(node, "grouped", &grouped);
    });
}

#[test]
fn an_empty_dir_is_everybodys_and_its_files_have_their_modes() {
    let looks = [
        Look {
            name: "root",
            fields: "volumeMounts: [{name: v, mountPath: /test-volume}]",
            args: &["--new_file_0644=/test-volume/root", "--file_perm=/test-volume/root"],
            expected: "content of file \"/test-volume/root\": mount-tester new file\n\nperms of file \"/test-volume/root\": -rw-r--r--\n",
        },
        Look {
            name: "others",
            fields: "volumeMounts: [{name: v, mountPath: /test-volume}], securityContext: {runAsUser: 1001}",
            args: &["--new_file_0777=/test-volume/others", "--file_perm=/test-volume/others"],
            expected: "content of file \"/test-volume/others\": mount-tester new file\n\nperms of file \"/test-volume/others\": -rwxrwxrwx\n",
        },
        Look {
            name: "memory",
            fields: "volumeMounts: [{name: m, mountPath: /test-volume}]",
            args: &["--fs_type=/test-volume", "--file_perm=/test-volume"],
            expected: "mount type of \"/test-volume\": tmpfs\nperms of file \"/test-volume\": -rwxrwxrwx\n",
        },
    ];
    let volumes = "  volumes: [{name: v, emptyDir: {}}, {name: m, emptyDir: {medium: Memory}}]\n";
    on_each_node(|node| {
        node.run(&adapted(node, &looking("x", volumes, &looks)), &[]);
        check(node, "x", &looks);
    });
}

/// A Pod that sleeps, with the ConfigMap and an optional Secret in its volumes.
const FOLLOWING: &str = "apiVersion: v1
kind: Pod
metadata: {name: x, labels: {stage: one}}
spec:
  terminationGracePeriodSeconds: 0
  volumes:
  - {name: cm, configMap: {name: cm}}
  - {name: later, projected: {sources: [{secret: {name: later, optional: true}}]}}
  - {name: e, emptyDir: {}}
  containers:
  - name: c
    image: busybox
    command: [sleep, '1000']
    volumeMounts:
    - {name: cm, mountPath: /cm}
    - {name: cm, mountPath: /one, subPath: data-1}
    - {name: later, mountPath: /later}
    - {name: e, mountPath: /part, subPath: a/b}
    - {name: e, mountPath: /whole, readOnly: true}
";

#[test]
fn volumes_follow_what_they_show_but_parts_of_them_do_not() {
    on_each_node(|node| {
        node.run(&format!("{SOURCES}{FOLLOWING}"), &["--wait"]);
        let sh = |script: &str| node.succeeds(&["exec", "x", "--", "sh", "-c", script]);
        assert_eq!(sh("cat /cm/data-1 /one; ls /later"), "value-1value-1");
        assert_eq!(
            sh("touch /part/f; stat -c %a /whole/a /whole/a/b; ls /whole/a/b"),
            "777\n777\nf\n"
        );
        let refused = sh("for f in /cm/new /one /later/new /whole/new; do touch $f 2>&1 || true; done");
        assert_eq!(refused.matches("Read-only file system").count(), 4, "{refused}");

        let changed = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {data-1: 'changed', data-3: 'value-3'}\n---\n\
                       apiVersion: v1\nkind: Secret\nmetadata: {name: later}\nstringData: {key: 'word'}\n";
        node.user.file("changed.yaml", changed);
        node.succeeds(&["delete", "configmap", "cm"]);
        assert_eq!(sh("cat /cm/data-1"), "value-1", "the files outlive their ConfigMap");
        node.succeeds(&["apply", "-f", "changed.yaml"]);
        let seen = sh(
            "until grep -q changed /cm/data-1 && [ -e /later/key ]; do sleep 0.1; done; \
                       ls /cm; ls -A /cm | wc -l; cat /cm/data-3 /one /later/key",
        );
        assert_eq!(seen, "data-1\ndata-3\n4\nvalue-3value-1word", "{}", node.backend);
        node.succeeds(&["delete", "secret", "later"]);
        sh("until [ ! -e /later/key ]; do sleep 0.1; done");
    });
}

#[test]
fn a_pod_waits_for_a_config_map_that_is_not_there_yet() {
    on_each_node(|node| {
        node.run(FOLLOWING, &[]);
        let told = "MountVolume.SetUp failed for volume \"cm\" : configmap \"cm\" not found";
        node.succeeds(&[
            "wait",
            "--for=jsonpath={.status.phase}=Pending",
            "pod/x",
            "--timeout=60s",
        ]);
        loop {
            let events = node.succeeds(&["describe", "pod", "x"]);
            if events.contains(told) {
                assert!(events.contains("FailedMount"), "{events}");
                break;
            }
        }
        node.user.file("sources.yaml", SOURCES);
        node.succeeds(&["apply", "-f", "sources.yaml"]);
        node.succeeds(&["wait", "--for=condition=Ready", "pod/x", "--timeout=60s"]);
    });
}

/// A claim of the default class, and two Pods that use it one after the other; the first has a claim of its own, too.
const CLAIMED: &str = "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  restartPolicy: Never
  securityContext: {runAsUser: 1000, fsGroup: 1001}
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: data}}
  - {name: files, image: {reference: nginx}}
  - name: scratch
    ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}}
  containers:
  - name: c
    image: busybox
    command: [sh, -c, 'echo kept >/data/x && stat -c \"%a %u %g\" /data /data/x && touch /scratch/y && head -n 1 /files/etc/passwd; touch /files/z;
      /files/bin/sh -c true']
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: files, mountPath: /files}
    - {name: scratch, mountPath: /scratch}
---
";

/// See [`CLAIMED`].
const CLAIMED_AGAIN: &str = "apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  restartPolicy: Never
  volumes: [{name: data, persistentVolumeClaim: {claimName: data, readOnly: true}}]
  containers:
  - {name: c, image: busybox, command: [sh, -c, 'cat /data/x; touch /data/y'], volumeMounts: [{name: data, mountPath: /data}]}
---
";

#[test]
fn what_is_claimed_outlives_the_pod_and_goes_with_the_claim() {
    on_each_node(|node| {
        let phase = |pod: &str, phase: &str| {
            let condition = format!("--for=jsonpath={{.status.phase}}={phase}");
            node.succeeds(&["wait", &condition, pod, "--timeout=60s"]);
        };
        node.run(&adapted(node, CLAIMED), &[]);
        phase("pod/writer", "Failed");
        let owners = if node.only_root {
            "2777 0 0\n644 0 0\n"
        } else {
            "2777 0 1001\n644 1000 1001\n"
        };
        let image = "root:x:0:0:root:/root:/bin/bash\ntouch: /files/z: Read-only file system\nsh: /files/bin/sh: Permission denied\n";
        let expected = [owners, image].concat();
        assert_eq!(node.succeeds(&["logs", "writer"]), expected, "{}", node.backend);
        node.succeeds(&["delete", "pod", "writer"]);
        node.user.file("again.yaml", CLAIMED_AGAIN);
        node.succeeds(&["apply", "-f", "again.yaml"]);
        phase("pod/reader", "Failed");
        assert_eq!(
            node.succeeds(&["logs", "reader"]),
            "kept\ntouch: /data/y: Read-only file system\n",
            "{}",
            node.backend
        );
        let left = || node.succeeds(&["get", "pv", "-o", "name"]).lines().count();
        // The Pod's own claim has gone with it.
        while left() > 1 {}
        node.succeeds(&["delete", "pod", "reader"]);
        node.succeeds(&["delete", "pvc", "data"]);
        while left() > 0 {}
    });
}

/// Three containers that may mount, and see one volume in three ways.
const SPREAD: &str = "apiVersion: v1
kind: Pod
metadata: {name: spread}
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{name: v, hostPath: {path: /srv/spread, type: DirectoryOrCreate}}, {name: e, emptyDir: {}}]
  containers:
  - name: master
    image: busybox
    command: [sleep, '1000']
    securityContext: {privileged: true}
    volumeMounts: [{name: v, mountPath: /v, mountPropagation: Bidirectional}, {name: e, mountPath: /e, mountPropagation: Bidirectional}]
  - name: slave
    image: busybox
    command: [sleep, '1000']
    securityContext: {privileged: true}
    volumeMounts: [{name: v, mountPath: /v, mountPropagation: HostToContainer}, {name: e, mountPath: /e, mountPropagation: HostToContainer}]
  - name: private
    image: busybox
    command: [sleep, '1000']
    securityContext: {privileged: true}
    volumeMounts: [{name: v, mountPath: /v}, {name: e, mountPath: /e}]
---
";

/// Mounted when the mounts of [`SPREAD`] are there.
const READ_ONLY: &str = "apiVersion: v1
kind: Pod
metadata: {name: ro}
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{name: v, hostPath: {path: /srv/spread}}]
  containers:
  - name: c
    image: busybox
    command: [sleep, '1000']
    volumeMounts:
    - {name: v, mountPath: /ro, readOnly: true}
    - {name: v, mountPath: /rro, readOnly: true, recursiveReadOnly: Enabled}
    - {name: v, mountPath: /maybe, readOnly: true, recursiveReadOnly: IfPossible}
---
";

#[test]
fn mounts_are_seen_as_far_as_their_propagation_goes() {
    on_each_node(|node| {
        node.run(SPREAD, &["--wait"]);
        let sh = |pod: &str, container: &str, script: &str| {
            node.succeeds(&["exec", pod, "-c", container, "--", "sh", "-c", script])
        };
        let containers = ["master", "slave", "private"];
        for name in containers {
            let mount = |at: &str| {
                format!("mkdir {at}/{name} && mount -t tmpfs {name} {at}/{name} && echo {name} >{at}/{name}/f")
            };
            sh("spread", name, &format!("{} && {}", mount("/v"), mount("/e")));
        }
        // As upstream's test of it: each sees its own, and the slave the master's.
        for (name, seen) in [("master", "master"), ("slave", "master slave"), ("private", "private")] {
            for at in ["/v", "/e"] {
                let files = seen.split(' ').map(|of| format!("{at}/{of}/f\n")).collect::<String>();
                assert_eq!(
                    sh("spread", name, &format!("ls {at}/*/f")),
                    files,
                    "{} {name}",
                    node.backend
                );
            }
        }
        node.user.file("ro.yaml", READ_ONLY);
        node.succeeds(&["apply", "-f", "ro.yaml"]);
        node.succeeds(&["wait", "--for=condition=Ready", "pod/ro", "--timeout=60s"]);
        assert_eq!(
            sh(
                "ro",
                "c",
                "cat /ro/master/f /rro/master/f; for f in /ro/g /ro/master/g /rro/g /rro/master/g /maybe/master/g; do echo >$f && echo $f; done 2>/dev/null; :"
            ),
            "master\nmaster\n/ro/master/g\n",
            "{}",
            node.backend
        );
        let states = node.succeeds(&["get", "pod", "ro", "-o", "yaml"]);
        for (path, state) in [("/ro", "Disabled"), ("/rro", "Enabled"), ("/maybe", "Enabled")] {
            let told =
                format!("- mountPath: {path}\n      name: v\n      readOnly: true\n      recursiveReadOnly: {state}\n");
            assert!(states.contains(&told), "{states}");
        }
        // What is unmounted by one is gone for all who saw it.
        sh("spread", "master", "umount /e/master && umount /v/master");
        assert_eq!(sh("spread", "slave", "ls /e/*/f /v/*/f"), "/e/slave/f\n/v/slave/f\n");
    });
}
