//! The subresources of Pods that talk to the runtime: log, exec, attach, port-forward; and binding.

use crate::body::read_object;
use crate::log::{PodLogOptions, log_bytes};
use crate::objects::success;
use crate::query::Query;
use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use crate::stream::{
    self, MAX_PORTS, SPDY_EXEC, SPDY_FORWARD, StreamOptions, forward, port_forward, remote_command, run_session,
    upgrade, upgrade_to, upgrade_to_spdy,
};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use podsim_cri::{
    AttachRequest, ContainerFilter, ContainerId, ContainerState, ContainerStatus, ExecRequest, PodSandboxFilter,
    PodSandboxState, RuntimeService,
};
use podsim_store::{Object, StoreError, kinds};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// `pods/log`.
pub(crate) async fn log(app: &App, namespace: &str, name: &str, query: &Query, request: Request) -> Result<Response> {
    let options = PodLogOptions::from_query(query, app.now())?;
    let pod = app.store.get(&kinds::POD, namespace, name)?;
    let container = choose_container(&pod, options.container.as_deref())?;
    // podsim's own: exactly this run of a container, by its id as the Pod's status has it.
    let id = match query.get("containerID") {
        Some(wanted) => run_of_container(app, &pod, container, wanted).await?,
        None => logged_container(app, &pod, container, options.previous).await?,
    };
    let entries = app.runtime_of(&pod).container_logs(&id, options.entries).await?;
    let bytes = log_bytes(entries, options.timestamps, options.limit_bytes);
    if request.headers().contains_key(header::SEC_WEBSOCKET_KEY) {
        return stream::send_bytes(request, bytes).await;
    }
    let body = Body::from_stream(bytes);
    Ok(([(header::CONTENT_TYPE, "text/plain")], body).into_response())
}

/// `pods/exec`.
pub(crate) async fn exec(
    app: &App,
    namespace: &str,
    name: &str,
    query: &Query,
    mut request: Request,
) -> Result<Response> {
    let options = StreamOptions::from_query(query)?;
    let command = query.all("command");
    if command.iter().all(String::is_empty) {
        return Err(ApiError::bad_request(
            "you must specify at least one command for the container",
        ));
    }
    let (on, container) = running_container(app, namespace, name, query).await?;
    let exec = ExecRequest {
        container,
        command,
        tty: options.tty,
        stdin: options.stdin,
        stdout: options.stdout,
        stderr: options.stderr,
        winsize: options.winsize,
    };
    let (runtime, again) = (on.clone(), exec.clone());
    let spdy = upgrade_to_spdy(&mut request, SPDY_EXEC, async move |io| {
        remote_command::run(io, options, runtime.exec(again)).await;
    });
    if let Some(answer) = spdy {
        return answer;
    }
    let (upgrade, dialect) = upgrade(request).await?;
    Ok(upgrade.on_upgrade(async move |socket| {
        let session = on.exec(exec).await;
        run_session(socket, session, options.tty, dialect).await;
    }))
}

/// `pods/attach`.
pub(crate) async fn attach(
    app: &App,
    namespace: &str,
    name: &str,
    query: &Query,
    mut request: Request,
) -> Result<Response> {
    let options = StreamOptions::from_query(query)?;
    let (on, container) = running_container(app, namespace, name, query).await?;
    let attach = AttachRequest {
        container,
        stdin: options.stdin,
        stdout: options.stdout,
        stderr: options.stderr,
    };
    let (runtime, again) = (on.clone(), attach.clone());
    let spdy = upgrade_to_spdy(&mut request, SPDY_EXEC, async move |io| {
        remote_command::run(io, options, runtime.attach(again)).await;
    });
    if let Some(answer) = spdy {
        return answer;
    }
    let (upgrade, dialect) = upgrade(request).await?;
    Ok(upgrade.on_upgrade(async move |socket| {
        let session = on.attach(attach).await;
        if let (Ok(session), Some(size)) = (&session, options.winsize) {
            let _ = session.resize.send(size).await;
        }
        run_session(socket, session, options.tty, dialect).await;
    }))
}

