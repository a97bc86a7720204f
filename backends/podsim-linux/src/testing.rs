//! Children for tests: what changes the rights, groups or namespaces of a process happens in one of its own, because the
//! test program has threads. It is the test program itself, re-executed for one hidden test.

use std::process::{Command, Output};

/// The variable that holds what a child is told.
const ORDERS: &str = "PODSIM_TEST_ORDERS";

/// The test program again, for only the test `name` (its full path), in its first thread.
pub(crate) fn child(name: &str, orders: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test program"));
    command
        .args([name, "--exact", "--nocapture", "--quiet", "--test-threads=1"])
        .env(ORDERS, orders);
    command
}

/// What this process was told, if it is a child. A hidden test returns at once if it is not.
pub(crate) fn orders() -> Option<String> {
    std::env::var(ORDERS).ok()
}

/// Whether this is root; a test that needs it says so and returns if not.
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("needs root");
    }
    root
}

/// Does something as the only thread of a process, as podsim and its children are at their start, and ends this one as that
/// ended.
#[expect(unsafe_code, reason = "fork has no safe wrapper")]
pub(crate) fn alone(work: impl FnOnce() + std::panic::UnwindSafe) -> ! {
    use std::io::Write;
    // SAFETY: the other thread of this test program only waits for this one; it holds no lock that the child needs.
    match unsafe { nix::unistd::fork() }.expect("a child") {
        nix::unistd::ForkResult::Child => {
            let result = std::panic::catch_unwind(work);
            let _ = std::io::stdout().flush();
            // SAFETY: ends the process at once; the harness's own state is the parent's.
            unsafe { libc::_exit(i32::from(result.is_err())) }
        }
        nix::unistd::ForkResult::Parent { child } => {
            let status = nix::sys::wait::waitpid(child, None).expect("it ends");
            std::process::exit(i32::from(status != nix::sys::wait::WaitStatus::Exited(child, 0)))
        }
    }
}

/// Ends a child without the test harness's own words.
pub(crate) fn done() -> ! {
    std::process::exit(0)
}

/// Runs a child that must end well, and returns its lines that begin with `> `.
pub(crate) fn told(command: &mut Command) -> Vec<String> {
    let Output { status, stdout, stderr } = command.output().expect("the child starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "child: {status}\n{stdout}\n{stderr}");
    stdout
        .lines()
        .filter_map(|line| line.split_once("> ").map(|(_, said)| said.to_owned()))
        .collect()
}
