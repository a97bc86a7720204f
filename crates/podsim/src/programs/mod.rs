//! The verbs as programs of the node: `kubectl` (also `k`), `docker` and `crictl` in the node shell.
//!
//! They are native programs of the kernel: a process with descriptors, a terminal and signals like any other, whose code is here.

mod crictl;
mod docker;
mod kubectl;

use crate::cluster::Endpoint;
use crate::context::{Context, GlobalArgs, Target};
use crate::terminal::{TaskTerminal, Terminal};
use anyhow::Result;
use clap::Parser;
use podsim_kernel::Task;
use podsim_sys::{Syscalls, WaitStatus};
use std::sync::Arc;

/// Runs a program to its end, with the exit of its process. The node's API is at the endpoint.
pub(crate) async fn run(name: &str, task: Task, endpoint: Endpoint) {
    let terminal = Arc::new(TaskTerminal::new(task.clone()));
    let end = tokio::select! {
        code = start(name, task.argv(), terminal.clone(), endpoint) => Some(code),
        // Killed: the exit status is already set.
        () = terminal.signals() => None,
    };
    if let Some(code) = end {
        task.exit(WaitStatus::Exited(u8::try_from(code).unwrap_or(255)));
    }
}

/// The same as a process of the Linux backend, in the node's shell: the environment says where the node's API is.
#[cfg(target_os = "linux")]
pub(crate) fn on_linux(name: &str, argv: Vec<String>, environ: Vec<String>) -> i32 {
    use crate::cluster::ENDPOINT_VARIABLE;
    use crate::terminal::HostTerminal;
    let endpoint = environ
        .iter()
        .find_map(|entry| entry.strip_prefix(ENDPOINT_VARIABLE)?.strip_prefix('='))
        .and_then(|json| serde_json::from_str(json).ok());
    let Some(endpoint) = endpoint else {
        eprintln!("{name}: {ENDPOINT_VARIABLE} does not say where the node's API is");
        return 1;
    };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(start(name, argv, Arc::new(HostTerminal::default()), endpoint));
            // A read of stdin that waits, on a thread of its own, would be waited for.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("{name}: cannot start: {error}");
            1
        }
    }
}

async fn start(name: &str, argv: Vec<String>, terminal: Arc<dyn Terminal>, endpoint: Endpoint) -> i32 {
    let context = |global: &GlobalArgs| Context::new(terminal.clone(), Target::Known(endpoint.clone()), global);
    let result: Result<Result<i32>, clap::Error> = match name {
        "kubectl" | "k" => match kubectl::Kubectl::try_parse_from(argv) {
            Ok(line) => Ok(kubectl::run(&context(&line.global), &line).await),
            Err(error) => Err(error),
        },
        "docker" => match docker::Docker::try_parse_from(argv) {
            Ok(line) => Ok(docker::run(&context(&GlobalArgs::default()), &line).await),
            Err(error) => Err(error),
        },
        "crictl" => match crictl::Crictl::try_parse_from(argv) {
            Ok(line) => Ok(crictl::run(&context(&GlobalArgs::default()), &line).await),
            Err(error) => Err(error),
        },
        _ => Ok(Err(crate::errors::Failure::new(format!(
            "{name}: not a program of this node"
        ))
        .into())),
    };
    match result {
        Ok(result) => crate::finish(result, terminal.as_ref()).await,
        // kubectl and its like say 1 where clap says 2.
        Err(error) => crate::cli::complain(&error, terminal.as_ref()).await.min(1),
    }
}
