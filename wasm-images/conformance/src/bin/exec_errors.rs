//! What cannot be executed: ENOENT, EACCES (for root too), ENOEXEC, ENOTDIR, ELOOP, ENAMETOOLONG; the caller goes on.

use conformance::*;
use podsim_guest::*;

const DIR: &str = "/tmp/conformance-exec";

fn main() {
    conformance(|| {
        // Left over from an earlier run.
        let _ = std::fs::remove_dir_all(DIR);
        must("mkdir", mkdirat(Fd::CWD, DIR, Mode(0o755)))?;
        let file = |name: &str, content: &str, mode| -> Outcome {
            let path = format!("{DIR}/{name}");
            std::fs::write(&path, content).map_err(|e| e.to_string())?;
            must("chmod", fchmodat(Fd::CWD, &path, Mode(mode)))
        };
        file("text", "echo hello\n", 0o755)?;
        file("empty", "", 0o755)?;
        file("not-executable", "#!/bin/sh\n", 0o644)?;
        must("symlink", symlinkat("loop", Fd::CWD, &format!("{DIR}/loop")))?;
        must("symlink", symlinkat("nowhere", Fd::CWD, &format!("{DIR}/dangling")))?;
        for (path, errno) in [
            (String::new(), Errno::ENOENT),
            (format!("{DIR}/nothing"), Errno::ENOENT),
            (format!("{DIR}/nothing/here"), Errno::ENOENT),
            (format!("{DIR}/dangling"), Errno::ENOENT),
            (DIR.to_owned(), Errno::EACCES),
            (format!("{DIR}/not-executable"), Errno::EACCES),
            ("/dev/null".to_owned(), Errno::EACCES),
            (format!("{DIR}/text"), Errno::ENOEXEC),
            (format!("{DIR}/empty"), Errno::ENOEXEC),
            (format!("{DIR}/text/x"), Errno::ENOTDIR),
            (format!("{DIR}/loop"), Errno::ELOOP),
            (format!("{DIR}/{}", "n".repeat(256)), Errno::ENAMETOOLONG),
        ] {
            let argv = vec!["x".to_owned()];
            expect(
                &format!("execve of {path:?}"),
                execve(&path, argv.clone(), Vec::new()),
                Err(errno),
            )?;
            let request = SpawnRequest {
                path: path.clone(),
                argv,
                ..SpawnRequest::default()
            };
            expect(&format!("spawn of {path:?}"), spawn(request), Err(errno))?;
        }
        expect(
            "no child was made",
            wait(WaitTarget::Any, WaitOptions::NOHANG),
            Err(Errno::ECHILD),
        )?;

        let search = |name: &str, path: &str| {
            spawn(SpawnRequest {
                path: name.to_owned(),
                search_path: Some(path.to_owned()),
                argv: vec!["x".to_owned()],
                ..SpawnRequest::default()
            })
        };
        let both = format!("/nothing:{DIR}");
        expect(
            "a search that finds nothing",
            search("absent", &both),
            Err(Errno::ENOENT),
        )?;
        expect("one that may not", search("not-executable", &both), Err(Errno::EACCES))?;

        file("private", "#!/bin/sh\n", 0o700)?;
        must("seteuid", setresuid(None, Some(65534), None))?;
        let denied = spawn(SpawnRequest {
            path: format!("{DIR}/private"),
            argv: vec!["x".to_owned()],
            ..SpawnRequest::default()
        });
        must("seteuid back", setresuid(None, Some(0), None))?;
        expect("another's program", denied, Err(Errno::EACCES))
    })
}
