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
    /// Groups of kinds that `kubectl get` knows, as `all`.
    pub categories: &'static [&'static str],
    /// Has the subresource `scale`.
    pub scalable: bool,
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

macro_rules! kinds {
    ($($name:ident = $group:literal $version:literal $kind:literal $plural:literal $singular:literal $short:tt $scope:ident $status:ident
        $({ $($field:ident: $value:expr),* $(,)? })?;)*) => {
        $(
            #[doc = concat!("`", $kind, "` of `", $group, "/", $version, "`.")]
            pub const $name: Kind = Kind {
                $($($field: $value,)*)?
                ..kind($group, $version, $kind, $plural, $singular, &$short, kinds!(@scope $scope), kinds!(@status $status))
            };
        )*
        /// All kinds, the groups in the order in which discovery lists them.
        pub const ALL: &[&Kind] = &[$(&$name),*];
    };
    (@scope namespaced) => { true };
    (@scope cluster) => { false };
    (@status status) => { true };
    (@status plain) => { false };
}

#[expect(clippy::too_many_arguments, reason = "a row of the table below")]
const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    namespaced: bool,
    has_status: bool,
) -> Kind {
    Kind {
        group,
        version,
        kind,
        plural,
        singular,
        short_names,
        namespaced,
        has_status,
        selectable: &[],
        categories: &[],
        scalable: false,
    }
}

const IN_ALL: &[&str] = &["all"];

