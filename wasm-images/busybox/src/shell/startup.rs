//! The beginning and the end of a shell: command line, environment, start-up files.

use super::flow::{Flow, Status};
use super::lexer::{ParseError, Text};
use super::options::{Opt, Options};
use super::shell::Shell;
use super::sys::{self, Errno, Fd, Pid, Signal, Whence};
use super::{interactive, subshell, text};

const PATH: &str = "/sbin:/usr/sbin:/bin:/usr/bin";

/// What the command line says.
#[derive(Default)]
struct Arguments {
    command: bool,
    stdin: bool,
    login: bool,
    no_start_files: bool,
    /// What follows the options.
    operands: Vec<String>,
}

/// Runs the shell; gives the exit status.
pub(crate) fn main(argv: &[String]) -> i32 {
    if let Some((mut shell, node)) = subshell::take_over(argv) {
        let status = subshell::run(&mut shell, &node);
        shell.flush();
        return status;
    }
    let name = argv.first().map_or("sh", String::as_str);
    let base = name.rsplit('/').next().unwrap_or(name).trim_start_matches('-');
    let mut shell = Shell::new(argv.to_vec(), base == "bash");
    let arguments = match parse(&mut shell, argv) {
        Ok(arguments) => arguments,
        Err(status) => return status,
    };
    shell.import_environment();
    let result = start(&mut shell, arguments);
    let status = match result {
        Ok(status) | Err(Flow::Exit(status) | Flow::Return(status)) => status,
        Err(Flow::Error(status)) => status,
        Err(Flow::Break(_) | Flow::Continue(_)) => shell.status,
        Err(Flow::Interrupt) => 130,
    };
    let status = shell.run_exit_trap(status);
    shell.flush();
    shell.leave_job_control();
    status & 0xff
}

fn parse(shell: &mut Shell, argv: &[String]) -> Result<Arguments, i32> {
    let mut arguments = Arguments {
        login: argv.first().is_some_and(|name| name.starts_with('-')),
        ..Arguments::default()
    };
    let arg0 = shell.arg0.clone();
    let fail = |message: String| {
        let _ = sys::write_all(Fd::STDERR, format!("{arg0}: {message}\n").as_bytes());
        2
    };
    let mut rest = argv.get(1..).unwrap_or_default();
    while let Some((word, tail)) = rest.split_first() {
        match word.as_str() {
            "--" | "-" => {
                rest = tail;
                break;
            }
            "--login" => arguments.login = true,
            "--norc" | "--noprofile" | "--posix" | "--noediting" if shell.bash => arguments.no_start_files = true,
            _ => {
                let (on, letters) = match (word.strip_prefix('-'), word.strip_prefix('+')) {
                    (Some(letters), _) => (true, letters),
                    (_, Some(letters)) => (false, letters),
                    _ => break,
                };
                rest = tail;
                for letter in letters.chars() {
                    match letter {
                        'c' => arguments.command = on,
                        's' => arguments.stdin = on,
                        'l' => arguments.login = on,
                        'o' => {
                            let Some((name, tail)) = rest.split_first() else {
                                return Err(fail("-o requires an argument".into()));
                            };
                            rest = tail;
                            match Options::by_name(name) {
                                Some(option) => shell.options.set(option, on),
                                None if shell.bash => {}
                                None => {
                                    return Err(fail(format!("illegal option {}o {name}", if on { '-' } else { '+' })));
                                }
                            }
                        }
                        _ => match Options::by_letter(letter) {
                            Some(option) => shell.options.set(option, on),
                            None => return Err(fail(format!("illegal option -{letter}"))),
                        },
                    }
                }
                continue;
            }
        }
        rest = tail;
    }
    arguments.operands = rest.to_vec();
    if arguments.command && arguments.operands.is_empty() {
        return Err(fail("-c requires an argument".into()));
    }
    Ok(arguments)
}

