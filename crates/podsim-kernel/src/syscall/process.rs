//! System calls on processes: ids, spawn, exec, wait, exit, groups and sessions, limits.

use crate::process::identity::{base_name, comm_of};
use crate::process::{exec, job_control};
use crate::task::Task;
use podsim_sys::*;

pub(super) fn getpid(task: &Task) -> Pid {
    task.process.pid_in(task.process.pid_namespace()).unwrap_or(Pid(0))
}

pub(super) fn getppid(task: &Task) -> Pid {
    let table = task.kernel.table();
    table.relations(&task.process, task.process.pid_namespace()).parent
}

pub(super) async fn spawn(task: &Task, request: SpawnRequest) -> Result<Pid> {
    crate::process::spawn::spawn(task, request).await
}

pub(super) async fn execve(task: &Task, path: &str, argv: Vec<String>, envp: Vec<String>) -> Result<()> {
    exec::execve(task, path, argv, envp)
}

pub(super) async fn wait(task: &Task, target: WaitTarget, options: WaitOptions) -> Result<Option<(Pid, WaitStatus)>> {
    crate::process::wait::wait(task, target, options).await
}

pub(super) fn exit(task: &Task, status: WaitStatus) {
    task.kernel.exit(&task.process, status);
}

pub(super) fn argv(task: &Task) -> Vec<String> {
    task.process.identity.lock().argv.clone()
}

pub(super) fn environ(task: &Task) -> Vec<String> {
    task.process.identity.lock().environ.clone()
}

/// The new `comm` is the title's first word, without a path and a colon: `nginx` of `nginx: worker process`.
pub(super) fn set_title(task: &Task, title: &str) {
    let word = title.split([' ', ':']).next().unwrap_or_default();
    let mut identity = task.process.identity.lock();
    identity.title = Some(title.to_owned());
    if !word.is_empty() {
        identity.comm = comm_of(base_name(word));
    }
}

pub(super) fn set_comm(task: &Task, comm: &str) {
    task.process.identity.lock().comm = comm_of(comm);
}

pub(super) fn getpgid(task: &Task, pid: Pid) -> Result<Pid> {
    Ok(job_control::group_and_session(task, pid)?.0)
}

pub(super) fn setpgid(task: &Task, pid: Pid, group: Pid) -> Result<()> {
    job_control::setpgid(task, pid, group)
}

pub(super) fn getsid(task: &Task, pid: Pid) -> Result<Pid> {
    Ok(job_control::group_and_session(task, pid)?.1)
}

pub(super) fn setsid(task: &Task) -> Result<Pid> {
    job_control::setsid(&task.process, &mut task.kernel.table())?;
    Ok(getpid(task))
}

pub(super) fn times(task: &Task) -> Times {
    task.process.usage().times
}

pub(super) fn getrlimit(task: &Task, resource: Resource) -> Rlimit {
    task.process.limits.lock().get(resource)
}

pub(super) fn setrlimit(task: &Task, resource: Resource, limit: Rlimit) -> Result<()> {
    let privileged = task.process.capable_on_node(Capability::SYS_RESOURCE);
    task.process.limits.lock().set(resource, limit, privileged)?;
    if resource == Resource::Nofile {
        task.process.files.set_limit(limit.soft);
    }
    Ok(())
}

/// Lowering the nice value below `20 - RLIMIT_NICE` needs CAP_SYS_NICE (EACCES, `setpriority(2)`).
pub(super) fn nice(task: &Task, set: Option<i8>) -> Result<i8> {
    let process = &task.process;
    let limit = process.limits.lock().get(Resource::Nice).soft;
    let privileged = process.capable_on_node(Capability::SYS_NICE);
    let mut usage = process.usage.lock();
    if let Some(nice) = set.map(|nice| nice.clamp(-20, 19)) {
        let lowest = limit.map_or(-20, |limit| 20 - i64::try_from(limit).unwrap_or(i64::MAX).min(40));
        if nice < usage.nice && i64::from(nice) < lowest && !privileged {
            return Err(Errno::EACCES);
        }
        usage.nice = nice;
    }
    Ok(usage.nice)
}
