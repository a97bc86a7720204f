//! The Pod's volumes: made before its sandbox, as upstream's `WaitForAttachAndMount`, and brought up to date with every look at the Pod.

use super::PodWorker;
use crate::env::Sources;
use crate::events::Severity;
use crate::volumes::claim::{self, Claimed, Source};
use crate::volumes::{self, Mounted, Place, atomic_writer, host_path, payload};
use k8s_openapi::api::core::v1::{HostPathVolumeSource, Pod, Volume};
use podsim_cri::{HostPathCreate, VolumeChange};
use podsim_store::time;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a Pod waits for its volumes before that is told, too (`podAttachAndMountTimeout`).
const MOUNT_TIMEOUT: Duration = Duration::from_secs(123);

/// How it stands with the volumes.
pub(super) struct Mounting {
    /// All are there: containers can be started.
    pub(super) ready: bool,
    /// When to look again.
    pub(super) retry: Option<Duration>,
}

/// Why a volume is not there.
enum Failure {
    /// Its claim is not bound, or is not there.
    Claim(String),
    /// All other reasons, as they are told.
    Mount(String),
}

impl Failure {
    fn set_up(name: &str, message: &str) -> Self {
        Self::Mount(format!("MountVolume.SetUp failed for volume \"{name}\" : {message}"))
    }
}

impl PodWorker {
    /// Makes the volumes that are not there, and writes what has changed of the others. What fails is told and tried again.
    pub(super) async fn mount_volumes(&mut self, pod: &Pod) -> Mounting {
        let now = self.node.clock.monotonic();
        let (mut missing, mut unbound) = (vec![], vec![]);
        for volume in volumes::of(pod) {
            let Err(failure) = self.set_up(pod, volume).await else {
                self.pod_volumes.failures.remove(&volume.name);
                continue;
            };
            let told_now = self.pod_volumes.failed(&volume.name, now);
            match failure {
                Failure::Mount(message) if told_now => {
                    self.tell(pod, None, Severity::Warning, "FailedMount", &message);
                }
                Failure::Claim(message) if told_now => unbound.push((volume.name.as_str(), message)),
                _ => {}
            }
            let ready = self.pod_volumes.mounted.get(&volume.name);
            if !ready.is_some_and(|mounted| mounted.ready) {
                missing.push(volume.name.as_str());
            }
        }
        if !unbound.is_empty() {
            let (names, messages): (Vec<_>, Vec<_>) = unbound.into_iter().unzip();
            self.tell_unmounted(pod, &missing, &names, &messages.join("; "));
        }
        let failures = self.pod_volumes.failures.values();
        let renewal = self.pod_volumes.tokens.next_renewal(now);
        let mut retry = failures.map(|failure| failure.next).chain(renewal).min();
        if missing.is_empty() {
            self.pod_volumes.waiting_since = None;
        } else {
            let mut since = *self.pod_volumes.waiting_since.get_or_insert(now);
            if now >= since + MOUNT_TIMEOUT {
                self.tell_unmounted(pod, &missing, &[], "context deadline exceeded");
                since = now;
                self.pod_volumes.waiting_since = Some(now);
            }
            retry = retry.map(|at| at.min(since + MOUNT_TIMEOUT));
        }
        Mounting {
            ready: missing.is_empty(),
            retry,
        }
    }

    fn tell_unmounted(&self, pod: &Pod, missing: &[&str], unprocessed: &[&str], why: &str) {
        let message = format!(
            "Unable to attach or mount volumes: unmounted volumes=[{}], unattached volumes=[], failed to process volumes=[{}]: {why}",
            missing.join(" "),
            unprocessed.join(" ")
        );
        self.tell(pod, None, Severity::Warning, "FailedMount", &message);
    }

    async fn set_up(&mut self, pod: &Pod, volume: &Volume) -> Result<(), Failure> {
        if claim::name(pod, volume).is_some() {
            return self.mount_claim(pod, volume).await;
        }
        // With what its container needs: its image may have to be pulled first.
        if volume.image.is_some() {
            return Ok(());
        }
        let made = self.make(pod, volume).await;
        made.map_err(|message| Failure::set_up(&volume.name, &message))
    }

    async fn make(&mut self, pod: &Pod, volume: &Volume) -> Result<(), String> {
        let there = self.pod_volumes.mounted.get(&volume.name);
        // A node that is cut off does not hear of changes.
        if there.is_some_and(|mounted| mounted.ready) && *self.partitioned.borrow() {
            return Ok(());
        }
        let sources = Sources {
            pod,
            pod_ips: &[],
            store: &self.node.store,
            config: &self.node.config,
        };
        if let Some(source) = &volume.host_path {
            return self.check_host_path(&volume.name, source).await;
        }
        let now = self.node.clock.monotonic();
        let Some(payload) = payload::of(volume, &sources, &mut self.pod_volumes.tokens, now) else {
            return self.make_directory(pod, volume, false).await;
        };
        let payload = payload?;
        self.make_directory(pod, volume, true).await?;
        let mounted = self.pod_volumes.mounted.get_mut(&volume.name);
        let Some((mounted, id)) = mounted.and_then(|mounted| {
            let id = mounted.volume()?.clone();
            Some((mounted, id))
        }) else {
            return Ok(());
        };
        let now = time::timestamp(self.node.clock.as_ref());
        let old = mounted.written.as_ref();
        let directory = atomic_writer::directory_name(now, old.map(|old| old.directory.as_str()));
        let Some(changes) = atomic_writer::plan(old, &payload, &directory, volumes::fs_group(pod)) else {
            return Ok(());
        };
        let runtime = &self.node.runtime;
        if let Err(error) = runtime.change_volume(&id, &changes).await {
            // What was not seen by anybody goes; if that fails too, it goes with the volume.
            let undo = atomic_writer::undo(&directory);
            runtime.change_volume(&id, &undo).await.ok();
            return Err(error.to_string());
        }
        mounted.written = Some(atomic_writer::Written { directory, payload });
        mounted.ready = true;
        Ok(())
    }

