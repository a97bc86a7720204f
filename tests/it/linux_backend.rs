//! The Linux backend as a user meets it. Needs root: says so and passes where there is none.

use crate::podsim::User;
use rustix::io::{FdFlags, fcntl_setfd};

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: fds}
spec:
  containers:
  - {name: c, image: busybox, command: [sleep, '1000']}
";

/// A configuration whose interfaces give the node a network of its own: nothing of the test is seen on the host.
const NODE: &str = "interfaces: [{name: eth0, address: 192.168.77.2/24}]\n";

/// Stops the node, also when the test fails.
struct Stopped<'u>(&'u User);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        podsim(self.0, &["node", "stop", "--all"]);
    }
}

fn podsim(user: &User, args: &[&str]) -> crate::podsim::Said {
    let mut command = user.command(args);
    command.env("PODSIM_RUN", user.home().join("run"));
    command.output().expect("podsim runs").into()
}

#[test]
fn what_the_users_shell_has_open_is_not_open_in_a_container() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("needs root");
        return;
    }
    let user = User::new();
    user.file("pod.yaml", POD);
    user.file("node.yaml", NODE);
    // As a shell leaves one behind that was opened with `exec 9>file`.
    let (_reader, left_open) = std::io::pipe().expect("a pipe");
    fcntl_setfd(&left_open, FdFlags::empty()).expect("inherited");
    let _stopped = Stopped(&user);
    let run = [
        "run",
        "-d",
        "--wait",
        "--backend=linux",
        "--node-config=node.yaml",
        "pod.yaml",
    ];
    let said = podsim(&user, &run);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let said = podsim(&user, &["exec", "fds", "--", "ls", "/proc/1/fd"]);
    assert_eq!(said.stdout, "0\n1\n2\n", "{}", said.whole());
}

#[test]
fn what_a_killed_node_leaves_behind_is_told_and_removed() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("needs root");
        return;
    }
    let user = User::new();
    user.file("pod.yaml", POD);
    user.file("node.yaml", NODE);
    let _stopped = Stopped(&user);
    let run = [
        "run",
        "-d",
        "--wait",
        "--backend=linux",
        "--node-config=node.yaml",
        "pod.yaml",
    ];
    let said = podsim(&user, &run);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let nodes = || {
        std::fs::read_dir(user.home().join("run/nodes"))
            .expect("a directory")
            .count()
    };

    // A node that lives is left alone.
    let said = podsim(&user, &["node", "prune"]);
    assert_eq!(
        (said.code, said.stdout.as_str(), nodes()),
        (Some(0), "", 1),
        "{}",
        said.whole()
    );
    assert_eq!(podsim(&user, &["exec", "fds", "--", "true"]).code, Some(0));

    let listed = podsim(&user, &["node", "ls"]).stdout;
    let pid = listed
        .lines()
        .nth(1)
        .and_then(|row| row.split_whitespace().nth(2)?.parse().ok());
    let pid = rustix::process::Pid::from_raw(pid.expect(&listed)).expect("a pid");
    let node = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("it lives");
    rustix::process::pidfd_send_signal(&node, rustix::process::Signal::KILL).expect("killed");
    // Readable when it has ended.
    rustix::event::poll(
        &mut [rustix::event::PollFd::new(&node, rustix::event::PollFlags::IN)],
        None,
    )
    .expect("its end");

    assert!(podsim(&user, &["ps"]).stderr.contains("`podsim node prune`"));
    let said = podsim(&user, &["node", "prune"]);
    assert!(
        said.stdout.starts_with("node \"podsim-") && nodes() == 0,
        "{}",
        said.whole()
    );
    let again = podsim(&user, &["node", "prune"]);
    assert_eq!(again.stderr, "There is nothing to remove.\n");
}
