//! `chmod`, `chown`, `chgrp` and `ln`.

use crate::complain;
use crate::util::files::{is_dir, lstat, read_dir, stat};
use crate::util::{base_name, join, mode, parse, show_usage, users::Users};
use podsim_guest as sys;
use podsim_sys::{Fd, FileType, Mode};

/// `chmod [-Rcvf] MODE[,MODE]... FILE...`
pub fn chmod(args: &[String]) -> i32 {
    // `chmod -x file`: a mode, not an option.
    let looks_like_mode = |arg: &String| {
        arg.starts_with('-') && arg.len() > 1 && arg.chars().skip(1).all(|c| "rwxXst,+=ugoa-".contains(c))
    };
    let mut args = args.to_vec();
    if let Some(at) = args.iter().skip(1).position(looks_like_mode) {
        args.insert(at + 1, "--".to_owned());
    }
    let opts = match parse(&args, "Rcvf", &[("recursive", 'R')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let [text, paths @ ..] = opts.args.as_slice() else {
        return show_usage("chmod");
    };
    if paths.is_empty() {
        return show_usage("chmod");
    }
    let mask = sys::umask(Mode(0));
    sys::umask(mask);
    if mode::parse(text, Mode(0), false, mask).is_none() {
        complain!("chmod", "invalid mode '{text}'");
        return 1;
    }
    let mut code = 0;
    for path in paths {
        walk(path, opts.has('R'), 0, &mut |path| {
            let result = stat(path).and_then(|stat| {
                let new =
                    mode::parse(text, stat.mode, stat.file_type == FileType::Directory, mask).unwrap_or(stat.mode);
                sys::fchmodat(Fd::CWD, path, new)
            });
            if let Err(error) = result {
                if !opts.has('f') {
                    complain!("chmod", "{path}: {error}");
                }
                code = 1;
            }
        });
    }
    code
}

/// `chown [-RhLHPcvf] USER[:[GRP]] FILE...` and `chgrp GROUP FILE...`
pub fn chown(args: &[String]) -> i32 {
    let applet = base_name(args.first().map_or("chown", String::as_str)).to_owned();
    let opts = match parse(args, "RhLHPcvf", &[("recursive", 'R'), ("no-dereference", 'h')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let [text, paths @ ..] = opts.args.as_slice() else {
        return show_usage(&applet);
    };
    if paths.is_empty() {
        return show_usage(&applet);
    }
    let users = Users::load();
    let parsed = if applet == "chgrp" {
        users
            .parse_group(text)
            .map(|gid| (None, Some(gid)))
            .ok_or_else(|| format!("unknown group {text}"))
    } else {
        owner(&users, text)
    };
    let (uid, gid) = match parsed {
        Ok(ids) => ids,
        Err(message) => {
            complain!(applet, "{message}");
            return 1;
        }
    };
    let mut code = 0;
    for path in paths {
        walk(path, opts.has('R'), 0, &mut |path| {
            let link = lstat(path).is_ok_and(|stat| stat.file_type == FileType::Symlink);
            let follow = !(opts.has('h') || (opts.has('R') && link));
            if let Err(error) = sys::fchownat(Fd::CWD, path, uid, gid, follow) {
                if !opts.has('f') {
                    complain!(applet, "{path}: {error}");
                }
                code = 1;
            }
        });
    }
    code
}

type Ids = (Option<u32>, Option<u32>);

/// `USER`, `USER:`, `USER:GROUP`, `:GROUP`
fn owner(users: &Users, text: &str) -> Result<Ids, String> {
    let (user, group) = text
        .split_once(':')
        .map_or((text, None), |(user, group)| (user, Some(group)));
    let uid = match user {
        "" => None,
        name => Some(users.parse_user(name).ok_or_else(|| format!("unknown user {name}"))?),
    };
    let gid = match group {
        None => None,
        // With a colon and nothing behind it: the user's own group.
        Some("") => uid.and_then(|uid| users.by_uid(uid)).map(|user| user.gid),
        Some(name) => Some(users.parse_group(name).ok_or_else(|| format!("unknown group {name}"))?),
    };
    Ok((uid, gid))
}

fn walk(path: &str, recursive: bool, depth: u32, action: &mut impl FnMut(&str)) {
    let inside = recursive && depth < 200 && lstat(path).is_ok_and(|stat| stat.file_type == FileType::Directory);
    action(path);
    if inside {
        for entry in read_dir(path).unwrap_or_default() {
            walk(&join(path, &entry.name), true, depth + 1, action);
        }
    }
}

/// `ln [-sfnbtvT] TARGET... LINK_FILE|LINK_DIR`
pub fn ln(args: &[String]) -> i32 {
    let opts = match parse(
        args,
        "sfnbt:vTS:",
        &[("symbolic", 's'), ("force", 'f'), ("no-dereference", 'n')],
    ) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let (targets, dest) = match opts.args.as_slice() {
        [] => return show_usage("ln"),
        [one] => (std::slice::from_ref(one), "."),
        [targets @ .., dest] => (targets, dest.as_str()),
    };
    let link_itself = opts.has('T') || (opts.has('n') && lstat(dest).is_ok_and(|s| s.file_type == FileType::Symlink));
    let into = is_dir(dest) && !link_itself;
    if targets.len() > 1 && !into {
        complain!("ln", "target '{dest}' is not a directory");
        return 1;
    }
    let mut code = 0;
    for target in targets {
        let name = if into {
            join(dest, base_name(target))
        } else {
            dest.to_owned()
        };
        if !opts.has('s')
            && let Err(error) = lstat(target)
        {
            complain!("ln", "{target}: {error}");
            code = 1;
            continue;
        }
        if opts.has('f') {
            let _ = sys::unlinkat(Fd::CWD, &name, false);
        }
        let result = if opts.has('s') {
            sys::symlinkat(target, Fd::CWD, &name)
        } else {
            sys::linkat(Fd::CWD, target, Fd::CWD, &name, false)
        };
        if let Err(error) = result {
            complain!("ln", "{name}: {error}");
            code = 1;
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_read() {
        let users = Users::from_text("www:x:33:44::/:\n", "staff:x:50:\n");
        for (text, want) in [
            ("www", Ok((Some(33), None))),
            ("www:", Ok((Some(33), Some(44)))),
            ("7:staff", Ok((Some(7), Some(50)))),
            (":50", Ok((None, Some(50)))),
            ("nobody", Err("unknown user nobody".to_owned())),
        ] {
            assert_eq!(owner(&users, text), want);
        }
    }
}
