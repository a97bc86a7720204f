//! `md5sum`, `sha1sum`, `sha256sum`, `sha512sum` and `cksum`'s relatives.

use crate::util::digest::{Digest, Md5, Sha1, Sha256, Sha512};
use crate::util::{Input, Out, base_name, open_input, parse};
use crate::{complain, out};
use podsim_sys::Errno;

/// `md5sum [-c[sw]] [FILE]...`, and the same for the others by their names.
pub fn main(args: &[String]) -> i32 {
    let applet = base_name(args.first().map_or("md5sum", String::as_str)).to_owned();
    let opts = match parse(args, "csbtw", &[("check", 'c'), ("status", 's')]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    let names = if opts.args.is_empty() {
        vec!["-".to_owned()]
    } else {
        opts.args.clone()
    };
    let mut out = Out::stdout();
    let mut code = 0;
    for name in &names {
        if opts.has('c') {
            code |= check(&applet, name, opts.has('s'), &mut out);
            continue;
        }
        match open_input(name).and_then(|mut input| sum(&applet, &mut input)) {
            Ok(sum) => out!(out, "{sum}  {name}\n"),
            Err(error) => {
                out.flush();
                complain!(applet, "can't open '{name}': {error}");
                code = 1;
            }
        }
    }
    out.finish(&applet, code)
}

fn sum(applet: &str, input: &mut Input) -> Result<String, Errno> {
    match applet {
        "sha1sum" => hash(Sha1::default(), input),
        "sha256sum" => hash(Sha256::default(), input),
        "sha512sum" => hash(Sha512::default(), input),
        _ => hash(Md5::default(), input),
    }
}

fn hash(mut digest: impl Digest, input: &mut Input) -> Result<String, Errno> {
    let mut buffer = [0; 16384];
    loop {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            return Ok(digest.finish().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        digest.update(buffer.get(..count).unwrap_or_default());
    }
}

fn check(applet: &str, list: &str, silent: bool, out: &mut Out) -> i32 {
    let text = match open_input(list).and_then(|mut input| input.read_to_end()) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            complain!(applet, "can't open '{list}': {error}");
            return 1;
        }
    };
    let (mut total, mut failed) = (0, 0);
    for line in text.lines() {
        let Some((want, name)) = line.split_once("  ").or_else(|| line.split_once(" *")) else {
            continue;
        };
        total += 1;
        let got = open_input(name).and_then(|mut input| sum(applet, &mut input));
        let ok = got.is_ok_and(|got| got.eq_ignore_ascii_case(want));
        failed += i32::from(!ok);
        if !silent {
            out!(out, "{name}: {}\n", if ok { "OK" } else { "FAILED" });
        }
    }
    if total == 0 {
        complain!(applet, "'{list}': no checksums found");
        return 1;
    }
    if failed > 0 {
        out.flush();
        if !silent {
            complain!(applet, "WARNING: {failed} of {total} computed checksums did NOT match");
        }
        return 1;
    }
    0
}
