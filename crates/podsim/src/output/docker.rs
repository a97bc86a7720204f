//! `docker ps` and `docker inspect`, as the Docker of the dockershim days printed them.

use crate::node_view::{Entry, short_id};
use crate::output::tabwriter;
use jiff::Timestamp;
use podsim_apiserver::duration::docker_duration;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a line of `docker ps` says, by the names that `--format` knows.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PsLine {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) image: String,
    pub(crate) command: String,
    pub(crate) running_for: String,
    pub(crate) status: String,
    pub(crate) ports: String,
    pub(crate) names: String,
    #[serde(skip)]
    pub(crate) pid: Option<i32>,
}

impl PsLine {
    /// Of an entry; `truncate` is Docker's way unless `--no-trunc`.
    pub(crate) fn new(entry: &Entry<'_>, truncate: bool, now: Timestamp) -> Self {
        let command = entry.argv().join(" ");
        let command = if truncate { ellipsis(&command, 20) } else { command };
        let image = match entry {
            Entry::Sandbox(sandbox) => sandbox.image.clone(),
            Entry::Container(container, _) if truncate => short_id(&container.image_id).to_owned(),
            Entry::Container(container, _) => container.image_id.clone(),
        };
        Self {
            id: if truncate { short_id(entry.id()) } else { entry.id() }.to_owned(),
            image,
            command: format!("\"{}\"", command.replace('"', "\\\"")),
            running_for: format!("{} ago", since(entry.created_at(), now)),
            status: status(entry, now),
            ports: String::new(),
            names: entry.name(),
            pid: entry.pid(),
        }
    }
}

fn since(time: Timestamp, now: Timestamp) -> String {
    docker_duration(now.as_second() - time.as_second())
}

fn status(entry: &Entry<'_>, now: Timestamp) -> String {
    match entry {
        Entry::Sandbox(sandbox) if sandbox.ready => format!("Up {}", since(sandbox.created_at, now)),
        // The runtime does not tell when or how a pause ended.
        Entry::Sandbox(_) => "Exited (0)".to_owned(),
        Entry::Container(container, _) => match (container.state.as_str(), container.started_at) {
            ("running", started) => format!("Up {}", since(started.unwrap_or(container.created_at), now)),
            ("created", _) => "Created".to_owned(),
            _ => {
                let code = container.exit_code.unwrap_or_default();
                let ended = container.finished_at.unwrap_or(container.created_at);
                format!("Exited ({code}) {} ago", since(ended, now))
            }
        },
    }
}

