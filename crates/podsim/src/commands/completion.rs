//! `podsim completion`.

use crate::context::Context;
use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print the script that teaches your shell to complete podsim's commands
///
/// For bash: `podsim completion bash > ~/.local/share/bash-completion/completions/podsim`.
#[derive(Args, Debug)]
pub(crate) struct CompletionArgs {
    /// Your shell
    shell: Shell,
}

pub(crate) async fn run(context: &Context, args: &CompletionArgs) -> Result<i32> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::Cli::command(), "podsim", &mut script);
    context.printer.data(script).await?;
    Ok(0)
}
