//! Whether the Pod may run on this node: asked once, and told for good.

use super::PodWorker;
use crate::admission::Rejection;
use crate::events::Severity;
use crate::resize;
use crate::runtime_status::PodRuntimeStatus;
use crate::volumes;
use k8s_openapi::api::core::v1::{Node, Pod, PodStatus};
use podsim_store::time;
use std::sync::Arc;

impl PodWorker {
    /// May the Pod run here? Asked once; a Pod that has ended asks for nothing, and one that runs is not sent away.
    pub(super) fn admit(&mut self, pod: &Arc<Pod>, runtime: &PodRuntimeStatus) -> Result<(), Rejection> {
        if let Some(rejection) = &self.rejected {
            return Err(rejection.clone());
        }
        if self.is_finished() {
            self.node.admitted.release(&self.uid);
            return Ok(());
        }
        if self.admitted {
            return Ok(());
        }
        let pod = &resize::as_told(pod);
        let unsupported = volumes::unsupported(pod).map(|message| Rejection {
            reason: "Unsupported".to_owned(),
            message,
        });
        let result = match unsupported {
            Some(rejection) => Err(rejection),
            None if !runtime.sandboxes.is_empty() => {
                self.node.admitted.insert(&self.uid, pod);
                Ok(())
            }
            None => match self.node.store.api::<Node>().get("", &self.node.config.node_name) {
                Ok(object) => self.node.admitted.admit(&self.uid, pod, &object, &self.node.store),
                // Nobody can say what the node has.
                Err(_) => Ok(()),
            },
        };
        self.admitted = result.is_ok();
        self.rejected = result.clone().err();
        result
    }

    /// Says for good that this Pod will not run here (`rejectPod`).
    pub(super) fn reject(&mut self, pod: &Pod, rejection: &Rejection) {
        let written = self.written.as_ref();
        if written.is_some_and(|s| s.reason.as_ref() == Some(&rejection.reason)) {
            return;
        }
        self.tell(pod, None, Severity::Warning, &rejection.reason, &rejection.message);
        let status = PodStatus {
            phase: Some("Failed".to_owned()),
            reason: Some(rejection.reason.clone()),
            message: Some(format!("Pod was rejected: {}", rejection.message)),
            start_time: Some(time::now(self.node.clock.as_ref())),
            qos_class: Some(podsim_store::pod::qos_class(pod).to_owned()),
            observed_generation: pod.metadata.generation,
            ..PodStatus::default()
        };
        self.write(pod, status);
    }
}
