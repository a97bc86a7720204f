//! A pipe holds 64 KiB; writes of up to PIPE_BUF (4096) bytes come whole or not at all, longer ones in parts.

use conformance::*;
use podsim_guest::*;

const PIPE_BUF: usize = 4096;
const CAPACITY: usize = 65_536;
/// What each of the two writers writes, and how often.
const RECORD: usize = 512;
const RECORDS: usize = 200;

fn main() {
    conformance(|| {
        if let Some(letter) = argument() {
            let record = letter.repeat(RECORD);
            for _ in 0..RECORDS {
                expect("a record", write(Fd::STDOUT, record.as_bytes()), Ok(RECORD))?;
            }
            return Ok(());
        }
        let (reader, writer) = must("pipe", pipe(OpenFlags::NONBLOCK | OpenFlags::CLOEXEC))?;
        let data = vec![b'x'; 2 * CAPACITY];
        let mut buf = vec![0; 2 * CAPACITY];
        expect("a long write takes what fits", write(writer, &data), Ok(CAPACITY))?;
        expect("a full pipe", write(writer, b"x"), Err(Errno::EAGAIN))?;
        expect("make room", read(reader, &mut buf[..PIPE_BUF]), Ok(PIPE_BUF))?;
        expect("a part", write(writer, &data[..2 * PIPE_BUF]), Ok(PIPE_BUF))?;
        expect("read all", read(reader, &mut buf), Ok(CAPACITY))?;

        let most = CAPACITY - 96;
        expect("leave room for 96", write(writer, &data[..most]), Ok(most))?;
        expect("97 are not cut", write(writer, &data[..97]), Err(Errno::EAGAIN))?;
        expect("96 fit", write(writer, &data[..96]), Ok(96))?;

        let (reader, writer) = must("pipe", pipe(OpenFlags::CLOEXEC))?;
        let mut writers = Vec::new();
        for letter in ["a", "b"] {
            let out = FdAction::Dup2 {
                from: writer,
                to: Fd::STDOUT,
            };
            let request = SpawnRequest {
                fd_actions: vec![out],
                ..self_request(&[letter])
            };
            writers.push(must("spawn", spawn(request))?);
        }
        must("close", close(writer))?;
        let all = must("read to the end", read_to_end(reader))?;
        expect("every byte has come", all.len(), 2 * RECORDS * RECORD)?;
        let whole = all
            .chunks(RECORD)
            .all(|record| record.iter().all(|byte| *byte == record[0]));
        expect("no record is torn", whole, true)?;
        expect(
            "half of them a",
            all.iter().filter(|byte| **byte == b'a').count(),
            RECORDS * RECORD,
        )?;
        writers.into_iter().try_for_each(join)
    })
}
