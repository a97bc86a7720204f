//! `agnhost`: what Kubernetes' own tests run in their containers (`test/images/agnhost` of kubernetes/kubernetes), with the
//! same subcommands, flags, output and exit codes. The messages of Go's libraries, which the tests compare, are kept.
//!
//! * [`command`]: subcommands and their flags, as cobra reads them. * [`http`]: a server in one loop around `poll(2)`.
//! * [`golang`]: how Go prints things. * [`curl`]: the program of that name, which the image has beside it. * The other modules are a subcommand each.

mod command;
mod curl;
mod dns;
mod entrypoint_tester;
mod golang;
mod grpc_health_checking;
mod http;
mod liveness;
mod logs_generator;
mod mounttest;
mod netexec;
mod nettest;
mod pause;
mod porter;
mod serve_hostname;
mod signals;
mod test_webserver;

use busybox::util::base_name;
use command::Command;

/// Every subcommand, sorted by name.
static COMMANDS: &[&Command] = &[
    &dns::SERVER_LIST,
    &dns::SUFFIX,
    &entrypoint_tester::COMMAND,
    &dns::ETC_HOSTS,
    &grpc_health_checking::COMMAND,
    &liveness::COMMAND,
    &logs_generator::COMMAND,
    &mounttest::COMMAND,
    &netexec::COMMAND,
    &nettest::COMMAND,
    &pause::COMMAND,
    &porter::COMMAND,
    &serve_hostname::COMMAND,
    &test_webserver::COMMAND,
];

fn main() {
    podsim_guest::init();
    let args = podsim_guest::args();
    if args.first().is_some_and(|name| base_name(name) == "curl") {
        podsim_guest::exit(curl::main(&args));
    }
    signals::die_as_go_does();
    let words = args.get(1..).unwrap_or_default();
    // Not for users: what netexec does for one client in a process of its own, so that it goes on serving the others.
    let code = match words.split_first() {
        Some((name, rest)) if name == netexec::dial::HELPER => netexec::dial::main(rest),
        _ => command::run(COMMANDS, words),
    };
    podsim_guest::exit(code);
}
