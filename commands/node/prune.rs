//! `podsim node prune`.

use crate::context::Context;
use anyhow::Result;

#[cfg(not(target_os = "linux"))]
pub(super) async fn run(context: &Context) -> Result<i32> {
    let talk = "nothing to remove: only --backend=linux makes anything outside of podsim's own process";
    context.printer.talk(talk).await?;
    Ok(0)
}

/// A line for each node; what stays is told on stderr, and by the exit code.
#[cfg(target_os = "linux")]
pub(super) async fn run(context: &Context) -> Result<i32> {
    use crate::cluster::Registry;
    use crate::{errors::Failure, leftovers};
    // That forgets those that are dead.
    Registry::open()?.running()?;
    let pruned = leftovers::prune()?;
    if pruned.is_empty() {
        context.printer.line("nothing to remove").await?;
    }
    let mut failures = Vec::new();
    for left in pruned {
        let removed = if left.failures.is_empty() { "removed" } else { "found" };
        let line = format!("node {:?}: {removed} {}", left.node, left.summary);
        context.printer.line(line).await?;
        let told = left.failures.iter().map(|why| format!("error: node {:?}: {why}", left.node));
        failures.extend(told);
    }
    if failures.is_empty() {
        return Ok(0);
    }
    Err(Failure::new(failures.join("\n")).into())
}
