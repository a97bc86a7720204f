//! The Pod's volumes: made before its sandbox, as upstream's `WaitForAttachAndMount`, and brought up to date with every look at the Pod.

use super::PodWorker;
use crate::env::Sources;
use crate::events::Severity;
use crate::volumes::{self, Mounted, Place, atomic_writer, host_path, payload};
use k8s_openapi::api::core::v1::{HostPathVolumeSource, Pod, Volume};
use podsim_store::time;
use std::path::PathBuf;
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

impl PodWorker {
    /// Makes the volumes that are not there, and writes what has changed of the others. What fails is told and tried again.
    pub(super) async fn mount_volumes(&mut self, pod: &Pod) -> Mounting {
        let now = self.node.clock.monotonic();
        let mut missing = vec![];
        for volume in volumes::of(pod) {
            let Err(message) = self.set_up(pod, volume).await else {
                self.pod_volumes.failures.remove(&volume.name);
                continue;
            };
            if self.pod_volumes.failed(&volume.name, now) {
                let message = format!("MountVolume.SetUp failed for volume \"{}\" : {message}", volume.name);
                self.tell(pod, None, Severity::Warning, "FailedMount", &message);
            }
            let ready = self.pod_volumes.mounted.get(&volume.name);
            if !ready.is_some_and(|mounted| mounted.ready) {
                missing.push(volume.name.as_str());
            }
        }
        let failures = self.pod_volumes.failures.values();
        let renewal = self.pod_volumes.tokens.next_renewal(now);
        let mut retry = failures.map(|failure| failure.next).chain(renewal).min();
        if missing.is_empty() {
            self.pod_volumes.waiting_since = None;
        } else {
            let mut since = *self.pod_volumes.waiting_since.get_or_insert(now);
            if now >= since + MOUNT_TIMEOUT {
                let message = format!(
                    "Unable to attach or mount volumes: unmounted volumes=[{}], unattached volumes=[], failed to process volumes=[]: \
                     context deadline exceeded",
                    missing.join(" ")
                );
                self.tell(pod, None, Severity::Warning, "FailedMount", &message);
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

    async fn set_up(&mut self, pod: &Pod, volume: &Volume) -> Result<(), String> {
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
        let mounted = Mounted {
            place: Place::HostPath(path),
            readonly: false,
            written: None,
            ready: true,
        };
        self.pod_volumes.mounted.insert(name.to_owned(), mounted);
        Ok(())
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
        if let Some(group) = volumes::fs_group(pod) {
            let given = runtime.change_volume(&id, &[volumes::given_to(group)]).await;
            given.map_err(|error| error.to_string())?;
        }
        let mounted = Mounted {
            place: Place::Volume(id),
            readonly: filled,
            written: None,
            ready: !filled,
        };
        self.pod_volumes.mounted.insert(volume.name.clone(), mounted);
        Ok(())
    }
}
