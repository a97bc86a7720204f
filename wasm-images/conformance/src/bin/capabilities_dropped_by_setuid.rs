//! How the capabilities follow the user ids, as in capabilities(7), and that dropped ones do not come back.

use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        let all = credentials();
        expect("root has all that it may", all.effective, all.permitted)?;
        if let Some(argument) = argument() {
            // By exec as root: the whole bounding set, whatever the parent had dropped.
            expect("after exec", all.permitted, all.bounding)?;
            if argument == "as a user" {
                must("setresuid", setresuid(Some(1000), Some(0), Some(1000)))?;
                expect("with an effective id of 0", credentials().permitted, all.permitted)?;
                must("setresuid", setresuid(None, Some(1000), None))?;
                let now = credentials();
                expect(
                    "no id of 0",
                    (now.effective, now.permitted),
                    (CapSet::EMPTY, CapSet::EMPTY),
                )?;
                expect("the bounding set stays", now.bounding, all.bounding)?;
                expect("back to 0", setresuid(None, Some(0), None), Err(Errno::EPERM))?;
                expect("setgroups", setgroups(vec![0]), Err(Errno::EPERM))?;
                expect("setresgid", setresgid(Some(1), None, None), Err(Errno::EPERM))?;
                let raise = CapSet::EMPTY.with(Capability::CHOWN);
                expect("capset", capset(raise, raise, CapSet::EMPTY), Err(Errno::EPERM))?;
                return expect("kill of root's process", kill(getppid(), None), Err(Errno::EPERM));
            }
            return Ok(());
        }
        must("setresuid", setresuid(None, Some(1000), None))?;
        let now = credentials();
        expect("the effective id: the effective set", now.effective, CapSet::EMPTY)?;
        expect("not the permitted one", now.permitted, all.permitted)?;
        expect("the filesystem id follows", now.fsuid, 1000)?;
        expect("sethostname", sethostname("x"), Err(Errno::EPERM))?;
        let kill_only = CapSet::EMPTY.with(Capability::KILL);
        expect(
            "one that is permitted",
            capset(kill_only, now.permitted, CapSet::EMPTY),
            Ok(()),
        )?;
        must("setresuid", setresuid(None, Some(0), None))?;
        expect("back: all that is permitted", credentials().effective, all.permitted)?;
        join(spawn_self("as a user")?)?;

        let less = all.permitted.without(Capability::CHOWN);
        expect("drop one", capset(less, less, CapSet::EMPTY), Ok(()))?;
        let owner = fchownat(Fd::CWD, "/tmp", Some(1), None, true);
        expect("without CAP_CHOWN", owner, Err(Errno::EPERM))?;
        expect(
            "it does not come back",
            capset(all.permitted, all.permitted, CapSet::EMPTY),
            Err(Errno::EPERM),
        )?;
        expect(
            "effective without permitted",
            capset(all.effective, less, CapSet::EMPTY),
            Err(Errno::EPERM),
        )?;
        join(spawn_self("as root")?)
    })
}
