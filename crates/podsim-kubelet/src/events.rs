//! Events: what happened to an object, for `kubectl describe` and `get events`. The same thing happening again raises the count.

use crate::containers;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, Node, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use parking_lot::Mutex;
use podsim_store::{DeleteOptions, Store, time};
use std::collections::{HashMap, VecDeque};

/// How long events are kept, in seconds: an hour, as in Kubernetes.
const TTL: i64 = 3600;

/// Good or bad news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Something is wrong.
    Warning,
}

/// Writes events into the store.
pub struct EventRecorder {
    store: Store,
    component: &'static str,
    host: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The event's namespace and name by what it says.
    known: HashMap<Key, (String, String)>,
    /// When each was first written, oldest first.
    written: VecDeque<(Timestamp, Key)>,
    serial: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    uid: String,
    field: Option<String>,
    severity: Severity,
    reason: String,
    message: String,
}

/// The Pod, or one of its containers.
#[must_use]
pub fn pod_reference(pod: &Pod, container: Option<&str>) -> ObjectReference {
    let path = |name: &str| {
        let list = containers::find(pod, name).map_or("containers", |(role, _)| role.list());
        format!("spec.{list}{{{name}}}")
    };
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: pod.metadata.name.clone(),
        namespace: pod.metadata.namespace.clone(),
        uid: pod.metadata.uid.clone(),
        resource_version: pod.metadata.resource_version.clone(),
        field_path: container.map(path),
    }
}

/// The node; its events are in the namespace `default`, under its name as uid, as kubelets write them.
#[must_use]
pub fn node_reference(node: &Node) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Node".to_owned()),
        name: node.metadata.name.clone(),
        uid: node.metadata.name.clone(),
        ..ObjectReference::default()
    }
}

impl EventRecorder {
    /// A recorder that signs as this component (`kubelet`, `default-scheduler`) on this host (or none).
    #[must_use]
    pub fn new(store: Store, component: &'static str, host: &str) -> Self {
        Self {
            store,
            component,
            host: host.to_owned(),
            state: Mutex::default(),
        }
    }

    /// Writes an event. That it cannot be written (its namespace is gone) is nobody's trouble.
    pub fn event(&self, about: ObjectReference, severity: Severity, reason: &str, message: &str) {
        let now = time::timestamp(self.store.clock().as_ref());
        let key = Key {
            uid: about.uid.clone().unwrap_or_default(),
            field: about.field_path.clone(),
            severity,
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        let mut state = self.state.lock();
        self.expire(&mut state, now);
        if let Some((namespace, name)) = state.known.get(&key) {
            let again = self.store.api::<Event>().modify(namespace, name, |event| {
                event.count = Some(event.count.unwrap_or(1) + 1);
                event.last_timestamp = Some(time::now(self.store.clock().as_ref()));
            });
            if again.is_ok() {
                return;
            }
        }
        state.serial += 1;
        let name = about.name.clone().unwrap_or_default();
        let stamp = u64::try_from(now.as_nanosecond())
            .unwrap_or(0)
            .wrapping_add(state.serial);
        let name = format!("{name}.{stamp:016x}");
        let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let second = time::now(self.store.clock().as_ref());
        let host = Some(self.host.clone()).filter(|h| !h.is_empty());
        let event = Event {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: about,
            type_: Some(format!("{severity:?}")),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            count: Some(1),
            first_timestamp: Some(second.clone()),
            last_timestamp: Some(second),
            source: Some(EventSource {
                component: Some(self.component.to_owned()),
                host: host.clone(),
            }),
            reporting_component: Some(self.component.to_owned()),
            reporting_instance: host,
            ..Event::default()
        };
        if self.store.api::<Event>().create(&namespace, &event).is_ok() {
            state.known.insert(key.clone(), (namespace, name));
            state.written.push_back((now, key));
        }
    }

    fn expire(&self, state: &mut State, now: Timestamp) {
        while let Some((written, key)) = state.written.front().cloned() {
            if now.as_second() - written.as_second() < TTL {
                return;
            }
            state.written.pop_front();
            if let Some((namespace, name)) = state.known.remove(&key) {
                self.store
                    .api::<Event>()
                    .delete(&namespace, &name, &DeleteOptions::default())
                    .ok();
            }
        }
    }
}