fn start(shell: &mut Shell, arguments: Arguments) -> Status {
    let Arguments {
        command,
        stdin,
        login,
        no_start_files,
        mut operands,
    } = arguments;
    let from_stdin = !command && (stdin || operands.is_empty());
    if from_stdin && operands.is_empty() && sys::is_terminal(Fd::STDIN) && sys::is_terminal(Fd::STDERR) {
        shell.options.set(Opt::Interactive, true);
    }
    let mut script = None;
    if command {
        shell.options.set(Opt::Command, true);
        script = Some(operands.remove(0));
        if !operands.is_empty() {
            shell.arg0 = operands.remove(0);
        }
    } else if from_stdin {
        shell.options.set(Opt::Stdin, true);
    } else {
        let path = operands.remove(0);
        match sys::read_file(&path) {
            Ok(bytes) => script = Some(text::from_bytes(&bytes)),
            Err(errno) => {
                let (message, status) = match shell.bash {
                    true => (
                        format!("{}: {path}: {errno}\n", shell.arg0),
                        if errno == Errno::ENOENT { 127 } else { 126 },
                    ),
                    false => (format!("{}: can't open '{path}': {errno}\n", shell.arg0), 2),
                };
                shell.warn(&message);
                return Ok(status);
            }
        }
        shell.arg0.clone_from(&path);
        shell.command_name = Some(path);
    }
    shell.positional = operands;
    let interactive = shell.interactive();
    if interactive {
        shell.shield();
        shell.options.set(Opt::Monitor, true);
    }
    if shell.has(Opt::Monitor) {
        shell.set_job_control(true);
    }
    if !no_start_files {
        shell.read_start_files(login, interactive)?;
    }
    match script {
        Some(script) => {
            let line = u32::from(!command || shell.bash);
            let tail = !interactive;
            shell.run_text(&mut Text::whole(script, line), tail)
        }
        None if interactive => interactive::run(shell),
        None => shell.run_stdin(),
    }
}

impl Shell {
    /// Variables from the environment, and those that every shell has.
    fn import_environment(&mut self) {
        for (name, value) in std::env::vars_os() {
            let (Some(name), value) = (name.to_str(), value.to_string_lossy()) else {
                continue;
            };
            if !text::is_name(name) {
                self.vars.add_foreign(name, &value);
            } else if name != subshell::STATE_VARIABLE {
                // Nothing is read-only yet.
                let _ = self.vars.set(name, value.into_owned());
                self.vars.export(name, true);
            }
        }
        let level = self.vars.get("SHLVL").and_then(|v| v.parse::<u32>().ok()).unwrap_or(0);
        let defaults = [
            ("IFS", " \t\n".to_owned(), false, true),
            ("OPTIND", "1".to_owned(), false, true),
            ("PATH", PATH.to_owned(), true, false),
            (
                "PS1",
                if self.bash { "\\u@\\h:\\w\\$ " } else { "\\w \\$ " }.to_owned(),
                false,
                false,
            ),
            ("PS2", "> ".to_owned(), false, false),
            ("PS4", "+ ".to_owned(), false, false),
            ("SHLVL", level.saturating_add(1).to_string(), true, true),
        ];
        for (name, value, exported, always) in defaults {
            if always || self.vars.get(name).is_none() {
                let _ = self.vars.set(name, value);
                if exported {
                    self.vars.export(name, true);
                }
            }
        }
        if let Ok(cwd) = sys::getcwd() {
            let keep = match self.vars.get("PWD") {
                Some(pwd) if pwd == cwd => true,
                Some(pwd) if pwd.starts_with('/') => same_file(pwd, &cwd),
                _ => false,
            };
            if !keep {
                let _ = self.vars.set("PWD", cwd);
            }
            self.directory = self.vars.get("PWD").map(str::to_owned);
            self.vars.export("PWD", true);
        }
    }

    /// `/etc/profile`, `~/.profile`, `$ENV`; for bash `~/.bashrc`.
    fn read_start_files(&mut self, login: bool, interactive: bool) -> Result<(), Flow> {
        let mut files = Vec::new();
        let home = self.vars.get("HOME").unwrap_or("").to_owned();
        if login {
            files.push("/etc/profile".to_owned());
            files.push(format!("{home}/.profile"));
        }
        if interactive {
            if self.bash && !login {
                files.push(format!("{home}/.bashrc"));
            } else if let Some(env) = self.vars.get("ENV").map(str::to_owned) {
                files.push(self.expand_prompt_text(&env));
            }
        }
        for file in files.iter().filter(|f| !f.is_empty()) {
            let Ok(script) = sys::read_file(file) else { continue };
            let outer = self.command_name.replace(file.clone());
            self.source_depth += 1;
            let result = self.run_text(&mut Text::whole(text::from_bytes(&script), 1), false);
            self.source_depth -= 1;
            self.command_name = outer;
            match result {
                Err(flow @ Flow::Exit(_)) => return Err(flow),
                Err(flow @ Flow::Error(_)) if !interactive => return Err(flow),
                _ => {}
            }
        }
        Ok(())
    }

