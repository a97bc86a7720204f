//! Opening a FIFO waits for the other side, unless it is told not to; its end of file comes with the last writer's close.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;
use std::time::Duration;

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
        let (read_only, write_only, nonblock) = (OpenFlags::empty(), OpenFlags::WRONLY, OpenFlags::NONBLOCK);
        if argument().is_some() {
            must("sleep", sleep_until(clock_monotonic() + Duration::from_millis(30)))?;
            let fd = must("open for writing", open("fifo", write_only))?;
            must("sleep", sleep_until(clock_monotonic() + Duration::from_millis(30)))?;
            return must("write", write_all(fd, b"from the child"));
        }
        enter_directory("fifo")?;
        must("ignore SIGPIPE", ignore_signal(Signal::PIPE))?;
        let make = || mknodat(Fd::CWD, "fifo", FileType::Fifo, Mode(0o644), DeviceNumber::default());
        must("mknod", make())?;
        expect("mknod again", make(), Err(Errno::EEXIST))?;
        expect(
            "stat",
            stat("fifo").map(|s| (s.file_type, s.size)),
            Ok((FileType::Fifo, 0)),
        )?;
        expect("no reader", open("fifo", write_only | nonblock), Err(Errno::ENXIO))?;

        let mut buf = [0; 32];
        let reader = must("open without waiting", open("fifo", read_only | nonblock))?;
        expect("no writer: the end", read(reader, &mut buf), Ok(0))?;
        expect("but no hang-up before the first", now(reader), Ok(PollEvents::empty()))?;
        let writer = must("open with a reader there", open("fifo", write_only | nonblock))?;
        expect("nothing yet", read(reader, &mut buf), Err(Errno::EAGAIN))?;
        must("write", write(writer, b"data"))?;
        expect("poll", now(reader), Ok(PollEvents::IN))?;
        must("close", close(writer))?;
        expect(
            "poll after the close",
            now(reader),
            Ok(PollEvents::IN | PollEvents::HUP),
        )?;
        expect("what was written", read(reader, &mut buf), Ok(4))?;
        expect("then the end", read(reader, &mut buf), Ok(0))?;
        expect("and a hang-up", now(reader), Ok(PollEvents::HUP))?;
        let writer = must("the next writer", open("fifo", write_only))?;
        expect("takes it back", now(reader), Ok(PollEvents::empty()))?;
        must("close", close(reader))?;
        expect("nobody reads", write(writer, b"x"), Err(Errno::EPIPE))?;
        expect(
            "poll of the writer",
            now(writer).map(|e| e.contains(PollEvents::ERR)),
            Ok(true),
        )?;
        must("close", close(writer))?;

        let both = must("open for both", open("fifo", OpenFlags::RDWR))?;
        must("write", write(both, b"own"))?;
        expect("read what one wrote", read(both, &mut buf), Ok(3))?;
        must("close", close(both))?;

        let child = spawn_self("writer")?;
        let before = clock_monotonic();
        let reader = must("open, waiting", open("fifo", read_only))?;
        expect("it has waited", clock_monotonic() > before, true)?;
        let all = must("read to the end", read_to_end(reader))?;
        expect(
            "all that the child wrote",
            String::from_utf8_lossy(&all).as_ref(),
            "from the child",
        )?;
        join(child)
    })
}
