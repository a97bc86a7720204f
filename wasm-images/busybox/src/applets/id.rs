//! `id`, `whoami` and `groups`.

use crate::util::{Out, parse, show_usage, users::Users};
use crate::{complain, out};
use podsim_guest as sys;

struct Ids {
    uid: u32,
    euid: u32,
    gid: u32,
    egid: u32,
    groups: Vec<u32>,
}

/// The caller's ids, or those that a login of the user would have.
fn ids(users: &Users, user: Option<&String>) -> Option<Ids> {
    let Some(name) = user else {
        let c = sys::credentials();
        return Some(Ids {
            uid: c.uid,
            euid: c.euid,
            gid: c.gid,
            egid: c.egid,
            groups: c.groups,
        });
    };
    let user = users.by_name(name).or_else(|| users.by_uid(name.parse().ok()?))?;
    let mut groups = vec![user.gid];
    groups.extend(users.groups_of(&user.name).filter(|gid| *gid != user.gid));
    Some(Ids {
        uid: user.uid,
        euid: user.uid,
        gid: user.gid,
        egid: user.gid,
        groups,
    })
}

/// `id [-ugGnr] [USER]`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(
        args,
        "ugGnr",
        &[
            ("user", 'u'),
            ("group", 'g'),
            ("groups", 'G'),
            ("name", 'n'),
            ("real", 'r'),
        ],
    ) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.len() > 1 {
        return show_usage("id");
    }
    let users = Users::load();
    let Some(ids) = ids(&users, opts.args.first()) else {
        complain!("id", "unknown user {}", opts.args.first().map_or("", String::as_str));
        return 1;
    };
    let mut code = 0;
    let mut name_of = |name: Option<&str>, id: u32| {
        if name.is_none() && opts.has('n') {
            complain!("id", "unknown ID {id}");
            code = 1;
        }
        name.filter(|_| opts.has('n')).map_or(id.to_string(), str::to_owned)
    };
    let user_name = |id: u32| users.by_uid(id).map(|user| user.name.as_str());
    let mut out = Out::stdout();
    match opts.last_of("ugG") {
        Some('u') => {
            let id = if opts.has('r') { ids.uid } else { ids.euid };
            out!(out, "{}\n", name_of(user_name(id), id));
        }
        Some('g') => {
            let id = if opts.has('r') { ids.gid } else { ids.egid };
            out!(out, "{}\n", name_of(users.group_by_gid(id), id));
        }
        Some(_) => {
            let all = all_groups(&ids);
            let names: Vec<String> = all.iter().map(|id| name_of(users.group_by_gid(*id), *id)).collect();
            out!(out, "{}\n", names.join(" "));
        }
        None => {
            let named = |label: &str, id: u32, name: Option<&str>| match name {
                Some(name) => format!("{label}{id}({name})"),
                None => format!("{label}{id}"),
            };
            let mut parts = vec![
                named("uid=", ids.uid, user_name(ids.uid)),
                named("gid=", ids.gid, users.group_by_gid(ids.gid)),
            ];
            if ids.euid != ids.uid {
                parts.push(named("euid=", ids.euid, user_name(ids.euid)));
            }
            if ids.egid != ids.gid {
                parts.push(named("egid=", ids.egid, users.group_by_gid(ids.egid)));
            }
            if !ids.groups.is_empty() {
                let groups: Vec<String> = ids
                    .groups
                    .iter()
                    .map(|gid| named("", *gid, users.group_by_gid(*gid)))
                    .collect();
                parts.push(format!("groups={}", groups.join(",")));
            }
            out!(out, "{}\n", parts.join(" "));
        }
    }
    out.finish("id", code)
}

fn all_groups(ids: &Ids) -> Vec<u32> {
    let mut all = vec![ids.gid];
    if ids.egid != ids.gid {
        all.push(ids.egid);
    }
    all.extend(ids.groups.iter().filter(|gid| **gid != ids.gid && **gid != ids.egid));
    all
}

/// `whoami`
pub fn whoami(_args: &[String]) -> i32 {
    let uid = sys::credentials().euid;
    let Some(name) = Users::load().by_uid(uid).map(|user| user.name.clone()) else {
        complain!("whoami", "unknown uid {uid}");
        return 1;
    };
    let mut out = Out::stdout();
    out.line(&name);
    out.finish("whoami", 0)
}

/// `groups [USER]`
pub fn groups(args: &[String]) -> i32 {
    let users = Users::load();
    let Some(ids) = ids(&users, args.get(1)) else {
        complain!("groups", "unknown user {}", args.get(1).map_or("", String::as_str));
        return 1;
    };
    let names: Vec<String> = all_groups(&ids).iter().map(|gid| users.group_name(*gid)).collect();
    let mut out = Out::stdout();
    out.line(&names.join(" "));
    out.finish("groups", 0)
}
