//! `mount`, `umount` and `mountpoint`.

use crate::util::files::{read_text, stat};
use crate::util::{Out, parse, show_usage};
use crate::{complain, out};
use podsim_guest as sys;
use podsim_sys::{Errno, FileType, MountFlags};

/// A line of `/proc/mounts`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of fstab(5) say it")]
pub struct Entry {
    pub source: String,
    pub target: String,
    pub fstype: String,
    pub options: String,
}

/// What is mounted.
#[must_use]
pub fn mounts() -> Vec<Entry> {
    parse_table(&read_text("/proc/mounts").unwrap_or_default())
}

/// Reads `fstab(5)`'s format; spaces inside a field are `\040`.
#[must_use]
pub fn parse_table(text: &str) -> Vec<Entry> {
    let line = |line: &str| {
        let mut fields = line.split_whitespace().map(unescape);
        let (source, target, fstype) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Entry {
            source,
            target,
            fstype,
            options: fields.next().unwrap_or_default(),
        })
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(line)
        .collect()
}

fn unescape(field: &str) -> String {
    field
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

fn flag(option: &str) -> Option<(MountFlags, bool)> {
    Some(match option {
        "ro" => (MountFlags::RDONLY, true),
        "rw" => (MountFlags::RDONLY, false),
        "nosuid" => (MountFlags::NOSUID, true),
        "suid" => (MountFlags::NOSUID, false),
        "nodev" => (MountFlags::NODEV, true),
        "dev" => (MountFlags::NODEV, false),
        "noexec" => (MountFlags::NOEXEC, true),
        "exec" => (MountFlags::NOEXEC, false),
        "noatime" => (MountFlags::NOATIME, true),
        "atime" => (MountFlags::NOATIME, false),
        "relatime" => (MountFlags::RELATIME, true),
        "norelatime" => (MountFlags::RELATIME, false),
        "remount" => (MountFlags::REMOUNT, true),
        "bind" => (MountFlags::BIND, true),
        "rbind" => (MountFlags::BIND.union(MountFlags::REC), true),
        "move" => (MountFlags::MOVE, true),
        "private" => (MountFlags::PRIVATE, true),
        "rprivate" => (MountFlags::PRIVATE.union(MountFlags::REC), true),
        "shared" => (MountFlags::SHARED, true),
        "rshared" => (MountFlags::SHARED.union(MountFlags::REC), true),
        "slave" => (MountFlags::SLAVE, true),
        "rslave" => (MountFlags::SLAVE.union(MountFlags::REC), true),
        "defaults" | "sync" | "async" | "auto" | "noauto" | "diratime" | "nodiratime" => (MountFlags::empty(), true),
        _ => return None,
    })
}

/// Splits `-o` into flags and what the filesystem itself is told.
fn options(list: &str, flags: &mut MountFlags, data: &mut Vec<String>) {
    for option in list.split(',').filter(|option| !option.is_empty()) {
        match flag(option) {
            Some((bits, true)) => *flags |= bits,
            Some((bits, false)) => flags.remove(bits),
            None => data.push(option.to_owned()),
        }
    }
}

/// `mount [-r] [-t FSTYPE] [-o OPT] [DEVICE] NODE`; without operands, shows what is mounted.
pub fn mount(args: &[String]) -> i32 {
    let longs = [
        ("bind", 'B'),
        ("rbind", 'R'),
        ("move", 'M'),
        ("make-private", 'p'),
        ("make-rprivate", 'P'),
        ("types", 't'),
        ("options", 'o'),
    ];
    let opts = match parse(args, "o:t:rwanfvsiO:T:BRMpP", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let (mut flags, mut data) = (MountFlags::empty(), Vec::new());
    for list in opts.values('o') {
        options(list, &mut flags, &mut data);
    }
    for (option, bits) in [
        ('r', MountFlags::RDONLY),
        ('B', MountFlags::BIND),
        ('R', MountFlags::BIND | MountFlags::REC),
        ('M', MountFlags::MOVE),
        ('p', MountFlags::PRIVATE),
        ('P', MountFlags::PRIVATE | MountFlags::REC),
    ] {
        if opts.has(option) {
            flags |= bits;
        }
    }
    let propagation = MountFlags::PRIVATE | MountFlags::SHARED | MountFlags::SLAVE;
    let (source, target, fstype) = match opts.args.as_slice() {
        [] if opts.has('a') => return from_fstab(opts.value('T').unwrap_or("/etc/fstab")),
        [] => return show(opts.value('t')),
        [target] if flags.intersects(propagation | MountFlags::REMOUNT) => (
            "none".to_owned(),
            target.clone(),
            opts.value('t').unwrap_or("").to_owned(),
        ),
        [node] => {
            let table = parse_table(&read_text(opts.value('T').unwrap_or("/etc/fstab")).unwrap_or_default());
            let Some(entry) = table.into_iter().find(|e| e.source == *node || e.target == *node) else {
                complain!("mount", "can't find {node} in /etc/fstab");
                return 1;
            };
            options(&entry.options, &mut flags, &mut data);
            (entry.source, entry.target, entry.fstype)
        }
        [source, target] => (source.clone(), target.clone(), opts.value('t').unwrap_or("").to_owned()),
        _ => return show_usage("mount"),
    };
    do_mount(&source, &target, &fstype, flags, &data.join(","))
}

fn do_mount(source: &str, target: &str, fstype: &str, flags: MountFlags, data: &str) -> i32 {
    match sys::mount(source, target, fstype, flags, data) {
        Ok(()) => 0,
        Err(Errno::EPERM) => {
            complain!("mount", "permission denied (are you root?)");
            1
        }
        Err(error) => {
            complain!("mount", "mounting {source} on {target} failed: {error}");
            255
        }
    }
}

fn from_fstab(path: &str) -> i32 {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) => {
            complain!("mount", "can't read '{path}': {error}");
            return 1;
        }
    };
    let mounted = mounts();
    let mut code = 0;
    for entry in parse_table(&text) {
        let skipped = entry.options.split(',').any(|option| option == "noauto") || entry.fstype == "swap";
        if skipped || mounted.iter().any(|m| m.target == entry.target) {
            continue;
        }
        let (mut flags, mut data) = (MountFlags::empty(), Vec::new());
        options(&entry.options, &mut flags, &mut data);
        code = code.max(do_mount(
            &entry.source,
            &entry.target,
            &entry.fstype,
            flags,
            &data.join(","),
        ));
    }
    code
}

