//! The system calls: one function each, in the file of its family, each reading like its man page.
//! This file only spreads the trait's methods over them.

mod fd;
mod fs;
mod identity;
mod ipc;
mod mqueue;
mod net;
mod process;
mod signal;
mod time;
mod tty;

use crate::task::Task;
use podsim_sys::*;
use std::time::Duration;

impl Syscalls for Task {
    // files: see `syscall/fs.rs`
    async fn openat(&self, dir: Fd, path: &str, flags: OpenFlags, mode: Mode) -> Result<Fd> {
        fs::openat(self, dir, path, flags, mode).await
    }
    fn close(&self, fd: Fd) -> Result<()> {
        fs::close(self, fd)
    }
    async fn read(&self, fd: Fd, buf: &mut [u8]) -> Result<usize> {
        fs::read(self, fd, buf).await
    }
    async fn write(&self, fd: Fd, buf: &[u8]) -> Result<usize> {
        fs::write(self, fd, buf).await
    }
    fn pread(&self, fd: Fd, buf: &mut [u8], offset: u64) -> Result<usize> {
        fs::pread(self, fd, buf, offset)
    }
    fn pwrite(&self, fd: Fd, buf: &[u8], offset: u64) -> Result<usize> {
        fs::pwrite(self, fd, buf, offset)
    }
    fn lseek(&self, fd: Fd, offset: i64, whence: Whence) -> Result<u64> {
        fs::lseek(self, fd, offset, whence)
    }
    fn ftruncate(&self, fd: Fd, size: u64) -> Result<()> {
        fs::ftruncate(self, fd, size)
    }
    fn fallocate(&self, fd: Fd, offset: u64, len: u64) -> Result<()> {
        fs::fallocate(self, fd, offset, len)
    }
    fn fsync(&self, fd: Fd) -> Result<()> {
        fs::fsync(self, fd)
    }
    fn fstat(&self, fd: Fd) -> Result<Stat> {
        fs::fstat(self, fd)
    }
    fn fstatat(&self, dir: Fd, path: &str, follow: bool) -> Result<Stat> {
        fs::fstatat(self, dir, path, follow)
    }
    fn faccessat(&self, dir: Fd, path: &str, access: Access) -> Result<()> {
        fs::faccessat(self, dir, path, access)
    }
    fn fchmodat(&self, dir: Fd, path: &str, mode: Mode) -> Result<()> {
        fs::fchmodat(self, dir, path, mode)
    }
    fn fchmod(&self, fd: Fd, mode: Mode) -> Result<()> {
        fs::fchmod(self, fd, mode)
    }
    fn fchownat(&self, dir: Fd, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> Result<()> {
        fs::fchownat(self, dir, path, uid, gid, follow)
    }
    fn utimensat(&self, dir: Fd, path: &str, atime: SetTime, mtime: SetTime, follow: bool) -> Result<()> {
        fs::utimensat(self, dir, path, atime, mtime, follow)
    }
    fn futimens(&self, fd: Fd, atime: SetTime, mtime: SetTime) -> Result<()> {
        fs::futimens(self, fd, atime, mtime)
    }
    fn getdents(&self, fd: Fd, start: u64, max: usize) -> Result<Vec<DirEntry>> {
        fs::getdents(self, fd, start, max)
    }
    fn mkdirat(&self, dir: Fd, path: &str, mode: Mode) -> Result<()> {
        fs::mkdirat(self, dir, path, mode)
    }
    fn mknodat(&self, dir: Fd, path: &str, file_type: FileType, mode: Mode, device: DeviceNumber) -> Result<()> {
        fs::mknodat(self, dir, path, file_type, mode, device)
    }
    fn unlinkat(&self, dir: Fd, path: &str, directory: bool) -> Result<()> {
        fs::unlinkat(self, dir, path, directory)
    }
    fn renameat(&self, old_dir: Fd, old: &str, new_dir: Fd, new: &str) -> Result<()> {
        fs::renameat(self, old_dir, old, new_dir, new)
    }
    fn linkat(&self, old_dir: Fd, old: &str, new_dir: Fd, new: &str, follow: bool) -> Result<()> {
        fs::linkat(self, old_dir, old, new_dir, new, follow)
    }
    fn symlinkat(&self, target: &str, dir: Fd, path: &str) -> Result<()> {
        fs::symlinkat(self, target, dir, path)
    }
    fn readlinkat(&self, dir: Fd, path: &str) -> Result<String> {
        fs::readlinkat(self, dir, path)
    }
    fn statfs(&self, path: &str) -> Result<StatFs> {
        fs::statfs(self, path)
    }
    async fn flock(&self, fd: Fd, op: Flock, no_wait: bool) -> Result<()> {
        fs::flock(self, fd, op, no_wait).await
    }
    fn umask(&self, mask: Mode) -> Mode {
        fs::umask(self, mask)
    }
    fn getcwd(&self) -> Result<String> {
        fs::getcwd(self)
    }
    fn chdir(&self, path: &str) -> Result<()> {
        fs::chdir(self, path)
    }
    fn fchdir(&self, fd: Fd) -> Result<()> {
        fs::fchdir(self, fd)
    }
    fn chroot(&self, path: &str) -> Result<()> {
        fs::chroot(self, path)
    }
    fn mount(&self, source: &str, target: &str, fstype: &str, flags: MountFlags, data: &str) -> Result<()> {
        fs::mount(self, source, target, fstype, flags, data)
    }
    fn umount(&self, target: &str, lazy: bool) -> Result<()> {
        fs::umount(self, target, lazy)
    }
    // descriptors: see `syscall/fd.rs`
    fn dup(&self, fd: Fd, min: Fd, cloexec: bool) -> Result<Fd> {
        fd::dup(self, fd, min, cloexec)
    }
    fn dup2(&self, from: Fd, to: Fd, cloexec: bool) -> Result<Fd> {
        fd::dup2(self, from, to, cloexec)
    }
    fn pipe(&self, flags: OpenFlags) -> Result<(Fd, Fd)> {
        fd::pipe(self, flags)
    }
    fn get_status_flags(&self, fd: Fd) -> Result<OpenFlags> {
        fd::get_status_flags(self, fd)
    }
    fn set_status_flags(&self, fd: Fd, flags: OpenFlags) -> Result<()> {
        fd::set_status_flags(self, fd, flags)
    }
    fn get_cloexec(&self, fd: Fd) -> Result<bool> {
        fd::get_cloexec(self, fd)
    }
    fn set_cloexec(&self, fd: Fd, cloexec: bool) -> Result<()> {
        fd::set_cloexec(self, fd, cloexec)
    }
    async fn poll(&self, fds: &mut [PollFd], timeout: Option<Duration>) -> Result<usize> {
        fd::poll(self, fds, timeout).await
    }
    fn eventfd(&self, initial: u64, semaphore: bool, flags: OpenFlags) -> Result<Fd> {
        fd::eventfd(self, initial, semaphore, flags)
    }
    // processes: see `syscall/process.rs`
    fn getpid(&self) -> Pid {
        process::getpid(self)
    }
    fn getppid(&self) -> Pid {
        process::getppid(self)
    }
    async fn spawn(&self, request: SpawnRequest) -> Result<Pid> {
        process::spawn(self, request).await
    }
    async fn execve(&self, path: &str, argv: Vec<String>, envp: Vec<String>) -> Result<()> {
        process::execve(self, path, argv, envp).await
    }
    async fn wait(&self, target: WaitTarget, options: WaitOptions) -> Result<Option<(Pid, WaitStatus)>> {
        process::wait(self, target, options).await
    }
    fn exit(&self, status: WaitStatus) {
        process::exit(self, status)
    }
    fn argv(&self) -> Vec<String> {
        process::argv(self)
    }
    fn environ(&self) -> Vec<String> {
        process::environ(self)
    }
    fn set_title(&self, title: &str) {
        process::set_title(self, title)
    }
    fn set_comm(&self, comm: &str) {
        process::set_comm(self, comm)
    }
    fn getpgid(&self, pid: Pid) -> Result<Pid> {
        process::getpgid(self, pid)
    }
    fn setpgid(&self, pid: Pid, group: Pid) -> Result<()> {
        process::setpgid(self, pid, group)
    }
    fn getsid(&self, pid: Pid) -> Result<Pid> {
        process::getsid(self, pid)
    }
    fn setsid(&self) -> Result<Pid> {
        process::setsid(self)
    }
    fn times(&self) -> Times {
        process::times(self)
    }
    fn getrlimit(&self, resource: Resource) -> Rlimit {
        process::getrlimit(self, resource)
    }
    fn setrlimit(&self, resource: Resource, limit: Rlimit) -> Result<()> {
        process::setrlimit(self, resource, limit)
    }
    fn nice(&self, set: Option<i8>) -> Result<i8> {
        process::nice(self, set)
    }
    // signals: see `syscall/signal.rs`
    fn kill(&self, pid: Pid, signal: Option<Signal>) -> Result<()> {
        signal::kill(self, pid, signal)
    }
    fn sigaction(&self, signal: Signal, action: Option<SigAction>) -> Result<SigAction> {
        signal::sigaction(self, signal, action)
    }
    fn sigprocmask(&self, change: Option<(SigMaskHow, SigSet)>) -> SigSet {
        signal::sigprocmask(self, change)
    }
    fn sigpending(&self) -> SigSet {
        signal::sigpending(self)
    }
    async fn sigsuspend(&self, mask: SigSet) -> Errno {
        signal::sigsuspend(self, mask).await
    }
    fn setitimer(&self, value: Duration, interval: Duration) -> Duration {
        signal::setitimer(self, value, interval)
    }
    fn signal_pending(&self) -> bool {
        signal::signal_pending(self)
    }
    async fn take_signal(&self) -> Option<SignalDelivery> {
        signal::take_signal(self).await
    }
    fn sigreturn(&self, mask: SigSet) {
        signal::sigreturn(self, mask)
    }
    // identity: see `syscall/identity.rs`
    fn credentials(&self) -> Credentials {
        identity::credentials(self)
    }
    fn setresuid(&self, real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()> {
        identity::setresuid(self, real, effective, saved)
    }
    fn setresgid(&self, real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()> {
        identity::setresgid(self, real, effective, saved)
    }
    fn setgroups(&self, groups: Vec<u32>) -> Result<()> {
        identity::setgroups(self, groups)
    }
    fn capset(&self, effective: CapSet, permitted: CapSet, inheritable: CapSet) -> Result<()> {
        identity::capset(self, effective, permitted, inheritable)
    }
    fn uname(&self) -> UtsName {
        identity::uname(self)
    }
    fn sethostname(&self, name: &str) -> Result<()> {
        identity::sethostname(self, name)
    }
    fn unshare(&self, flags: CloneFlags) -> Result<()> {
        identity::unshare(self, flags)
    }
    fn setns(&self, fd: Fd, flags: CloneFlags) -> Result<()> {
        identity::setns(self, fd, flags)
    }
    // terminals: see `syscall/tty.rs`
    fn isatty(&self, fd: Fd) -> Result<bool> {
        tty::isatty(self, fd)
    }
    fn ttyname(&self, fd: Fd) -> Result<String> {
        tty::ttyname(self, fd)
    }
    fn tcgetattr(&self, fd: Fd) -> Result<Termios> {
        tty::tcgetattr(self, fd)
    }
    fn tcsetattr(&self, fd: Fd, when: TcSet, termios: Termios) -> Result<()> {
        tty::tcsetattr(self, fd, when, termios)
    }
    fn get_winsize(&self, fd: Fd) -> Result<Winsize> {
        tty::get_winsize(self, fd)
    }
    fn set_winsize(&self, fd: Fd, size: Winsize) -> Result<()> {
        tty::set_winsize(self, fd, size)
    }
    fn tcgetpgrp(&self, fd: Fd) -> Result<Pid> {
        tty::tcgetpgrp(self, fd)
    }
    fn tcsetpgrp(&self, fd: Fd, group: Pid) -> Result<()> {
        tty::tcsetpgrp(self, fd, group)
    }
    fn set_controlling_tty(&self, fd: Fd) -> Result<()> {
        tty::set_controlling_tty(self, fd)
    }
    fn openpty(&self, flags: OpenFlags) -> Result<(Fd, Fd)> {
        tty::openpty(self, flags)
    }
    // sockets: see `syscall/net.rs`
    fn socket(&self, family: AddressFamily, kind: SocketType, flags: OpenFlags) -> Result<Fd> {
        net::socket(self, family, kind, flags)
    }
    fn socketpair(&self, kind: SocketType, flags: OpenFlags) -> Result<(Fd, Fd)> {
        net::socketpair(self, kind, flags)
    }
    fn bind(&self, fd: Fd, address: &SockAddr) -> Result<()> {
        net::bind(self, fd, address)
    }
    fn listen(&self, fd: Fd, backlog: u32) -> Result<()> {
        net::listen(self, fd, backlog)
    }
    async fn accept(&self, fd: Fd, flags: OpenFlags) -> Result<(Fd, SockAddr)> {
        net::accept(self, fd, flags).await
    }
    async fn connect(&self, fd: Fd, address: &SockAddr) -> Result<()> {
        net::connect(self, fd, address).await
    }
    async fn sendto(&self, fd: Fd, buf: &[u8], flags: MsgFlags, to: Option<&SockAddr>) -> Result<usize> {
        net::sendto(self, fd, buf, flags, to).await
    }
    async fn recvfrom(&self, fd: Fd, buf: &mut [u8], flags: MsgFlags) -> Result<(usize, Option<SockAddr>, MsgFlags)> {
        net::recvfrom(self, fd, buf, flags).await
    }
    fn shutdown(&self, fd: Fd, how: Shutdown) -> Result<()> {
        net::shutdown(self, fd, how)
    }
    fn getsockname(&self, fd: Fd) -> Result<SockAddr> {
        net::getsockname(self, fd)
    }
    fn getpeername(&self, fd: Fd) -> Result<SockAddr> {
        net::getpeername(self, fd)
    }
    fn setsockopt(&self, fd: Fd, option: SockOpt) -> Result<()> {
        net::setsockopt(self, fd, option)
    }
    fn getsockopt(&self, fd: Fd, option: SockOpt) -> Result<SockOpt> {
        net::getsockopt(self, fd, option)
    }
    fn interfaces(&self) -> Vec<Interface> {
        net::interfaces(self)
    }
    fn routes(&self) -> Vec<Route> {
        net::routes(self)
    }
    fn net_config(&self, change: NetConfig) -> Result<()> {
        net::net_config(self, change)
    }
    // System V IPC and message queues: see `syscall/ipc.rs`
    fn ipc_get(&self, kind: IpcKind, request: IpcGet) -> Result<i32> {
        ipc::ipc_get(self, kind, request)
    }
    fn ipc_remove(&self, kind: IpcKind, id: i32) -> Result<()> {
        ipc::ipc_remove(self, kind, id)
    }
    fn shm_read(&self, id: i32, offset: u64, buf: &mut [u8]) -> Result<usize> {
        ipc::shm_read(self, id, offset, buf)
    }
    fn shm_write(&self, id: i32, offset: u64, buf: &[u8]) -> Result<usize> {
        ipc::shm_write(self, id, offset, buf)
    }
    async fn semop(&self, id: i32, ops: Vec<SemOp>) -> Result<()> {
        ipc::semop(self, id, ops).await
    }
    fn semval(&self, id: i32, index: u16, set: Option<u16>) -> Result<u16> {
        ipc::semval(self, id, index, set)
    }
    async fn msgsnd(&self, id: i32, message: IpcMessage, no_wait: bool) -> Result<()> {
        ipc::msgsnd(self, id, message, no_wait).await
    }
    async fn msgrcv(&self, id: i32, max: usize, mtype: i64, no_wait: bool) -> Result<IpcMessage> {
        ipc::msgrcv(self, id, max, mtype, no_wait).await
    }
    fn mq_open(&self, name: &str, flags: OpenFlags, mode: Mode, attr: Option<MqAttr>) -> Result<Fd> {
        mqueue::mq_open(self, name, flags, mode, attr)
    }
    async fn mq_send(&self, fd: Fd, data: Vec<u8>, priority: u32) -> Result<()> {
        mqueue::mq_send(self, fd, data, priority).await
    }
    async fn mq_receive(&self, fd: Fd, max: usize) -> Result<(Vec<u8>, u32)> {
        mqueue::mq_receive(self, fd, max).await
    }
    fn mq_unlink(&self, name: &str) -> Result<()> {
        mqueue::mq_unlink(self, name)
    }
    // time and chance: see `syscall/time.rs`
    fn clock_monotonic(&self) -> Duration {
        time::clock_monotonic(self)
    }
    fn clock_realtime(&self) -> Duration {
        time::clock_realtime(self)
    }
    fn clock_process(&self) -> Duration {
        time::clock_process(self)
    }
    async fn sleep_until(&self, deadline: Duration) -> Result<()> {
        time::sleep_until(self, deadline).await
    }
    fn getrandom(&self, buf: &mut [u8]) {
        time::getrandom(self, buf)
    }
    async fn sched_yield(&self) {
        time::sched_yield(self).await
    }
    fn charge_cpu(&self, user: Duration) {
        time::charge_cpu(self, user)
    }
    fn throttled_until(&self) -> Option<Duration> {
        time::throttled_until(self)
    }
    fn charge_memory(&self, total: u64) -> bool {
        time::charge_memory(self, total)
    }
}
