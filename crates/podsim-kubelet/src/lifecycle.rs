//! Lifecycle hooks, and the graceful end of a container (`pkg/kubelet/lifecycle/handlers.go`, `killContainer`).

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, LifecycleHandler};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use podsim_cri::{ContainerId, Error, RuntimeService, SandboxId};
use podsim_sys::{Clock, sleep_until};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

/// However long preStop took, SIGKILL comes no sooner than this after the stop signal (`minimumGracePeriodInSeconds`).
pub(crate) const MINIMUM_GRACE: Duration = Duration::from_secs(2);

/// A container of the runtime that hooks are run for.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) runtime: Arc<dyn RuntimeService>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sandbox: SandboxId,
    pub(crate) id: ContainerId,
    pub(crate) container: Container,
}

/// Runs a hook to its end. `Err` says why it failed.
pub(crate) async fn run_hook(
    target: &Target,
    hook: &LifecycleHandler,
    timeout: Option<Duration>,
) -> Result<(), String> {
    if let Some(exec) = &hook.exec {
        let command = exec.command.as_deref().unwrap_or_default();
        let result = target.runtime.exec_sync(&target.id, command, timeout).await;
        return match result {
            Ok(output) if output.exit_code == 0 => Ok(()),
            Ok(output) => {
                let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
                let text = String::from_utf8_lossy(&text).trim_end().to_owned();
                Err(format!(
                    "command '{}' exited with {}: {text}",
                    command.join(" "),
                    output.exit_code
                ))
            }
            Err(error) => Err(error.to_string()),
        };
    }
    if let Some(sleep) = &hook.sleep {
        let time = Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0));
        sleep_until(&target.clock, target.clock.monotonic() + time).await;
        return Ok(());
    }
    if let Some(http) = &hook.http_get {
        return http_get(target, http).await;
    }
    Err("this kind of handler is not supported by podsim: exec, httpGet and sleep are".to_owned())
}

/// As upstream, any answer will do. It goes to the Pod's loopback, where upstream goes to the Pod's address.
async fn http_get(target: &Target, http: &HTTPGetAction) -> Result<(), String> {
    if http.host.as_deref().is_some_and(|h| !h.is_empty()) {
        return Err("httpGet.host is not supported by podsim: the request goes to the Pod itself".to_owned());
    }
    if http.scheme.as_deref() == Some("HTTPS") {
        return Err("httpGet.scheme HTTPS is not supported by podsim".to_owned());
    }
    let port = match &http.port {
        IntOrString::Int(port) => u16::try_from(*port).ok(),
        IntOrString::String(name) => {
            let named = target
                .container
                .ports
                .iter()
                .flatten()
                .find(|p| p.name.as_ref() == Some(name));
            named
                .and_then(|p| u16::try_from(p.container_port).ok())
                .or_else(|| name.parse().ok())
        }
    };
    let port = port.ok_or_else(|| "httpGet.port names no port of the container".to_owned())?;
    let path = http.path.as_deref().unwrap_or("/");
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: kube-lifecycle/1.34\r\nConnection: close\r\n"
    );
    for header in http.http_headers.iter().flatten() {
        request.push_str(&format!("{}: {}\r\n", header.name, header.value));
    }
    request.push_str("\r\n");
    let mut stream = target
        .runtime
        .port_forward(&target.sandbox, port)
        .await
        .map_err(|e| e.to_string())?;
    let talk = async {
        stream.write_all(request.as_bytes()).await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    match talk.await {
        Ok(answer) if &answer == b"HTTP/" => Ok(()),
        Ok(_) => Err(format!(
            "Get \"http://localhost:{port}{path}\": malformed HTTP response"
        )),
        Err(error) => Err(format!("Get \"http://localhost:{port}{path}\": {error}")),
    }
}

/// Ends a container: preStop inside the grace period, then the stop signal, then SIGKILL. `deadline` (monotonic) may be
/// moved forward while it goes on. `hook_failed` is told what went wrong with preStop.
pub(crate) async fn kill_container(
    target: Target,
    mut deadline: watch::Receiver<Duration>,
    hook_failed: impl Fn(&str),
) -> Result<(), Error> {
    let left = |deadline: &watch::Receiver<Duration>| deadline.borrow().saturating_sub(target.clock.monotonic());
    let hook = target.container.lifecycle.as_ref().and_then(|l| l.pre_stop.as_ref());
    if let Some(hook) = hook.filter(|_| !left(&deadline).is_zero()) {
        let grace = left(&deadline);
        let run = run_hook(&target, hook, Some(grace));
        tokio::select! {
            result = run => {
                if let Err(message) = result {
                    hook_failed(&message);
                }
            }
            // Upstream waits no longer than the grace period and goes on.
            () = reached(&target.clock, &mut deadline) => hook_failed("the grace period is over"),
        }
    }
    deadline.borrow_and_update();
    let stop = |deadline: &watch::Receiver<Duration>| {
        target
            .runtime
            .stop_container(&target.id, left(deadline).max(MINIMUM_GRACE))
    };
    let mut stopping = stop(&deadline);
    loop {
        tokio::select! {
            result = &mut stopping => return result,
            changed = deadline.changed() => match changed {
                Ok(()) => stopping = stop(&deadline),
                Err(_) => return stopping.await,
            },
        }
    }
}

/// Ends when the clock reaches the deadline, which may change.
async fn reached(clock: &Arc<dyn Clock>, deadline: &mut watch::Receiver<Duration>) {
    loop {
        let at = *deadline.borrow_and_update();
        tokio::select! {
            () = sleep_until(clock, at) => return,
            changed = deadline.changed() => {
                if changed.is_err() {
                    return sleep_until(clock, at).await;
                }
            }
        }
    }
}