/// `pods/portforward`.
pub(crate) async fn portforward(
    app: &App,
    namespace: &str,
    name: &str,
    query: &Query,
    mut request: Request,
) -> Result<Response> {
    let pod = app.store.get(&kinds::POD, namespace, name)?;
    let filter = PodSandboxFilter {
        state: Some(PodSandboxState::Ready),
        pod_uid: Some(uid(&pod)),
        ..PodSandboxFilter::default()
    };
    let mut sandboxes = app.runtime_of(&pod).list_pod_sandbox(&filter).await?.into_iter();
    let sandbox = sandboxes.find(|sandbox| is_of(&sandbox.labels, &pod));
    let Some(sandbox) = sandbox else {
        let phase = pod["status"]["phase"].as_str().unwrap_or("Unknown");
        let message = format!("unable to forward port because pod is not running. Current status={phase}");
        return Err(ApiError::bad_request(message));
    };
    let (runtime, id) = (app.runtime_of(&pod).clone(), sandbox.id.clone());
    let spdy = upgrade_to_spdy(&mut request, SPDY_FORWARD, move |io| {
        forward::over_connection(io, runtime, id)
    });
    if let Some(answer) = spdy {
        return answer;
    }
    let runtime = app.runtime_of(&pod).clone();
    let protocols = request.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
    let tunnel = protocols.and_then(|value| value.to_str().ok());
    if tunnel.is_some_and(|protocols| protocols.split(',').any(|protocol| protocol.trim() == forward::TUNNEL)) {
        let upgrade = upgrade_to(request, &[forward::TUNNEL]).await?;
        return Ok(upgrade.on_upgrade(move |socket| forward::over_websocket(socket, runtime, sandbox.id)));
    }
    let mut ports = Vec::new();
    for port in query.all("ports").iter().flat_map(|ports| ports.split(',')) {
        let wrong = || ApiError::bad_request(format!("ports: {port:?} is not a port (1 to 65535)"));
        ports.push(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?);
    }
    if ports.is_empty() || ports.len() > MAX_PORTS {
        return Err(ApiError::bad_request(format!(
            "you must specify 1 to {MAX_PORTS} ports"
        )));
    }
    let (upgrade, dialect) = upgrade(request).await?;
    Ok(upgrade.on_upgrade(move |socket| port_forward(socket, runtime, sandbox.id, ports, dialect)))
}

/// `pods/binding`: a scheduler says on which node the Pod is to run.
pub(crate) async fn bind(app: &App, namespace: &str, name: &str, request: Request) -> Result<Response> {
    let binding = read_object(request).await?;
    let target = &binding["target"];
    let node = target["name"].as_str().filter(|name| !name.is_empty());
    let (Some(node), "" | "Node") = (node, target["kind"].as_str().unwrap_or_default()) else {
        return Err(ApiError::bad_request("target: a binding names a Node"));
    };
    app.store.modify(&kinds::POD, namespace, name, |pod| {
        let taken = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty());
        if let Some(taken) = taken {
            return Err(StoreError::Conflict {
                resource: kinds::POD.resource(),
                name: name.to_owned(),
                detail: format!("pod {name} is already assigned to node \"{taken}\""),
            });
        }
        if let Some(spec) = pod["spec"].as_object_mut() {
            spec.insert("nodeName".into(), node.into());
        }
        Ok(())
    })?;
    Ok(json_response(StatusCode::CREATED, success(Value::Null).to_string()))
}

/// The container that a request means: the one it names, or the only one.
fn choose_container<'a>(pod: &'a Value, wanted: Option<&str>) -> Result<&'a str> {
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let (containers, init) = (names(&pod["spec"]["containers"]), names(&pod["spec"]["initContainers"]));
    let ephemeral = names(&pod["spec"]["ephemeralContainers"]);
    if let Some(wanted) = wanted {
        let found = containers
            .iter()
            .chain(&init)
            .chain(&ephemeral)
            .find(|name| **name == wanted);
        return found
            .copied()
            .ok_or_else(|| ApiError::bad_request(format!("container {wanted} is not valid for pod {pod_name}")));
    }
    if let [only] = containers.as_slice() {
        return Ok(only);
    }
    let mut message = format!(
        "a container name must be specified for pod {pod_name}, choose one of: [{}]",
        containers.join(" ")
    );
    if !init.is_empty() {
        message.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
    }
    Err(ApiError::bad_request(message))
}

fn names(containers: &Value) -> Vec<&str> {
    containers
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|container| container["name"].as_str())
        .collect()
}

