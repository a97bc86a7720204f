//! podsim: Kubernetes Pods on any machine.
//!
//! * [`cli`]: the command line; `commands/`: one file a verb.
//! * [`programs`]: the same verbs as `kubectl`, `docker` and `crictl` inside the node.
//! * [`node`]: the composition root: a whole node in this process; [`local`] registers it so that other terminals find it.
//! * [`notes`]: `podsim test`.
//! * [`data`]: where the user's images are.
//! * [`cluster`], [`client`]: how a verb finds a running node and talks to it.
//! * [`terminal`], [`printer`], [`output`]: where a verb reads and writes, and how things look.

mod cli;
mod client;
mod cluster;
mod commands;
mod context;
mod data;
mod errors;
mod local;
mod manifests;
mod node;
mod node_view;
mod notes;
mod output;
mod pods;
mod printer;
mod programs;
mod remote;
mod selection;
mod terminal;

use crate::cli::Cli;
use crate::node::VirtualClock;
use crate::terminal::{HostTerminal, Stream, Terminal};
use clap::Parser;
use std::sync::Arc;
use tokio::runtime::Builder;

/// The program: reads the command line, does what it says, and ends the process.
pub fn main() -> ! {
    // A process of a Pod of the Linux backend is this program, too.
    #[cfg(target_os = "linux")]
    podsim_linux::enter(programs::on_linux);
    let command_line = Cli::try_parse();
    // Before there are threads.
    if let Ok(command_line) = &command_line {
        match command_line.prepare() {
            Ok(notes) => notes.iter().for_each(|note| eprintln!("note: {note}")),
            Err(error) => {
                eprintln!("{}", errors::report(&error).0);
                std::process::exit(1);
            }
        }
    }
    log();
    // A client has one connection and one terminal: more threads would only cost start-up.
    let node = command_line.as_ref().is_ok_and(Cli::runs_a_node);
    let clock = command_line
        .as_ref()
        .is_ok_and(Cli::is_virtual_time)
        .then(Arc::<VirtualClock>::default);
    let mut builder = if node && clock.is_none() {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    if let Some(clock) = clock.clone() {
        builder.on_thread_park(move || clock.jump());
    }
    let code = match builder.enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(run(command_line, clock));
            // A read of stdin that waits, on a thread of its own, would be waited for.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            1
        }
    };
    std::process::exit(code);
}

/// What the node has to say that is nobody's answer goes to stderr: errors, or what `PODSIM_LOG` (`warn`, `info`, `debug`, `trace`) lets
/// through.
fn log() {
    let wanted = std::env::var("PODSIM_LOG").unwrap_or_default();
    let level = match wanted.as_str() {
        "" => tracing::Level::ERROR,
        wanted => wanted.parse().unwrap_or_else(|_| {
            eprintln!("error: PODSIM_LOG: {wanted:?} is none of error, warn, info, debug and trace");
            std::process::exit(1);
        }),
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .with_ansi(false)
        .init();
}

async fn run(command_line: Result<Cli, clap::Error>, clock: Option<Arc<VirtualClock>>) -> i32 {
    let terminal: Arc<dyn Terminal> = match clock {
        // Time would jump while another thread writes.
        Some(_) => Arc::new(HostTerminal::blocking()),
        None => Arc::new(HostTerminal::default()),
    };
    let result = match command_line {
        Ok(command_line) => command_line.run(terminal.clone(), clock).await,
        Err(error) => return cli::complain(&error, terminal.as_ref()).await,
    };
    finish(result, terminal.as_ref()).await
}

/// Says what went wrong and gives the exit code.
async fn finish(result: anyhow::Result<i32>, terminal: &dyn Terminal) -> i32 {
    match result {
        Ok(code) => code,
        Err(error) => {
            let (message, code) = errors::report(&error);
            if !message.is_empty() {
                // Where stderr is gone the exit code has to do.
                let _ = terminal.write(Stream::Stderr, format!("{message}\n").as_bytes()).await;
            }
            code
        }
    }
}
