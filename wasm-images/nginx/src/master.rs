//! The master process: opens sockets and logs, keeps the workers running, and does what signals ask for.

use crate::config::{Config, Level, Place};
use crate::errorlog::{ErrorLog, say};
use crate::inherit::{Inherited, VARIABLE};
use crate::signals::{self, Asked};
use busybox::util::child;
use podsim_guest as sys;
use podsim_sys::{
    Fd, FdAction, Mode, Pid, Resource, SigMaskHow, SigSet, Signal, SpawnRequest, WaitOptions, WaitStatus, WaitTarget,
};

/// The hidden first argument of a worker.
pub(crate) const WORKER: &str = "--worker-process";

struct Child {
    pid: Pid,
    /// Told to end: will not be replaced.
    leaving: bool,
}

struct Master {
    place: Place,
    config: Config,
    inherited: Inherited,
    log: ErrorLog,
    children: Vec<Child>,
}

/// Opens what the configuration names. The error has been told.
pub(crate) fn open(config: &Config, inherited: &mut Inherited) -> Result<ErrorLog, ()> {
    let tell = |message: &str, log: &ErrorLog| {
        log.write(Level::Emerg, message);
        say(Level::Emerg, message);
    };
    if let Err(message) = inherited.prepare(config) {
        tell(
            &message,
            &ErrorLog {
                fd: Fd::STDERR,
                level: config.error_level,
            },
        );
        return Err(());
    }
    let fd = inherited.log(&config.error_log).unwrap_or(Fd::STDERR);
    Ok(ErrorLog {
        fd,
        level: config.error_level,
    })
}

/// The master's life; returns the exit code.
pub(crate) fn main(place: Place, config: Config, argv: &[String]) -> i32 {
    let mut inherited = Inherited::from_text(&child::variable(VARIABLE).unwrap_or_default());
    let Ok(log) = open(&config, &mut inherited) else {
        return 1;
    };
    let pid = sys::getpid();
    if let Err(error) = busybox::util::files::write_file(&config.pid_file, format!("{pid}\n").as_bytes(), Mode(0o644)) {
        let message = format!("open() \"{}\" failed ({}: {error})", config.pid_file, error.0);
        log.write(Level::Emerg, &message);
        say(Level::Emerg, &message);
        return 1;
    }
    sys::set_title(&format!("nginx: master process {}", argv.join(" ")));
    log.notice("using the \"poll\" event method");
    log.notice(&format!("nginx/{}", crate::response::VERSION));
    let uts = sys::uname();
    log.notice(&format!("OS: {} {}", uts.sysname, uts.release));
    let files = sys::getrlimit(Resource::Nofile);
    let limit = |value: Option<u64>| value.map_or("unlimited".to_owned(), |number| number.to_string());
    log.notice(&format!(
        "getrlimit(RLIMIT_NOFILE): {}:{}",
        limit(files.soft),
        limit(files.hard)
    ));
    let handled = [
        Signal::CHLD,
        Signal::TERM,
        Signal::INT,
        Signal::QUIT,
        Signal::HUP,
        Signal::USR1,
    ];
    // Blocked except while the master waits: nothing comes between a look and the wait.
    sys::sigprocmask(Some((SigMaskHow::Block, handled.into_iter().collect())));
    for signal in handled {
        if let Err(error) = signals::catch(signal) {
            log.write(Level::Emerg, &format!("sigaction() failed ({}: {error})", error.0));
            return 1;
        }
    }
    let _ = sys::ignore_signal(Signal::PIPE);
    Master {
        place,
        config,
        inherited,
        log,
        children: Vec::new(),
    }
    .run()
}

impl Master {
    fn run(mut self) -> i32 {
        self.start_workers();
        let mut ending = false;
        loop {
            sys::sigsuspend(SigSet::EMPTY);
            while let Some((asked, signal)) = signals::take_signal() {
                let received = format!("signal {} (SIG{}) received", signal.number(), signal.name());
                match asked {
                    Asked::Child => self.collect(ending, &received),
                    Asked::Terminate => {
                        self.log.notice(&format!("{received}, exiting"));
                        ending = true;
                        self.tell_workers(Signal::TERM);
                    }
                    Asked::Quit => {
                        self.log.notice(&format!("{received}, shutting down"));
                        ending = true;
                        for (_, fd) in std::mem::take(&mut self.inherited.sockets) {
                            let _ = sys::close(fd);
                        }
                        self.tell_workers(Signal::QUIT);
                    }
                    Asked::Reload if ending => {}
                    Asked::Reload => {
                        self.log.notice(&format!("{received}, reconfiguring"));
                        self.reload();
                    }
                    Asked::Reopen => {
                        self.log.notice(&format!("{received}, reopening logs"));
                        self.log.notice("reopening logs");
                        self.inherited.reopen_logs();
                        for child in &self.children {
                            let _ = sys::kill(child.pid, Some(Signal::USR1));
                        }
                    }
                }
            }
            if ending && self.children.is_empty() {
                let _ = sys::unlinkat(Fd::CWD, &self.config.pid_file, false);
                self.log.notice("exit");
                return 0;
            }
        }
    }

