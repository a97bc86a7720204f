//! `metrics.k8s.io`: what containers use, for `kubectl top`; and `/metrics` for Prometheus.

use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use podsim_cri::{ContainerFilter, ContainerState};
use podsim_store::{Selectors, kinds};
use serde_json::{Value, json};

/// What one container uses.
struct Usage {
    container: String,
    pod: (String, String),
    node: String,
    /// Billionths of a CPU, on average over the container's life.
    cpu: u64,
    memory: u64,
    seconds: u64,
}

async fn usage(app: &App) -> Result<Vec<Usage>> {
    let pods = app.store.list(&kinds::POD, None, &Selectors::default()).items;
    let mut all = Vec::new();
    for pod in &pods {
        let filter = ContainerFilter {
            pod_uid: Some(crate::pods::uid(pod)),
            ..ContainerFilter::default()
        };
        let runtime = app.runtime_of(pod);
        for container in runtime.list_containers(&filter).await? {
            let (ContainerState::Running, Some(started)) = (container.state, container.started_at) else {
                continue;
            };
            if !crate::pods::is_of(&container.labels, pod) {
                continue;
            }
            // It may end while it is looked at.
            let Ok(stats) = runtime.container_stats(&container.id).await else {
                continue;
            };
            let life = app.now().duration_since(started).as_nanos();
            let life = u64::try_from(life).unwrap_or(0).max(1_000_000);
            let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
            all.push(Usage {
                container: container.metadata.name,
                pod: (text("namespace"), text("name")),
                node: pod["spec"]["nodeName"].as_str().unwrap_or_default().to_owned(),
                cpu: (u128::from(stats.cpu_usage_nanos) * 1_000_000_000 / u128::from(life))
                    .try_into()
                    .unwrap_or(u64::MAX),
                memory: stats.memory_working_set,
                seconds: life / 1_000_000_000,
            });
        }
    }
    Ok(all)
}

fn quantities(cpu: u64, memory: u64) -> Value {
    json!({"cpu": format!("{cpu}n"), "memory": format!("{}Ki", memory / 1024)})
}

/// GET below `/apis/metrics.k8s.io/v1beta1/`.
pub(crate) async fn metrics(app: &App, segments: &[&str], label_selector: &str) -> Result<Response> {
    let all = usage(app).await?;
    let answer = match segments {
        ["nodes"] => list("NodeMetricsList", nodes(app, &all)),
        ["nodes", name] => one(nodes(app, &all), name)?,
        ["pods"] => list("PodMetricsList", pods(app, &all, None, label_selector)?),
        ["namespaces", namespace, "pods"] => list("PodMetricsList", pods(app, &all, Some(namespace), label_selector)?),
        ["namespaces", namespace, "pods", name] => one(pods(app, &all, Some(namespace), "")?, name)?,
        _ => return Err(ApiError::no_such_path()),
    };
    Ok(json_response(StatusCode::OK, answer.to_string()))
}

fn list(kind: &str, items: Vec<Value>) -> Value {
    json!({"kind": kind, "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": items})
}

fn one(items: Vec<Value>, name: &str) -> Result<Value> {
    let found = items.into_iter().find(|item| item["metadata"]["name"] == name);
    found.ok_or_else(|| {
        ApiError::from(podsim_store::StoreError::NotFound {
            resource: "podmetrics.metrics.k8s.io".into(),
            name: name.to_owned(),
        })
    })
}

fn nodes(app: &App, all: &[Usage]) -> Vec<Value> {
    let nodes = app.store.list(&kinds::NODE, None, &Selectors::default()).items;
    let node = |node: &Value| {
        let own = all.iter().filter(|usage| node["metadata"]["name"] == usage.node);
        let (cpu, memory) = own.fold((0, 0), |(cpu, memory), usage| (cpu + usage.cpu, memory + usage.memory));
        json!({
            "kind": "NodeMetrics", "apiVersion": "metrics.k8s.io/v1beta1",
            "metadata": {"name": node["metadata"]["name"], "labels": node["metadata"]["labels"]},
            "timestamp": app.now(), "window": "1m0s", "usage": quantities(cpu, memory),
        })
    };
    nodes.iter().map(|object| node(object)).collect()
}

fn pods(app: &App, all: &[Usage], namespace: Option<&str>, label_selector: &str) -> Result<Vec<Value>> {
    let selectors = Selectors::parse(&kinds::POD, label_selector, "")?;
    let mut items = Vec::new();
    for pod in app.store.list(&kinds::POD, namespace, &selectors).items {
        let metadata = &pod["metadata"];
        let own = all
            .iter()
            .filter(|u| metadata["namespace"] == u.pod.0 && metadata["name"] == u.pod.1);
        let window = own.clone().map(|usage| usage.seconds).max();
        let containers: Vec<Value> = own
            .map(|usage| json!({"name": usage.container, "usage": quantities(usage.cpu, usage.memory)}))
            .collect();
        if let Some(window) = window {
            items.push(json!({
                "kind": "PodMetrics", "apiVersion": "metrics.k8s.io/v1beta1",
                "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "labels": metadata["labels"]},
                "timestamp": app.now(), "window": format!("{window}s"), "containers": containers,
            }));
        }
    }
    Ok(items)
}

/// `/metrics`: how many objects there are of each kind, under the name that kube-apiserver gives it.
pub(crate) fn prometheus(app: &App) -> Response {
    let mut text = String::from(
        "# HELP apiserver_storage_objects Number of stored objects, split by kind.\n# TYPE apiserver_storage_objects gauge\n",
    );
    for kind in app.store.kinds() {
        let count = app.store.list(kind, None, &Selectors::default()).items.len();
        text.push_str(&format!(
            "apiserver_storage_objects{{resource=\"{}\"}} {count}\n",
            kind.resource()
        ));
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
