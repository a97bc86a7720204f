//! `/proc/PID/ns`: the namespaces of a process, as links such as `pid:[4026531836]` that open as files for `setns(2)` (`namespaces(7)`).

use crate::fs::inode::{Inode, MagicLink};
use crate::fs::procfs::ProcFs;
use crate::fs::procfs::node::{Subject, proc_stat};
use crate::fs::procfs::view::View;
use crate::fs::pseudo::ino;
use crate::fs::{Caller, FileOps};
use crate::nsproxy::NsRef;
use podsim_sys::{DeviceNumber, Errno, FileType, Mode, NsKind, OpenFlags, Result, Stat};
use std::sync::Arc;
use std::time::Duration;

/// The links in Linux's order, which is that of `ls`.
const NAMES: [(&str, NsKind); 8] = [
    ("cgroup", NsKind::Cgroup),
    ("ipc", NsKind::Ipc),
    ("mnt", NsKind::Mnt),
    ("net", NsKind::Net),
    ("pid", NsKind::Pid),
    ("pid_for_children", NsKind::Pid),
    ("user", NsKind::User),
    ("uts", NsKind::Uts),
];

/// A link to a namespace of a process.
pub(in crate::fs::procfs) struct NsLink {
    fs: Arc<ProcFs>,
    subject: Subject,
    ino: u64,
    name: &'static str,
    kind: NsKind,
}

impl NsLink {
    pub(in crate::fs::procfs) fn lookup(
        fs: &Arc<ProcFs>,
        subject: &Subject,
        parent: u64,
        name: &str,
    ) -> Result<Arc<dyn Inode>> {
        let (name, kind) = *NAMES.iter().find(|(known, _)| *known == name).ok_or(Errno::ENOENT)?;
        Ok(Arc::new(Self {
            fs: fs.clone(),
            subject: subject.clone(),
            ino: ino(parent, name),
            name,
            kind,
        }))
    }

    pub(in crate::fs::procfs) fn names(parent: u64) -> impl Iterator<Item = (u64, FileType, String)> {
        NAMES
            .iter()
            .map(move |(name, _)| (ino(parent, name), FileType::Symlink, (*name).to_owned()))
    }

    /// The namespace, for those who may look into the process.
    fn namespace(&self, caller: &Caller) -> Result<NsRef> {
        let view = View {
            fs: &self.fs,
            kernel: self.fs.kernel()?,
            process: self.subject.get(&self.fs)?,
            caller,
        };
        view.check_ptrace()?;
        view.check_alive()?;
        let ns = view.process.namespaces();
        Ok(match self.kind {
            NsKind::Cgroup => NsRef::Cgroup,
            NsKind::User => NsRef::User(ns.user.clone()),
            NsKind::Ipc => NsRef::Ipc(ns.ipc.clone()),
            NsKind::Mnt => NsRef::Mnt(ns.mnt.clone()),
            NsKind::Net => NsRef::Net(ns.net.clone()),
            NsKind::Uts => NsRef::Uts(ns.uts.clone()),
            NsKind::Pid if self.name == "pid" => NsRef::Pid(view.process.pid_namespace().clone()),
            NsKind::Pid => NsRef::Pid(ns.pid_for_children.clone()),
        })
    }
}

impl Inode for NsLink {
    fn file_type(&self) -> FileType {
        FileType::Symlink
    }

    fn is_valid(&self) -> bool {
        self.subject.get(&self.fs).is_ok()
    }

    fn stat(&self) -> Result<Stat> {
        proc_stat(&self.fs, Some(&self.subject), self.ino, FileType::Symlink, 0o777)
    }

    fn read_link(&self, caller: &Caller) -> Result<String> {
        let ns = self.namespace(caller)?;
        Ok(format!("{}:[{}]", self.kind.name(), ns.inode()))
    }

    fn magic_link(&self, caller: &Caller) -> Result<Option<MagicLink>> {
        let ns = self.namespace(caller)?;
        Ok(Some(MagicLink::Inode(Arc::new(NsFile(ns)))))
    }

    fn open(self: Arc<Self>, _caller: &Caller, _flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Err(Errno::ELOOP)
    }
}

/// A namespace as a file (`nsfs`).
struct NsFile(NsRef);

impl NsFile {
    fn stat(&self) -> Stat {
        Stat {
            // nsfs is an anonymous filesystem, made at boot.
            dev: DeviceNumber { major: 0, minor: 4 },
            ino: self.0.inode(),
            file_type: FileType::Regular,
            mode: Mode(0o444),
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: DeviceNumber::default(),
            size: 0,
            blocks: 0,
            atime: Duration::ZERO,
            mtime: Duration::ZERO,
            ctime: Duration::ZERO,
        }
    }
}

impl Inode for NsFile {
    fn file_type(&self) -> FileType {
        FileType::Regular
    }

    fn stat(&self) -> Result<Stat> {
        Ok(NsFile::stat(self))
    }

    fn open(self: Arc<Self>, _caller: &Caller, _flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Ok(self)
    }
}

impl FileOps for NsFile {
    fn stat(&self) -> Result<Stat> {
        Ok(NsFile::stat(self))
    }

    fn namespace(&self) -> Option<NsRef> {
        Some(self.0.clone())
    }

    fn anonymous_name(&self) -> Option<String> {
        Some(format!("{}:[{}]", self.0.kind().name(), self.0.inode()))
    }
}
