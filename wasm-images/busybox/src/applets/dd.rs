//! `dd`.

use crate::complain;
use crate::util::files::{read_some, write_all};
use crate::util::{human, out::write_error};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, Mode, OpenFlags, Whence};

struct Plan {
    input: Option<String>,
    output: Option<String>,
    ibs: usize,
    obs: usize,
    count: Option<u64>,
    skip: u64,
    seek: u64,
    flags: Vec<String>,
    quiet: u8,
}

/// `dd [if=FILE] [of=FILE] [bs=N] [ibs=N] [obs=N] [count=N] [skip=N] [seek=N] [conv=LIST] [iflag=LIST] [oflag=LIST] [status=…]`
pub fn main(args: &[String]) -> i32 {
    let plan = match parse(args.get(1..).unwrap_or_default()) {
        Ok(plan) => plan,
        Err(message) => {
            complain!("dd", "{message}");
            return 1;
        }
    };
    match run(&plan) {
        Ok(()) => 0,
        Err(message) => {
            complain!("dd", "{message}");
            1
        }
    }
}

const MOST_BLOCK: u64 = 64 << 20;

fn parse(args: &[String]) -> Result<Plan, String> {
    let mut plan = Plan {
        input: None,
        output: None,
        ibs: 512,
        obs: 512,
        count: None,
        skip: 0,
        seek: 0,
        flags: Vec::new(),
        quiet: 0,
    };
    for arg in args {
        let Some((key, value)) = arg.split_once('=') else {
            return Err(format!("invalid argument '{arg}'"));
        };
        let number = || human::parse_size(value).ok_or_else(|| format!("invalid number '{value}'"));
        let size = || match number()? {
            size @ 1..=MOST_BLOCK => Ok(usize::try_from(size).unwrap_or(512)),
            _ => Err(format!("number {value} is not in 1..{MOST_BLOCK} range")),
        };
        match key {
            "if" => plan.input = Some(value.to_owned()),
            "of" => plan.output = Some(value.to_owned()),
            "bs" => {
                plan.ibs = size()?;
                plan.obs = plan.ibs;
            }
            "ibs" => plan.ibs = size()?,
            "obs" => plan.obs = size()?,
            "count" => plan.count = Some(number()?),
            "skip" => plan.skip = number()?,
            "seek" => plan.seek = number()?,
            "conv" | "iflag" | "oflag" => plan.flags.extend(value.split(',').map(str::to_owned)),
            "status" => {
                plan.quiet = match value {
                    "none" => 2,
                    "noxfer" => 1,
                    _ => return Err(format!("invalid argument '{arg}'")),
                }
            }
            _ => return Err(format!("invalid argument '{arg}'")),
        }
    }
    let known = [
        "notrunc",
        "noerror",
        "sync",
        "fsync",
        "swab",
        "skip_bytes",
        "count_bytes",
        "seek_bytes",
        "fullblock",
        "append",
        "direct",
    ];
    match plan.flags.iter().find(|flag| !known.contains(&flag.as_str())) {
        Some(flag) => Err(format!("invalid argument '{flag}' to 'conv'")),
        None => Ok(plan),
    }
}

impl Plan {
    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }
}