    /// A path of the node, looked at once.
    async fn check_host_path(&mut self, name: &str, source: &HostPathVolumeSource) -> Result<(), String> {
        if self.pod_volumes.mounted.contains_key(name) {
            return Ok(());
        }
        let type_ = source.type_.as_deref().unwrap_or_default();
        let path = PathBuf::from(&source.path);
        let found = self.node.runtime.host_path(&path, host_path::create(type_)).await;
        host_path::check(&source.path, type_, found.map_err(|error| error.to_string())?)?;
        self.show_host_path(name, path, false);
        Ok(())
    }

    fn show_host_path(&mut self, name: &str, path: PathBuf, readonly: bool) {
        let mounted = Mounted {
            place: Place::HostPath(path),
            readonly,
            written: None,
            ready: true,
        };
        self.pod_volumes.mounted.insert(name.to_owned(), mounted);
    }

    /// What a claim is bound to.
    async fn mount_claim(&mut self, pod: &Pod, volume: &Volume) -> Result<(), Failure> {
        if self.pod_volumes.mounted.contains_key(&volume.name) {
            return Ok(());
        }
        let claimed = claim::resolve(pod, volume, &self.node.store).map_err(Failure::Claim)?;
        let name = claimed.name().to_owned();
        claimed
            .check_node(&self.node.store, &self.node.config.node_name)
            .map_err(|message| {
                Failure::Mount(format!(
                    "MountVolume.NodeAffinity check failed for volume \"{name}\" : {message}"
                ))
            })?;
        let path = match claimed.source() {
            Source::HostPath(source) => {
                let made = self.check_claimed_path(&claimed, &source).await;
                made.map_err(|message| Failure::set_up(&name, &message))?;
                source.path
            }
            Source::Local(path) => {
                let found = self.node.runtime.host_path(Path::new(&path), None).await;
                if !matches!(found, Ok(Some(_))) {
                    return Err(Failure::Mount(format!(
                        "MountVolume.NewMounter initialization failed for volume \"{name}\" : path \"{path}\" does not exist"
                    )));
                }
                path
            }
            Source::Other(types) => {
                let message = format!("podsim does not support persistent volumes of the type {types}");
                return Err(Failure::set_up(&name, &message));
            }
        };
        if claimed.is_given_to_group()
            && let Some(change) = volumes::given_to_group(pod, path.trim_start_matches('/'))
        {
            let given = self.node.runtime.change_host_path(&[change]).await;
            given.map_err(|error| Failure::set_up(&name, &error.to_string()))?;
        }
        self.show_host_path(&volume.name, path.into(), claimed.readonly);
        Ok(())
    }

    /// The directory of a claimed volume. Everybody may write to one that was made for its claim.
    async fn check_claimed_path(&self, claimed: &Claimed, source: &HostPathVolumeSource) -> Result<(), String> {
        let runtime = &self.node.runtime;
        let plain = |error: podsim_cri::Error| error.to_string();
        let path = Path::new(&source.path);
        if claimed.is_provisioned() && runtime.host_path(path, None).await.map_err(plain)?.is_none() {
            if let Some(above) = path.parent() {
                let create = Some(HostPathCreate::Directory);
                runtime.host_path(above, create).await.map_err(plain)?;
            }
            let directory = VolumeChange::Directory {
                path: source.path.trim_start_matches('/').to_owned(),
                mode: 0o777,
            };
            return runtime.change_host_path(&[directory]).await.map_err(plain);
        }
        let type_ = source.type_.as_deref().unwrap_or_default();
        let found = runtime.host_path(path, host_path::create(type_)).await;
        host_path::check(&source.path, type_, found.map_err(plain)?)
    }

    /// The files of an image, once it is there.
    pub(crate) async fn mount_image(&mut self, pod: &Pod, volume: &Volume) -> Result<(), String> {
        self.make_directory(pod, volume, false).await
    }

    /// The directory of a volume, the Pod's group's if it has one; made once. One that is filled is ready only when that is done.
    async fn make_directory(&mut self, pod: &Pod, volume: &Volume, filled: bool) -> Result<(), String> {
        if self.pod_volumes.mounted.contains_key(&volume.name) {
            return Ok(());
        }
        let runtime = &self.node.runtime;
        let made = runtime.create_volume(volumes::directory(pod, volume)).await;
        let id = made.map_err(|error| error.to_string())?;
        self.volumes.insert(id.clone());
        // Nobody can change the files of an image.
        if let (Some(change), None) = (volumes::given_to_group(pod, ""), &volume.image) {
            let given = runtime.change_volume(&id, &[change]).await;
            given.map_err(|error| error.to_string())?;
        }
        let mounted = Mounted {
            place: Place::Volume(id),
            readonly: filled || volume.image.is_some(),
            written: None,
            ready: !filled,
        };
        self.pod_volumes.mounted.insert(volume.name.clone(), mounted);
        Ok(())
    }
}