kinds! {
    POD = "" "v1" "Pod" "pods" "pod" ["po"] namespaced status {
        categories: IN_ALL,
        selectable: &[
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
            "status.phase", "status.podIP", "status.nominatedNodeName",
        ],
    };
    NODE = "" "v1" "Node" "nodes" "node" ["no"] cluster status { selectable: &["spec.unschedulable"] };
    NAMESPACE = "" "v1" "Namespace" "namespaces" "namespace" ["ns"] cluster status { selectable: &["status.phase"] };
    EVENT = "" "v1" "Event" "events" "event" ["ev"] namespaced plain {
        selectable: &[
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
            "reason", "reportingComponent", "source", "type",
        ],
    };
    CONFIG_MAP = "" "v1" "ConfigMap" "configmaps" "configmap" ["cm"] namespaced plain;
    SECRET = "" "v1" "Secret" "secrets" "secret" [] namespaced plain { selectable: &["type"] };
    SERVICE = "" "v1" "Service" "services" "service" ["svc"] namespaced status {
        categories: IN_ALL, selectable: &["spec.clusterIP", "spec.type"],
    };
    SERVICE_ACCOUNT = "" "v1" "ServiceAccount" "serviceaccounts" "serviceaccount" ["sa"] namespaced plain;
    ENDPOINTS = "" "v1" "Endpoints" "endpoints" "endpoints" ["ep"] namespaced plain;
    PERSISTENT_VOLUME = "" "v1" "PersistentVolume" "persistentvolumes" "persistentvolume" ["pv"] cluster status;
    PERSISTENT_VOLUME_CLAIM = "" "v1" "PersistentVolumeClaim" "persistentvolumeclaims" "persistentvolumeclaim" ["pvc"] namespaced status;
    LIMIT_RANGE = "" "v1" "LimitRange" "limitranges" "limitrange" ["limits"] namespaced plain;
    RESOURCE_QUOTA = "" "v1" "ResourceQuota" "resourcequotas" "resourcequota" ["quota"] namespaced status;
    POD_TEMPLATE = "" "v1" "PodTemplate" "podtemplates" "podtemplate" [] namespaced plain;
    REPLICATION_CONTROLLER = "" "v1" "ReplicationController" "replicationcontrollers" "replicationcontroller" ["rc"] namespaced status {
        categories: IN_ALL, scalable: true, selectable: &["status.replicas"],
    };
    DEPLOYMENT = "apps" "v1" "Deployment" "deployments" "deployment" ["deploy"] namespaced status { categories: IN_ALL, scalable: true };
    REPLICA_SET = "apps" "v1" "ReplicaSet" "replicasets" "replicaset" ["rs"] namespaced status {
        categories: IN_ALL, scalable: true, selectable: &["status.replicas"],
    };
    STATEFUL_SET = "apps" "v1" "StatefulSet" "statefulsets" "statefulset" ["sts"] namespaced status { categories: IN_ALL, scalable: true };
    DAEMON_SET = "apps" "v1" "DaemonSet" "daemonsets" "daemonset" ["ds"] namespaced status { categories: IN_ALL };
    CONTROLLER_REVISION = "apps" "v1" "ControllerRevision" "controllerrevisions" "controllerrevision" [] namespaced plain;
    JOB = "batch" "v1" "Job" "jobs" "job" [] namespaced status { categories: IN_ALL, selectable: &["status.successful"] };
    CRON_JOB = "batch" "v1" "CronJob" "cronjobs" "cronjob" ["cj"] namespaced status { categories: IN_ALL };
    HORIZONTAL_POD_AUTOSCALER = "autoscaling" "v2" "HorizontalPodAutoscaler" "horizontalpodautoscalers" "horizontalpodautoscaler" ["hpa"] namespaced status { categories: IN_ALL };
    POD_DISRUPTION_BUDGET = "policy" "v1" "PodDisruptionBudget" "poddisruptionbudgets" "poddisruptionbudget" ["pdb"] namespaced status;
    NETWORK_POLICY = "networking.k8s.io" "v1" "NetworkPolicy" "networkpolicies" "networkpolicy" ["netpol"] namespaced plain;
    INGRESS = "networking.k8s.io" "v1" "Ingress" "ingresses" "ingress" ["ing"] namespaced status;
    INGRESS_CLASS = "networking.k8s.io" "v1" "IngressClass" "ingressclasses" "ingressclass" [] cluster plain;
    ENDPOINT_SLICE = "discovery.k8s.io" "v1" "EndpointSlice" "endpointslices" "endpointslice" [] namespaced plain;
    STORAGE_CLASS = "storage.k8s.io" "v1" "StorageClass" "storageclasses" "storageclass" ["sc"] cluster plain;
    CSI_NODE = "storage.k8s.io" "v1" "CSINode" "csinodes" "csinode" [] cluster plain;
    CSI_DRIVER = "storage.k8s.io" "v1" "CSIDriver" "csidrivers" "csidriver" [] cluster plain;
    RUNTIME_CLASS = "node.k8s.io" "v1" "RuntimeClass" "runtimeclasses" "runtimeclass" [] cluster plain;
    PRIORITY_CLASS = "scheduling.k8s.io" "v1" "PriorityClass" "priorityclasses" "priorityclass" ["pc"] cluster plain;
    LEASE = "coordination.k8s.io" "v1" "Lease" "leases" "lease" [] namespaced plain;
    ROLE = "rbac.authorization.k8s.io" "v1" "Role" "roles" "role" [] namespaced plain;
    ROLE_BINDING = "rbac.authorization.k8s.io" "v1" "RoleBinding" "rolebindings" "rolebinding" [] namespaced plain;
    CLUSTER_ROLE = "rbac.authorization.k8s.io" "v1" "ClusterRole" "clusterroles" "clusterrole" [] cluster plain;
    CLUSTER_ROLE_BINDING = "rbac.authorization.k8s.io" "v1" "ClusterRoleBinding" "clusterrolebindings" "clusterrolebinding" [] cluster plain;
    VALIDATING_WEBHOOK_CONFIGURATION = "admissionregistration.k8s.io" "v1" "ValidatingWebhookConfiguration" "validatingwebhookconfigurations" "validatingwebhookconfiguration" [] cluster plain { categories: &["api-extensions"] };
    MUTATING_WEBHOOK_CONFIGURATION = "admissionregistration.k8s.io" "v1" "MutatingWebhookConfiguration" "mutatingwebhookconfigurations" "mutatingwebhookconfiguration" [] cluster plain { categories: &["api-extensions"] };
    CERTIFICATE_SIGNING_REQUEST = "certificates.k8s.io" "v1" "CertificateSigningRequest" "certificatesigningrequests" "certificatesigningrequest" ["csr"] cluster status {
        selectable: &["spec.signerName"],
    };
    FLOW_SCHEMA = "flowcontrol.apiserver.k8s.io" "v1" "FlowSchema" "flowschemas" "flowschema" [] cluster status;
    PRIORITY_LEVEL_CONFIGURATION = "flowcontrol.apiserver.k8s.io" "v1" "PriorityLevelConfiguration" "prioritylevelconfigurations" "prioritylevelconfiguration" [] cluster status;
    API_SERVICE = "apiregistration.k8s.io" "v1" "APIService" "apiservices" "apiservice" [] cluster status { categories: &["api-extensions"] };
    CUSTOM_RESOURCE_DEFINITION = "apiextensions.k8s.io" "v1" "CustomResourceDefinition" "customresourcedefinitions" "customresourcedefinition" ["crd", "crds"] cluster status {
        categories: &["api-extensions"],
    };
}

/// The kind of an `apiVersion` and a `kind`.
#[must_use]
pub fn by_kind(api_version: &str, kind: &str) -> Option<&'static Kind> {
    ALL.iter()
        .copied()
        .find(|k| k.kind == kind && k.api_version() == api_version)
}

/// The kind of a plural in URLs.
#[must_use]
pub fn by_plural(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    ALL.iter()
        .copied()
        .find(|k| k.plural == plural && k.group == group && k.version == version)
}

/// The kind that a person means by `pods`, `pod`, `po` or `Pod`.
#[must_use]
pub fn by_any_name(name: &str) -> Option<&'static Kind> {
    let name = name.to_ascii_lowercase();
    ALL.iter().copied().find(|k| {
        k.plural == name || k.singular == name || k.short_names.contains(&name.as_str()) || k.resource() == name
    })
}
