//! `podsim diff-backends`: the same manifest on both backends, and what is different to be seen.
//!
//! What can be seen is what commands print: kubectl's about the Pod, and a shell's in its containers. The output of both nodes is compared as
//! that of a document is ([`super::compare`]): identities may differ, but not how they are related.

use super::compare::{Bindings, compare, masked};
use super::run::observe;
use crate::context::Context;
use crate::manifests;
use crate::node::{Backend, Node, NodeConfig};
use anyhow::{Context as _, Result};
use clap::Args;
use regex::Regex;
use serde_json::Value;
use similar::{Algorithm, DiffTag};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::LazyLock;

/// Run a manifest on both backends and print where they can be told apart
///
/// The manifest is applied to a new node of each backend, one after the other. When its Pods have settled, the same commands are typed on both:
/// what kubectl tells of the Pods, and what a shell in each container sees of its files, processes, network, rights and limits. `-` is what the
/// Linux backend printed, `+` what the virtual one did. Of lines that are known to differ only the reason is told; others make the exit code 1.
#[derive(Args, Clone, Debug)]
pub(crate) struct DifferencesArgs {
    /// The manifest (`-` is the input)
    #[arg(value_name = "FILE")]
    file: String,
    /// How the nodes look: name, addresses, Pod CIDR, interfaces
    #[arg(long, value_name = "FILE")]
    node_config: Option<PathBuf>,
}

impl DifferencesArgs {
    /// Prepares the process for the nodes.
    pub(crate) fn prepare(&self) -> Result<Vec<String>> {
        Backend::Linux.prepare()
    }
}

/// What is looked at in each container: a name, and a command of its shell.
const INSIDE: &[(&str, &str)] = &[
    ("id", "id"),
    ("hostname", "hostname"),
    ("hosts", "cat /etc/hosts"),
    ("resolv.conf", "cat /etc/resolv.conf"),
    ("environment", "env | sort"),
    ("directory", "pwd; umask"),
    ("namespaces", "ls -l /proc/self/ns"),
    ("processes", "ps -o pid,user,args"),
    ("mounts", "cut -d' ' -f2,3 /proc/mounts | sort"),
    ("root", "ls -la /"),
    ("devices", "ls -l /dev"),
    ("addresses", "ip addr"),
    ("routes", "ip route"),
    ("limits", "ulimit -a"),
    (
        "rights",
        "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' /proc/self/status",
    ),
    (
        "kernel",
        "sysctl kernel.shmmax net.ipv4.ip_unprivileged_port_start net.ipv4.ping_group_range",
    ),
];

/// What is known to differ.
const KNOWN: &str = include_str!("differences.txt");

/// One look at a Pod.
struct Look {
    name: &'static str,
    command: String,
}

/// All looks at a Pod of the manifest.
fn looks(pod: &Value) -> Vec<Look> {
    let metadata = |field: &str| pod["metadata"][field].as_str();
    let of = format!(
        "-n {} {}",
        metadata("namespace").unwrap_or("default"),
        metadata("name").unwrap_or_default()
    );
    let describe = format!("kubectl describe pod {of}");
    let mut looks = vec![
        Look {
            name: "description",
            command: format!("{describe} | sed '/^Events:/,$d'"),
        },
        Look {
            name: "events",
            // In which order containers that start at the same time tell of it is nobody's business.
            command: format!(r"{describe} | sed '1,/^Events:/d; s/ [0-9]*s  *\((x[0-9].*)\)*//' | sort"),
        },
    ];
    let names = |list: &str| {
        pod["spec"][list]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|c| c["name"].as_str())
    };
    for container in names("initContainers").chain(names("containers")) {
        looks.push(Look {
            name: "log",
            command: format!("kubectl logs {of} -c {container}"),
        });
    }
    for container in names("containers") {
        looks.extend(INSIDE.iter().map(|(name, script)| Look {
            name,
            command: format!("kubectl exec {of} -c {container} -- sh -c \"{script}\""),
        }));
    }
    looks
}

/// A line that is known to be printed on one backend only.
struct Known {
    look: &'static str,
    line: Regex,
    reason: &'static str,
}

/// The checked-in list. An entry that cannot be read is left out, which a test notices.
fn known_lines() -> Vec<Known> {
    let entry = |text: &'static str| {
        let (look, rest) = text.split_once(' ')?;
        let (line, reason) = rest.trim_start().split_once("  ")?;
        let line = Regex::new(&format!("^(?:{line})$")).ok()?;
        let reason = reason.trim();
        Some(Known { look, line, reason })
    };
    KNOWN
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(entry)
        .collect()
}

/// Times that kubectl and nginx write in other ways than notes do.
static TIMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"\b(?:\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d|\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000|\d[\d.]*m?s\b)",
    )
    .ok()
});

/// What can be compared of a line.
fn plain(line: &str) -> String {
    let line = TIMES
        .as_ref()
        .map_or(line.into(), |times| times.replace_all(line, "<Measure>"));
    masked(&line).trim_end().to_owned()
}

/// What one look has shown.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shown {
    /// Lines of one backend only: `- ` is the Linux one's, `+ ` the virtual one's.
    lines: Vec<String>,
    /// Why some more differ.
    reasons: BTreeSet<&'static str>,
}

