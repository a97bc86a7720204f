//! Which Linux namespaces the containers of a Pod will be in, whom they share them with, and what decided it: a pure function
//! of the Pod and of the node's settings.

use crate::sandbox_config::namespace_option;
use k8s_openapi::api::core::v1::PodSpec;
use podsim_cri::{NamespaceMode, UtsNamespace};
use podsim_sys::NsKind;

/// Whose namespace a container is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// The node's: shared with every process outside of containers.
    Node,
    /// The Pod's: shared with pause and the other containers.
    Pod,
    /// Its own.
    Container,
}

impl Sharing {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Container => "container",
        }
    }
}

/// One kind of namespace, for all containers of a Pod alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The kind.
    pub kind: NsKind,
    /// Whose.
    pub sharing: Sharing,
    /// The field that decided it, or why none can.
    pub decided_by: &'static str,
}

/// The decisions, in the order of `ls /proc/PID/ns`. They are the same for all containers: no field of a container says
/// anything about namespaces.
#[must_use]
pub fn decisions(spec: &PodSpec, uts: UtsNamespace) -> Vec<Decision> {
    let options = namespace_option(spec);
    let mode = |mode: &NamespaceMode| match mode {
        NamespaceMode::Node => Sharing::Node,
        NamespaceMode::Pod => Sharing::Pod,
        NamespaceMode::Container | NamespaceMode::Target(_) => Sharing::Container,
    };
    let set = |field: Option<bool>| field == Some(true);
    let decide = |kind| match kind {
        NsKind::Net if set(spec.host_network) => (mode(&options.network), "spec.hostNetwork: true"),
        NsKind::Net => (
            mode(&options.network),
            "spec.hostNetwork is not set: containers of a Pod always share",
        ),
        NsKind::Ipc if set(spec.host_ipc) => (mode(&options.ipc), "spec.hostIPC: true"),
        NsKind::Ipc => (
            mode(&options.ipc),
            "spec.hostIPC is not set: containers of a Pod always share",
        ),
        NsKind::Pid if set(spec.host_pid) => (mode(&options.pid), "spec.hostPID: true"),
        NsKind::Pid if set(spec.share_process_namespace) => (mode(&options.pid), "spec.shareProcessNamespace: true"),
        NsKind::Pid => (mode(&options.pid), "spec.shareProcessNamespace is not set"),
        NsKind::Uts if set(spec.host_network) => (
            Sharing::Node,
            "spec.hostNetwork: true: the node's name comes with its network",
        ),
        NsKind::Uts if uts == UtsNamespace::Pod => (Sharing::Pod, "the node's setting utsNamespace: pod"),
        NsKind::Uts => (Sharing::Container, "the node's setting utsNamespace: container"),
        NsKind::Mnt => (Sharing::Container, "no field: each container has its own root"),
        NsKind::User if spec.host_users == Some(false) => (Sharing::Pod, "spec.hostUsers: false"),
        NsKind::User => (Sharing::Node, "spec.hostUsers is not false"),
        NsKind::Cgroup => (Sharing::Node, "no field: there is one cgroup namespace"),
    };
    let decision = |kind| {
        let (sharing, decided_by) = decide(kind);
        Decision {
            kind,
            sharing,
            decided_by,
        }
    };
    NsKind::ALL.into_iter().map(decision).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(spec: &PodSpec, uts: UtsNamespace) -> String {
        let word = |d: &Decision| format!("{}={}", d.kind.name(), d.sharing.name());
        decisions(spec, uts).iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_field_moves_its_own_namespace() {
        let plain = PodSpec::default();
        let shared = PodSpec {
            share_process_namespace: Some(true),
            ..PodSpec::default()
        };
        let users = PodSpec {
            host_users: Some(false),
            ..PodSpec::default()
        };
        let host = PodSpec {
            host_network: Some(true),
            host_ipc: Some(true),
            host_pid: Some(true),
            ..PodSpec::default()
        };
        for (spec, uts, expected) in [
            (
                &plain,
                UtsNamespace::Container,
                "cgroup=node ipc=pod mnt=container net=pod pid=container user=node uts=container",
            ),
            (
                &plain,
                UtsNamespace::Pod,
                "cgroup=node ipc=pod mnt=container net=pod pid=container user=node uts=pod",
            ),
            (
                &users,
                UtsNamespace::Pod,
                "cgroup=node ipc=pod mnt=container net=pod pid=container user=pod uts=pod",
            ),
            (
                &shared,
                UtsNamespace::Container,
                "cgroup=node ipc=pod mnt=container net=pod pid=pod user=node uts=container",
            ),
            (
                &host,
                UtsNamespace::Container,
                "cgroup=node ipc=node mnt=container net=node pid=node user=node uts=node",
            ),
        ] {
            assert_eq!(line(spec, uts), expected);
        }
    }
}
