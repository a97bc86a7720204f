//! podsim's own endpoints under `/podsim/v1`: the view from the node, which Kubernetes' API does not give.
//!
//! `sandboxes`, `containers` and `images` are what the runtime has (`podsim ps`, `docker ps`, `crictl`); `partition` cuts the
//! node off from the API server (`podsim node partition`); `exec` runs a program in the node's own namespaces; `shutdown` ends the node.

use crate::body::read_object;
use crate::query::Query;
use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use crate::stream::{StreamOptions, run_session, upgrade};
use async_trait::async_trait;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use podsim_cri::{
    ContainerFilter, ContainerState, ContainerStatus, ExecSession, Image, MountSource, NamespaceInodes, NamespaceMode,
    NamespaceOption, PodSandboxFilter, PodSandboxState, PodSandboxStatus,
};
use podsim_sys::Winsize;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// What the composition root gives of the node itself.
#[async_trait]
pub trait NodeAccess: Send + Sync + 'static {
    /// Runs a program in the node's own namespaces.
    async fn exec(&self, request: NodeExec) -> podsim_cri::Result<ExecSession>;
    /// Whether the node is cut off from the API server.
    fn partitioned(&self) -> bool;
    /// Cuts the node off from the API server, or heals that.
    fn set_partitioned(&self, partitioned: bool);
    /// Begins to end the node: Pods are stopped, then the process ends.
    fn shutdown(&self);
}

/// A program to run on the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeExec {
    /// Program and arguments; empty is a login shell.
    pub command: Vec<String>,
    /// On a terminal of its own.
    pub tty: bool,
    /// With stdin; else it reads the end of file.
    pub stdin: bool,
    /// The first size of the terminal.
    pub winsize: Option<Winsize>,
}

/// A pod sandbox, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "podsim_cri::PodSandboxStatus says it")]
pub struct SandboxView {
    pub id: String,
    pub pod: String,
    pub namespace: String,
    pub uid: String,
    pub attempt: u32,
    pub ready: bool,
    pub created_at: Timestamp,
    pub ips: Vec<String>,
    pub pid: Option<i32>,
    pub image: String,
    pub namespaces: NamespacesView,
    pub labels: BTreeMap<String, String>,
}

/// A container, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "podsim_cri::ContainerStatus says it")]
pub struct ContainerView {
    pub id: String,
    pub sandbox: String,
    pub name: String,
    pub attempt: u32,
    pub state: String,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub exit_code: Option<i32>,
    pub reason: String,
    pub message: String,
    pub image: String,
    pub image_id: String,
    pub pid: Option<i32>,
    pub namespaces: NamespacesView,
    pub argv: Vec<String>,
    pub mounts: Vec<MountView>,
    pub labels: BTreeMap<String, String>,
    pub log_path: String,
    pub tty: bool,
    pub stdin: bool,
}

/// The namespaces of a process: what was configured, and the inode numbers by name (`net`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespacesView {
    /// `Pod`, `Container`, `Node` or a container's id.
    pub network: String,
    /// As `network`.
    pub pid: String,
    /// As `network`.
    pub ipc: String,
    /// By kind.
    pub inodes: BTreeMap<String, u64>,
}

/// A mount, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "podsim_cri::Mount says it")]
pub struct MountView {
    pub source: String,
    pub destination: String,
    pub readonly: bool,
}

/// An image, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "podsim_cri::Image says it")]
pub struct ImageView {
    pub id: String,
    pub repo_tags: Vec<String>,
    pub repo_digests: Vec<String>,
    pub size: u64,
    /// When it was made, if it says so.
    #[serde(default)]
    pub created: Option<Timestamp>,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub user: String,
}

impl NamespacesView {
    fn new(option: &NamespaceOption, inodes: &NamespaceInodes) -> Self {
        let mode = |mode: &NamespaceMode| match mode {
            NamespaceMode::Pod => "Pod".to_owned(),
            NamespaceMode::Container => "Container".to_owned(),
            NamespaceMode::Node => "Node".to_owned(),
            NamespaceMode::Target(id) => id.to_string(),
        };
        Self {
            network: mode(&option.network),
            pid: mode(&option.pid),
            ipc: mode(&option.ipc),
            inodes: inodes
                .iter()
                .map(|(kind, inode)| (kind.name().to_owned(), *inode))
                .collect(),
        }
    }
}

