//! The conformance programs on both backends: on the virtual kernel, and on the real one, which says what is right. What is known to be
//! different is in a list, with the reason, and is so: an entry that is not needed any more is a failure.

#[path = "../conformance/body.rs"]
mod body;

use body::Outcome;

macro_rules! programs {
    ($($name:ident: $wasm:expr,)*) => {
        mod virtual_kernel {
            $(#[test]
            fn $name() {
                super::on_the_virtual_kernel(stringify!($name), $wasm);
            })*
        }

        mod linux {
            $(#[test]
            fn $name() {
                super::on_linux(stringify!($name));
            })*
        }

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

include!(concat!(env!("OUT_DIR"), "/conformance.rs"));

/// What is known to fail: the backend, the program, and the reason.
const KNOWN_DIFFERENCES: &str = include_str!("conformance_differences.txt");
const BACKENDS: [&str; 2] = ["virtual", "linux"];

/// The entries: backend, program, reason.
fn known_differences() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let entry = |line: &'static str| {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        (word(), word(), word())
    };
    KNOWN_DIFFERENCES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(entry)
}

#[test]
fn the_list_of_known_differences_is_of_programs_that_there_are() {
    for (backend, program, reason) in known_differences() {
        let known = BACKENDS.contains(&backend) && NAMES.contains(&program) && !reason.is_empty();
        assert!(known, "{backend} {program} {reason}: BACKEND PROGRAM REASON is needed");
    }
}

fn check(backend: &str, outcome: &Outcome) {
    let Outcome { name, exit_code, log } = outcome;
    let known = known_differences().find(|(b, program, _)| *b == backend && program == name);
    match (exit_code, known) {
        (Some(0), None) => {}
        (Some(0), Some(_)) => {
            panic!("{name} passes on {backend} now: remove it from tests/it/conformance_differences.txt")
        }
        (_, Some((_, _, reason))) => eprintln!("{name} fails on {backend}, as is known: {reason}"),
        (_, None) => panic!("{name} on {backend}: exit code {exit_code:?}\n{log}"),
    }
}

/// With a clock that only goes on when all sleep.
fn on_the_virtual_kernel(name: &str, wasm: &'static [u8]) {
    use podsim_sys::ManualClock;
    use podsim_virtual::{VirtualConfig, VirtualRuntime};
    use std::sync::Arc;
    use std::time::Duration;
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("tokio");
    let outcome = tokio.block_on(async {
        let clock = Arc::new(ManualClock::new(Duration::from_secs(1_750_000_000)));
        let node = VirtualRuntime::new(VirtualConfig::new(clock.clone())).expect("a node");
        let kernel = node.kernel().clone();
        let mut was_idle = false;
        let tick = || {
            let idle = kernel.is_idle();
            if was_idle && idle {
                clock.advance_to_next();
            }
            was_idle = idle;
        };
        body::run(&node, name, wasm, tick).await
    });
    check("virtual", &outcome);
}

#[cfg(target_os = "linux")]
fn on_linux(name: &str) {
    use std::sync::OnceLock;
    static NODE: OnceLock<linux_node::LinuxNode> = OnceLock::new();
    if !crate::podsim::is_root() {
        return;
    }
    let node = NODE.get_or_init(linux_node::LinuxNode::start);
    check("linux", &node.run(name));
}

#[cfg(not(target_os = "linux"))]
fn on_linux(_: &str) {
    eprintln!("not run: it needs Linux");
}

/// The node that all the programs share: the program `conformance-linux`.
#[cfg(target_os = "linux")]
mod linux_node {
    use super::body::Outcome;
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{ChildStdin, ChildStdout, Command, Stdio};
    use std::sync::mpsc::{Sender, channel};
    use std::sync::{Arc, Mutex};

    type Waiting = Arc<Mutex<HashMap<String, Sender<Outcome>>>>;

    pub(super) struct LinuxNode {
        /// Closed at the end of the tests' process, which is the node's end.
        orders: Mutex<ChildStdin>,
        waiting: Waiting,
    }

    impl LinuxNode {
        pub(super) fn start() -> Self {
            let mut node = Command::new(env!("CARGO_BIN_EXE_conformance-linux"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a node");
            let waiting = Waiting::default();
            let (orders, answers) = (node.stdin.take(), node.stdout.take());
            let receivers = waiting.clone();
            let answers = answers.expect("a pipe");
            std::thread::spawn(move || {
                deliver(answers, &receivers);
                // The answers end with it; a status does not matter any more.
                let _ = node.wait();
            });
            Self {
                orders: Mutex::new(orders.expect("a pipe")),
                waiting,
            }
        }

        /// Runs a program to its end.
        pub(super) fn run(&self, name: &str) -> Outcome {
            let (sender, receiver) = channel();
            let waiting = self.waiting.lock();
            waiting.expect("nobody panics in here").insert(name.to_owned(), sender);
            writeln!(self.orders.lock().expect("nor here"), "{name}").expect("the node listens");
            receiver.recv().expect("the node answers")
        }
    }

    /// Gives the answers to who waits for them. The node's end is the end of everybody's wait.
    fn deliver(answers: ChildStdout, waiting: &Waiting) {
        for line in BufReader::new(answers).lines().map_while(Result::ok) {
            let outcome: Outcome = serde_json::from_str(&line).expect("an outcome");
            let waiter = waiting.lock().expect("nobody panics in here").remove(&outcome.name);
            if let Some(waiter) = waiter {
                // A test that waits no more has failed otherwise.
                let _ = waiter.send(outcome);
            }
        }
        waiting.lock().expect("nobody panics in here").clear();
    }
}
