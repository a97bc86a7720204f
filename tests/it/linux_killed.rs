//! podsim killed at any moment leaves nothing behind. The test has a host of its own: it starts itself again in new pid, network and mount
//! namespaces, where every process, mount and link that is not there before is podsim's, and where it is the init that orphans come to.

use crate::podsim::{Said, User, is_root};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, wait};
use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const NAME: &str = "linux_killed::two_hundred_nodes_are_killed_and_nothing_stays";

/// Set for the program that the test starts.
const INSIDE: &str = "PODSIM_TEST_INSIDE";

/// The seed of the moments, to see them again.
const SEED: &str = "PODSIM_TEST_SEED";

/// How often podsim is killed: a part of them while it boots, a part while it runs.
const KILLS: u32 = 200;

/// How many at once. They see each other, as the nodes of a host do.
const WORKERS: u32 = 4;

/// One shared and one own pid namespace, a program whose worker changes its user (which clears PR_SET_PDEATHSIG), volumes, and a hook.
const PODS: &str = "apiVersion: v1
kind: Pod
metadata: {name: shared}
spec:
  shareProcessNamespace: true
  terminationGracePeriodSeconds: 1
  volumes: [{name: v, emptyDir: {}}]
  containers:
  - {name: web, image: nginx, volumeMounts: [{name: v, mountPath: /v}]}
  - {name: shell, image: busybox, command: [sleep, '1000'], volumeMounts: [{name: v, mountPath: /v}]}
---
apiVersion: v1
kind: Pod
metadata: {name: own}
spec:
  hostIPC: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox
    command: [sh, -c, 'sleep 1000 & (sleep 1000 &) ; wait']
    lifecycle: {preStop: {exec: {command: [sleep, '1000']}}}
";

/// Starts a node whose Pods run when this returns.
const START: &[&str] = &[
    "run",
    "-d",
    "--wait",
    "--backend=linux",
    "--node-config=node.yaml",
    "pods.yaml",
];

/// Random numbers: xorshift64*, of Vigna. Good enough for moments, and the same on every machine.
struct Random(u64);

impl Random {
    /// From 0 to `limit`.
    fn up_to(&mut self, limit: Duration) -> Duration {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let random = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
        limit.mul_f64(random as f64 / f64::from(1 << 24))
    }
}

/// What a host has that podsim could leave behind: processes, mounts, links, cgroups, files.
fn look_at_host(user: &User) -> BTreeSet<String> {
    let read = |path: &str| fs::read_to_string(path).expect(path);
    let mut found: BTreeSet<String> = read("/proc/self/mountinfo").lines().map(str::to_owned).collect();
    // Two lines of headings.
    let links = read("/proc/net/dev");
    let links = links.lines().skip(2).filter_map(|line| line.split(':').next());
    found.extend(links.map(|link| format!("link {}", link.trim())));
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.parse::<u32>().is_ok() {
            let command = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            found.insert(format!("process {name} {}", command.replace('\0', " ")));
        }
    }
    list(
        Path::new("/sys/fs/cgroup"),
        &|path| path.contains("/podsim/killed"),
        &mut found,
    );
    // What is inside of a layer is its own affair; that half of one stays is not.
    // Files that are only locked stay, so that nobody locks a file that has lost its name.
    let of_interest = |path: &str| !path.contains("/layers/") && !path.ends_with(".lock");
    list(user.home(), &of_interest, &mut found);
    found
}

/// All directories and files below one, without following links.
fn list(directory: &Path, wanted: &dyn Fn(&str) -> bool, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if wanted(&path.to_string_lossy()) {
            into.insert(path.display().to_string());
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(&path, wanted, into);
        }
    }
}

/// Waits until a process has ended; whether it has within the time.
fn ends(process: impl AsFd, within: Duration) -> bool {
    let limit = Timespec::try_from(within).expect("a time");
    poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)).expect("poll") == 1
}

/// As init does it: waits for every process that has come to this one. They have been killed, so it takes no time; one that has not is what
/// the comparison will show.
fn reap() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        match wait(WaitOptions::NOHANG) {
            Ok(None) => std::thread::yield_now(),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

struct Worker<'u> {
    user: &'u User,
    number: u32,
    random: Random,
}

