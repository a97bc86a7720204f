//! The table itself: a row for each field, or for all that is inside of one.

use super::Level::{Container, Object, Pod};
use super::{Field, enforced, recorded, refused};
use podsim_sys::NsKind;

/// The table.
pub const FIELDS: &[Field] = &[
    enforced("apiVersion", Object, "must be v1"),
    enforced("kind", Object, "must be Pod"),
    enforced("metadata", Object, "names the object"),
    recorded(
        "metadata.finalizers",
        Object,
        "keeps the object until they are taken away; nothing here acts on them",
    ),
    enforced(
        "metadata.managedFields",
        Object,
        "who has set which field, for server-side apply",
    ),
    enforced(
        "metadata.ownerReferences",
        Object,
        "with its last owner the object goes too",
    ),
    recorded(
        "status",
        Object,
        "written by the kubelet; what a manifest says is ignored",
    ),
    // The Pod's containers and volumes.
    enforced("spec.containers[].name", Container, "names the container in the Pod"),
    enforced("spec.containers[].image", Container, "the program and its files"),
    enforced(
        "spec.containers[].imagePullPolicy",
        Container,
        "whether the image may or must be fetched",
    ),
    enforced(
        "spec.containers[].command",
        Container,
        "replaces the image's entrypoint",
    ),
    enforced("spec.containers[].args", Container, "replaces the image's cmd"),
    enforced("spec.containers[].workingDir", Container, "where it starts"),
    enforced(
        "spec.containers[].env",
        Container,
        "environment, with $(NAME), fieldRef, resourceFieldRef, configMap and secret keys",
    ),
    refused(
        "spec.containers[].env[].valueFrom.fileKeyRef",
        Container,
        "the container is not created",
    ),
    enforced(
        "spec.containers[].envFrom",
        Container,
        "environment from a ConfigMap or Secret",
    ),
    enforced("spec.containers[].stdin", Container, "keeps stdin open for attach"),
    enforced(
        "spec.containers[].stdinOnce",
        Container,
        "closes stdin after the first attach",
    ),
    enforced("spec.containers[].tty", Container, "runs on a terminal"),
    enforced(
        "spec.containers[].lifecycle",
        Container,
        "hooks of the container's life",
    ),
    enforced(
        "spec.containers[].lifecycle.postStart",
        Container,
        "runs beside the entrypoint right after the start; its failure kills the container",
    ),
    enforced(
        "spec.containers[].lifecycle.preStop",
        Container,
        "ends before the stop signal, inside the grace period",
    ),
    recorded(
        "spec.containers[].lifecycle.postStart.tcpSocket",
        Container,
        "such a hook fails, as in Kubernetes",
    ),
    recorded(
        "spec.containers[].lifecycle.preStop.tcpSocket",
        Container,
        "such a hook fails, as in Kubernetes",
    ),
    enforced(
        "spec.containers[].lifecycle.postStart.httpGet",
        Container,
        "a request from the node to the Pod, or to the host that is named; with HTTPS nobody checks the certificate",
    ),
    enforced(
        "spec.containers[].lifecycle.preStop.httpGet",
        Container,
        "a request from the node to the Pod, or to the host that is named; with HTTPS nobody checks the certificate",
    ),
    enforced(
        "spec.containers[].lifecycle.stopSignal",
        Container,
        "the signal that stops it",
    ),
    enforced(
        "spec.containers[].livenessProbe",
        Container,
        "the container is restarted when it fails; network probes go from the node to the Pod's address",
    ),
    enforced(
        "spec.containers[].readinessProbe",
        Container,
        "decides whether the container is ready; network probes go from the node to the Pod's address",
    ),
    enforced(
        "spec.containers[].startupProbe",
        Container,
        "the other probes wait for it; network probes go from the node to the Pod's address",
    ),
    enforced(
        "spec.containers[].ports",
        Container,
        "names and documents ports, as in Kubernetes: every port is open inside of the Pod's network",
    )
    .about(NsKind::Net),
    enforced(
        "spec.containers[].ports[].hostPort",
        Container,
        "a port of this machine that leads to the Pod, while its sandbox runs; two Pods on a node cannot have the same; not SCTP",
    )
    .about(NsKind::Net),
    enforced(
        "spec.containers[].ports[].hostIP",
        Container,
        "the address of this machine for hostPort: 127.0.0.1 unless it is set; 0.0.0.0 is all",
    )
    .about(NsKind::Net),
    enforced(
        "spec.containers[].resources",
        Container,
        "a quality of service class for the Pod",
    ),
    enforced(
        "spec.containers[].resources.limits.memory",
        Container,
        "more is OOMKilled",
    ),
    enforced(
        "spec.containers[].resources.limits.cpu",
        Container,
        "a share of each tenth of a second; a program that has used it up waits for the next one",
    ),
    enforced(
        "spec.containers[].resources.limits.ephemeral-storage",
        Container,
        "the Pod is evicted when a container's own files, or all that it has, take more; logs are not counted",
    ),
    enforced(
        "spec.containers[].resources.requests",
        Container,
        "the node must have as much left",
    ),
    recorded(
        "spec.containers[].resources.claims",
        Container,
        "there are no devices to claim",
    ),
    enforced(
        "spec.containers[].resizePolicy",
        Container,
        "whether a resize restarts the container",
    ),
    enforced(
        "spec.initContainers[].restartPolicy",
        Container,
        "Always makes a sidecar: it starts before the containers, runs beside them and stops after them",
    ),
    enforced(
        "spec.containers[].restartPolicy",
        Container,
        "takes the place of the Pod's policy",
    ),
    enforced(
        "spec.containers[].restartPolicyRules",
        Container,
        "exit codes after which it runs again, whatever its policy",
    ),
    enforced(
        "spec.containers[].securityContext.runAsUser",
        Container,
        "the user of its processes",
    ),
    enforced(
        "spec.containers[].securityContext.runAsGroup",
        Container,
        "the group of its processes",
    ),
    enforced(
        "spec.containers[].securityContext.runAsNonRoot",
        Container,
        "refuses to run as root",
    ),
    enforced(
        "spec.containers[].securityContext.readOnlyRootFilesystem",
        Container,
        "nothing can be written but in volumes",
    )
    .about(NsKind::Mnt),
    enforced(
        "spec.containers[].securityContext.privileged",
        Container,
        "all capabilities, nothing masked",
    ),
    enforced(
        "spec.containers[].securityContext.allowPrivilegeEscalation",
        Container,
        "false is no_new_privs",
    ),
    enforced(
        "spec.containers[].securityContext.capabilities",
        Container,
        "what root may do",
    ),
    enforced(
        "spec.containers[].securityContext.procMount",
        Container,
        "whether parts of /proc are hidden",
    )
    .about(NsKind::Mnt),
    recorded(
        "spec.containers[].securityContext",
        Container,
        "there is no AppArmor, SELinux, seccomp or Windows here",
    ),
    enforced(
        "spec.containers[].terminationMessagePath",
        Container,
        "the file with its last words",
    ),
    enforced(
        "spec.containers[].terminationMessagePolicy",
        Container,
        "the file, or the end of the log",
    ),
    enforced("spec.containers[].volumeMounts", Container, "where volumes are seen").about(NsKind::Mnt),
    enforced(
        "spec.containers[].volumeMounts[].mountPropagation",
        Container,
        "whether mounts that are made later are seen from the node, and on it",
    )
    .about(NsKind::Mnt),
    enforced(
        "spec.containers[].volumeMounts[].recursiveReadOnly",
        Container,
        "what is mounted inside of the volume is read-only too",
    )
    .about(NsKind::Mnt),
    recorded(
        "spec.containers[].volumeDevices",
        Container,
        "there are no block devices",
    ),
    enforced(
        "spec.initContainers",
        Pod,
        "run one after the other, each to its end, before the containers",
    ),
    enforced("spec.containers", Pod, "run side by side"),
    enforced(
        "spec.ephemeralContainers",
        Pod,
        "run once, in the Pod of others; they cannot be set when a Pod is created, as in Kubernetes",
    ),
    refused(
        "spec.volumes",
        Pod,
        "a volume of this type is refused when the Pod starts",
    ),
    enforced("spec.volumes[].name", Pod, "names the volume"),
    enforced(
        "spec.volumes[].emptyDir",
        Pod,
        "a directory that lives as long as the Pod, which is evicted when it takes more than sizeLimit; with medium: Memory nothing more can be written",
    ),
    enforced(
        "spec.volumes[].configMap",
        Pod,
        "files from a ConfigMap, which follow its changes in one instant; read-only",
    ),
    enforced(
        "spec.volumes[].secret",
        Pod,
        "files from a Secret, which follow its changes in one instant; read-only",
    ),
    enforced(
        "spec.volumes[].downwardAPI",
        Pod,
        "files about the Pod, which follow its labels and annotations; read-only",
    ),
    enforced(
        "spec.volumes[].hostPath",
        Pod,
        "a path of the node's own filesystem, where of this machine's files only those are that the node configuration lends",
    ),
    enforced(
        "spec.volumes[].projected",
        Pod,
        "files from several ConfigMaps, Secrets and the Pod in one volume",
    ),
    enforced(
        "spec.volumes[].projected.sources[].serviceAccountToken",
        Pod,
        "a signed token that ends with the Pod and is renewed in time",
    ),
    refused(
        "spec.volumes[].projected.sources[].clusterTrustBundle",
        Pod,
        "there are no trust bundles",
    ),
    refused(
        "spec.volumes[].projected.sources[].podCertificate",
        Pod,
        "nobody signs certificates",
    ),
    enforced(
        "spec.volumes[].persistentVolumeClaim",
        Pod,
        "what the claim is bound to; the class `standard` makes directories on the node, whose size nothing limits",
    ),
    enforced(
        "spec.volumes[].ephemeral",
        Pod,
        "a claim of the Pod's own, which is deleted with it",
    ),
    enforced(
        "spec.volumes[].image",
        Pod,
        "the files of an image; read-only, and nothing there can be run",
    ),
    // Namespaces.
    enforced("spec.hostNetwork", Pod, "the node's network instead of the Pod's own").about(NsKind::Net),
    enforced("spec.hostPID", Pod, "the node's processes are seen").about(NsKind::Pid),
    enforced(
        "spec.hostIPC",
        Pod,
        "the node's shared memory and queues instead of the Pod's own",
    )
    .about(NsKind::Ipc),
    enforced(
        "spec.shareProcessNamespace",
        Pod,
        "one process tree for all containers, with pause as process 1",
    )
    .about(NsKind::Pid),
    enforced(
        "spec.hostUsers",
        Pod,
        "false: a user namespace of the Pod's own, whose root is nobody on the node",
    )
    .about(NsKind::User),
    // The machine.
    enforced("spec.hostAliases", Pod, "lines of every container's /etc/hosts").about(NsKind::Mnt),
    enforced("spec.hostname", Pod, "the host name of the containers").about(NsKind::Uts),
    enforced(
        "spec.hostnameOverride",
        Pod,
        "the host name of the containers, before spec.hostname and without a domain",
    )
    .about(NsKind::Uts),
    enforced(
        "spec.setHostnameAsFQDN",
        Pod,
        "the host name has the subdomain's name behind it",
    )
    .about(NsKind::Uts),
    enforced(
        "spec.subdomain",
        Pod,
        "a longer name in /etc/hosts; no DNS server tells it to others",
    ),
    enforced("spec.dnsPolicy", Pod, "where /etc/resolv.conf comes from").about(NsKind::Mnt),
    enforced("spec.dnsConfig", Pod, "lines of /etc/resolv.conf").about(NsKind::Mnt),
    enforced(
        "spec.restartPolicy",
        Pod,
        "whether containers that end are started again",
    ),
    enforced(
        "spec.terminationGracePeriodSeconds",
        Pod,
        "time between the stop signal and SIGKILL, preStop included",
    ),
    enforced(
        "spec.activeDeadlineSeconds",
        Pod,
        "the Pod fails when it has lasted longer",
    ),
    enforced(
        "spec.securityContext.runAsUser",
        Pod,
        "the user of all containers that have none of their own",
    ),
    enforced(
        "spec.securityContext.runAsGroup",
        Pod,
        "the group of all containers that have none of their own",
    ),
    enforced("spec.securityContext.runAsNonRoot", Pod, "refuses to run as root"),
    enforced(
        "spec.securityContext.supplementalGroups",
        Pod,
        "further groups of all processes",
    ),
    enforced(
        "spec.securityContext.fsGroup",
        Pod,
        "a further group of all processes, which is given their volumes",
    ),
    enforced(
        "spec.securityContext.fsGroupChangePolicy",
        Pod,
        "OnRootMismatch: a volume whose top is right already is not walked through",
    ),
    enforced(
        "spec.securityContext.sysctls",
        Pod,
        "the safe ones; ports act, the times and buffers of TCP are only kept and shown, as there are no packets",
    )
    .about(NsKind::Net),
    recorded(
        "spec.securityContext",
        Pod,
        "there is no AppArmor, SELinux, seccomp or Windows here",
    ),
    // Where it runs.
    enforced("spec.nodeName", Pod, "the node; without it the scheduler gives one"),
    enforced("spec.nodeSelector", Pod, "labels that the node must have"),
    enforced("spec.tolerations", Pod, "taints of the node that do not matter"),
    enforced("spec.schedulerName", Pod, "another scheduler's Pods are left alone"),
    enforced(
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
        Pod,
        "terms that the node must match",
    ),
    enforced(
        "spec.affinity",
        Pod,
        "required terms are met, and preferred ones count, with what is free, when the scheduler chooses among nodes",
    ),
    enforced(
        "spec.topologySpreadConstraints",
        Pod,
        "a node is not chosen that would make it uneven; whenUnsatisfiable: ScheduleAnyway only counts",
    ),
    enforced(
        "spec.schedulingGates",
        Pod,
        "the Pod is not scheduled until they are taken away",
    ),
    enforced(
        "spec.priority",
        Pod,
        "the most important Pod is scheduled first, and less important ones make room for it",
    ),
    enforced(
        "spec.priorityClassName",
        Pod,
        "gives the Pod its priority, and has to be there",
    ),
    enforced(
        "spec.preemptionPolicy",
        Pod,
        "Never: no Pod makes room for this one",
    ),
    enforced("spec.overhead", Pod, "is added to what the Pod asks for"),
    enforced(
        "spec.resources",
        Pod,
        "limits of the Pod as a whole: CPU and memory of all its containers together; requests count for the scheduler",
    ),
    recorded("spec.resourceClaims", Pod, "there are no devices to claim"),
    enforced(
        "spec.runtimeClassName",
        Pod,
        "has to be there, and adds its overhead; its handler has to be podsim or runc, which are the same here",
    ),
    enforced("spec.os", Pod, "the node is a Linux node, and refuses Pods for others"),
    // Identity.
    enforced(
        "spec.serviceAccountName",
        Pod,
        "whose tokens the containers have; it has to be there",
    ),
    enforced("spec.serviceAccount", Pod, "the old name of serviceAccountName"),
    enforced(
        "spec.automountServiceAccountToken",
        Pod,
        "whether each container has a token at /var/run/secrets/kubernetes.io/serviceaccount",
    ),
    recorded("spec.imagePullSecrets", Pod, "no registry asks for them"),
    enforced(
        "spec.enableServiceLinks",
        Pod,
        "whether the Services of the namespace make environment variables",
    ),
    enforced(
        "spec.readinessGates",
        Pod,
        "conditions that others set and without which the Pod is not ready",
    ),
];
