//! Tests of the filesystem core, as small scripts: a line is `[as UID[:GID]] COMMAND ARGS -> RESULT`.

mod mounts;
mod naming;
mod node;
mod overlay;
mod procfs;
mod syscalls;
mod sysfs;
mod tmpfs;
mod walk;

use super::caller::Caller;
use super::layer::{LayerEntry, LayerKind, LayerTree};
use super::namei::lookup;
use super::open::{Opened, open};
use super::propagation::Spread;
use super::tmpfs::{Options, TmpFs};
use super::{FileDescription, FsContext, MountNamespace, PathRef, Vfs, attr, names};
use podsim_sys::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// 2024-06-17 14:43 UTC.
const EPOCH: Duration = Duration::from_secs(1_718_635_380);

struct World {
    clock: Arc<ManualClock>,
    vfs: Arc<Vfs>,
    ns: Arc<MountNamespace>,
    cwd: PathRef,
    root: PathRef,
    umask: Mode,
    open: HashMap<String, Arc<FileDescription>>,
}

fn world() -> World {
    let (clock, vfs) = vfs();
    let ns = MountNamespace::initial(&vfs);
    World::of(clock, vfs, ns)
}

fn vfs() -> (Arc<ManualClock>, Arc<Vfs>) {
    let clock = Arc::new(ManualClock::new(EPOCH));
    (clock.clone(), Vfs::new(clock, 64 << 20))
}

impl World {
    fn of(clock: Arc<ManualClock>, vfs: Arc<Vfs>, ns: Arc<MountNamespace>) -> Self {
        let root = ns.root();
        Self {
            clock,
            vfs,
            cwd: root.clone(),
            root,
            ns,
            umask: Mode(0o022),
            open: HashMap::new(),
        }
    }

