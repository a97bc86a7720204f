//! What the runtime has of a Pod (`kubecontainer.PodStatus`).

use crate::containers::should_restart;
use k8s_openapi::api::core::v1::{Container, Pod};
use podsim_cri::{
    ContainerFilter, ContainerId, ContainerState, ContainerStatus, PodSandboxFilter, PodSandboxState, PodSandboxStatus,
    Result, RuntimeService,
};
use std::collections::HashMap;

/// The sandboxes and containers of a Pod, the newest first.
#[derive(Clone, Debug, Default)]
pub struct PodRuntimeStatus {
    /// All sandboxes that are not removed.
    pub sandboxes: Vec<PodSandboxStatus>,
    /// All containers that are not removed, of whatever sandbox.
    pub containers: Vec<ContainerStatus>,
    /// What the ended containers left as their termination message.
    pub messages: HashMap<ContainerId, String>,
}

impl PodRuntimeStatus {
    /// Asks the runtime.
    pub async fn read(runtime: &dyn RuntimeService, pod_uid: &str) -> Result<Self> {
        let sandbox_filter = PodSandboxFilter {
            pod_uid: Some(pod_uid.to_owned()),
            ..PodSandboxFilter::default()
        };
        let container_filter = ContainerFilter {
            pod_uid: Some(pod_uid.to_owned()),
            ..ContainerFilter::default()
        };
        let mut status = Self {
            sandboxes: runtime.list_pod_sandbox(&sandbox_filter).await?,
            containers: runtime.list_containers(&container_filter).await?,
            messages: HashMap::new(),
        };
        status.sandboxes.sort_by_key(|s| std::cmp::Reverse(s.metadata.attempt));
        status.containers.sort_by_key(|c| std::cmp::Reverse(c.metadata.attempt));
        Ok(status)
    }

    /// The newest sandbox.
    #[must_use]
    pub fn sandbox(&self) -> Option<&PodSandboxStatus> {
        self.sandboxes.first()
    }

    /// The newest sandbox, if it is usable.
    #[must_use]
    pub fn ready_sandbox(&self) -> Option<&PodSandboxStatus> {
        self.sandbox().filter(|s| s.state == PodSandboxState::Ready)
    }

    /// The containers of a name, the newest first.
    pub fn containers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a ContainerStatus> {
        self.containers.iter().filter(move |c| c.metadata.name == name)
    }

    /// The newest container of a name.
    #[must_use]
    pub fn newest(&self, name: &str) -> Option<&ContainerStatus> {
        self.containers.iter().find(|c| c.metadata.name == name)
    }

    /// The containers that run.
    pub fn running(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.containers.iter().filter(|c| c.state == ContainerState::Running)
    }
}

/// `Always` unless the Pod says otherwise.
#[must_use]
pub fn restart_policy(pod: &Pod) -> &str {
    pod.spec
        .as_ref()
        .and_then(|s| s.restart_policy.as_deref())
        .unwrap_or("Always")
}

/// Should this container be started (again), as far as its last run tells? (`ShouldContainerBeRestarted`)
#[must_use]
pub fn should_be_restarted(container: &Container, pod: &Pod, status: &PodRuntimeStatus) -> bool {
    if pod.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let Some(last) = status.newest(&container.name) else {
        return true;
    };
    match last.state {
        ContainerState::Running => false,
        ContainerState::Created => true,
        // A container whose definition was changed starts anew, whatever the policy.
        ContainerState::Exited if definition_changed(container, last) => true,
        ContainerState::Exited => should_restart(container, pod, last.exit_code.unwrap_or(0)),
    }
}

/// The image is the only thing of a container that may change.
#[must_use]
pub fn definition_changed(container: &Container, status: &ContainerStatus) -> bool {
    container.image.as_deref().unwrap_or_default() != status.image
}
