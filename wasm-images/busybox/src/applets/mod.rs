//! The table of applets.
//!
//! An applet is a name, a function from its arguments to an exit code, and its help. The table is sorted by name: it is
//! searched by halving, and `busybox --list` prints it as it is.

pub mod busybox;
pub mod cat;
pub mod echo;
pub mod env;
pub mod grep;
pub mod hostname;
pub mod id;
pub mod ifconfig;
pub mod ip;
pub mod kill;
pub mod ls;
pub mod mount;
pub mod nc;
pub mod netstat;
pub mod nsenter;
pub mod nslookup;
pub mod ps;
pub mod route;
pub mod sleep;
pub mod true_false;
pub mod wget;

/// A tool.
pub struct Applet {
    /// What it is called by.
    pub name: &'static str,
    /// Runs it: arguments (the name first) to exit code.
    pub run: fn(&[String]) -> i32,
    /// Its arguments, as the line "Usage:" shows them.
    pub usage: &'static str,
    /// What it does, in a line; longer help follows after an empty line.
    pub about: &'static str,
}

const fn applet(name: &'static str, run: fn(&[String]) -> i32, usage: &'static str, about: &'static str) -> Applet {
    Applet {
        name,
        run,
        usage,
        about,
    }
}

const SHELL_USAGE: &str = "[-il] [-|+Cabefmnuvx] [-|+o OPT]... [-c 'SCRIPT' [ARG0 ARGS] | FILE ARGS | -s ARGS]";

