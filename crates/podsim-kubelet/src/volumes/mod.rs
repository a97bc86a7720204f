//! The Pod's volumes: what is made before its containers, and brought up to date while they run.
//!
//! [`host_path`] says what has to be on the node, [`claim`] what a claim is bound to, [`payload`] says what is in the files of a volume, [`atomic_writer`] how they get there; the Pod's worker (`pod_worker/mounting.rs`)
//! carries it out.

pub(crate) mod atomic_writer;
pub(crate) mod claim;
pub(crate) mod host_path;
pub(crate) mod payload;
pub(crate) mod token;

use atomic_writer::Written;
use k8s_openapi::api::core::v1::{Pod, Volume, VolumeProjection};
use podsim_cri::{GroupAccess, VolumeChange, VolumeConfig, VolumeId};
use podsim_store::pod::quantity;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

/// The shortest time after which a failed volume is tried again (`exponentialbackoff.go` of upstream's volume manager).
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_RETRY: Duration = Duration::from_secs(122);

/// Where a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the Pod's own.
    Volume(VolumeId),
    /// On the node.
    HostPath(PathBuf),
}

/// A volume that is there.
#[derive(Debug)]
pub(crate) struct Mounted {
    pub(crate) place: Place,
    /// No container may write to it, whatever its mounts say (`Attributes.ReadOnly`).
    pub(crate) readonly: bool,
    /// It can be shown to containers.
    pub(crate) ready: bool,
    /// What the kubelet has written to it.
    pub(crate) written: Option<Written>,
}

impl Mounted {
    /// The Pod's own volume, if it is one.
    pub(crate) fn volume(&self) -> Option<&VolumeId> {
        match &self.place {
            Place::Volume(id) => Some(id),
            Place::HostPath(_) => None,
        }
    }
}

/// A volume that could not be made, or not be brought up to date.
#[derive(Debug)]
pub(crate) struct Failure {
    /// When it is told again, in monotonic time.
    pub(crate) next: Duration,
    delay: Duration,
}

/// The volumes of a Pod, by name.
#[derive(Debug, Default)]
pub(crate) struct PodVolumes {
    pub(crate) mounted: BTreeMap<String, Mounted>,
    pub(crate) failures: BTreeMap<String, Failure>,
    /// Since when the Pod waits for a volume, in monotonic time.
    pub(crate) waiting_since: Option<Duration>,
    /// What its volumes have of the Pod's ServiceAccount.
    pub(crate) tokens: token::Tokens,
}

impl PodVolumes {
    /// A volume has failed: says whether that is to be told now.
    pub(crate) fn failed(&mut self, name: &str, now: Duration) -> bool {
        let delay = match self.failures.get(name) {
            Some(failure) if now < failure.next => return false,
            Some(failure) => (failure.delay * 2).min(LONGEST_RETRY),
            None => FIRST_RETRY,
        };
        let next = now + delay;
        self.failures.insert(name.to_owned(), Failure { next, delay });
        true
    }
}

/// The volumes of a Pod.
pub(crate) fn of(pod: &Pod) -> impl Iterator<Item = &Volume> {
    pod.spec.iter().flat_map(|s| s.volumes.iter().flatten())
}

/// The group that the Pod's volumes are given to.
pub(crate) fn fs_group(pod: &Pod) -> Option<u32> {
    let security = pod.spec.as_ref()?.security_context.as_ref()?;
    u32::try_from(security.fs_group?).ok()
}

/// The type of a volume, by the name of its field.
fn type_of(volume: &Volume) -> String {
    let value = serde_json::to_value(volume).unwrap_or_default();
    let fields = value.as_object().into_iter().flatten().map(|(k, _)| k.clone());
    fields.filter(|k| k != "name").collect::<Vec<_>>().join(", ")
}

/// The type of a volume that podsim cannot make, if it is one.
fn unsupported_type(volume: &Volume) -> Option<String> {
    let source = |source: &VolumeProjection| {
        if source.cluster_trust_bundle.is_some() {
            Some("projected with a clusterTrustBundle".to_owned())
        } else {
            source
                .pod_certificate
                .is_some()
                .then(|| "projected with a podCertificate".to_owned())
        }
    };
    if let Some(projected) = &volume.projected {
        return projected.sources.iter().flatten().find_map(source);
    }
    let known = volume.empty_dir.is_some()
        || volume.host_path.is_some()
        || volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.downward_api.is_some()
        || volume.persistent_volume_claim.is_some()
        || volume.ephemeral.is_some()
        || volume.image.is_some();
    (!known).then(|| type_of(volume))
}

/// Why the Pod cannot have its volumes here, if it cannot.
pub(crate) fn unsupported(pod: &Pod) -> Option<String> {
    of(pod).find_map(|volume| {
        let type_ = unsupported_type(volume)?;
        let name = &volume.name;
        Some(format!(
            "volume \"{name}\" is of type {type_}, which podsim does not support yet"
        ))
    })
}

/// A directory for the volume, empty. Those that the kubelet fills lie on an emptyDir, too (`wrappedVolumeSpec`): in memory, but for
/// ConfigMaps.
pub(crate) fn directory(pod: &Pod, volume: &Volume) -> VolumeConfig {
    let empty_dir = volume.empty_dir.clone().unwrap_or_default();
    let limit = empty_dir.size_limit.as_ref().and_then(|q| quantity::units(&q.0));
    let in_memory = empty_dir.medium.as_deref() == Some("Memory");
    let filled = volume.secret.is_some() || volume.downward_api.is_some() || volume.projected.is_some();
    VolumeConfig {
        pod_uid: pod.metadata.uid.clone().unwrap_or_default(),
        name: volume.name.clone(),
        memory: filled || in_memory,
        // On disk more can be written than the limit: then the Pod is evicted.
        size_limit: limit.filter(|_| in_memory).and_then(|l| u64::try_from(l).ok()),
        mode: 0o777,
        files: vec![],
        image: volume.image.as_ref().and_then(|image| image.reference.clone()),
    }
}

/// Gives what is at a path to the Pod's group, if it has one.
pub(crate) fn given_to_group(pod: &Pod, path: &str) -> Option<VolumeChange> {
    let security = pod.spec.as_ref()?.security_context.as_ref()?;
    Some(VolumeChange::Group {
        path: path.to_owned(),
        gid: fs_group(pod)?,
        access: GroupAccess::ReadWrite,
        only_on_mismatch: security.fs_group_change_policy.as_deref() == Some("OnRootMismatch"),
    })
}

/// What the Pod's volumes show: kind and name of ConfigMaps, Secrets and claims, in the Pod's namespace.
pub(crate) fn references(pod: &Pod) -> HashSet<(&'static str, String)> {
    let mut found = HashSet::new();
    let mut add = |kind, name: Option<&str>| {
        if let Some(name) = name {
            found.insert((kind, name.to_owned()));
        }
    };
    for volume in of(pod) {
        add("PersistentVolumeClaim", claim::name(pod, volume).as_deref());
        add("ConfigMap", volume.config_map.as_ref().map(|s| s.name.as_str()));
        add("Secret", volume.secret.as_ref().and_then(|s| s.secret_name.as_deref()));
        let sources = volume.projected.iter().flat_map(|p| p.sources.iter().flatten());
        for source in sources {
            add("ConfigMap", source.config_map.as_ref().map(|s| s.name.as_str()));
            add("Secret", source.secret.as_ref().map(|s| s.name.as_str()));
        }
    }
    found
}
