//! The two stages on the way from podsim's program to a process of a Pod.
//!
//! A process cannot change its own pid namespace, only that of its children (`pid_namespaces(7)`). So the first stage joins and the
//! second one, its child, is what is meant. It is made with CLONE_PARENT: its parent is the node process, which waits for it.

use crate::channel::Channel;
use crate::child::orders::{Answer, Failure, Orders, ProcessOrders};
use crate::child::{NativeProgram, root, terminal, users};
use crate::credentials::{Parent, Rights, die_with};
use crate::guest;
use crate::host_task::program::{self, Program};
use crate::mount::context;
use crate::seccomp;
use podsim_cri::SeccompProfile;
use podsim_cri::backend::user::{self, Accounts, User};
use podsim_sys::Errno;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Gid, Mode, Uid, makedev};
use rustix::process::{Signal, set_parent_process_death_signal, setsid, umask};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Joins namespaces, makes the second stage, tells its pid, and ends.
pub(super) fn first(channel: Channel, native: NativeProgram) -> ! {
    let code = match prepare(&channel) {
        // Nobody gives orders any more.
        Ok(None) => 0,
        Ok(Some((_, Fork::Parent(pid, release)))) => {
            let told = channel.send(&Answer::Pid(pid), &[]);
            drop(release);
            i32::from(told.is_err())
        }
        Ok(Some((orders, Fork::Child(mut released)))) => {
            // It ends without a byte when the pid has been told: what the second stage has to say is not heard before that.
            let _ = released.read(&mut [0]);
            drop(released);
            second(channel, orders, native)
        }
        Err(error) => {
            // The node process is gone if it does not take the answer.
            let _ = channel.send(&Answer::Failed(error.into()), &[]);
            1
        }
    };
    std::process::exit(code)
}

fn prepare(channel: &Channel) -> io::Result<Option<(Orders, Fork)>> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let Some((mut orders, descriptors)) = channel.receive::<Orders>()? else {
        return Ok(None);
    };
    if let Some(cgroup) = &orders.cgroup {
        cgroup.join_self().map_err(io::Error::other)?;
    }
    join(&orders, &descriptors)?;
    if let Some(users) = orders.users {
        let namespace = descriptor(&descriptors, users.descriptor)?;
        users::enter(orders.root.as_mut(), namespace, users.root)?;
    }
    drop(descriptors);
    let fork = clone_with_parent(orders.new_namespaces)?;
    Ok(Some((orders, fork)))
}

fn join(orders: &Orders, descriptors: &[OwnedFd]) -> io::Result<()> {
    for join in &orders.join {
        let kinds = ThreadNameSpaceType::from_bits_retain(join.kinds);
        move_into_thread_name_spaces(descriptor(descriptors, join.descriptor)?, kinds)
            .map_err(context(format_args!("setns {:#x}", join.kinds)))?;
    }
    Ok(())
}

fn descriptor(descriptors: &[OwnedFd], number: usize) -> io::Result<BorrowedFd<'_>> {
    let missing = || io::Error::other("a namespace that did not come with the orders");
    descriptors.get(number).map(AsFd::as_fd).ok_or_else(missing)
}

/// On which side of the fork this is; the parent's side of the pipe keeps the child waiting.
enum Fork {
    Parent(i32, io::PipeWriter),
    Child(io::PipeReader),
}

/// A child in new namespaces whose parent is this process's own.
#[expect(unsafe_code, reason = "clone3 has no safe wrapper")]
fn clone_with_parent(new_namespaces: u32) -> io::Result<Fork> {
    let (released, release) = io::pipe()?;
    // SAFETY: zeros are a valid `struct clone_args`.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = u64::from(new_namespaces) | libc::CLONE_PARENT as u64;
    // With CLONE_PARENT the exit signal is the caller's own: SIGCHLD.
    // SAFETY: this is a fork: the child has a copy of the memory and no stack of its own is asked for. There is one thread, so no lock is
    // held by one that the copy does not have.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    match result {
        0 => {
            drop(release);
            Ok(Fork::Child(released))
        }
        -1 => Err(context(format_args!("clone3 {new_namespaces:#x}"))(
            io::Error::last_os_error(),
        )),
        pid => {
            let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidData)?;
            Ok(Fork::Parent(pid, release))
        }
    }
}

/// In the namespaces: everything up to the program's first instruction.
fn second(channel: Channel, orders: Orders, native: NativeProgram) -> ! {
    match become_program(&channel, &orders) {
        Ok((program, environ)) => {
            // Its end tells the node process that everything went well; exec would do that too.
            drop(channel);
            let failure = match program {
                Program::Node { name, argv } => std::process::exit(native(&name, argv, environ)),
                program => guest::start(program, environ),
            };
            eprintln!("podsim: {}", failure.message().to_lowercase());
            std::process::exit(126)
        }
        Err(failure) => {
            let _ = channel.send(&Answer::Failed(failure), &[]);
            std::process::exit(1)
        }
    }
}

