//! The system calls of one process.

use crate::*;
use std::future::Future;
use std::time::Duration;

/// The system calls of one process; `self` is the caller (there is no ambient "current").
///
/// Two implementations: the virtual kernel's task, and the host task of the Linux backend. Each call does what its man page
/// says. A call that may wait is `async`; it ends with [`Errno::EINTR`] when a signal has to be handled (a fatal one
/// too): the caller then asks [`take_signal`](Syscalls::take_signal). Dropping the future abandons the wait and nothing else.
///
/// Paths are UTF-8, as WASI's are. A relative path starts at `dir`, or at the current directory for [`Fd::CWD`].
pub trait Syscalls: Clone + Send + Sync + 'static {
    // ---- files -------------------------------------------------------------------------------------------------

    /// `openat(2)`; waits for the other side of a FIFO.
    fn openat(&self, dir: Fd, path: &str, flags: OpenFlags, mode: Mode) -> impl Future<Output = Result<Fd>> + Send;
    /// `close(2)`.
    fn close(&self, fd: Fd) -> Result<()>;
    /// `read(2)`.
    fn read(&self, fd: Fd, buf: &mut [u8]) -> impl Future<Output = Result<usize>> + Send;
    /// `write(2)`; EPIPE comes with SIGPIPE.
    fn write(&self, fd: Fd, buf: &[u8]) -> impl Future<Output = Result<usize>> + Send;
    /// `pread(2)`.
    fn pread(&self, fd: Fd, buf: &mut [u8], offset: u64) -> Result<usize>;
    /// `pwrite(2)`.
    fn pwrite(&self, fd: Fd, buf: &[u8], offset: u64) -> Result<usize>;
    /// `lseek(2)`.
    fn lseek(&self, fd: Fd, offset: i64, whence: Whence) -> Result<u64>;
    /// `ftruncate(2)`.
    fn ftruncate(&self, fd: Fd, size: u64) -> Result<()>;
    /// `posix_fallocate(3)`.
    fn fallocate(&self, fd: Fd, offset: u64, len: u64) -> Result<()>;
    /// `fsync(2)` and `fdatasync(2)`.
    fn fsync(&self, fd: Fd) -> Result<()>;
    /// `fstat(2)`.
    fn fstat(&self, fd: Fd) -> Result<Stat>;
    /// `fstatat(2)`.
    fn fstatat(&self, dir: Fd, path: &str, follow: bool) -> Result<Stat>;
    /// `faccessat(2)`, with the real ids.
    fn faccessat(&self, dir: Fd, path: &str, access: Access) -> Result<()>;
    /// `fchmodat(2)`.
    fn fchmodat(&self, dir: Fd, path: &str, mode: Mode) -> Result<()>;
    /// `fchmod(2)`.
    fn fchmod(&self, fd: Fd, mode: Mode) -> Result<()>;
    /// `fchownat(2)`; `None` leaves an id alone.
    fn fchownat(&self, dir: Fd, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> Result<()>;
    /// `utimensat(2)`: access and modification time.
    fn utimensat(&self, dir: Fd, path: &str, atime: SetTime, mtime: SetTime, follow: bool) -> Result<()>;
    /// `futimens(3)`.
    fn futimens(&self, fd: Fd, atime: SetTime, mtime: SetTime) -> Result<()>;
    /// `getdents(2)`: entries from position `start` on (0 is the beginning), at most `max`; with `.` and `..`.
    fn getdents(&self, fd: Fd, start: u64, max: usize) -> Result<Vec<DirEntry>>;
    /// `mkdirat(2)`.
    fn mkdirat(&self, dir: Fd, path: &str, mode: Mode) -> Result<()>;
    /// `mknodat(2)` for FIFOs, devices and plain files.
    fn mknodat(&self, dir: Fd, path: &str, file_type: FileType, mode: Mode, device: DeviceNumber) -> Result<()>;
    /// `unlinkat(2)`; with `directory`, `rmdir(2)`.
    fn unlinkat(&self, dir: Fd, path: &str, directory: bool) -> Result<()>;
    /// `renameat(2)`.
    fn renameat(&self, old_dir: Fd, old: &str, new_dir: Fd, new: &str) -> Result<()>;
    /// `linkat(2)`.
    fn linkat(&self, old_dir: Fd, old: &str, new_dir: Fd, new: &str, follow: bool) -> Result<()>;
    /// `symlinkat(2)`.
    fn symlinkat(&self, target: &str, dir: Fd, path: &str) -> Result<()>;
    /// `readlinkat(2)`.
    fn readlinkat(&self, dir: Fd, path: &str) -> Result<String>;
    /// `statfs(2)`.
    fn statfs(&self, path: &str) -> Result<StatFs>;
    /// `flock(2)`; waits unless `no_wait`.
    fn flock(&self, fd: Fd, op: Flock, no_wait: bool) -> impl Future<Output = Result<()>> + Send;
    /// `umask(2)`: sets, and returns the old one.
    fn umask(&self, mask: Mode) -> Mode;
    /// `getcwd(2)`.
    fn getcwd(&self) -> Result<String>;
    /// `chdir(2)`.
    fn chdir(&self, path: &str) -> Result<()>;
    /// `fchdir(2)`.
    fn fchdir(&self, fd: Fd) -> Result<()>;
    /// `chroot(2)`.
    fn chroot(&self, path: &str) -> Result<()>;
    /// `mount(2)`; `data` as `mount -o` gives it.
    fn mount(&self, source: &str, target: &str, fstype: &str, flags: MountFlags, data: &str) -> Result<()>;
    /// `umount2(2)`; `lazy` is MNT_DETACH.
    fn umount(&self, target: &str, lazy: bool) -> Result<()>;

    // ---- descriptors -------------------------------------------------------------------------------------------

    /// `dup(2)`, but the new number is at least `min` (`F_DUPFD`).
    fn dup(&self, fd: Fd, min: Fd, cloexec: bool) -> Result<Fd>;
    /// `dup3(2)`; the same number twice does nothing (`dup2`).
    fn dup2(&self, from: Fd, to: Fd, cloexec: bool) -> Result<Fd>;
    /// `pipe2(2)`: the reading and the writing end. `flags`: CLOEXEC, NONBLOCK.
    fn pipe(&self, flags: OpenFlags) -> Result<(Fd, Fd)>;
    /// `fcntl(F_GETFL)`.
    fn get_status_flags(&self, fd: Fd) -> Result<OpenFlags>;
    /// `fcntl(F_SETFL)`: APPEND, NONBLOCK.
    fn set_status_flags(&self, fd: Fd, flags: OpenFlags) -> Result<()>;
    /// `fcntl(F_GETFD)`: close-on-exec?
    fn get_cloexec(&self, fd: Fd) -> Result<bool>;
    /// `fcntl(F_SETFD)`.
    fn set_cloexec(&self, fd: Fd, cloexec: bool) -> Result<()>;
    /// `poll(2)`; `None` waits for ever. Returns how many entries have `revents`.
    fn poll(&self, fds: &mut [PollFd], timeout: Option<Duration>) -> impl Future<Output = Result<usize>> + Send;
    /// `eventfd(2)`.
    fn eventfd(&self, initial: u64, semaphore: bool, flags: OpenFlags) -> Result<Fd>;

    // ---- processes ---------------------------------------------------------------------------------------------

    /// `getpid(2)`, in the caller's pid namespace.
    fn getpid(&self) -> Pid;
    /// `getppid(2)`; 0 when the parent is outside the namespace.
    fn getppid(&self) -> Pid;
    /// Spawns a child (`posix_spawn(3)`); returns once it is known that the program can run.
    fn spawn(&self, request: SpawnRequest) -> impl Future<Output = Result<Pid>> + Send;
    /// `execve(2)`. On `Ok` the caller's program has been replaced: unwind, and let the loader run the new one.
    fn execve(&self, path: &str, argv: Vec<String>, envp: Vec<String>) -> impl Future<Output = Result<()>> + Send;
    /// `waitpid(2)`; `None` with NOHANG when there is nothing yet.
    fn wait(
        &self,
        target: WaitTarget,
        options: WaitOptions,
    ) -> impl Future<Output = Result<Option<(Pid, WaitStatus)>>> + Send;
    /// `exit_group(2)`: the caller is dead after this. Only the first end counts.
    fn exit(&self, status: WaitStatus);
    /// The arguments that the program was started with.
    fn argv(&self) -> Vec<String>;
    /// The environment that the program was started with.
    fn environ(&self) -> Vec<String>;
    /// Sets what `/proc/PID/cmdline` shows (`setproctitle(3)`), and `comm` from it.
    fn set_title(&self, title: &str);
    /// `prctl(PR_SET_NAME)`: at most 15 bytes.
    fn set_comm(&self, comm: &str);
    /// `getpgid(2)`; 0 is the caller.
    fn getpgid(&self, pid: Pid) -> Result<Pid>;
    /// `setpgid(2)`.
    fn setpgid(&self, pid: Pid, group: Pid) -> Result<()>;
    /// `getsid(2)`.
    fn getsid(&self, pid: Pid) -> Result<Pid>;
    /// `setsid(2)`.
    fn setsid(&self) -> Result<Pid>;
    /// `times(2)`.
    fn times(&self) -> Times;
    /// `prlimit(2)`, reading.
    fn getrlimit(&self, resource: Resource) -> Rlimit;
    /// `setrlimit(2)`.
    fn setrlimit(&self, resource: Resource, limit: Rlimit) -> Result<()>;
    /// `getpriority(2)`/`setpriority(2)` of the caller: the nice value; `Some` sets.
    fn nice(&self, set: Option<i8>) -> Result<i8>;

    // ---- signals -----------------------------------------------------------------------------------------------

    /// `kill(2)`; `None` only checks. 0, -1 and negative pids as in the man page.
    fn kill(&self, pid: Pid, signal: Option<Signal>) -> Result<()>;
    /// `sigaction(2)`: sets if given, returns the old one.
    fn sigaction(&self, signal: Signal, action: Option<SigAction>) -> Result<SigAction>;
    /// `sigprocmask(2)`: changes if given, returns the old mask.
    fn sigprocmask(&self, change: Option<(SigMaskHow, SigSet)>) -> SigSet;
    /// `sigpending(2)`.
    fn sigpending(&self) -> SigSet;
    /// `sigsuspend(2)`: always EINTR in the end.
    fn sigsuspend(&self, mask: SigSet) -> impl Future<Output = Errno> + Send;
    /// `setitimer(ITIMER_REAL)`: first SIGALRM after `value` (zero: off), then each `interval`. Returns what was left.
    fn setitimer(&self, value: Duration, interval: Duration) -> Duration;
    /// Cheap: whether [`take_signal`](Syscalls::take_signal) has something to say. The runner asks it between stretches of guest code.
    fn signal_pending(&self) -> bool;
    /// Takes the next signal that has to be acted upon. Ignored ones are dropped, default actions are done here: a stop
    /// waits in here until the process is continued.
    fn take_signal(&self) -> impl Future<Output = Option<SignalDelivery>> + Send;
    /// Restores the mask after a handler.
    fn sigreturn(&self, mask: SigSet);

    // ---- identity ----------------------------------------------------------------------------------------------

    /// `credentials(7)` of the caller.
    fn credentials(&self) -> Credentials;
    /// `setresuid(2)`; `None` leaves an id alone. Capabilities follow as in `capabilities(7)`.
    fn setresuid(&self, real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()>;
    /// `setresgid(2)`.
    fn setresgid(&self, real: Option<u32>, effective: Option<u32>, saved: Option<u32>) -> Result<()>;
    /// `setgroups(2)`.
    fn setgroups(&self, groups: Vec<u32>) -> Result<()>;
    /// `capset(2)`: effective, permitted, inheritable.
    fn capset(&self, effective: CapSet, permitted: CapSet, inheritable: CapSet) -> Result<()>;
    /// `uname(2)`.
    fn uname(&self) -> UtsName;
    /// `sethostname(2)`.
    fn sethostname(&self, name: &str) -> Result<()>;
    /// `unshare(2)`.
    fn unshare(&self, flags: CloneFlags) -> Result<()>;
    /// `setns(2)` with a descriptor of `/proc/PID/ns/*`; empty flags allow any kind.
    fn setns(&self, fd: Fd, flags: CloneFlags) -> Result<()>;

    // ---- terminals ---------------------------------------------------------------------------------------------

    /// `isatty(3)`.
    fn isatty(&self, fd: Fd) -> Result<bool>;
    /// `ttyname(3)`, such as `/dev/pts/0`.
    fn ttyname(&self, fd: Fd) -> Result<String>;
    /// `tcgetattr(3)`.
    fn tcgetattr(&self, fd: Fd) -> Result<Termios>;
    /// `tcsetattr(3)`.
    fn tcsetattr(&self, fd: Fd, when: TcSet, termios: Termios) -> Result<()>;
    /// `ioctl(TIOCGWINSZ)`.
    fn get_winsize(&self, fd: Fd) -> Result<Winsize>;
    /// `ioctl(TIOCSWINSZ)`: SIGWINCH to the foreground group.
    fn set_winsize(&self, fd: Fd, size: Winsize) -> Result<()>;
    /// `tcgetpgrp(3)`.
    fn tcgetpgrp(&self, fd: Fd) -> Result<Pid>;
    /// `tcsetpgrp(3)`.
    fn tcsetpgrp(&self, fd: Fd, group: Pid) -> Result<()>;
    /// `ioctl(TIOCSCTTY)`.
    fn set_controlling_tty(&self, fd: Fd) -> Result<()>;
    /// Opens a pty pair (`openpty(3)`): master and slave.
    fn openpty(&self, flags: OpenFlags) -> Result<(Fd, Fd)>;

    // ---- sockets -----------------------------------------------------------------------------------------------

    /// `socket(2)`. `flags`: CLOEXEC, NONBLOCK.
    fn socket(&self, family: AddressFamily, kind: SocketType, flags: OpenFlags) -> Result<Fd>;
    /// `socketpair(2)`, Unix only.
    fn socketpair(&self, kind: SocketType, flags: OpenFlags) -> Result<(Fd, Fd)>;
    /// `bind(2)`.
    fn bind(&self, fd: Fd, address: &SockAddr) -> Result<()>;
    /// `listen(2)`.
    fn listen(&self, fd: Fd, backlog: u32) -> Result<()>;
    /// `accept4(2)`.
    fn accept(&self, fd: Fd, flags: OpenFlags) -> impl Future<Output = Result<(Fd, SockAddr)>> + Send;
    /// `connect(2)`.
    fn connect(&self, fd: Fd, address: &SockAddr) -> impl Future<Output = Result<()>> + Send;
    /// `sendto(2)`.
    fn sendto(
        &self,
        fd: Fd,
        buf: &[u8],
        flags: MsgFlags,
        to: Option<&SockAddr>,
    ) -> impl Future<Output = Result<usize>> + Send;
    /// `recvfrom(2)`: the length, the sender (datagrams), and TRUNC where a datagram was cut.
    fn recvfrom(
        &self,
        fd: Fd,
        buf: &mut [u8],
        flags: MsgFlags,
    ) -> impl Future<Output = Result<(usize, Option<SockAddr>, MsgFlags)>> + Send;
    /// `shutdown(2)`.
    fn shutdown(&self, fd: Fd, how: Shutdown) -> Result<()>;
    /// `getsockname(2)`.
    fn getsockname(&self, fd: Fd) -> Result<SockAddr>;
    /// `getpeername(2)`.
    fn getpeername(&self, fd: Fd) -> Result<SockAddr>;
    /// `setsockopt(2)`.
    fn setsockopt(&self, fd: Fd, option: SockOpt) -> Result<()>;
    /// `getsockopt(2)`: the same option with its value.
    fn getsockopt(&self, fd: Fd, option: SockOpt) -> Result<SockOpt>;
    /// The interfaces of the caller's network namespace (netlink `RTM_GETLINK`, `RTM_GETADDR`).
    fn interfaces(&self) -> Vec<Interface>;
    /// Its routes (netlink `RTM_GETROUTE`).
    fn routes(&self) -> Vec<Route>;
    /// Changes them.
    fn net_config(&self, change: NetConfig) -> Result<()>;

    // ---- System V IPC and message queues -----------------------------------------------------------------------

    /// `shmget(2)`, `semget(2)`, `msgget(2)`: the object's id.
    fn ipc_get(&self, kind: IpcKind, request: IpcGet) -> Result<i32>;
    /// `IPC_RMID`.
    fn ipc_remove(&self, kind: IpcKind, id: i32) -> Result<()>;
    /// Reads a segment. (A wasm memory cannot map pages of another one: attach is by copy.)
    fn shm_read(&self, id: i32, offset: u64, buf: &mut [u8]) -> Result<usize>;
    /// Writes a segment.
    fn shm_write(&self, id: i32, offset: u64, buf: &[u8]) -> Result<usize>;
    /// `semop(2)`: all or nothing.
    fn semop(&self, id: i32, ops: Vec<SemOp>) -> impl Future<Output = Result<()>> + Send;
    /// `semctl(GETVAL / SETVAL)`: sets if given, returns the old value.
    fn semval(&self, id: i32, index: u16, set: Option<u16>) -> Result<u16>;
    /// `msgsnd(2)`.
    fn msgsnd(&self, id: i32, message: IpcMessage, no_wait: bool) -> impl Future<Output = Result<()>> + Send;
    /// `msgrcv(2)`: `mtype` 0 the first, above 0 of that type, below 0 the lowest type up to its absolute value.
    fn msgrcv(&self, id: i32, max: usize, mtype: i64, no_wait: bool)
    -> impl Future<Output = Result<IpcMessage>> + Send;

    /// `mq_open(3)`; `attr` is for a new queue. The descriptor can be polled.
    fn mq_open(&self, name: &str, flags: OpenFlags, mode: Mode, attr: Option<MqAttr>) -> Result<Fd>;
    /// `mq_send(3)`.
    fn mq_send(&self, fd: Fd, data: Vec<u8>, priority: u32) -> impl Future<Output = Result<()>> + Send;
    /// `mq_receive(3)`: the oldest message of the highest priority, and that priority.
    fn mq_receive(&self, fd: Fd, max: usize) -> impl Future<Output = Result<(Vec<u8>, u32)>> + Send;
    /// `mq_unlink(3)`.
    fn mq_unlink(&self, name: &str) -> Result<()>;

    // ---- time and chance ---------------------------------------------------------------------------------------

    /// `clock_gettime(CLOCK_MONOTONIC)`.
    fn clock_monotonic(&self) -> Duration;
    /// `clock_gettime(CLOCK_REALTIME)`.
    fn clock_realtime(&self) -> Duration;
    /// `clock_gettime(CLOCK_PROCESS_CPUTIME_ID)`.
    fn clock_process(&self) -> Duration;
    /// `clock_nanosleep(2)` on CLOCK_MONOTONIC until a point in time.
    fn sleep_until(&self, deadline: Duration) -> impl Future<Output = Result<()>> + Send;
    /// `getrandom(2)`.
    fn getrandom(&self, buf: &mut [u8]);
    /// `sched_yield(2)`.
    fn sched_yield(&self) -> impl Future<Output = ()> + Send;
    /// Charges CPU time that the guest used; the runner calls it.
    fn charge_cpu(&self, user: Duration);
    /// Until when the guest has to wait for CPU time, in monotonic time, because a limit is used up; the runner asks after a time slice.
    fn throttled_until(&self) -> Option<Duration>;
    /// Asks for more memory for the guest; `false` when a limit says no. The runner calls it with the new total.
    fn charge_memory(&self, total: u64) -> bool;
}
