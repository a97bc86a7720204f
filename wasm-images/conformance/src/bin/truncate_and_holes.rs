//! `ftruncate` and writes behind the end: holes read as zeros and take no space, and what was cut does not come back.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        enter_directory("truncate")?;
        put("file", b"0123456789")?;
        let fd = must("open", open("file", OpenFlags::RDWR))?;
        must("seek", lseek(fd, 10, Whence::Set))?;
        must("ftruncate", ftruncate(fd, 4))?;
        expect("the position stays", lseek(fd, 0, Whence::Current), Ok(10))?;
        expect("read behind the end", read(fd, &mut [0; 4]), Ok(0))?;
        must("ftruncate", ftruncate(fd, 8))?;
        expect("what was cut is gone", content("file"), Ok("0123\0\0\0\0".to_owned()))?;
        expect("write at the old position", write(fd, b"AB"), Ok(2))?;
        expect("leaves a hole", content("file"), Ok("0123\0\0\0\0\0\0AB".to_owned()))?;

        must("pwrite", pwrite(fd, b"end", 1 << 30))?;
        let stat = must("fstat", fstat(fd))?;
        expect("the size", stat.size, (1 << 30) + 3)?;
        expect("a hole takes no space", stat.blocks * 512 < 1 << 20, true)?;
        let mut buf = [1; 8];
        expect("reading the hole", pread(fd, &mut buf, 1 << 20), Ok(8))?;
        expect("zeros", buf, [0; 8])?;
        expect("over its end", pread(fd, &mut buf, (1 << 30) - 2), Ok(5))?;
        expect("what is there", buf[..5].to_vec(), b"\0\0end".to_vec())?;
        must("ftruncate", ftruncate(fd, 0))?;
        expect("no space", fstat(fd).map(|s| (s.size, s.blocks)), Ok((0, 0)))?;

        must("fallocate", fallocate(fd, 0, 100_000))?;
        let stat = must("fstat", fstat(fd))?;
        expect("fallocate", (stat.size, stat.blocks * 512 >= 100_000), (100_000, true))?;
        expect("of no length", fallocate(fd, 0, 0), Err(Errno::EINVAL))?;
        let reader = must("open", open("file", OpenFlags::empty()))?;
        expect("a reading descriptor", ftruncate(reader, 0), Err(Errno::EINVAL))?;
        let (_, pipe) = must("pipe", pipe(OpenFlags::empty()))?;
        expect("a pipe", ftruncate(pipe, 0), Err(Errno::EINVAL))?;
        expect("a negative size", ftruncate(fd, u64::MAX), Err(Errno::EINVAL))?;

        must("ignore SIGXFSZ", ignore_signal(Signal::XFSZ))?;
        let limit = getrlimit(Resource::Fsize);
        must(
            "setrlimit",
            setrlimit(
                Resource::Fsize,
                Rlimit {
                    soft: Some(1000),
                    ..limit
                },
            ),
        )?;
        must("ftruncate", ftruncate(fd, 990))?;
        expect("a write up to RLIMIT_FSIZE", pwrite(fd, &[b'x'; 100], 990), Ok(10))?;
        expect("a write behind it", pwrite(fd, b"x", 1000), Err(Errno::EFBIG))?;
        expect("ftruncate behind it", ftruncate(fd, 1001), Err(Errno::EFBIG))
    })
}
