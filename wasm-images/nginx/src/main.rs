//! `nginx`: a web server for static files that looks, from outside, as nginx does: processes, signals, configuration,
//! pages and logs. (No proxying, no TLS, no modules: those directives are unknown to it.)
//!
//! * [`config`]: `nginx.conf`. * [`master`], [`worker`]: the two kinds of process; [`inherit`]: what one hands to the other.
//! * [`connection`]: one client; [`request`], [`route`], [`files`], [`response`]: what it asks for and gets.
//! * [`errorlog`], [`variables`]: what is written down. * [`signals`].

mod config;
mod connection;
mod errorlog;
mod files;
mod inherit;
mod master;
mod request;
mod response;
mod route;
mod signals;
mod variables;
mod worker;

use busybox::util::out::write_error;
use config::{Config, Level, Place};
use errorlog::{ErrorLog, say};
use inherit::Inherited;
use podsim_guest as sys;
use podsim_sys::{Errno, Pid, Signal};

const PREFIX: &str = "/etc/nginx/";
const CONF: &str = "/etc/nginx/nginx.conf";
const ERROR_LOG: &str = "/var/log/nginx/error.log";
/// The hidden first argument of a master that was started in the background.
const DAEMON: &str = "--daemon-process";

fn main() {
    sys::init();
    sys::exit(run(&sys::args()));
}

struct Call {
    place: Place,
    test: u32,
    quiet: bool,
    version: u32,
    help: bool,
    signal: Option<String>,
    worker: bool,
    in_background: bool,
}

fn run(args: &[String]) -> i32 {
    let call = match read(args) {
        Ok(call) => call,
        Err(message) => {
            write_error(&format!("nginx: {message}\n"));
            return 1;
        }
    };
    if call.version > 0 || call.help {
        write_error(&format!("nginx version: nginx/{}\n", response::VERSION));
        if call.version > 1 {
            write_error(
                "built for podsim (wasm32-wasip1)\nconfigure arguments: --prefix=/etc/nginx --sbin-path=/usr/sbin/nginx\n",
            );
        }
        if call.help {
            write_error(HELP);
        }
        return 0;
    }
    if call.worker {
        return worker::main(&call.place);
    }
    let config = match config::load(&call.place) {
        Ok(config) => config,
        Err(message) => {
            // Both to the log, which is stderr so far, and to the caller.
            if call.test == 0 {
                ErrorLog::early().write(Level::Emerg, &message);
            }
            say(Level::Emerg, &message);
            if call.test > 0 {
                write_error(&format!("nginx: configuration file {} test failed\n", call.place.file));
            }
            return 1;
        }
    };
    for warning in &config.warnings {
        say(Level::Warn, warning);
    }
    if call.test > 0 {
        if !call.quiet {
            let file = &call.place.file;
            write_error(&format!("nginx: the configuration file {file} syntax is ok\n"));
            write_error(&format!("nginx: configuration file {file} test is successful\n"));
        }
        return 0;
    }
    match call.signal {
        Some(signal) => send(&config, &signal),
        None if config.daemon && !call.in_background => daemon(&config, args),
        None => {
            let argv: Vec<String> = args.iter().filter(|arg| *arg != DAEMON).cloned().collect();
            master::main(call.place, config, &argv)
        }
    }
}

fn read(args: &[String]) -> Result<Call, String> {
    let mut call = Call {
        place: Place {
            file: CONF.to_owned(),
            prefix: PREFIX.to_owned(),
            directives: String::new(),
            error_log: ERROR_LOG.to_owned(),
        },
        test: 0,
        quiet: false,
        version: 0,
        help: false,
        signal: None,
        worker: false,
        in_background: false,
    };
    let mut rest = args.iter().skip(1);
    while let Some(arg) = rest.next() {
        if arg == master::WORKER || arg == DAEMON {
            call.worker |= arg == master::WORKER;
            call.in_background |= arg == DAEMON;
            continue;
        }
        let Some(letters) = arg.strip_prefix('-') else {
            return Err(format!("invalid option: \"{arg}\""));
        };
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let mut value = |what: &str| {
                let joined = std::mem::replace(&mut letters, "".chars()).as_str().to_owned();
                if !joined.is_empty() {
                    return Ok(joined);
                }
                rest.next()
                    .cloned()
                    .ok_or_else(|| format!("option \"-{letter}\" requires {what}"))
            };
            match letter {
                '?' | 'h' => call.help = true,
                'v' => call.version = call.version.max(1),
                'V' => call.version = 2,
                't' | 'T' => call.test += 1,
                'q' => call.quiet = true,
                'p' => {
                    let path = value("directory name")?;
                    call.place.prefix = if path.ends_with('/') { path } else { format!("{path}/") };
                }
                'c' => call.place.file = value("file name")?,
                'e' => call.place.error_log = value("file name")?,
                'g' => call.place.directives = value("parameter")?,
                's' => {
                    let signal = value("parameter")?;
                    if !["stop", "quit", "reopen", "reload"].contains(&signal.as_str()) {
                        return Err(format!("invalid option: \"-s {signal}\""));
                    }
                    call.signal = Some(signal);
                }
                other => return Err(format!("invalid option: \"{other}\"")),
            }
        }
    }
    if !call.place.file.starts_with('/') {
        call.place.file = format!("{}{}", call.place.prefix, call.place.file);
    }
    Ok(call)
}

/// `nginx -s SIGNAL`: to the process whose number is in the pid file.
fn send(config: &Config, signal: &str) -> i32 {
    ErrorLog::early().notice("signal process started");
    let error = |message: String| {
        ErrorLog::early().write(Level::Error, &message);
        say(Level::Error, &message);
        1
    };
    let file = &config.pid_file;
    let text = match busybox::util::files::read_text(file) {
        Ok(text) => text,
        Err(errno) => return error(format!("open() \"{file}\" failed ({}: {errno})", errno.0)),
    };
    let Some(pid) = text.trim().parse::<i32>().ok().filter(|pid| *pid > 0) else {
        return error(format!("invalid PID number \"{}\" in \"{file}\"", text.trim_end()));
    };
    let number = match signal {
        "stop" => Signal::TERM,
        "quit" => Signal::QUIT,
        "reload" => Signal::HUP,
        _ => Signal::USR1,
    };
    match sys::kill(Pid(pid), Some(number)) {
        Ok(()) => 0,
        Err(errno) => error(format!(
            "kill({pid}, {}) failed ({}: {errno})",
            number.number(),
            errno.0
        )),
    }
}

/// `daemon on`: opens everything, so that errors are told to the caller, and goes on in the background.
fn daemon(config: &Config, args: &[String]) -> i32 {
    let mut inherited = Inherited::default();
    if master::open(config, &mut inherited).is_err() {
        return 1;
    }
    let mut argv = args.to_vec();
    argv.insert(1.min(argv.len()), DAEMON.to_owned());
    match master::spawn(argv, &inherited, true) {
        Ok(_) => 0,
        Err(errno) => {
            say(
                Level::Alert,
                &format!("spawning the master process failed ({}: {errno})", errno.0),
            );
            i32::from(errno != Errno(0))
        }
    }
}

const HELP: &str = "Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]
             [-e filename] [-c filename] [-g directives]

Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t            : test configuration and exit
  -T            : test configuration and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
  -p prefix     : set prefix path (default: /etc/nginx/)
  -e filename   : set error log file (default: /var/log/nginx/error.log)
  -c filename   : set configuration file (default: /etc/nginx/nginx.conf)
  -g directives : set global directives out of configuration file

";
