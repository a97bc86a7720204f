//! `agnhost`: what Kubernetes' own tests run in their containers (`test/images/agnhost` of kubernetes/kubernetes), with the
//! same subcommands, flags, output and exit codes. The messages of Go's libraries, which the tests compare, are kept.
//!
//! * [`command`]: subcommands and their flags, as cobra reads them. * [`http`]: a server in one loop around `poll(2)`.
//! * [`golang`]: how Go prints things. * The other modules are a subcommand each.

mod command;
mod entrypoint_tester;
mod golang;
mod http;
mod mounttest;
mod netexec;
mod pause;
mod signals;

use command::Command;

/// Every subcommand, sorted by name.
static COMMANDS: &[&Command] = &[
    &entrypoint_tester::COMMAND,
    &mounttest::COMMAND,
    &netexec::COMMAND,
    &pause::COMMAND,
];

fn main() {
    podsim_guest::init();
    signals::die_as_go_does();
    let args = podsim_guest::args();
    let words = args.get(1..).unwrap_or_default();
    // Not for users: what netexec does for one client in a process of its own, so that it goes on serving the others.
    let code = match words.split_first() {
        Some((name, rest)) if name == netexec::dial::HELPER => netexec::dial::main(rest),
        _ => command::run(COMMANDS, words),
    };
    podsim_guest::exit(code);
}
