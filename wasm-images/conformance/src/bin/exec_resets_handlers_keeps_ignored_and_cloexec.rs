//! Over `execve` handlers become defaults; what is ignored, blocked, pending or armed stays, and so do most descriptors.

use conformance::*;
use podsim_guest::*;
use std::time::Duration;

fn main() {
    conformance(|| {
        let catching = |signal| sigaction(signal, None).map(|action| action.handler);
        let numbers: Vec<i32> = args().iter().skip(2).filter_map(|text| text.parse().ok()).collect();
        if let [pid, parent, closed, open] = numbers[..] {
            expect("pid and parent", (getpid(), getppid()), (Pid(pid), Pid(parent)))?;
            expect(
                "the one with a handler",
                catching(Signal::USR1),
                Ok(SigHandler::Default),
            )?;
            expect("the ignored one", catching(Signal::USR2), Ok(SigHandler::Ignore))?;
            expect("the blocked one", sigprocmask(None).contains(Signal::TERM), true)?;
            expect("the pending one", sigpending().contains(Signal::TERM), true)?;
            let left = setitimer(Duration::ZERO, Duration::ZERO);
            expect(
                "the alarm",
                left > Duration::ZERO && left <= Duration::from_secs(50),
                true,
            )?;
            expect("close-on-exec", fstat(Fd(closed)).err(), Some(Errno::EBADF))?;
            expect("the other descriptor", write(Fd(open), b"x"), Ok(1))?;
            expect("the umask", umask(Mode(0)), Mode(0o027))?;
            let environment: Vec<_> = std::env::vars().collect();
            expect(
                "the environment",
                environment,
                vec![("ONLY".to_owned(), "this".to_owned())],
            )?;
            return expect("the current directory", getcwd(), Ok("/".to_owned()));
        }
        must("handle", on_signal(Signal::USR1, Some(|_| ()), true))?;
        must("ignore", ignore_signal(Signal::USR2))?;
        sigprocmask(Some((SigMaskHow::Block, SigSet::from_iter([Signal::TERM]))));
        must("kill", kill(getpid(), Some(Signal::TERM)))?;
        setitimer(Duration::from_secs(50), Duration::ZERO);
        let (_, writer) = must("pipe", pipe(OpenFlags::empty()))?;
        let closed = must("dup", dup(writer, Fd(0), true))?;
        umask(Mode(0o027));
        must("chdir", chdir("/"))?;

        let failed = execve("/nothing/here", vec!["x".to_owned()], Vec::new());
        expect("execve of nothing", failed, Err(Errno::ENOENT))?;
        expect("has left the handler", catching(Signal::USR1), Ok(SigHandler::Catch))?;
        expect("and close-on-exec", get_cloexec(closed), Ok(true))?;
        let mut argv = self_request(&["after"]).argv;
        argv.extend([getpid().0, getppid().0, closed.0, writer.0].map(|number| number.to_string()));
        must("execve", execve(&args()[0], argv, vec!["ONLY=this".to_owned()]))?;
        Err("execve came back".to_owned())
    })
}
