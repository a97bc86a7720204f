//! The shell of the busybox image against a corpus whose expected outputs the real BusyBox wrote
//! (`wasm-images/busybox/tests/sh`, see the script `expect` there).
//!
//! Each script runs by exec in a container of its own.

use podsim_cri::*;
use podsim_sys::ManualClock;
use podsim_virtual::{VirtualConfig, VirtualRuntime};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Makes the two files that the scripts find in their directory, and runs the script there.
const WRAPPER: &str =
    r#"cd /tmp; echo one > a.txt; echo two >> a.txt; echo x > b.txt; exec sh -c "$1" 2>&1 </dev/null"#;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wasm-images/busybox/tests/sh")
}

/// A node whose clock goes on in real time while the test runs.
fn node() -> VirtualRuntime {
    let clock = Arc::new(ManualClock::new(Duration::from_secs(1_750_000_000)));
    let ticking = clock.clone();
    tokio::spawn(async move {
        let tick = Duration::from_millis(5);
        let mut interval = tokio::time::interval(tick);
        loop {
            interval.tick().await;
            ticking.advance(tick);
        }
    });
    VirtualRuntime::new(VirtualConfig::new(clock)).expect("a node")
}

async fn container(runtime: &VirtualRuntime, sandbox: &SandboxId, image: &str) -> ContainerId {
    let config = ContainerConfig {
        metadata: ContainerMetadata {
            name: "main".to_owned(),
            attempt: 0,
        },
        image: image.to_owned(),
        // Waits for input that never comes.
        command: vec!["cat".to_owned()],
        stdin: true,
        namespaces: NamespaceOption {
            pid: NamespaceMode::Container,
            ..NamespaceOption::default()
        },
        ..ContainerConfig::default()
    };
    let id = runtime.create_container(sandbox, config).await.expect("a container");
    runtime.start_container(&id).await.expect("a start");
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_print_what_busybox_prints() {
    let runtime = node();
    let sandbox = PodSandboxConfig {
        metadata: PodSandboxMetadata {
            name: "corpus".to_owned(),
            uid: "corpus".to_owned(),
            namespace: "default".to_owned(),
            attempt: 0,
        },
        hostname: "corpus".to_owned(),
        ..PodSandboxConfig::default()
    };
    let sandbox = runtime.run_pod_sandbox(sandbox).await.expect("a sandbox");
    let mut different = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(corpus()).expect("the corpus") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "sh") {
            continue;
        }
        let scripts = std::fs::read_to_string(&path).expect("scripts");
        let outputs = std::fs::read_to_string(path.with_extension("out")).expect("outputs");
        let outputs = outputs.strip_suffix("%%\n").unwrap_or(&outputs).split("%%\n");
        for (script, want) in scripts.trim_end_matches('\n').split("\n%%\n").zip(outputs) {
            count += 1;
            let id = container(&runtime, &sandbox, "busybox").await;
            let command = ["sh", "-c", WRAPPER, "sh", script].map(str::to_owned);
            let got = match runtime.exec_sync(&id, &command, Some(Duration::from_secs(20))).await {
                Ok(output) => {
                    format!("{}[{}]\n", String::from_utf8_lossy(&output.stdout), output.exit_code)
                }
                Err(error) => format!("{error}\n"),
            };
            runtime.remove_container(&id).await.expect("removed");
            if got != want {
                different.push(format!("=== {script}\n--- want\n{want}--- got\n{got}"));
            }
        }
    }
    assert!(count > 200, "only {count} scripts were found");
    assert!(
        different.is_empty(),
        "{} of {count} scripts:\n{}",
        different.len(),
        different.join("\n")
    );
}

