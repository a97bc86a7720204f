//! Runs the program as a user does, with a runtime directory of its own.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A user of podsim: running nodes are his own, and so is the working directory.
pub(crate) struct User {
    home: TempDir,
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
        }
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
        let mut command = Command::new(env!("CARGO_BIN_EXE_podsim-under-test"));
        command.args(args).current_dir(self.home()).stdin(Stdio::null());
        command
            .env("XDG_RUNTIME_DIR", self.home())
            .env("PODSIM_DATA", self.home().join("data"))
            .env_remove("PODSIM_NODE")
            .env_remove("PODSIM_REGISTRIES")
            .env("NO_COLOR", "1");
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
