//! `entrypoint-tester`: prints all the program's arguments, its own name among them.

use crate::command::{Command, Flags};
use podsim_sys::Fd;

pub(crate) static COMMAND: Command = Command {
    name: "entrypoint-tester",
    about: "Prints the args it's passed and exits",
    flags: &[],
    takes_args: true,
    run,
};

fn run(_: &Flags) -> i32 {
    let line = format!("[{}]\n", podsim_guest::args().join(" "));
    i32::from(podsim_guest::write_all(Fd::STDOUT, line.as_bytes()).is_err())
}
