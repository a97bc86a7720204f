//! `/proc/PID/ns`: one link for each namespace, the same for who shares it, and a way back by `setns`.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn links(pid: &str) -> std::result::Result<Vec<String>, String> {
    let link = |kind: &NsKind| must(kind.name(), readlink(&format!("/proc/{pid}/ns/{}", kind.name())));
    NsKind::ALL.iter().map(link).collect()
}

fn main() {
    conformance(|| {
        if argument().is_some() {
            let parent = links(&getppid().to_string())?;
            expect("the namespaces of parent and child", links("self")?, parent.clone())?;
            must("unshare", unshare(CloneFlags::NEWUTS | CloneFlags::NEWIPC))?;
            for ((kind, own), other) in NsKind::ALL.iter().zip(links("self")?).zip(parent) {
                let unshared = [NsKind::Uts, NsKind::Ipc].contains(kind);
                expect(kind.name(), own != other, unshared)?;
            }
            let path = format!("/proc/{}/ns/uts", getppid());
            let fd = must("open", open(&path, OpenFlags::empty()))?;
            expect(
                "setns as another kind",
                setns(fd, CloneFlags::NEWIPC),
                Err(Errno::EINVAL),
            )?;
            must("sethostname", sethostname("elsewhere"))?;
            expect("setns", setns(fd, CloneFlags::NEWUTS), Ok(()))?;
            expect("the parent's again", readlink("/proc/self/ns/uts"), readlink(&path))?;
            return expect("with its name", uname().nodename == "elsewhere", false);
        }
        for (kind, link) in NsKind::ALL.iter().zip(links("self")?) {
            let path = format!("/proc/self/ns/{}", kind.name());
            let target = must(&path, stat(&path))?;
            expect("the link", link, format!("{}:[{}]", kind.name(), target.ino))?;
            expect("its own type", lstat(&path).map(|s| s.file_type), Ok(FileType::Symlink))?;
            expect("what it leads to", target.file_type, FileType::Regular)?;
        }
        put("plain", b"")?;
        let plain = must("open", open("plain", OpenFlags::empty()))?;
        expect(
            "setns with a plain file",
            setns(plain, CloneFlags::empty()),
            Err(Errno::EINVAL),
        )?;
        join(spawn_self("child")?)
    })
}
