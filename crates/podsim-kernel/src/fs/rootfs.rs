//! How the runtime builds and uses the mount namespace of a container: the kernel's own calls, with all rights.

use super::caller::Caller;
use super::mount::{Mount, MountNamespace};
use super::namei::{lookup, lookup_parent};
use super::open::{Opened, open};
use super::path::PathRef;
use super::super_block::{SuperBlock, Vfs};
use super::tmpfs::{Options, TmpFs};
use super::{FileDescription, attr, names};
use bytes::Bytes;
use podsim_sys::{Errno, FileType, Mode, MountFlags, NsKind, OpenFlags, Result};
use std::sync::Arc;

impl MountNamespace {
    /// The node's own, with an empty tmpfs as its root (Linux's `rootfs`).
    #[must_use]
    pub fn initial(vfs: &Arc<Vfs>) -> Arc<Self> {
        let options = Options {
            mode: Mode(0o755),
            ..Options::default()
        };
        let root = TmpFs::mount(vfs, &options);
        Self::new(vfs, NsKind::Mnt.initial_inode(), &root, "rootfs", MountFlags::empty())
    }

    /// The caller "kernel", standing at this namespace's root.
    #[must_use]
    pub fn kernel_caller(&self) -> Caller {
        Caller::kernel(self.root())
    }

    /// Finds a path, following symbolic links inside the namespace.
    pub fn resolve(&self, path: &str) -> Result<PathRef> {
        let caller = self.kernel_caller();
        lookup(&caller, &caller.fs.root, path, true)
    }

