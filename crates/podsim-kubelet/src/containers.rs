//! The four kinds of containers of a Pod, and when one that has ended is started again (`podutil.ContainerShouldRestart`).

use k8s_openapi::api::core::v1::{Container, EphemeralContainer, Pod};

/// What a container is in its Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the containers proper.
    Init,
    /// An init container with `restartPolicy: Always`: starts before, and stops after, the containers proper.
    Sidecar,
    /// One of `spec.containers`.
    Regular,
    /// Came later, for debugging; never restarted.
    Ephemeral,
}

impl Role {
    /// The list of the Pod's spec that it is in.
    #[must_use]
    pub fn list(self) -> &'static str {
        match self {
            Self::Init | Self::Sidecar => "initContainers",
            Self::Regular => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

/// Is this init container a sidecar?
#[must_use]
pub fn is_sidecar(init_container: &Container) -> bool {
    init_container.restart_policy.as_deref() == Some("Always")
}

/// The init containers.
#[must_use]
pub fn init_containers(pod: &Pod) -> &[Container] {
    let spec = pod.spec.as_ref();
    spec.and_then(|s| s.init_containers.as_deref()).unwrap_or_default()
}

/// The containers proper.
#[must_use]
pub fn regular_containers(pod: &Pod) -> &[Container] {
    pod.spec.as_ref().map(|s| s.containers.as_slice()).unwrap_or_default()
}

/// The containers that last as long as the Pod: sidecars, and the containers proper.
pub fn lasting_containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let sidecars = init_containers(pod).iter().filter(|c| is_sidecar(c));
    sidecars.chain(regular_containers(pod))
}

/// The ephemeral containers.
#[must_use]
pub fn ephemeral_containers(pod: &Pod) -> &[EphemeralContainer] {
    let spec = pod.spec.as_ref();
    spec.and_then(|s| s.ephemeral_containers.as_deref()).unwrap_or_default()
}

/// An ephemeral container as a container: all its fields but `targetContainerName` are the same.
#[must_use]
pub fn as_container(ephemeral: &EphemeralContainer) -> Container {
    let value = serde_json::to_value(ephemeral).unwrap_or_default();
    serde_json::from_value(value).unwrap_or_default()
}

/// The container of a name, and what it is.
#[must_use]
pub fn find(pod: &Pod, name: &str) -> Option<(Role, Container)> {
    let named = |c: &&Container| c.name == name;
    if let Some(container) = regular_containers(pod).iter().find(named) {
        return Some((Role::Regular, container.clone()));
    }
    if let Some(container) = init_containers(pod).iter().find(named) {
        let role = if is_sidecar(container) {
            Role::Sidecar
        } else {
            Role::Init
        };
        return Some((role, container.clone()));
    }
    let mut ephemeral = ephemeral_containers(pod).iter();
    let found = ephemeral.find(|c| c.name == name)?;
    Some((Role::Ephemeral, as_container(found)))
}

/// Does a container that has ended with this code run again? Its own rules come first, then its own policy, then the Pod's
/// (KEP-5307).
#[must_use]
pub fn should_restart(container: &Container, pod: &Pod, exit_code: i32) -> bool {
    let policy = match container.restart_policy.as_deref() {
        Some(own) => {
            if restarted_by_rule(container, exit_code) {
                return true;
            }
            own
        }
        None => crate::runtime_status::restart_policy(pod),
    };
    match policy {
        "Never" => false,
        "OnFailure" => exit_code != 0,
        _ => true,
    }
}

fn restarted_by_rule(container: &Container, exit_code: i32) -> bool {
    container.restart_policy_rules.iter().flatten().any(|rule| {
        rule.action == "Restart"
            && rule.exit_codes.as_ref().is_some_and(|codes| {
                let listed = codes.values.iter().flatten().any(|code| *code == exit_code);
                match codes.operator.as_str() {
                    "In" => listed,
                    "NotIn" => !listed,
                    _ => false,
                }
            })
    })
}
