//! Nodes of each kind that there can be here, for tests of what is the same on all. The Linux backend needs root: it is left out where there is
//! none.

#[cfg(target_os = "linux")]
use crate::podsim::is_root;
use crate::podsim::{Said, User};

/// A configuration whose interfaces give the node a network of its own: nothing of the test is seen on the host.
const NODE: &str = "interfaces: [{name: eth0, address: 192.168.77.2/24}]\n";

/// A user with a node; it is stopped also when the test fails.
pub(crate) struct Node {
    pub(crate) user: User,
    pub(crate) backend: &'static str,
    /// All processes of its Pods are root, and so are their groups: its user has no ids to give (`/etc/subuid`).
    pub(crate) only_root: bool,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.podsim(&["node", "stop", "--all"]);
    }
}

impl Node {
    /// A node in real namespaces, of a user who can have them.
    #[cfg(target_os = "linux")]
    pub(crate) fn linux(user: User) -> Self {
        Self {
            user,
            backend: "linux",
            only_root: false,
        }
    }

    pub(crate) fn podsim(&self, args: &[&str]) -> Said {
        self.user.podsim(args)
    }

    /// Runs a manifest on a new node.
    pub(crate) fn run(&self, pod: &str, options: &[&str]) {
        self.run_configured("", pod, options);
    }

    /// As [`run`](Self::run), with more lines in the node's configuration.
    pub(crate) fn run_configured(&self, config: &str, pod: &str, options: &[&str]) {
        self.user.file("pod.yaml", pod);
        self.user.file("node.yaml", &format!("{NODE}{config}"));
        let common = [
            "run",
            "-d",
            "--backend",
            self.backend,
            "--node-config=node.yaml",
            "pod.yaml",
        ];
        let said = self.podsim(&[&common, options].concat());
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }

    pub(crate) fn succeeds(&self, args: &[&str]) -> String {
        let said = self.podsim(args);
        assert_eq!(said.code, Some(0), "{} {args:?}: {}", self.backend, said.whole());
        said.stdout
    }
}

/// Does the same on a node of each kind that there can be here, at the same time.
pub(crate) fn on_each_node(test: impl Fn(&Node) + Sync) {
    let mut nodes = vec![Node {
        user: User::new(),
        backend: "virtual",
        only_root: false,
    }];
    #[cfg(target_os = "linux")]
    if is_root() {
        nodes.push(Node::linux(User::new()));
        let mut restricted = Node::linux(User::without_rights());
        restricted.only_root = true;
        nodes.push(restricted);
    }
    std::thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(|| test(node));
        }
    });
}
