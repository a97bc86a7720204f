//! [`ProbeWorker`]: asks one container one question again and again (`pkg/kubelet/prober/worker.go`).
//!
//! Upstream's worker lives as long as the Pod and looks at its own ticks for whatever container there is; this one lives as
//! long as one run of the container, and counts from its start, which is what the documentation says of
//! `initialDelaySeconds` and `periodSeconds`.

use super::handler::{self, Answer, Subject};
use super::{ProbeKind, ProbeResult};
use crate::events::Severity;
use k8s_openapi::api::core::v1::Probe;
use podsim_cri::ContainerId;
use podsim_sys::sleep_until;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// A probe that cannot be asked is asked again so often before it is given up for this time (`maxProbeRetries`).
const MAX_RETRIES: usize = 3;

/// A result has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbeUpdate {
    pub(crate) id: ContainerId,
    pub(crate) kind: ProbeKind,
    pub(crate) result: ProbeResult,
}

pub(crate) struct ProbeWorker {
    pub(crate) subject: Subject,
    pub(crate) kind: ProbeKind,
    pub(crate) probe: Probe,
    /// When the container started, in monotonic time.
    pub(crate) started_at: Duration,
    /// Becomes true when the startup probe has succeeded; liveness and readiness wait for it.
    pub(crate) started: watch::Receiver<bool>,
    pub(crate) updates: mpsc::UnboundedSender<ProbeUpdate>,
}

impl ProbeWorker {
    /// Asks until there is no need any more. `tell` records an event.
    pub(crate) async fn run(mut self, tell: impl Fn(Severity, &str, &str)) {
        let seconds = |n: Option<i32>, default: i32| u64::try_from(n.unwrap_or(default)).unwrap_or(0);
        let count = |n: Option<i32>, default: i32| n.unwrap_or(default).max(1);
        let period = Duration::from_secs(seconds(self.probe.period_seconds, 10).max(1));
        let success = count(self.probe.success_threshold, 1);
        let failure = count(self.probe.failure_threshold, 3);
        let clock = self.subject.clock.clone();
        if self.kind != ProbeKind::Startup && self.started.wait_for(|started| *started).await.is_err() {
            return;
        }
        let mut next = self.started_at + Duration::from_secs(seconds(self.probe.initial_delay_seconds, 0));
        next = next.max(clock.monotonic());
        let mut told = self.initial();
        let mut run = (None, 0);
        loop {
            sleep_until(&clock, next).await;
            if let Some(result) = self.ask(&tell).await {
                run = if run.0 == Some(result) {
                    (run.0, run.1 + 1)
                } else {
                    (Some(result), 1)
                };
                let threshold = if result == ProbeResult::Success {
                    success
                } else {
                    failure
                };
                if run.1 >= threshold && told != Some(result) {
                    told = Some(result);
                    let (id, kind) = (self.subject.id.clone(), self.kind);
                    self.updates.send(ProbeUpdate { id, kind, result }).ok();
                }
                let over = match self.kind {
                    ProbeKind::Readiness => false,
                    // The container will be killed: no more questions.
                    ProbeKind::Liveness => told == Some(ProbeResult::Failure),
                    ProbeKind::Startup => told.is_some(),
                };
                if over {
                    return;
                }
            }
            // A tick that was missed comes at once, and only once.
            next = (next + period).max(clock.monotonic());
        }
    }

    /// What the probe is taken to say before it was asked.
    fn initial(&self) -> Option<ProbeResult> {
        match self.kind {
            ProbeKind::Liveness => Some(ProbeResult::Success),
            ProbeKind::Readiness => Some(ProbeResult::Failure),
            ProbeKind::Startup => None,
        }
    }

    /// Asks once. `None`: it could not be asked, which counts as nothing.
    async fn ask(&self, tell: &impl Fn(Severity, &str, &str)) -> Option<ProbeResult> {
        let name = self.kind.name();
        let mut answer = handler::ask(&self.subject, &self.probe).await;
        for _ in 1..MAX_RETRIES {
            if !matches!(answer, Answer::Error(_)) {
                break;
            }
            answer = handler::ask(&self.subject, &self.probe).await;
        }
        match answer {
            Answer::Success => Some(ProbeResult::Success),
            Answer::Warning(text) => {
                tell(
                    Severity::Warning,
                    "ProbeWarning",
                    &format!("{name} probe warning: {text}"),
                );
                Some(ProbeResult::Success)
            }
            Answer::Failure(text) => {
                tell(Severity::Warning, "Unhealthy", &format!("{name} probe failed: {text}"));
                Some(ProbeResult::Failure)
            }
            Answer::Error(text) => {
                let message = format!("{name} probe errored and resulted in unknown state: {text}");
                tell(Severity::Warning, "Unhealthy", &message);
                None
            }
        }
    }
}
