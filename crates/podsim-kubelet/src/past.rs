//! What a Pod's status tells of a runtime that is gone: with `podsim serve --data` the objects outlive the process, and the containers
//! do not. On a real node containerd remembers dead sandboxes and containers over a reboot; here their records are made from the status, so
//! that everything else (restart counts, back-off, `restartPolicy: Never`) goes as if they had died in the reboot.

use crate::runtime_status::PodRuntimeStatus;
use jiff::Timestamp;
use k8s_openapi::api::core::v1 as api;
use podsim_cri::{
    ContainerId, ContainerMetadata, ContainerState, ContainerStatus, PodSandboxMetadata, PodSandboxState,
    PodSandboxStatus, SandboxId,
};
use std::collections::BTreeMap;

/// What containerd says of a container whose end nobody saw.
const UNSEEN: (i32, &str) = (255, "Unknown");

/// The records of the containers that the status names and that no runtime has any more; empty for a Pod that never ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    sandbox: Option<PodSandboxStatus>,
    containers: Vec<ContainerStatus>,
}

impl Past {
    /// From the status that the store has when the kubelet first sees the Pod.
    pub(crate) fn of(pod: &api::Pod, now: Timestamp) -> Self {
        let Some(status) = &pod.status else {
            return Self::default();
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let id = SandboxId(format!("before-{}", text(&pod.metadata.uid)));
        let lists = [
            &status.init_container_statuses,
            &status.container_statuses,
            &status.ephemeral_container_statuses,
        ];
        let all = lists.into_iter().flat_map(|list| list.iter().flatten());
        let mut containers: Vec<_> = all.filter_map(|container| record(pod, container, &id, now)).collect();
        containers.sort_by_key(|container| std::cmp::Reverse(container.metadata.attempt));
        let sandbox = (!containers.is_empty()).then(|| PodSandboxStatus {
            id,
            metadata: PodSandboxMetadata {
                name: text(&pod.metadata.name),
                uid: text(&pod.metadata.uid),
                namespace: text(&pod.metadata.namespace),
                attempt: 0,
            },
            state: PodSandboxState::NotReady,
            created_at: now,
            ips: vec![],
            pid: None,
            image: String::new(),
            namespace_inodes: BTreeMap::default(),
            namespaces: Default::default(),
            uts: Default::default(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        });
        Self { sandbox, containers }
    }

    /// Adds to what the runtime has what it has forgotten.
    pub(crate) fn add_to(&self, status: &mut PodRuntimeStatus) {
        let known: Vec<ContainerId> = status.containers.iter().map(|container| container.id.clone()).collect();
        let forgotten = self
            .containers
            .iter()
            .filter(|container| !known.contains(&container.id));
        let before = status.containers.len();
        // The newest come first: what is here is older than all that has been made since.
        status.containers.extend(forgotten.cloned());
        if status.containers.len() > before {
            status.sandboxes.extend(self.sandbox.clone());
        }
    }

    /// Whether a sandbox is one that only this knows.
    pub(crate) fn has(&self, sandbox: &SandboxId) -> bool {
        self.sandbox.as_ref().is_some_and(|own| own.id == *sandbox)
    }
}

fn record(
    pod: &api::Pod,
    status: &api::ContainerStatus,
    sandbox: &SandboxId,
    now: Timestamp,
) -> Option<ContainerStatus> {
    // The last run, that of now or before a wait.
    let state = status.state.as_ref()?;
    let running = state.running.as_ref();
    let last = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let ended = state.terminated.as_ref().or(last.filter(|_| running.is_none()));
    let id = status
        .container_id
        .as_deref()
        .or(ended.and_then(|ended| ended.container_id.as_deref()))?;
    let time = |time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| time.as_ref().map(|time| time.0);
    let spec = pod.spec.as_ref()?;
    let mut specs = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let image = specs
        .find(|container| container.name == status.name)
        .and_then(|container| container.image.clone());
    Some(ContainerStatus {
        id: ContainerId(id.rsplit_once("//").map_or(id, |(_, id)| id).to_owned()),
        sandbox: sandbox.clone(),
        metadata: ContainerMetadata {
            name: status.name.clone(),
            attempt: u32::try_from(status.restart_count).unwrap_or(0),
        },
        state: ContainerState::Exited,
        created_at: running.and_then(|running| time(&running.started_at)).unwrap_or(now),
        started_at: match (running, ended) {
            (Some(running), _) => time(&running.started_at),
            (None, ended) => ended.and_then(|ended| time(&ended.started_at)),
        },
        finished_at: Some(ended.and_then(|ended| time(&ended.finished_at)).unwrap_or(now)),
        exit_code: Some(ended.map_or(UNSEEN.0, |ended| ended.exit_code)),
        signal: None,
        image: image.unwrap_or_else(|| status.image.clone()),
        image_id: status.image_id.clone(),
        reason: ended.map_or(UNSEEN.1.to_owned(), |ended| ended.reason.clone().unwrap_or_default()),
        message: ended.and_then(|ended| ended.message.clone()).unwrap_or_default(),
        pid: None,
        namespace_inodes: BTreeMap::default(),
        namespaces: Default::default(),
        argv: vec![],
        mounts: vec![],
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        log_path: String::new(),
        tty: false,
        stdin: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_run_of_each_container_is_remembered_as_ended() {
        let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
        let ended =
            |code: i32| json!({"terminated": {"exitCode": code, "reason": "Error", "containerID": "podsim://old"}});
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let pod = |state: &serde_json::Value, last: serde_json::Value, id: Option<&str>| -> api::Pod {
            let container = json!({
                "name": "c", "image": "x", "imageID": "", "ready": true, "restartCount": 2, "containerID": id, "state": state,
                "lastState": last,
            });
            let pod = json!({
                "metadata": {"name": "p", "uid": "u"}, "spec": {"containers": [{"name": "c", "image": "x"}]},
                "status": {"containerStatuses": [container]},
            });
            serde_json::from_value(pod).unwrap()
        };
        for (pod, remembered) in [
            (pod(&running, json!({}), Some("podsim://abc")), "abc 2 255 Unknown"),
            (pod(&running, ended(1), Some("podsim://abc")), "abc 2 255 Unknown"),
            (pod(&ended(3), json!({}), Some("podsim://abc")), "abc 2 3 Error"),
            (pod(&waiting, ended(4), Some("podsim://abc")), "abc 2 4 Error"),
            (pod(&waiting, json!({}), None), "-"),
        ] {
            let past = Past::of(&pod, Timestamp::UNIX_EPOCH);
            let shown = past.containers.first().map_or("-".to_owned(), |container| {
                format!(
                    "{} {} {} {}",
                    container.id.0,
                    container.metadata.attempt,
                    container.exit_code.unwrap(),
                    container.reason
                )
            });
            assert_eq!(shown, remembered);
            assert_eq!(past.sandbox.is_some(), remembered != "-");
        }
    }
}
