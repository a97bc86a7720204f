//! `stat`.

use crate::complain;
use crate::util::clock::Date;
use crate::util::files::{lstat, read_link, stat};
use crate::util::{Out, mode, parse, show_usage, users::Users};
use podsim_guest as sys;
use podsim_sys::{FileType, Stat, StatFs};
use std::time::Duration;

/// `stat [-ltfL] [-c FMT] FILE...`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(
        args,
        "ltfLc:",
        &[("format", 'c'), ("file-system", 'f'), ("dereference", 'L')],
    ) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("stat");
    }
    let users = Users::load();
    let mut out = Out::stdout();
    let mut code = 0;
    for path in &opts.args {
        let format = opts.value('c');
        if opts.has('f') {
            match sys::statfs(path) {
                Ok(found) => out.text(&filesystem(path, &found, format)),
                Err(error) => {
                    complain!("stat", "can't read file system information for '{path}': {error}");
                    code = 1;
                }
            }
            continue;
        }
        match if opts.has('L') || opts.has('l') {
            stat(path)
        } else {
            lstat(path)
        } {
            Ok(found) => {
                let default = if opts.has('t') {
                    "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %o"
                } else {
                    long_format(&found)
                };
                let mut text = expand(format.unwrap_or(default), |c| field(c, path, &found, &users));
                text.push('\n');
                out.text(&text);
            }
            Err(error) => {
                out.flush();
                complain!("stat", "can't stat '{path}': {error}");
                code = 1;
            }
        }
    }
    out.finish("stat", code)
}

fn long_format(found: &Stat) -> &'static str {
    if matches!(found.file_type, FileType::CharDevice | FileType::BlockDevice) {
        "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n\
         Device: %Dh/%dd\tInode: %-10i  Links: %-5h Device type: %t,%T\n\
         Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z"
    } else {
        "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n\
         Device: %Dh/%dd\tInode: %-10i  Links: %h\n\
         Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z"
    }
}

/// Replaces `%[-0][WIDTH][.PREC]X`.
fn expand(format: &str, value: impl Fn(char) -> Option<String>) -> String {
    let mut text = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let mut spec = String::new();
        while let Some(c) = chars.peek().filter(|c| c.is_ascii_digit() || "-#+ .".contains(**c)) {
            spec.push(*c);
            chars.next();
        }
        let Some(conversion) = chars.next() else {
            text.push('%');
            break;
        };
        if conversion == '%' {
            text.push('%');
            continue;
        }
        let value = value(conversion).unwrap_or_else(|| "?".to_owned());
        let left = spec.contains('-');
        let numbers = spec.trim_start_matches(['-', '#', '+', ' ']);
        let (width, _) = numbers.split_once('.').unwrap_or((numbers, ""));
        let zero = width.starts_with('0') && !left;
        let width: usize = width.parse().unwrap_or(0).min(4096);
        match (left, zero) {
            (true, _) => text.push_str(&format!("{value:<width$}")),
            (_, true) => text.push_str(&format!("{value:0>width$}")),
            _ => text.push_str(&format!("{value:>width$}")),
        }
    }
    text
}

fn field(conversion: char, path: &str, found: &Stat, users: &Users) -> Option<String> {
    let seconds = |time: Duration| time.as_secs().to_string();
    let human = |time: Duration| Date::from_epoch(time).format("%Y-%m-%d %H:%M:%S.%N %z");
    let raw = (found.file_type as u32) << 12 | u32::from(found.mode.0);
    Some(match conversion {
        'a' => format!("{:o}", found.mode.0),
        'A' => mode::to_text(found.file_type, found.mode),
        'b' => found.blocks.to_string(),
        'B' => "512".to_owned(),
        'd' => found.dev.to_u64().to_string(),
        'D' => format!("{:x}", found.dev.to_u64()),
        'f' => format!("{raw:x}"),
        'F' => kind(found).to_owned(),
        'g' => found.gid.to_string(),
        'G' => users.group_by_gid(found.gid).unwrap_or("UNKNOWN").to_owned(),
        'h' => found.nlink.to_string(),
        'i' => found.ino.to_string(),
        'n' => path.to_owned(),
        'N' if found.file_type == FileType::Symlink => format!("'{path}' -> '{}'", read_link(path).unwrap_or_default()),
        'N' => path.to_owned(),
        'o' => "4096".to_owned(),
        's' => found.size.to_string(),
        't' => format!("{:x}", found.rdev.major),
        'T' => format!("{:x}", found.rdev.minor),
        'u' => found.uid.to_string(),
        'U' => users.by_uid(found.uid).map_or("UNKNOWN", |user| &user.name).to_owned(),
        'x' => human(found.atime),
        'X' => seconds(found.atime),
        'y' => human(found.mtime),
        'Y' => seconds(found.mtime),
        'z' => human(found.ctime),
        'Z' => seconds(found.ctime),
        _ => return None,
    })
}

fn kind(found: &Stat) -> &'static str {
    match found.file_type {
        FileType::Regular if found.size == 0 => "regular empty file",
        FileType::Regular => "regular file",
        FileType::Directory => "directory",
        FileType::Symlink => "symbolic link",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharDevice => "character special file",
        FileType::BlockDevice => "block special file",
    }
}

fn filesystem(path: &str, found: &StatFs, format: Option<&str>) -> String {
    let name = match found.magic {
        0xef53 => "ext2/ext3",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlayfs",
        0x9fa0 => "proc",
        0x6265_6572 => "sysfs",
        0x1cd1 => "devpts",
        0x6367_7270 => "cgroup2fs",
        0x1980_0202 => "mqueue",
        _ => "UNKNOWN",
    };
    let field = |conversion| {
        Some(match conversion {
            'a' | 'f' => found.blocks_free.to_string(),
            'b' => found.blocks.to_string(),
            'c' => found.files.to_string(),
            'd' => found.files_free.to_string(),
            'i' => "0".to_owned(),
            'l' => "255".to_owned(),
            'n' => path.to_owned(),
            's' | 'S' => found.block_size.to_string(),
            't' => format!("{:x}", found.magic),
            'T' => name.to_owned(),
            _ => return None,
        })
    };
    let default = "  File: \"%n\"\n    ID: %-8i Namelen: %-7l Type: %T\nBlock size: %-10s\n\
                   Blocks: Total: %-10b Free: %-10f Available: %a\nInodes: Total: %-10c Free: %d";
    let mut text = expand(format.unwrap_or(default), field);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn fields_get_their_widths() {
        let value = |c| (c == 'a').then(|| "7".to_owned());
        assert_eq!(expand("%a|%04a|%-3a|%3a|%%|%q", value), "7|0007|7  |  7|%|?");
    }
}
