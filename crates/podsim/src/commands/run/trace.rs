//! [`Trace`]: what happens in a run under virtual time, a JSON object a line, in the order in which it happens.
//!
//! Every line has `time`, the seconds since the node's boot, and `type`:
//!
//! * `object`: an object of the API was `ADDED`, `MODIFIED` or `DELETED` (`change`); `object` is how it is then. Nodes and leases are left
//!   out: they change with every heartbeat.
//! * `event`: an Event of Kubernetes was recorded, or has happened again (`count`).
//! * `container`: a container, or with `container` null the sandbox, was `Created`, `Started`, `Stopped` or `Deleted`.
//! * `process`: a process was `started` (also by exec), or has `ended` with an exit code (`code`). Its
//!   numbers are those that it sees itself; the parent of what a container or an exec starts is 0.

use podsim_cri::ContainerEvent;
use podsim_kernel::Task;
use podsim_store::{Kind, WatchEvent};
use podsim_sys::{Clock, Syscalls};
use podsim_virtual::ProcessEvent;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, LineWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Kinds whose changes say nothing but that time goes on.
const HEARTBEATS: [&str; 2] = ["Node", "Lease"];

/// A trace that is being written.
pub(super) struct Trace {
    clock: Arc<dyn Clock>,
    file: Mutex<(LineWriter<File>, io::Result<()>)>,
}

impl Trace {
    /// Begins a file.
    pub(super) fn create(path: &Path, clock: Arc<dyn Clock>) -> io::Result<Arc<Self>> {
        let file = LineWriter::new(File::create(path)?);
        Ok(Arc::new(Self {
            clock,
            file: Mutex::new((file, Ok(()))),
        }))
    }

    fn write(&self, type_: &str, fields: Value) {
        let line = line(self.clock.monotonic(), type_, fields);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // After the first error nothing is written any more, and `finish` tells of it.
        if file.1.is_ok() {
            file.1 = file.0.write_all(line.as_bytes());
        }
    }

    /// A change in the store.
    pub(super) fn object(&self, kind: &Kind, event: &WatchEvent) {
        let object = &*event.object;
        if kind.kind == "Event" {
            let about = |field: &str| object["involvedObject"][field].clone();
            let fields = json!({
                "kind": about("kind"), "namespace": about("namespace"), "name": about("name"), "fieldPath": about("fieldPath"),
                "severity": object["type"], "reason": object["reason"], "message": object["message"], "count": object["count"],
            });
            self.write("event", fields);
        } else if !HEARTBEATS.contains(&kind.kind) {
            let fields = json!({ "change": event.kind.name(), "kind": kind.kind, "object": object });
            self.write("object", fields);
        }
    }

    /// Something happened to a container.
    pub(super) fn container(&self, event: &ContainerEvent) {
        let id = event.container.as_ref().map(ToString::to_string);
        let fields = json!({
            "change": format!("{:?}", event.kind), "podUid": event.pod_uid, "sandbox": event.sandbox.to_string(), "container": id,
        });
        self.write("container", fields);
    }

    /// Something happened to a process.
    pub(super) fn process(&self, task: &Task, event: ProcessEvent) {
        let (change, code) = match event {
            ProcessEvent::Started => ("started", None),
            ProcessEvent::Ended(status) => ("ended", Some(status.exit_code())),
        };
        let (pid, ppid) = (task.getpid().to_string(), task.getppid().to_string());
        let fields = json!({ "change": change, "pid": pid, "ppid": ppid, "argv": task.argv(), "code": code });
        self.write("process", fields);
    }

    /// The first error that there was.
    pub(super) fn finish(&self) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut file.1, Ok(()))?;
        file.0.flush()
    }
}

/// The time is to the microsecond, and always written so.
fn line(time: Duration, type_: &str, fields: Value) -> String {
    let rest = fields.to_string();
    let rest = rest.strip_prefix('{').unwrap_or_default();
    format!(
        "{{\"time\":{}.{:06},\"type\":\"{type_}\",{rest}\n",
        time.as_secs(),
        time.subsec_micros()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_with_its_time_first() {
        let line = line(Duration::from_millis(10_050), "process", json!({ "change": "started" }));
        assert_eq!(
            line,
            "{\"time\":10.050000,\"type\":\"process\",\"change\":\"started\"}\n"
        );
    }
}