fn ellipsis(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

/// The table of `docker ps`.
pub(crate) fn ps_table(lines: &[PsLine]) -> String {
    let header = [
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(lines.iter().map(|line| {
        [
            &line.id,
            &line.image,
            &line.command,
            &line.running_for,
            &line.status,
            &line.ports,
            &line.names,
        ]
        .map(String::clone)
        .to_vec()
    }));
    tabwriter::table(&rows, 20, 3)
}

/// What `docker inspect` tells of one container, in Docker's order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspect {
    id: String,
    created: String,
    path: String,
    args: Vec<String>,
    state: State,
    image: String,
    log_path: String,
    name: String,
    restart_count: u32,
    driver: &'static str,
    platform: &'static str,
    host_config: HostConfig,
    mounts: Vec<InspectMount>,
    config: Config,
    network_settings: NetworkSettings,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    running: bool,
    paused: bool,
    restarting: bool,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    dead: bool,
    pid: i32,
    exit_code: i32,
    error: String,
    started_at: String,
    finished_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    network_mode: String,
    ipc_mode: String,
    pid_mode: String,
    #[serde(rename = "UTSMode")]
    uts_mode: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InspectMount {
    #[serde(rename = "Type")]
    kind: &'static str,
    source: String,
    destination: String,
    #[serde(rename = "RW")]
    writable: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    hostname: String,
    tty: bool,
    open_stdin: bool,
    cmd: Vec<String>,
    image: String,
    labels: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(rename = "IPAddress")]
    ip_address: String,
    namespaces: BTreeMap<String, String>,
}

/// Docker's word for a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl Inspect {
    /// Of an entry.
    pub(crate) fn new(entry: &Entry<'_>) -> Self {
        let argv = entry.argv();
        let (path, args) = argv
            .split_first()
            .map(|(path, args)| (path.clone(), args.to_vec()))
            .unwrap_or_default();
        let time = |time: Option<Timestamp>| time.map_or_else(|| NEVER.to_owned(), |time| time.to_string());
        let running = entry.running();
        let (state, sandbox, namespaces) = match entry {
            Entry::Sandbox(sandbox) => {
                let state = State {
                    status: if running { "running" } else { "exited" }.to_owned(),
                    running,
                    paused: false,
                    restarting: false,
                    oom_killed: false,
                    dead: false,
                    pid: sandbox.pid.unwrap_or(0),
                    exit_code: 0,
                    error: String::new(),
                    started_at: time(Some(sandbox.created_at)),
                    finished_at: time(None),
                };
                (state, Some(*sandbox), &sandbox.namespaces)
            }
            Entry::Container(container, sandbox) => {
                let state = State {
                    status: container.state.clone(),
                    running,
                    paused: false,
                    restarting: false,
                    oom_killed: container.reason == "OOMKilled",
                    dead: false,
                    pid: container.pid.unwrap_or(0),
                    exit_code: container.exit_code.unwrap_or(0),
                    error: container.message.clone(),
                    started_at: time(container.started_at),
                    finished_at: time(container.finished_at),
                };
                (state, *sandbox, &container.namespaces)
            }
        };
        let container = match entry {
            Entry::Sandbox(_) => None,
            Entry::Container(container, _) => Some(*container),
        };
        let of_sandbox = |mode: &str| match (mode, container, sandbox) {
            ("Node", ..) => "host".to_owned(),
            ("Pod", Some(_), Some(sandbox)) => format!("container:{}", sandbox.id),
            ("Container" | "Pod", ..) => String::new(),
            (id, ..) => format!("container:{id}"),
        };
        let mounts = container
            .map(|container| container.mounts.as_slice())
            .unwrap_or_default()
            .iter();
        Self {
            id: entry.id().to_owned(),
            created: entry.created_at().to_string(),
            path,
            args,
            state,
            image: container
                .map_or_else(|| sandbox.map(|s| s.image.clone()), |c| Some(c.image_id.clone()))
                .unwrap_or_default(),
            log_path: container
                .map(|container| container.log_path.clone())
                .unwrap_or_default(),
            name: format!("/{}", entry.name()),
            restart_count: 0,
            driver: "overlay2",
            platform: "linux",
            host_config: HostConfig {
                network_mode: of_sandbox(&namespaces.network),
                ipc_mode: of_sandbox(&namespaces.ipc),
                pid_mode: of_sandbox(&namespaces.pid),
                uts_mode: String::new(),
            },
            mounts: mounts
                .map(|mount| InspectMount {
                    kind: "bind",
                    source: mount.source.clone(),
                    destination: mount.destination.clone(),
                    writable: !mount.readonly,
                })
                .collect(),
            config: Config {
                hostname: sandbox.map(|sandbox| sandbox.pod.clone()).unwrap_or_default(),
                tty: container.is_some_and(|container| container.tty),
                open_stdin: container.is_some_and(|container| container.stdin),
                cmd: argv,
                image: container
                    .map(|c| c.image.clone())
                    .or(sandbox.map(|s| s.image.clone()))
                    .unwrap_or_default(),
                labels: match entry {
                    Entry::Sandbox(sandbox) => sandbox.labels.clone(),
                    Entry::Container(container, _) => container.labels.clone(),
                },
            },
            network_settings: NetworkSettings {
                ip_address: sandbox
                    .and_then(|sandbox| sandbox.ips.first().cloned())
                    .unwrap_or_default(),
                namespaces: namespaces
                    .inodes
                    .iter()
                    .map(|(kind, n)| (kind.clone(), format!("{kind}:[{n}]")))
                    .collect(),
            },
        }
    }
}

/// Fills in a Go template of the simple kind: text with `{{.State.Pid}}` and `{{json .State}}` in it.
pub(crate) fn template(template: &str, value: &Value) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let wrong = |why: &str| {
            format!("the template {template:?} cannot be used: {why}; known are {{{{.A.B}}}} and {{{{json .A.B}}}}")
        };
        let (inside, tail) = after.split_once("}}").ok_or_else(|| wrong("a }} is missing"))?;
        rest = tail;
        let inside = inside.trim();
        let (json, path) = match inside.strip_prefix("json ") {
            Some(path) => (true, path.trim()),
            None => (false, inside),
        };
        let keys = path
            .strip_prefix('.')
            .ok_or_else(|| wrong("a path begins with a dot"))?;
        let found = keys
            .split('.')
            .filter(|key| !key.is_empty())
            .try_fold(value, |value, key| value.get(key));
        let found = found.ok_or_else(|| wrong(&format!("there is no {path}")))?;
        match found {
            Value::String(text) if !json => out.push_str(text),
            other => out.push_str(&other.to_string()),
        }
    }
    out.push_str(rest);
    Ok(out.replace("\\n", "\n").replace("\\t", "\t"))
}

#[cfg(test)]
mod tests;
