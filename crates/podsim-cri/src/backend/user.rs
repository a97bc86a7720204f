//! Who a container runs as: the image's `USER` and the Pod's security context against the image's `/etc/passwd` and
//! `/etc/group`, as runc and containerd resolve them.

use crate::{Capabilities, SecurityContext};
use podsim_sys::{CapSet, Capability, Credentials};

/// The account files of an image; empty where it has none.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// `/etc/passwd`.
    pub passwd: String,
    /// `/etc/group`.
    pub group: String,
}

/// A resolved user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its credentials.
    pub credentials: Credentials,
    /// Its home directory, for `HOME`; `/` for a user that is not in `/etc/passwd`.
    pub home: String,
}

/// Resolves the user of a container.
///
/// # Errors
///
/// A sentence in containerd's words if a name is not in the image's files, or a capability does not exist.
pub fn resolve(image_user: &str, security: &SecurityContext, accounts: &Accounts) -> Result<User, String> {
    let (image_user, image_group) = match image_user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (image_user, None),
    };
    let wanted = match (security.run_as_user, &security.run_as_username) {
        (Some(uid), _) => uid.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) if image_user.is_empty() => "0".to_owned(),
        (None, None) => image_user.to_owned(),
    };
    // A Pod that sets the user does not get the image's group with it.
    let image_group = if security.run_as_user.is_some() {
        None
    } else {
        image_group
    };
    let entry = entries(&accounts.passwd).find(|fields| fields[0] == wanted || fields.get(2) == Some(&wanted.as_str()));
    let number = |fields: &[&str], index: usize| fields.get(index).and_then(|id| id.parse::<u32>().ok());
    let uid = match (wanted.parse::<u32>(), &entry) {
        (Ok(uid), _) => uid,
        (Err(_), Some(fields)) => number(fields, 2).unwrap_or(0),
        (Err(_), None) => {
            return Err(format!(
                "unable to find user {wanted}: no matching entries in passwd file"
            ));
        }
    };
    let gid = match (security.run_as_group, image_group) {
        (Some(gid), _) => gid,
        (None, Some(group)) => group_id(group, &accounts.group)?,
        (None, None) => entry.as_ref().and_then(|fields| number(fields, 3)).unwrap_or(0),
    };
    let mut groups = vec![gid];
    if let Some(fields) = &entry {
        let member = |group: &&Vec<&str>| {
            group
                .get(3)
                .is_some_and(|list| list.split(',').any(|name| name == fields[0]))
        };
        let all: Vec<_> = entries(&accounts.group).collect();
        groups.extend(all.iter().filter(member).filter_map(|group| number(group, 2)));
    }
    groups.extend(&security.supplemental_groups);
    let mut seen = std::collections::BTreeSet::new();
    groups.retain(|group| seen.insert(*group));

    let bounding = capabilities(&security.capabilities, security.privileged)?;
    let mut credentials = Credentials::root(bounding);
    if uid != 0 {
        // Only the limit stays: exec of a set-user-id program may use it (capabilities(7), "Transformation during execve").
        credentials.permitted = CapSet::EMPTY;
        credentials.effective = CapSet::EMPTY;
    }
    (credentials.uid, credentials.euid, credentials.suid, credentials.fsuid) = (uid, uid, uid, uid);
    (credentials.gid, credentials.egid, credentials.sgid, credentials.fsgid) = (gid, gid, gid, gid);
    credentials.groups = groups;
    credentials.no_new_privs = security.no_new_privs;
    let home = entry
        .and_then(|fields| fields.get(5).copied().filter(|home| !home.is_empty()))
        .unwrap_or("/");
    Ok(User {
        credentials,
        home: home.to_owned(),
    })
}

fn entries(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| fields.len() > 2)
}

fn group_id(wanted: &str, file: &str) -> Result<u32, String> {
    if let Ok(gid) = wanted.parse() {
        return Ok(gid);
    }
    entries(file)
        .find(|fields| fields[0] == wanted)
        .and_then(|fields| fields[2].parse().ok())
        .ok_or_else(|| format!("unable to find group {wanted}: no matching entries in group file"))
}

/// The default set, less `drop`, plus `add`; `ALL` means all. Privileged containers have all.
fn capabilities(changes: &Capabilities, privileged: bool) -> Result<CapSet, String> {
    if privileged {
        return Ok(CapSet::FULL);
    }
    let find = |name: &String| Capability::parse(name).ok_or_else(|| format!("unknown capability {name:?}"));
    let all = |names: &[String]| names.iter().any(|name| name == "ALL");
    let mut set = match (all(&changes.add), all(&changes.drop)) {
        (true, _) => CapSet::FULL,
        (false, true) => CapSet::EMPTY,
        (false, false) => CapSet::CONTAINER_DEFAULT,
    };
    for name in changes.drop.iter().filter(|name| *name != "ALL") {
        set = set.without(find(name)?);
    }
    for name in changes.add.iter().filter(|name| *name != "ALL") {
        set = set.with(find(name)?);
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\nnginx:x:101:102:nginx:/home/nginx:/bin/false\n".to_owned(),
            group: "root:x:0:\nnginx:x:102:\nweb:x:33:nginx,other\n".to_owned(),
        }
    }

    #[test]
    fn users_come_from_the_pod_then_the_image_then_root() {
        let pod = |uid| SecurityContext {
            run_as_user: Some(uid),
            ..Default::default()
        };
        for (image, security, uid, groups, home) in [
            ("", SecurityContext::default(), 0, vec![0], "/root"),
            ("nginx", SecurityContext::default(), 101, vec![102, 33], "/home/nginx"),
            ("nginx:web", SecurityContext::default(), 101, vec![33], "/home/nginx"),
            ("4242:7", SecurityContext::default(), 4242, vec![7], "/"),
            ("nginx:web", pod(101), 101, vec![102, 33], "/home/nginx"),
            ("nginx", pod(65534), 65534, vec![0], "/"),
        ] {
            let user = resolve(image, &security, &accounts()).expect(image);
            assert_eq!(
                (user.credentials.uid, user.credentials.groups, user.home.as_str()),
                (uid, groups, home),
                "{image}"
            );
        }
    }

    #[test]
    fn names_that_the_image_does_not_know_are_refused() {
        let error = resolve("nobody", &SecurityContext::default(), &accounts()).expect_err("no such user");
        assert_eq!(error, "unable to find user nobody: no matching entries in passwd file");
    }

    #[test]
    fn only_root_has_capabilities_in_effect() {
        let security = SecurityContext {
            capabilities: Capabilities {
                add: vec!["NET_ADMIN".into()],
                drop: vec!["ALL".into()],
            },
            ..Default::default()
        };
        let root = resolve("", &security, &accounts()).expect("root").credentials;
        assert_eq!(root.effective, CapSet::EMPTY.with(Capability::NET_ADMIN));
        let nginx = resolve("nginx", &security, &accounts()).expect("nginx").credentials;
        assert_eq!(
            (nginx.effective, nginx.bounding),
            (CapSet::EMPTY, CapSet::EMPTY.with(Capability::NET_ADMIN))
        );
    }
}
