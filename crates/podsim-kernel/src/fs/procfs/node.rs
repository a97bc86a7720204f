//! [`ProcNode`]: an inode of procfs. What it is comes from an [`Entry`] of a table.

use super::ProcFs;
use super::pid::{self, fd::FdNode, ns::NsLink};
use super::root;
use super::view::View;
use crate::fs::inode::{Inode, MagicLink};
use crate::fs::permission::generic_permission;
use crate::fs::pseudo::{PseudoFile, PseudoText, ino};
use crate::fs::{Caller, FileOps, PathRef};
use crate::process::Process;
use podsim_sys::{Access, DeviceNumber, DirEntry, Errno, FileType, Mode, OpenFlags, Pid, Result, Stat};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A name of procfs.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) mode: u16,
    pub(super) kind: Kind,
}

type Show = fn(&View) -> Result<String>;

/// What a name is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A directory with these names.
    Dir(&'static [Entry]),
    /// `/proc` itself: its names, and a directory for each process.
    Root,
    /// A file.
    File(Show),
    /// A file that can be written too.
    Write(Show, fn(&View, &str) -> Result<()>),
    /// A file for those only who may look into the process.
    Private(Show),
    /// A symbolic link that is only text.
    Link(Show),
    /// A link that leads to a place itself.
    Magic(fn(&View) -> Result<PathRef>),
    /// `/proc/PID/fd` and `/proc/PID/fdinfo`.
    FdDir {
        /// The second one.
        info: bool,
    },
    /// `/proc/PID/ns`.
    NsDir,
    /// `/proc/PID/task`: the process has one thread, itself.
    TaskDir,
}

/// An inode of procfs.
pub(super) struct ProcNode {
    pub(super) fs: Arc<ProcFs>,
    /// The process that it is about.
    pub(super) process: Option<Subject>,
    ino: u64,
    mode: u16,
    kind: Kind,
}

/// A process that a directory of procfs is about. It may be gone meanwhile.
#[derive(Clone)]
pub(super) struct Subject {
    process: Weak<Process>,
    pid: Pid,
}

impl Subject {
    /// The process: ESRCH when it is gone, even if somebody still holds its remains.
    pub(super) fn get(&self, fs: &ProcFs) -> Result<Arc<Process>> {
        let process = self.process.upgrade().ok_or(Errno::ESRCH)?;
        let there = fs.kernel()?.process(&fs.pid_ns, self.pid);
        if there.is_some_and(|there| Arc::ptr_eq(&there, &process)) {
            Ok(process)
        } else {
            Err(Errno::ESRCH)
        }
    }
}

impl Kind {
    fn file_type(self) -> FileType {
        match self {
            Kind::Dir(_) | Kind::Root | Kind::FdDir { .. } | Kind::NsDir | Kind::TaskDir => FileType::Directory,
            Kind::File(_) | Kind::Write(..) | Kind::Private(_) => FileType::Regular,
            Kind::Link(_) | Kind::Magic(_) => FileType::Symlink,
        }
    }
}

impl ProcNode {
    pub(super) fn root(fs: &Arc<ProcFs>) -> Arc<Self> {
        Arc::new(Self {
            fs: fs.clone(),
            process: None,
            ino: 1,
            mode: 0o555,
            kind: Kind::Root,
        })
    }

    fn child(&self, entry: &'static Entry) -> Arc<dyn Inode> {
        Arc::new(Self {
            fs: self.fs.clone(),
            process: self.process.clone(),
            ino: ino(self.ino, entry.name),
            mode: entry.mode,
            kind: entry.kind,
        })
    }

    /// The directory of a process.
    fn of_process(&self, pid: Pid) -> Result<Arc<dyn Inode>> {
        let process = self.fs.kernel()?.process(&self.fs.pid_ns, pid).ok_or(Errno::ENOENT)?;
        Ok(Arc::new(Self {
            fs: self.fs.clone(),
            process: Some(Subject {
                process: Arc::downgrade(&process),
                pid,
            }),
            ino: pid_ino(pid),
            mode: 0o555,
            kind: Kind::Dir(pid::ENTRIES),
        }))
    }

    fn subject(&self) -> Result<&Subject> {
        self.process.as_ref().ok_or(Errno::ESRCH)
    }

