//! `lseek`: what it counts from, what it refuses, and who shares a position.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        let mut buf = [0; 2];
        if let Some(number) = argument() {
            let fd = Fd(number.parse().map_err(|_| "not a descriptor")?);
            expect("the child reads on", read(fd, &mut buf), Ok(2))?;
            return expect("where the parent stopped", buf, *b"45");
        }
        enter_directory("seek")?;
        put("file", b"0123456789")?;
        let fd = must("open", open("file", OpenFlags::RDWR))?;
        expect("from the end", lseek(fd, -3, Whence::End), Ok(7))?;
        expect("from the position", lseek(fd, -2, Whence::Current), Ok(5))?;
        expect(
            "before the beginning",
            lseek(fd, -6, Whence::Current),
            Err(Errno::EINVAL),
        )?;
        expect("a negative position", lseek(fd, -1, Whence::Set), Err(Errno::EINVAL))?;
        expect("the position has stayed", lseek(fd, 0, Whence::Current), Ok(5))?;
        expect("behind the end", lseek(fd, 100, Whence::Set), Ok(100))?;
        expect("nothing to read there", read(fd, &mut buf), Ok(0))?;
        expect("the size has stayed", fstat(fd).map(|s| s.size), Ok(10))?;

        must("seek", lseek(fd, 2, Whence::Set))?;
        expect("pread", pread(fd, &mut buf, 8), Ok(2))?;
        expect("pwrite", pwrite(fd, b"x", 9), Ok(1))?;
        expect("do not move it", lseek(fd, 0, Whence::Current), Ok(2))?;
        let copy = must("dup", dup(fd, Fd(0), false))?;
        must("read", read(copy, &mut buf))?;
        expect("a copy shares the position", lseek(fd, 0, Whence::Current), Ok(4))?;
        let other = must("open", open("file", OpenFlags::empty()))?;
        expect("another open does not", lseek(other, 0, Whence::Current), Ok(0))?;
        join(spawn_self(&fd.0.to_string())?)?;
        expect("a child shares it too", lseek(fd, 0, Whence::Current), Ok(6))?;

        let (reader, writer) = must("pipe", pipe(OpenFlags::empty()))?;
        let (socket, _) = must("socketpair", socketpair(SocketType::Stream, OpenFlags::empty()))?;
        for (what, fd) in [
            ("a reading pipe", reader),
            ("a writing pipe", writer),
            ("a socket", socket),
        ] {
            expect(what, lseek(fd, 0, Whence::Current), Err(Errno::ESPIPE))?;
        }
        expect("pread of a pipe", pread(reader, &mut buf, 0), Err(Errno::ESPIPE))?;
        expect("pwrite of a pipe", pwrite(writer, &buf, 0), Err(Errno::ESPIPE))?;
        let null = must("open", open("/dev/null", OpenFlags::RDWR))?;
        expect("/dev/null", lseek(null, 100, Whence::Set), Ok(0))?;
        expect("no descriptor", lseek(Fd(999), 0, Whence::Set), Err(Errno::EBADF))
    })
}