    /// Runs a script and compares each line's result.
    #[track_caller]
    fn script(&mut self, script: &str) -> &mut Self {
        for line in script
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (command, expected) = line.split_once("->").unwrap_or((line, "ok"));
            let got = match self.run(command.trim()) {
                Ok(text) if text.is_empty() => "ok".to_owned(),
                Ok(text) => text,
                Err(errno) => format!("{errno:?}"),
            };
            assert_eq!(got, expected.trim(), "in line: {line}");
        }
        self
    }

    fn context(&self) -> FsContext {
        FsContext {
            root: self.root.clone(),
            cwd: self.cwd.clone(),
            umask: Mode(0),
        }
    }

    fn caller(&self, who: Option<&str>) -> Caller {
        let mut caller = Caller::kernel(self.root.clone());
        caller.fs.cwd = self.cwd.clone();
        caller.fs.umask = self.umask;
        if let Some(who) = who {
            let mut ids = who.split(':').map(|id| id.parse().unwrap());
            let uid = ids.next().unwrap();
            let gid = ids.next().unwrap_or(uid);
            let mut credentials = Credentials::root(CapSet::EMPTY);
            (credentials.fsuid, credentials.fsgid, credentials.groups) = (uid, gid, ids.collect());
            caller.credentials = Arc::new(credentials);
        }
        caller
    }

    fn run(&mut self, line: &str) -> Result<String> {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let who = (words.first() == Some(&"as")).then(|| words.drain(..2).nth(1).unwrap());
        let caller = self.caller(who);
        let cwd = caller.fs.cwd.clone();
        let find = |path: &str, follow| lookup(&caller, &cwd, path, follow);
        let open = |path: &str, flags, mode| match open(&caller, &cwd, path, flags, Mode(mode))? {
            Opened::File(file) => Ok(file),
            Opened::Fifo(_) => Err(Errno::ENXIO),
        };
        let octal = |text: &str| Mode(u16::from_str_radix(text, 8).unwrap());
        let create = OpenFlags::WRONLY | OpenFlags::CREAT;
        match *words.as_slice() {
            ["mkdir", path] => names::mkdir(&caller, &cwd, path, Mode(0o777)).map(drop)?,
            ["mkdir", path, mode] => names::mkdir(&caller, &cwd, path, octal(mode)).map(drop)?,
            ["touch", path] => drop(open(path, create, 0o666)?),
            ["write", path, text] => {
                open(path, create | OpenFlags::TRUNC, 0o666)?.try_write(text.as_bytes())?;
            }
            ["append", path, text] => {
                open(path, OpenFlags::WRONLY | OpenFlags::APPEND, 0)?.try_write(text.as_bytes())?;
            }
            ["create", path, mode] => {
                drop(open(path, create | OpenFlags::EXCL, octal(mode).0)?);
            }
            ["cat", path] => return read(&*open(path, OpenFlags::empty(), 0)?),
            ["open", name, path] => {
                let file = open(path, OpenFlags::RDWR, 0)?;
                self.open.insert(name.into(), file);
            }
            ["opendir", name, path] => {
                let file = open(path, OpenFlags::DIRECTORY, 0)?;
                self.open.insert(name.into(), file);
            }
            ["nofollow", path] => drop(open(path, OpenFlags::NOFOLLOW, 0)?),
            ["close", name] => drop(self.open.remove(name)),
            ["fwrite", name, text] => return Ok(self.open[name].try_write(text.as_bytes())?.to_string()),
            ["fwriteat", name, offset, text] => {
                let offset = offset.parse().unwrap();
                return Ok(self.open[name]
                    .ops()
                    .write_at(text.as_bytes(), offset, false)?
                    .0
                    .to_string());
            }
            ["fread", name] => return read(&self.open[name]),
            ["fallocate", name, offset, len] => {
                self.open[name]
                    .ops()
                    .allocate(offset.parse().unwrap(), len.parse().unwrap())?;
            }
            ["truncate", name, size] => self.open[name].ops().truncate(size.parse().unwrap())?,
            ["seek", name, offset] => {
                return Ok(self.open[name]
                    .seek(offset.parse().unwrap(), Whence::Current)?
                    .to_string());
            }
            ["rm", path] => names::unlink(&caller, &cwd, path)?,
            ["rmdir", path] => names::rmdir(&caller, &cwd, path)?,
            ["mv", old, new] => names::rename(&caller, &cwd, old, &cwd, new)?,
            ["ln", old, new] => names::link(&caller, &cwd, old, &cwd, new, false)?,
            ["symlink", target, path] => names::symlink(&caller, target, &cwd, path).map(drop)?,
            ["readlink", path] => return find(path, false)?.inode().read_link(&caller),
            ["mknod", path, "fifo"] => {
                let none = DeviceNumber::default();
                names::mknod(&caller, &cwd, path, FileType::Fifo, Mode(0o666), none).map(drop)?;
            }
            ["mknod", path, "char", major, minor] => {
                let number = DeviceNumber {
                    major: major.parse().unwrap(),
                    minor: minor.parse().unwrap(),
                };
                names::mknod(&caller, &cwd, path, FileType::CharDevice, Mode(0o666), number).map(drop)?;
            }
            ["chmod", mode, path] => attr::chmod(&caller, &find(path, true)?, octal(mode))?,
            ["chown", owner, path] => {
                let (uid, gid) = owner.split_once(':').unwrap();
                attr::chown(&caller, &find(path, true)?, uid.parse().ok(), gid.parse().ok())?;
            }
            ["utimens", path, "now"] => {
                attr::utimens(&caller, &find(path, true)?, SetTime::Now, SetTime::Now, EPOCH)?;
            }
            ["utimens", path, seconds] => {
                let time = SetTime::To(Duration::from_secs(seconds.parse().unwrap()));
                attr::utimens(&caller, &find(path, true)?, time, time, EPOCH)?;
            }
            ["stat", path] => return Ok(show(&find(path, false)?.stat()?)),
            ["size", path] => {
                let stat = find(path, true)?.stat()?;
                return Ok(format!("{} bytes {} blocks", stat.size, stat.blocks));
            }
            ["mtime", path] => {
                let stat = find(path, true)?.stat()?;
                let since = |time: Duration| time.as_secs() as i64 - EPOCH.as_secs() as i64;
                return Ok(format!(
                    "a{} m{} c{}",
                    since(stat.atime),
                    since(stat.mtime),
                    since(stat.ctime)
                ));
            }
            ["path", path] => return Ok(find(path, true)?.display(&self.root)),
            ["ls", path] => {
                find(path, true)?.inode().permission(&caller, Access::READ)?;
                return Ok(list(&*open(path, OpenFlags::DIRECTORY, 0)?, 0, usize::MAX)?.join(" "));
            }
            ["dir", name, start, max] => {
                return Ok(list(&self.open[name], start.parse().unwrap(), max.parse().unwrap())?.join(" "));
            }
            ["free"] => {
                let stat = self.cwd.mount.sb().fs().statfs();
                return Ok(format!("{} blocks {} files", stat.blocks_free, stat.files_free));
            }
            ["cd", path] => self.cwd = find(path, true)?,
            ["pwd"] => return self.cwd.reachable(&self.root).ok_or(Errno::ENOENT),
            ["chroot", path] => self.root = find(path, true)?,
            ["umask", mask] => self.umask = octal(mask),
            ["sleep", seconds] => self.clock.advance(Duration::from_secs(seconds.parse().unwrap())),
            [kind @ ("share" | "slave" | "private"), path] => {
                let kind = match kind {
                    "share" => MountFlags::SHARED,
                    "slave" => MountFlags::SLAVE,
                    _ => MountFlags::PRIVATE,
                };
                self.ns.set_propagation(&find(path, true)?.mount, kind, false);
            }
            ["spread", path] => {
                let mount = find(path, true)?.mount;
                let info = self
                    .ns
                    .list(&self.root)
                    .into_iter()
                    .find(|info| info.mount.id() == mount.id());
                let Spread { shared, master } = info.ok_or(Errno::EINVAL)?.spread;
                return Ok(format!("{} {}", shared.unwrap_or(0), master.unwrap_or(0)));
            }
            ["tmpfs", path] => {
                let sb = TmpFs::mount(&self.vfs, &Options::default());
                self.ns
                    .mount(&sb, "tmpfs", &find(path, true)?, MountFlags::empty())
                    .map(drop)?;
            }
            ["tmpfs", path, options] => {
                let sb = TmpFs::mount(&self.vfs, &Options::parse(options, 64 << 20)?);
                self.ns
                    .mount(&sb, "tmpfs", &find(path, true)?, MountFlags::empty())
                    .map(drop)?;
            }
            ["bind", what, at] => {
                let what = find(what, true)?;
                self.ns
                    .bind(&what, &find(at, true)?, MountFlags::empty(), false)
                    .map(drop)?;
            }
            ["rbind", what, at] => {
                let what = find(what, true)?;
                self.ns
                    .bind(&what, &find(at, true)?, MountFlags::empty(), true)
                    .map(drop)?;
            }
            ["readonly", path] => find(path, true)?.mount.remount(MountFlags::RDONLY),
            ["nodev", path] => find(path, true)?.mount.remount(MountFlags::NODEV),
            ["movemount", from, to] => {
                let from = find(from, true)?;
                self.ns.move_mount(&from, &find(to, true)?)?;
            }
            ["umount", path] => self.ns.umount(&find(path, true)?, false)?,
            ["umount", "-l", path] => self.ns.umount(&find(path, true)?, true)?,
            _ => panic!("no such command: {line}"),
        }
        Ok(String::new())
    }
}

