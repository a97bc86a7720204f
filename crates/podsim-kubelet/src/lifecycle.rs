//! Lifecycle hooks, and the graceful end of a container (`pkg/kubelet/lifecycle/handlers.go`, `killContainer`).

use crate::events::Severity;
use crate::prober::handler::Subject;
use crate::prober::http::{self, Url};
use k8s_openapi::api::core::v1::{HTTPGetAction, LifecycleHandler};
use podsim_cri::Error;
use podsim_sys::{Clock, sleep_until};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// However long preStop took, SIGKILL comes no sooner than this after the stop signal (`minimumGracePeriodInSeconds`).
pub(crate) const MINIMUM_GRACE: Duration = Duration::from_secs(2);

/// Runs a hook to its end. `Err` says why it failed. `pod` is how the message names the Pod, `tell` records an event.
pub(crate) async fn run_hook(
    subject: &Subject,
    pod: &str,
    hook: &LifecycleHandler,
    tell: &(dyn Fn(Severity, &str, &str) + Send + Sync),
) -> Result<(), String> {
    let container = &subject.container.name;
    if let Some(exec) = &hook.exec {
        let command = exec.command.as_deref().unwrap_or_default();
        let (error, output) = match subject.dialer.runtime.exec_sync(&subject.id, command, None).await {
            Ok(output) if output.exit_code == 0 => return Ok(()),
            Ok(output) => {
                let stderr = String::from_utf8_lossy(&output.stderr);
                let error = format!(
                    "command '{}' exited with {}: {stderr}",
                    command.join(" "),
                    output.exit_code
                );
                let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
                (error, String::from_utf8_lossy(&text).into_owned())
            }
            Err(error) => (error.to_string(), String::new()),
        };
        return Err(format!(
            "Exec lifecycle hook ([{}]) for Container \"{container}\" in Pod \"{pod}\" failed - error: {error}, message: {output:?}",
            command.join(" ")
        ));
    }
    if let Some(sleep) = &hook.sleep {
        let time = Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0));
        sleep_until(&subject.clock, subject.clock.monotonic() + time).await;
        return Ok(());
    }
    if let Some(action) = &hook.http_get {
        let path = action.path.as_deref().unwrap_or_default();
        return http_hook(subject, action, tell).await.map_err(|error| {
            format!(
                "HTTP lifecycle hook ({path}) for Container \"{container}\" in Pod \"{pod}\" failed - error: {error}"
            )
        });
    }
    // tcpSocket is in the type for old manifests only.
    Err("invalid handler: exec, httpGet and sleep are those that there are".to_owned())
}

/// Any answer will do. A server that does not speak the TLS that was asked for is asked in the clear.
async fn http_hook(
    subject: &Subject,
    action: &HTTPGetAction,
    tell: &(dyn Fn(Severity, &str, &str) + Send + Sync),
) -> Result<(), String> {
    let url = Url::of(action, &subject.container, &subject.dialer)?;
    let headers = action.http_headers.as_deref().unwrap_or_default();
    match http::get(&subject.dialer, &url, headers, "lifecycle").await {
        Err(error) if http::is_http_to_https(&error) => {
            // Who listens in must not hear a password.
            let headers: Vec<_> = headers
                .iter()
                .filter(|h| !h.name.eq_ignore_ascii_case("Authorization"))
                .cloned()
                .collect();
            let plain = url.without_tls();
            if http::get(&subject.dialer, &plain, &headers, "lifecycle").await.is_err() {
                return Err(error);
            }
            let message = format!(
                "request to HTTPS lifecycle hook {} got HTTP response, retry with HTTP succeeded",
                url.authority()
            );
            tell(Severity::Warning, "LifecycleHTTPFallback", &message);
            Ok(())
        }
        result => result.map(drop),
    }
}

/// How a container is to be killed.
pub(crate) struct KillPlan {
    /// How the Pod is named in messages.
    pub(crate) pod: String,
    /// When the grace is over, in monotonic time; may be moved forward while it goes on.
    pub(crate) deadline: watch::Receiver<Duration>,
    /// Containers that have to end first: each of these is closed when one has.
    pub(crate) after: Vec<watch::Receiver<()>>,
}

/// Ends a container: preStop inside the grace period, then its turn, then the stop signal, then SIGKILL. `tell` records an
/// event.
pub(crate) async fn kill_container(
    subject: Subject,
    plan: KillPlan,
    tell: &(dyn Fn(Severity, &str, &str) + Send + Sync),
) -> Result<(), Error> {
    let KillPlan {
        pod,
        mut deadline,
        after,
    } = plan;
    let clock = &subject.clock;
    let left = |deadline: &watch::Receiver<Duration>| deadline.borrow().saturating_sub(clock.monotonic());
    let hook = subject.container.lifecycle.as_ref().and_then(|l| l.pre_stop.clone());
    let has_grace = !left(&deadline).is_zero();
    let mut hook = std::pin::pin!(async {
        match hook.filter(|_| has_grace) {
            Some(hook) => run_hook(&subject, &pod, &hook, tell).await,
            None => Ok(()),
        }
    });
    let hook_ended = |result: Result<(), String>| {
        if let Err(message) = result {
            tracing::info!("preStop failed: {message}");
            // The message stays out of the event: it could hold secrets.
            tell(Severity::Warning, "FailedPreStopHook", "PreStopHook failed");
        }
    };
    let mut hook_runs = true;
    tokio::select! {
        biased;
        result = &mut hook => {
            hook_runs = false;
            hook_ended(result);
        }
        // Upstream waits no longer than the grace period and goes on; the hook is not ended by that.
        () = reached(clock, &mut deadline) => {}
    }
    let mut turn = std::pin::pin!(async {
        for mut other in after {
            // An error is the end of the other's killing.
            while other.changed().await.is_ok() {}
        }
    });
    tokio::select! {
        biased;
        () = &mut turn => {}
        () = reached(clock, &mut deadline) => {}
    }
    deadline.borrow_and_update();
    let stop = |deadline: &watch::Receiver<Duration>| {
        let runtime = &subject.dialer.runtime;
        runtime.stop_container(&subject.id, left(deadline).max(MINIMUM_GRACE))
    };
    let mut stopping = stop(&deadline);
    let mut may_change = true;
    let stopped = loop {
        tokio::select! {
            biased;
            result = &mut stopping => break result,
            result = &mut hook, if hook_runs => {
                hook_runs = false;
                hook_ended(result);
            }
            changed = deadline.changed(), if may_change => match changed {
                Ok(()) => stopping = stop(&deadline),
                Err(_) => may_change = false,
            },
        }
    };
    if hook_runs
        && subject
            .container
            .lifecycle
            .iter()
            .any(|l| l.pre_stop.iter().any(|h| h.exec.is_some()))
    {
        // A command dies with its container.
        hook_ended(Err("the container has ended".to_owned()));
    }
    stopped
}

/// Ends when the clock reaches the deadline, which may change.
async fn reached(clock: &Arc<dyn Clock>, deadline: &mut watch::Receiver<Duration>) {
    loop {
        let at = *deadline.borrow_and_update();
        tokio::select! {
            biased;
            () = sleep_until(clock, at) => return,
            changed = deadline.changed() => {
                if changed.is_err() {
                    return sleep_until(clock, at).await;
                }
            }
        }
    }
}
