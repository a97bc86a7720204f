//! `cd` and `pwd`: the logical working directory.

use crate::shell::flow::{Flow, Status};
use crate::shell::shell::Shell;
use crate::shell::sys::{self, Errno};

pub(super) fn cd(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, operands) = shell.options(words, "LP")?;
    let physical = letters.last() == Some(&'P');
    let mut show = false;
    let target = match operands.first().map(String::as_str) {
        Some("-") => {
            show = true;
            match shell.vars.get("OLDPWD") {
                Some(old) => old.to_owned(),
                None if shell.bash => {
                    shell.complain("OLDPWD not set");
                    return Ok(1);
                }
                None => shell.working_directory().unwrap_or_default(),
            }
        }
        Some(target) => target.to_owned(),
        None => shell.vars.get("HOME").unwrap_or("").to_owned(),
    };
    if target.is_empty() {
        return Ok(0);
    }
    let relative = !target.starts_with('/') && !matches!(target.split('/').next(), Some("." | ".."));
    let cdpath = if relative {
        shell.vars.get("CDPATH").unwrap_or("").to_owned()
    } else {
        String::new()
    };
    let mut result = Err(Errno::ENOENT);
    for entry in cdpath.split(':').filter(|e| !e.is_empty()).chain([""]) {
        let candidate = if entry.is_empty() {
            target.clone()
        } else {
            format!("{entry}/{target}")
        };
        result = shell.change_directory(&candidate, physical);
        if result.is_ok() {
            show |= !entry.is_empty();
            break;
        }
    }
    match result {
        Ok(new) => {
            if show {
                shell.print(&format!("{new}\n"));
            }
            Ok(0)
        }
        Err(errno) if shell.bash => {
            shell.complain(&format!("{target}: {errno}"));
            Ok(1)
        }
        // ash's own status for this is 2.
        Err(errno) => Err(shell.fatal(&format!("can't cd to {target}: {errno}"))),
    }
}

pub(super) fn pwd(shell: &mut Shell, words: &[String]) -> Status {
    let (letters, _) = shell.options(words, "LP")?;
    let path = match letters.last() {
        Some('P') => sys::getcwd(),
        _ => shell.working_directory(),
    };
    match path {
        Ok(path) => shell.print(&format!("{path}\n")),
        Err(errno) => {
            shell.complain(&format!("getcwd: {errno}"));
            return Ok(1);
        }
    }
    Ok(0)
}

impl Shell {
    /// The logical working directory, or the kernel's answer.
    pub(crate) fn working_directory(&self) -> Result<String, Errno> {
        match &self.directory {
            Some(path) => Ok(path.clone()),
            None => sys::getcwd(),
        }
    }

    fn change_directory(&mut self, target: &str, physical: bool) -> Result<String, Errno> {
        let old = self.working_directory().unwrap_or_default();
        let new = if physical {
            sys::chdir(target)?;
            sys::getcwd()?
        } else {
            let new = logical(&old, target);
            sys::chdir(&new)?;
            new
        };
        // Only a read-only variable fails, and the directory has changed all the same.
        self.directory = Some(new.clone());
        let _: Result<(), Flow> = self
            .set_var("OLDPWD", old)
            .and_then(|()| self.set_var("PWD", new.clone()));
        self.vars.export("PWD", true);
        self.vars.export("OLDPWD", true);
        Ok(new)
    }
}

/// The path without `.` and `..`, which take back what was written, not where a link led (POSIX `cd -L`).
fn logical(base: &str, target: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if target.starts_with('/') { "" } else { base };
    for part in base.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn dots_are_taken_out_of_logical_paths() {
        for (base, target, want) in [
            ("/a/b", "..", "/a"),
            ("/a/b", "../../..", "/"),
            ("/a", "./c//d/", "/a/c/d"),
            ("/a", "/x/../y", "/y"),
            ("/", "b", "/b"),
        ] {
            assert_eq!(super::logical(base, target), want);
        }
    }
}
