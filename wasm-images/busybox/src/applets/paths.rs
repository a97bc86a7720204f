//! `basename`, `dirname`, `readlink` and `realpath`.

use crate::complain;
use crate::util::files::{lstat, read_link};
use crate::util::{Out, base_name, join, parse, show_usage};
use podsim_guest as sys;
use podsim_sys::{Errno, FileType, Result};

/// `basename FILE [SUFFIX] | -a FILE... | -s SUFFIX FILE...`
pub fn basename(args: &[String]) -> i32 {
    let opts = match parse(args, "+as:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let several = opts.has('a') || opts.has('s');
    let (names, suffix) = match opts.args.as_slice() {
        [] => return show_usage("basename"),
        names if several => (names, opts.value('s').unwrap_or("")),
        [name] => (std::slice::from_ref(name), ""),
        [name, suffix] => (std::slice::from_ref(name), suffix.as_str()),
        _ => return show_usage("basename"),
    };
    let mut out = Out::stdout();
    for name in names {
        let base = base_name(name);
        out.line(
            base.strip_suffix(suffix)
                .filter(|rest| !rest.is_empty())
                .unwrap_or(base),
        );
    }
    out.finish("basename", 0)
}

/// `dirname FILENAME`
pub fn dirname(args: &[String]) -> i32 {
    let [_, path] = args else { return show_usage("dirname") };
    let mut out = Out::stdout();
    out.line(parent(path));
    out.finish("dirname", 0)
}

/// What `dirname(3)` says.
#[must_use]
pub fn parent(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.is_empty() { "." } else { "/" };
    }
    match trimmed.rfind('/') {
        None => ".",
        Some(at) => {
            let dir = trimmed.get(..at).unwrap_or("").trim_end_matches('/');
            if dir.is_empty() { "/" } else { dir }
        }
    }
}

/// `readlink [-fnv] FILE`
pub fn readlink(args: &[String]) -> i32 {
    let opts = match parse(args, "fnvsqem", &[("canonicalize", 'f')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("readlink");
    }
    let mut out = Out::stdout();
    let mut code = 0;
    for path in &opts.args {
        let found = if opts.last_of("fem").is_some() {
            canonical(path, !opts.has('e'))
        } else {
            read_link(path)
        };
        match found {
            Ok(target) => {
                out.text(&target);
                if !opts.has('n') {
                    out.text("\n");
                }
            }
            Err(error) => {
                if opts.has('v') {
                    complain!("readlink", "{path}: {error}");
                }
                code = 1;
            }
        }
    }
    out.finish("readlink", code)
}

/// `realpath FILE...`
pub fn realpath(args: &[String]) -> i32 {
    let opts = match parse(args, "", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("realpath");
    }
    let mut out = Out::stdout();
    let mut code = 0;
    for path in &opts.args {
        match canonical(path, true) {
            Ok(found) => out.line(&found),
            Err(error) => {
                out.flush();
                complain!("realpath", "{path}: {error}");
                code = 1;
            }
        }
    }
    out.finish("realpath", code)
}

/// The path without links and dots. `last_may_miss`: its last part need not exist.
pub fn canonical(path: &str, last_may_miss: bool) -> Result<String> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut done = if path.starts_with('/') {
        "/".to_owned()
    } else {
        sys::getcwd()?
    };
    let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut links = 0;
    while let Some(part) = left.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                done = parent(&done).to_owned();
                continue;
            }
            _ => {}
        }
        let next = join(&done, &part);
        match lstat(&next) {
            Ok(stat) if stat.file_type == FileType::Symlink => {
                links += 1;
                if links > 40 {
                    return Err(Errno::ELOOP);
                }
                let target = read_link(&next)?;
                if target.starts_with('/') {
                    "/".clone_into(&mut done);
                }
                left.extend(target.split('/').rev().map(str::to_owned));
            }
            Ok(_) => done = next,
            Err(Errno::ENOENT) if last_may_miss && left.iter().all(|part| part.is_empty() || part == ".") => {
                done = next
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::parent;

    #[test]
    fn parents_are_found_as_dirname_does() {
        for (path, want) in [
            ("/a/b", "/a"),
            ("/a/", "/"),
            ("a", "."),
            ("a/b/", "a"),
            ("/", "/"),
            ("", "."),
            ("a//b", "a"),
        ] {
            assert_eq!(parent(path), want, "{path}");
        }
    }
}
