//! What nodes that were killed have left behind on this machine: only the Linux backend leaves anything.

use anyhow::Result;

/// What one node has left behind, or had.
pub(crate) struct Leftover {
    /// The node's name, which is that of its directory.
    pub(crate) node: String,
    /// How much of what.
    pub(crate) summary: String,
    /// Processes, by pid and name.
    pub(crate) processes: Vec<(i32, String)>,
    /// What could not be removed, as sentences.
    pub(crate) failures: Vec<String>,
}

/// Looks.
#[cfg(target_os = "linux")]
pub(crate) fn list() -> Result<Vec<Leftover>> {
    let found = podsim_linux::prune::list(&podsim_linux::Places::find()?.run)?;
    Ok(found.into_iter().map(Leftover::from).collect())
}

/// Removes it.
#[cfg(target_os = "linux")]
pub(crate) fn prune() -> Result<Vec<Leftover>> {
    let pruned = podsim_linux::prune::prune(&podsim_linux::Places::find()?.run)?;
    Ok(pruned.into_iter().map(Leftover::from).collect())
}

/// Looks.
#[cfg(not(target_os = "linux"))]
pub(crate) fn list() -> Result<Vec<Leftover>> {
    Ok(Vec::new())
}

/// Removes it before a node starts; tells what it was, as sentences.
#[cfg(target_os = "linux")]
pub(crate) fn prune_first() -> Vec<String> {
    let told = |left: Leftover| {
        let Leftover { node, summary, .. } = &left;
        match left.failures.first() {
            None => format!("removed what the node {node:?}, which was killed, had left behind: {summary}"),
            Some(why) => {
                format!("the node {node:?}, which was killed, has left something behind that stays ({summary}): {why}")
            }
        }
    };
    match prune() {
        Ok(pruned) => pruned.into_iter().map(told).collect(),
        Err(error) => vec![format!("cannot look for what killed nodes have left behind: {error:#}")],
    }
}

#[cfg(target_os = "linux")]
impl From<podsim_linux::prune::Leftover> for Leftover {
    fn from(left: podsim_linux::prune::Leftover) -> Self {
        Self {
            summary: left.summary(),
            node: left.node,
            processes: left.processes,
            failures: left.failures,
        }
    }
}
