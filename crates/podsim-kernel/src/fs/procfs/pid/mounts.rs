//! `/proc/PID/mounts` and `/proc/PID/mountinfo`: the mounts of the process's namespace, as seen from its root directory.

use crate::fs::mount::{Mount, MountInfo};
use crate::fs::procfs::view::View;
use podsim_sys::{MountFlags, Result};

/// Spaces and the like as `\040` (`mangle_path`).
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' | '#' => escaped += &format!("\\{:03o}", u32::from(c)),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The options of a mount: `rw,nosuid,nodev,noexec,relatime`.
fn mount_options(mount: &Mount) -> String {
    let flags = mount.flags();
    let mut options = vec![if flags.contains(MountFlags::RDONLY) { "ro" } else { "rw" }];
    let names = [
        (MountFlags::NOSUID, "nosuid"),
        (MountFlags::NODEV, "nodev"),
        (MountFlags::NOEXEC, "noexec"),
        (MountFlags::NOATIME, "noatime"),
    ];
    options.extend(
        names
            .iter()
            .filter(|(flag, _)| flags.contains(*flag))
            .map(|(_, name)| *name),
    );
    if !flags.contains(MountFlags::NOATIME) {
        // What every mount has that does not ask for something else (mount(2)).
        options.push("relatime");
    }
    options.join(",")
}

/// The options of the filesystem, after a word for whether it can be written at all.
fn with_super_options(first: String, mount: &Mount) -> String {
    match mount.sb().fs().options() {
        options if options.is_empty() => first,
        options => format!("{first},{options}"),
    }
}

fn list(view: &View) -> Vec<MountInfo> {
    let root = view.process.fs.lock().root.clone();
    // As Linux, the namespace of the process, which may be another than that of its root after a setns.
    view.process.namespaces().mnt.list(&root)
}

pub(super) fn mounts(view: &View) -> Result<String> {
    let line = |info: MountInfo| {
        let options = with_super_options(mount_options(&info.mount), &info.mount);
        let source = escape(info.mount.source());
        format!(
            "{source} {} {} {options} 0 0\n",
            escape(&info.mountpoint),
            info.mount.sb().fs().name()
        )
    };
    Ok(list(view).into_iter().map(line).collect())
}

pub(super) fn mountinfo(view: &View) -> Result<String> {
    let line = |info: MountInfo| {
        let mount = &info.mount;
        let dev = mount.sb().dev();
        let tag = |name, group: Option<u64>| group.map_or_else(String::new, |group| format!(" {name}:{group}"));
        let optional = tag("shared", info.spread.shared) + &tag("master", info.spread.master);
        format!(
            "{} {} {}:{} {} {} {}{optional} - {} {} {}\n",
            mount.id(),
            info.parent_id,
            dev.major,
            dev.minor,
            escape(&info.root),
            escape(&info.mountpoint),
            mount_options(mount),
            mount.sb().fs().name(),
            escape(mount.source()),
            with_super_options("rw".into(), mount),
        )
    };
    Ok(list(view).into_iter().map(line).collect())
}
