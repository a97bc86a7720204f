//! `unshare(CLONE_NEWUTS)`: a copy of the host name that changes by itself; a name has at most 64 bytes.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        let name = || uname().nodename;
        if let Some(first) = argument() {
            expect("the name of the parent", name(), first)?;
            must("unshare", unshare(CloneFlags::NEWUTS))?;
            expect("the name is copied", Some(name()), argument())?;
            must("sethostname", sethostname("changed"))?;
            expect("uname", name(), "changed".to_owned())?;
            expect(
                "/proc/sys",
                content("/proc/sys/kernel/hostname"),
                Ok("changed\n".to_owned()),
            )?;
            put("/proc/sys/kernel/hostname", b"written\n")?;
            expect("written there", name(), "written".to_owned())?;
            let long = "x".repeat(64);
            expect("64 bytes", sethostname(&long), Ok(()))?;
            expect("65 bytes", sethostname(&format!("{long}x")), Err(Errno::EINVAL))?;
            expect("the long name", name(), long)?;
            become_user(1000, Vec::new())?;
            expect("sethostname as a user", sethostname("user"), Err(Errno::EPERM))?;
            return expect("unshare as a user", unshare(CloneFlags::NEWUTS), Err(Errno::EPERM));
        }
        must("unshare", unshare(CloneFlags::NEWUTS))?;
        must("sethostname", sethostname("parent"))?;
        join(spawn_self("parent")?)?;
        expect("the parent's name", name(), "parent".to_owned())?;
        expect(
            "in /proc/sys",
            content("/proc/sys/kernel/hostname"),
            Ok("parent\n".to_owned()),
        )?;
        expect("unshare of nothing", unshare(CloneFlags::empty()), Ok(()))
    })
}
