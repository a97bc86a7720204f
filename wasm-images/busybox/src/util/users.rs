//! Users and groups: `/etc/passwd` and `/etc/group`.

use super::files::read_text;

/// The names that go with ids, read once.
#[derive(Debug, Default)]
pub struct Users {
    passwd: Vec<User>,
    group: Vec<Group>,
}

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// A line of `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its id.
    pub gid: u32,
    /// Its members.
    pub members: Vec<String>,
}

impl Users {
    /// Reads both files; a missing one has no entries.
    #[must_use]
    pub fn load() -> Self {
        Self::from_text(
            &read_text("/etc/passwd").unwrap_or_default(),
            &read_text("/etc/group").unwrap_or_default(),
        )
    }

    /// From the content of the files; lines that are not entries are passed over.
    #[must_use]
    pub fn from_text(passwd: &str, group: &str) -> Self {
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            let home = fields.nth(1).unwrap_or("").to_owned();
            let shell = fields.next().unwrap_or("").to_owned();
            Some(User {
                name,
                uid,
                gid,
                home,
                shell,
            })
        };
        let one_group = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let gid = fields.nth(1)?.parse().ok()?;
            let members = fields
                .next()
                .unwrap_or("")
                .split(',')
                .filter(|m| !m.is_empty())
                .map(str::to_owned);
            Some(Group {
                name,
                gid,
                members: members.collect(),
            })
        };
        Self {
            passwd: passwd.lines().filter_map(user).collect(),
            group: group.lines().filter_map(one_group).collect(),
        }
    }

    /// The user with this id.
    #[must_use]
    pub fn by_uid(&self, uid: u32) -> Option<&User> {
        self.passwd.iter().find(|user| user.uid == uid)
    }

    /// The user with this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&User> {
        self.passwd.iter().find(|user| user.name == name)
    }

    /// The name of a group.
    #[must_use]
    pub fn group_by_gid(&self, gid: u32) -> Option<&str> {
        self.group
            .iter()
            .find(|group| group.gid == gid)
            .map(|group| group.name.as_str())
    }

    /// The id of a group.
    #[must_use]
    pub fn group_by_name(&self, name: &str) -> Option<u32> {
        self.group
            .iter()
            .find(|group| group.name == name)
            .map(|group| group.gid)
    }

    /// The groups that list this user as a member.
    pub fn groups_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u32> + 'a {
        self.group
            .iter()
            .filter(move |group| group.members.iter().any(|m| m == name))
            .map(|group| group.gid)
    }

    /// The user's name, or the number.
    #[must_use]
    pub fn user_name(&self, uid: u32) -> String {
        self.by_uid(uid)
            .map_or_else(|| uid.to_string(), |user| user.name.clone())
    }

    /// The group's name, or the number.
    #[must_use]
    pub fn group_name(&self, gid: u32) -> String {
        self.group_by_gid(gid).map_or_else(|| gid.to_string(), str::to_owned)
    }

    /// A user by name or number.
    #[must_use]
    pub fn parse_user(&self, text: &str) -> Option<u32> {
        self.by_name(text).map(|user| user.uid).or_else(|| text.parse().ok())
    }

    /// A group by name or number.
    #[must_use]
    pub fn parse_group(&self, text: &str) -> Option<u32> {
        self.group_by_name(text).or_else(|| text.parse().ok())
    }
}
