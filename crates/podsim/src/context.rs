//! [`Context`]: what every command has: where it prints, and the node it talks to.

use crate::client::Client;
use crate::cluster::{Endpoint, Registry};
use crate::printer::Printer;
use crate::terminal::Terminal;
use anyhow::Result;
use clap::Args;
use std::sync::Arc;

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct GlobalArgs {
    /// The Kubernetes namespace of the Pods that are meant
    #[arg(
        short,
        long,
        global = true,
        value_name = "NAMESPACE",
        default_value = "default",
        hide_default_value = true
    )]
    pub(crate) namespace: String,
}

/// Where the node is.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// To be looked up among the nodes that run, by name if one is given.
    Running(Option<String>),
    /// Known: a program of the node itself, or the process that runs the node.
    Known(Endpoint),
}

/// What a command runs in.
#[derive(Clone)]
pub(crate) struct Context {
    /// Input, terminal, files.
    pub(crate) terminal: Arc<dyn Terminal>,
    /// Output.
    pub(crate) printer: Printer,
    /// `-n`.
    pub(crate) namespace: String,
    /// Where the node is.
    pub(crate) target: Target,
}

impl Context {
    /// In this terminal, for this node.
    pub(crate) fn new(terminal: Arc<dyn Terminal>, target: Target, global: &GlobalArgs) -> Self {
        let printer = Printer::new(terminal.clone());
        Self {
            terminal,
            printer,
            namespace: global.namespace.clone(),
            target,
        }
    }

    /// A client of the node.
    pub(crate) fn client(&self) -> Result<Client> {
        match &self.target {
            Target::Known(endpoint) => Client::new(endpoint.clone()),
            Target::Running(name) => Client::new(Registry::open()?.find(name.as_deref())?),
        }
    }
}
