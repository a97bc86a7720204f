//! User namespaces (`user_namespaces(7)`), as far as Pods with `hostUsers: false` need them: one level below the node's own, the ids from 0 up.
//!
//! Credentials and the owners of files are what the Pod sees, as on Linux with ID-mapped mounts: so inside a Pod nothing is different. What
//! is different is how its processes look from outside, and that its root has no rights that are the node's to give.

use parking_lot::Mutex;
use podsim_sys::NsKind;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many ids a Pod has (KEP-127).
const POD_IDS: u32 = 65_536;
/// What an id that a namespace does not have looks like in it (`/proc/sys/kernel/overflowuid`).
const OVERFLOW_ID: u32 = 65_534;

/// A user namespace.
pub struct UserNamespace {
    /// Its number in `/proc/PID/ns/user`.
    pub inode: u64,
    /// What its user 0 is on the node.
    first: u32,
    count: u32,
    /// Where the range is given back; `None` for the node's own.
    taken: Option<Arc<Ranges>>,
}

/// The first ids of the ranges that Pods have.
#[derive(Default)]
pub(crate) struct Ranges(Mutex<BTreeSet<u32>>);

impl Drop for UserNamespace {
    fn drop(&mut self) {
        if let Some(taken) = &self.taken {
            taken.0.lock().remove(&self.first);
        }
    }
}

impl UserNamespace {
    /// The node's own.
    pub(crate) fn initial() -> Arc<Self> {
        Arc::new(Self {
            inode: NsKind::User.initial_inode(),
            first: 0,
            count: u32::MAX,
            taken: None,
        })
    }

    /// One with ids that no other has; `None` when there are no more.
    pub(crate) fn new(inode: u64, taken: &Arc<Ranges>) -> Option<Arc<Self>> {
        let mut ranges = taken.0.lock();
        let first = (1..u32::MAX / POD_IDS)
            .map(|step| step * POD_IDS)
            .find(|first| !ranges.contains(first))?;
        ranges.insert(first);
        drop(ranges);
        Some(Arc::new(Self {
            inode,
            first,
            count: POD_IDS,
            taken: Some(taken.clone()),
        }))
    }

    /// Whether it is the node's own.
    #[must_use]
    pub fn is_initial(&self) -> bool {
        self.taken.is_none()
    }

    /// What one of its ids is on the node: equal for the same user only.
    #[must_use]
    pub fn on_node(&self, id: u32) -> Option<u32> {
        (id < self.count).then(|| self.first.saturating_add(id))
    }

    /// One of its ids as it is seen in another namespace.
    #[must_use]
    pub fn seen_in(&self, other: &Self, id: u32) -> u32 {
        let there = self.on_node(id).and_then(|id| id.checked_sub(other.first));
        there.filter(|id| *id < other.count).unwrap_or(OVERFLOW_ID)
    }

    /// The line of `/proc/PID/uid_map` and `gid_map` for who is in `reader`.
    pub(crate) fn map(&self, reader: &Self) -> String {
        // In the namespace itself its ids are told as those of the one above it.
        let outside = match reader.is_initial() || std::ptr::eq(self, reader) {
            true => self.first,
            false => u32::MAX,
        };
        format!("{:>10} {:>10} {:>10}\n", 0, outside, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_seen_as_those_of_the_node_or_as_nobodys() {
        let node = UserNamespace::initial();
        let taken = Arc::<Ranges>::default();
        let pod = |inode| UserNamespace::new(inode, &taken).expect("a range");
        let (a, b) = (pod(1), pod(2));
        for (of, other, id, seen) in [
            (&node, &node, 1000, 1000),
            (&a, &a, 0, 0),
            (&a, &node, 0, 65_536),
            (&b, &node, 7, 131_079),
            (&a, &b, 0, OVERFLOW_ID),
            (&node, &a, 0, OVERFLOW_ID),
            (&node, &a, 65_537, 1),
            (&a, &node, 65_536, OVERFLOW_ID),
        ] {
            assert_eq!(of.seen_in(other, id), seen, "{id}");
        }
        assert_eq!(a.map(&a), "         0      65536      65536\n");
        assert_eq!(b.map(&node), "         0     131072      65536\n");
        assert_eq!(b.map(&a), "         0 4294967295      65536\n");
        drop(a);
        assert_eq!(pod(3).on_node(0), Some(65_536), "free again");
    }
}
