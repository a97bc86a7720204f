//! Ranges of user and group ids, as data.

use serde::{Deserialize, Serialize};

/// How many ids a Pod with `hostUsers: false` gets (KEP-127).
pub const POD_IDS: u32 = 65_536;

/// Consecutive ids of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// A line of a `uid_map` or `gid_map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMap {
    /// The first id inside the namespace.
    pub inside: u32,
    /// What it is outside.
    pub outside: u32,
    /// How many follow each other.
    pub count: u32,
}

impl IdRange {
    fn end(self) -> u64 {
        u64::from(self.first) + u64::from(self.count)
    }

    fn overlaps(self, other: IdRange) -> bool {
        u64::from(self.first) < other.end() && u64::from(other.first) < self.end()
    }

    /// The map that shows the range as the ids from 0 up.
    #[must_use]
    pub fn from_zero(self) -> IdMap {
        IdMap {
            inside: 0,
            outside: self.first,
            count: self.count,
        }
    }
}

/// A range of [`POD_IDS`] ids that overlaps none of `taken`: from 65536 up in steps, as the kubelet gives them, and below `end`
/// (`u32::MAX` for root; rootless, the number of ids that there are). `None`: all are taken.
#[must_use]
pub fn free_range(taken: &[IdRange], end: u32) -> Option<IdRange> {
    (1..=u32::MAX / POD_IDS)
        .map(|step| IdRange {
            first: step * POD_IDS,
            count: POD_IDS,
        })
        .take_while(|range| range.end() <= u64::from(end))
        .find(|range| !taken.iter().any(|other| range.overlaps(*other)))
}

/// The ranges that `/etc/subuid` and `/etc/subgid` give to users: not for Pods.
#[must_use]
pub fn reserved() -> Vec<IdRange> {
    let read = |file| std::fs::read_to_string(file).unwrap_or_default();
    let all = read("/etc/subuid") + "\n" + &read("/etc/subgid");
    all.lines()
        .filter_map(|line| entry(line).map(|(_, range)| range))
        .collect()
}

/// The largest range that a file such as `/etc/subuid` (`subuid(5)`) gives to a user.
pub(super) fn subordinate(file: &str, user: Option<&str>, id: u32) -> Option<IdRange> {
    let id = id.to_string();
    file.lines()
        .filter_map(entry)
        .filter(|(owner, _)| Some(*owner) == user || *owner == id)
        .map(|(_, range)| range)
        .max_by_key(|range| range.count)
}

/// `owner:first:count`.
fn entry(line: &str) -> Option<(&str, IdRange)> {
    let mut fields = line.trim().splitn(3, ':');
    let (owner, first, count) = (
        fields.next()?,
        fields.next()?.parse().ok()?,
        fields.next()?.parse().ok()?,
    );
    (count > 0).then_some((owner, IdRange { first, count }))
}
