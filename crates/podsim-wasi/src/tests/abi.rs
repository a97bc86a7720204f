//! Preview 1 as a libc sees it.

use super::*;

/// Runs `body` (with locals `$r` and `$fd`) and gives the exit code, which is what it leaves on the stack.
async fn code(imports: &str, rest: &str, body: &str) -> WaitStatus {
    let wat = format!(
        "(module {imports}
           (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
           (memory (export \"memory\") 1) {rest}
           (func (export \"_start\") (local $r i32) (local $fd i32) (call $exit {body})))"
    );
    run_wat(&wat).await.status
}

const WRITE: &str =
    "(import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))";

#[tokio::test]
async fn a_bad_pointer_is_efault_and_never_more() {
    for (iovs, count, what) in [
        (65_532, 1, "the iovec ends behind the memory"),
        (-8, 1, "the iovec wraps around"),
        (0, 1, "the buffer is behind the memory"),
    ] {
        let body = format!("(call $write (i32.const 1) (i32.const {iovs}) (i32.const {count}) (i32.const 100))");
        let rest = "(data (i32.const 0) \"\\ff\\ff\\00\\00\\10\\00\\00\\00\")";
        assert_eq!(code(WRITE, rest, &body).await, WaitStatus::Exited(21), "{what}");
    }
    let body = "(call $write (i32.const 1) (i32.const 0) (i32.const 2000) (i32.const 100))";
    assert_eq!(
        code(WRITE, "", body).await,
        WaitStatus::Exited(28),
        "more buffers than IOV_MAX"
    );
}

#[tokio::test]
async fn several_buffers_are_one_write() {
    let ran = run_wat(&module(
        "(data (i32.const 0) \"\\20\\00\\00\\00\\03\\00\\00\\00\\30\\00\\00\\00\\00\\00\\00\\00\\23\\00\\00\\00\\03\\00\\00\\00\")
         (data (i32.const 32) \"abcdef\")
         (func (export \"_start\")
           (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 3) (i32.const 100)))
           (call $exit (i32.load (i32.const 100))))",
    ))
    .await;
    assert_eq!((ran.status, ran.output.as_str()), (WaitStatus::Exited(6), "abcdef"));
}

#[tokio::test]
async fn a_libc_finds_the_preopen_by_counting_up_from_three() {
    let imports = "(import \"wasi_snapshot_preview1\" \"fd_prestat_get\" (func $get (param i32 i32) (result i32)))";
    // Adds up the numbers of directories (kind 0) until EBADF: 200.
    let body = "(block (result i32)
        (local.set $fd (i32.const 3))
        (block $done (loop $next
          (br_if $done (i32.eq (call $get (local.get $fd) (i32.const 0)) (i32.const 8)))
          (if (i32.eqz (i32.load8_u (i32.const 0))) (then (local.set $r (i32.add (local.get $r) (local.get $fd)))))
          (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
          (br $next)))
        (local.get $r))";
    assert_eq!(code(imports, "", body).await, WaitStatus::Exited(200));
}

#[tokio::test]
async fn a_file_is_made_under_a_preopen_and_its_errors_are_wasi_numbers() {
    let imports = "(import \"wasi_snapshot_preview1\" \"path_open\"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))";
    let open = |dir: u32, path: u32, len: u32, oflags: u32| {
        format!(
            "(call $open (i32.const {dir}) (i32.const 1) (i32.const {path}) (i32.const {len}) (i32.const {oflags})
               (i64.const 0x42) (i64.const 0) (i32.const 0) (i32.const 100))"
        )
    };
    let data = "(data (i32.const 0) \"tmpfile\") (data (i32.const 16) \"\\ff\\fe\")";
    let made = format!(
        "(block (result i32) (local.set $r {}) (i32.add (local.get $r) (i32.load (i32.const 100))))",
        open(200, 0, 7, 1)
    );
    // 0, 1 and 2 are open: the next number is 3.
    assert_eq!(code(imports, data, &made).await, WaitStatus::Exited(3), "made under /");
    assert_eq!(
        code(imports, data, &open(200, 0, 7, 0)).await,
        WaitStatus::Exited(44),
        "ENOENT"
    );
    assert_eq!(
        code(imports, data, &open(9, 0, 7, 1)).await,
        WaitStatus::Exited(8),
        "EBADF"
    );
    assert_eq!(
        code(imports, data, &open(200, 16, 2, 1)).await,
        WaitStatus::Exited(25),
        "EILSEQ: not UTF-8"
    );
    assert_eq!(
        code(imports, data, &open(200, 65_535, 7, 1)).await,
        WaitStatus::Exited(21),
        "EFAULT"
    );
}

#[tokio::test]
async fn poll_oneoff_waits_for_the_first_of_a_clock_and_a_descriptor() {
    let node = Node::new();
    // Two subscriptions: standard input readable (userdata 7), and 1 s on the monotonic clock (userdata 9).
    let mut subscriptions = [0_u8; 96];
    subscriptions[0] = 7;
    subscriptions[8] = 1;
    subscriptions[48] = 9;
    subscriptions[48 + 16] = 1;
    subscriptions[48 + 24..48 + 32].copy_from_slice(&1_000_000_000_u64.to_le_bytes());
    node.install(
        "/poll",
        &format!(
            "(module
               (import \"wasi_snapshot_preview1\" \"poll_oneoff\" (func $poll (param i32 i32 i32 i32) (result i32)))
               (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
               (memory (export \"memory\") 1) (data (i32.const 0) \"{}\")
               (func (export \"_start\")
                 (drop (call $poll (i32.const 0) (i32.const 200) (i32.const 2) (i32.const 400)))
                 (call $exit (i32.add (i32.mul (i32.load (i32.const 400)) (i32.const 10)) (i32.load (i32.const 200))))))",
            data(&subscriptions)
        ),
    );
    for (readable, code) in [(true, 17), (false, 19)] {
        let (stdin, writer) = pipe();
        let task = node.start("/poll", &[], Some(stdin));
        while task.process.state() != podsim_kernel::process::ProcessState::Sleeping {
            tokio::task::yield_now().await;
        }
        if readable {
            writer.try_write(b"x").unwrap();
        } else {
            node.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(task.wait_exit().await, WaitStatus::Exited(code), "readable: {readable}");
    }
}

#[tokio::test]
async fn a_stripped_path_means_the_root_only_where_the_current_directory_cannot_be_meant() {
    // Writes nothing: makes the file `path` below the preopen, in /work.
    let program = |import: &str, path: &str| {
        format!(
            "(module {import}
               (import \"wasi_snapshot_preview1\" \"path_open\"
                 (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
               (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
               (memory (export \"memory\") 1) (data (i32.const 0) \"{path}\")
               (func (export \"_start\")
                 (call $exit (call $open (i32.const 200) (i32.const 1) (i32.const 0) (i32.const {}) (i32.const 1)
                   (i64.const 0x42) (i64.const 0) (i32.const 0) (i32.const 100)))))",
            path.len()
        )
    };
    let aware = "(import \"podsim_v1\" \"getcwd\" (func (param i32 i32 i32 i32) (result i32)))";
    for (import, path, made) in [
        ("", "new", "/work/new"),
        ("", "etc/new", "/etc/new"),
        ("", "sub/new", "/work/sub/new"),
        (aware, "new", "/new"),
        (aware, "work/new", "/work/new"),
    ] {
        let node = Node::new();
        let mnt = &node.kernel.initial_namespaces().mnt;
        mnt.mkdir_all("/etc", Mode(0o755)).unwrap();
        mnt.mkdir_all("/work/sub", Mode(0o755)).unwrap();
        node.install("/prog", &program(import, path));
        let ran = node.ran(node.start_in("/work", "/prog", &[], None)).await;
        assert_eq!(ran.status, WaitStatus::Exited(0), "{path}");
        assert!(mnt.resolve(made).is_ok(), "{path}, aware: {}", !import.is_empty());
    }
}
