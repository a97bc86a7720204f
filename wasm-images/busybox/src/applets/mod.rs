//! The table of applets.
//!
//! An applet is a name, a function from its arguments to an exit code, and its help. The table is sorted by name: it is
//! searched by halving, and `busybox --list` prints it as it is.

pub mod busybox;
pub mod cat;
pub mod chmod;
pub mod cp;
pub mod cut;
pub mod date;
pub mod dd;
pub mod df;
pub mod diff;
pub mod dump;
pub mod echo;
pub mod env;
pub mod expr;
pub mod find;
pub mod grep;
pub mod head;
pub mod hostname;
pub mod httpd;
pub mod id;
pub mod ifconfig;
pub mod ip;
pub mod kill;
pub mod lines;
pub mod ls;
pub mod mkdir;
pub mod mount;
pub mod nc;
pub mod netstat;
pub mod nsenter;
pub mod nslookup;
pub mod paths;
pub mod ps;
pub mod rm;
pub mod route;
pub mod run;
pub mod sed;
pub mod seq;
pub mod sleep;
pub mod sort;
pub mod stat;
pub mod sums;
pub mod sysctl;
pub mod tail;
pub mod tar;
pub mod tee;
pub mod terminal;
pub mod top;
pub mod tr;
pub mod true_false;
pub mod uniq;
pub mod via_shell;
pub mod wc;
pub mod wget;
pub mod which;
pub mod xargs;

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
    applet(
        "[",
        via_shell::bracket,
        "EXPRESSION ]",
        "Check file types, compare values etc. Return a 0/1 exit code depending on logical value of EXPRESSION",
    ),
    applet("arch", hostname::uname, "", "Print system architecture"),
    applet("ash", crate::shell::main, SHELL_USAGE, "Unix shell interpreter"),
    applet(
        "base64",
        dump::base64,
        "[-d] [-w COL] [FILE]",
        "Base64 encode or decode FILE to standard output",
    ),
    applet(
        "basename",
        paths::basename,
        "FILE [SUFFIX] | -a FILE... | -s SUFFIX FILE...",
        "Strip directory path and SUFFIX from FILE",
    ),
    applet("cat", cat::main, "[-nbvteA] [FILE]...", "Print FILEs to stdout"),
    applet(
        "chgrp",
        chmod::chown,
        "[-RhLHPcvf] GROUP FILE...",
        "Change the group membership of FILEs to GROUP",
    ),
    applet(
        "chmod",
        chmod::chmod,
        "[-Rcvf] MODE[,MODE]... FILE...",
        "MODE is octal number (bit pattern sstrwxrwxrwx) or [ugoa]{+|-|=}[rwxXst]",
    ),
    applet(
        "chown",
        chmod::chown,
        "[-RhLHPcvf] USER[:[GRP]] FILE...",
        "Change the owner and/or group of FILEs to USER and/or GRP",
    ),
    applet(
        "chroot",
        run::chroot,
        "NEWROOT [PROG ARGS]",
        "Run PROG with root directory set to NEWROOT",
    ),
    applet("clear", terminal::clear, "", "Clear screen"),
    applet(
        "cmp",
        diff::cmp,
        "[-ls] [-n NUM] FILE1 [FILE2]",
        "Compare FILE1 with FILE2 (or stdin)",
    ),
    applet(
        "cp",
        cp::cp,
        "[-arPLHpfinlsTu] SOURCE DEST\nor: cp [-arPLHpfinlsu] SOURCE... { -t DIRECTORY | DIRECTORY }",
        "Copy SOURCEs to DEST",
    ),
    applet(
        "cut",
        cut::main,
        "[OPTIONS] [FILE]...",
        "Print selected fields from FILEs to stdout\n\n\t-b LIST\tOutput only bytes from LIST\n\t-c LIST\tOutput only characters from LIST\n\t-d SEP\tField delimiter for input (default TAB)\n\t-O SEP\tField delimiter for output (default = -d)\n\t-f LIST\tPrint only these fields\n\t-s\tOutput only lines containing delimiter",
    ),
    applet(
        "date",
        date::main,
        "[-uR] [-I[SPEC]] [-d TIME] [-r FILE] [+FMT]",
        "Display time (using +FMT)",
    ),
    applet(
        "dd",
        dd::main,
        "[if=FILE] [of=FILE] [ibs=N obs=N/bs=N] [count=N] [skip=N] [seek=N]\n\t[conv=notrunc|noerror|sync|fsync|swab] [iflag=skip_bytes|count_bytes|fullblock] [oflag=seek_bytes|append]",
        "Copy a file with converting and formatting",
    ),
    applet(
        "df",
        df::df,
        "[-PkmhTai] [-B SIZE] [-t TYPE] [FILESYSTEM]...",
        "Print filesystem usage statistics",
    ),
    applet(
        "diff",
        diff::diff,
        "[-abdiNqrstw] [-L LABEL] [-U LINES] FILE1 FILE2",
        "Compare files line by line and output the differences between them.\nThis implementation supports unified diffs only.",
    ),
    applet(
        "dirname",
        paths::dirname,
        "FILENAME",
        "Strip non-directory suffix from FILENAME",
    ),
    applet(
        "du",
        df::du,
        "[-aHLdclsxhmk] [FILE]...",
        "Summarize disk space used for FILEs (or directories)",
    ),
    applet("echo", echo::main, "[-neE] [ARG]...", "Print ARGs to stdout"),
    applet("egrep", grep::main, "PATTERN [FILE]...", "grep -E"),
    applet(
        "env",
        env::main,
        "[-i0] [-u NAME]... [-] [NAME=VALUE]... [PROG ARGS]",
        "Print current environment or run PROG after setting up environment",
    ),
    applet("expr", expr::main, "EXPRESSION", "Print the value of EXPRESSION"),
    applet("false", true_false::false_main, "", "Return an exit code of FALSE (1)"),
    applet("fgrep", grep::main, "PATTERN [FILE]...", "grep -F"),
    applet(
        "find",
        find::main,
        "[-HL] [PATH]... [OPTIONS] [ACTIONS]",
        "Search for files and perform actions on them.\nFirst failed action stops processing of current file.\nDefaults: PATH is current directory, action is '-print'",
    ),
    applet(
        "fold",
        lines::fold,
        "[-s] [-w WIDTH] [FILE]...",
        "Wrap input lines in FILEs (or stdin), writing to stdout",
    ),
    applet("free", df::free, "[-bkmgh]", "Display free and used memory"),
    applet(
        "grep",
        grep::main,
        "[-HhnlLoqvsrRiwFExz] [-m N] [-A|B|C N] { PATTERN | -e PATTERN... | -f FILE... } [FILE]...",
        "Search for PATTERN in FILEs (or stdin)",
    ),
    applet("groups", id::groups, "[USER]", "Print the groups USER is in"),
    applet("hd", dump::hexdump, "FILE...", "hd is an alias for hexdump -C"),
    applet(
        "head",
        head::main,
        "[OPTIONS] [FILE]...",
        "Print first 10 lines of FILEs (or stdin).\nWith more than one FILE, precede each with a filename header.\n\n\t-n N[bkm]\tPrint first N lines\n\t-n -N[bkm]\tPrint all except N last lines\n\t-c [-]N[bkm]\tPrint first N bytes\n\t-q\t\tNever print headers\n\t-v\t\tAlways print headers",
    ),
    applet(
        "hexdump",
        dump::hexdump,
        "[-bcdoxCv] [-n LEN] [-s OFS] [FILE]...",
        "Display FILEs (or stdin) in a user specified format",
    ),
    applet(
        "hostname",
        hostname::main,
        "[-sidf] [HOSTNAME | -F FILE]",
        "Show or set hostname or DNS domain name",
    ),
    applet(
        "httpd",
        httpd::main,
        "[-fv] [-p [IP:]PORT] [-h HOME]",
        "Listen for incoming HTTP requests\n\n\t-f\t\tRun in foreground\n\t-v\t\tVerbose\n\t-p [IP:]PORT\tBind to IP:PORT (default *:80)\n\t-h HOME\t\tHome directory (default .)",
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
        "less",
        lines::pager,
        "[FILE]...",
        "View FILE (or stdin) one screenful at a time",
    ),
    applet(
        "ln",
        chmod::ln,
        "[-sfnT] TARGET... LINK_FILE|LINK_DIR",
        "Create a link LINK_FILE or LINK_DIR/TARGET to the specified TARGET(s)",
    ),
    applet(
        "ls",
        ls::main,
        "[-1AaCxdLHRFplinshrSXvctu] [-w WIDTH] [FILE]...",
        "List directory contents",
    ),
    applet(
        "md5sum",
        sums::main,
        "[-c[s]] [FILE]...",
        "Print or check MD5 checksums",
    ),
    applet(
        "mkdir",
        mkdir::mkdir,
        "[-m MODE] [-p] DIRECTORY...",
        "Create DIRECTORY\n\n\t-m MODE\tMode\n\t-p\tNo error if exists; make parent directories as needed",
    ),
    applet("mkfifo", mkdir::mkfifo, "[-m MODE] NAME", "Create named pipe"),
    applet(
        "mknod",
        mkdir::mknod,
        "[-m MODE] NAME TYPE [MAJOR MINOR]",
        "Create a special file (block, character, or pipe)",
    ),
    applet(
        "mktemp",
        mkdir::mktemp,
        "[-dtqu] [-p DIR] [TEMPLATE]",
        "Create a temporary file with name based on TEMPLATE and print its name",
    ),
    applet(
        "more",
        lines::pager,
        "[FILE]...",
        "View FILE (or stdin) one screenful at a time",
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
        "mv",
        cp::mv,
        "[-finT] SOURCE DEST\nor: mv [-fin] SOURCE... { -t DIRECTORY | DIRECTORY }",
        "Rename SOURCE to DEST, or move SOURCEs to DIRECTORY",
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
        "nice",
        run::nice,
        "[-n ADJUST] [PROG ARGS]",
        "Change scheduling priority, run PROG",
    ),
    applet(
        "nl",
        lines::nl,
        "[-b TYPE] [-i INC] [-v FIRST] [-w WIDTH] [-s SEP] [FILE]...",
        "Write FILEs to standard output with line numbers added",
    ),
    applet(
        "nohup",
        run::nohup,
        "PROG ARGS",
        "Run PROG immune to hangups, with output to a non-tty",
    ),
    applet("nproc", terminal::nproc, "", "Print number of available CPUs"),
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
        "od",
        dump::od,
        "[-bcdxohsv] [-t TYPE] [-A RADIX] [-j SKIP] [-N COUNT] [FILE]...",
        "Print FILEs (or stdin) unambiguously, as octal bytes by default",
    ),
    applet(
        "paste",
        lines::paste,
        "[-s] [-d LIST] [FILE]...",
        "Paste lines from each input file, separated with tab",
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
    applet(
        "printf",
        via_shell::printf,
        "FORMAT [ARG]...",
        "Format and print ARG(s) according to FORMAT (a-la C printf)",
    ),
    applet("ps", ps::main, "[-o COL1,COL2=HEADER]", "Show list of processes"),
    applet(
        "pwd",
        via_shell::pwd,
        "",
        "Print the full filename of the current working directory",
    ),
    applet(
        "readlink",
        paths::readlink,
        "[-fnv] FILE",
        "Display the value of a symlink",
    ),
    applet(
        "realpath",
        paths::realpath,
        "FILE...",
        "Print absolute pathnames of FILEs",
    ),
    applet("reset", terminal::reset, "", "Reset terminal"),
    applet("rev", lines::rev, "[FILE]...", "Reverse lines of FILE"),
    applet(
        "rm",
        rm::rm,
        "[-irf] FILE...",
        "Remove (unlink) FILEs\n\n\t-i\tAlways prompt before removing\n\t-f\tNever prompt\n\t-R,-r\tRecurse",
    ),
    applet(
        "rmdir",
        rm::rmdir,
        "[-p] DIRECTORY...",
        "Remove DIRECTORY if it is empty",
    ),
    applet(
        "route",
        route::main,
        "[-ne] [-A inet[6]] [{add|del} [-net|-host] TARGET [netmask MASK] [gw GATEWAY] [metric N] [dev IFACE]]",
        "Show or edit kernel routing tables",
    ),
    applet(
        "sed",
        sed::main,
        "[-i[SFX]] [-nrE] [-f FILE]... [-e CMD]... [FILE]...\nor: sed [-i[SFX]] [-nrE] CMD [FILE]...",
        "Stream editor",
    ),
    applet(
        "seq",
        seq::main,
        "[-w] [-s SEP] [FIRST [INC]] LAST",
        "Print numbers from FIRST to LAST, in steps of INC",
    ),
    applet("setsid", run::setsid, "[-c] PROG ARGS", "Run PROG in a new session"),
    applet("sh", crate::shell::main, SHELL_USAGE, "Unix shell interpreter"),
    applet(
        "sha1sum",
        sums::main,
        "[-c[s]] [FILE]...",
        "Print or check SHA1 checksums",
    ),
    applet(
        "sha256sum",
        sums::main,
        "[-c[s]] [FILE]...",
        "Print or check SHA256 checksums",
    ),
    applet(
        "sha512sum",
        sums::main,
        "[-c[s]] [FILE]...",
        "Print or check SHA512 checksums",
    ),
    applet(
        "sleep",
        sleep::main,
        "[N]...",
        "Pause for a time equal to the total of the args given, where each arg can\nhave an optional suffix of (s)econds, (m)inutes, (h)ours, or (d)ays",
    ),
    applet(
        "sort",
        sort::main,
        "[-nrugMcszbdfiokt] [-o FILE] [-k START[.OFS][OPTS][,END[.OFS][OPTS]] [-t CHAR] [FILE]...",
        "Sort lines of text",
    ),
    applet(
        "stat",
        stat::main,
        "[-ltfL] [-c FMT] FILE...",
        "Display file (default) or filesystem status",
    ),
    applet(
        "stty",
        terminal::stty,
        "[-ag] [SETTING]...",
        "Without arguments, prints baud rate, line discipline, and deviations from stty sane",
    ),
    applet(
        "sync",
        terminal::sync,
        "",
        "Write all buffered blocks (in FILEs) to disk",
    ),
    applet(
        "sysctl",
        sysctl::main,
        "[-enq] { -a | -p [FILE]... | [-w] [KEY[=VALUE]]... }",
        "Show/set kernel parameters",
    ),
    applet(
        "tac",
        lines::tac,
        "[FILE]...",
        "Concatenate FILEs and print them in reverse",
    ),
    applet(
        "tail",
        tail::main,
        "[OPTIONS] [FILE]...",
        "Print last 10 lines of FILEs (or stdin).\nWith more than one FILE, precede each with a filename header.\n\n\t-c [+]N[bkm]\tPrint last N bytes\n\t-n N[bkm]\tPrint last N lines\n\t-n +N[bkm]\tStart on Nth line and print the rest\n\t-q\t\tNever print headers\n\t-v\t\tAlways print headers\n\t-f\t\tPrint data as file grows\n\t-F\t\tSame as -f, but keep retrying\n\t-s SECONDS\tWait SECONDS between reads with -f",
    ),
    applet(
        "tar",
        tar::main,
        "c|x|t [-hvmokO] [-f TARFILE] [-C DIR] [FILE]...",
        "Create, extract, or list files from a tar file",
    ),
    applet(
        "tee",
        tee::main,
        "[-ai] [FILE]...",
        "Copy stdin to each FILE, and also to stdout",
    ),
    applet(
        "test",
        via_shell::test,
        "EXPRESSION",
        "Check file types, compare values etc. Return a 0/1 exit code depending on logical value of EXPRESSION",
    ),
    applet(
        "time",
        run::time,
        "[-p] PROG ARGS",
        "Run PROG, display resource usage when it exits",
    ),
    applet(
        "timeout",
        run::timeout,
        "[-s SIG] [-k KILL_SECS] SECS PROG ARGS",
        "Run PROG. Send SIG to it if it is not gone in SECS seconds.\nDefault SIG: TERM.",
    ),
    applet(
        "top",
        top::main,
        "[-b] [-n COUNT] [-d SECONDS]",
        "Show a view of process activity in real time.\nRead the status of all processes from /proc each SECONDS",
    ),
    applet(
        "touch",
        mkdir::touch,
        "[-cham] [-d DATE] [-t DATE] [-r FILE] FILE...",
        "Update mtime of FILEs",
    ),
    applet(
        "tr",
        tr::main,
        "[-cds] STRING1 [STRING2]",
        "Translate, squeeze, or delete characters from stdin, writing to stdout",
    ),
    applet("true", true_false::true_main, "", "Return an exit code of TRUE (0)"),
    applet(
        "truncate",
        lines::truncate,
        "[-c] -s SIZE FILE...",
        "Truncate FILEs to SIZE",
    ),
    applet("tty", terminal::tty, "[-s]", "Print file name of stdin's terminal"),
    applet(
        "umount",
        mount::umount,
        "[-rlfda] [-t FSTYPE] FILESYSTEM|DIRECTORY...",
        "Unmount filesystems",
    ),
    applet("uname", hostname::uname, "[-amnrspvio]", "Print system information"),
    applet(
        "uniq",
        uniq::main,
        "[-cduiz] [-f,s,w N] [FILE [OUTFILE]]",
        "Discard duplicate lines",
    ),
    applet("unlink", rm::unlink, "FILE", "Delete FILE by calling unlink()"),
    applet(
        "unshare",
        nsenter::unshare,
        "[-muinpU] [-f] [-r] [--mount-proc[=DIR]] [PROG ARGS]",
        "Run PROG in new namespaces",
    ),
    applet("uptime", df::uptime, "", "Display the time since the last boot"),
    applet("usleep", sleep::usleep, "N", "Pause for N microseconds"),
    applet("watch", run::watch, "[-n SEC] [-t] PROG ARGS", "Run PROG periodically"),
    applet(
        "wc",
        wc::main,
        "[-clwmL] [FILE]...",
        "Count lines, words, and bytes for FILEs (or stdin)",
    ),
    applet(
        "wget",
        wget::main,
        "[-cqS] [--spider] [-O FILE] [-T SEC] [--header STR] [--post-data STR | --post-file FILE] [-P DIR] [-U AGENT] URL...",
        "Retrieve files via HTTP",
    ),
    applet("which", which::main, "[-a] COMMAND...", "Locate COMMAND"),
    applet(
        "whoami",
        id::whoami,
        "",
        "Print the user name associated with the current effective user id",
    ),
    applet(
        "xargs",
        xargs::main,
        "[OPTIONS] [PROG ARGS]",
        "Run PROG on every item given by stdin\n\n\t-0\tNUL terminated input\n\t-a FILE\tRead from FILE instead of stdin\n\t-r\tDon't run command if input is empty\n\t-t\tPrint the command on stderr before execution\n\t-E STR\tSTR stops input processing\n\t-I STR\tReplace STR within PROG ARGS with input line\n\t-n N\tPass no more than N args to PROG\n\t-P N\tRun up to N PROGs in parallel",
    ),
    applet(
        "xxd",
        dump::xxd,
        "[-p] [-l LEN] [-s OFS] [FILE]",
        "Hex dump FILE (or stdin)",
    ),
    applet(
        "yes",
        seq::yes,
        "[STRING]",
        "Repeatedly print a line with STRING, or 'y'",
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
