//! What `poll` tells of both ends of a pipe, and of a FIFO that nobody has written to yet.

use conformance::*;
use podsim_guest::*;
use std::time::Duration;

const FIFO: &str = "/tmp/conformance-fifo";

fn now(fd: Fd) -> Result<PollEvents> {
    let events = PollEvents::IN | PollEvents::OUT;
    let mut fds = [PollFd {
        fd,
        events,
        revents: PollEvents::empty(),
    }];
    poll(&mut fds, Some(Duration::ZERO))?;
    Ok(fds[0].revents)
}

fn main() {
    conformance(|| {
        if argument().is_some() {
            return pause(Duration::from_millis(20));
        }
        let (reader, writer) = must("pipe", pipe(OpenFlags::NONBLOCK | OpenFlags::CLOEXEC))?;
        expect(
            "an empty pipe",
            (now(reader), now(writer)),
            (Ok(PollEvents::empty()), Ok(PollEvents::OUT)),
        )?;
        must("write", write(writer, b"x"))?;
        expect(
            "one with data",
            (now(reader), now(writer)),
            (Ok(PollEvents::IN), Ok(PollEvents::OUT)),
        )?;
        must("fill", write(writer, &[0; 65_535]))?;
        expect(
            "a full one",
            (now(reader), now(writer)),
            (Ok(PollEvents::IN), Ok(PollEvents::empty())),
        )?;
        must("close", close(writer))?;
        expect("data and no writer", now(reader), Ok(PollEvents::IN | PollEvents::HUP))?;
        must("read", read(reader, &mut [0; 65_536]))?;
        expect("no data and no writer", now(reader), Ok(PollEvents::HUP))?;

        let (reader, writer) = must("pipe", pipe(OpenFlags::CLOEXEC))?;
        must("close", close(reader))?;
        expect("no reader", now(writer), Ok(PollEvents::OUT | PollEvents::ERR))?;

        let (reader, writer) = must("pipe", pipe(OpenFlags::empty()))?;
        let child = spawn_self("writer")?;
        must("close", close(writer))?;
        let mut fds = [PollFd {
            fd: reader,
            events: PollEvents::empty(),
            revents: PollEvents::empty(),
        }];
        expect("HUP is told without asking", poll(&mut fds, None), Ok(1))?;
        expect("what it tells", fds[0].revents, PollEvents::HUP)?;
        join(child)?;

        // Left over from an earlier run.
        let _ = unlinkat(Fd::CWD, FIFO, false);
        let device = DeviceNumber { major: 0, minor: 0 };
        must("mkfifo", mknodat(Fd::CWD, FIFO, FileType::Fifo, Mode(0o600), device))?;
        let open = |flags| openat(Fd::CWD, FIFO, flags | OpenFlags::NONBLOCK, Mode(0));
        expect("a writer without a reader", open(OpenFlags::WRONLY), Err(Errno::ENXIO))?;
        let reader = must("open", open(OpenFlags::empty()))?;
        expect("no writer yet", now(reader), Ok(PollEvents::empty()))?;
        expect("reads as the end", read(reader, &mut [0; 1]), Ok(0))?;
        let writer = must("open", open(OpenFlags::WRONLY))?;
        expect("a writer", read(reader, &mut [0; 1]), Err(Errno::EAGAIN))?;
        must("close", close(writer))?;
        expect("the writer has gone", now(reader), Ok(PollEvents::HUP))?;
        must("open", open(OpenFlags::WRONLY))?;
        expect("another writer", now(reader), Ok(PollEvents::empty()))
    })
}