fn show(types: Option<&str>) -> i32 {
    let mut out = Out::stdout();
    for entry in mounts() {
        let wanted = match types {
            None => true,
            Some(list) => match list.strip_prefix("no") {
                Some(list) => !list.split(',').any(|t| t == entry.fstype),
                None => list.split(',').any(|t| t == entry.fstype),
            },
        };
        if wanted {
            out!(
                out,
                "{} on {} type {} ({})\n",
                entry.source,
                entry.target,
                entry.fstype,
                entry.options
            );
        }
    }
    out.finish("mount", 0)
}

/// `umount [-rlfda] [-t FSTYPE] FILESYSTEM|DIRECTORY...`
pub fn umount(args: &[String]) -> i32 {
    let opts = match parse(
        args,
        "arlfdnt:vO:",
        &[("lazy", 'l'), ("force", 'f'), ("recursive", 'R'), ("all", 'a')],
    ) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let table = mounts();
    let mut targets = opts.args.clone();
    if opts.has('a') {
        let wanted = |entry: &&Entry| {
            opts.value('t')
                .is_none_or(|list| list.split(',').any(|t| t == entry.fstype))
        };
        targets = table
            .iter()
            .rev()
            .filter(wanted)
            .map(|entry| entry.target.clone())
            .collect();
    }
    if targets.is_empty() {
        return show_usage("umount");
    }
    let mut code = 0;
    for given in targets {
        // A device stands for where it is mounted.
        let by_source = table
            .iter()
            .rev()
            .find(|entry| entry.source == given && given.starts_with('/'));
        let known = table.iter().any(|entry| entry.target == given);
        let target = if known {
            given.clone()
        } else {
            by_source.map_or(given.clone(), |entry| entry.target.clone())
        };
        if let Err(error) = sys::umount(&target, opts.has('l')) {
            complain!("umount", "can't unmount {given}: {error}");
            code = 1;
        }
    }
    code
}

/// `mountpoint [-q] <[-dn] DIR | -x DEVICE>`
pub fn mountpoint(args: &[String]) -> i32 {
    let opts = match parse(args, "qdxn", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let [path] = opts.args.as_slice() else {
        return show_usage("mountpoint");
    };
    let mut out = Out::stdout();
    let found = match stat(path) {
        Ok(stat) => stat,
        Err(error) => {
            if !opts.has('q') {
                complain!("mountpoint", "{path}: {error}");
            }
            return 1;
        }
    };
    if opts.has('d') {
        out!(out, "{}:{}\n", found.dev.major, found.dev.minor);
        return out.finish("mountpoint", 0);
    }
    let above = stat(&format!("{path}/.."));
    let is = found.file_type == FileType::Directory
        && (above.is_ok_and(|above| above.dev != found.dev || above.ino == found.ino)
            || mounts().iter().any(|entry| entry.target == path.trim_end_matches('/')));
    if !opts.has('q') {
        out!(out, "{path} is {}a mountpoint\n", if is { "" } else { "not " });
    }
    out.finish("mountpoint", i32::from(!is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_split_into_flags_and_data() {
        let (mut flags, mut data) = (MountFlags::empty(), Vec::new());
        options("ro,size=1m,nosuid,rw,mode=755", &mut flags, &mut data);
        assert_eq!(
            (flags, data.join(",").as_str()),
            (MountFlags::NOSUID, "size=1m,mode=755")
        );
    }

    #[test]
    fn the_table_of_mounts_is_read() {
        let table = parse_table("# x\ntmpfs /a\\040b tmpfs rw 0 0\n\nshort line\n");
        assert_eq!(table.len(), 1);
        assert_eq!(table.first().map(|entry| entry.target.as_str()), Some("/a b"));
    }
}
