//! `mounttest`: what a mounted volume looks like from inside (`mounttest/mt.go`). The order of the checks is fixed.

use crate::command::{Command, Flags, Value, flag};
use crate::golang::{errno, file_mode, permissions, quote};
use busybox::util::files::{create, read_file, stat};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, Mode};
use std::time::Duration;

pub(crate) static COMMAND: Command = Command {
    name: "mounttest",
    about: "Creates files with given permissions and outputs FS type, owner, mode, permissions, contents of files",
    flags: &[
        flag("fs_type", Value::Default(""), "Path to print the fs type for"),
        flag("file_mode", Value::Default(""), "Path to print the mode bits of"),
        flag("file_perm", Value::Default(""), "Path to print the perms of"),
        flag(
            "file_owner",
            Value::Default(""),
            "Path to print the owning UID and GID of",
        ),
        flag(
            "new_file_0644",
            Value::Default(""),
            "Path to write to and read from with perm 0644",
        ),
        flag(
            "new_file_0666",
            Value::Default(""),
            "Path to write to and read from with perm 0666",
        ),
        flag(
            "new_file_0660",
            Value::Default(""),
            "Path to write to and read from with perm 0660",
        ),
        flag(
            "new_file_0777",
            Value::Default(""),
            "Path to write to and read from with perm 0777",
        ),
        flag("file_content", Value::Default(""), "Path to read the file content from"),
        flag(
            "file_content_in_loop",
            Value::Default(""),
            "Path to read the file content in loop from",
        ),
        flag("retry_time", Value::Int(180), "Retry time during the loop"),
        flag(
            "break_on_expected_content",
            Value::Bool(true),
            "Break out of loop on expected content, (use with --file_content_in_loop flag only)",
        ),
    ],
    takes_args: false,
    run,
};

/// A check of one path; the error has been told already.
type Check = fn(&str) -> Result<(), ()>;

const CONTENT: &str = "mount-tester new file\n";
const TMPFS_MAGIC: u64 = 0x0102_1994;

fn run(flags: &Flags) -> i32 {
    sys::umask(Mode(0));
    let checks: [(&str, Check); 9] = [
        ("fs_type", fs_type),
        ("new_file_0644", |path| new_file(path, 0o644)),
        ("new_file_0666", |path| new_file(path, 0o666)),
        ("new_file_0660", |path| new_file(path, 0o660)),
        ("new_file_0777", |path| new_file(path, 0o777)),
        ("file_mode", |path| mode(path, "mode", file_mode)),
        ("file_perm", |path| mode(path, "perms", |stat| permissions(stat.mode))),
        ("file_owner", owner),
        ("file_content", content),
    ];
    let mut failed = false;
    for (name, check) in checks {
        let path = flags.text(name);
        failed |= !path.is_empty() && check(path).is_err();
    }
    let path = flags.text("file_content_in_loop");
    failed |= !path.is_empty() && content_in_loop(path, flags).is_err();
    i32::from(failed)
}

fn say(text: &str) {
    say_bytes(text.as_bytes());
}

fn say_bytes(bytes: &[u8]) {
    // The exit code is about the files.
    let _ = sys::write_all(Fd::STDOUT, bytes);
}

/// `agnhost` prints the number of a file system's type, and of tmpfs its name (`mt_utils_linux.go`).
fn fs_type(path: &str) -> Result<(), ()> {
    match sys::statfs(path) {
        Ok(found) => {
            let name = match found.magic {
                TMPFS_MAGIC => "tmpfs".to_owned(),
                magic => magic.to_string(),
            };
            say(&format!("mount type of {}: {name}\n", quote(path)));
            Ok(())
        }
        Err(error) => fail(&format!("error from statfs({})", quote(path)), &errno(error)),
    }
}

fn fail(what: &str, why: &str) -> Result<(), ()> {
    say(&format!("{what}: {why}\n"));
    Err(())
}

fn mode(path: &str, what: &str, show: fn(&podsim_sys::Stat) -> String) -> Result<(), ()> {
    match stat(path) {
        Ok(stat) => {
            say(&format!("{what} of file {}: {}\n", quote(path), show(&stat)));
            Ok(())
        }
        Err(error) => fail(
            &format!("error from Stat({})", quote(path)),
            &format!("stat {path}: {}", errno(error)),
        ),
    }
}

fn owner(path: &str) -> Result<(), ()> {
    match stat(path) {
        Ok(stat) => {
            say(&format!("owner UID of {}: {}\n", quote(path), stat.uid));
            say(&format!("owner GID of {}: {}\n", quote(path), stat.gid));
            Ok(())
        }
        Err(error) => fail(&format!("error from stat({})", quote(path)), &errno(error)),
    }
}

/// `fs.PathError`: opening is one operation, reading (of a directory) another.
fn read(path: &str) -> Result<Vec<u8>, String> {
    read_file(path).map_err(|error| {
        let operation = if error == Errno::EISDIR { "read" } else { "open" };
        format!("{operation} {path}: {}", errno(error))
    })
}

fn show(path: &str, bytes: &[u8]) {
    let head = format!("content of file {}: ", quote(path));
    say_bytes(&[head.as_bytes(), bytes, b"\n"].concat());
}

fn content(path: &str) -> Result<(), ()> {
    match read(path) {
        Ok(bytes) => {
            show(path, &bytes);
            Ok(())
        }
        Err(why) => fail(&format!("error reading file content for {}", quote(path)), &why),
    }
}

fn new_file(path: &str, mode: u16) -> Result<(), ()> {
    let wrong = |operation: &str, error| {
        let why = format!("{operation} {path}: {}", errno(error));
        fail(&format!("error writing new file {}", quote(path)), &why)
    };
    let fd = match create(path, Mode(mode)) {
        Ok(fd) => fd,
        Err(error) => return wrong("open", error),
    };
    let written = sys::write_all(fd, CONTENT.as_bytes());
    match written.and(sys::close(fd)) {
        Ok(()) => content(path),
        Err(error) => wrong("write", error),
    }
}

/// Every two seconds, until the content is the expected one or the time is over; the result is that of the last reading.
fn content_in_loop(path: &str, flags: &Flags) -> Result<(), ()> {
    let time = Duration::from_secs(u64::try_from(flags.int("retry_time")).unwrap_or(0));
    let start = sys::clock_monotonic();
    let mut last = Ok(());
    while sys::clock_monotonic().saturating_sub(start) < time {
        last = match read(path) {
            Ok(bytes) => {
                show(path, &bytes);
                if flags.bool("break_on_expected_content") {
                    if bytes == CONTENT.as_bytes() {
                        return Ok(());
                    }
                    say(&format!("Unexpected content. Expected: {CONTENT}. Retrying"));
                }
                Ok(())
            }
            Err(why) => fail(&format!("Error reading file {path}"), &format!("{why}, retrying")),
        };
        // A signal that has a handler ends the wait early, and that is well.
        let _ = sys::sleep_until(sys::clock_monotonic() + Duration::from_secs(2));
    }
    last
}