impl Worker<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.user.command(args);
        let own = self.user.home().join(format!("worker{}", self.number));
        command.env("XDG_RUNTIME_DIR", own);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().expect("podsim starts")
    }

    /// Runs a command to its end, which must be a good one.
    fn run(&self, args: &[&str]) -> String {
        let output = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output();
        let said = Said::from(output.expect("podsim runs"));
        assert_eq!(said.code, Some(0), "podsim {}: {}", args.join(" "), said.whole());
        said.stdout
    }

    /// Kills a node at a moment between its start and a little after both Pods run.
    fn kill_while_it_boots(&mut self, full: Duration) {
        let mut node = self.start(&["run", "--backend=linux", "--node-config=node.yaml", "pods.yaml"]);
        let pid = Pid::from_child(&node);
        let handle = pidfd_open(pid, PidfdFlags::empty()).expect("our child");
        ends(&handle, self.random.up_to(full));
        node.kill().expect("our child");
        node.wait().expect("our child");
    }

    /// Kills a node while a Pod is deleted, with programs in the other.
    fn kill_while_it_works(&mut self) {
        self.run(START);
        let listed = self.run(&["node", "ls"]);
        let pid = listed
            .lines()
            .nth(1)
            .and_then(|row| row.split_whitespace().nth(2)?.parse().ok());
        let node =
            pidfd_open(Pid::from_raw(pid.expect(&listed)).expect("a pid"), PidfdFlags::empty()).expect("it runs");
        let clients = [
            self.start(&[
                "exec",
                "shared",
                "-c",
                "shell",
                "--",
                "sh",
                "-c",
                "sleep 1000 & sleep 1000",
            ]),
            self.start(&["delete", "pod", "shared"]),
            self.start(&["delete", "pod", "own", "--grace-period=1"]),
        ];
        ends(&node, self.random.up_to(Duration::from_millis(400)));
        pidfd_send_signal(&node, Signal::KILL).expect("it runs");
        assert!(ends(&node, Duration::from_secs(10)), "killed");
        for mut client in clients {
            client.wait().expect("a client without a node ends");
        }
    }
}

#[test]
fn two_hundred_nodes_are_killed_and_nothing_stays() {
    if !is_root() {
        return;
    }
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut command = Command::new("unshare");
    command.args(["--fork", "--pid", "--mount-proc", "--net", "--mount", "--kill-child"]);
    command.arg(std::env::current_exe().expect("this program"));
    let output = command.args(["--exact", NAME, "--nocapture"]).env(INSIDE, "1").output();
    let output = output.expect("unshare, of util-linux");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn inside() {
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().expect("a time").as_micros() as u64);
    eprintln!("{SEED}={seed}");
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    assert!(up.expect("ip, of iproute2").success(), "ip link set lo up");
    let user = User::new();
    user.file("pods.yaml", PODS);
    // The host's bridge, that of all nodes: it is in the test's own network namespace.
    user.file("node.yaml", "name: killed\n");
    let worker = |number: u32| Worker {
        user: &user,
        number,
        random: Random(seed.wrapping_mul(2).wrapping_add(1) ^ (u64::from(number) << 32)),
    };
    let prune = || {
        for number in 0..WORKERS {
            worker(number).run(&["node", "prune"]);
        }
    };
    for number in 0..WORKERS {
        fs::create_dir(user.home().join(format!("worker{number}"))).expect("a directory");
    }

    // Once without violence: how long it takes, and what a node that was stopped leaves (layers).
    let first = worker(0);
    let start = Instant::now();
    first.run(START);
    let full = start.elapsed().mul_f64(1.2);
    first.run(&["node", "stop", "--all"]);
    prune();
    reap();
    let before = look_at_host(&user);
    let processes = before.iter().filter(|found| found.starts_with("process "));
    assert_eq!(processes.count(), 1, "only this one: {before:#?}");

    std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let mut worker = worker(number);
            scope.spawn(move || {
                for kill in 0..KILLS / WORKERS {
                    if kill % 10 == 0 {
                        // Beside nodes that are killed others end as they should.
                        worker.run(START);
                        worker.run(&["node", "stop", "--all"]);
                    }
                    if kill % 5 == 4 {
                        worker.kill_while_it_works();
                    } else {
                        // There are others, so it takes longer than alone.
                        worker.kill_while_it_boots(full * WORKERS / 2);
                    }
                }
            });
        }
    });
    prune();
    reap();
    let after = look_at_host(&user);
    let left: Vec<_> = after.difference(&before).collect();
    let lost: Vec<_> = before.difference(&after).collect();
    assert!(left.is_empty() && lost.is_empty(), "left: {left:#?}\nlost: {lost:#?}");
}
