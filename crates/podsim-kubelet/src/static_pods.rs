//! Static Pods: manifests in a folder of this machine, which the kubelet runs without being asked by the API (`pkg/kubelet/config/file.go`). The
//! API shows a mirror of each; what is done to the mirror does nothing to the Pod (`pkg/kubelet/pod/mirror_client.go`).

use crate::pod_worker::names;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod, PodStatus, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use podsim_store::{DeleteOptions, Store, StoreError, manifest, pod};
use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often the folder is looked at. (Upstream waits for inotify, and looks every 20 seconds.)
pub(crate) const CHECK: Duration = Duration::from_secs(1);
/// Where a Pod comes from.
const SOURCE: &str = "kubernetes.io/config.source";
/// Its uid; changes with its manifest.
const HASH: &str = "kubernetes.io/config.hash";
/// In a mirror: of which Pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Namespace and name.
pub(crate) type Key = (String, String);

/// The Pods of a folder.
pub(crate) struct Folder {
    path: PathBuf,
    node: String,
    /// The files as they were read last.
    seen: Option<Vec<(PathBuf, u64, Option<SystemTime>)>>,
}

/// Namespace and name of a Pod.
pub(crate) fn key(pod: &Pod) -> Key {
    let (namespace, name) = names(pod);
    (namespace.to_owned(), name.to_owned())
}

fn annotation<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// Is it a Pod of a folder?
pub(crate) fn is_static(pod: &Pod) -> bool {
    annotation(pod, SOURCE) == Some("file")
}

/// The uid of the Pod that this is a mirror of, if it is one.
pub(crate) fn mirrored(pod: &Pod) -> Option<&str> {
    annotation(pod, MIRROR)
}

impl Folder {
    pub(crate) fn new(path: PathBuf, node: &str) -> Self {
        Self {
            path,
            node: node.to_owned(),
            seen: None,
        }
    }

    /// The Pods, if something has changed since the last look.
    pub(crate) fn look(&mut self, now: Timestamp) -> Option<BTreeMap<Key, Arc<Pod>>> {
        let files = list(&self.path);
        if self.seen.as_ref() == Some(&files) {
            return None;
        }
        let mut pods = BTreeMap::new();
        for (file, ..) in &files {
            match self.read(file, now) {
                Ok(read) => pods.extend(read.into_iter().map(|pod| (key(&pod), Arc::new(pod)))),
                Err(error) => tracing::error!("static Pods: {error}"),
            }
        }
        self.seen = Some(files);
        Some(pods)
    }

    fn read(&self, file: &Path, now: Timestamp) -> Result<Vec<Pod>, String> {
        let shown = file.display().to_string();
        let text = fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
        let documents = manifest::decode(&shown, &text).map_err(|complaints| complaints.to_string())?;
        let mut pods = vec![];
        for document in documents {
            if let Some(complaint) = document.check().first() {
                return Err(complaint.to_string());
            }
            let pod = document
                .pod()
                .ok_or_else(|| format!("{shown}: only Pods can be static"))?;
            pods.push(self.static_pod(pod, file, now));
        }
        Ok(pods)
    }

    /// The Pod as the kubelet has it (`applyDefaults`).
    fn static_pod(&self, mut pod: Pod, file: &Path, now: Timestamp) -> Pod {
        pod::set_defaults(&mut pod);
        let uid = uid(&self.node, file, &pod);
        let metadata = &mut pod.metadata;
        metadata.name = Some(format!(
            "{}-{}",
            metadata.name.as_deref().unwrap_or_default(),
            self.node
        ));
        metadata.namespace.get_or_insert_with(|| "default".to_owned());
        metadata.uid = Some(uid.clone());
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(SOURCE.to_owned(), "file".to_owned());
        annotations.insert(HASH.to_owned(), uid);
        annotations.insert("kubernetes.io/config.seen".to_owned(), now.to_string());
        let spec = pod.spec.get_or_insert_default();
        spec.node_name = Some(self.node.clone());
        spec.tolerations.get_or_insert_default().push(Toleration {
            operator: Some("Exists".to_owned()),
            effect: Some("NoExecute".to_owned()),
            ..Toleration::default()
        });
        pod
    }
}

/// Files and what changes when they do; hidden ones and folders are left out.
fn list(folder: &Path) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let hidden = |path: &Path| {
        path.file_name()
            .is_none_or(|name| name.to_string_lossy().starts_with('.'))
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.path();
            let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
            (!hidden(&path)).then(|| (path, metadata.len(), metadata.modified().ok()))
        })
        .collect();
    files.sort();
    files
}

/// 32 digits that say which Pod of which file it is.
fn uid(node: &str, file: &Path, pod: &Pod) -> String {
    let content = serde_json::to_string(pod).unwrap_or_default();
    let half = |number: u8| {
        let mut hasher = DefaultHasher::new();
        (number, node, file, &content).hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

/// Shows a Pod in the API, with this status.
pub(crate) fn show(store: &Store, pod: &Pod, status: Option<PodStatus>) -> Result<(), StoreError> {
    let node_name = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.node_name.clone())
        .unwrap_or_default();
    let node = store.api::<Node>().get("", &node_name)?;
    let mut mirror = pod.clone();
    let uid = mirror.metadata.uid.take().unwrap_or_default();
    mirror
        .metadata
        .annotations
        .get_or_insert_default()
        .insert(MIRROR.to_owned(), uid);
    mirror.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        name: node_name,
        uid: node.metadata.uid.unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }]);
    let (namespace, name) = key(pod);
    store.api::<Pod>().create(&namespace, &mirror)?;
    if status.is_some() {
        store
            .api::<Pod>()
            .modify_status(&namespace, &name, |mirror| mirror.status = status)?;
    }
    Ok(())
}

/// Takes a mirror away; nothing runs for it that would have to end first.
pub(crate) fn hide(store: &Store, mirror: &Pod) {
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        uid: mirror.metadata.uid.clone(),
        ..DeleteOptions::default()
    };
    let (namespace, name) = names(mirror);
    // It may be gone by now.
    let _ = store.api::<Pod>().delete(namespace, name, &options);
}
