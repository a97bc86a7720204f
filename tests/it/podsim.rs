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
    id: Option<u32>,
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
            id: None,
        }
    }

    /// A user without rights, whom root can become: with a podsim of his own, because he need not reach the one that is being tested.
    #[cfg(target_os = "linux")]
    pub(crate) fn without_rights() -> Self {
        /// `nobody`, nearly everywhere.
        const NOBODY: u32 = 65534;
        let mut user = Self::new();
        let program = user.home().join("podsim-under-test");
        fs::copy(&user.program, &program).expect("a copy");
        std::os::unix::fs::chown(user.home(), Some(NOBODY), Some(NOBODY)).expect("root");
        user.program = program;
        user.id = Some(NOBODY);
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
        if let Some(id) = self.id {
            use std::os::unix::process::CommandExt;
            command.uid(id).gid(id).env("HOME", self.home());
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