    /// Makes a directory and those above it; what is there already stays as it is.
    pub fn mkdir_all(&self, path: &str, mode: Mode) -> Result<PathRef> {
        let caller = self.kernel_caller();
        let mut at = caller.fs.root.clone();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = match lookup(&caller, &at, name, true) {
                Err(Errno::ENOENT) => names::mkdir(&caller, &at, name, mode)?,
                found => found?,
            };
        }
        if at.is_dir() { Ok(at) } else { Err(Errno::ENOTDIR) }
    }

    /// Opens a path with all rights.
    pub fn open_file(&self, path: &str, flags: OpenFlags, mode: Mode) -> Result<Arc<FileDescription>> {
        let caller = self.kernel_caller();
        match open(&caller, &caller.fs.root, path, flags, mode)? {
            Opened::File(file) => Ok(file),
            Opened::Fifo(_) => Err(Errno::ENXIO),
        }
    }

    /// The content of a file. A file of an image layer is not copied.
    pub fn read_file(&self, path: &str) -> Result<Bytes> {
        let path = self.resolve(path)?;
        match path.inode().content() {
            Ok(content) => Ok(content),
            // Files without a content of their own (procfs) are read as anybody reads them.
            Err(Errno::EACCES) if path.inode().file_type() == FileType::Regular => {
                let file = path.inode().clone().open(&self.kernel_caller(), OpenFlags::empty())?;
                read_all(&*file)
            }
            Err(errno) => Err(errno),
        }
    }

    /// Makes a file, or replaces its content. `mode` is for a new file.
    pub fn write_file(&self, path: &str, content: &[u8], mode: Mode) -> Result<PathRef> {
        let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::TRUNC;
        let file = self.open_file(path, flags, mode)?;
        let mut rest = content;
        while !rest.is_empty() {
            let written = file.try_write(rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        file.path().cloned().ok_or(Errno::EIO)
    }

    /// Makes a symbolic link.
    pub fn symlink(&self, target: &str, path: &str) -> Result<()> {
        let caller = self.kernel_caller();
        names::symlink(&caller, target, &caller.fs.root, path).map(drop)
    }

    /// Sets the owner of what is at a path.
    pub fn chown(&self, path: &str, uid: u32, gid: u32) -> Result<()> {
        attr::chown(&self.kernel_caller(), &self.resolve(path)?, Some(uid), Some(gid))
    }

    /// Sets the permissions of what is at a path.
    pub fn chmod(&self, path: &str, mode: Mode) -> Result<()> {
        attr::chmod(&self.kernel_caller(), &self.resolve(path)?, mode)
    }

    /// Mounts a filesystem at a path; the directory is made if it is not there, as container runtimes do.
    pub fn mount_at(
        self: &Arc<Self>,
        path: &str,
        sb: &Arc<SuperBlock>,
        source: &str,
        flags: MountFlags,
    ) -> Result<Arc<Mount>> {
        let at = self.mkdir_all(path, Mode(0o755))?;
        self.mount(sb, source, &at, flags)
    }

    /// Shows a directory or a single file at a path (with what is mounted below it); the place is made if it is not there.
    pub fn bind_at(self: &Arc<Self>, path: &str, what: &PathRef, flags: MountFlags) -> Result<Arc<Mount>> {
        let at = if what.is_dir() {
            self.mkdir_all(path, Mode(0o755))?
        } else {
            self.make_file(path)?
        };
        self.bind(what, &at, flags, true)
    }

    /// The file at a path, made empty if it is not there, with the directories above it.
    fn make_file(&self, path: &str) -> Result<PathRef> {
        match self.resolve(path) {
            Err(Errno::ENOENT) => {}
            found => return found,
        }
        if let Some((above, _)) = path.trim_end_matches('/').rsplit_once('/') {
            self.mkdir_all(above, Mode(0o755))?;
        }
        self.write_file(path, b"", Mode(0o644))
    }

    /// Hides what is at a path, if it is there (OCI `maskedPaths`): an empty read-only directory, or a file that is always empty.
    pub fn mask(self: &Arc<Self>, path: &str) -> Result<()> {
        let at = match self.resolve(path) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
            found => found?,
        };
        let options = Options {
            mode: Mode(0o555),
            ..Options::default()
        };
        let empty = TmpFs::mount(self.vfs(), &options);
        if at.is_dir() {
            self.mount(&empty, "tmpfs", &at, MountFlags::RDONLY)?;
            return Ok(());
        }
        // runc binds /dev/null there; an empty read-only file reads the same, and needs no /dev.
        let scratch = MountNamespace::new(self.vfs(), 0, &empty, "tmpfs", MountFlags::empty());
        let file = scratch.write_file("/null", b"", Mode(0o444))?;
        self.bind(&file, &at, MountFlags::RDONLY, false)?;
        Ok(())
    }

    /// Makes what is at a path read-only, if it is there (OCI `readonlyPaths`): a read-only bind mount of itself.
    pub fn make_readonly(self: &Arc<Self>, path: &str) -> Result<()> {
        match self.resolve(path) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(()),
            found => {
                let at = found?;
                let flags = at.mount.flags() | MountFlags::RDONLY;
                self.bind(&at, &at, flags, true).map(drop)
            }
        }
    }

    /// Removes a file, or a directory with all in it; what is not there is no error.
    pub fn remove_all(&self, path: &str) -> Result<()> {
        let caller = self.kernel_caller();
        let (dir, last) = lookup_parent(&caller, &caller.fs.root, path)?;
        let super::namei::Last::Name { name, .. } = last else {
            return Err(Errno::EINVAL);
        };
        remove_tree(&caller, &dir, &name)
    }
}

fn remove_tree(caller: &Caller, dir: &PathRef, name: &str) -> Result<()> {
    // Breadth first, so that a deep tree takes no stack; then the directories, the deepest first.
    let mut directories = vec![(dir.clone(), name.to_owned())];
    let mut next = 0;
    while let Some((parent, name)) = directories.get(next).cloned() {
        next += 1;
        match names::unlink(caller, &parent, &name) {
            Err(Errno::EISDIR) => {}
            Err(Errno::ENOENT) => continue,
            result => {
                result?;
                continue;
            }
        }
        let at = lookup(caller, &parent, &name, false)?;
        for entry in at.inode().read_dir(2, usize::MAX)? {
            directories.push((at.clone(), entry.name));
        }
    }
    for (parent, name) in directories.iter().rev() {
        match names::rmdir(caller, parent, name) {
            Err(Errno::ENOENT) => {}
            result => result?,
        }
    }
    Ok(())
}

fn read_all(file: &dyn super::FileOps) -> Result<Bytes> {
    let mut content = Vec::new();
    let mut buf = [0; 4096];
    loop {
        let n = file.read_at(&mut buf, content.len() as u64)?;
        if n == 0 {
            return Ok(content.into());
        }
        content.extend_from_slice(buf.get(..n).unwrap_or_default());
    }
}
