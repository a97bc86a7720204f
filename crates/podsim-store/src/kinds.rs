//! The kinds that the store knows: what API discovery tells about each.

/// A kind of object.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// As in `kind:`.
    pub kind: &'static str,
    /// As in URLs.
    pub plural: &'static str,
    /// As in `kubectl get pod`.
    pub singular: &'static str,
    /// As in `kubectl get po`.
    pub short_names: &'static [&'static str],
    /// Objects are in a (Kubernetes) namespace.
    pub namespaced: bool,
    /// Has a status that is written apart from the rest.
    pub has_status: bool,
    /// Fields that a field selector may name, besides `metadata.name` and `metadata.namespace`.
    pub selectable: &'static [&'static str],
}

impl Kind {
    /// `v1` or `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `pods` or `leases.coordination.k8s.io`, as in messages.
    #[must_use]
    pub fn resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `Pod` or `Lease.coordination.k8s.io`, as in messages.
    #[must_use]
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.kind.to_owned()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }
}

const fn core(kind: &'static str, plural: &'static str, singular: &'static str) -> Kind {
    Kind {
        group: "",
        version: "v1",
        kind,
        plural,
        singular,
        short_names: &[],
        namespaced: true,
        has_status: false,
        selectable: &[],
    }
}

/// Pods.
pub const POD: Kind = Kind {
    short_names: &["po"],
    has_status: true,
    selectable: &[
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ],
    ..core("Pod", "pods", "pod")
};

/// Nodes.
pub const NODE: Kind = Kind {
    short_names: &["no"],
    namespaced: false,
    has_status: true,
    selectable: &["spec.unschedulable"],
    ..core("Node", "nodes", "node")
};

/// Kubernetes' namespaces.
pub const NAMESPACE: Kind = Kind {
    short_names: &["ns"],
    namespaced: false,
    has_status: true,
    selectable: &["status.phase"],
    ..core("Namespace", "namespaces", "namespace")
};

/// Events.
pub const EVENT: Kind = Kind {
    short_names: &["ev"],
    selectable: &[
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ],
    ..core("Event", "events", "event")
};

/// ConfigMaps.
pub const CONFIG_MAP: Kind = Kind {
    short_names: &["cm"],
    ..core("ConfigMap", "configmaps", "configmap")
};

/// Secrets.
pub const SECRET: Kind = Kind {
    selectable: &["type"],
    ..core("Secret", "secrets", "secret")
};

/// Services.
pub const SERVICE: Kind = Kind {
    short_names: &["svc"],
    has_status: true,
    selectable: &["spec.clusterIP", "spec.type"],
    ..core("Service", "services", "service")
};

/// ServiceAccounts.
pub const SERVICE_ACCOUNT: Kind = Kind {
    short_names: &["sa"],
    ..core("ServiceAccount", "serviceaccounts", "serviceaccount")
};

/// Leases: the heartbeats of nodes.
pub const LEASE: Kind = Kind {
    group: "coordination.k8s.io",
    ..core("Lease", "leases", "lease")
};

/// All kinds.
pub const ALL: [&Kind; 9] = [
    &POD,
    &NODE,
    &NAMESPACE,
    &EVENT,
    &CONFIG_MAP,
    &SECRET,
    &SERVICE,
    &SERVICE_ACCOUNT,
    &LEASE,
];

/// The kind of an `apiVersion` and a `kind`.
#[must_use]
pub fn by_kind(api_version: &str, kind: &str) -> Option<&'static Kind> {
    ALL.into_iter()
        .find(|k| k.kind == kind && k.api_version() == api_version)
}

/// The kind of a plural in URLs.
#[must_use]
pub fn by_plural(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    ALL.into_iter()
        .find(|k| k.plural == plural && k.group == group && k.version == version)
}

/// The kind that a person means by `pods`, `pod`, `po` or `Pod`.
#[must_use]
pub fn by_any_name(name: &str) -> Option<&'static Kind> {
    let name = name.to_ascii_lowercase();
    ALL.into_iter().find(|k| {
        k.plural == name || k.singular == name || k.short_names.contains(&name.as_str()) || k.resource() == name
    })
}
