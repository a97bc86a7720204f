//! `/dev`: a tmpfs with device nodes and links, as container runtimes make it, and what is behind the device numbers (`mem(4)`, `tty(4)`).

use super::FileOps;
use super::caller::Caller;
use super::inode::Inode;
use super::mount::MountNamespace;
use super::namei::lookup;
use super::names;
use podsim_sys::{DeviceNumber, Errno, FileType, Mode, OpenFlags, Result, Stat};
use std::sync::Arc;
use std::sync::Weak;

use crate::kernel::Kernel;

/// The device nodes of every container (OCI runtime specification, "Default Devices").
const NODES: [(&str, u32, u32); 6] = [
    ("full", 1, 7),
    ("null", 1, 3),
    ("random", 1, 8),
    ("tty", 5, 0),
    ("urandom", 1, 9),
    ("zero", 1, 5),
];

/// The links of every container.
const LINKS: [(&str, &str); 6] = [
    ("core", "/proc/kcore"),
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];

/// Fills the directory `/dev` of a namespace (a tmpfs is to be mounted there) with device nodes, links, and directories for mounts.
pub fn populate(ns: &MountNamespace) -> Result<()> {
    let dev = ns.mkdir_all("/dev", Mode(0o755))?;
    let caller = ns.kernel_caller();
    let new = |result: Result<_>| match result {
        Ok(_) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno),
    };
    for (name, major, minor) in NODES {
        let device = DeviceNumber { major, minor };
        new(names::mknod(
            &caller,
            &dev,
            name,
            FileType::CharDevice,
            Mode(0o666),
            device,
        ))?;
    }
    for (name, target) in LINKS {
        new(names::symlink(&caller, target, &dev, name))?;
    }
    for name in ["mqueue", "pts", "shm"] {
        new(names::mkdir(&caller, &dev, name, Mode(0o755)))?;
    }
    Ok(())
}

/// Opens what is behind a device node; ENXIO when there is nothing with this number.
pub(super) fn open_device(inode: Arc<dyn Inode>, caller: &Caller, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
    let number = inode.stat()?.rdev;
    let device = match (number.major, number.minor) {
        (1, 3) => Device::Null,
        (1, 5) => Device::Zero,
        (1, 7) => Device::Full,
        (1, 8 | 9) => {
            let process = caller.process.as_ref().ok_or(Errno::ENXIO)?;
            Device::Random(process.kernel.clone())
        }
        (5, 0) => return open_tty(caller),
        (5, 2) => return open_ptmx(caller, flags),
        _ => return Err(Errno::ENXIO),
    };
    Ok(Arc::new(DeviceFile { inode, device }))
}

/// `/dev/tty`: the caller's controlling terminal.
fn open_tty(caller: &Caller) -> Result<Arc<dyn FileOps>> {
    let process = caller.process.as_ref().ok_or(Errno::ENXIO)?;
    let kernel = process.kernel.upgrade().ok_or(Errno::ENXIO)?;
    kernel.controlling_tty(process).ok_or(Errno::ENXIO)?.open_slave()
}

/// A `ptmx` node outside of devpts stands for the one of the instance that is mounted at `/dev/pts` (Linux: `pts` beside the node).
fn open_ptmx(caller: &Caller, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
    let ptmx = lookup(caller, &caller.fs.root, "/dev/pts/ptmx", true).map_err(|_| Errno::ENXIO)?;
    if ptmx.mount.sb().fs().name() != "devpts" {
        return Err(Errno::ENXIO);
    }
    ptmx.inode().clone().open(caller, flags)
}

enum Device {
    Null,
    Zero,
    Full,
    Random(Weak<Kernel>),
}

/// An open memory device.
struct DeviceFile {
    inode: Arc<dyn Inode>,
    device: Device,
}

impl FileOps for DeviceFile {
    fn read_at(&self, buf: &mut [u8], _offset: u64) -> Result<usize> {
        match &self.device {
            Device::Null => return Ok(0),
            Device::Zero | Device::Full => buf.fill(0),
            Device::Random(kernel) => kernel.upgrade().ok_or(Errno::EIO)?.random(buf),
        }
        Ok(buf.len())
    }

    fn write_at(&self, buf: &[u8], offset: u64, _append: bool) -> Result<(usize, u64)> {
        match self.device {
            Device::Full if !buf.is_empty() => Err(Errno::ENOSPC),
            _ => Ok((buf.len(), offset)),
        }
    }

    fn stat(&self) -> Result<Stat> {
        self.inode.stat()
    }

    fn seekable(&self) -> bool {
        true
    }

    fn always_at_start(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::fs::tmpfs::{Options, TmpFs};
    use crate::fs::{MountNamespace, Vfs};
    use podsim_sys::{Errno, ManualClock, Mode, MountFlags, OpenFlags};
    use std::sync::Arc;

    #[test]
    fn memory_devices_read_and_write_as_mem_4_says() {
        let vfs = Vfs::new(Arc::new(ManualClock::default()), 1 << 20);
        let ns = MountNamespace::initial(&vfs);
        let dev = TmpFs::mount(&vfs, &Options::default());
        ns.mount_at("/dev", &dev, "tmpfs", MountFlags::NOSUID).unwrap();
        super::populate(&ns).unwrap();
        super::populate(&ns).unwrap();
        let rows = [
            ("/dev/null", Ok(0), Ok(2)),
            ("/dev/zero", Ok(4), Ok(2)),
            ("/dev/full", Ok(4), Err(Errno::ENOSPC)),
        ];
        for (path, read, write) in rows {
            let file = ns.open_file(path, OpenFlags::RDWR, Mode(0)).unwrap();
            let mut buf = [7; 4];
            assert_eq!(file.try_read(&mut buf), read, "{path}");
            assert_eq!(file.try_write(b"xy"), write, "{path}");
            assert!(read == Ok(0) || buf == [0; 4], "{path}");
        }
        let no_terminal = ns.open_file("/dev/tty", OpenFlags::RDWR, Mode(0));
        assert_eq!(no_terminal.err(), Some(Errno::ENXIO));
    }
}
