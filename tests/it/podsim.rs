//! Runs the program as a user does, with a runtime directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A user of podsim: running nodes are his own, and so is the working directory.
pub(crate) struct User {
    home: TempDir,
    program: PathBuf,
    /// Who it is, if not who runs the tests.
    ids: Option<(u32, u32)>,
}

/// Whether the tests have the rights for what this one is about; says so if not.
#[cfg(target_os = "linux")]
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("not run: it needs root");
    }
    root
}

/// What a command came to.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl User {
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::tempdir().expect("a directory"),
            program: env!("CARGO_BIN_EXE_podsim-under-test").into(),
            ids: None,
        }
    }

    /// A user without rights, whom root can become.
    #[cfg(target_os = "linux")]
    pub(crate) fn without_rights() -> Self {
        /// `nobody`, nearly everywhere.
        const NOBODY: u32 = 65534;
        Self::become_by_root(NOBODY, NOBODY)
    }

    /// A user without rights who has a range of further ids (`/etc/subuid`), if the host has one; root can become him.
    #[cfg(target_os = "linux")]
    pub(crate) fn with_range() -> Option<Self> {
        let ranges = fs::read_to_string("/etc/subuid").unwrap_or_default();
        let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
        let ids = ranges.lines().find_map(|range| {
            let (name, _) = range.split_once(':')?;
            let mut fields = users
                .lines()
                .find_map(|user| user.strip_prefix(name)?.strip_prefix(':'))?
                .split(':')
                .skip(1);
            let (user, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (user != 0).then_some((user, group))
        });
        ids.map(|(user, group)| Self::become_by_root(user, group))
    }

    /// With a podsim of his own, because he need not reach the one that is being tested.
    #[cfg(target_os = "linux")]
    fn become_by_root(id: u32, group: u32) -> Self {
        let mut user = Self::new();
        let program = user.home().join("podsim-under-test");
        // Not by this process: a child of another thread could still hold the file that is written when it is run (ETXTBSY).
        let copied = Command::new("cp").args([&user.program, &program]).status();
        assert!(copied.is_ok_and(|status| status.success()), "a copy");
        std::os::unix::fs::chown(user.home(), Some(id), Some(group)).expect("root");
        user.program = program;
        user.ids = Some((id, group));
        user
    }

    /// The user's directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file into the user's directory.
    pub(crate) fn file(&self, name: &str, content: &str) {
        fs::write(self.home().join(name), content).expect("a file");
    }

    /// A command of podsim, not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(self.home()).stdin(Stdio::null());
        command
            .env("XDG_RUNTIME_DIR", self.home())
            .env("PODSIM_DATA", self.home().join("data"))
            .env("PODSIM_RUN", self.home().join("run"))
            .env_remove("PODSIM_NODE")
            .env_remove("PODSIM_REGISTRIES")
            .env("NO_COLOR", "1");
        #[cfg(unix)]
        if let Some((id, group)) = self.ids {
            use std::os::unix::process::CommandExt;
            command.uid(id).gid(group).env("HOME", self.home());
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn podsim(&self, args: &[&str]) -> Said {
        Said::from(self.command(args).output().expect("podsim runs"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("podsim-under-test", "podsim");
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

impl Said {
    /// Everything, as one text for a snapshot.
    pub(crate) fn whole(&self) -> String {
        let code = self.code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        format!(
            "exit code {code}\n--- stdout\n{}--- stderr\n{}",
            self.stdout, self.stderr
        )
    }
}
