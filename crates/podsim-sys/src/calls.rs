//! The table of the `podsim_v1` calls: name, arguments, result, and how the call waits.
//!
//! `podsim_v1` is the import module by which a wasm guest makes the [`Syscalls`](crate::Syscalls) that neither WASI
//! preview 1 nor WASIX has (and, because that is simplest for a guest written for podsim, all the others too). The table
//! is written once: podsim-guest makes the guest's functions from it and podsim-wasi the host's.
//!
//! Each call is an import `podsim_v1.NAME(args, args_len, answer, answer_cap) -> i32`: `args` is a message (see
//! [`crate::wire`]) of the arguments in order; the result is the length of the answer, or an errno as a negative number.
//! An answer that is longer than `answer_cap` is not written but kept: `podsim_v1.answer(buf, len)` gives it, so nothing is
//! lost and nothing is done twice. `poll(fds, timeout) -> (count, revents)`, `sigsuspend(mask)`, `execve(path, argv, envp)`,
//! `chdir(path)` and `sched_yield()` have this form too, but their functions are written by hand on both sides. The calls
//! that move bytes have plain arguments:
//!
//! ```text
//! read(fd, buf, len) -> n                      write(fd, buf, len) -> n
//! pread(fd, buf, len, offset: i64) -> n        pwrite(fd, buf, len, offset: i64) -> n
//! shm_read(id, buf, len, offset: i64) -> n     shm_write(id, buf, len, offset: i64) -> n
//! getrandom(buf, len) -> 0                     answer(buf, len) -> n
//! sendto(fd, buf, len, flags, to, to_len) -> n                     `to`: a SockAddr, or to_len 0
//! recvfrom(fd, buf, len, flags, answer, answer_cap) -> answer's length   answer: (u64, Option<SockAddr>, MsgFlags)
//! ```
//!
//! The first word of a row says how the call ends when a signal handler ran while it waited (`signal(7)`, "Interruption of
//! system calls and library functions by signal handlers"): `restart` begins again under SA_RESTART, `wait` never does,
//! `now` does not wait, `plain` does not wait and cannot fail. An argument is `val` (a value) or `by` (a reference).

