//! `/proc/PID/fd` and `/proc/PID/fdinfo`: the open files of a process.

use crate::fs::inode::{Inode, MagicLink};
use crate::fs::procfs::ProcFs;
use crate::fs::procfs::node::{Subject, listed, parse_number, proc_stat};
use crate::fs::procfs::view::View;
use crate::fs::pseudo::{PseudoFile, PseudoText, ino};
use crate::fs::{Caller, FileDescription, FileOps};
use podsim_sys::{DirEntry, Errno, Fd, FileType, OpenFlags, Result, Stat, Whence};
use std::sync::Arc;

/// A number in `/proc/PID/fd` (a link that leads to the file itself) or in `/proc/PID/fdinfo`.
pub(in crate::fs::procfs) struct FdNode {
    fs: Arc<ProcFs>,
    subject: Subject,
    ino: u64,
    fd: Fd,
    info: bool,
}

impl FdNode {
    pub(in crate::fs::procfs) fn lookup(
        fs: &Arc<ProcFs>,
        subject: &Subject,
        parent: u64,
        name: &str,
        info: bool,
    ) -> Result<Arc<dyn Inode>> {
        let fd = Fd(parse_number(name).ok_or(Errno::ENOENT)?);
        subject.get(fs)?.files.get(fd).map_err(|_| Errno::ENOENT)?;
        Ok(Arc::new(Self {
            fs: fs.clone(),
            subject: subject.clone(),
            ino: ino(parent, name),
            fd,
            info,
        }))
    }

    /// The open numbers; the position of a number is itself + 2.
    pub(in crate::fs::procfs) fn list(
        fs: &Arc<ProcFs>,
        subject: &Subject,
        parent: u64,
        start: u64,
        max: usize,
        info: bool,
    ) -> Result<Vec<DirEntry>> {
        let file_type = if info { FileType::Regular } else { FileType::Symlink };
        let open = subject.get(fs)?.files.list();
        let position = |fd: Fd| u64::try_from(fd.0).unwrap_or(0) + 2;
        let names = open.iter().filter(|(fd, _)| position(*fd) >= start).map(|(fd, _)| {
            let name = fd.0.to_string();
            (ino(parent, &name), file_type, name)
        });
        let mut entries = listed(names, 2, max);
        for entry in &mut entries {
            entry.next = entry.name.parse().map_or(entry.next, |fd| position(Fd(fd)) + 1);
        }
        Ok(entries)
    }

    fn file(&self) -> Result<Arc<FileDescription>> {
        self.subject
            .get(&self.fs)?
            .files
            .get(self.fd)
            .map_err(|_| Errno::ENOENT)
    }

    fn check(&self, caller: &Caller) -> Result<()> {
        let view = View {
            fs: &self.fs,
            kernel: self.fs.kernel()?,
            process: self.subject.get(&self.fs)?,
            caller,
        };
        view.check_ptrace()
    }
}

impl Inode for FdNode {
    fn file_type(&self) -> FileType {
        if self.info {
            FileType::Regular
        } else {
            FileType::Symlink
        }
    }

    fn is_valid(&self) -> bool {
        self.file().is_ok()
    }

    fn stat(&self) -> Result<Stat> {
        if self.info {
            return proc_stat(&self.fs, Some(&self.subject), self.ino, FileType::Regular, 0o444);
        }
        let flags = self.file()?.flags();
        let mode = if flags.readable() { 0o500 } else { 0 } | if flags.writable() { 0o300 } else { 0 };
        let stat = proc_stat(&self.fs, Some(&self.subject), self.ino, FileType::Symlink, mode)?;
        Ok(Stat { size: 64, ..stat })
    }

    fn read_link(&self, caller: &Caller) -> Result<String> {
        if self.info {
            return Err(Errno::EINVAL);
        }
        self.check(caller)?;
        let file = self.file()?;
        match file.path() {
            Some(path) => Ok(path.display(&caller.fs.root)),
            None => Ok(file
                .ops()
                .anonymous_name()
                .unwrap_or_else(|| "anon_inode:[file]".into())),
        }
    }

    fn magic_link(&self, caller: &Caller) -> Result<Option<MagicLink>> {
        if self.info {
            return Ok(None);
        }
        self.check(caller)?;
        let file = self.file()?;
        Ok(Some(match file.path() {
            Some(path) => MagicLink::Path(path.clone()),
            None => MagicLink::File(file),
        }))
    }

    fn open(self: Arc<Self>, caller: &Caller, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        if !self.info {
            return Err(Errno::ELOOP);
        }
        if flags.writable() {
            return Err(Errno::EACCES);
        }
        self.check(caller)?;
        Ok(PseudoFile::open(self, caller))
    }
}

impl PseudoText for FdNode {
    fn text(&self, _caller: &Caller) -> Result<String> {
        let file = self.file()?;
        let position = file.seek(0, Whence::Current).unwrap_or(0);
        let mount = file.path().map_or(0, |path| path.mount.id());
        let ino = file.ops().stat()?.ino;
        Ok(format!(
            "pos:\t{position}\nflags:\t0{:o}\nmnt_id:\t{mount}\nino:\t{ino}\n",
            file.flags().bits()
        ))
    }
}
