//! A terminal in canonical mode: lines, echo, erase, kill, end of file; then raw, and what closing an end does.

use conformance::*;
use podsim_guest::*;
use std::time::Duration;

/// Reads as many bytes as are expected: the other side's bytes may come in parts.
fn read_text(fd: Fd, len: usize) -> std::result::Result<String, String> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        filled += must("read", read(fd, &mut bytes[filled..]))?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn main() {
    conformance(|| {
        let (master, slave) = must("openpty", openpty(OpenFlags::CLOEXEC))?;
        expect("isatty", (isatty(master), isatty(slave)), (Ok(true), Ok(true)))?;
        let mut buf = [0; 64];
        let line = |fd: Fd, buf: &mut [u8; 64]| -> std::result::Result<String, String> {
            let len = must("read", read(fd, buf))?;
            Ok(String::from_utf8_lossy(&buf[..len]).into_owned())
        };
        let typed = |text: &str, echo: &str| -> Outcome {
            must("type", write_all(master, text.as_bytes()))?;
            expect("the echo", read_text(master, echo.len())?, echo.to_owned())
        };
        let ready = |fd| -> std::result::Result<PollEvents, String> {
            let mut fds = [PollFd {
                fd,
                events: PollEvents::IN,
                revents: PollEvents::empty(),
            }];
            must("poll", poll(&mut fds, Some(Duration::ZERO)))?;
            Ok(fds[0].revents)
        };

        typed("ab", "ab")?;
        expect("half a line", ready(slave)?, PollEvents::empty())?;
        typed("\x7fc\n", "\x08 \x08c\r\n")?;
        expect("ERASE", line(slave, &mut buf)?, "ac\n".to_owned())?;
        typed("one\rtwo\n", "one\r\ntwo\r\n")?;
        expect("CR is a new line", line(slave, &mut buf)?, "one\n".to_owned())?;
        expect("the second half of a line", read(slave, &mut buf[..2]), Ok(2))?;
        expect("and the rest of it", line(slave, &mut buf)?, "o\n".to_owned())?;
        typed("abc\x15x\n", "abc\x08 \x08\x08 \x08\x08 \x08x\r\n")?;
        expect("KILL", line(slave, &mut buf)?, "x\n".to_owned())?;
        typed("one two\x17\n", "one two\x08 \x08\x08 \x08\x08 \x08\r\n")?;
        expect("WERASE", line(slave, &mut buf)?, "one \n".to_owned())?;
        typed("\x01\n", "^A\r\n")?;
        expect("a control character", line(slave, &mut buf)?, "\x01\n".to_owned())?;
        typed("end\x04", "end")?;
        expect("EOF after text", line(slave, &mut buf)?, "end".to_owned())?;
        typed("\x04", "")?;
        expect("EOF", line(slave, &mut buf)?, String::new())?;
        must("print", write(slave, b"x\ty\n"))?;
        expect("output", read_text(master, 5)?, "x\ty\r\n".to_owned())?;

        let old = must("tcgetattr", tcgetattr(slave))?;
        let mut termios = old;
        termios.lflag -= LocalFlags::ECHO;
        must("tcsetattr", tcsetattr(slave, TcSet::Now, termios))?;
        typed("secret\n", "")?;
        expect("without echo", line(slave, &mut buf)?, "secret\n".to_owned())?;
        termios.lflag -= LocalFlags::ICANON | LocalFlags::ISIG;
        termios.iflag -= InputFlags::ICRNL;
        termios.oflag -= OutputFlags::OPOST;
        must("tcsetattr", tcsetattr(slave, TcSet::Now, termios))?;
        typed("a\r\x04\x03", "")?;
        expect("raw", read_text(slave, 4)?, "a\r\x04\x03".to_owned())?;
        must("print", write(slave, b"x\n"))?;
        expect("raw output", read_text(master, 2)?, "x\n".to_owned())?;
        termios.cc[cc::VMIN] = 0;
        must("tcsetattr", tcsetattr(slave, TcSet::Now, termios))?;
        expect("VMIN 0", read(slave, &mut buf), Ok(0))?;
        must("tcsetattr", tcsetattr(slave, TcSet::Now, old))?;
        expect("the modes are back", tcgetattr(slave), Ok(old))?;

        must("print", write(slave, b"last"))?;
        must("close", close(slave))?;
        expect("what was printed", read_text(master, 4)?, "last".to_owned())?;
        expect("a master without a slave", read(master, &mut buf), Err(Errno::EIO))?;
        let (master, slave) = must("openpty", openpty(OpenFlags::CLOEXEC))?;
        must("close", close(master))?;
        expect("a slave without a master", read(slave, &mut buf), Ok(0))?;
        expect("its write", write(slave, b"x"), Err(Errno::EIO))?;
        expect(
            "poll",
            ready(slave)?,
            PollEvents::IN | PollEvents::HUP | PollEvents::ERR,
        )
    })
}
