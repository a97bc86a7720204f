//! The first write to a peer that has closed succeeds, a later one is EPIPE with SIGPIPE; unread data at the close is a reset.

use conformance::*;
use podsim_guest::*;

fn pair() -> std::result::Result<(Fd, Fd), String> {
    let tcp = || socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::empty());
    let listener = must("socket", tcp())?;
    must("bind", bind(listener, &SockAddr::Inet(([127, 0, 0, 1], 0).into())))?;
    must("listen", listen(listener, 1))?;
    let client = must("socket", tcp())?;
    must("connect", connect(client, &must("getsockname", getsockname(listener))?))?;
    let (server, _) = must("accept", accept(listener, OpenFlags::empty()))?;
    must("close", close(listener))?;
    Ok((client, server))
}

/// Writes until the peer's reset has arrived.
fn write_until_error(fd: Fd) -> std::result::Result<Errno, String> {
    for _ in 0..1000 {
        if let Err(errno) = write(fd, b"x") {
            return Ok(errno);
        }
        must(
            "sleep",
            sleep_until(clock_monotonic() + std::time::Duration::from_millis(1)),
        )?;
    }
    Err("a thousand writes to a closed peer succeeded".to_owned())
}

fn main() {
    conformance(|| {
        if argument().is_some() {
            // SIGPIPE has its default action here: the write kills.
            let (client, server) = pair()?;
            must("close", close(server))?;
            write_until_error(client)?;
            return Err("SIGPIPE did not kill".to_owned());
        }
        let child = spawn_self("killed")?;
        let ended = must("wait", wait(WaitTarget::Pid(child), WaitOptions::empty()))?;
        expect("the writer", ended, Some((child, WaitStatus::Signaled(Signal::PIPE))))?;

        must("ignore SIGPIPE", ignore_signal(Signal::PIPE))?;
        let (client, server) = pair()?;
        must("close", close(server))?;
        expect("the first write", write(client, b"x"), Ok(1))?;
        expect("a later write", write_until_error(client)?, Errno::EPIPE)?;
        expect("read", read(client, &mut [0; 4]), Ok(0))?;

        let (client, server) = pair()?;
        must("write", write(client, b"unread"))?;
        must("write", write(server, b"before"))?;
        let mut fds = [PollFd {
            fd: server,
            events: PollEvents::IN,
            revents: PollEvents::empty(),
        }];
        must("poll", poll(&mut fds, None))?;
        must("close with unread data", close(server))?;
        let mut buf = [0; 16];
        expect("what came before the reset", read(client, &mut buf), Ok(6))?;
        expect("the reset", read(client, &mut buf), Err(Errno::ECONNRESET))?;
        expect("after the reset", read(client, &mut buf), Ok(0))
    })
}
