//! Resource limits (`getrlimit(2)`).

use crate::fs::fd_table::NR_OPEN;
use podsim_sys::{Errno, Resource, Result, Rlimit};

/// The limits of a process. NOFILE, NPROC, AS and FSIZE are enforced; the others are kept and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits([Rlimit; 16]);

impl Default for Limits {
    /// What container runtimes give on a Linux node.
    fn default() -> Self {
        let both = |value| Rlimit {
            soft: value,
            hard: value,
        };
        let mut limits = Self([both(None); 16]);
        let set = [
            (
                Resource::Stack,
                Rlimit {
                    soft: Some(8 << 20),
                    hard: None,
                },
            ),
            (Resource::Nofile, both(Some(NR_OPEN))),
            (Resource::Memlock, both(Some(64 << 10))),
            (Resource::Sigpending, both(Some(96_000))),
            (Resource::Msgqueue, both(Some(819_200))),
            (Resource::Nice, both(Some(0))),
            (Resource::Rtprio, both(Some(0))),
        ];
        for (resource, limit) in set {
            limits.put(resource, limit);
        }
        limits
    }
}

impl Limits {
    /// One limit.
    #[must_use]
    pub fn get(&self, resource: Resource) -> Rlimit {
        self.0
            .get(resource as usize)
            .copied()
            .unwrap_or(Rlimit { soft: None, hard: None })
    }

    /// Sets one limit, with no questions asked.
    pub(crate) fn put(&mut self, resource: Resource, limit: Rlimit) {
        if let Some(slot) = self.0.get_mut(resource as usize) {
            *slot = limit;
        }
    }

    /// `setrlimit(2)`: EINVAL for a soft limit above the hard one, EPERM for a raised hard limit without CAP_SYS_RESOURCE.
    pub(crate) fn set(&mut self, resource: Resource, limit: Rlimit, privileged: bool) -> Result<()> {
        let above = |a: Option<u64>, b: Option<u64>| a.unwrap_or(u64::MAX) > b.unwrap_or(u64::MAX);
        if above(limit.soft, limit.hard) {
            return Err(Errno::EINVAL);
        }
        let raised = above(limit.hard, self.get(resource).hard);
        let too_many_files = resource == Resource::Nofile && above(limit.hard, Some(NR_OPEN));
        if (raised && !privileged) || too_many_files {
            return Err(Errno::EPERM);
        }
        self.put(resource, limit);
        Ok(())
    }
}
