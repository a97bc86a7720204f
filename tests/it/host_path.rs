//! `hostPath` volumes, and folders of the machine that are lent to the node, on every backend.

use crate::nodes::{Node, on_each_node};
use std::fs;

/// A Pod that sleeps, with these volumes (YAML, a line each) at `/NAME`.
fn sleeping(name: &str, volumes: &[(&str, &str)]) -> String {
    let volume = |(name, source): &(&str, &str)| format!("  - {{name: {name}, hostPath: {source}}}\n");
    let mount = |(name, _): &(&str, &str)| format!("    - {{name: {name}, mountPath: /{name}}}\n");
    let volumes_text: String = volumes.iter().map(volume).collect();
    let mounts: String = volumes.iter().map(mount).collect();
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 0
  volumes:
{volumes_text}  containers:
  - name: c
    image: busybox
    command: [sleep, '1000']
    volumeMounts:
{mounts}---
"
    )
}

fn sh(node: &Node, pod: &str, script: &str) -> String {
    node.succeeds(&["exec", pod, "--", "sh", "-c", script])
}

#[test]
fn pods_share_what_is_on_the_node_and_each_type_is_checked() {
    let writer = sleeping(
        "writer",
        &[
            ("dir", "{path: /srv/data, type: DirectoryOrCreate}"),
            ("file", "{path: /srv/file, type: FileOrCreate}"),
            ("plain", "{path: /srv/plain}"),
            ("device", "{path: /dev/null, type: CharDevice}"),
        ],
    );
    let reader = sleeping(
        "reader",
        &[
            ("dir", "{path: /srv/data, type: Directory}"),
            ("file", "{path: /srv/file, type: File}"),
        ],
    );
    let wrong = sleeping("wrong", &[("v", "{path: /srv/file, type: Directory}")]);
    let missing = sleeping("missing", &[("v", "{path: /srv/nothing, type: Socket}")]);
    on_each_node(|node| {
        node.run(&writer, &["--wait"]);
        sh(
            node,
            "writer",
            "echo one >/dir/a; echo two >/file; touch /plain/p; echo x >/device; mkdir /dir/sub; echo three >/dir/sub/b",
        );
        node.user.file("more.yaml", &format!("{reader}{wrong}{missing}"));
        node.succeeds(&["apply", "-f", "more.yaml"]);
        node.succeeds(&["wait", "--for=condition=Ready", "pod/reader", "--timeout=60s"]);
        assert_eq!(
            sh(node, "reader", "cat /dir/a /file /dir/sub/b"),
            "one\ntwo\nthree\n",
            "{}",
            node.backend
        );
        for (pod, told) in [
            (
                "wrong",
                "MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: /srv/file is not a directory",
            ),
            (
                "missing",
                "MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: /srv/nothing is not a socket file",
            ),
        ] {
            while !node.succeeds(&["describe", "pod", pod]).contains(told) {}
        }
        // What outlives its Pod is still there for the next.
        node.succeeds(&["delete", "pod", "writer"]);
        assert_eq!(sh(node, "reader", "ls /dir"), "a\nsub\n");
    });
}

#[test]
fn a_lent_folder_is_the_machines_own_and_nothing_outside_of_it_is_reached() {
    let pod = sleeping(
        "x",
        &[
            ("data", "{path: /lent}"),
            ("locked", "{path: /locked, type: Directory}"),
        ],
    );
    on_each_node(|node| {
        let home = node.user.home();
        let lent = home.join("lent");
        fs::create_dir_all(lent.join("old")).expect("made");
        fs::write(lent.join("old/f"), "from the machine").expect("written");
        fs::write(home.join("precious"), "secret").expect("written");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("../precious", lent.join("up")).expect("a link");
            std::os::unix::fs::symlink(home.join("precious"), lent.join("away")).expect("a link");
        }
        #[cfg(target_os = "linux")]
        if node.only_root {
            for path in [&lent, &lent.join("old"), &lent.join("old/f")] {
                std::os::unix::fs::chown(path, Some(65534), Some(65534)).expect("root");
            }
        }
        let path = lent.display();
        let config =
            format!("lend:\n- {{path: '{path}', at: /lent}}\n- {{path: '{path}', at: /locked, readOnly: true}}\n");
        node.run_configured(&config, &pod, &["--wait"]);
        assert_eq!(
            sh(node, "x", "cat /data/old/f; stat -c '%F %u' /data/old/f"),
            "from the machineregular file 0\n"
        );
        sh(
            node,
            "x",
            "mkdir -p /data/new/d; echo hello >/data/new/a; echo again >>/data/new/a; mv /data/new/a /data/new/d/b; \
                       ln /data/new/d/b /data/new/c; ln -s c /data/new/l; rm -r /data/old; chmod 640 /data/new/c",
        );
        let read = |name: &str| fs::read_to_string(lent.join(name)).unwrap_or_else(|error| error.to_string());
        assert_eq!(
            (read("new/d/b"), read("new/l")),
            ("hello\nagain\n".to_owned(), "hello\nagain\n".to_owned())
        );
        assert!(!lent.join("old").exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(lent.join("new/c")).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o640);
        }
        // What the user does is seen at once.
        fs::write(lent.join("late"), "late").expect("written");
        assert_eq!(
            sh(node, "x", "cat /data/late /locked/late; cat /data/new/l | tail -n 1"),
            "latelateagain\n"
        );
        fs::remove_file(lent.join("late")).expect("removed");
        let gone = sh(
            node,
            "x",
            "cat /data/late /data/up /data/away 2>&1 || true; touch /locked/x 2>&1 || true",
        );
        assert_eq!(
            gone.matches("No such file or directory").count(),
            3,
            "{}: {gone}",
            node.backend
        );
        assert_eq!(
            gone.matches("Read-only file system").count(),
            1,
            "{}: {gone}",
            node.backend
        );
    });
}
