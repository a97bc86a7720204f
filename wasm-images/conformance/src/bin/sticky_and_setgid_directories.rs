//! In a sticky directory only its owner and a file's owner may remove the file; a set-group-id one gives its group.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

const ALICE: u32 = 2001;
const BOB: u32 = 2002;

/// Acts as another user for a while; the real id stays root's.
fn act_as(id: u32) -> Outcome {
    must("setresuid", setresuid(None, Some(0), None))?;
    must("setresgid", setresgid(None, Some(id), None))?;
    must("setresuid", setresuid(None, Some(id), None))
}

fn main() {
    conformance(|| {
        must("setgroups", setgroups(Vec::new()))?;
        enter_directory("sticky")?;
        must("mkdir", mkdir("tmp"))?;
        must("chown", chown("tmp", ALICE, ALICE))?;
        must("chmod", chmod("tmp", 0o1777))?;
        act_as(BOB)?;
        put("tmp/bob", b"")?;
        put("tmp/bob2", b"")?;
        act_as(0)?;
        put("tmp/root", b"")?;
        put("tmp/root2", b"")?;
        must("chmod", chmod("tmp/root", 0o666))?;

        act_as(BOB)?;
        expect("unlink of another one's file", unlink("tmp/root"), Err(Errno::EPERM))?;
        expect("rename of it", rename("tmp/root", "tmp/x"), Err(Errno::EPERM))?;
        expect("rename onto it", rename("tmp/bob", "tmp/root"), Err(Errno::EPERM))?;
        expect("writing it", open("tmp/root", OpenFlags::WRONLY).is_ok(), true)?;
        expect("rename of one's own", rename("tmp/bob", "tmp/bob1"), Ok(()))?;
        expect("unlink of one's own", unlink("tmp/bob1"), Ok(()))?;
        act_as(ALICE)?;
        expect("the directory's owner", unlink("tmp/root"), Ok(()))?;
        act_as(0)?;
        expect("root", unlink("tmp/bob2"), Ok(()))?;

        must("mkdir", mkdir("team"))?;
        must("chown", chown("team", 0, 3000))?;
        must("chmod", chmod("team", 0o2777))?;
        act_as(BOB)?;
        put("team/file", b"")?;
        must("mkdir", mkdirat(Fd::CWD, "team/sub", Mode(0o755)))?;
        must("symlink", symlink("file", "team/link"))?;
        let owners = |path| lstat(path).map(|s| (s.uid, s.gid, s.mode.0));
        expect("a file", owners("team/file"), Ok((BOB, 3000, 0o644)))?;
        expect("a directory", owners("team/sub"), Ok((BOB, 3000, 0o2755)))?;
        expect("a link", owners("team/link"), Ok((BOB, 3000, 0o777)))?;
        put("plain", b"")?;
        expect("elsewhere", owners("plain"), Ok((BOB, BOB, 0o644)))?;
        expect(
            "chmod to set-group-id of a foreign group",
            chmod("team/file", 0o2755),
            Ok(()),
        )?;
        expect("does not give it", mode("team/file"), Ok(0o755))
    })
}
