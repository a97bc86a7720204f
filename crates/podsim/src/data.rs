//! Where podsim keeps what outlives a node: the images that the user has added, and their layers.

use podsim_image::{ImageStore, Registries};
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The directory: `PODSIM_DATA`; root's `/var/lib/podsim`; or the user's `podsim` in `$XDG_DATA_HOME`, `~/.local/share` or
/// Windows' `%LOCALAPPDATA%`.
pub(crate) fn directory() -> Option<PathBuf> {
    choose(|name| env::var_os(name).filter(|value| !value.is_empty()), is_root())
}

/// The images: those in the directory, if there is one, and the built-in ones.
pub(crate) fn images() -> ImageStore {
    directory().map_or_else(ImageStore::with_builtin_images, |directory| {
        ImageStore::open(&directory)
    })
}

/// The registries that the environment allows to ask: `PODSIM_REGISTRIES=localhost:5000,quay.io`.
pub(crate) fn registries(others: &[String]) -> Registries {
    let named = env::var("PODSIM_REGISTRIES").unwrap_or_default();
    Registries::new(named.split(',').map(str::to_owned).chain(others.iter().cloned()))
}

fn choose(variable: impl Fn(&str) -> Option<OsString>, is_root: bool) -> Option<PathBuf> {
    if let Some(directory) = variable("PODSIM_DATA") {
        return Some(directory.into());
    }
    if is_root {
        return Some("/var/lib/podsim".into());
    }
    let in_home = || Some(PathBuf::from(variable("HOME")?).join(".local/share"));
    let on_windows = || Some(PathBuf::from(variable("LOCALAPPDATA")?));
    let parent = variable("XDG_DATA_HOME").map(PathBuf::from);
    Some(parent.or_else(in_home).or_else(on_windows)?.join("podsim"))
}

/// Whether this is the machine's root, and not that of a user namespace of podsim's own.
#[cfg(unix)]
fn is_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let own_namespace = !map.is_empty() && map.split_whitespace().ne(["0", "0", "4294967295"]);
    rustix::process::geteuid().is_root() && !own_namespace
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_the_users_own() {
        let chosen = |variables: &[(&str, &str)], is_root| {
            let variable = |name: &str| {
                variables
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, value)| value.into())
            };
            choose(variable, is_root).map(|path| path.to_string_lossy().replace('\\', "/"))
        };
        let home = ("HOME", "/home/a");
        for (variables, is_root, directory) in [
            (&[home][..], false, Some("/home/a/.local/share/podsim")),
            (&[home, ("XDG_DATA_HOME", "/data")], false, Some("/data/podsim")),
            (&[home], true, Some("/var/lib/podsim")),
            (&[home, ("PODSIM_DATA", "/tmp/x")], true, Some("/tmp/x")),
            (&[], false, None),
        ] {
            assert_eq!(chosen(variables, is_root).as_deref(), directory, "{variables:?}");
        }
    }
}
