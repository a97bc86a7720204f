//! How programs end: exit codes, faults, limits; and what is not a program.

use super::*;
use podsim_sys::Signal;

#[tokio::test]
async fn a_program_ends_with_its_exit_code_or_with_zero() {
    for (body, code) in [
        ("", 0),
        ("(call $exit (i32.const 7))", 7),
        ("(call $exit (i32.const 256))", 0),
    ] {
        let ran = run_wat(&module(&format!("(func (export \"_start\") {body})"))).await;
        assert_eq!(
            (ran.status, ran.output.as_str()),
            (WaitStatus::Exited(code), ""),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_fault_is_the_signal_that_linux_would_send_and_one_line_says_so() {
    let cases = [
        (
            "unreachable",
            "wasm trap: wasm `unreachable` instruction executed (SIGILL)",
            Signal::ILL,
        ),
        (
            "(drop (i32.load (i32.const 70000)))",
            "wasm trap: out of bounds memory access (SIGSEGV)",
            Signal::SEGV,
        ),
        (
            "(call $deep (i64.const 1))",
            "wasm trap: call stack exhausted (SIGSEGV)",
            Signal::SEGV,
        ),
        (
            "(drop (i32.div_s (i32.const 1) (i32.load (i32.const 0))))",
            "wasm trap: integer divide by zero (SIGFPE)",
            Signal::FPE,
        ),
        (
            "(call_indirect (i32.const 0))",
            "wasm trap: uninitialized element (SIGILL)",
            Signal::ILL,
        ),
    ];
    for (body, line, signal) in cases {
        let wat = module(&format!(
            "(table 1 funcref)
             (func $deep (param i64) (call $deep (i64.add (local.get 0) (i64.const 1))) (drop (i64.const 2)))
             (func (export \"_start\") {body})"
        ));
        let ran = run_wat(&wat).await;
        let pid = ran.output.split(['[', ']']).nth(1).unwrap_or_default().to_owned();
        assert_eq!(ran.output, format!("podsim: prog[{pid}]: {line}\n"), "{body}");
        assert_eq!(ran.status, WaitStatus::Signaled(signal), "{body}");
    }
}

#[tokio::test]
async fn a_busy_loop_lets_others_run_and_is_killed_at_once() {
    // One thread: if the loop did not yield, nothing below would ever run.
    let node = Node::new();
    node.install("/spin", &module("(func (export \"_start\") (loop (br 0)))"));
    node.install("/quick", &module("(func (export \"_start\"))"));
    let spin = node.start("/spin", &[], None);
    let quick = node.start("/quick", &[], None);
    assert_eq!(quick.wait_exit().await, WaitStatus::Exited(0));
    assert_eq!(spin.process.exit_status(), None);
    node.kernel.kill_host(&spin.process, Signal::KILL);
    assert_eq!(spin.wait_exit().await, WaitStatus::Signaled(Signal::KILL));
}

#[tokio::test]
async fn a_blocked_program_is_killed_at_once() {
    let node = Node::new();
    node.install(
        "/blocked",
        &module("(func (export \"_start\") (drop (call $read (i32.const 0) (i32.const 0) (i32.const 9))))"),
    );
    let (reader, _writer) = pipe();
    let task = node.start("/blocked", &[], Some(reader));
    tokio::task::yield_now().await;
    node.kernel.kill_host(&task.process, Signal::KILL);
    assert_eq!(task.wait_exit().await, WaitStatus::Signaled(Signal::KILL));
}

#[tokio::test]
async fn too_much_memory_is_sigkill_with_a_line() {
    // The node has 64 MiB.
    let ran = run_wat(&module(
        "(func (export \"_start\") (loop (br_if 0 (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))))",
    ))
    .await;
    assert_eq!(ran.status, WaitStatus::Signaled(Signal::KILL));
    assert!(ran.output.contains("]: out of memory: "), "{}", ran.output);
}

#[test]
fn what_is_not_a_program_is_refused_with_a_reason() {
    let runtime = Runtime::<Task>::new().unwrap();
    let refused = |wasm: Bytes| match runtime.check(&wasm).and_then(|()| runtime.compile(&wasm)) {
        Ok(()) => "runs".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(refused(bytes("(module (func (export \"_start\")))")), "runs");
    let component = Bytes::from_static(b"\0asm\x0d\0\x01\0");
    assert!(refused(component).starts_with("a WebAssembly component"));
    assert!(refused(Bytes::from_static(b"\x7fELF\x02\x01\x01\0")).contains("not those of a module"));
    let reactor = bytes("(module (func (export \"_initialize\")))");
    assert!(refused(reactor).starts_with("no `_start`"));
    let shared = bytes("(module (import \"env\" \"memory\" (memory 1)) (func (export \"_start\")))");
    assert!(refused(shared).contains("`env.memory`, which is not a function"));
    let mut broken = bytes("(module (func (export \"_start\")))").to_vec();
    broken.truncate(broken.len() - 2);
    assert!(refused(broken.into()).starts_with("not a wasm module that podsim can run"));
}

#[tokio::test]
async fn an_import_that_nobody_knows_answers_enosys() {
    for import in [
        "(import \"env\" \"mystery\" (func $f (param i64 f32) (result i32)))",
        // Known, but with another type.
        "(import \"wasi_snapshot_preview1\" \"fd_close\" (func $f (param i64 f32) (result i32)))",
    ] {
        let wat = format!(
            "(module {import}
               (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
               (func (export \"_start\") (call $exit (call $f (i64.const 1) (f32.const 2)))))"
        );
        assert_eq!(run_wat(&wat).await.status, WaitStatus::Exited(52), "{import}");
    }
}

#[tokio::test]
async fn precompiled_code_is_run_for_its_bytes_wherever_they_are_and_useless_code_is_compiled_anew() {
    let exits = |code: u8| module(&format!("(func (export \"_start\") (call $exit (i32.const {code})))"));
    let engine = wasmtime::Engine::new(&crate::engine_config()).unwrap();
    // Code of another program, so that it shows which was run. The file is a copy of the registered bytes.
    let other = engine.precompile_module(&bytes(&exits(2))).unwrap();
    for (code, expected) in [(&*other.leak(), 2), (&b"not code"[..], 1)] {
        let node = Node::new();
        node.runtime.register_precompiled(bytes(&exits(1)), code);
        node.install("/prog", &exits(1));
        let ran = node.ran(node.start("/prog", &[], None)).await;
        assert_eq!(ran.status, WaitStatus::Exited(expected));
    }
}

#[test]
fn the_table_names_every_call_once() {
    let mut names: Vec<_> = crate::system_calls().map(|call| (call.module, call.name)).collect();
    let all = names.len();
    assert_eq!(
        names
            .iter()
            .filter(|(module, _)| *module == "wasi_snapshot_preview1")
            .count(),
        46
    );
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
