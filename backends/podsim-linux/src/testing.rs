//! What the tests of the modules have in common.

/// Whether a test has to stop here, because it makes namespaces; says so.
pub(crate) fn needs_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("needs root");
    }
    !root
}
