//! [`LentFolder`].

use std::path::PathBuf;

/// A folder, or a file, of this machine that the user has lent to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LentFolder {
    /// Where it is on this machine.
    pub host: PathBuf,
    /// Where it is seen in the node's own filesystem: an absolute path without `..`.
    pub node: String,
    /// Nobody on the node can write to it.
    pub readonly: bool,
    /// A file of this machine that says whose the files are, where podsim cannot give them away; without one they are all root's.
    pub owners: Option<PathBuf>,
}
