//! `xargs`.

use crate::complain;
use crate::util::files::Input;
use crate::util::{Opts, child, open_input, out::write_error, parse};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, FdAction, Mode, OpenFlags, Pid, WaitOptions, WaitStatus, WaitTarget};

/// `xargs [-0rtx] [-a FILE] [-E STR] [-I STR] [-n N] [-s N] [-P N] [PROG ARGS]`
pub fn main(args: &[String]) -> i32 {
    let longs = [
        ("null", '0'),
        ("no-run-if-empty", 'r'),
        ("max-args", 'n'),
        ("max-procs", 'P'),
        ("verbose", 't'),
        ("replace", 'I'),
    ];
    let opts = match parse(args, "+0rtpxa:E:e::I:n:s:P:L:", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    match run(&opts) {
        Ok(code) => code,
        Err(message) => {
            complain!("xargs", "{message}");
            1
        }
    }
}

struct Runner {
    verbose: bool,
    parallel: usize,
    running: Vec<Pid>,
    code: i32,
    /// A program ended in a way that stops everything.
    stop: bool,
}

fn run(opts: &Opts) -> Result<i32, String> {
    let number = |option: char, default: usize| match opts.value(option) {
        None => Ok(default),
        Some(text) => text.parse::<usize>().map_err(|_| format!("invalid number '{text}'")),
    };
    let most_args = number('n', number('L', usize::MAX)?)?.max(1);
    let most_bytes = number('s', 32 * 1024)?;
    let parallel = match number('P', 1)? {
        0 => 64,
        count => count,
    };
    let command = if opts.args.is_empty() {
        vec!["echo".to_owned()]
    } else {
        opts.args.clone()
    };
    let file = opts.value('a').unwrap_or("-");
    let mut input = open_input(file).map_err(|error| format!("can't open '{file}': {error}"))?;
    let items = read_items(&mut input, opts)?;
    let mut runner = Runner {
        verbose: opts.has('t'),
        parallel,
        running: Vec::new(),
        code: 0,
        stop: false,
    };
    if let Some(pattern) = opts.value('I') {
        for item in &items {
            runner.start(command.iter().map(|word| word.replace(pattern, item)).collect());
        }
        return Ok(runner.finish());
    }
    if items.is_empty() && !opts.has('r') {
        runner.start(command);
        return Ok(runner.finish());
    }
    let fixed: usize = command.iter().map(|word| word.len() + 1).sum();
    let mut rest = &items[..];
    while !rest.is_empty() && !runner.stop {
        let mut size = fixed;
        let mut count = 0;
        for item in rest.iter().take(most_args) {
            size += item.len() + 1;
            if size > most_bytes {
                break;
            }
            count += 1;
        }
        if count == 0 {
            return Err("argument line too long".to_owned());
        }
        let (now, later) = rest.split_at(count);
        runner.start(command.iter().chain(now).cloned().collect());
        rest = later;
    }
    Ok(runner.finish())
}

fn read_items(input: &mut Input, opts: &Opts) -> Result<Vec<String>, String> {
    let bytes = input.read_to_end().map_err(|error| format!("read error: {error}"))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut items = if opts.has('0') {
        text.split_terminator('\0').map(str::to_owned).collect()
    } else if opts.has('I') {
        text.lines()
            .map(|line| line.trim_start().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    } else {
        split_words(&text)?
    };
    if let Some(end) = opts.value('E').or_else(|| opts.value('e'))
        && let Some(at) = items.iter().position(|item: &String| item == end)
    {
        items.truncate(at);
    }
    Ok(items)
}

/// Words with quotes and backslashes, as `xargs` reads them.
fn split_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            quote @ ('"' | '\'') => {
                let current = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some(c) if c == quote => break,
                        None | Some('\n') => {
                            return Err(format!(
                                "unmatched {} quote",
                                if quote == '"' { "double" } else { "single" }
                            ));
                        }
                        Some(c) => current.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

impl Runner {
    fn start(&mut self, argv: Vec<String>) {
        if self.stop {
            return;
        }
        if self.verbose {
            write_error(&format!("{}\n", argv.join(" ")));
        }
        while self.running.len() >= self.parallel {
            self.wait();
        }
        let mut request = child::request(&argv, child::environ());
        // The list is not the programs' input.
        let flags = OpenFlags::empty();
        request.fd_actions = vec![FdAction::Open {
            fd: Fd::STDIN,
            path: "/dev/null".to_owned(),
            flags,
            mode: Mode(0),
        }];
        match sys::spawn(request) {
            Ok(pid) => self.running.push(pid),
            Err(error) => {
                complain!(
                    "xargs",
                    "can't execute '{}': {error}",
                    argv.first().map_or("", String::as_str)
                );
                self.code = if error == Errno::ENOENT { 127 } else { 126 };
                self.stop = true;
            }
        }
        if self.parallel == 1 {
            self.wait();
        }
    }

    fn wait(&mut self) {
        match sys::wait(WaitTarget::Any, WaitOptions::empty()) {
            Ok(Some((pid, status))) => {
                self.running.retain(|running| *running != pid);
                match status {
                    WaitStatus::Exited(0) => {}
                    WaitStatus::Exited(255) => {
                        complain!("xargs", "exited with status 255; aborting");
                        self.code = 124;
                        self.stop = true;
                    }
                    WaitStatus::Signaled(signal) => {
                        complain!("xargs", "terminated by signal {}", signal.number());
                        self.code = 125;
                        self.stop = true;
                    }
                    _ => self.code = 123,
                }
            }
            Ok(None) | Err(Errno::EINTR) => {}
            Err(_) => self.running.clear(),
        }
    }

    fn finish(mut self) -> i32 {
        while !self.running.is_empty() {
            self.wait();
        }
        self.code
    }
}

#[cfg(test)]
mod tests {
    use super::split_words;

    #[test]
    fn words_are_split_with_their_quotes() {
        let check = |text: &str, want: &[&str]| {
            let want: Vec<String> = want.iter().map(|w| (*w).to_owned()).collect();
            assert_eq!(split_words(text), Ok(want), "{text}");
        };
        check("a b\n c ", &["a", "b", "c"]);
        check("'a b' \"c d\"e f\\ g", &["a b", "c de", "f g"]);
        check("''", &[""]);
        assert_eq!(split_words("'a\n'"), Err("unmatched single quote".to_owned()));
    }
}
