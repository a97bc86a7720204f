//! WASI preview 1 (`wasi_snapshot_preview1`): all 46 functions, on the system calls of one process.
//!
//! Descriptors are the process's own numbers, 0 to 2 and whatever it inherited or opened. The preopened directory that a
//! libc needs to begin a path with is not in the process's table: see [`preopen`].
//!
//! Rights are reported as the file's type and mode have them, and not enforced beyond that: permissions are the kernel's.
//! Paths may be absolute and may contain `..`: what a process may see is decided by its root and its mounts.

mod clock;
mod env;
mod fd;
mod path;
mod poll;
pub(crate) mod preopen;
mod process;
pub(crate) mod sock;
pub(crate) mod types;

use crate::call::host_functions;
use crate::error::wasi_result;

pub(crate) use path::{OpenRequest, open};
pub(crate) use preopen::{at, knows_cwd};
pub(crate) use process::exit;

host_functions! {
    module "wasi_snapshot_preview1", result wasi_result;
    quick env::args_get(argv: u32, buf: u32), Full, "";
    quick env::args_sizes_get(count: u32, size: u32), Full, "";
    quick env::environ_get(environ: u32, buf: u32), Full, "";
    quick env::environ_sizes_get(count: u32, size: u32), Full, "";
    quick clock::clock_res_get(id: u32, resolution: u32), Full, "1 ns, as Linux says";
    quick clock::clock_time_get(id: u32, precision: u64, time: u32), Full, "";
    quick fd::fd_advise(fd: u32, offset: u64, len: u64, advice: u32), Full, "checked; there is nothing to speed up";
    now fd::fd_allocate(fd: u32, offset: u64, len: u64), Full, "";
    now fd::fd_close(fd: u32), Full, "";
    now fd::fd_datasync(fd: u32), Full, "";
    now fd::fd_fdstat_get(fd: u32, stat: u32), Full, "";
    now fd::fd_fdstat_set_flags(fd: u32, flags: u32), Partial, "append and nonblock; the sync flags cannot be changed, as on Linux";
    now fd::fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64), Partial, "checked and ignored: permissions are the kernel's";
    now fd::fd_filestat_get(fd: u32, stat: u32), Full, "";
    now fd::fd_filestat_set_size(fd: u32, size: u64), Full, "";
    now fd::fd_filestat_set_times(fd: u32, atime: u64, mtime: u64, flags: u32), Full, "";
    now fd::fd_pread(fd: u32, iovs: u32, count: u32, offset: u64, nread: u32), Full, "";
    quick preopen::fd_prestat_get(fd: u32, prestat: u32), Full, "one preopen, `/`, is 200";
    quick preopen::fd_prestat_dir_name(fd: u32, path: u32, path_len: u32), Full, "";
    now fd::fd_pwrite(fd: u32, iovs: u32, count: u32, offset: u64, written: u32), Full, "";
    restart fd::fd_read(fd: u32, iovs: u32, count: u32, nread: u32), Full, "";
    now fd::fd_readdir(fd: u32, buf: u32, buf_len: u32, cookie: u64, used: u32), Full, "";
    now fd::fd_renumber(from: u32, to: u32), Full, "";
    now fd::fd_seek(fd: u32, offset: i64, whence: u32, position: u32), Full, "";
    now fd::fd_sync(fd: u32), Full, "";
    now fd::fd_tell(fd: u32, position: u32), Full, "";
    restart fd::fd_write(fd: u32, iovs: u32, count: u32, written: u32), Full, "";
    now path::path_create_directory(fd: u32, path: u32, path_len: u32), Full, "";
    now path::path_filestat_get(fd: u32, lookup: u32, path: u32, path_len: u32, stat: u32), Full, "";
    now path::path_filestat_set_times(fd: u32, lookup: u32, path: u32, path_len: u32, atime: u64, mtime: u64, flags: u32), Full, "";
    now path::path_link(old_fd: u32, lookup: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32), Full, "";
    restart path::path_open(fd: u32, lookup: u32, path: u32, path_len: u32, oflags: u32, rights: u64, inheriting: u64, fdflags: u32, opened: u32), Full, "close-on-exec is set, as languages' libraries do on Linux";
    now path::path_readlink(fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, used: u32), Full, "";
    now path::path_remove_directory(fd: u32, path: u32, path_len: u32), Full, "";
    now path::path_rename(old_fd: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32), Full, "";
    now path::path_symlink(target: u32, target_len: u32, fd: u32, path: u32, path_len: u32), Full, "";
    now path::path_unlink_file(fd: u32, path: u32, path_len: u32), Full, "";
    wait poll::poll_oneoff(subscriptions: u32, events: u32, count: u32, stored: u32), Full, "";
    void process::proc_exit(code: u32), Full, "";
    now process::proc_raise(signal: u32), Full, "";
    quick process::random_get(buf: u32, len: u32), Full, "";
    wait process::sched_yield(), Full, "";
    restart sock::sock_accept(fd: u32, flags: u32, accepted: u32), Full, "";
    restart sock::sock_recv(fd: u32, iovs: u32, count: u32, flags: u32, received: u32, out_flags: u32), Full, "";
    restart sock::sock_send(fd: u32, iovs: u32, count: u32, flags: u32, sent: u32), Full, "";
    now sock::sock_shutdown(fd: u32, how: u32), Full, "";
}
