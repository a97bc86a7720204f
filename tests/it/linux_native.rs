//! Programs of Debian's packages (`busybox-static`, `nginx-light`) in images made of them, in Pods beside WebAssembly programs. Needs root, and
//! says so where there is none.

use crate::nodes::Node;
use crate::podsim::{User, is_root};
use std::fs;
use std::path::Path;
use std::process::Command;

const BUSYBOX: &str = "/bin/busybox";
const NGINX: &str = "/usr/sbin/nginx";
const PAGE: &str = "a page of the native nginx\n";

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: mixed}
spec:
  shareProcessNamespace: true
  terminationGracePeriodSeconds: 5
  volumes: [{name: shared, emptyDir: {}}]
  containers:
  - name: web
    image: native-nginx:1
    readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
  - name: native
    image: native-busybox:1
    command: [sh, -c, 'echo of the native shell > /shared/note; exec sleep 1000']
    volumeMounts: [{name: shared, mountPath: /shared}]
  - name: wasm
    image: busybox
    command: [sleep, '1001']
    volumeMounts: [{name: shared, mountPath: /shared}]
";

/// Copies a file to the same place below a root filesystem.
fn copy(path: &Path, root: &Path) {
    let to = root.join(path.strip_prefix("/").expect("absolute"));
    fs::create_dir_all(to.parent().expect("below a root")).expect("a directory");
    fs::copy(path, to).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// A program, and the libraries that it is linked with (`ldd`).
fn copy_program(path: &str, root: &Path) {
    copy(Path::new(path), root);
    let output = Command::new("ldd").arg(path).output().expect("ldd, of libc-bin");
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
        copy(Path::new(library), root);
    }
}

/// A root filesystem, in the user's directory.
fn root(user: &User, name: &str, program: &str, directories: &[&str], files: &[(&str, &str)]) {
    let root = user.home().join(name);
    for directory in directories {
        fs::create_dir_all(root.join(directory)).expect("a directory");
    }
    for (name, content) in files {
        fs::write(root.join(name), content).expect("a file");
    }
    copy_program(program, &root);
}

/// Images of both programs.
fn import(node: &Node) {
    let user = &node.user;
    root(
        user,
        "busybox",
        BUSYBOX,
        &["tmp", "etc"],
        &[("etc/passwd", "root:x:0:0::/:/bin/sh\n")],
    );
    let applets = Command::new(BUSYBOX).arg("--list").output().expect("busybox");
    for applet in String::from_utf8_lossy(&applets.stdout)
        .lines()
        .filter(|name| *name != "busybox")
    {
        std::os::unix::fs::symlink("busybox", user.home().join("busybox/bin").join(applet)).expect("a link");
    }
    let configuration =
        "user nobody nogroup;\nevents {}\nhttp {\n  access_log /dev/stdout;\n  server { listen 80; root /srv; }\n}\n";
    root(
        user,
        "nginx",
        NGINX,
        &["etc/nginx", "run", "srv", "var/log/nginx", "var/lib/nginx"],
        &[
            ("etc/nginx/nginx.conf", configuration),
            (
                "etc/passwd",
                "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
            ),
            ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
            ("srv/index.html", PAGE),
        ],
    );
    node.succeeds(&[
        "image",
        "import-rootfs",
        "busybox",
        "native-busybox:1",
        "--cmd",
        r#"["sh"]"#,
    ]);
    let command = r#"["/usr/sbin/nginx", "-g", "daemon off;"]"#;
    node.succeeds(&["image", "import-rootfs", "nginx", "native-nginx:1", "--cmd", command]);
}

#[test]
fn native_and_wasm_containers_share_the_namespaces_of_their_pod() {
    if !is_root() {
        return;
    }
    for (program, package) in [(BUSYBOX, "busybox-static"), (NGINX, "nginx-light")] {
        if !Path::new(program).exists() {
            eprintln!("not run: there is no {program}: apt-get install {package}");
            return;
        }
    }
    let node = Node::linux(User::new());
    import(&node);
    node.run(POD, &["--wait"]);
    let sh =
        |container: &str, script: &str| node.succeeds(&["exec", "mixed", "-c", container, "--", "sh", "-c", script]);

    // One network: each shell's own wget sees the page.
    for container in ["native", "wasm"] {
        assert_eq!(sh(container, "wget -q -O - http://localhost/"), PAGE, "{container}");
    }
    let log = node.succeeds(&["logs", "mixed", "-c", "web"]);
    assert!(log.matches("\"GET / HTTP/1.1\" 200").count() >= 2, "{log}");

    // One tree of processes, with pause as its first, in each ps.
    for container in ["native", "wasm"] {
        let processes = sh(container, "ps -o pid,args");
        for process in [
            "    1 /pause",
            "nginx: master process /usr/sbin/nginx",
            "nginx: worker process",
            "sleep 1000",
            "sleep 1001",
        ] {
            assert!(processes.contains(process), "{container}: {process}\n{processes}");
        }
    }

    // The same namespaces but for the mounts, and what is shared of those is a volume.
    let namespace = |container: &str, kind: &str| sh(container, &format!("readlink /proc/self/ns/{kind}"));
    for kind in ["pid", "net", "ipc"] {
        assert_eq!(namespace("native", kind), namespace("wasm", kind));
    }
    assert_ne!(namespace("native", "mnt"), namespace("wasm", "mnt"));
    assert_eq!(sh("wasm", "cat /shared/note"), "of the native shell\n");

    // Signals go both ways, and the containers are restarted. Their statuses are in the order of their names.
    for (index, from, pattern) in [(0, "wasm", "[s]leep 1000"), (1, "native", "[s]leep 1001")] {
        let find = format!("ps -o pid,args | grep '{pattern}' | sed 's/^ *//; s/ .*//'");
        sh(from, &format!("kill -9 $({find})"));
        let status = format!("{{.status.containerStatuses[{index}]");
        let restarted = format!("--for=jsonpath={status}.restartCount}}=1");
        node.succeeds(&["wait", "pod/mixed", &restarted, "--timeout=60s"]);
        let killed = format!("--for=jsonpath={status}.lastState.terminated.exitCode}}=137");
        node.succeeds(&["wait", "pod/mixed", &killed, "--timeout=60s"]);
    }
}