    fn view<'a>(&'a self, caller: &'a Caller) -> Result<View<'a>> {
        let kernel = self.fs.kernel()?;
        let process = match (&self.process, &caller.process) {
            (Some(subject), _) => subject.get(&self.fs)?,
            (None, Some(asker)) => asker.clone(),
            // The runtime itself asks: it sees what the node's init sees.
            (None, None) => kernel
                .process(kernel.initial_pid_namespace(), Pid(1))
                .ok_or(Errno::ESRCH)?,
        };
        Ok(View {
            fs: &self.fs,
            kernel,
            process,
            caller,
        })
    }

    fn link_target(&self, caller: &Caller) -> Result<String> {
        let view = self.view(caller)?;
        match self.kind {
            Kind::Link(show) => show(&view),
            Kind::Magic(target) => {
                view.check_ptrace()?;
                Ok(target(&view)?.display(&caller.fs.root))
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

/// The inode number of `/proc/PID`.
fn pid_ino(pid: Pid) -> u64 {
    ino(1, &pid.to_string())
}

/// A number as procfs writes it: no sign, no leading zeros.
pub(super) fn parse_number(name: &str) -> Option<i32> {
    let number: i32 = name.parse().ok()?;
    (number >= 0 && number.to_string() == name).then_some(number)
}

/// The attributes of an object of procfs: those about a process belong to its effective user.
pub(super) fn proc_stat(
    fs: &ProcFs,
    subject: Option<&Subject>,
    ino: u64,
    file_type: FileType,
    mode: u16,
) -> Result<Stat> {
    let (owner, since) = match subject {
        None => ((0, 0), Duration::ZERO),
        Some(subject) => {
            let process = subject.get(fs)?;
            let credentials = process.credentials();
            let users = process.namespaces().user.clone();
            let seen = |id| users.seen_in(fs.pid_ns.owner(), id);
            ((seen(credentials.euid), seen(credentials.egid)), process.started())
        }
    };
    let time = fs.booted + since;
    Ok(Stat {
        dev: fs.dev,
        ino,
        file_type,
        mode: Mode(mode),
        nlink: if file_type == FileType::Directory { 2 } else { 1 },
        uid: owner.0,
        gid: owner.1,
        rdev: DeviceNumber::default(),
        size: 0,
        blocks: 0,
        atime: time,
        mtime: time,
        ctime: time,
    })
}

/// Names with their positions from 2 on, as directories of procfs list them.
pub(super) fn listed(names: impl Iterator<Item = (u64, FileType, String)>, start: u64, max: usize) -> Vec<DirEntry> {
    let skip = usize::try_from(start.saturating_sub(2)).unwrap_or(usize::MAX);
    let entries = (2..).zip(names).skip(skip).take(max);
    entries
        .map(|(position, (ino, file_type, name))| DirEntry {
            ino,
            file_type,
            name,
            next: position + 1,
        })
        .collect()
}

impl Inode for ProcNode {
    fn file_type(&self) -> FileType {
        self.kind.file_type()
    }

    fn is_valid(&self) -> bool {
        self.process
            .as_ref()
            .is_none_or(|subject| subject.get(&self.fs).is_ok())
    }

    fn stat(&self) -> Result<Stat> {
        let mut stat = proc_stat(&self.fs, self.process.as_ref(), self.ino, self.file_type(), self.mode)?;
        if let Kind::Root = self.kind {
            let kernel = self.fs.kernel()?;
            stat.nlink = u32::try_from(kernel.processes(&self.fs.pid_ns).len()).unwrap_or(u32::MAX - 9) + 9;
        }
        Ok(stat)
    }

    fn permission(&self, caller: &Caller, access: Access) -> Result<()> {
        if let (Kind::FdDir { .. }, Some(subject), Some(asker)) = (self.kind, &self.process, &caller.process)
            && Arc::ptr_eq(&subject.get(&self.fs)?, asker)
        {
            // A process sees its own files whatever its ids are (proc_fd_permission).
            return Ok(());
        }
        generic_permission(&self.stat()?, &caller.credentials, access)?;
        match self.kind {
            Kind::Private(_) => self.view(caller)?.check_ptrace(),
            _ => Ok(()),
        }
    }

    fn lookup(&self, name: &str) -> Result<Arc<dyn Inode>> {
        let find = |entries: &'static [Entry]| entries.iter().find(|entry| entry.name == name);
        match self.kind {
            Kind::Dir(entries) => Ok(self.child(find(entries).ok_or(Errno::ENOENT)?)),
            Kind::Root => match find(root::ENTRIES) {
                Some(entry) => Ok(self.child(entry)),
                None => self.of_process(Pid(parse_number(name).ok_or(Errno::ENOENT)?)),
            },
            Kind::FdDir { info } => FdNode::lookup(&self.fs, self.subject()?, self.ino, name, info),
            Kind::NsDir => NsLink::lookup(&self.fs, self.subject()?, self.ino, name),
            Kind::TaskDir if Some(self.subject()?.pid.0) == parse_number(name) => self.of_process(self.subject()?.pid),
            Kind::TaskDir => Err(Errno::ENOENT),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn read_dir(&self, start: u64, max: usize) -> Result<Vec<DirEntry>> {
        let table = |entries: &'static [Entry]| {
            let parent = self.ino;
            entries
                .iter()
                .map(move |entry| (ino(parent, entry.name), entry.kind.file_type(), entry.name.to_owned()))
        };
        let process = |pid: Pid| (pid_ino(pid), FileType::Directory, pid.to_string());
        match self.kind {
            Kind::Dir(entries) => Ok(listed(table(entries), start, max)),
            Kind::Root => Ok(self.read_root(table(root::ENTRIES), start, max)?),
            Kind::FdDir { info } => FdNode::list(&self.fs, self.subject()?, self.ino, start, max, info),
            Kind::NsDir => Ok(listed(NsLink::names(self.ino), start, max)),
            Kind::TaskDir => Ok(listed(std::iter::once(process(self.subject()?.pid)), start, max)),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn read_link(&self, caller: &Caller) -> Result<String> {
        self.link_target(caller)
    }

    fn magic_link(&self, caller: &Caller) -> Result<Option<MagicLink>> {
        let Kind::Magic(target) = self.kind else {
            return Ok(None);
        };
        let view = self.view(caller)?;
        view.check_ptrace()?;
        target(&view).map(|path| Some(MagicLink::Path(path)))
    }

    fn truncate(&self, _size: u64) -> Result<()> {
        // `echo x > /proc/sys/…` opens with O_TRUNC, which means nothing here.
        Ok(())
    }

    fn open(self: Arc<Self>, caller: &Caller, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        if flags.writable() && !matches!(self.kind, Kind::Write(..)) {
            return Err(Errno::EACCES);
        }
        Ok(PseudoFile::open(self, caller))
    }
}

impl ProcNode {
    /// `/proc`: the positions of processes are their numbers, so that none is missed while others come and go.
    fn read_root(
        &self,
        names: impl Iterator<Item = (u64, FileType, String)>,
        start: u64,
        max: usize,
    ) -> Result<Vec<DirEntry>> {
        const FIRST_PROCESS: u64 = 256;
        let mut entries = if start < FIRST_PROCESS {
            listed(names, start, max)
        } else {
            Vec::new()
        };
        let kernel = self.fs.kernel()?;
        let position = |pid: Pid| FIRST_PROCESS + u64::try_from(pid.0).unwrap_or(0);
        let processes = kernel.processes(&self.fs.pid_ns).into_iter().map(|(pid, _)| pid);
        let rest = processes
            .filter(|pid| position(*pid) >= start)
            .take(max - entries.len());
        entries.extend(rest.map(|pid| DirEntry {
            ino: pid_ino(pid),
            file_type: FileType::Directory,
            name: pid.to_string(),
            next: position(pid) + 1,
        }));
        Ok(entries)
    }
}

impl PseudoText for ProcNode {
    fn text(&self, caller: &Caller) -> Result<String> {
        match self.kind {
            Kind::File(show) | Kind::Write(show, _) | Kind::Private(show) => show(&self.view(caller)?),
            _ => Err(Errno::EINVAL),
        }
    }

    fn write_text(&self, caller: &Caller, text: &str) -> Result<()> {
        match self.kind {
            Kind::Write(_, write) => write(&self.view(caller)?, text),
            _ => Err(Errno::EINVAL),
        }
    }
}
