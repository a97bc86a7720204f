//! A Unix socket's path is a file of type socket: its mode decides who may connect, and unlinking it ends that.

use conformance::*;
use podsim_guest::*;

const PATH: &str = "/tmp/conformance-unix.sock";

fn main() {
    conformance(|| {
        let unix = || socket(AddressFamily::Unix, SocketType::Stream, OpenFlags::empty());
        let address = SockAddr::Unix(PATH.to_owned());
        // Left over from an earlier run.
        let _ = unlinkat(Fd::CWD, PATH, false);
        umask(Mode(0o022));
        let server = must("socket", unix())?;
        let client = must("socket", unix())?;
        expect("connect to no file", connect(client, &address), Err(Errno::ENOENT))?;
        must("bind", bind(server, &address))?;
        expect(
            "bound, but not listening",
            connect(client, &address),
            Err(Errno::ECONNREFUSED),
        )?;
        must("listen", listen(server, 4))?;
        let stat = must("stat", fstatat(Fd::CWD, PATH, false))?;
        expect(
            "type and mode",
            (stat.file_type, stat.mode),
            (FileType::Socket, Mode(0o755)),
        )?;
        let opened = openat(Fd::CWD, PATH, OpenFlags::RDWR, Mode(0));
        expect("open", opened, Err(Errno::ENXIO))?;
        expect(
            "bind a second time",
            bind(must("socket", unix())?, &address),
            Err(Errno::EADDRINUSE),
        )?;
        must("connect", connect(client, &address))?;
        expect("getpeername", getpeername(client), Ok(address.clone()))?;
        let (accepted, peer) = must("accept", accept(server, OpenFlags::empty()))?;
        expect("an unnamed peer", peer, SockAddr::Unix(String::new()))?;
        expect("write", write(client, b"hello"), Ok(5))?;
        expect("read", read(accepted, &mut [0; 8]), Ok(5))?;

        must("seteuid", setresuid(None, Some(65534), None))?;
        let denied = connect(must("socket", unix())?, &address);
        must("seteuid back", setresuid(None, Some(0), None))?;
        expect("connect without write permission", denied, Err(Errno::EACCES))?;
        must("chmod", fchmodat(Fd::CWD, PATH, Mode(0o777)))?;
        must("seteuid", setresuid(None, Some(65534), None))?;
        let allowed = connect(must("socket", unix())?, &address);
        must("seteuid back", setresuid(None, Some(0), None))?;
        expect("connect with write permission", allowed, Ok(()))?;

        must("close", close(server))?;
        expect(
            "nobody behind the file",
            connect(must("socket", unix())?, &address),
            Err(Errno::ECONNREFUSED),
        )?;
        must("unlink", unlinkat(Fd::CWD, PATH, false))?;
        expect(
            "no file any more",
            connect(must("socket", unix())?, &address),
            Err(Errno::ENOENT),
        )
    })
}
