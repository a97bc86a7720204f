//! Small modules in wasm text, run on the virtual kernel.

mod abi;
mod faults;
mod garbage;
mod signals;

use crate::{Outcome, Runtime, run};
use bytes::Bytes;
use podsim_kernel::fs::pipe::Pipe;
use podsim_kernel::fs::{FileDescription, FsContext};
use podsim_kernel::{Kernel, KernelConfig, Launcher, ProcessSpec, Program, Task};
use podsim_sys::wire::{Put, encode};
use podsim_sys::{CapSet, Credentials, Errno, ManualClock, Mode, OpenFlags, Result, WaitStatus};
use std::sync::Arc;
use std::time::Duration;

/// A node with a runtime. Its clock stands still; its ticks are real.
struct Node {
    kernel: Arc<Kernel>,
    clock: Arc<ManualClock>,
    runtime: Runtime<Task>,
}

struct Starter {
    runtime: Runtime<Task>,
}

impl Launcher for Starter {
    fn check(&self, program: &Program) -> Result<()> {
        match program {
            Program::Wasm(wasm) => self.runtime.check(wasm).map_err(|error| error.errno()),
            Program::Native(_) => Err(Errno::ENOEXEC),
        }
    }

    fn launch(&self, task: Task) {
        let runtime = self.runtime.clone();
        tokio::spawn(async move {
            while let Program::Wasm(wasm) = task.program() {
                if run(&runtime, task.clone(), wasm).await == Outcome::Ended {
                    break;
                }
            }
        });
    }
}

/// What a program did.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    status: WaitStatus,
    output: String,
}

impl Node {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        runtime.start_ticker().unwrap();
        let clock = Arc::new(ManualClock::new(Duration::from_secs(1_750_000_000)));
        let kernel = Kernel::new(KernelConfig {
            clock: clock.clone(),
            seed: 1,
            hostname: "node".to_owned(),
            launcher: Arc::new(Starter {
                runtime: runtime.clone(),
            }),
            memory: 64 << 20,
            cpus: 1,
        });
        Self { kernel, clock, runtime }
    }

    /// Puts a program into `/`.
    fn install(&self, name: &str, wat: &str) {
        let wasm = wat::parse_str(wat).unwrap();
        let root = &self.kernel.initial_namespaces().mnt;
        root.write_file(name, &wasm, Mode(0o755)).unwrap();
    }

    /// Starts a program; standard output and error go to `/out`.
    fn start(&self, name: &str, args: &[&str], stdin: Option<Arc<FileDescription>>) -> Task {
        self.start_in("/", name, args, stdin)
    }

    fn start_in(&self, cwd: &str, name: &str, args: &[&str], stdin: Option<Arc<FileDescription>>) -> Task {
        let mnt = &self.kernel.initial_namespaces().mnt;
        let append = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::APPEND;
        let out = mnt.open_file("/out", append, Mode(0o644)).unwrap();
        let stdin = stdin.unwrap_or_else(|| mnt.open_file("/empty", OpenFlags::CREAT, Mode(0o644)).unwrap());
        let spec = ProcessSpec {
            parent: None,
            namespaces: self.kernel.initial_namespaces().clone(),
            fs: FsContext {
                root: mnt.root(),
                cwd: mnt.resolve(cwd).unwrap(),
                umask: Mode(0o022),
            },
            credentials: Credentials::root(CapSet::FULL),
            program: name.to_owned(),
            argv: std::iter::once(name)
                .chain(args.iter().copied())
                .map(str::to_owned)
                .collect(),
            environ: vec!["A=b".to_owned()],
            stdio: [stdin, out.clone(), out],
            controlling_tty: None,
            rlimits: Vec::new(),
            cgroup: self.kernel.root_cgroup().child("test"),
        };
        self.kernel.create_process(spec).unwrap()
    }

    async fn ran(&self, task: Task) -> Ran {
        let status = task.wait_exit().await;
        let output = self.kernel.initial_namespaces().mnt.read_file("/out").unwrap();
        Ran {
            status,
            output: String::from_utf8_lossy(&output).into_owned(),
        }
    }
}

/// Runs one program on a node of its own.
async fn run_wat(wat: &str) -> Ran {
    let node = Node::new();
    node.install("/prog", wat);
    node.ran(node.start("/prog", &["x"], None)).await
}

/// A pipe with its two ends.
fn pipe() -> (Arc<FileDescription>, Arc<FileDescription>) {
    let (reader, writer) = Pipe::new(1, Duration::ZERO).ends();
    (
        FileDescription::new(reader, OpenFlags::empty()),
        FileDescription::new(writer, OpenFlags::WRONLY),
    )
}

/// Bytes as a wasm text string.
fn data(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// A value as a message in wasm text.
fn message<T: Put>(value: &T) -> String {
    data(&encode(value))
}

/// Its length.
fn message_len<T: Put>(value: &T) -> usize {
    encode(value).len()
}

/// The imports that most programs below use.
const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "podsim_v1" "kill" (func $kill (param i32 i32 i32 i32) (result i32)))
    (import "podsim_v1" "sigaction" (func $sigaction (param i32 i32 i32 i32) (result i32)))
    (import "podsim_v1" "execve" (func $execve (param i32 i32 i32 i32) (result i32)))
    (import "podsim_v1" "spawn" (func $spawn (param i32 i32 i32 i32) (result i32)))
    (import "podsim_v1" "wait" (func $wait (param i32 i32 i32 i32) (result i32)))
    (import "podsim_v1" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "podsim_v1" "write" (func $write (param i32 i32 i32) (result i32)))
"#;

/// A module with the imports above, one page of memory and the given rest.
fn module(rest: &str) -> String {
    format!("(module {IMPORTS} (memory (export \"memory\") 1) {rest})")
}

/// The bytes of a text module.
fn bytes(wat: &str) -> Bytes {
    wat::parse_str(wat).unwrap().into()
}