fn run(plan: &Plan) -> Result<(), String> {
    let opened = |path: &str, flags: OpenFlags| {
        sys::openat(Fd::CWD, path, flags | OpenFlags::CLOEXEC, Mode(0o666))
            .map_err(|error| format!("can't open '{path}': {error}"))
    };
    let input = plan
        .input
        .as_deref()
        .map_or(Ok(Fd::STDIN), |path| opened(path, OpenFlags::empty()))?;
    let mut flags = OpenFlags::WRONLY | OpenFlags::CREAT;
    if plan.has("append") {
        flags |= OpenFlags::APPEND;
    } else if !plan.has("notrunc") && plan.seek == 0 {
        flags |= OpenFlags::TRUNC;
    }
    let output = plan
        .output
        .as_deref()
        .map_or(Ok(Fd::STDOUT), |path| opened(path, flags))?;
    let output_name = plan.output.as_deref().unwrap_or("standard output");
    let wrong = |what: &str, error: Errno| format!("{what}: {error}");
    skip_input(plan, input).map_err(|error| wrong("skip", error))?;
    if plan.seek > 0 {
        let at = if plan.has("seek_bytes") {
            plan.seek
        } else {
            plan.seek.saturating_mul(plan.obs as u64)
        };
        if !plan.has("notrunc") {
            // What lies behind the place is cut off, as if it were written anew.
            let _ = sys::ftruncate(output, at);
        }
        sys::lseek(output, i64::try_from(at).unwrap_or(i64::MAX), Whence::Set)
            .map_err(|error| wrong(output_name, error))?;
    }
    let start = sys::clock_monotonic();
    let (mut full_in, mut part_in, mut full_out, mut part_out, mut total) = (0u64, 0u64, 0u64, 0u64, 0u64);
    let mut pending: Vec<u8> = Vec::new();
    let mut left = plan.count.map(|count| {
        if plan.has("count_bytes") {
            count
        } else {
            count.saturating_mul(plan.ibs as u64)
        }
    });
    let mut blocks = plan.count.filter(|_| !plan.has("count_bytes"));
    let mut result = Ok(());
    while left != Some(0) && blocks != Some(0) {
        let most = usize::try_from(left.unwrap_or(u64::MAX))
            .unwrap_or(usize::MAX)
            .min(plan.ibs);
        let mut block = vec![0; most];
        let mut filled = 0;
        loop {
            match read_some(input, block.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    if filled == most || !plan.has("fullblock") {
                        break;
                    }
                }
                Err(error) => {
                    let name = plan.input.as_deref().unwrap_or("standard input");
                    if !plan.has("noerror") {
                        result = Err(format!("{name}: {error}"));
                    }
                    break;
                }
            }
        }
        if filled == 0 || result.is_err() {
            break;
        }
        block.truncate(filled);
        if filled == plan.ibs {
            full_in += 1
        } else {
            part_in += 1
        }
        left = left.map(|left| left.saturating_sub(filled as u64));
        blocks = blocks.map(|blocks| blocks - 1);
        if plan.has("sync") {
            block.resize(plan.ibs, 0);
        }
        if plan.has("swab") {
            block.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        }
        total += block.len() as u64;
        let mut put = |bytes: &[u8]| {
            if bytes.len() == plan.obs {
                full_out += 1
            } else {
                part_out += 1
            }
            write_all(output, bytes).map_err(|error| format!("error writing '{output_name}': {error}"))
        };
        // With one block size, each block is written as it was read.
        let written = if plan.ibs == plan.obs {
            put(&block)
        } else {
            pending.append(&mut block);
            let whole = pending.len() / plan.obs * plan.obs;
            let ready: Vec<u8> = pending.drain(..whole).collect();
            ready.chunks(plan.obs).try_for_each(&mut put)
        };
        if let Err(message) = written {
            result = Err(message);
            break;
        }
    }
    if !pending.is_empty() && result.is_ok() {
        part_out += 1;
        result = write_all(output, &pending).map_err(|error| format!("error writing '{output_name}': {error}"));
    }
    if plan.has("fsync") {
        let _ = sys::fsync(output);
    }
    if plan.quiet < 2 {
        write_error(&format!(
            "{full_in}+{part_in} records in\n{full_out}+{part_out} records out\n"
        ));
    }
    if plan.quiet == 0 {
        let seconds = sys::clock_monotonic().saturating_sub(start).as_secs_f64().max(1e-6);
        let speed = human::counted((total as f64 / seconds) as u64)
            .replace("iB", "B")
            .replace(' ', "");
        write_error(&format!(
            "{total} bytes ({}) copied, {seconds:.6} seconds, {speed}/s\n",
            human::counted(total).replace("iB", "B").replace(' ', "")
        ));
    }
    result
}

fn skip_input(plan: &Plan, input: Fd) -> Result<(), Errno> {
    let bytes = if plan.has("skip_bytes") {
        plan.skip
    } else {
        plan.skip.saturating_mul(plan.ibs as u64)
    };
    if bytes == 0 || sys::lseek(input, i64::try_from(bytes).unwrap_or(i64::MAX), Whence::Current).is_ok() {
        return Ok(());
    }
    let mut left = bytes;
    let mut buffer = vec![0; plan.ibs];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match read_some(input, buffer.get_mut(..most).unwrap_or_default())? {
            0 => break,
            count => left -= count as u64,
        }
    }
    Ok(())
}