/// Every applet, sorted by name.
pub static APPLETS: &[Applet] = &[
    applet("arch", hostname::uname, "", "Print system architecture"),
    applet("ash", crate::shell::main, SHELL_USAGE, "Unix shell interpreter"),
    applet("cat", cat::main, "[-nbvteA] [FILE]...", "Print FILEs to stdout"),
    applet("echo", echo::main, "[-neE] [ARG]...", "Print ARGs to stdout"),
    applet("egrep", grep::main, "PATTERN [FILE]...", "grep -E"),
    applet(
        "env",
        env::main,
        "[-i0] [-u NAME]... [-] [NAME=VALUE]... [PROG ARGS]",
        "Print current environment or run PROG after setting up environment",
    ),
    applet("false", true_false::false_main, "", "Return an exit code of FALSE (1)"),
    applet("fgrep", grep::main, "PATTERN [FILE]...", "grep -F"),
    applet(
        "grep",
        grep::main,
        "[-HhnlLoqvsrRiwFExz] [-m N] [-A|B|C N] { PATTERN | -e PATTERN... | -f FILE... } [FILE]...",
        "Search for PATTERN in FILEs (or stdin)",
    ),
    applet("groups", id::groups, "[USER]", "Print the groups USER is in"),
    applet(
        "hostname",
        hostname::main,
        "[-sidf] [HOSTNAME | -F FILE]",
        "Show or set hostname or DNS domain name",
    ),
    applet(
        "id",
        id::main,
        "[-ugGnr] [USER]",
        "Print information about USER or the current user",
    ),
    applet(
        "ifconfig",
        ifconfig::main,
        "[-a] [INTERFACE] [ADDRESS] [netmask MASK] [add|del ADDRESS/PREFIX] [up|down]",
        "Show or configure network interfaces",
    ),
    applet(
        "ip",
        ip::main,
        "[-4|-6|-o] address|link|route [ARGS]",
        "ip addr add|del IFADDR dev IFACE | show|flush [dev IFACE]\nip link set IFACE [up|down] | add IFACE type KIND | del IFACE\nip route list|add|del|replace ROUTE",
    ),
    applet(
        "kill",
        kill::main,
        "[-l] [-SIG] PID...",
        "Send a signal (default: TERM) to given PIDs",
    ),
    applet(
        "killall",
        kill::killall,
        "[-lq] [-SIG] PROCESS_NAME...",
        "Send a signal (default: TERM) to given processes",
    ),
    applet(
        "ls",
        ls::main,
        "[-1AaCxdLHRFplinshrSXvctu] [-w WIDTH] [FILE]...",
        "List directory contents",
    ),
    applet(
        "mount",
        mount::mount,
        "[-r] [-t FSTYPE] [-o OPT] DEVICE NODE",
        "Mount a filesystem, or show what is mounted",
    ),
    applet(
        "mountpoint",
        mount::mountpoint,
        "[-q] [-d] DIR",
        "Check if DIR is a mountpoint",
    ),
    applet(
        "nc",
        nc::main,
        "[-lnuvzk] [-w SEC] [-q SEC] [-p PORT] [-s ADDR] [HOST] [PORT] [-e PROG ARGS]",
        "Open a pipe to HOST:PORT, or listen",
    ),
    applet(
        "netstat",
        netstat::main,
        "[-ral] [-tuwx] [-enWp]",
        "Display networking information",
    ),
    applet(
        "nsenter",
        nsenter::nsenter,
        "[-t PID] [-muinpU[FILE]] [-r[DIR]] [-w[DIR]] [-S UID] [-G GID] [-F] [PROG ARGS]",
        "Run PROG in the namespaces of another process",
    ),
    applet(
        "nslookup",
        nslookup::main,
        "[-type=QUERY_TYPE] HOST [DNS_SERVER]",
        "Query DNS about HOST\n\nQUERY_TYPE: a,aaaa,ptr",
    ),
    applet(
        "pgrep",
        kill::pgrep,
        "[-flanovx] [-s SID] [-P PPID] [-u USER] [PATTERN]",
        "Display processes selected by regex PATTERN",
    ),
    applet(
        "pidof",
        kill::pidof,
        "[-s] [-o PID] [NAME]...",
        "List PIDs of all processes with names that match NAMEs",
    ),
    applet(
        "pkill",
        kill::pgrep,
        "[-l] [-SIGNAL] [-fnovx] [-s SID] [-P PPID] [-u USER] [PATTERN]",
        "Send a signal to processes selected by regex PATTERN",
    ),
    applet(
        "printenv",
        env::printenv,
        "[VARIABLE]...",
        "Print environment VARIABLEs",
    ),
    applet("ps", ps::main, "[-o COL1,COL2=HEADER]", "Show list of processes"),
    applet(
        "route",
        route::main,
        "[-ne] [-A inet[6]] [{add|del} [-net|-host] TARGET [netmask MASK] [gw GATEWAY] [metric N] [dev IFACE]]",
        "Show or edit kernel routing tables",
    ),
    applet("sh", crate::shell::main, SHELL_USAGE, "Unix shell interpreter"),
    applet(
        "sleep",
        sleep::main,
        "[N]...",
        "Pause for a time equal to the total of the args given, where each arg can\nhave an optional suffix of (s)econds, (m)inutes, (h)ours, or (d)ays",
    ),
    applet("true", true_false::true_main, "", "Return an exit code of TRUE (0)"),
    applet(
        "umount",
        mount::umount,
        "[-rlfda] [-t FSTYPE] FILESYSTEM|DIRECTORY...",
        "Unmount filesystems",
    ),
    applet("uname", hostname::uname, "[-amnrspvio]", "Print system information"),
    applet(
        "unshare",
        nsenter::unshare,
        "[-muinpU] [-f] [-r] [--mount-proc[=DIR]] [PROG ARGS]",
        "Run PROG in new namespaces",
    ),
    applet("usleep", sleep::usleep, "N", "Pause for N microseconds"),
    applet(
        "wget",
        wget::main,
        "[-cqS] [--spider] [-O FILE] [-T SEC] [--header STR] [--post-data STR | --post-file FILE] [-P DIR] [-U AGENT] URL...",
        "Retrieve files via HTTP",
    ),
    applet(
        "whoami",
        id::whoami,
        "",
        "Print the user name associated with the current effective user id",
    ),
];

/// The applet of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Applet> {
    APPLETS
        .binary_search_by(|applet| applet.name.cmp(name))
        .ok()
        .and_then(|index| APPLETS.get(index))
}

/// Runs the applet `name`; 127 where there is none.
#[must_use]
pub fn run(name: &str, args: &[String]) -> i32 {
    match find(name) {
        Some(applet) => (applet.run)(args),
        None => {
            eprintln!("{name}: applet not found");
            127
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(APPLETS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn the_image_has_a_link_for_each_applet() {
        let recipe = include_str!("../../image.toml");
        let names = recipe
            .split("names = [")
            .nth(1)
            .and_then(|rest| rest.split(']').next())
            .expect("a list of names");
        let links: Vec<&str> = names
            .split(',')
            .map(|name| name.trim().trim_matches('"'))
            .filter(|n| !n.is_empty())
            .collect();
        let applets: Vec<&str> = APPLETS.iter().map(|applet| applet.name).collect();
        assert_eq!(links, applets);
    }
}
