//! `nsenter` and `unshare`.

use crate::complain;
use crate::util::{child, parse, show_usage};
use podsim_guest as sys;
use podsim_sys::{CloneFlags, Errno, Fd, Mode, MountFlags, OpenFlags};

/// The options of both, with the file in `/proc/PID/ns`. The user namespace comes first and mounts last: `/proc` is
/// needed until the others are open, which they are before the first is joined.
const KINDS: [(char, &str, CloneFlags); 6] = [
    ('U', "user", CloneFlags::NEWUSER),
    ('u', "uts", CloneFlags::NEWUTS),
    ('i', "ipc", CloneFlags::NEWIPC),
    ('n', "net", CloneFlags::NEWNET),
    ('p', "pid", CloneFlags::NEWPID),
    ('m', "mnt", CloneFlags::NEWNS),
];

const LONGS: [(&str, char); 6] = [
    ("user", 'U'),
    ("uts", 'u'),
    ("ipc", 'i'),
    ("net", 'n'),
    ("pid", 'p'),
    ("mount", 'm'),
];

/// `nsenter [-t PID] [-muinpU[FILE]] [-r[DIR]] [-w[DIR]] [-S UID] [-G GID] [-F] [PROG ARGS]`
pub fn nsenter(args: &[String]) -> i32 {
    let mut longs = vec![
        ("target", 't'),
        ("setuid", 'S'),
        ("setgid", 'G'),
        ("root", 'r'),
        ("wd", 'w'),
        ("no-fork", 'F'),
        ("preserve-credentials", '!'),
        ("all", 'a'),
    ];
    longs.extend(LONGS);
    let opts = match parse(args, "+at:S:G:m::u::i::n::p::U::r::w::F!", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let target = match opts.value('t').map(str::parse::<i32>) {
        None => None,
        Some(Ok(pid)) => Some(pid),
        Some(Err(_)) => {
            complain!("nsenter", "invalid number '{}'", opts.value('t').unwrap_or(""));
            return 1;
        }
    };
    let open = |path: &str, flags: OpenFlags| {
        sys::openat(Fd::CWD, path, flags | OpenFlags::CLOEXEC, Mode(0)).map_err(|error| {
            complain!("nsenter", "can't open '{path}': {error}");
            1
        })
    };
    // Everything is opened before anything is joined.
    let mut joined = Vec::new();
    let (mut root, mut dir) = (None, None);
    for (option, file, flag) in KINDS {
        // util-linux's "all" leaves the user namespace alone where it is the same; here there is only one.
        if !(opts.has(option) || opts.has('a') && option != 'U') {
            continue;
        }
        let path = match (opts.value(option), target) {
            (Some(path), _) => path.to_owned(),
            (None, Some(pid)) => format!("/proc/{pid}/ns/{file}"),
            (None, None) => return show_usage("nsenter"),
        };
        match open(&path, OpenFlags::empty()) {
            Ok(fd) => joined.push((fd, flag, file)),
            Err(code) => return code,
        }
    }
    for (option, what, slot) in [('r', "root", &mut root), ('w', "cwd", &mut dir)] {
        if opts.has(option) {
            let path = match (opts.value(option), target) {
                (Some(path), _) => path.to_owned(),
                (None, Some(pid)) => format!("/proc/{pid}/{what}"),
                (None, None) => return show_usage("nsenter"),
            };
            match open(&path, OpenFlags::DIRECTORY) {
                Ok(fd) => *slot = Some(fd),
                Err(code) => return code,
            }
        }
    }
    let mut into_pid = false;
    for (fd, flag, file) in joined {
        if let Err(error) = sys::setns(fd, flag) {
            complain!("nsenter", "setns(): can't reassociate to namespace '{file}': {error}");
            return 1;
        }
        into_pid |= flag == CloneFlags::NEWPID;
        let _ = sys::close(fd);
    }
    let moved = (|| {
        if let Some(root) = root {
            sys::fchdir(root)?;
            sys::chroot(".")?;
        }
        if let Some(dir) = dir {
            sys::fchdir(dir)?;
        }
        Ok(())
    })();
    if let Err(error) = moved.and_then(|()| credentials(opts.value('S'), opts.value('G'))) {
        complain!("nsenter", "{error}");
        return 1;
    }
    // A pid namespace is joined by children, not by the caller.
    start("nsenter", &program(&opts.args), into_pid && !opts.has('F'))
}

fn credentials(uid: Option<&str>, gid: Option<&str>) -> Result<(), Errno> {
    let number = |text: &str| text.parse::<u32>().map_err(|_| Errno::EINVAL);
    if let Some(gid) = gid.map(number).transpose()? {
        sys::setgroups(Vec::new())?;
        sys::setresgid(Some(gid), Some(gid), Some(gid))?;
    }
    if let Some(uid) = uid.map(number).transpose()? {
        sys::setresuid(Some(uid), Some(uid), Some(uid))?;
    }
    Ok(())
}

/// `unshare [-muinpU] [-f] [-r] [--mount-proc[=DIR]] [PROG ARGS]`
pub fn unshare(args: &[String]) -> i32 {
    let mut longs = vec![("fork", 'f'), ("map-root-user", 'r'), ("mount-proc", '^')];
    longs.extend(LONGS);
    let opts = match parse(args, "+muinpUfr^::", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let mut flags: CloneFlags = KINDS
        .iter()
        .filter(|(option, ..)| opts.has(*option))
        .fold(CloneFlags::empty(), |all, (.., flag)| all | *flag);
    if opts.has('r') {
        flags |= CloneFlags::NEWUSER;
    }
    if opts.has('^') {
        flags |= CloneFlags::NEWNS;
    }
    if let Err(error) = sys::unshare(flags) {
        complain!("unshare", "unshare(0x{:x}): {error}", flags.bits());
        return 1;
    }
    if flags.contains(CloneFlags::NEWNS) {
        // As util-linux and BusyBox do, so that nothing leaks back.
        if let Err(error) = sys::mount("none", "/", "", MountFlags::REC | MountFlags::PRIVATE, "") {
            complain!("unshare", "can't mount none on / (flags:0x44000): {error}");
            return 1;
        }
    }
    let mut argv = program(&opts.args);
    if opts.has('^') {
        // The new /proc must be mounted from inside the new pid namespace: by a shell that then becomes the program.
        let dir = opts.value('^').unwrap_or("/proc");
        let script = "mount -t proc proc \"$0\" && exec \"$@\"";
        let shell = ["/bin/sh", "-c", script, dir].map(str::to_owned);
        argv = shell.into_iter().chain(argv).collect();
    }
    start("unshare", &argv, opts.has('f'))
}

/// What to run; a shell where nothing is named.
fn program(args: &[String]) -> Vec<String> {
    if args.is_empty() {
        vec![child::variable("SHELL").unwrap_or_else(|| "/bin/sh".to_owned())]
    } else {
        args.to_vec()
    }
}

/// Runs the program in a child or in place of this program.
fn start(applet: &str, argv: &[String], fork: bool) -> i32 {
    if fork {
        child::run(applet, argv)
    } else {
        child::exec(applet, argv, child::environ())
    }
}
