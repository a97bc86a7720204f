//! `dns-suffix`, `dns-server-list`, `etc-hosts`: the files by which names are found (`dns/common.go`).

use crate::command::{Command, Flags};
use crate::golang::errno;
use busybox::util::files::read_text;
use busybox::util::out::write_error;
use podsim_sys::Fd;

pub(crate) static SUFFIX: Command = Command {
    name: "dns-suffix",
    about: "Prints the host's DNS suffix list",
    flags: &[],
    takes_args: false,
    run: |_: &Flags| print(list(&read("/etc/resolv.conf"), "search")),
};

pub(crate) static SERVER_LIST: Command = Command {
    name: "dns-server-list",
    about: "Prints the host's DNS Server list",
    flags: &[],
    takes_args: false,
    run: |_: &Flags| print(list(&read("/etc/resolv.conf"), "nameserver")),
};

pub(crate) static ETC_HOSTS: Command = Command {
    name: "etc-hosts",
    about: "Prints the host's /etc/hosts file",
    flags: &[],
    takes_args: false,
    run: |_: &Flags| print(read("/etc/hosts")),
};

fn read(path: &str) -> Result<String, String> {
    read_text(path).map_err(|error| format!("open {path}: {}", errno(error)))
}

/// The words of the first line that begins with the key: further servers, on lines of their own, are not looked at.
fn list(file: &Result<String, String>, key: &str) -> Result<String, String> {
    let text = file.as_ref().map_err(Clone::clone)?;
    let line = text.lines().find(|line| line.starts_with(key));
    let words = line
        .and_then(|line| line.split_once(' '))
        .map(|(_, words)| words.replace(' ', ","));
    match (line, words) {
        (_, Some(words)) => Ok(words),
        (Some(_), None) => Ok(String::new()),
        (None, None) => Err("Could not find DNS search list!".to_owned()),
    }
}

/// What Go panics for ends with 2.
fn print(text: Result<String, String>) -> i32 {
    match text {
        Ok(text) => i32::from(podsim_guest::write_all(Fd::STDOUT, format!("{text}\n").as_bytes()).is_err()),
        Err(message) => {
            write_error(&format!("panic: {message}\n"));
            2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn lists_are_the_words_of_the_first_line() {
        let file = Ok("nameserver 1.1.1.1\nnameserver 2.2.2.2\nsearch a.b c.d\n".to_owned());
        for (file, key, want) in [
            (&file, "search", Ok("a.b,c.d")),
            (&file, "nameserver", Ok("1.1.1.1")),
            (
                &Ok("options a\n".to_owned()),
                "search",
                Err("Could not find DNS search list!"),
            ),
            (&Err("open: no".to_owned()), "search", Err("open: no")),
        ] {
            assert_eq!(list(file, key), want.map(str::to_owned).map_err(str::to_owned), "{key}");
        }
    }
}
