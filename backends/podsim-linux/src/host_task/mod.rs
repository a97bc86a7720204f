//! [`podsim_sys::Syscalls`] over the system calls of this process: what the guest asks for, the real kernel does.
//!
//! A guest's descriptor is the process's, its pid, signal dispositions and signal mask are the process's own. A call that may
//! wait really waits, so the futures never pend. There is one guest in a process and one thread, which is why some of this is
//! static: the real kernel keeps one set of dispositions for a process too.
//!
//! * [`interruptible`]: how a caught signal gets a waiting call out of the kernel; `signals`: what becomes of it then.
//! * [`program`]: what a file is that is to be run; `exec`, `spawn`: running it. `title`: how `ps` shows it.
//! * `files`, `descriptors`, `mounts`, `processes`, `identity`, `terminals`, `sockets`, `network`, `ipc`, `mqueue`, `time`:
//!   the calls, one function each. This file only spreads the trait's methods over them.

mod abi;
mod descriptors;
pub(crate) mod exec;
mod files;
mod identity;
mod interruptible;
mod ipc;
mod mounts;
mod mqueue;
mod network;
mod processes;
pub mod program;
pub(crate) mod signals;
mod sockaddr;
mod sockets;
mod spawn;
mod terminals;
#[cfg(test)]
mod tests;
mod time;
pub(crate) mod title;

use podsim_sys::*;
use std::sync::Arc;
use std::time::Duration;

/// The guest of this process.
#[derive(Clone)]
pub struct HostTask {
    program: Arc<Identity>,
}

/// What a guest's program was started with.
#[derive(Debug, Default)]
pub struct Identity {
    /// The arguments.
    pub argv: Vec<String>,
    /// The environment.
    pub environ: Vec<String>,
    /// Where the program's file is: what `/proc/self/exe` is to the guest. (To the kernel it is podsim.)
    pub exe: String,
}

impl HostTask {
    /// The task of this process. There must be no other, and no other thread.
    #[must_use]
    pub fn new(program: Identity) -> Self {
        Self {
            program: Arc::new(program),
        }
    }
}