fn read(file: &FileDescription) -> Result<String> {
    let mut buf = [0; 64];
    let n = file.try_read(&mut buf)?;
    Ok(String::from_utf8_lossy(&buf[..n]).replace('\0', "."))
}

fn list(dir: &FileDescription, start: u64, max: usize) -> Result<Vec<String>> {
    let entries = dir.ops().getdents(start, max)?;
    Ok(entries.into_iter().map(|entry| entry.name).collect())
}

fn show(stat: &Stat) -> String {
    let kind = match stat.file_type {
        FileType::Directory => 'd',
        FileType::Regular => '-',
        FileType::Symlink => 'l',
        FileType::Fifo => 'p',
        FileType::CharDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Socket => 's',
    };
    format!("{kind}{:04o} {} {}:{}", stat.mode.0, stat.nlink, stat.uid, stat.gid)
}

/// A layer from lines such as `d /etc`, `f /etc/passwd root`, `l /bin/sh busybox`, `h /bin/ls /bin/busybox`.
fn layer(lines: &[&str]) -> Arc<LayerTree> {
    let mut builder = LayerTree::builder();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (path, kind, mode) = match *words.as_slice() {
            ["d", path] => (path, LayerKind::Directory, 0o755),
            ["f", path] => (path, LayerKind::Regular(bytes::Bytes::new()), 0o644),
            ["f", path, text] => (path, LayerKind::Regular(text.to_owned().into()), 0o644),
            ["l", path, target] => (path, LayerKind::Symlink(target.into()), 0o777),
            ["h", path, target] => (path, LayerKind::HardLink(target.into()), 0o644),
            _ => panic!("{line}"),
        };
        let entry = LayerEntry {
            path: path.into(),
            kind,
            mode: Mode(mode),
            uid: 0,
            gid: 0,
            mtime: EPOCH,
        };
        builder.add(entry).unwrap();
    }
    Arc::new(builder.finish())
}
