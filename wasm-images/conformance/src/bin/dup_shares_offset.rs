//! Duplicates, also a child's, share offset and status flags, but not close-on-exec; opening again shares nothing.

use conformance::*;
use podsim_guest::*;

const PATH: &str = "/tmp/conformance-dup";

fn main() {
    conformance(|| {
        if argument().is_some() {
            return expect("write", write(Fd::STDOUT, b"child"), Ok(5));
        }
        let flags = OpenFlags::RDWR | OpenFlags::CREAT | OpenFlags::TRUNC | OpenFlags::CLOEXEC;
        let first = must("open", openat(Fd::CWD, PATH, flags, Mode(0o600)))?;
        let second = must("dup", dup(first, Fd(0), false))?;
        let own = must("open", openat(Fd::CWD, PATH, OpenFlags::empty(), Mode(0)))?;
        let position = |fd| lseek(fd, 0, Whence::Current);
        must("write", write(first, b"abc"))?;
        expect("the duplicate's offset", position(second), Ok(3))?;
        expect("that of another open file", position(own), Ok(0))?;
        must("seek", lseek(second, 1, Whence::Set))?;
        expect("the first one's", position(first), Ok(1))?;
        must("pwrite", pwrite(first, b"xyz", 5))?;
        expect("pwrite moves nothing", position(first), Ok(1))?;

        expect(
            "close-on-exec",
            (get_cloexec(first), get_cloexec(second)),
            (Ok(true), Ok(false)),
        )?;
        must("F_SETFL", set_status_flags(second, OpenFlags::APPEND))?;
        let append = |fd| get_status_flags(fd).map(|flags| flags.contains(OpenFlags::APPEND));
        expect("status flags", (append(first), append(own)), (Ok(true), Ok(false)))?;
        must("append", write(first, b"."))?;
        expect("at the end", position(second), Ok(9))?;

        let out = FdAction::Dup2 {
            from: second,
            to: Fd::STDOUT,
        };
        let request = SpawnRequest {
            fd_actions: vec![out],
            ..self_request(&["child"])
        };
        join(must("spawn", spawn(request))?)?;
        expect("after the child's write", position(first), Ok(14))?;
        let text = must("read", read_to_end(own))?;
        expect("the text", &text[..], &b"abc\0\0xyz.child"[..])?;

        expect("F_DUPFD", dup(first, Fd(100), true), Ok(Fd(100)))?;
        expect("the next free one", dup(first, Fd(100), false), Ok(Fd(101)))?;
        expect(
            "its close-on-exec",
            (get_cloexec(Fd(100)), get_cloexec(Fd(101))),
            (Ok(true), Ok(false)),
        )?;
        expect("dup2 over an open one", dup2(own, Fd(101), false), Ok(Fd(101)))?;
        expect("is another file", position(Fd(101)), Ok(14))?;
        must("seek", lseek(own, 0, Whence::Set))?;
        expect("with its offset", position(Fd(101)), Ok(0))?;
        expect("dup2 of the same", dup2(own, own, false), Ok(own))?;
        must("close", close(own))?;
        expect("dup2 of a closed one", dup2(own, Fd(101), false), Err(Errno::EBADF))?;
        expect("has closed nothing", position(Fd(101)), Ok(0))?;
        expect("dup of a closed one", dup(own, Fd(0), false), Err(Errno::EBADF))?;
        expect("a second close", close(own), Err(Errno::EBADF))
    })
}
