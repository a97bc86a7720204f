//! A script runs its `#!` interpreter: one optional argument, however many words, the script's path, and then the arguments.

use conformance::*;
use podsim_guest::*;

const SCRIPT: &str = "/tmp/conformance-script";
const OUTER: &str = "/tmp/conformance-outer";

fn script(path: &str, first_line: &str) -> Outcome {
    // Left over from an earlier run, or from the check before.
    let _ = unlinkat(Fd::CWD, path, false);
    std::fs::write(path, first_line).map_err(|e| e.to_string())?;
    must("chmod", fchmodat(Fd::CWD, path, Mode(0o755)))
}

/// Runs a script, which writes what arguments it got.
fn run(path: &str) -> std::result::Result<String, String> {
    let (reader, writer) = must("pipe", pipe(OpenFlags::CLOEXEC))?;
    let request = SpawnRequest {
        path: path.to_owned(),
        argv: ["lost", "one", "two"].map(str::to_owned).to_vec(),
        fd_actions: vec![FdAction::Dup2 {
            from: writer,
            to: Fd::STDOUT,
        }],
        ..SpawnRequest::default()
    };
    let child = must("spawn", spawn(request))?;
    must("close", close(writer))?;
    let said = must("read", read_to_end(reader))?;
    must("close", close(reader))?;
    join(child)?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn main() {
    conformance(|| {
        let arguments = args();
        if arguments.len() > 1 {
            return must("say", write_all(Fd::STDOUT, arguments.join("|").as_bytes()));
        }
        let program = &arguments[0];
        script(SCRIPT, &format!("#!{program}\n"))?;
        expect(
            "without an argument",
            run(SCRIPT)?,
            format!("{program}|{SCRIPT}|one|two"),
        )?;
        script(SCRIPT, &format!("#! \t{program}  -a  b \t\nthe rest\n"))?;
        expect(
            "with an argument",
            run(SCRIPT)?,
            format!("{program}|-a  b|{SCRIPT}|one|two"),
        )?;
        script(SCRIPT, &format!("#!{program} end"))?;
        expect(
            "without a new line",
            run(SCRIPT)?,
            format!("{program}|end|{SCRIPT}|one|two"),
        )?;
        script(OUTER, &format!("#!{SCRIPT} outer\n"))?;
        let nested = format!("{program}|end|{SCRIPT}|outer|{OUTER}|one|two");
        expect("a script's script", run(OUTER)?, nested)?;

        script(SCRIPT, "#!/bin/sh\necho \"$0 $# $2\"\n")?;
        expect("a shell script", run(SCRIPT)?, format!("{SCRIPT} 2 two\n"))?;

        let attempt = |line: &str| -> std::result::Result<Result<Pid>, String> {
            script(OUTER, line)?;
            Ok(spawn(SpawnRequest {
                path: OUTER.to_owned(),
                argv: vec!["x".to_owned()],
                ..SpawnRequest::default()
            }))
        };
        expect("no interpreter", attempt("#!/nothing/here\n")?, Err(Errno::ENOENT))?;
        expect("a directory as interpreter", attempt("#!/tmp\n")?, Err(Errno::EACCES))?;
        expect("nothing after #!", attempt("#!\n")?, Err(Errno::ENOEXEC))?;
        expect(
            "its own interpreter",
            attempt(&format!("#!{OUTER}\n"))?,
            Err(Errno::ELOOP),
        )?;
        must("chmod", fchmodat(Fd::CWD, SCRIPT, Mode(0o644)))?;
        expect(
            "an interpreter that may not run",
            attempt(&format!("#!{SCRIPT}\n"))?,
            Err(Errno::EACCES),
        )
    })
}
