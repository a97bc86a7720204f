//! `env` and `printenv`.

use crate::util::{Out, child, parse};
use podsim_guest as sys;

/// `env [-i0] [-u NAME]... [-] [NAME=VALUE]... [PROG ARGS]`
pub fn main(args: &[String]) -> i32 {
    let longs = [
        ("ignore-environment", 'i'),
        ("null", '0'),
        ("unset", 'u'),
        ("chdir", 'C'),
    ];
    let opts = match parse(args, "+i0u:C:", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let mut rest = &opts.args[..];
    let mut empty = opts.has('i');
    if let [first, tail @ ..] = rest
        && first == "-"
    {
        empty = true;
        rest = tail;
    }
    let mut environ = if empty { Vec::new() } else { child::environ() };
    for name in opts.values('u') {
        environ.retain(|pair| key(pair) != name);
    }
    while let [first, tail @ ..] = rest
        && first.contains('=')
    {
        match environ.iter_mut().find(|pair| key(pair) == key(first)) {
            Some(pair) => first.clone_into(pair),
            None => environ.push(first.clone()),
        }
        rest = tail;
    }
    if let Some(dir) = opts.value('C')
        && let Err(error) = sys::chdir(dir)
    {
        crate::complain!("env", "can't change directory to '{dir}': {error}");
        return 125;
    }
    if !rest.is_empty() {
        return child::exec("env", rest, environ);
    }
    let mut out = Out::stdout();
    for pair in environ {
        out.text(&pair);
        out.bytes(if opts.has('0') { b"\0" } else { b"\n" });
    }
    out.finish("env", 0)
}

fn key(pair: &str) -> &str {
    pair.split('=').next().unwrap_or(pair)
}

/// `printenv [VARIABLE]...`
pub fn printenv(args: &[String]) -> i32 {
    let environ = child::environ();
    let mut out = Out::stdout();
    let names = args.get(1..).unwrap_or_default();
    if names.is_empty() {
        environ.iter().for_each(|pair| out.line(pair));
        return out.finish("printenv", 0);
    }
    let mut code = 0;
    for name in names {
        match environ
            .iter()
            .find_map(|pair| pair.strip_prefix(name.as_str())?.strip_prefix('='))
        {
            Some(value) => out.line(value),
            None => code = 1,
        }
    }
    out.finish("printenv", code)
}
