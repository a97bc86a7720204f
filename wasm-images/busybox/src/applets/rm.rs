//! `rm`, `rmdir` and `unlink`.

use crate::complain;
use crate::util::files::{lstat, read_dir};
use crate::util::{Opts, base_name, join, out::write_error, parse, show_usage};
use podsim_guest as sys;
use podsim_sys::{Access, Errno, Fd, FileType};

/// `rm [-irf] FILE...`
pub fn rm(args: &[String]) -> i32 {
    let opts = match parse(
        args,
        "firRv",
        &[
            ("force", 'f'),
            ("recursive", 'r'),
            ("interactive", 'i'),
            ("verbose", 'v'),
        ],
    ) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return if opts.has('f') { 0 } else { show_usage("rm") };
    }
    let mut code = 0;
    for path in &opts.args {
        let name = base_name(path);
        if name == "." || name == ".." || name == "/" {
            complain!("rm", "can't remove '.' or '..'");
            code = 1;
        } else if !one(&opts, path, 0) {
            code = 1;
        }
    }
    code
}

fn confirmed(question: &str) -> bool {
    write_error(question);
    let mut byte = [0];
    let mut yes = None;
    while sys::read(Fd::STDIN, &mut byte).is_ok_and(|n| n > 0) {
        yes.get_or_insert(matches!(byte[0], b'y' | b'Y'));
        if byte[0] == b'\n' {
            break;
        }
    }
    yes.unwrap_or(false)
}

fn one(opts: &Opts, path: &str, depth: u32) -> bool {
    let ask = opts.last_of("fi") == Some('i');
    let force = opts.last_of("fi") == Some('f');
    let found = match lstat(path) {
        Ok(stat) => stat,
        Err(Errno::ENOENT | Errno::ENOTDIR) if force => return true,
        Err(error) => {
            complain!("rm", "can't remove '{path}': {error}");
            return false;
        }
    };
    let directory = found.file_type == FileType::Directory;
    if directory {
        if !opts.has('r') && !opts.has('R') {
            complain!("rm", "'{path}' is a directory");
            return false;
        }
        if ask && !confirmed(&format!("rm: descend into directory '{path}'? ")) {
            return true;
        }
        if depth > 200 {
            complain!("rm", "can't remove '{path}': {}", Errno::ENAMETOOLONG);
            return false;
        }
        match read_dir(path) {
            Ok(entries) => {
                let mut well = true;
                for entry in entries {
                    well &= one(opts, &join(path, &entry.name), depth + 1);
                }
                if !well {
                    return false;
                }
            }
            Err(error) => {
                complain!("rm", "can't open '{path}': {error}");
                return false;
            }
        }
    }
    let protected = found.file_type != FileType::Symlink
        && sys::faccessat(Fd::CWD, path, Access::WRITE).is_err()
        && sys::isatty(Fd::STDIN).unwrap_or(false);
    if (ask || (!force && protected)) && !confirmed(&format!("rm: remove '{path}'? ")) {
        return true;
    }
    match sys::unlinkat(Fd::CWD, path, directory) {
        Ok(()) => true,
        Err(Errno::ENOENT) if force => true,
        Err(error) => {
            complain!("rm", "can't remove '{path}': {error}");
            false
        }
    }
}

/// Removes a path with everything below, without asking; problems are told in the applet's name.
pub fn remove_tree(applet: &str, path: &str) -> bool {
    let directory = lstat(path).is_ok_and(|stat| stat.file_type == FileType::Directory);
    if directory {
        for entry in read_dir(path).unwrap_or_default() {
            if !remove_tree(applet, &join(path, &entry.name)) {
                return false;
            }
        }
    }
    match sys::unlinkat(Fd::CWD, path, directory) {
        Ok(()) => true,
        Err(error) => {
            complain!(applet, "can't remove '{path}': {error}");
            false
        }
    }
}

/// `rmdir [-p] DIRECTORY...`
pub fn rmdir(args: &[String]) -> i32 {
    let opts = match parse(args, "pv", &[("parents", 'p'), ("ignore-fail-on-non-empty", '!')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("rmdir");
    }
    let mut code = 0;
    for given in &opts.args {
        let mut path = given.as_str();
        loop {
            if let Err(error) = sys::unlinkat(Fd::CWD, path, true) {
                complain!("rmdir", "'{path}': {error}");
                code = 1;
                break;
            }
            path = super::paths::parent(path);
            if !opts.has('p') || path == "." || path == "/" {
                break;
            }
        }
    }
    code
}

/// `unlink FILE`
pub fn unlink(args: &[String]) -> i32 {
    let [_, path] = args else { return show_usage("unlink") };
    match sys::unlinkat(Fd::CWD, path, false) {
        Ok(()) => 0,
        Err(error) => {
            complain!("unlink", "can't remove file '{path}': {error}");
            1
        }
    }
}