/// A shell on a terminal: what is typed, and what it must show up to the next prompt.
const SESSION: &[(&str, &str)] = &[
    ("", "/ # "),
    ("echo hello\n", "echo hello\r\nhello\r\n/ # "),
    ("nope\n", "nope\r\nsh: nope: not found\r\n/ # "),
    (
        "cd /x\n",
        "cd /x\r\nsh: cd: can't cd to /x: No such file or directory\r\n/ # ",
    ),
    ("if true\n", "if true\r\n> "),
    ("then echo yes; fi\n", "then echo yes; fi\r\nyes\r\n/ # "),
    ("echo abX\x7fc\n", "echo abX\x08 \x08c\r\nabc\r\n/ # "),
    ("\x1b[A\n", "echo abc\r\nabc\r\n/ # "),
    ("forgotten\x03", "forgotten^C\r\n/ # "),
    // The output says that the job has the terminal: keys typed earlier would be the shell's.
    ("(echo go; sleep 1000) | cat\n", "(echo go; sleep 1000) | cat\r\ngo\r\n"),
    (
        "\x1a",
        "^Z[1]+  Stopped                    (echo go; sleep 1000) | cat\r\n/ # ",
    ),
    (
        "jobs\n",
        "jobs\r\n[1]+  Stopped                    (echo go; sleep 1000) | cat\r\n/ # ",
    ),
    ("bg\n", "bg\r\n[1] (echo go; sleep 1000) | cat\r\n/ # "),
    ("fg\n", "fg\r\n(echo go; sleep 1000) | cat\r\n"),
    ("\x03", "^C\r\n/ # "),
    ("echo $?\n", "echo $?\r\n130\r\n/ # "),
    ("while :; do sleep 1000; done\n", "while :; do sleep 1000; done\r\n"),
    ("\x03", "^C\r\n/ # "),
    ("(sleep 1000; echo no)\n", "(sleep 1000; echo no)\r\n"),
    ("\x03", "^C\r\n/ # "),
    ("cat\n", "cat\r\n"),
    ("line\n", "line\r\nline\r\n"),
    ("\x04", "/ # "),
    ("read x\n", "read x\r\n"),
    ("typed\n", "typed\r\n/ # "),
    ("echo [$x]\n", "echo [$x]\r\n[typed]\r\n/ # "),
    ("cat /etc/hostn\t\n", "cat /etc/hostname \r\nsession\r\n/ # "),
    ("cd /tmp\n", "cd /tmp\r\n/tmp # "),
    ("cd\n", "cd\r\n~ # "),
    ("sleep 1000 &\n", "sleep 1000 &\r\n~ # "),
    (
        "kill %1; sleep 0.2\n",
        "kill %1; sleep 0.2\r\n[1]+  Terminated                 sleep 1000\r\n~ # ",
    ),
    ("sh -c 'kill -KILL $$'\n", "sh -c 'kill -KILL $$'\r\nKilled\r\n~ # "),
    ("exit 3\n", "exit 3\r\n"),
];

/// The same with bash's name, in the nginx image.
const BASH_SESSION: &[(&str, &str)] = &[
    ("", "root@session:/# "),
    ("cd /usr/share\n", "cd /usr/share\r\nroot@session:/usr/share# "),
    ("echo {1..3}\n", "echo {1..3}\r\n1 2 3\r\nroot@session:/usr/share# "),
    (
        "nope\n",
        "nope\r\nbash: nope: command not found\r\nroot@session:/usr/share# ",
    ),
    ("cd\n", "cd\r\nroot@session:~# "),
    ("exit\n", "exit\r\nexit\r\n"),
];

