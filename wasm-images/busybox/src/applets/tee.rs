//! `tee`.

use crate::complain;
use crate::util::files::{Input, write_all};
use crate::util::parse;
use podsim_guest as sys;
use podsim_sys::{Fd, Mode, OpenFlags, Signal};

/// `tee [-ai] [FILE]...`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "ai", &[("append", 'a')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.has('i') {
        let _ = sys::ignore_signal(Signal::INT);
    }
    let mode = if opts.has('a') {
        OpenFlags::APPEND
    } else {
        OpenFlags::TRUNC
    };
    let mut outputs = vec![("standard output".to_owned(), Fd::STDOUT)];
    let mut code = 0;
    for name in &opts.args {
        match sys::openat(
            Fd::CWD,
            name,
            OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::CLOEXEC | mode,
            Mode(0o666),
        ) {
            Ok(fd) => outputs.push((name.clone(), fd)),
            Err(error) => {
                complain!("tee", "{name}: {error}");
                code = 1;
            }
        }
    }
    let mut input = Input::stdin();
    let mut buffer = [0; 8192];
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => return code,
            Ok(count) => count,
            Err(error) => {
                complain!("tee", "read error: {error}");
                return 1;
            }
        };
        outputs.retain(
            |(name, fd)| match write_all(*fd, buffer.get(..count).unwrap_or_default()) {
                Ok(()) => true,
                Err(error) => {
                    complain!("tee", "{name}: {error}");
                    code = 1;
                    false
                }
            },
        );
        if outputs.is_empty() {
            return 1;
        }
    }
}