impl Shown {
    fn of(look: &str, linux: &[String], simulated: &[String], bindings: &mut Bindings, known: &[Known]) -> Self {
        let mut shown = Self::default();
        let mut differs = |sign: char, line: &str| {
            let text = format!("{sign} {}", plain(line));
            match known
                .iter()
                .find(|known| known.look == look && known.line.is_match(&text))
            {
                Some(known) => {
                    shown.reasons.insert(known.reason);
                }
                None => shown.lines.push(format!("{sign} {line}")),
            }
        };
        // A container's two streams are read apart: which of their lines comes first in its log is nobody's business.
        let sorted = |lines: &[String]| {
            let mut lines = lines.to_vec();
            if look == "log" {
                lines.sort_by_cached_key(|line| plain(line));
            }
            lines
        };
        let (linux, simulated) = (sorted(linux), sorted(simulated));
        let (a, b): (Vec<_>, Vec<_>) = (
            linux.iter().map(|line| plain(line)).collect(),
            simulated.iter().map(|line| plain(line)).collect(),
        );
        for operation in similar::capture_diff_slices(Algorithm::Myers, &a, &b) {
            let (tag, old, new) = operation.as_tag_tuple();
            if tag != DiffTag::Equal {
                linux.get(old).into_iter().flatten().for_each(|line| differs('-', line));
                simulated
                    .get(new)
                    .into_iter()
                    .flatten()
                    .for_each(|line| differs('+', line));
                continue;
            }
            for (old, new) in old.zip(new) {
                let (Some(old), Some(new)) = (linux.get(old), simulated.get(new)) else {
                    continue;
                };
                // What is an identity has to be the same one everywhere.
                match compare(std::slice::from_ref(old), std::slice::from_ref(new), bindings) {
                    Ok(learned) => *bindings = learned,
                    Err(mismatch) if mismatch.why.is_empty() => {}
                    Err(_) => {
                        differs('-', old);
                        differs('+', new);
                    }
                }
            }
        }
        shown
    }
}

/// Runs the manifest on both backends and compares.
pub(crate) async fn run(context: &Context, args: &DifferencesArgs) -> Result<i32> {
    let config = match &args.node_config {
        Some(file) => NodeConfig::read(file)?,
        None => NodeConfig::default(),
    };
    let documents = manifests::read_checked(context, &args.file).await?;
    let manifest: Vec<String> = documents.iter().map(|document| document.value().to_string()).collect();
    let pods = documents.iter().filter(|document| document.kind().singular == "pod");
    let looks: Vec<Look> = pods.flat_map(|pod| looks(pod.value())).collect();
    anyhow::ensure!(
        !looks.is_empty(),
        "there is no Pod in {}: nothing to look at",
        args.file
    );
    let commands: Vec<&str> = looks.iter().map(|look| look.command.as_str()).collect();
    let on = async |backend: Backend| {
        let node = Node::start(&config, backend, true, None).await?;
        let seen = observe(&node, &manifest, &commands).await;
        node.shutdown().await;
        seen.with_context(|| format!("on the backend {}", backend.name()))
    };
    let (linux, simulated) = (on(Backend::Linux).await?, on(Backend::Virtual).await?);

    let mut bindings = Bindings::default();
    let list = known_lines();
    let (mut unknown, mut reasons) = (0, BTreeSet::new());
    for (look, (linux, simulated)) in looks.iter().zip(linux.iter().zip(&simulated)) {
        let shown = Shown::of(look.name, linux, simulated, &mut bindings, &list);
        reasons.extend(shown.reasons.into_iter().map(|reason| (look.name, reason)));
        if !shown.lines.is_empty() {
            unknown += 1;
            let lines = shown.lines.join("\n");
            context
                .printer
                .line(format!("{}: $ {}\n{lines}", look.name, look.command))
                .await?;
        }
    }
    for (look, reason) in &reasons {
        context.printer.line(format!("known: {look}: {reason}")).await?;
    }
    let looks = looks.len();
    context
        .printer
        .line(format!("{looks} commands on both backends, {unknown} with differences"))
        .await?;
    Ok(i32::from(unknown > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_differences_are_of_looks_that_there_are_and_have_reasons() {
        let others = ["description", "events", "log"];
        let names: Vec<&str> = INSIDE.iter().map(|(name, _)| *name).chain(others).collect();
        let list = known_lines();
        for known in &list {
            assert!(
                names.contains(&known.look) && known.reason.len() > 10,
                "{} {}",
                known.look,
                known.line
            );
        }
        let entries = KNOWN.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(
            list.len(),
            entries,
            "LOOK LINE  REASON is needed, with two blanks before the reason"
        );
    }

    #[test]
    fn what_differs_is_told_and_identities_are_followed() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let known = [Known {
            look: "x",
            line: Regex::new(r"^- limit \d+$").expect("it is one"),
            reason: "of the host",
        }];
        let mut bindings = Bindings::default();
        for (linux, simulated, want, reasons) in [
            ("a\nnet:[4026532348]", "a\nnet:[4026532001]", "", 0),
            (
                "ipc:[4026532348]",
                "ipc:[4026532002]",
                "- ipc:[4026532348]\n+ ipc:[4026532002]",
                0,
            ),
            ("a\nb\nc", "a\nc\nd", "- b\n+ d", 0),
            ("limit 7\nc", "c", "", 1),
            (
                "Start: Thu, 26 Nov 2026 13:21:36 +0000 in 1.5ms",
                "Start: Thu, 26 Nov 2026 13:21:38 +0000 in 0s",
                "",
                0,
            ),
        ] {
            let shown = Shown::of("x", &lines(linux), &lines(simulated), &mut bindings, &known);
            assert_eq!(
                (shown.lines.join("\n").as_str(), shown.reasons.len()),
                (want, reasons),
                "{linux}"
            );
        }
        let (linux, simulated) = (lines("b\na\nc"), lines("a\nb\nc"));
        let shown = Shown::of("log", &linux, &simulated, &mut bindings, &known);
        assert_eq!(shown, Shown::default(), "the streams of a log have no order");
    }
}