fn become_program(channel: &Channel, orders: &Orders) -> Result<(Program, Vec<String>), Failure> {
    // It is not kept over the clone.
    die_with(Some(Parent::Socket(channel.as_fd()))).map_err(failed)?;
    // A leader of a process group cannot begin a session, and this is none.
    setsid().map_err(io::Error::from)?;
    umask(Mode::empty());
    for (name, value) in &orders.sysctls {
        // The node's /proc: what it shows here is of this process's own namespaces.
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::write(&path, value).map_err(context(format_args!("cannot set {name} to {value:?}")))?;
    }
    let process = &orders.process;
    match &orders.root {
        Some(root) => {
            let own = fs::File::open("/proc/thread-self/ns/mnt").map_err(context("/proc/thread-self/ns/mnt"))?;
            channel.send(&Answer::MountNamespace, &[own.as_fd()])?;
            root::enter(root, &process.security)?;
        }
        // The root of the mount namespace that was joined.
        None => rustix::process::chdir("/").map_err(io::Error::from)?,
    }
    if let Some(hostname) = &orders.hostname {
        rustix::system::sethostname(hostname.as_bytes()).map_err(context("sethostname"))?;
    }
    if let Some(orders) = &orders.terminal {
        terminal::open_in_container(channel, orders)?;
    }
    umask(Mode::from_raw_mode(0o022));
    let user = find_user(process)?;
    give_streams(user.credentials.uid, None)?;
    let mut environ = process.environ.clone();
    if !environ.iter().any(|entry| entry.starts_with("HOME=")) {
        environ.push(format!("HOME={}", user.home));
    }
    working_directory(&process.working_dir)?;
    let rights = Rights {
        oom_score_adj: Some(process.oom_score_adj),
        ..Rights::from(&user.credentials)
    };
    let profile = if process.security.privileged {
        &SeccompProfile::Unconfined
    } else {
        &process.security.seccomp
    };
    let filter = seccomp::compile(profile, user.credentials.bounding).map_err(failed)?;
    rights
        .confine(filter.as_ref(), Some(Parent::Socket(channel.as_fd())))
        .map_err(failed)?;
    let program = find_program(process, &environ)?;
    Ok((program, environ))
}

/// A step that failed, before the program was looked for.
fn failed(error: impl std::fmt::Display) -> Failure {
    Failure {
        message: error.to_string(),
        exit_code: 128,
    }
}

fn find_user(process: &ProcessOrders) -> Result<User, Failure> {
    let read = |path: &str| {
        let content = fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&content).into_owned()
    };
    let accounts = Accounts {
        passwd: read("/etc/passwd"),
        group: read("/etc/group"),
    };
    user::resolve(&process.image_user, &process.security, &accounts).map_err(|message| Failure {
        message,
        exit_code: 128,
    })
}

/// Makes the standard streams a user's own, as runc does (`fixStdioPermissions`): they can be opened again, by the name `/dev/stdout`. Not
/// `/dev/null`, which is everybody's.
pub(super) fn give_streams(uid: u32, gid: Option<u32>) -> io::Result<()> {
    for stream in [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()] {
        let status = rustix::fs::fstat(stream).map_err(context("look at a standard stream"))?;
        if status.st_uid != uid && status.st_rdev != makedev(1, 3) {
            match rustix::fs::fchown(stream, Some(Uid::from_raw(uid)), gid.map(Gid::from_raw)) {
                // A user namespace where it is nobody's.
                Ok(()) | Err(rustix::io::Errno::PERM | rustix::io::Errno::INVAL) => {}
                Err(errno) => return Err(context("give a standard stream to the user")(errno)),
            }
        }
    }
    Ok(())
}

/// A working directory that is not there is made, as runc does.
fn working_directory(path: &str) -> io::Result<()> {
    let path = if path.is_empty() { "/" } else { path };
    fs::create_dir_all(path).map_err(context(format_args!("mkdir {path}")))?;
    rustix::process::chdir(Path::new(path)).map_err(context(format_args!("chdir {path}")))
}

fn find_program(process: &ProcessOrders, environ: &[String]) -> Result<Program, Failure> {
    let name = process.argv.first().ok_or_else(|| Failure {
        message: "no command specified".to_owned(),
        exit_code: 128,
    })?;
    let search = environ.iter().rev().find_map(|entry| entry.strip_prefix("PATH="));
    program::open_in(name, search, process.argv.clone()).map_err(|errno| {
        let (what, exit_code) = match errno {
            Errno::ENOENT if !name.contains('/') => ("executable file not found in $PATH".to_owned(), 127),
            Errno::ENOENT => (format!("stat {name}: no such file or directory"), 127),
            Errno::EACCES => ("permission denied".to_owned(), 126),
            Errno::EISDIR => ("is a directory".to_owned(), 126),
            errno => (errno.message().to_lowercase(), 126),
        };
        Failure {
            message: format!("unable to start container process: exec: {name:?}: {what}"),
            exit_code,
        }
    })
}