    /// Runs the commands on standard input, which the commands may read too: never more than a line is taken from it.
    fn run_stdin(&mut self) -> Status {
        let mut text = Text {
            line: 1,
            more: true,
            ..Text::default()
        };
        let seekable = sys::lseek(Fd::STDIN, 0, Whence::Current).is_ok();
        let mut status = 0;
        loop {
            match text.next_command(&self.aliases, self.bash) {
                Ok(Some(node)) => {
                    status = self.run(&node, false)?;
                }
                Ok(None) if !text.more => return Ok(status),
                Err(ParseError::Incomplete) | Ok(None) => match read_script_line(seekable) {
                    Some(line) => {
                        if self.has(Opt::Verbose) {
                            self.warn(&line);
                        }
                        text.push(&line);
                    }
                    None => text.more = false,
                },
                Err(error) => return Err(self.syntax_error(&error)),
            }
        }
    }

    /// `set -m`, `set +m`, and the start of an interactive shell.
    pub(crate) fn set_job_control(&mut self, on: bool) {
        self.options.set(Opt::Monitor, on);
        if !on {
            self.leave_job_control();
            self.shield_job_control();
            return;
        }
        if self.tty.is_some() || self.subshell {
            return;
        }
        match self.acquire_terminal() {
            Ok(()) => self.shield_job_control(),
            Err(_) => {
                self.options.set(Opt::Monitor, false);
                self.complain("can't access tty; job control turned off");
            }
        }
    }

    fn acquire_terminal(&mut self) -> Result<(), Errno> {
        let tty = match sys::open("/dev/tty", sys::OpenFlags::RDWR) {
            Ok(fd) => sys::move_high(fd)?,
            Err(_) => {
                let found = [Fd::STDERR, Fd::STDOUT, Fd::STDIN]
                    .into_iter()
                    .find(|fd| sys::is_terminal(*fd));
                sys::dup(found.ok_or(Errno::ENOTTY)?, Fd(10), true)?
            }
        };
        // Started in the background: wait to be brought to the foreground. A group that nobody can bring there
        // (an orphaned one) is not stopped by SIGTTIN; it must not spin.
        let own = sys::getpgid(Pid(0))?;
        let mut attempts = 0;
        loop {
            let foreground = sys::tcgetpgrp(tty)?;
            if foreground == own || foreground.0 <= 0 {
                break;
            }
            attempts += 1;
            if attempts > 3 {
                return Err(Errno::ENOTTY);
            }
            sys::kill(Pid(0), Some(Signal::TTIN))?;
        }
        self.initial_group = Some(own);
        self.tty = Some(tty);
        self.shield_job_control();
        let pid = sys::getpid();
        // A session leader leads its group already, and may not change it.
        let _ = sys::setpgid(Pid(0), pid);
        let group = sys::getpgid(Pid(0))?;
        sys::tcsetpgrp(tty, group)?;
        self.group = Some(group);
        Ok(())
    }

    /// Gives the terminal back to the group that had it before this shell.
    fn leave_job_control(&mut self) {
        let (Some(tty), Some(initial)) = (self.tty.take(), self.initial_group) else {
            return;
        };
        if self.group != Some(initial) {
            let _ = sys::tcsetpgrp(tty, initial);
            let _ = sys::setpgid(Pid(0), initial);
        }
        let _ = sys::close(tty);
    }
}

fn same_file(a: &str, b: &str) -> bool {
    match (sys::fstatat(Fd::CWD, a, true), sys::fstatat(Fd::CWD, b, true)) {
        (Ok(a), Ok(b)) => a.dev == b.dev && a.ino == b.ino,
        _ => false,
    }
}

/// The next line of standard input with its newline; `None` at the end.
fn read_script_line(seekable: bool) -> Option<String> {
    let mut bytes = Vec::new();
    let mut block = vec![0; if seekable { 1024 } else { 1 }];
    loop {
        let len = match sys::read(Fd::STDIN, &mut block) {
            Err(Errno::EINTR) => continue,
            Ok(0) | Err(_) => break,
            Ok(len) => len,
        };
        let got = block.get(..len).unwrap_or_default();
        if let Some(end) = got.iter().position(|b| *b == b'\n') {
            bytes.extend_from_slice(got.get(..=end).unwrap_or_default());
            let extra = i64::try_from(len - end - 1).unwrap_or(0);
            if extra > 0 {
                let _ = sys::lseek(Fd::STDIN, -extra, Whence::Current);
            }
            break;
        }
        bytes.extend_from_slice(got);
    }
    (!bytes.is_empty()).then(|| text::from_bytes(&bytes))
}
