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
