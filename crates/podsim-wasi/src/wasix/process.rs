//! Processes: spawn, exec, wait, signals, sleeping. There is no fork, and a process has one thread.

use crate::call::{Call, fd};
use crate::error::End;
use crate::memory::GuestMemory;
use crate::p1::{OpenRequest, at};
use crate::state::State;
use podsim_sys::{
    DefaultAction, Errno, FdAction, Mode, Pid, Result, SigAction, SigHandler, Signal, SpawnRequest, Syscalls,
    WaitOptions, WaitStatus, WaitTarget,
};
use std::time::Duration;

/// A list longer than this is E2BIG before anything is allocated for it.
const LIST_MAX: u32 = 65_536;
/// The size of `proc_spawn_fd_op`.
const FD_OP: u32 = 56;
/// `join_status_type`.
const NOTHING: u8 = 0;
const EXIT_NORMAL: u8 = 1;
const EXIT_SIGNAL: u8 = 2;
const STOPPED: u8 = 3;

/// WASIX's numbers are Linux's; 0 is none.
fn signal(number: u32) -> Result<Option<Signal>> {
    match u8::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => Signal::new(number).map(Some).ok_or(Errno::EINVAL),
        Err(_) => Err(Errno::EINVAL),
    }
}

fn pid(number: u32) -> Pid {
    Pid(number.cast_signed())
}

