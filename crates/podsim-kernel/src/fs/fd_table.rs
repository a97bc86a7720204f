//! [`FdTable`]: the open files of a process by number (Linux's `files_struct`).

use crate::fs::FileDescription;
use parking_lot::Mutex;
use podsim_sys::{Errno, Fd, Result};
use std::sync::Arc;

/// What `RLIMIT_NOFILE` can be at most (Linux's `fs.nr_open`).
pub const NR_OPEN: u64 = 1 << 20;

/// The open files of one process. Files that fall out of the table are dropped after its lock has been given back,
/// since a last close may wake others or send signals.
pub struct FdTable {
    inner: Mutex<Inner>,
}

#[derive(Clone)]
struct Inner {
    entries: Vec<Option<Entry>>,
    /// The soft `RLIMIT_NOFILE`: numbers from it on are not handed out.
    limit: usize,
    /// The process has ended: nothing can be opened any more.
    closed: bool,
}

#[derive(Clone)]
struct Entry {
    file: Arc<FileDescription>,
    cloexec: bool,
}

impl Inner {
    fn entry(&mut self, fd: Fd) -> Result<&mut Entry> {
        let index = usize::try_from(fd.0).map_err(|_| Errno::EBADF)?;
        self.entries.get_mut(index).and_then(Option::as_mut).ok_or(Errno::EBADF)
    }

    /// The slot of a number below the limit; the table grows to it.
    fn slot(&mut self, index: usize) -> Option<&mut Option<Entry>> {
        if index >= self.limit || self.closed {
            return None;
        }
        if index >= self.entries.len() {
            self.entries.resize(index + 1, None);
        }
        self.entries.get_mut(index)
    }
}

impl FdTable {
    /// An empty table; `limit` is the soft `RLIMIT_NOFILE`.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                entries: Vec::new(),
                limit: clamp(limit),
                closed: false,
            }),
        }
    }

    /// The open file of a number; EBADF.
    pub fn get(&self, fd: Fd) -> Result<Arc<FileDescription>> {
        Ok(self.inner.lock().entry(fd)?.file.clone())
    }

    /// Puts an open file at the lowest free number; EMFILE.
    pub fn insert(&self, file: Arc<FileDescription>, cloexec: bool) -> Result<Fd> {
        self.insert_from(Fd(0), file, cloexec)
    }

    /// Puts an open file at the lowest free number from `min` on (`F_DUPFD`); EINVAL for a `min` out of range, EMFILE.
    pub fn insert_from(&self, min: Fd, file: Arc<FileDescription>, cloexec: bool) -> Result<Fd> {
        let mut inner = self.inner.lock();
        let min = usize::try_from(min.0).map_err(|_| Errno::EINVAL)?;
        if min > 0 && min >= inner.limit {
            return Err(Errno::EINVAL);
        }
        let free = inner.entries.iter().skip(min).position(Option::is_none);
        let index = free.map_or(inner.entries.len().max(min), |offset| min + offset);
        let fd = i32::try_from(index).map_err(|_| Errno::EMFILE)?;
        *inner.slot(index).ok_or(Errno::EMFILE)? = Some(Entry { file, cloexec });
        Ok(Fd(fd))
    }

    /// Puts an open file at this number, in place of what is there (`dup2(2)`); EBADF when the number is out of range.
    pub fn set(&self, fd: Fd, file: Arc<FileDescription>, cloexec: bool) -> Result<()> {
        let index = usize::try_from(fd.0).map_err(|_| Errno::EBADF)?;
        let entry = Some(Entry { file, cloexec });
        let old = std::mem::replace(self.inner.lock().slot(index).ok_or(Errno::EBADF)?, entry);
        drop(old);
        Ok(())
    }

    /// Takes an open file out (`close(2)`); EBADF.
    pub fn remove(&self, fd: Fd) -> Result<Arc<FileDescription>> {
        let index = usize::try_from(fd.0).map_err(|_| Errno::EBADF)?;
        let mut inner = self.inner.lock();
        let entry = inner.entries.get_mut(index).and_then(Option::take);
        entry.map(|entry| entry.file).ok_or(Errno::EBADF)
    }

    /// Whether exec closes it.
    pub fn cloexec(&self, fd: Fd) -> Result<bool> {
        Ok(self.inner.lock().entry(fd)?.cloexec)
    }

    /// Sets whether exec closes it.
    pub fn set_cloexec(&self, fd: Fd, cloexec: bool) -> Result<()> {
        self.inner.lock().entry(fd)?.cloexec = cloexec;
        Ok(())
    }

    /// The open numbers and their files, lowest first: `/proc/PID/fd`.
    pub fn list(&self) -> Vec<(Fd, Arc<FileDescription>)> {
        let inner = self.inner.lock();
        let numbered = (0..).map(Fd).zip(&inner.entries);
        numbered
            .filter_map(|(fd, entry)| Some((fd, entry.as_ref()?.file.clone())))
            .collect()
    }

    /// A copy for a child: the same open files.
    pub(crate) fn fork(&self) -> Self {
        Self {
            inner: Mutex::new(self.inner.lock().clone()),
        }
    }

    /// Closes what exec closes.
    pub(crate) fn close_on_exec(&self) {
        let mut closed = Vec::new();
        for slot in &mut self.inner.lock().entries {
            if slot.as_ref().is_some_and(|entry| entry.cloexec) {
                closed.extend(slot.take());
            }
        }
    }

    /// Closes everything, for good: the process has ended.
    pub(crate) fn close_all(&self) {
        let entries = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            std::mem::take(&mut inner.entries)
        };
        drop(entries);
    }

    /// A new soft `RLIMIT_NOFILE`. Numbers above it that are open stay open.
    pub(crate) fn set_limit(&self, limit: Option<u64>) {
        self.inner.lock().limit = clamp(limit);
    }
}

fn clamp(limit: Option<u64>) -> usize {
    usize::try_from(limit.unwrap_or(NR_OPEN).min(NR_OPEN)).unwrap_or(usize::MAX)
}
