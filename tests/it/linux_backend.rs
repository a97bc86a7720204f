//! The Linux backend as a user meets it. Needs root: says so and passes where there is none.

use crate::nodes::Node;
use crate::podsim::{User, is_root};
use rustix::io::{FdFlags, fcntl_setfd};

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: fds}
spec:
  containers:
  - {name: c, image: busybox, command: [sleep, '1000']}
";

#[test]
fn what_the_users_shell_has_open_is_not_open_in_a_container() {
    if !is_root() {
        return;
    }
    let node = Node::linux(User::new());
    // As a shell leaves one behind that was opened with `exec 9>file`.
    let (_reader, left_open) = std::io::pipe().expect("a pipe");
    fcntl_setfd(&left_open, FdFlags::empty()).expect("inherited");
    node.run(POD, &["--wait"]);
    let said = node.podsim(&["exec", "fds", "--", "ls", "/proc/1/fd"]);
    assert_eq!(said.stdout, "0\n1\n2\n", "{}", said.whole());
}

#[test]
fn what_a_killed_node_leaves_behind_is_told_and_removed() {
    if !is_root() {
        return;
    }
    let node = Node::linux(User::new());
    node.run(POD, &["--wait"]);
    let nodes = || {
        std::fs::read_dir(node.user.home().join("run/nodes"))
            .expect("a directory")
            .count()
    };

    // A node that lives is left alone.
    let said = node.podsim(&["node", "prune"]);
    assert_eq!(
        (said.code, said.stdout.as_str(), nodes()),
        (Some(0), "", 1),
        "{}",
        said.whole()
    );
    assert_eq!(node.podsim(&["exec", "fds", "--", "true"]).code, Some(0));

    let listed = node.podsim(&["node", "ls"]).stdout;
    let pid = listed
        .lines()
        .nth(1)
        .and_then(|row| row.split_whitespace().nth(2)?.parse().ok());
    let pid = rustix::process::Pid::from_raw(pid.expect(&listed)).expect("a pid");
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("it lives");
    rustix::process::pidfd_send_signal(&pidfd, rustix::process::Signal::KILL).expect("killed");
    // Readable when it has ended.
    rustix::event::poll(
        &mut [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)],
        None,
    )
    .expect("its end");

    assert!(node.podsim(&["ps"]).stderr.contains("`podsim node prune`"));
    let said = node.podsim(&["node", "prune"]);
    assert!(
        said.stdout.starts_with("node \"podsim-") && nodes() == 0,
        "{}",
        said.whole()
    );
    let again = node.podsim(&["node", "prune"]);
    assert_eq!(again.stderr, "There is nothing to remove.\n");
}
