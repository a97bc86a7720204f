//! `std::io` over descriptors, and the way between error numbers: the calls of this crate fail with Linux's [`Errno`],
//! `std` with WASI's numbers inside `std::io::Error`.

use crate::{Errno, Fd, Result};
use std::io::{Error, Read, Write};

/// A descriptor as `Read` and `Write`. It is borrowed in spirit: dropping it does not close the file.
#[derive(Clone, Copy, Debug)]
pub struct FdFile(pub Fd);

impl Read for FdFile {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        crate::read(self.0, buf).map_err(io_error)
    }
}

impl Write for FdFile {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        crate::write(self.0, buf).map_err(io_error)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes everything; a write that a signal handler interrupted goes on.
pub fn write_all(fd: Fd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match crate::write(fd, bytes) {
            Ok(0) => return Err(Errno::EIO),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Reads to the end of the file; a read that a signal handler interrupted goes on.
pub fn read_to_end(fd: Fd) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        match crate::read(fd, &mut buffer) {
            Ok(0) => return Ok(all),
            Ok(n) => all.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The error number as `std` knows it.
pub fn io_error(errno: Errno) -> Error {
    Error::from_raw_os_error(errno.to_wasi().into())
}

/// The Linux error number of an error of `std` (EIO where it has none).
pub fn errno_of(error: &Error) -> Errno {
    match error.raw_os_error() {
        Some(number) => u16::try_from(number).map_or(Errno::EIO, Errno::from_wasi),
        None => match error.kind() {
            std::io::ErrorKind::NotFound => Errno::ENOENT,
            std::io::ErrorKind::InvalidInput => Errno::EINVAL,
            std::io::ErrorKind::Unsupported => Errno::ENOSYS,
            _ => Errno::EIO,
        },
    }
}
