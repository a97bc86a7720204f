//! O_APPEND: every write goes to the end, whatever the position and whoever else writes; even `pwrite`.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

const LINES: usize = 200;

fn append_lines(path: &str, letter: char) -> Outcome {
    let fd = must("open", open(path, OpenFlags::WRONLY | OpenFlags::APPEND))?;
    let line = format!("{}\n", letter.to_string().repeat(39));
    for _ in 0..LINES {
        expect("write", write(fd, line.as_bytes()), Ok(40))?;
        sched_yield();
    }
    Ok(())
}

fn main() {
    conformance(|| {
        if argument().is_some() {
            return append_lines("shared", 'b');
        }
        enter_directory("append")?;
        put("file", b"start")?;
        let fd = must("open", open("file", OpenFlags::RDWR | OpenFlags::APPEND))?;
        expect("the position at first", lseek(fd, 0, Whence::Current), Ok(0))?;
        must("write", write(fd, b"-one"))?;
        expect("the position after a write", lseek(fd, 0, Whence::Current), Ok(9))?;
        must("seek", lseek(fd, 0, Whence::Set))?;
        must("write", write(fd, b"-two"))?;
        must("pwrite", pwrite(fd, b"-three", 0))?;
        expect("all at the end", content("file"), Ok("start-one-two-three".to_owned()))?;
        must("F_SETFL", set_status_flags(fd, OpenFlags::empty()))?;
        must("seek", lseek(fd, 0, Whence::Set))?;
        must("write", write(fd, b"START"))?;
        expect("without APPEND", content("file"), Ok("START-one-two-three".to_owned()))?;

        put("shared", b"")?;
        let child = spawn_self("append")?;
        append_lines("shared", 'a')?;
        join(child)?;
        let all = must("read", content("shared"))?;
        let whole = |letter: char| {
            let line = letter.to_string().repeat(39);
            all.lines().filter(|l| *l == line).count()
        };
        expect("all lines are whole", (whole('a'), whole('b')), (LINES, LINES))
    })
}