/// Hands the table of the `podsim_v1` calls to the macro whose name is given.
#[macro_export]
macro_rules! podsim_v1_calls {
    ($then:ident) => {
        $then! {
            // files
            restart openat(dir: val Fd, path: by str, flags: val OpenFlags, mode: val Mode) -> Fd, "`openat(2)`; waits for the other side of a FIFO.";
            now close(fd: val Fd) -> (), "`close(2)`.";
            now lseek(fd: val Fd, offset: val i64, whence: val Whence) -> u64, "`lseek(2)`.";
            now ftruncate(fd: val Fd, size: val u64) -> (), "`ftruncate(2)`.";
            now fallocate(fd: val Fd, offset: val u64, len: val u64) -> (), "`posix_fallocate(3)`.";
            now fsync(fd: val Fd) -> (), "`fsync(2)` and `fdatasync(2)`.";
            now fstat(fd: val Fd) -> Stat, "`fstat(2)`.";
            now fstatat(dir: val Fd, path: by str, follow: val bool) -> Stat, "`fstatat(2)`.";
            now faccessat(dir: val Fd, path: by str, access: val Access) -> (), "`faccessat(2)`, with the real ids.";
            now fchmodat(dir: val Fd, path: by str, mode: val Mode) -> (), "`fchmodat(2)`.";
            now fchmod(fd: val Fd, mode: val Mode) -> (), "`fchmod(2)`.";
            now fchownat(dir: val Fd, path: by str, uid: val Option<u32>, gid: val Option<u32>, follow: val bool) -> (), "`fchownat(2)`; `None` leaves an id alone.";
            now utimensat(dir: val Fd, path: by str, atime: val SetTime, mtime: val SetTime, follow: val bool) -> (), "`utimensat(2)`: access and modification time.";
            now futimens(fd: val Fd, atime: val SetTime, mtime: val SetTime) -> (), "`futimens(3)`.";
            now getdents(fd: val Fd, start: val u64, max: val usize) -> Vec<DirEntry>, "`getdents(2)`: entries from position `start` on (0 is the beginning), at most `max`; with `.` and `..`.";
            now mkdirat(dir: val Fd, path: by str, mode: val Mode) -> (), "`mkdirat(2)`.";
            now mknodat(dir: val Fd, path: by str, file_type: val FileType, mode: val Mode, device: val DeviceNumber) -> (), "`mknodat(2)` for FIFOs, devices and plain files.";
            now unlinkat(dir: val Fd, path: by str, directory: val bool) -> (), "`unlinkat(2)`; with `directory`, `rmdir(2)`.";
            now renameat(old_dir: val Fd, old: by str, new_dir: val Fd, new: by str) -> (), "`renameat(2)`.";
            now linkat(old_dir: val Fd, old: by str, new_dir: val Fd, new: by str, follow: val bool) -> (), "`linkat(2)`.";
            now symlinkat(target: by str, dir: val Fd, path: by str) -> (), "`symlinkat(2)`.";
            now readlinkat(dir: val Fd, path: by str) -> String, "`readlinkat(2)`.";
            now statfs(path: by str) -> StatFs, "`statfs(2)`.";
            restart flock(fd: val Fd, op: val Flock, no_wait: val bool) -> (), "`flock(2)`; waits unless `no_wait`.";
            plain umask(mask: val Mode) -> Mode, "`umask(2)`: sets, and returns the old one.";
            now getcwd() -> String, "`getcwd(2)`.";
            now fchdir(fd: val Fd) -> (), "`fchdir(2)`.";
            now chroot(path: by str) -> (), "`chroot(2)`.";
            now mount(source: by str, target: by str, fstype: by str, flags: val MountFlags, data: by str) -> (), "`mount(2)`; `data` as `mount -o` gives it.";
            now umount(target: by str, lazy: val bool) -> (), "`umount2(2)`; `lazy` is MNT_DETACH.";

            // descriptors
            now dup(fd: val Fd, min: val Fd, cloexec: val bool) -> Fd, "`dup(2)`, but the new number is at least `min` (`F_DUPFD`).";
            now dup2(from: val Fd, to: val Fd, cloexec: val bool) -> Fd, "`dup3(2)`; the same number twice does nothing (`dup2`).";
            now pipe(flags: val OpenFlags) -> (Fd, Fd), "`pipe2(2)`: the reading and the writing end. `flags`: CLOEXEC, NONBLOCK.";
            now get_status_flags(fd: val Fd) -> OpenFlags, "`fcntl(F_GETFL)`.";
            now set_status_flags(fd: val Fd, flags: val OpenFlags) -> (), "`fcntl(F_SETFL)`: APPEND, NONBLOCK.";
            now get_cloexec(fd: val Fd) -> bool, "`fcntl(F_GETFD)`: close-on-exec?";
            now set_cloexec(fd: val Fd, cloexec: val bool) -> (), "`fcntl(F_SETFD)`.";
            now eventfd(initial: val u64, semaphore: val bool, flags: val OpenFlags) -> Fd, "`eventfd(2)`.";

            // processes
            plain getpid() -> Pid, "`getpid(2)`, in the caller's pid namespace.";
            plain getppid() -> Pid, "`getppid(2)`; 0 when the parent is outside the namespace.";
            wait spawn(request: val SpawnRequest) -> Pid, "Spawns a child (`posix_spawn(3)`); returns once it is known that the program can run.";
            restart wait(target: val WaitTarget, options: val WaitOptions) -> Option<(Pid, WaitStatus)>, "`waitpid(2)`; `None` with NOHANG when there is nothing yet.";
            plain set_title(title: by str) -> (), "Sets what `/proc/PID/cmdline` shows (`setproctitle(3)`), and `comm` from it.";
            plain set_comm(comm: by str) -> (), "`prctl(PR_SET_NAME)`: at most 15 bytes.";
            now getpgid(pid: val Pid) -> Pid, "`getpgid(2)`; 0 is the caller.";
            now setpgid(pid: val Pid, group: val Pid) -> (), "`setpgid(2)`.";
            now getsid(pid: val Pid) -> Pid, "`getsid(2)`.";
            now setsid() -> Pid, "`setsid(2)`.";
            plain times() -> Times, "`times(2)`.";
            plain getrlimit(resource: val Resource) -> Rlimit, "`prlimit(2)`, reading.";
            now setrlimit(resource: val Resource, limit: val Rlimit) -> (), "`setrlimit(2)`.";
            now nice(set: val Option<i8>) -> i8, "`getpriority(2)`/`setpriority(2)` of the caller: the nice value; `Some` sets.";

            // signals
            now kill(pid: val Pid, signal: val Option<Signal>) -> (), "`kill(2)`; `None` only checks. 0, -1 and negative pids as in the man page.";
            now sigaction(signal: val Signal, action: val Option<SigAction>) -> SigAction, "`sigaction(2)`: sets if given, returns the old one. See also `on_signal`.";
            plain sigprocmask(change: val Option<(SigMaskHow, SigSet)>) -> SigSet, "`sigprocmask(2)`: changes if given, returns the old mask.";
            plain sigpending() -> SigSet, "`sigpending(2)`.";
            plain setitimer(value: val Duration, interval: val Duration) -> Duration, "`setitimer(ITIMER_REAL)`: first SIGALRM after `value` (zero: off), then each `interval`. Returns what was left.";

            // identity
            plain credentials() -> Credentials, "`credentials(7)` of the caller.";
            now setresuid(real: val Option<u32>, effective: val Option<u32>, saved: val Option<u32>) -> (), "`setresuid(2)`; `None` leaves an id alone.";
            now setresgid(real: val Option<u32>, effective: val Option<u32>, saved: val Option<u32>) -> (), "`setresgid(2)`.";
            now setgroups(groups: val Vec<u32>) -> (), "`setgroups(2)`.";
            now capset(effective: val CapSet, permitted: val CapSet, inheritable: val CapSet) -> (), "`capset(2)`.";
            plain uname() -> UtsName, "`uname(2)`.";
            now sethostname(name: by str) -> (), "`sethostname(2)`.";
            now unshare(flags: val CloneFlags) -> (), "`unshare(2)`.";
            now setns(fd: val Fd, flags: val CloneFlags) -> (), "`setns(2)` with a descriptor of `/proc/PID/ns/*`; empty flags allow any kind.";

            // terminals
            now isatty(fd: val Fd) -> bool, "`isatty(3)`.";
            now ttyname(fd: val Fd) -> String, "`ttyname(3)`, such as `/dev/pts/0`.";
            now tcgetattr(fd: val Fd) -> Termios, "`tcgetattr(3)`.";
            now tcsetattr(fd: val Fd, when: val TcSet, termios: val Termios) -> (), "`tcsetattr(3)`.";
            now get_winsize(fd: val Fd) -> Winsize, "`ioctl(TIOCGWINSZ)`.";
            now set_winsize(fd: val Fd, size: val Winsize) -> (), "`ioctl(TIOCSWINSZ)`: SIGWINCH to the foreground group.";
            now tcgetpgrp(fd: val Fd) -> Pid, "`tcgetpgrp(3)`.";
            now tcsetpgrp(fd: val Fd, group: val Pid) -> (), "`tcsetpgrp(3)`.";
            now set_controlling_tty(fd: val Fd) -> (), "`ioctl(TIOCSCTTY)`.";
            now openpty(flags: val OpenFlags) -> (Fd, Fd), "Opens a pty pair (`openpty(3)`): master and slave.";

            // sockets and network
            now socket(family: val AddressFamily, kind: val SocketType, flags: val OpenFlags) -> Fd, "`socket(2)`. `flags`: CLOEXEC, NONBLOCK.";
            now socketpair(kind: val SocketType, flags: val OpenFlags) -> (Fd, Fd), "`socketpair(2)`, Unix only.";
            now bind(fd: val Fd, address: by SockAddr) -> (), "`bind(2)`.";
            now listen(fd: val Fd, backlog: val u32) -> (), "`listen(2)`.";
            restart accept(fd: val Fd, flags: val OpenFlags) -> (Fd, SockAddr), "`accept4(2)`.";
            restart connect(fd: val Fd, address: by SockAddr) -> (), "`connect(2)`.";
            now shutdown(fd: val Fd, how: val Shutdown) -> (), "`shutdown(2)`.";
            now getsockname(fd: val Fd) -> SockAddr, "`getsockname(2)`.";
            now getpeername(fd: val Fd) -> SockAddr, "`getpeername(2)`.";
            now setsockopt(fd: val Fd, option: val SockOpt) -> (), "`setsockopt(2)`.";
            now getsockopt(fd: val Fd, option: val SockOpt) -> SockOpt, "`getsockopt(2)`: the same option with its value.";
            plain interfaces() -> Vec<Interface>, "The interfaces of the caller's network namespace (netlink `RTM_GETLINK`, `RTM_GETADDR`).";
            plain routes() -> Vec<Route>, "Its routes (netlink `RTM_GETROUTE`).";
            now net_config(change: val NetConfig) -> (), "Changes them.";

            // System V IPC
            now ipc_get(kind: val IpcKind, request: val IpcGet) -> i32, "`shmget(2)`, `semget(2)`, `msgget(2)`: the object's id.";
            now ipc_remove(kind: val IpcKind, id: val i32) -> (), "`IPC_RMID`.";
            wait semop(id: val i32, ops: val Vec<SemOp>) -> (), "`semop(2)`: all or nothing.";
            now semval(id: val i32, index: val u16, set: val Option<u16>) -> u16, "`semctl(GETVAL / SETVAL)`: sets if given, returns the old value.";
            wait msgsnd(id: val i32, message: val IpcMessage, no_wait: val bool) -> (), "`msgsnd(2)`.";
            wait msgrcv(id: val i32, max: val usize, mtype: val i64, no_wait: val bool) -> IpcMessage, "`msgrcv(2)`: `mtype` 0 the first, above 0 of that type, below 0 the lowest type up to its absolute value.";
            now mq_open(name: by str, flags: val OpenFlags, mode: val Mode, attr: val Option<MqAttr>) -> Fd, "`mq_open(3)`; `attr` is for a new queue. The descriptor can be polled.";
            restart mq_send(fd: val Fd, data: val Vec<u8>, priority: val u32) -> (), "`mq_send(3)`.";
            restart mq_receive(fd: val Fd, max: val usize) -> (Vec<u8>, u32), "`mq_receive(3)`: the oldest message of the highest priority, and that priority.";
            now mq_unlink(name: by str) -> (), "`mq_unlink(3)`.";

            // time
            plain clock_monotonic() -> Duration, "`clock_gettime(CLOCK_MONOTONIC)`.";
            plain clock_realtime() -> Duration, "`clock_gettime(CLOCK_REALTIME)`.";
            plain clock_process() -> Duration, "`clock_gettime(CLOCK_PROCESS_CPUTIME_ID)`.";
            wait sleep_until(deadline: val Duration) -> (), "`clock_nanosleep(2)` on CLOCK_MONOTONIC until a point in time.";
        }
    };
}