impl Syscalls for HostTask {
    // files: see `files.rs`
    async fn openat(&self, dir: Fd, path: &str, flags: OpenFlags, mode: Mode) -> Result<Fd> {
        files::openat(&self.program, dir, path, flags, mode)
    }
    fn close(&self, fd: Fd) -> Result<()> {
        files::close(fd)
    }
    async fn read(&self, fd: Fd, buf: &mut [u8]) -> Result<usize> {
        files::read(fd, buf)
    }
    async fn write(&self, fd: Fd, buf: &[u8]) -> Result<usize> {
        files::write(fd, buf)
    }
    fn pread(&self, fd: Fd, buf: &mut [u8], offset: u64) -> Result<usize> {
        files::pread(fd, buf, offset)
    }
    fn pwrite(&self, fd: Fd, buf: &[u8], offset: u64) -> Result<usize> {
        files::pwrite(fd, buf, offset)
    }
    fn lseek(&self, fd: Fd, offset: i64, whence: Whence) -> Result<u64> {
        files::lseek(fd, offset, whence)
    }
    fn ftruncate(&self, fd: Fd, size: u64) -> Result<()> {
        files::ftruncate(fd, size)
    }
    fn fallocate(&self, fd: Fd, offset: u64, len: u64) -> Result<()> {
        files::fallocate(fd, offset, len)
    }
    fn fsync(&self, fd: Fd) -> Result<()> {
        files::fsync(fd)
    }
    fn fstat(&self, fd: Fd) -> Result<Stat> {
        files::fstat(fd)
    }
    fn fstatat(&self, dir: Fd, path: &str, follow: bool) -> Result<Stat> {
        files::fstatat(&self.program, dir, path, follow)
    }
    fn faccessat(&self, dir: Fd, path: &str, access: Access) -> Result<()> {
        files::faccessat(dir, path, access)
    }
    fn fchmodat(&self, dir: Fd, path: &str, mode: Mode) -> Result<()> {
        files::fchmodat(dir, path, mode)
    }
    fn fchmod(&self, fd: Fd, mode: Mode) -> Result<()> {
        files::fchmod(fd, mode)
    }
    fn fchownat(&self, dir: Fd, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> Result<()> {
        files::fchownat(dir, path, uid, gid, follow)
    }
    fn utimensat(&self, dir: Fd, path: &str, atime: SetTime, mtime: SetTime, follow: bool) -> Result<()> {
        files::utimensat(dir, path, atime, mtime, follow)
    }
    fn futimens(&self, fd: Fd, atime: SetTime, mtime: SetTime) -> Result<()> {
        files::futimens(fd, atime, mtime)
    }
    fn getdents(&self, fd: Fd, start: u64, max: usize) -> Result<Vec<DirEntry>> {
        files::getdents(fd, start, max)
    }
    fn mkdirat(&self, dir: Fd, path: &str, mode: Mode) -> Result<()> {
        files::mkdirat(dir, path, mode)
    }
    fn mknodat(&self, dir: Fd, path: &str, file_type: FileType, mode: Mode, device: DeviceNumber) -> Result<()> {
        files::mknodat(dir, path, file_type, mode, device)
    }
    fn unlinkat(&self, dir: Fd, path: &str, directory: bool) -> Result<()> {
        files::unlinkat(dir, path, directory)
    }
    fn renameat(&self, old_dir: Fd, old: &str, new_dir: Fd, new: &str) -> Result<()> {
        files::renameat(old_dir, old, new_dir, new)
    }
    fn linkat(&self, old_dir: Fd, old: &str, new_dir: Fd, new: &str, follow: bool) -> Result<()> {
        files::linkat(old_dir, old, new_dir, new, follow)
    }
    fn symlinkat(&self, target: &str, dir: Fd, path: &str) -> Result<()> {
        files::symlinkat(target, dir, path)
    }
    fn readlinkat(&self, dir: Fd, path: &str) -> Result<String> {
        files::readlinkat(&self.program, dir, path)
    }
    fn statfs(&self, path: &str) -> Result<StatFs> {
        mounts::statfs(path)
    }
    async fn flock(&self, fd: Fd, op: Flock, no_wait: bool) -> Result<()> {
        files::flock(fd, op, no_wait)
    }
    fn umask(&self, mask: Mode) -> Mode {
        files::umask(mask)
    }
    fn getcwd(&self) -> Result<String> {
        files::getcwd()
    }
    fn chdir(&self, path: &str) -> Result<()> {
        files::chdir(path)
    }
    fn fchdir(&self, fd: Fd) -> Result<()> {
        files::fchdir(fd)
    }
    fn chroot(&self, path: &str) -> Result<()> {
        mounts::chroot(path)
    }
    fn mount(&self, source: &str, target: &str, fstype: &str, flags: MountFlags, data: &str) -> Result<()> {
        mounts::mount(source, target, fstype, flags, data)
    }
    fn umount(&self, target: &str, lazy: bool) -> Result<()> {
        mounts::umount(target, lazy)
    }
    // descriptors: see `descriptors.rs`
    fn dup(&self, fd: Fd, min: Fd, cloexec: bool) -> Result<Fd> {
        descriptors::dup(fd, min, cloexec)
    }
    fn dup2(&self, from: Fd, to: Fd, cloexec: bool) -> Result<Fd> {
        descriptors::dup2(from, to, cloexec)
    }
    fn pipe(&self, flags: OpenFlags) -> Result<(Fd, Fd)> {
        descriptors::pipe(flags)
    }
    fn get_status_flags(&self, fd: Fd) -> Result<OpenFlags> {
        descriptors::get_status_flags(fd)
    }
    fn set_status_flags(&self, fd: Fd, flags: OpenFlags) -> Result<()> {
        descriptors::set_status_flags(fd, flags)
    }
    fn get_cloexec(&self, fd: Fd) -> Result<bool> {
        descriptors::get_cloexec(fd)
    }
    fn set_cloexec(&self, fd: Fd, cloexec: bool) -> Result<()> {
        descriptors::set_cloexec(fd, cloexec)
    }
    async fn poll(&self, fds: &mut [PollFd], timeout: Option<Duration>) -> Result<usize> {
        descriptors::poll(fds, timeout)
    }
    fn eventfd(&self, initial: u64, semaphore: bool, flags: OpenFlags) -> Result<Fd> {
        descriptors::eventfd(initial, semaphore, flags)
    }
    // processes: see `processes.rs`
    fn getpid(&self) -> Pid {
        processes::getpid()
    }
    fn getppid(&self) -> Pid {
        processes::getppid()
    }
    async fn spawn(&self, request: SpawnRequest) -> Result<Pid> {
        spawn::spawn(&self.program, request)
    }
    async fn execve(&self, path: &str, argv: Vec<String>, envp: Vec<String>) -> Result<()> {
        exec::execve(&self.program, path, argv, envp)
    }
    async fn wait(&self, target: WaitTarget, options: WaitOptions) -> Result<Option<(Pid, WaitStatus)>> {
        processes::wait(target, options)
    }
    fn exit(&self, status: WaitStatus) {
        processes::exit(status)
    }
    fn argv(&self) -> Vec<String> {
        self.program.argv.clone()
    }
    fn environ(&self) -> Vec<String> {
        self.program.environ.clone()
    }
    fn set_title(&self, title: &str) {
        title::set_title(title)
    }
    fn set_comm(&self, comm: &str) {
        title::set_comm(comm)
    }
    fn getpgid(&self, pid: Pid) -> Result<Pid> {
        processes::getpgid(pid)
    }
    fn setpgid(&self, pid: Pid, group: Pid) -> Result<()> {
        processes::setpgid(pid, group)
    }
    fn getsid(&self, pid: Pid) -> Result<Pid> {
        processes::getsid(pid)
    }
    fn setsid(&self) -> Result<Pid> {
        processes::setsid()
    }
    fn times(&self) -> Times {
        processes::times()
    }
    fn getrlimit(&self, resource: Resource) -> Rlimit {
        processes::getrlimit(resource)
    }
    fn setrlimit(&self, resource: Resource, limit: Rlimit) -> Result<()> {
        processes::setrlimit(resource, limit)
    }
    fn nice(&self, set: Option<i8>) -> Result<i8> {
        processes::nice(set)
    }
    // signals: see `signals.rs`
    fn kill(&self, pid: Pid, signal: Option<Signal>) -> Result<()> {
        signals::kill(pid, signal)
    }
    fn sigaction(&self, signal: Signal, action: Option<SigAction>) -> Result<SigAction> {
        signals::sigaction(signal, action)
    }
    fn sigprocmask(&self, change: Option<(SigMaskHow, SigSet)>) -> SigSet {
        signals::sigprocmask(change)
    }
    fn sigpending(&self) -> SigSet {
        signals::sigpending()
    }
    async fn sigsuspend(&self, mask: SigSet) -> Errno {
        signals::sigsuspend(mask)
    }
    fn setitimer(&self, value: Duration, interval: Duration) -> Duration {
        signals::setitimer(value, interval)
    }
    fn signal_pending(&self) -> bool {
        signals::signal_pending()
    }
    async fn take_signal(&self) -> Option<SignalDelivery> {
        signals::take_signal()
    }
    fn sigreturn(&self, mask: SigSet) {
        signals::sigreturn(mask)
    }
    // identity: see `identity.rs`
    fn credentials(&self) -> Credentials {
        identity::credentials()
    }
    fn setresuid(&self, real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()> {
        identity::setresuid(real, effective, saved)
    }
    fn setresgid(&self, real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()> {
        identity::setresgid(real, effective, saved)
    }
    fn setgroups(&self, groups: Vec<u32>) -> Result<()> {
        identity::setgroups(groups)
    }
    fn capset(&self, effective: CapSet, permitted: CapSet, inheritable: CapSet) -> Result<()> {
        identity::capset(effective, permitted, inheritable)
    }
    fn uname(&self) -> UtsName {
        identity::uname()
    }
    fn sethostname(&self, name: &str) -> Result<()> {
        identity::sethostname(name)
    }
    fn unshare(&self, flags: CloneFlags) -> Result<()> {
        identity::unshare(flags)
    }
    fn setns(&self, fd: Fd, flags: CloneFlags) -> Result<()> {
        identity::setns(fd, flags)
    }
    // terminals: see `terminals.rs`
    fn isatty(&self, fd: Fd) -> Result<bool> {
        terminals::isatty(fd)
    }
    fn ttyname(&self, fd: Fd) -> Result<String> {
        terminals::ttyname(fd)
    }
    fn tcgetattr(&self, fd: Fd) -> Result<Termios> {
        terminals::tcgetattr(fd)
    }
    fn tcsetattr(&self, fd: Fd, when: TcSet, termios: Termios) -> Result<()> {
        terminals::tcsetattr(fd, when, termios)
    }
    fn get_winsize(&self, fd: Fd) -> Result<Winsize> {
        terminals::get_winsize(fd)
    }
    fn set_winsize(&self, fd: Fd, size: Winsize) -> Result<()> {
        terminals::set_winsize(fd, size)
    }
    fn tcgetpgrp(&self, fd: Fd) -> Result<Pid> {
        terminals::tcgetpgrp(fd)
    }
    fn tcsetpgrp(&self, fd: Fd, group: Pid) -> Result<()> {
        terminals::tcsetpgrp(fd, group)
    }
    fn set_controlling_tty(&self, fd: Fd) -> Result<()> {
        terminals::set_controlling_tty(fd)
    }
    fn openpty(&self, flags: OpenFlags) -> Result<(Fd, Fd)> {
        terminals::openpty(flags)
    }
    // sockets: see `sockets.rs`
    fn socket(&self, family: AddressFamily, kind: SocketType, flags: OpenFlags) -> Result<Fd> {
        sockets::socket(family, kind, flags)
    }
    fn socketpair(&self, kind: SocketType, flags: OpenFlags) -> Result<(Fd, Fd)> {
        sockets::socketpair(kind, flags)
    }
    fn bind(&self, fd: Fd, address: &SockAddr) -> Result<()> {
        sockets::bind(fd, address)
    }
    fn listen(&self, fd: Fd, backlog: u32) -> Result<()> {
        sockets::listen(fd, backlog)
    }
    async fn accept(&self, fd: Fd, flags: OpenFlags) -> Result<(Fd, SockAddr)> {
        sockets::accept(fd, flags)
    }
    async fn connect(&self, fd: Fd, address: &SockAddr) -> Result<()> {
        sockets::connect(fd, address)
    }
    async fn sendto(&self, fd: Fd, buf: &[u8], flags: MsgFlags, to: Option<&SockAddr>) -> Result<usize> {
        sockets::sendto(fd, buf, flags, to)
    }
    async fn recvfrom(&self, fd: Fd, buf: &mut [u8], flags: MsgFlags) -> Result<(usize, Option<SockAddr>, MsgFlags)> {
        sockets::recvfrom(fd, buf, flags)
    }
    fn shutdown(&self, fd: Fd, how: Shutdown) -> Result<()> {
        sockets::shutdown(fd, how)
    }
    fn getsockname(&self, fd: Fd) -> Result<SockAddr> {
        sockets::getsockname(fd)
    }
    fn getpeername(&self, fd: Fd) -> Result<SockAddr> {
        sockets::getpeername(fd)
    }
    fn setsockopt(&self, fd: Fd, option: SockOpt) -> Result<()> {
        sockets::setsockopt(fd, option)
    }
    fn getsockopt(&self, fd: Fd, option: SockOpt) -> Result<SockOpt> {
        sockets::getsockopt(fd, option)
    }
    fn interfaces(&self) -> Vec<Interface> {
        network::interfaces()
    }
    fn routes(&self) -> Vec<Route> {
        network::routes()
    }
    fn net_config(&self, change: NetConfig) -> Result<()> {
        network::net_config(change)
    }
    // System V IPC and message queues: see `ipc.rs`
    fn ipc_get(&self, kind: IpcKind, request: IpcGet) -> Result<i32> {
        ipc::ipc_get(kind, request)
    }
    fn ipc_remove(&self, kind: IpcKind, id: i32) -> Result<()> {
        ipc::ipc_remove(kind, id)
    }
    fn shm_read(&self, id: i32, offset: u64, buf: &mut [u8]) -> Result<usize> {
        ipc::shm_read(id, offset, buf)
    }
    fn shm_write(&self, id: i32, offset: u64, buf: &[u8]) -> Result<usize> {
        ipc::shm_write(id, offset, buf)
    }
    async fn semop(&self, id: i32, ops: Vec<SemOp>) -> Result<()> {
        ipc::semop(id, ops)
    }
    fn semval(&self, id: i32, index: u16, set: Option<u16>) -> Result<u16> {
        ipc::semval(id, index, set)
    }
    async fn msgsnd(&self, id: i32, message: IpcMessage, no_wait: bool) -> Result<()> {
        ipc::msgsnd(id, message, no_wait)
    }
    async fn msgrcv(&self, id: i32, max: usize, mtype: i64, no_wait: bool) -> Result<IpcMessage> {
        ipc::msgrcv(id, max, mtype, no_wait)
    }
    fn mq_open(&self, name: &str, flags: OpenFlags, mode: Mode, attr: Option<MqAttr>) -> Result<Fd> {
        mqueue::mq_open(name, flags, mode, attr)
    }
    async fn mq_send(&self, fd: Fd, data: Vec<u8>, priority: u32) -> Result<()> {
        mqueue::mq_send(fd, data, priority)
    }
    async fn mq_receive(&self, fd: Fd, max: usize) -> Result<(Vec<u8>, u32)> {
        mqueue::mq_receive(fd, max)
    }
    fn mq_unlink(&self, name: &str) -> Result<()> {
        mqueue::mq_unlink(name)
    }
    // time and chance: see `time.rs`
    fn clock_monotonic(&self) -> Duration {
        time::clock_monotonic()
    }
    fn clock_realtime(&self) -> Duration {
        time::clock_realtime()
    }
    fn clock_process(&self) -> Duration {
        time::clock_process()
    }
    async fn sleep_until(&self, deadline: Duration) -> Result<()> {
        time::sleep_until(deadline)
    }
    fn getrandom(&self, buf: &mut [u8]) {
        time::getrandom(buf)
    }
    async fn sched_yield(&self) {
        time::sched_yield()
    }
    /// The kernel knows.
    fn charge_cpu(&self, _user: Duration) {}
    /// The control group has it wait.
    fn throttled_until(&self) -> Option<Duration> {
        None
    }
    /// The control group decides, and kills.
    fn charge_memory(&self, _total: u64) -> bool {
        true
    }
}
