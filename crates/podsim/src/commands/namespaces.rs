//! `podsim namespaces`: which container is in which namespace, and which field of the manifest decided it.

use crate::client::Client;
use crate::context::Context;
use crate::errors::Failure;
use crate::node_view::NodeView;
use crate::pods::pod_name;
use anyhow::Result;
use clap::Args;
use k8s_openapi::api::core::v1::PodSpec;
use podsim_apiserver::node_view::{ContainerView, SandboxView};
use podsim_cri::UtsNamespace;
use podsim_kubelet::namespaces::{Decision, decisions};
use podsim_sys::NsKind;
use serde::Deserialize;
use serde_json::{Value, json};

/// Show which Linux namespaces the containers of a Pod share, with whom, and why
///
/// One line for each kind of namespace and each container: the number by which /proc/PID/ns shows it, who else is in it, and the
/// field of the manifest that decided it.
#[derive(Args, Debug)]
pub(crate) struct NamespacesArgs {
    /// table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: String,
    /// The Pod
    pod: String,
}

/// A member of the Pod: the sandbox's pause, or a container.
struct Member<'a> {
    name: &'a str,
    inodes: &'a std::collections::BTreeMap<String, u64>,
}

/// A line of the answer.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    kind: &'static str,
    container: String,
    inode: Option<u64>,
    shared_with: String,
    decided_by: &'static str,
}

pub(crate) async fn run(context: &Context, args: &NamespacesArgs) -> Result<i32> {
    let name = pod_name(&args.pod)?;
    let client: Client = context.client()?;
    let pod = client.pod(&context.namespace, name).await?;
    let view = NodeView::fetch(&client).await?;
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let sandbox = view
        .sandboxes
        .iter()
        .filter(|sandbox| sandbox.uid == uid)
        .max_by_key(|sandbox| sandbox.attempt);
    let Some(sandbox) = sandbox else {
        let message = format!("error: pod {name} has no sandbox: it was not started yet, or it has ended");
        return Err(Failure::new(message).into());
    };
    let lines = lines(&pod, sandbox, &view.containers);
    match args.output.as_str() {
        "json" => {
            let lines: Vec<Value> = lines
                .iter()
                .map(|line| {
                    json!({"kind": line.kind, "container": line.container, "inode": line.inode,
                           "sharedWith": line.shared_with, "decidedBy": line.decided_by})
                })
                .collect();
            context.printer.line(crate::output::json::pretty(&lines)).await?;
        }
        "table" => {
            let header = ["NAMESPACE", "CONTAINER", "INODE", "SHARED WITH", "DECIDED BY"];
            let mut rows = vec![header.map(str::to_owned).to_vec()];
            let mut last = "";
            for line in &lines {
                let kind = if line.kind == last { "" } else { line.kind };
                last = line.kind;
                let inode = line
                    .inode
                    .map_or_else(|| "-".to_owned(), |inode| format!("{}:[{inode}]", line.kind));
                let shared = line.shared_with.clone();
                rows.push(vec![
                    kind.to_owned(),
                    line.container.clone(),
                    inode,
                    shared,
                    line.decided_by.to_owned(),
                ]);
            }
            context.printer.table(&rows).await?;
        }
        other => return Err(Failure::new(format!("error: the format {other:?} is not table or json")).into()),
    }
    Ok(0)
}

fn lines(pod: &Value, sandbox: &SandboxView, containers: &[ContainerView]) -> Vec<Line> {
    let mut members = vec![Member {
        name: "(sandbox)",
        inodes: &sandbox.namespaces.inodes,
    }];
    // The newest container of each name that is in this sandbox, in the manifest's order.
    for (name, _) in crate::pods::containers(pod) {
        let mine = containers
            .iter()
            .filter(|container| container.sandbox == sandbox.id && container.name == name);
        let newest = mine
            .filter(|container| container.state == "running")
            .max_by_key(|container| container.attempt);
        members.extend(newest.map(|container| Member {
            name,
            inodes: &container.namespaces.inodes,
        }));
    }
    // How UTS namespaces are shared is a setting of the node: it shows in what is there.
    let uts = sandbox.namespaces.inodes.get(NsKind::Uts.name());
    let shared = uts.is_some()
        && members
            .iter()
            .all(|member| member.inodes.get(NsKind::Uts.name()) == uts);
    let uts = if shared && members.len() > 1 {
        UtsNamespace::Pod
    } else {
        UtsNamespace::Container
    };
    let spec = PodSpec::deserialize(&pod["spec"]).unwrap_or_default();
    let mut lines = Vec::new();
    for Decision { kind, decided_by, .. } in decisions(&spec, uts) {
        for (index, member) in members.iter().enumerate() {
            let inode = member.inodes.get(kind.name()).copied();
            let shared_with = match inode {
                None => "-".to_owned(),
                Some(inode) if inode == kind.initial_inode() => "the node".to_owned(),
                Some(inode) => {
                    let others = members.iter().enumerate().filter(|(other, _)| *other != index);
                    let same = others.filter(|(_, other)| other.inodes.get(kind.name()) == Some(&inode));
                    let names: Vec<&str> = same.map(|(_, other)| other.name).collect();
                    if names.is_empty() {
                        "nobody".to_owned()
                    } else {
                        names.join(", ")
                    }
                }
            };
            lines.push(Line {
                kind: kind.name(),
                container: member.name.to_owned(),
                inode,
                shared_with,
                decided_by,
            });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_pid_namespace_is_told_with_its_members_and_its_field() {
        let namespaces = |pid: u64, mnt: u64| json!({"network": "Pod", "pid": "Pod", "ipc": "Pod", "inodes": {"pid": pid, "mnt": mnt, "user": 4026531837_u64}});
        let sandbox: SandboxView = serde_json::from_value(json!({
            "id": "s", "pod": "p", "namespace": "default", "uid": "u", "attempt": 0, "ready": true,
            "createdAt": "2025-06-17T14:41:00Z", "ips": [], "pid": 1, "image": "pause", "namespaces": namespaces(5, 6), "labels": {},
        }))
        .unwrap();
        let container: ContainerView = serde_json::from_value(json!({
            "id": "c", "sandbox": "s", "name": "shell", "attempt": 0, "state": "running", "createdAt": "2025-06-17T14:41:00Z",
            "startedAt": null, "finishedAt": null, "exitCode": null, "reason": "", "message": "", "image": "", "imageId": "",
            "pid": 2, "namespaces": namespaces(5, 7), "argv": [], "mounts": [], "labels": {}, "logPath": "", "tty": false,
            "stdin": false,
        }))
        .unwrap();
        let pod = json!({"spec": {"shareProcessNamespace": true, "containers": [{"name": "shell", "image": "x"}]}});
        let lines = lines(&pod, &sandbox, &[container]);
        let show = |kind: &str| {
            let line = lines
                .iter()
                .find(|line| line.kind == kind && line.container == "shell")
                .unwrap();
            format!("{:?} {} | {}", line.inode, line.shared_with, line.decided_by)
        };
        assert_eq!(show("pid"), "Some(5) (sandbox) | spec.shareProcessNamespace: true");
        assert_eq!(
            show("mnt"),
            "Some(7) nobody | no field: each container has its own root"
        );
        assert_eq!(show("user"), "Some(4026531837) the node | spec.hostUsers is not false");
        assert_eq!(
            show("net"),
            "None - | spec.hostNetwork is not set: containers of a Pod always share"
        );
    }
}
