//! Handlers, restarting, exec, spawn and wait.

use super::*;
use podsim_sys::{Pid, SigAction, SigHandler, Signal, SpawnRequest, WaitOptions, WaitTarget};

fn catch(signal: Signal, restart: bool) -> (Signal, Option<SigAction>) {
    let action = SigAction {
        handler: SigHandler::Catch,
        restart,
        ..SigAction::default()
    };
    (signal, Some(action))
}

/// Sets a handler, reads standard input once, and exits with what read returned (a negative errno as its low byte); the
/// handler writes `!`.
fn reader(restart: bool) -> String {
    let action = catch(Signal::TERM, restart);
    module(&format!(
        "(data (i32.const 0) \"{}\") (data (i32.const 200) \"!\")
         (func (export \"__wasm_signal\") (param i32) (drop (call $write (i32.const 1) (i32.const 200) (i32.const 1))))
         (func (export \"_start\")
           (drop (call $sigaction (i32.const 0) (i32.const {}) (i32.const 300) (i32.const 64)))
           (call $exit (call $read (i32.const 0) (i32.const 400) (i32.const 9))))",
        message(&action),
        message_len(&action),
    ))
}

#[tokio::test]
async fn a_handler_runs_when_a_call_is_interrupted_and_sa_restart_decides_how_the_call_goes_on() {
    for (restart, code) in [(true, 3), (false, (-4_i8).cast_unsigned())] {
        let node = Node::new();
        node.install("/reader", &reader(restart));
        let (stdin, writer) = pipe();
        let task = node.start("/reader", &[], Some(stdin));
        // Until it has set its handler and waits in read.
        while task.process.state() != podsim_kernel::process::ProcessState::Sleeping {
            tokio::task::yield_now().await;
        }
        node.kernel.kill_host(&task.process, Signal::TERM);
        let mnt = &node.kernel.initial_namespaces().mnt;
        while mnt.read_file("/out").unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        if restart {
            writer.try_write(b"abc").unwrap();
        }
        assert_eq!(task.wait_exit().await, WaitStatus::Exited(code), "restart {restart}");
    }
}

#[tokio::test]
async fn a_signal_to_itself_is_handled_before_kill_returns() {
    let action = catch(Signal::USR1, false);
    let kill = (Pid(0), Some(Signal::USR1));
    let ran = run_wat(&module(&format!(
        "(data (i32.const 0) \"{}\") (data (i32.const 100) \"{}\") (data (i32.const 200) \"before handler after\")
         (global $n (mut i32) (i32.const 0))
         (func (export \"__wasm_signal\") (param i32)
           (global.set $n (local.get 0))
           (drop (call $write (i32.const 1) (i32.const 207) (i32.const 8))))
         (func (export \"_start\")
           (drop (call $sigaction (i32.const 0) (i32.const {}) (i32.const 300) (i32.const 64)))
           (drop (call $write (i32.const 1) (i32.const 200) (i32.const 7)))
           (drop (call $kill (i32.const 100) (i32.const {}) (i32.const 300) (i32.const 64)))
           (drop (call $write (i32.const 1) (i32.const 215) (i32.const 5)))
           (call $exit (global.get $n)))",
        message(&action),
        message(&kill),
        message_len(&action),
        message_len(&kill),
    )))
    .await;
    assert_eq!(ran.output, "before handler after");
    assert_eq!(ran.status, WaitStatus::Exited(Signal::USR1.number()));
}

#[tokio::test]
async fn exec_replaces_the_program_and_keeps_the_process() {
    let node = Node::new();
    let exec = ("/second".to_owned(), vec!["second".to_owned()], Vec::<String>::new());
    node.install(
        "/first",
        &module(&format!(
            "(data (i32.const 0) \"{}\")
             (func (export \"_start\")
               (call $exit (call $execve (i32.const 0) (i32.const {}) (i32.const 300) (i32.const 64))))",
            message(&exec),
            message_len(&exec)
        )),
    );
    node.install(
        "/second",
        &module("(func (export \"_start\") (call $exit (i32.const 42)))"),
    );
    let ran = node.ran(node.start("/first", &[], None)).await;
    assert_eq!(ran.status, WaitStatus::Exited(42));
}

#[tokio::test]
async fn a_child_is_spawned_and_waited_for() {
    let node = Node::new();
    let spawn = SpawnRequest {
        path: "/child".to_owned(),
        argv: vec!["child".to_owned()],
        ..SpawnRequest::default()
    };
    let wait = (WaitTarget::Any, WaitOptions::empty());
    // The answer of wait is Some((Pid, Exited(code))): 1, pid, 0, code.
    node.install(
        "/parent",
        &module(&format!(
            "(data (i32.const 0) \"{}\") (data (i32.const 200) \"{}\")
             (func (export \"_start\")
               (drop (call $spawn (i32.const 0) (i32.const {}) (i32.const 300) (i32.const 64)))
               (drop (call $wait (i32.const 200) (i32.const {}) (i32.const 400) (i32.const 64)))
               (call $exit (i32.load8_u (i32.const 406))))",
            message(&spawn),
            message(&wait),
            message_len(&spawn),
            message_len(&wait),
        )),
    );
    node.install(
        "/child",
        &module("(func (export \"_start\") (call $exit (i32.const 5)))"),
    );
    let ran = node.ran(node.start("/parent", &[], None)).await;
    assert_eq!(ran.status, WaitStatus::Exited(5));
}
