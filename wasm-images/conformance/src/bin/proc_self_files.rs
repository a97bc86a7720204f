//! What `/proc/self` says of a process: cmdline, comm, status, fd, cwd, exe.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn field(status: &str, name: &str) -> Option<String> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn main() {
    conformance(|| {
        let pid = getpid();
        let program = args().first().cloned().unwrap_or_default();
        if argument().is_some() {
            let line = must("cmdline", content("/proc/self/cmdline"))?;
            expect("cmdline", line, format!("{program}\0the argument\0"))?;
            return expect(
                "cmdline of the parent",
                content(&format!("/proc/{}/cmdline", getppid())),
                Ok(format!("{program}\0")),
            );
        }
        expect("/proc/self", readlink("/proc/self"), Ok(pid.to_string()))?;
        join(spawn_self("the argument")?)?;
        expect("exe", readlink("/proc/self/exe"), Ok(program.clone()))?;
        expect("what it leads to", inode("/proc/self/exe"), inode(&program))?;
        // "proc_self_files" is just as long as a comm can be.
        expect("comm", content("/proc/self/comm"), Ok("proc_self_files\n".to_owned()))?;
        set_comm("a name that is too long");
        expect(
            "a long comm is cut",
            content("/proc/self/comm"),
            Ok("a name that is \n".to_owned()),
        )?;
        set_comm("short");
        let status = must("status", content("/proc/self/status"))?;
        for (name, linux) in [
            ("Name", "short".to_owned()),
            ("Umask", "0022".to_owned()),
            ("State", "R (running)".to_owned()),
            ("Pid", pid.to_string()),
            ("Tgid", pid.to_string()),
            ("PPid", getppid().to_string()),
            ("TracerPid", "0".to_owned()),
            ("Uid", "0 0 0 0".to_owned()),
            ("Gid", "0 0 0 0".to_owned()),
            ("Threads", "1".to_owned()),
        ] {
            umask(Mode(0o022));
            expect(name, field(&status, name), Some(linux))?;
        }
        let stat_line = must("stat", content("/proc/self/stat"))?;
        expect(
            "stat",
            stat_line.starts_with(&format!("{pid} (short) R {} ", getppid())),
            true,
        )?;

        enter_directory("proc")?;
        let here = must("getcwd", getcwd())?;
        expect("cwd", readlink("/proc/self/cwd"), Ok(here.clone()))?;
        expect("root", readlink("/proc/self/root"), Ok("/".to_owned()))?;
        put("file", b"through proc")?;
        let file = must("open", open("file", OpenFlags::empty()))?;
        let (reader, _) = must("pipe", pipe(OpenFlags::empty()))?;
        let shown = |fd: Fd| readlink(&format!("/proc/self/fd/{}", fd.0));
        expect("fd of a file", shown(file), Ok(format!("{here}/file")))?;
        let ino = must("fstat", fstat(reader))?.ino;
        expect("fd of a pipe", shown(reader), Ok(format!("pipe:[{ino}]")))?;
        expect("no such fd", shown(Fd(777)), Err(Errno::ENOENT))?;
        must("rename", rename("file", "renamed"))?;
        expect("fd of a renamed file", shown(file), Ok(format!("{here}/renamed")))?;
        expect(
            "through fd",
            content(&format!("/proc/self/fd/{}", file.0)),
            Ok("through proc".to_owned()),
        )?;
        expect(
            "through cwd",
            content("/proc/self/cwd/renamed"),
            Ok("through proc".to_owned()),
        )?;
        let listing = must("open", open("/proc/self/fd", OpenFlags::DIRECTORY))?;
        let names: Vec<_> = must("getdents", getdents(listing, 0, 1000))?
            .into_iter()
            .map(|e| e.name)
            .collect();
        expect(
            "the list of fd",
            names.contains(&file.0.to_string()) && names.contains(&listing.0.to_string()),
            true,
        )?;
        expect("no such process", inode("/proc/999999"), Err(Errno::ENOENT))?;
        expect(
            "making files",
            open("/proc/self/new", OpenFlags::WRONLY | OpenFlags::CREAT).is_err(),
            true,
        )
    })
}
