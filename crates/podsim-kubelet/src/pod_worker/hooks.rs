//! postStart hooks, and what hooks and probes need: whom they ask, and how they tell what came of it.

use super::{Done, PodWorker, full_name};
use crate::events::{Severity, pod_reference};
use crate::lifecycle;
use crate::prober::dial::Dialer;
use crate::prober::handler::Subject;
use k8s_openapi::api::core::v1::{Container, Pod};
use podsim_cri::{ContainerId, NamespaceMode, PodSandboxStatus};

impl PodWorker {
    /// Does a postStart hook run?
    pub(crate) fn hook_runs(&self) -> bool {
        !self.hooks_running.is_empty()
    }

    /// The addresses of the Pod in this sandbox.
    pub(crate) fn pod_ips(&self, sandbox: &PodSandboxStatus) -> Vec<String> {
        let ips = if sandbox.namespaces.network == NamespaceMode::Node {
            &self.node.config.addresses
        } else {
            &sandbox.ips
        };
        ips.iter().map(ToString::to_string).collect()
    }

    /// A container for hooks and probes.
    pub(crate) fn subject(
        &self,
        pod: &Pod,
        sandbox: &PodSandboxStatus,
        id: ContainerId,
        container: Container,
    ) -> Subject {
        let known = || pod.status.as_ref().and_then(|s| s.pod_ip.clone());
        let pod_ip = self.pod_ips(sandbox).into_iter().next().or_else(known);
        Subject {
            dialer: Dialer {
                runtime: self.node.runtime.clone(),
                pod_ip: pod_ip.unwrap_or_default(),
                node_hosts: self.node.config.node_hosts.clone(),
            },
            clock: self.node.clock.clone(),
            id,
            container,
        }
    }

    /// Tells of a container from a task of its own.
    pub(crate) fn teller(&self, pod: &Pod, container: &str) -> impl Fn(Severity, &str, &str) + Send + Sync + 'static {
        let (node, about) = (self.node.clone(), pod_reference(pod, Some(container)));
        move |severity, reason, message| {
            if !*node.partitioned.borrow() {
                node.recorder.event(about.clone(), severity, reason, message);
            }
        }
    }

    /// Begins to run a postStart hook.
    pub(crate) fn start_hook(&mut self, pod: &Pod, subject: Subject) {
        let lifecycle = subject.container.lifecycle.as_ref();
        let Some(hook) = lifecycle.and_then(|l| l.post_start.clone()) else {
            return;
        };
        self.hooks_running.insert(subject.id.clone());
        let tell = self.teller(pod, &subject.container.name);
        let pod = full_name(pod);
        self.tasks.spawn(async move {
            let result = lifecycle::run_hook(&subject, &pod, &hook, &tell).await;
            Done::Hook {
                id: subject.id,
                container: subject.container.name,
                result,
            }
        });
    }
}
