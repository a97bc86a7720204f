//! The cgroup hierarchies that this process sees: what `/proc/self/mountinfo` and `/proc/self/cgroup` say, as data.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of a hierarchy (`cgroups(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// A hierarchy for each controller, or a few of them.
    V1,
    /// One hierarchy for all.
    V2,
}

/// The controllers of version 1 that podsim uses; `cpuacct` counts and `freezer` helps to kill.
pub(super) const V1_CONTROLLERS: [&str; 5] = ["memory", "cpu", "pids", "cpuacct", "freezer"];

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Its version.
    pub(super) version: Version,
    /// Where it is mounted.
    pub(super) mount: PathBuf,
    /// Whether it is mounted for writing.
    pub(super) writable: bool,
    /// Version 1: its controllers, of those that podsim uses. Version 2 tells them in each directory.
    pub(super) controllers: Vec<String>,
    /// The directory of this process's own cgroup; `None`: it is outside what is mounted.
    pub(super) own: Option<PathBuf>,
}

/// Reads the two files. Of a hierarchy that is mounted more than once, the first writable mount counts.
pub(super) fn parse(mountinfo: &str, own: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for hierarchy in mountinfo.lines().filter_map(|line| mount(line, own)) {
        let same =
            |other: &&mut Hierarchy| other.version == hierarchy.version && other.controllers == hierarchy.controllers;
        match found.iter_mut().find(same) {
            Some(first) if !first.writable && hierarchy.writable => *first = hierarchy,
            Some(_) => {}
            None => found.push(hierarchy),
        }
    }
    found
}

/// A line of `mountinfo` (`proc_pid_mountinfo(5)`), if it is a hierarchy of use.
fn mount(line: &str, own: &str) -> Option<Hierarchy> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<_> = left.split(' ').collect();
    let right: Vec<_> = right.split(' ').collect();
    let (root, mount, options) = (unescape(left.get(3)?), unescape(left.get(4)?), left.get(5)?);
    let super_options: Vec<_> = right.get(2)?.split(',').collect();
    let (version, controllers) = match *right.first()? {
        "cgroup2" => (Version::V2, Vec::new()),
        "cgroup" => {
            let named = V1_CONTROLLERS.into_iter().filter(|name| super_options.contains(name));
            (Version::V1, named.map(str::to_owned).collect())
        }
        _ => return None,
    };
    if version == Version::V1 && controllers.is_empty() {
        return None;
    }
    let own = own_path(own, version, &controllers)?;
    let mount = PathBuf::from(mount);
    let own = Path::new(&own)
        .strip_prefix(&root)
        .ok()
        // Above the root of the cgroup namespace, the kernel writes `/..`.
        .filter(|below| {
            below
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)))
        })
        .map(|below| {
            if below.as_os_str().is_empty() {
                mount.clone()
            } else {
                mount.join(below)
            }
        });
    Some(Hierarchy {
        version,
        writable: options.split(',').any(|option| option == "rw") && super_options.contains(&"rw"),
        mount,
        controllers,
        own,
    })
}

/// The path of this process in a hierarchy, from `/proc/self/cgroup`: lines of `id:controllers:path`.
fn own_path(own: &str, version: Version, controllers: &[String]) -> Option<String> {
    own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (id, names, path) = (fields.next()?, fields.next()?, fields.next()?);
        let matches = match version {
            Version::V2 => id == "0" && names.is_empty(),
            Version::V1 => names
                .split(',')
                .any(|name| controllers.iter().any(|controller| controller == name)),
        };
        matches.then(|| path.to_owned())
    })
}

/// Spaces and the like are written as `\040` in `mountinfo`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail
            .get(..3)
            .filter(|_| first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(mountinfo: &str, own: &str) -> Vec<String> {
        parse(mountinfo, own)
            .into_iter()
            .map(|h| {
                let own = h.own.map_or("outside".to_owned(), |own| own.display().to_string());
                let mode = if h.writable { "rw" } else { "ro" };
                format!(
                    "{:?} {mode} {} [{}] own {own}",
                    h.version,
                    h.mount.display(),
                    h.controllers.join(",")
                )
            })
            .collect()
    }

    #[test]
    fn hierarchies_of_each_kind_of_host_are_found() {
        let rows: [(&str, &str, &str, &[&str]); 4] = [
            (
                "version 2 only, a scope of a user",
                "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate",
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope",
                &[
                    "V2 rw /sys/fs/cgroup [] own /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope",
                ],
            ),
            (
                "hybrid, controllers one by one and together, a named hierarchy that is of no use",
                "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                 32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                 35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                 40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
                 41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
                "9:name=systemd:/\n4:memory:/a/b\n2:cpu,cpuacct:/\n0::/",
                &[
                    "V1 rw /sys/fs/cgroup/cpu,cpuacct [cpu,cpuacct] own /sys/fs/cgroup/cpu,cpuacct",
                    "V1 rw /sys/fs/cgroup/memory [memory] own /sys/fs/cgroup/memory/a/b",
                    "V2 rw /sys/fs/cgroup/unified [] own /sys/fs/cgroup/unified",
                ],
            ),
            (
                "a container without a cgroup namespace: mounted from its own cgroup down, read-only",
                "31 23 0:28 /docker/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory",
                "4:memory:/docker/c1",
                &["V1 ro /sys/fs/cgroup/memory [memory] own /sys/fs/cgroup/memory"],
            ),
            (
                "a process outside its cgroup namespace; a second mount is writable",
                "31 23 0:28 / /a\\040b ro - cgroup2 cgroup2 rw\n32 23 0:28 / /cg rw - cgroup2 cgroup2 rw",
                "0::/../other",
                &["V2 rw /cg [] own outside"],
            ),
        ];
        for (name, mountinfo, own, expected) in rows {
            assert_eq!(summary(mountinfo, own), expected, "{name}");
        }
        assert_eq!(unescape("/a\\040b\\x"), "/a b\\x");
    }
}
