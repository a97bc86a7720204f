//! The life of one Pod, as `podsim run` shows it.

use super::Source;
use crate::client::{Client, Query, collection_path, is_not_found};
use crate::commands::delete::delete_pod;
use crate::commands::logs;
use crate::context::Context;
use crate::errors::Failure;
use anyhow::Result;
use futures_util::stream::FuturesUnordered;
use futures_util::{AsyncBufReadExt, StreamExt};
use podsim_store::kinds;
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::sync::mpsc;

/// A Pod that was created.
pub(crate) struct Identity {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The resource version of its creation: what happens after it is watched.
    pub(crate) version: String,
    /// Which manifest it is from.
    pub(crate) source: usize,
}

/// Follows a Pod.
pub(crate) struct Follower<'a> {
    context: &'a Context,
    client: &'a Client,
    source: Option<&'a Source>,
    pod: &'a Identity,
    several: bool,
    index: usize,
}

/// What keeps a container from running and will not go away by waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    container: String,
    /// The field of the manifest that is to be changed, in the container.
    field: &'static str,
    reason: String,
    message: String,
}

/// Reasons to wait that only a changed manifest ends.
const HOPELESS: [&str; 8] = [
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

impl<'a> Follower<'a> {
    pub(crate) fn new(
        context: &'a Context,
        client: &'a Client,
        source: Option<&'a Source>,
        pod: &'a Identity,
        several: bool,
        index: usize,
    ) -> Self {
        Self {
            context,
            client,
            source,
            pod,
            several,
            index,
        }
    }

    /// Follows the Pod to its end and gives the exit code that it means.
    pub(crate) async fn run(&self) -> Result<i32> {
        let (started, containers) = mpsc::unbounded_channel();
        // The logs go on until all of them have ended, which is after the Pod has.
        let (end, logs) = tokio::join!(self.watch(started, false), self.logs(containers));
        let code = end?;
        logs?;
        Ok(code)
    }

    /// Waits until all containers of the Pod run, or have run.
    pub(crate) async fn until_running(&self) -> Result<()> {
        let (started, _containers) = mpsc::unbounded_channel();
        self.watch(started, true).await.map(drop)
    }

    /// Watches the Pod to its end, or until it runs; tells of each container that starts.
    async fn watch(&self, started: mpsc::UnboundedSender<(String, String, usize)>, until_running: bool) -> Result<i32> {
        let mut seen = BTreeSet::new();
        let mut version = self.pod.version.clone();
        loop {
            let mut query = Query::default();
            query.add("watch", true);
            query.add("fieldSelector", format!("metadata.name={}", self.pod.name));
            query.add("resourceVersion", &version);
            let path = format!(
                "{}{}",
                collection_path(&kinds::POD, Some(&self.pod.namespace)),
                query.text()
            );
            let mut events = self.client.stream(&path, "application/json").await?.lines();
            while let Some(line) = events.next().await {
                let event: Value = serde_json::from_str(&line?)?;
                let pod = &event["object"];
                if event["type"] == "ERROR" {
                    break;
                }
                if pod["metadata"]["uid"] != *self.pod.uid {
                    continue;
                }
                version = pod["metadata"]["resourceVersion"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                for (index, name, id) in started_containers(pod) {
                    if seen.insert(id.to_owned()) {
                        // The other side only goes away with this one.
                        let _ = started.send((name.to_owned(), id.to_owned(), index));
                    }
                }
                if until_running && runs(pod) {
                    return Ok(0);
                }
                let deleted = pod["metadata"]["deletionTimestamp"].is_string();
                match (event["type"].as_str(), pod["status"]["phase"].as_str()) {
                    (Some("DELETED"), _) => return Ok(0),
                    (_, Some("Succeeded")) if !deleted => return Ok(0),
                    (_, Some("Failed")) if !deleted => {
                        if let Some(problem) = problem(pod) {
                            return Err(self.give_up(&problem).await);
                        }
                        return Ok(exit_code(pod));
                    }
                    _ => {}
                }
                if let Some(problem) = problem(pod).filter(|_| !deleted) {
                    return Err(self.give_up(&problem).await);
                }
            }
            // The watch ended (we were slow, or its history is gone): look how things are.
            match self.client.pod(&self.pod.namespace, &self.pod.name).await {
                Ok(pod) if pod["metadata"]["uid"] == *self.pod.uid => "0".clone_into(&mut version),
                Ok(_) => return Ok(0),
                Err(error) if is_not_found(&error) => return Ok(0),
                Err(error) => return Err(error),
            }
        }
    }

    /// Prints the logs of the containers that start, each as its container runs.
    async fn logs(&self, mut containers: mpsc::UnboundedReceiver<(String, String, usize)>) -> Result<()> {
        let mut pending = FuturesUnordered::new();
        let mut more = true;
        while more || !pending.is_empty() {
            tokio::select! {
                next = containers.recv(), if more => match next {
                    Some((name, id, index)) => pending.push(self.log(name, id, index)),
                    None => more = false,
                },
                Some(end) = pending.next(), if !pending.is_empty() => end?,
            }
        }
        Ok(())
    }

    async fn log(&self, container: String, id: String, index: usize) -> Result<()> {
        let mut query = Query::default();
        query.add("container", &container);
        // podsim's own: exactly this run of the container, however fast the next one begins.
        query.add("containerID", id);
        query.add("follow", true);
        let log = match logs::open(self.client, &self.pod.namespace, &self.pod.name, &query).await {
            Ok(log) => log,
            // The Pod was deleted in the meantime.
            Err(error) if is_not_found(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        logs::copy(self.context, log, &self.prefix(&container, index)).await
    }

    fn prefix(&self, container: &str, index: usize) -> String {
        let pod = self.several.then_some(self.pod.name.as_str());
        prefix(self.context, self.source, pod, container, self.index + index)
    }

    /// The Pod will never run: it is removed, and the error says what to change where.
    async fn give_up(&self, problem: &Problem) -> anyhow::Error {
        let removed = delete_pod(self.client, &self.pod.namespace, &self.pod.name, &self.pod.uid).await;
        if let Err(error) = removed {
            return error.context("cannot remove the Pod");
        }
        complain(self.source, &self.pod.name, problem)
    }
}

/// What stands before a container's lines: its name if there are several, and that of its Pod if there are several.
pub(super) fn prefix(
    context: &Context,
    source: Option<&Source>,
    pod: Option<&str>,
    container: &str,
    colour: usize,
) -> String {
    let single = source.is_some_and(|source| {
        let count = |list: &str| source.document.value()["spec"][list].as_array().map_or(0, Vec::len);
        count("containers") + count("initContainers") == 1
    });
    let name = match (pod, single) {
        (None, true) => return String::new(),
        (None, false) => container.to_owned(),
        (Some(pod), true) => pod.to_owned(),
        (Some(pod), false) => format!("{pod}/{container}"),
    };
    if !context.printer.colours() {
        return format!("[{name}] ");
    }
    // Cyan, yellow, green, magenta, blue, red.
    const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];
    let colour = COLOURS.get(colour % COLOURS.len()).copied().unwrap_or(36);
    format!("\x1b[{colour}m[{name}]\x1b[0m ")
}

/// The error of a Pod that will never run, with the place in its manifest.
pub(super) fn complain(source: Option<&Source>, pod: &str, problem: &Problem) -> anyhow::Error {
    let Problem {
        container,
        field,
        reason,
        message,
    } = problem;
    let message = format!("container {container:?} of pod {pod:?}: {reason}: {message}");
    let Some(Source { file, document }) = source else {
        return Failure::new(format!("error: {message}")).into();
    };
    let mut path = container_path(document.value(), container);
    let value = path.as_deref().and_then(|path| at(document.value(), path));
    if value.is_some_and(|value| value.get(field).is_some())
        && let Some(path) = &mut path
    {
        path.push_str(&format!(".{field}"));
    }
    let path = path.unwrap_or_else(|| "spec.containers".to_owned());
    let place = document.position(&path);
    let (line, column) = (place.line, place.column);
    Failure::new(format!("error: {file}:{line}:{column}: {path}: {message}")).into()
}

/// `spec.containers[1]`.
fn container_path(pod: &Value, name: &str) -> Option<String> {
    ["containers", "initContainers"].into_iter().find_map(|list| {
        let containers = pod["spec"][list].as_array()?;
        let index = containers.iter().position(|container| container["name"] == name)?;
        Some(format!("spec.{list}[{index}]"))
    })
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    object.pointer(&format!("/{}", path.replace(['.', '['], "/").replace(']', "")))
}

/// Containers that have been started, by index, name and id, also their last runs.
pub(super) fn started_containers(pod: &Value) -> Vec<(usize, &str, &str)> {
    let statuses = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|list| pod["status"][list].as_array().into_iter().flatten());
    let mut started = Vec::new();
    for (index, status) in statuses.enumerate() {
        let Some(name) = status["name"].as_str() else { continue };
        let last = &status["lastState"]["terminated"];
        let state = &status["state"];
        let now = if state["running"].is_object() || state["terminated"].is_object() {
            status["containerID"].as_str()
        } else {
            None
        };
        let ids = [last["containerID"].as_str(), now];
        // A container that could not be started has written nothing.
        let began = |at: &Value| !matches!(at["reason"].as_str(), Some("StartError" | "ContainerCannotRun"));
        started.extend(
            ids.into_iter()
                .zip([began(last), began(&state["terminated"])])
                .filter_map(|(id, began)| id.filter(|id| began && !id.is_empty()))
                .map(|id| (index, name, id)),
        );
    }
    started
}

/// Whether every container (init containers come before) runs or has run.
fn runs(pod: &Value) -> bool {
    let wanted = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    let statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let started = statuses.filter(|status| {
        let state = &status["state"];
        state["running"].is_object() || (state["terminated"].is_object() && problem(pod).is_none())
    });
    started.count() == wanted
}

/// What keeps the Pod from ever running.
pub(super) fn problem(pod: &Value) -> Option<Problem> {
    let statuses = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|list| pod["status"][list].as_array().into_iter().flatten());
    for status in statuses {
        let container = status["name"].as_str().unwrap_or_default().to_owned();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for ended in [&status["state"]["terminated"], &status["lastState"]["terminated"]] {
            if matches!(ended["reason"].as_str(), Some("StartError" | "ContainerCannotRun")) {
                let message = text(&ended["message"]);
                return Some(Problem {
                    container,
                    field: "command",
                    reason: text(&ended["reason"]),
                    message,
                });
            }
        }
        let waiting = &status["state"]["waiting"];
        if let Some(reason) = HOPELESS.into_iter().find(|reason| waiting["reason"] == *reason) {
            let field = if reason.contains("Image") { "image" } else { "name" };
            return Some(Problem {
                container,
                field,
                reason: reason.to_owned(),
                message: text(&waiting["message"]),
            });
        }
    }
    None
}

/// The exit code of a failed Pod: that of the first container that failed.
pub(super) fn exit_code(pod: &Value) -> i32 {
    let statuses = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|list| pod["status"][list].as_array().into_iter().flatten());
    let codes = statuses.filter_map(|status| status["state"]["terminated"]["exitCode"].as_i64());
    let code = codes.into_iter().find(|code| *code != 0).unwrap_or(1);
    i32::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_will_never_run_is_found() {
        let waiting = |reason: &str| json!({"status": {"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": reason, "message": "m"}}}]}});
        assert_eq!(problem(&waiting("ContainerCreating")), None);
        assert_eq!(problem(&waiting("CrashLoopBackOff")), None);
        assert_eq!(problem(&waiting("ErrImageNeverPull")).map(|p| p.field), Some("image"));
        let start_error = json!({"status": {"containerStatuses": [{
            "name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"reason": "StartError", "exitCode": 128, "containerID": "podsim://x"}},
        }]}});
        assert_eq!(problem(&start_error).map(|p| p.reason), Some("StartError".to_owned()));
        assert_eq!(started_containers(&start_error), []);
    }

    #[test]
    fn the_exit_code_is_that_of_the_first_failed_container() {
        let ended = |code: i32| json!({"name": "c", "state": {"terminated": {"exitCode": code}}});
        let pod = json!({"status": {"containerStatuses": [ended(0), ended(3), ended(4)]}});
        assert_eq!(exit_code(&pod), 3);
        assert_eq!(exit_code(&json!({"status": {"reason": "Evicted"}})), 1);
    }
}