impl From<PodSandboxStatus> for SandboxView {
    fn from(status: PodSandboxStatus) -> Self {
        Self {
            id: status.id.0,
            pod: status.metadata.name,
            namespace: status.metadata.namespace,
            uid: status.metadata.uid,
            attempt: status.metadata.attempt,
            ready: status.state == PodSandboxState::Ready,
            created_at: status.created_at,
            ips: status.ips.iter().map(ToString::to_string).collect(),
            pid: status.pid.map(|pid| pid.0),
            image: status.image,
            namespaces: NamespacesView::new(&status.namespaces, &status.namespace_inodes),
            labels: status.labels,
        }
    }
}

impl From<ContainerStatus> for ContainerView {
    fn from(status: ContainerStatus) -> Self {
        let state = match status.state {
            ContainerState::Created => "created",
            ContainerState::Running => "running",
            ContainerState::Exited => "exited",
        };
        let mounts = status.mounts.into_iter().map(|mount| MountView {
            source: match mount.source {
                MountSource::Volume { id, .. } => id.0,
                MountSource::HostPath { path, .. } => path.display().to_string(),
            },
            destination: mount.container_path,
            readonly: mount.readonly,
        });
        Self {
            id: status.id.0,
            sandbox: status.sandbox.0,
            name: status.metadata.name,
            attempt: status.metadata.attempt,
            state: state.to_owned(),
            created_at: status.created_at,
            started_at: status.started_at,
            finished_at: status.finished_at,
            exit_code: status.exit_code,
            reason: status.reason,
            message: status.message,
            image: status.image,
            image_id: status.image_id,
            pid: status.pid.map(|pid| pid.0),
            namespaces: NamespacesView::new(&status.namespaces, &status.namespace_inodes),
            argv: status.argv,
            mounts: mounts.collect(),
            labels: status.labels,
            log_path: status.log_path,
            tty: status.tty,
            stdin: status.stdin,
        }
    }
}

impl From<Image> for ImageView {
    fn from(image: Image) -> Self {
        Self {
            id: image.id,
            repo_tags: image.repo_tags,
            repo_digests: image.repo_digests,
            size: image.size,
            created: image.created,
            entrypoint: image.config.entrypoint,
            cmd: image.config.cmd,
            user: image.config.user,
        }
    }
}

/// A request under `/podsim/v1`.
pub(crate) async fn handle(app: &App, segments: &[&str], query: &Query, request: Request) -> Result<Response> {
    match (request.method(), segments) {
        (&Method::GET, ["sandboxes"]) => {
            let all = app.runtime.list_pod_sandbox(&PodSandboxFilter::default()).await?;
            items(all.into_iter().map(SandboxView::from))
        }
        (&Method::GET, ["containers"]) => {
            let all = app.runtime.list_containers(&ContainerFilter::default()).await?;
            items(all.into_iter().map(ContainerView::from))
        }
        (&Method::GET, ["images"]) => items(app.images.list_images().await?.into_iter().map(ImageView::from)),
        (&Method::GET, ["partition"]) => Ok(partition(app)),
        (&Method::PUT, ["partition"]) => {
            let body = read_object(request).await?;
            let wrong = || ApiError::bad_request("partitioned: it must be true or false");
            app.node
                .set_partitioned(body["partitioned"].as_bool().ok_or_else(wrong)?);
            Ok(partition(app))
        }
        (&Method::POST, ["shutdown"]) => {
            app.node.shutdown();
            Ok(json_response(StatusCode::ACCEPTED, json!({}).to_string()))
        }
        (_, ["exec"]) => exec(app, query, request).await,
        _ => Err(ApiError::no_such_path()),
    }
}

fn items<T: Serialize>(items: impl Iterator<Item = T>) -> Result<Response> {
    let items: Vec<T> = items.collect();
    let body = serde_json::to_string(&json!({"items": items})).map_err(ApiError::internal)?;
    Ok(json_response(StatusCode::OK, body))
}

fn partition(app: &App) -> Response {
    json_response(
        StatusCode::OK,
        json!({"partitioned": app.node.partitioned()}).to_string(),
    )
}

async fn exec(app: &App, query: &Query, request: Request) -> Result<Response> {
    let options = StreamOptions::from_query(query)?;
    let exec = NodeExec {
        command: query.all("command"),
        tty: options.tty,
        stdin: options.stdin,
        winsize: options.winsize,
    };
    let (upgrade, dialect) = upgrade(request).await?;
    let node = app.node.clone();
    Ok(upgrade.on_upgrade(async move |socket| {
        let session = node.exec(exec).await;
        run_session(socket, session, options.tty, dialect).await;
    }))
}
