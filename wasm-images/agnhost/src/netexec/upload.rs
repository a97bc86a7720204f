//! `/upload`: keeps a file under `/uploads`, to be run by `/shell`.

use crate::golang::{json, logf};
use crate::http::{Answer, Request};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, Mode, OpenFlags, Result};

const FOLDER: &str = "/uploads";

pub(super) fn answer(request: &Request) -> Answer {
    logf!("GET /upload");
    let failed = |message: &str, detail: String| {
        logf!("{detail}");
        Answer::text(200, format!("{{\"error\":{}}}", json(message)))
    };
    let content = match request.file("file") {
        Ok(content) => content,
        Err(why) => return failed("Unable to upload file.", format!("Unable to upload file: {why}")),
    };
    let (path, fd) = match create() {
        Ok(created) => created,
        Err(error) => {
            let detail = format!("Unable to open file for write: {}", crate::golang::errno(error));
            return failed("Unable to open file for write", detail);
        }
    };
    let written = sys::write_all(fd, content).and_then(|()| sys::fchmod(fd, Mode(0o700)));
    match written.and(sys::close(fd)) {
        Ok(()) => {
            logf!("Wrote upload to {path}");
            Answer::text(201, format!("{{\"output\":{}}}", json(&path)))
        }
        Err(error) => {
            let detail = format!("Unable to write file: {}", crate::golang::errno(error));
            failed("Unable to write file.", detail)
        }
    }
}

/// `os.CreateTemp`: a name with a number that is not taken.
fn create() -> Result<(String, Fd)> {
    let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::CLOEXEC;
    loop {
        let mut number = [0; 4];
        sys::getrandom(&mut number);
        let path = format!("{FOLDER}/upload{}", u32::from_le_bytes(number));
        match sys::openat(Fd::CWD, &path, flags, Mode(0o600)) {
            Err(Errno::EEXIST) => {}
            result => return result.map(|fd| (path, fd)),
        }
    }
}
