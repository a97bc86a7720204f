//! Files and directories, without the standard library's detour: its paths know no current directory on WASI.

use podsim_guest as sys;
use podsim_sys::{DirEntry, Errno, Fd, FileType, Mode, OpenFlags, Result, Stat};

/// An open file that is closed in the end; standard input stays open.
pub struct Input {
    fd: Fd,
    owned: bool,
    buffer: Vec<u8>,
    start: usize,
}

impl Drop for Input {
    fn drop(&mut self) {
        if self.owned {
            let _ = sys::close(self.fd);
        }
    }
}

/// Opens a file for reading; `-` is standard input.
pub fn open_input(path: &str) -> Result<Input> {
    if path == "-" {
        Ok(Input::stdin())
    } else {
        Input::open(path)
    }
}

impl Input {
    /// Standard input.
    #[must_use]
    pub fn stdin() -> Self {
        Self {
            fd: Fd::STDIN,
            owned: false,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// Opens a file.
    pub fn open(path: &str) -> Result<Self> {
        let fd = sys::openat(Fd::CWD, path, OpenFlags::CLOEXEC, Mode(0))?;
        Ok(Self {
            fd,
            owned: true,
            buffer: Vec::new(),
            start: 0,
        })
    }

    /// A descriptor that is closed in the end.
    #[must_use]
    pub fn from_fd(fd: Fd) -> Self {
        Self {
            fd,
            owned: true,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// The descriptor.
    #[must_use]
    pub fn fd(&self) -> Fd {
        self.fd
    }

    /// Reads some bytes; 0 is the end. Bytes that a line read left over come first.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        if self.start < self.buffer.len() {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            let count = rest.len().min(buf.len());
            if let (Some(to), Some(from)) = (buf.get_mut(..count), rest.get(..count)) {
                to.copy_from_slice(from);
            }
            self.start += count;
            return Ok(count);
        }
        read_some(self.fd, buf)
    }

    /// Reads everything that is left.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut all = self.buffer.split_off(self.start.min(self.buffer.len()));
        self.buffer.clear();
        self.start = 0;
        let mut chunk = [0; 8192];
        loop {
            let count = read_some(self.fd, &mut chunk)?;
            if count == 0 {
                return Ok(all);
            }
            all.extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
    }

    /// Reads up to and with `end` (a line feed, or NUL); `None` is the end of the file.
    pub fn read_until(&mut self, end: u8) -> Result<Option<Vec<u8>>> {
        let mut searched = self.start;
        loop {
            let unsearched = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = unsearched.iter().position(|b| *b == end) {
                let stop = searched + at + 1;
                let line = self.buffer.get(self.start..stop).unwrap_or_default().to_vec();
                self.start = stop;
                return Ok(Some(line));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            searched = self.buffer.len();
            let mut chunk = [0; 8192];
            let count = read_some(self.fd, &mut chunk)?;
            if count == 0 {
                let rest = std::mem::take(&mut self.buffer);
                return Ok(if rest.is_empty() { None } else { Some(rest) });
            }
            self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
    }

    /// The next line, with its line feed if it has one.
    pub fn read_line(&mut self) -> Result<Option<Vec<u8>>> {
        self.read_until(b'\n')
    }
}

/// `read(2)`, again after a signal.
pub fn read_some(fd: Fd, buf: &mut [u8]) -> Result<usize> {
    loop {
        match sys::read(fd, buf) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// `write(2)` until all is written.
pub fn write_all(fd: Fd, bytes: &[u8]) -> Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match sys::write(fd, rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The content of a file.
pub fn read_file(path: &str) -> Result<Vec<u8>> {
    Input::open(path)?.read_to_end()
}

/// The content of a text file; bytes that are not UTF-8 are replaced.
pub fn read_text(path: &str) -> Result<String> {
    Ok(String::from_utf8_lossy(&read_file(path)?).into_owned())
}

/// Makes a file with this content, or replaces it.
pub fn write_file(path: &str, content: &[u8], mode: Mode) -> Result<()> {
    let fd = create(path, mode)?;
    let written = write_all(fd, content);
    sys::close(fd)?;
    written
}

/// Opens for writing: made, or cut to nothing.
pub fn create(path: &str, mode: Mode) -> Result<Fd> {
    let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::TRUNC | OpenFlags::CLOEXEC;
    sys::openat(Fd::CWD, path, flags, mode)
}

/// `stat(2)`.
pub fn stat(path: &str) -> Result<Stat> {
    sys::fstatat(Fd::CWD, path, true)
}

/// `lstat(2)`.
pub fn lstat(path: &str) -> Result<Stat> {
    sys::fstatat(Fd::CWD, path, false)
}

/// `readlink(2)`.
pub fn read_link(path: &str) -> Result<String> {
    sys::readlinkat(Fd::CWD, path)
}

/// Whether the path is a directory (through links).
#[must_use]
pub fn is_dir(path: &str) -> bool {
    stat(path).is_ok_and(|stat| stat.file_type == FileType::Directory)
}

/// The entries of a directory as they come, without `.` and `..`.
pub fn read_dir(path: &str) -> Result<Vec<DirEntry>> {
    let mut entries = read_dir_with_dots(path)?;
    entries.retain(|entry| entry.name != "." && entry.name != "..");
    Ok(entries)
}

/// The entries of a directory as they come.
pub fn read_dir_with_dots(path: &str) -> Result<Vec<DirEntry>> {
    let fd = sys::openat(Fd::CWD, path, OpenFlags::DIRECTORY | OpenFlags::CLOEXEC, Mode(0))?;
    let result = read_all_entries(fd);
    let _ = sys::close(fd);
    result
}

fn read_all_entries(fd: Fd) -> Result<Vec<DirEntry>> {
    let mut all: Vec<DirEntry> = Vec::new();
    loop {
        let start = all.last().map_or(0, |entry| entry.next);
        let some = sys::getdents(fd, start, 256)?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(some);
    }
}

/// The letter that `ls -l` and `find -type` have for a type.
#[must_use]
pub fn type_letter(file_type: FileType) -> char {
    match file_type {
        FileType::Fifo => 'p',
        FileType::CharDevice => 'c',
        FileType::Directory => 'd',
        FileType::BlockDevice => 'b',
        FileType::Regular => '-',
        FileType::Symlink => 'l',
        FileType::Socket => 's',
    }
}