/// Strings separated by line feeds: the older form, which cannot carry every argument.
fn lines(memory: &GuestMemory<'_>, ptr: u32, len: u32) -> Result<Vec<String>> {
    Ok(memory
        .str(ptr, len)?
        .split('\n')
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

/// An array of pointers to strings; `None` for a null pointer.
fn strings(memory: &GuestMemory<'_>, ptr: u32, count: u32) -> Result<Option<Vec<String>>> {
    if ptr == 0 {
        return Ok(None);
    }
    if count > LIST_MAX {
        return Err(Errno::E2BIG);
    }
    let mut all = Vec::new();
    for index in 0..count {
        let slot = ptr.checked_add(index * 4).ok_or(Errno::EFAULT)?;
        all.push(memory.c_str(memory.u32(slot)?)?.to_owned());
    }
    Ok(Some(all))
}

fn fd_actions<S: Syscalls>(state: &State<S>, memory: &GuestMemory<'_>, ops: u32, count: u32) -> Result<Vec<FdAction>> {
    if count > LIST_MAX {
        return Err(Errno::E2BIG);
    }
    let mut actions = Vec::new();
    for index in 0..count {
        let op = ops.checked_add(index * FD_OP).ok_or(Errno::EFAULT)?;
        memory.bytes(op, FD_OP)?;
        actions.push(fd_action(state, memory, op)?);
    }
    Ok(actions)
}

fn fd_action<S: Syscalls>(state: &State<S>, memory: &GuestMemory<'_>, op: u32) -> Result<FdAction> {
    let number = memory.u32(op + 4)?;
    // The path as the guest's libc gives it: relative to `/` or to the current directory.
    let path = || -> Result<String> { Ok(memory.path(memory.u32(op + 12)?, memory.u32(op + 16)?)?.to_owned()) };
    Ok(match memory.u8(op)? {
        0 => FdAction::Close(fd(number)),
        1 => FdAction::Dup2 {
            from: fd(memory.u32(op + 8)?),
            to: fd(number),
        },
        2 => {
            let request = OpenRequest {
                lookup: memory.u32(op + 20)?,
                oflags: memory.u16(op + 24)?.into(),
                rights: memory.u64(op + 32)?,
                fdflags: memory.u16(op + 48)?.into(),
                cloexec: false,
            };
            FdAction::Open {
                fd: fd(number),
                path: at(state, memory.u32(op + 8)?, &path()?).1.into_owned(),
                flags: request.flags()?,
                mode: Mode(0o666),
            }
        }
        3 => FdAction::Chdir(path()?),
        4 => FdAction::Fchdir(fd(number)),
        _ => return Err(Errno::EINVAL),
    })
}

/// What spawn and exec have in common.
struct Program {
    name: String,
    argv: Vec<String>,
    envp: Vec<String>,
    search: Option<String>,
}

/// How the arguments and the environment are given: two pointers with two lengths.
#[derive(Clone, Copy)]
struct Lists {
    args: (u32, u32),
    envs: Option<(u32, u32)>,
    pointers: bool,
}

fn program<S: Syscalls>(
    call: &mut Call<'_, S>,
    name: (u32, u32),
    lists: Lists,
    search: Option<(u32, u32)>,
) -> Result<Program> {
    let (memory, state) = call.parts();
    let list = |(ptr, len): (u32, u32)| {
        if lists.pointers {
            strings(&memory, ptr, len)
        } else {
            lines(&memory, ptr, len).map(Some)
        }
    };
    let envp = match lists.envs {
        Some(envs) => list(envs)?,
        None => None,
    };
    Ok(Program {
        name: memory.path(name.0, name.1)?.to_owned(),
        argv: list(lists.args)?.unwrap_or_default(),
        envp: envp.unwrap_or_else(|| state.task.environ()),
        search: search
            .map(|(ptr, len)| memory.str(ptr, len).map(str::to_owned))
            .transpose()?,
    })
}

#[derive(Clone, Copy)]
struct SpawnAttributes {
    ops: (u32, u32),
    signals: (u32, u32),
}

async fn spawn<S: Syscalls>(call: &mut Call<'_, S>, program: Program, how: SpawnAttributes, ret: u32) -> Result<()> {
    let (memory, state) = call.parts();
    memory.u32(ret)?;
    let mut request = SpawnRequest {
        path: program.name,
        search_path: program.search,
        argv: program.argv,
        envp: program.envp,
        fd_actions: fd_actions(state, &memory, how.ops.0, how.ops.1)?,
        ..SpawnRequest::default()
    };
    for index in 0..how.signals.1.min(64) {
        let at = how.signals.0.checked_add(index * 2).ok_or(Errno::EFAULT)?;
        let Some(signal) = signal(memory.u8(at)?.into())? else {
            continue;
        };
        match memory.u8(at.checked_add(1).ok_or(Errno::EFAULT)?)? {
            0 => request.signal_default.add(signal),
            _ => request.signal_ignore.add(signal),
        }
    }
    let child = call.task().spawn(request).await?;
    call.memory().set_u32(ret, child.0.cast_unsigned())
}

#[expect(clippy::too_many_arguments, reason = "the signature is WASIX's")]
pub(crate) async fn proc_spawn2<S: Syscalls>(
    call: &mut Call<'_, S>,
    name: u32,
    name_len: u32,
    args: u32,
    args_len: u32,
    envs: u32,
    envs_len: u32,
    ops: u32,
    ops_len: u32,
    signals: u32,
    signals_len: u32,
    search: u32,
    path: u32,
    path_len: u32,
    ret: u32,
) -> Result<()> {
    let lists = Lists {
        args: (args, args_len),
        envs: Some((envs, envs_len)),
        pointers: false,
    };
    let program = program(call, (name, name_len), lists, (search != 0).then_some((path, path_len)))?;
    let how = SpawnAttributes {
        ops: (ops, ops_len),
        signals: (signals, signals_len),
    };
    spawn(call, program, how, ret).await
}

#[expect(clippy::too_many_arguments, reason = "the signature is WASIX's")]
pub(crate) async fn proc_spawn3<S: Syscalls>(
    call: &mut Call<'_, S>,
    name: u32,
    name_len: u32,
    args: u32,
    args_len: u32,
    envs: u32,
    envs_len: u32,
    ops: u32,
    ops_len: u32,
    signals: u32,
    signals_len: u32,
    search: u32,
    path: u32,
    path_len: u32,
    ret: u32,
) -> Result<()> {
    let lists = Lists {
        args: (args, args_len),
        envs: Some((envs, envs_len)),
        pointers: true,
    };
    let program = program(call, (name, name_len), lists, (search != 0).then_some((path, path_len)))?;
    let how = SpawnAttributes {
        ops: (ops, ops_len),
        signals: (signals, signals_len),
    };
    spawn(call, program, how, ret).await
}

/// `execvpe(3)`: tries the directories of the search path if the name has no slash.
async fn exec<S: Syscalls>(call: &mut Call<'_, S>, program: Program) -> Result<()> {
    let task = call.task();
    let paths = match &program.search {
        Some(search) if !program.name.contains('/') => search
            .split(':')
            .map(|dir| {
                if dir.is_empty() {
                    program.name.clone()
                } else {
                    format!("{dir}/{}", program.name)
                }
            })
            .collect(),
        _ => vec![program.name.clone()],
    };
    let mut last = Errno::ENOENT;
    for path in paths {
        match task.execve(&path, program.argv.clone(), program.envp.clone()).await {
            Ok(()) => {
                call.end(End::Exec);
                return Ok(());
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            // Found but not to be run; another directory may have a better one.
            Err(Errno::EACCES) => last = Errno::EACCES,
            Err(errno) => return Err(errno),
        }
    }
    Err(last)
}

/// `proc_exec` and `proc_exec2` cannot return: a program that is not there ends the process as it would a shell's child.
async fn exec_or_die<S: Syscalls>(call: &mut Call<'_, S>, name: (u32, u32), lists: Lists) {
    let result = match program(call, name, lists, None) {
        Ok(program) => exec(call, program).await,
        Err(errno) => Err(errno),
    };
    if result.is_err() {
        call.task().exit(WaitStatus::Exited(127));
        call.end(End::Exit);
    }
}

pub(crate) async fn proc_exec<S: Syscalls>(call: &mut Call<'_, S>, name: u32, name_len: u32, args: u32, args_len: u32) {
    let lists = Lists {
        args: (args, args_len),
        envs: None,
        pointers: false,
    };
    exec_or_die(call, (name, name_len), lists).await;
}

pub(crate) async fn proc_exec2<S: Syscalls>(
    call: &mut Call<'_, S>,
    name: u32,
    name_len: u32,
    args: u32,
    args_len: u32,
    envs: u32,
    envs_len: u32,
) {
    let lists = Lists {
        args: (args, args_len),
        envs: Some((envs, envs_len)),
        pointers: false,
    };
    exec_or_die(call, (name, name_len), lists).await;
}

#[expect(clippy::too_many_arguments, reason = "the signature is WASIX's")]
pub(crate) async fn proc_exec3<S: Syscalls>(
    call: &mut Call<'_, S>,
    name: u32,
    name_len: u32,
    args: u32,
    args_len: u32,
    envs: u32,
    envs_len: u32,
    search: u32,
    path: u32,
    path_len: u32,
) -> Result<()> {
    let lists = Lists {
        args: (args, args_len),
        envs: Some((envs, envs_len)),
        pointers: false,
    };
    let program = program(call, (name, name_len), lists, (search != 0).then_some((path, path_len)))?;
    exec(call, program).await
}

#[expect(clippy::too_many_arguments, reason = "the signature is WASIX's")]
pub(crate) async fn proc_exec4<S: Syscalls>(
    call: &mut Call<'_, S>,
    name: u32,
    name_len: u32,
    args: u32,
    args_len: u32,
    envs: u32,
    envs_len: u32,
    search: u32,
    path: u32,
    path_len: u32,
) -> Result<()> {
    let lists = Lists {
        args: (args, args_len),
        envs: Some((envs, envs_len)),
        pointers: true,
    };
    let program = program(call, (name, name_len), lists, (search != 0).then_some((path, path_len)))?;
    exec(call, program).await
}

/// `waitpid(2)`. `pid_ptr` is an `option_pid`: none waits for any child; the child that was found is put there.
pub(crate) async fn proc_join<S: Syscalls>(
    call: &mut Call<'_, S>,
    pid_ptr: u32,
    flags: u32,
    status: u32,
) -> Result<()> {
    let memory = call.memory();
    memory.bytes(pid_ptr, 8)?;
    memory.bytes(status, 6)?;
    let target = if memory.u8(pid_ptr)? == 0 {
        WaitTarget::Any
    } else {
        WaitTarget::Pid(pid(memory.u32(pid_ptr + 4)?))
    };
    let mut options = WaitOptions::empty();
    options.set(WaitOptions::NOHANG, flags & 1 != 0);
    options.set(WaitOptions::UNTRACED, flags & 2 != 0);
    let found = call.task().wait(target, options).await?;
    let mut memory = call.memory();
    memory.write(status, &[NOTHING, 0, 0, 0, 0, 0])?;
    memory.set_u8(pid_ptr, found.is_some().into())?;
    let Some((child, how)) = found else { return Ok(()) };
    memory.set_u32(pid_ptr + 4, child.0.cast_unsigned())?;
    match how {
        WaitStatus::Exited(code) => {
            memory.set_u8(status, EXIT_NORMAL)?;
            memory.set_u16(status + 2, code.into())
        }
        WaitStatus::Signaled(signal) => {
            memory.set_u8(status, EXIT_SIGNAL)?;
            memory.set_u16(status + 2, Errno::EINTR.to_wasi())?;
            memory.set_u8(status + 4, signal.number())
        }
        WaitStatus::Stopped(signal) => {
            memory.set_u8(status, STOPPED)?;
            memory.set_u8(status + 2, signal.number())
        }
        // Not asked for.
        WaitStatus::Continued => Ok(()),
    }
}

pub(crate) fn proc_id<S: Syscalls>(call: &mut Call<'_, S>, ret: u32) -> Result<()> {
    let own = call.task().getpid();
    call.memory().set_u32(ret, own.0.cast_unsigned())
}

pub(crate) fn proc_parent<S: Syscalls>(call: &mut Call<'_, S>, child: u32, ret: u32) -> Result<()> {
    let task = call.task();
    if pid(child) != task.getpid() {
        return Err(Errno::ENOSYS);
    }
    call.memory().set_u32(ret, task.getppid().0.cast_unsigned())
}

pub(crate) fn proc_signal<S: Syscalls>(call: &mut Call<'_, S>, target: u32, number: u32) -> Result<()> {
    call.task().kill(pid(target), signal(number)?)
}

pub(crate) fn proc_raise_interval<S: Syscalls>(
    call: &mut Call<'_, S>,
    number: u32,
    interval: u64,
    repeat: u32,
) -> Result<()> {
    if signal(number)? != Some(Signal::ALRM) {
        return Err(Errno::ENOSYS);
    }
    let value = Duration::from_nanos(interval);
    call.task()
        .setitimer(value, if repeat == 0 { Duration::ZERO } else { value });
    Ok(())
}

/// The signals that the process was started with ignored.
fn ignored<S: Syscalls>(task: &S) -> Vec<Signal> {
    let is_ignored =
        |signal: &Signal| matches!(task.sigaction(*signal, None), Ok(action) if action.handler == SigHandler::Ignore);
    (1..32).filter_map(Signal::new).filter(is_ignored).collect()
}

pub(crate) fn proc_signals_sizes_get<S: Syscalls>(call: &mut Call<'_, S>, count: u32) -> Result<()> {
    let ignored = ignored(&call.task());
    call.memory().set_u32(count, ignored.len() as u32)
}

pub(crate) fn proc_signals_get<S: Syscalls>(call: &mut Call<'_, S>, buf: u32) -> Result<()> {
    let pairs: Vec<u8> = ignored(&call.task())
        .iter()
        .flat_map(|signal| [signal.number(), 1])
        .collect();
    call.memory().write(buf, &pairs)
}

/// WASIX has no `sigaction`: whoever registers a callback gets every signal but those of job control, and decides itself.
/// What the process was started to ignore stays ignored.
pub(crate) async fn callback_signal<S: Syscalls>(call: &mut Call<'_, S>, name: u32, name_len: u32) {
    let (memory, state) = call.parts();
    // There is no way to say that the name is bad.
    let Ok(name) = memory.path(name, name_len) else { return };
    state.signal_export = name.to_owned();
    let catch = SigAction {
        handler: SigHandler::Catch,
        restart: true,
        ..SigAction::default()
    };
    for signal in (1..32)
        .filter_map(Signal::new)
        .filter(|signal| !signal.is_unblockable())
    {
        let job_control = matches!(signal.default_action(), DefaultAction::Stop | DefaultAction::Cont);
        let default = matches!(state.task.sigaction(signal, None), Ok(a) if a.handler == SigHandler::Default);
        if default && !job_control {
            // Cannot fail: only KILL and STOP cannot be caught.
            let _ = state.task.sigaction(signal, Some(catch));
        }
    }
}

pub(crate) async fn proc_exit2<S: Syscalls>(call: &mut Call<'_, S>, code: u32) {
    crate::p1::exit(call, code);
}

pub(crate) async fn thread_exit<S: Syscalls>(call: &mut Call<'_, S>, code: u32) {
    crate::p1::exit(call, code);
}

pub(crate) fn thread_id<S: Syscalls>(call: &mut Call<'_, S>, ret: u32) -> Result<()> {
    proc_id(call, ret)
}

pub(crate) fn thread_parallelism<S: Syscalls>(call: &mut Call<'_, S>, ret: u32) -> Result<()> {
    call.memory().set_u32(ret, 1)
}

pub(crate) fn thread_signal<S: Syscalls>(call: &mut Call<'_, S>, thread: u32, number: u32) -> Result<()> {
    let task = call.task();
    if pid(thread) == task.getpid() {
        task.kill(pid(thread), signal(number)?)
    } else {
        Err(Errno::ESRCH)
    }
}

pub(crate) async fn thread_sleep<S: Syscalls>(call: &mut Call<'_, S>, duration: u64) -> Result<()> {
    let task = call.task();
    task.sleep_until(task.clock_monotonic() + Duration::from_nanos(duration))
        .await
}