/// Types to a shell on a terminal; gives its exit code.
async fn session(image: &str, shell: &str, steps: &[(&str, &str)]) -> i32 {
    let runtime = node();
    let sandbox = PodSandboxConfig {
        metadata: PodSandboxMetadata {
            name: "session".to_owned(),
            uid: "session".to_owned(),
            namespace: "default".to_owned(),
            attempt: 0,
        },
        hostname: "session".to_owned(),
        ..PodSandboxConfig::default()
    };
    let sandbox = runtime.run_pod_sandbox(sandbox).await.expect("a sandbox");
    let request = ExecRequest {
        container: container(&runtime, &sandbox, image).await,
        command: vec![shell.to_owned()],
        tty: true,
        stdin: true,
        stdout: true,
        stderr: false,
        winsize: Some(podsim_sys::Winsize { rows: 24, cols: 80 }),
    };
    let mut session = runtime.exec(request).await.expect("a session");
    let (mut stdin, mut stdout) = (
        session.stdin.take().expect("stdin"),
        session.stdout.take().expect("stdout"),
    );
    for (step, (typed, want)) in steps.iter().enumerate() {
        stdin.write_all(typed.as_bytes()).await.expect("written");
        let mut seen = Vec::new();
        while seen.len() < want.len() {
            let mut buffer = [0; 1024];
            let read = tokio::time::timeout(Duration::from_secs(10), stdout.read(&mut buffer));
            match read.await {
                Ok(Ok(n)) if n > 0 => seen.extend_from_slice(&buffer[..n]),
                _ => break,
            }
        }
        assert_eq!(
            String::from_utf8_lossy(&seen),
            *want,
            "step {step}, after typing {typed:?}"
        );
    }
    session.exit.await.expect("an end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_on_a_terminal_shows_what_ash_shows() {
    assert_eq!(session("busybox", "sh", SESSION).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_with_bash_in_the_nginx_image_shows_what_bash_shows() {
    assert_eq!(session("nginx", "bash", BASH_SESSION).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_recursion_and_deep_nesting_are_errors_and_not_crashes() {
    let runtime = node();
    let sandbox = PodSandboxConfig {
        metadata: PodSandboxMetadata {
            name: "deep".to_owned(),
            uid: "deep".to_owned(),
            namespace: "default".to_owned(),
            attempt: 0,
        },
        ..PodSandboxConfig::default()
    };
    let sandbox = runtime.run_pod_sandbox(sandbox).await.expect("a sandbox");
    let id = container(&runtime, &sandbox, "busybox").await;
    let nested = |open: &str, close: &str| format!("{}:{}", open.repeat(3000), close.repeat(3000));
    for (script, message) in [
        ("f() { f; }; f".to_owned(), "maximum nesting level exceeded"),
        (
            "f() { if :; then for i in 1; do case x in x) { f; };; esac; done; fi; }; f".to_owned(),
            "maximum nesting",
        ),
        ("f() { eval f; }; f".to_owned(), "maximum nesting level exceeded"),
        (
            "echo '. /tmp/s' > /tmp/s; . /tmp/s".to_owned(),
            "maximum nesting level exceeded",
        ),
        ("f() { g=$(f); }; f".to_owned(), "maximum nesting level exceeded"),
        (nested("(", ")"), "nesting too deep"),
        (nested("{ ", "; }"), "nesting too deep"),
        (nested("echo $(", ")"), "nesting too deep"),
        (nested("echo \"${x:-", "}\""), "nesting too deep"),
        (nested("if ", "; then :; fi"), "nesting too deep"),
        (
            format!("echo $(({}1{}))", "(".repeat(3000), ")".repeat(3000)),
            "nested too deep",
        ),
        (format!("[ {}a{} ]", "! ".repeat(3000), ""), "too many nested"),
        (
            "x=1; while [ ${#x} -lt 20000 ]; do x=$x+$x; done; echo $((x)) | grep -q 1 || echo no".to_owned(),
            "",
        ),
    ] {
        let command = ["sh", "-c", "exec sh -c \"$1\" 2>&1", "sh", &script].map(str::to_owned);
        let output = runtime
            .exec_sync(&id, &command, Some(Duration::from_secs(20)))
            .await
            .expect("an end");
        let text = String::from_utf8_lossy(&output.stdout);
        let head: String = script.chars().take(60).collect();
        assert!(
            output.exit_code < 128 && text.contains(message),
            "{head}: {} {text:.300}",
            output.exit_code
        );
    }
}
