//! What expansion asks of the shell: parameters, commands, directories.

use super::arith;
use super::ast::Node;
use super::expand::Host;
use super::flow::Flow;
use super::glob::Directory;
use super::options::Opt;
use super::shell::Shell;
use super::sys::{self, Fd, OpenFlags};

impl Directory for Shell {
    fn list(&mut self, path: &str) -> Option<Vec<String>> {
        let path = if path.is_empty() { "." } else { path };
        let fd = sys::open(path, OpenFlags::DIRECTORY).ok()?;
        let mut names = Vec::new();
        let mut start = 0;
        while let Ok(entries) = sys::getdents(fd, start, 256) {
            let Some(last) = entries.last() else { break };
            start = last.next;
            names.extend(entries.into_iter().map(|e| e.name));
        }
        let _ = sys::close(fd);
        Some(names)
    }

    fn exists(&mut self, path: &str) -> bool {
        sys::fstatat(Fd::CWD, path, false).is_ok()
    }
}

impl arith::Variables for Shell {
    fn value(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.parameter(name) {
            // ash takes an unset variable for 0 here, also under `set -u`.
            None if self.bash && self.has(Opt::Nounset) => Err(format!("{name}: unbound variable")),
            value => Ok(value),
        }
    }

    fn assign(&mut self, name: &str, value: i64) -> Result<(), String> {
        if self.vars.is_readonly(name) {
            return Err(format!("{name}: is read only"));
        }
        // Cannot fail any more.
        self.set_var(name, value.to_string()).or(Ok(()))
    }
}

impl Host for Shell {
    fn parameter(&mut self, name: &str) -> Option<String> {
        if let Some(value) = self.vars.get(name)
            && name != "RANDOM"
        {
            return Some(value.to_owned());
        }
        Some(match name {
            "?" => self.status.to_string(),
            "#" => self.positional.len().to_string(),
            "$" => self.pid().to_string(),
            "!" => self.last_background?.to_string(),
            "-" => self.options.letters(),
            "0" => self.arg0.clone(),
            "LINENO" => self.line.to_string(),
            "RANDOM" => self.next_random().to_string(),
            "PPID" => sys::getppid().to_string(),
            "EPOCHSECONDS" => sys::clock_realtime().as_secs().to_string(),
            "EPOCHREALTIME" => {
                let now = sys::clock_realtime();
                format!("{}.{:06}", now.as_secs(), now.subsec_micros())
            }
            "HOSTNAME" => sys::uname().nodename,
            "UID" if self.bash => sys::credentials().uid.to_string(),
            "EUID" if self.bash => sys::credentials().euid.to_string(),
            "BASH_VERSION" if self.bash => "5.2.15(1)-release".to_owned(),
            _ => {
                let index: usize = name.parse().ok()?;
                self.positional.get(index.checked_sub(1)?)?.clone()
            }
        })
    }

    fn positional(&self) -> Vec<String> {
        self.positional.clone()
    }

    fn set_parameter(&mut self, name: &str, value: &str) -> Result<(), Flow> {
        if !super::text::is_name(name) {
            return Err(self.fatal(&format!("{name}: bad variable name")));
        }
        self.set_var(name, value.to_owned())
    }

    fn substitute(&mut self, body: &Node) -> Result<String, Flow> {
        self.command_substitution(body)
    }

    fn home(&mut self, user: &str) -> Option<String> {
        if user.is_empty() {
            return self.vars.get("HOME").map(str::to_owned);
        }
        if !user.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
            return None;
        }
        let passwd = super::text::from_bytes(&sys::read_file("/etc/passwd").ok()?);
        let line = passwd.lines().find(|line| line.split(':').next() == Some(user))?;
        line.split(':').nth(5).map(str::to_owned)
    }

    fn fail(&mut self, message: &str) -> Flow {
        let message = match message.strip_suffix("parameter not set") {
            Some(name) if self.bash => format!("{name}unbound variable"),
            _ => message.to_owned(),
        };
        self.fatal(&message)
    }

    fn nounset(&self) -> bool {
        self.has(Opt::Nounset)
    }

    fn noglob(&self) -> bool {
        self.has(Opt::Noglob)
    }
}

impl Shell {
    /// `$RANDOM`: 0 to 32767 (ash's generator is not promised to be any certain one; this is a linear congruential one).
    fn next_random(&mut self) -> u32 {
        let seed = self.random.unwrap_or_else(|| {
            let mut bytes = [0; 4];
            sys::getrandom(&mut bytes);
            u32::from_le_bytes(bytes)
        });
        let next = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.random = Some(next);
        (next >> 16) & 0x7fff
    }
}