/// The annotation of a mirror: the uid of its static Pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// The uid that the node knows the Pod by: of a mirror, that of its static Pod.
pub(crate) fn uid(pod: &Value) -> String {
    let mirrored = &pod["metadata"]["annotations"][MIRROR];
    let uid = mirrored.as_str().or(pod["metadata"]["uid"].as_str());
    uid.unwrap_or_default().to_owned()
}

/// Is something on the node, by its labels, of this Pod? A mirror's uid is what somebody has written into an annotation: it could be that of
/// a Pod that is none of theirs.
pub(crate) fn is_of(labels: &BTreeMap<String, String>, pod: &Value) -> bool {
    let same = |label: &str, field: &str| {
        let found = labels.get(&format!("io.kubernetes.pod.{label}"));
        found.is_some_and(|found| pod["metadata"][field] == *found)
    };
    let is_mirror = pod["metadata"]["annotations"][MIRROR].is_string();
    !is_mirror || same("name", "name") && same("namespace", "namespace")
}

/// All containers of this name that the Pod has had and that are still known, the newest first.
async fn containers(app: &App, pod: &Object, name: &str) -> Result<Vec<ContainerStatus>> {
    let filter = ContainerFilter {
        pod_uid: Some(uid(pod)),
        ..ContainerFilter::default()
    };
    let mut found = app.runtime_of(pod).list_containers(&filter).await?;
    found.retain(|container| container.metadata.name == name && is_of(&container.labels, pod));
    found.sort_by_key(|container| std::cmp::Reverse((container.metadata.attempt, container.created_at)));
    Ok(found)
}

/// The container for exec and attach, and where it runs. The words are those of the kubelet.
async fn running_container(
    app: &App,
    namespace: &str,
    name: &str,
    query: &Query,
) -> Result<(Arc<dyn RuntimeService>, ContainerId)> {
    let pod = app.store.get(&kinds::POD, namespace, name)?;
    let container = choose_container(&pod, query.get("container"))?;
    let running = containers(app, &pod, container)
        .await?
        .into_iter()
        .find(|c| c.state == ContainerState::Running);
    let found = running.map(|found| (app.runtime_of(&pod).clone(), found.id));
    found.ok_or_else(|| {
        ApiError::plain(
            500,
            format!("unable to upgrade connection: container not found (\"{container}\")"),
        )
    })
}

/// The container whose log is read: one that was started, the one before it for `previous`.
async fn logged_container(app: &App, pod: &Object, container: &str, previous: bool) -> Result<ContainerId> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let found = containers(app, pod, container).await?;
    let mut started = found.into_iter().filter(|found| found.state != ContainerState::Created);
    // A container that waits for its restart has ended; the log is then that of its last run.
    let mut chosen = started.next();
    let waiting = waiting_reason(pod, container);
    if previous {
        // While the next run has not begun, the last one is the previous one: as `lastState` in the status says.
        if waiting.is_none() {
            chosen = started.next();
        }
        return chosen
            .filter(|found| found.state == ContainerState::Exited)
            .map(|found| found.id)
            .ok_or_else(|| {
                ApiError::bad_request(format!(
                    "previous terminated container \"{container}\" in pod \"{name}\" not found"
                ))
            });
    }
    chosen.map(|found| found.id).ok_or_else(|| {
        let why = match waiting.unwrap_or("ContainerCreating") {
            "ErrImagePull" => "image can't be pulled",
            "ImagePullBackOff" => "trying and failing to pull image",
            other => other,
        };
        ApiError::bad_request(format!(
            "container \"{container}\" in pod \"{name}\" is waiting to start: {why}"
        ))
    })
}

/// The run of a container that has this id, `podsim://…` or bare.
async fn run_of_container(app: &App, pod: &Object, container: &str, wanted: &str) -> Result<ContainerId> {
    let wanted = wanted.rsplit_once("//").map_or(wanted, |(_, id)| id);
    let found = containers(app, pod, container)
        .await?
        .into_iter()
        .find(|found| found.id.0 == wanted);
    found
        .map(|found| found.id)
        .ok_or_else(|| podsim_cri::Error::NotFound(format!("container {wanted}")).into())
}

fn waiting_reason<'a>(pod: &'a Value, container: &str) -> Option<&'a str> {
    [
        "containerStatuses",
        "initContainerStatuses",
        "ephemeralContainerStatuses",
    ]
    .into_iter()
    .flat_map(|list| pod["status"][list].as_array().into_iter().flatten())
    .find(|status| status["name"] == container)
    .and_then(|status| status["state"]["waiting"]["reason"].as_str())
}
