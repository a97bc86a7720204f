//! The Node object and its heartbeat (a Lease, as in Kubernetes).

use crate::events::{Severity, node_reference};
use crate::pod_worker;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{
    DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeSpec, NodeStatus, NodeSystemInfo,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use podsim_store::{StoreError, time};
use podsim_sys::sleep_until;
use std::collections::BTreeMap;

/// Where the leases of nodes are.
pub(crate) const LEASES: &str = "kube-node-lease";

/// Creates the Node object, or brings its status up to date.
pub(crate) fn register(node: &pod_worker::Node) -> Result<(), StoreError> {
    let object = node_object(node);
    let api = node.store.api::<Node>();
    let name = &node.config.node_name;
    let stored = match api.get("", name) {
        Ok(_) => api.modify_status("", name, |n| n.status.clone_from(&object.status))?,
        Err(StoreError::NotFound { .. }) => {
            let created = api.create("", &object)?;
            node.recorder.event(
                node_reference(&created),
                Severity::Normal,
                "Starting",
                "Starting kubelet.",
            );
            created
        }
        Err(error) => return Err(error),
    };
    node.recorder.event(
        node_reference(&stored),
        Severity::Normal,
        "NodeReady",
        &format!("Node {name} status is now: NodeReady"),
    );
    renew(node)
}

/// Renews the lease now and then; while the node is cut off, not. When it is joined again it says that it is ready.
pub(crate) async fn heartbeat(node: &pod_worker::Node) {
    let mut partitioned = node.partitioned.clone();
    loop {
        let next = node.clock.monotonic() + node.config.heartbeat;
        tokio::select! {
            biased;
            () = sleep_until(&node.clock, next) => {
                if *partitioned.borrow() {
                    continue;
                }
                // A machine that was asleep was given up meanwhile.
                let result = if is_ready(node) { renew(node) } else { register(node) };
                if let Err(error) = result {
                    tracing::warn!("cannot renew the node's lease: {error}");
                }
            }
            changed = partitioned.changed() => {
                if changed.is_err() {
                    return;
                }
                if !*partitioned.borrow_and_update()
                    && let Err(error) = register(node)
                {
                    tracing::warn!("cannot report the node's status: {error}");
                }
            }
        }
    }
}

/// Does the API say that the node is ready?
fn is_ready(node: &pod_worker::Node) -> bool {
    let Ok(object) = node.store.api::<Node>().get("", &node.config.node_name) else {
        return false;
    };
    let conditions = object.status.and_then(|s| s.conditions).unwrap_or_default();
    conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
}

fn renew(node: &pod_worker::Node) -> Result<(), StoreError> {
    let (name, api) = (&node.config.node_name, node.store.api::<Lease>());
    let spec = LeaseSpec {
        holder_identity: Some(name.clone()),
        lease_duration_seconds: Some(40),
        renew_time: Some(MicroTime(time::timestamp(node.clock.as_ref()))),
        ..LeaseSpec::default()
    };
    match api.modify(LEASES, name, |lease| lease.spec = Some(spec.clone())) {
        Err(StoreError::NotFound { .. }) => {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    namespace: Some(LEASES.to_owned()),
                    ..ObjectMeta::default()
                },
                spec: Some(spec),
            };
            api.create(LEASES, &lease).map(drop)
        }
        other => other.map(drop),
    }
}

fn node_object(node: &pod_worker::Node) -> Node {
    let config = &node.config;
    let mut labels = config.labels.clone();
    for (key, value) in [
        ("kubernetes.io/hostname", config.node_name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", config.architecture.as_str()),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    Node {
        metadata: ObjectMeta {
            name: Some(config.node_name.clone()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            pod_cidr: Some(config.pod_cidr.clone()),
            pod_cidrs: Some(vec![config.pod_cidr.clone()]),
            ..NodeSpec::default()
        }),
        status: Some(status(node)),
    }
}

fn status(node: &pod_worker::Node) -> NodeStatus {
    let config = &node.config;
    let now = time::now(node.clock.as_ref());
    let address = |type_: &str, address: String| NodeAddress {
        type_: type_.to_owned(),
        address,
    };
    let mut addresses: Vec<_> = config
        .addresses
        .iter()
        .map(|ip| address("InternalIP", ip.to_string()))
        .collect();
    addresses.push(address("Hostname", config.node_name.clone()));
    let capacity: BTreeMap<_, _> = [
        ("cpu", config.cpus.to_string()),
        ("memory", format!("{}Ki", config.memory >> 10)),
        ("pods", "110".to_owned()),
    ]
    .into_iter()
    .map(|(name, amount)| (name.to_owned(), Quantity(amount)))
    .collect();
    let condition = |type_: &str, status: &str, reason: &str, message: &str| NodeCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_heartbeat_time: Some(now.clone()),
        last_transition_time: Some(now.clone()),
    };
    let (runtime, version) = node.runtime.version();
    NodeStatus {
        addresses: Some(addresses),
        allocatable: Some(capacity.clone()),
        capacity: Some(capacity),
        conditions: Some(vec![
            condition(
                "MemoryPressure",
                "False",
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            condition(
                "DiskPressure",
                "False",
                "KubeletHasNoDiskPressure",
                "kubelet has no disk pressure",
            ),
            condition(
                "PIDPressure",
                "False",
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
            ),
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ]),
        daemon_endpoints: (config.kubelet_port != 0).then(|| NodeDaemonEndpoints {
            kubelet_endpoint: Some(DaemonEndpoint {
                port: config.kubelet_port.into(),
            }),
        }),
        node_info: Some(NodeSystemInfo {
            architecture: config.architecture.clone(),
            container_runtime_version: format!("{runtime}://{version}"),
            kernel_version: config.kernel_version.clone(),
            kubelet_version: concat!("v1.34.0+podsim-", env!("CARGO_PKG_VERSION")).to_owned(),
            operating_system: "linux".to_owned(),
            os_image: config.os_image.clone(),
            ..NodeSystemInfo::default()
        }),
        ..NodeStatus::default()
    }
}
