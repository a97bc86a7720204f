//! Reading a pipe gives end of file once the last descriptor of its writing end is closed, in whichever process.

use conformance::*;
use podsim_guest::*;
use std::time::Duration;

fn main() {
    conformance(|| {
        if argument().is_some() {
            // Holds the inherited writing end a little longer.
            return pause(Duration::from_millis(20));
        }
        let mut buf = [0; 16];
        let (reader, writer) = must("pipe", pipe(OpenFlags::NONBLOCK | OpenFlags::CLOEXEC))?;
        expect("an empty pipe", read(reader, &mut buf), Err(Errno::EAGAIN))?;
        expect("read of the writing end", read(writer, &mut buf), Err(Errno::EBADF))?;
        expect("write to the reading end", write(reader, b"x"), Err(Errno::EBADF))?;
        must("write", write(writer, b"last"))?;
        let copy = must("dup", dup(writer, Fd(0), true))?;
        must("close", close(writer))?;
        expect("what was written", read(reader, &mut buf), Ok(4))?;
        expect("open by its copy", read(reader, &mut buf), Err(Errno::EAGAIN))?;
        must("write to the copy", write(copy, b"more"))?;
        must("close the copy", close(copy))?;
        expect("what is left", read(reader, &mut buf), Ok(4))?;
        expect("end of file", read(reader, &mut buf), Ok(0))?;
        expect("end of file again", read(reader, &mut buf), Ok(0))?;

        let (reader, writer) = must("pipe", pipe(OpenFlags::empty()))?;
        let child = spawn_self("holder")?;
        must("close", close(writer))?;
        let before = clock_monotonic();
        expect("end of file by the child's end", read(reader, &mut buf), Ok(0))?;
        let waited = clock_monotonic() - before;
        expect("the read has waited", waited > Duration::from_millis(5), true)?;
        join(child)
    })
}