    fn start_workers(&mut self) {
        self.log.notice("start worker processes");
        for _ in 0..self.config.workers {
            self.start_worker();
        }
    }

    fn start_worker(&mut self) {
        let mut argv = vec!["nginx".to_owned(), WORKER.to_owned()];
        argv.extend([
            "-c".to_owned(),
            self.place.file.clone(),
            "-p".to_owned(),
            self.place.prefix.clone(),
        ]);
        argv.extend(["-e".to_owned(), self.place.error_log.clone()]);
        if !self.place.directives.is_empty() {
            argv.extend(["-g".to_owned(), self.place.directives.clone()]);
        }
        match spawn(argv, &self.inherited, false) {
            Ok(pid) => {
                self.log.notice(&format!("start worker process {pid}"));
                self.children.push(Child { pid, leaving: false });
            }
            Err(error) => {
                self.log.write(
                    Level::Alert,
                    &format!("spawning a worker process failed ({}: {error})", error.0),
                );
            }
        }
    }

    fn tell_workers(&mut self, signal: Signal) {
        for child in &mut self.children {
            child.leaving = true;
            let _ = sys::kill(child.pid, Some(signal));
        }
    }

    /// Collects ended children, and replaces workers that were not told to end. Orphans come here too, for process 1.
    fn collect(&mut self, ending: bool, received: &str) {
        while let Ok(Some((pid, status))) = sys::wait(WaitTarget::Any, WaitOptions::NOHANG) {
            self.log.notice(&format!("{received} from {pid}"));
            let Some(at) = self.children.iter().position(|child| child.pid == pid) else {
                self.log.notice(&format!("unknown process {pid} {}", how(status)));
                continue;
            };
            let child = self.children.swap_remove(at);
            let level = if matches!(status, WaitStatus::Signaled(_)) {
                Level::Alert
            } else {
                Level::Notice
            };
            self.log.write(level, &format!("worker process {pid} {}", how(status)));
            if child.leaving || ending {
                continue;
            }
            if status == WaitStatus::Exited(2) {
                self.log.write(
                    Level::Alert,
                    &format!("worker process {pid} exited with fatal code 2 and cannot be respawned"),
                );
                continue;
            }
            self.start_worker();
        }
    }

    fn reload(&mut self) {
        self.log.notice("reconfiguring");
        let config = match crate::config::load(&self.place) {
            Ok(config) => config,
            Err(message) => return self.log.write(Level::Emerg, &message),
        };
        if let Err(message) = self.inherited.prepare(&config) {
            return self.log.write(Level::Emerg, &message);
        }
        self.config = config;
        self.log = ErrorLog {
            fd: self.inherited.log(&self.config.error_log).unwrap_or(Fd::STDERR),
            level: self.config.error_level,
        };
        let old: Vec<Pid> = self.children.iter().map(|child| child.pid).collect();
        self.start_workers();
        for child in self.children.iter_mut().filter(|child| old.contains(&child.pid)) {
            child.leaving = true;
            let _ = sys::kill(child.pid, Some(Signal::QUIT));
        }
    }
}

fn how(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(code) => format!("exited with code {code}"),
        WaitStatus::Signaled(signal) => format!("exited on signal {}", signal.number()),
        WaitStatus::Stopped(_) | WaitStatus::Continued => "changed its state".to_owned(),
    }
}

/// Starts this program again, with the inherited descriptors open in it.
pub(crate) fn spawn(argv: Vec<String>, inherited: &Inherited, daemon: bool) -> Result<Pid, podsim_sys::Errno> {
    let mut environ = child::environ();
    environ.retain(|pair| !pair.starts_with(&format!("{VARIABLE}=")));
    environ.push(format!("{VARIABLE}={}", inherited.to_text()));
    // Duplicating a descriptor onto itself keeps it open in the child.
    let mut fd_actions: Vec<FdAction> = inherited.fds().map(|fd| FdAction::Dup2 { from: fd, to: fd }).collect();
    if daemon {
        for fd in [Fd::STDIN, Fd::STDOUT] {
            let path = "/dev/null".to_owned();
            fd_actions.push(FdAction::Open {
                fd,
                path,
                flags: podsim_sys::OpenFlags::RDWR,
                mode: Mode(0),
            });
        }
    }
    sys::spawn(SpawnRequest {
        path: sys::readlinkat(Fd::CWD, "/proc/self/exe").unwrap_or_else(|_| "/usr/sbin/nginx".to_owned()),
        argv,
        envp: environ,
        fd_actions,
        new_session: daemon,
        signal_mask: Some(SigSet::EMPTY),
        ..SpawnRequest::default()
    })
}
