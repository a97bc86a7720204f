//! The content of a regular file: the bytes of an image layer until the first write, then pages.

use super::quota::{PAGE, Quota};
use bytes::Bytes;
use podsim_sys::{Errno, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The largest file in bytes (MAX_LFS_FILESIZE).
pub(super) const MAX_SIZE: u64 = i64::MAX as u64;

/// The content of a regular file.
pub(super) enum FileData {
    /// A file of an image layer, as it is there.
    Lower(Bytes),
    /// A file of its own.
    Pages(Pages),
}

/// Pages by number; what is not there is zeros. A page holds at most 4096 bytes, and less when its end has not been written.
pub(super) struct Pages {
    quota: Arc<Quota>,
    pages: BTreeMap<u64, Vec<u8>>,
    size: u64,
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.quota.give_back(self.pages.len() as u64);
    }
}

/// The part of a page that a range beginning at `position` covers: page number, offset in it, and length.
fn page_part(position: u64, length: usize) -> (u64, usize, usize) {
    let offset = usize::try_from(position % PAGE).unwrap_or(0);
    (position / PAGE, offset, length.min(PAGE as usize - offset))
}

impl Pages {
    pub(super) fn new(quota: &Arc<Quota>) -> Self {
        Self {
            quota: quota.clone(),
            pages: BTreeMap::new(),
            size: 0,
        }
    }

    fn read(&self, buf: &mut [u8], offset: u64) {
        let mut done = 0;
        while done < buf.len() {
            let (number, at, length) = page_part(offset + done as u64, buf.len() - done);
            let page = self.pages.get(&number).map_or(&[][..], Vec::as_slice);
            let there = page.get(at..).unwrap_or_default();
            let there = &there[..there.len().min(length)];
            let (data, zeros) = buf[done..done + length].split_at_mut(there.len());
            data.copy_from_slice(there);
            zeros.fill(0);
            done += length;
        }
    }

    /// Writes as much as there is room for; ENOSPC when that is nothing.
    fn write(&mut self, buf: &[u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            let (number, at, length) = page_part(offset + done as u64, buf.len() - done);
            let page = match self.pages.entry(number) {
                std::collections::btree_map::Entry::Occupied(page) => page.into_mut(),
                std::collections::btree_map::Entry::Vacant(free) => {
                    if self.quota.take(1).is_err() {
                        break;
                    }
                    free.insert(Vec::new())
                }
            };
            if page.len() < at + length {
                page.resize(at + length, 0);
            }
            page[at..at + length].copy_from_slice(&buf[done..done + length]);
            done += length;
            self.size = self.size.max(offset + done as u64);
        }
        if done == 0 && !buf.is_empty() {
            Err(Errno::ENOSPC)
        } else {
            Ok(done)
        }
    }

    fn truncate(&mut self, size: u64) {
        if size < self.size {
            let cut = self.pages.split_off(&size.div_ceil(PAGE));
            self.quota.give_back(cut.len() as u64);
            if let Some(page) = self.pages.get_mut(&(size / PAGE)) {
                page.truncate(usize::try_from(size % PAGE).unwrap_or(0));
            }
        }
        self.size = size;
    }

    /// Makes the pages of a range be there: all or none.
    fn allocate(&mut self, offset: u64, length: u64) -> Result<()> {
        let numbers = offset / PAGE..(offset + length).div_ceil(PAGE);
        let there = self.pages.range(numbers.clone()).count() as u64;
        self.quota.take((numbers.end - numbers.start).saturating_sub(there))?;
        for number in numbers {
            self.pages.entry(number).or_default();
        }
        self.size = self.size.max(offset + length);
        Ok(())
    }
}

impl FileData {
    pub(super) fn size(&self) -> u64 {
        match self {
            FileData::Lower(bytes) => bytes.len() as u64,
            FileData::Pages(pages) => pages.size,
        }
    }

    /// 512-byte blocks in use.
    pub(super) fn blocks(&self) -> u64 {
        let pages = match self {
            FileData::Lower(bytes) => (bytes.len() as u64).div_ceil(PAGE),
            FileData::Pages(pages) => pages.pages.len() as u64,
        };
        pages * (PAGE / 512)
    }

    pub(super) fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let left = self.size().saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let buf = &mut buf[..length];
        match self {
            FileData::Pages(pages) => pages.read(buf, offset),
            FileData::Lower(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                if let Some(data) = bytes.get(from..).and_then(|rest| rest.get(..length)) {
                    buf.copy_from_slice(data);
                }
            }
        }
        length
    }

    /// The pages, copied up from the layer if this is the first change.
    fn pages(&mut self, quota: &Arc<Quota>, keep: u64) -> Result<&mut Pages> {
        if let FileData::Lower(bytes) = self {
            let mut pages = Pages::new(quota);
            let keep = usize::try_from(keep).unwrap_or(usize::MAX).min(bytes.len());
            let data = bytes.get(..keep).unwrap_or_default();
            if pages.write(data, 0)? < data.len() {
                return Err(Errno::ENOSPC);
            }
            *self = FileData::Pages(pages);
        }
        match self {
            FileData::Pages(pages) => Ok(pages),
            FileData::Lower(_) => Err(Errno::EIO),
        }
    }

    /// Writes at a position, or at the end; returns the bytes written and the position after them.
    pub(super) fn write(&mut self, quota: &Arc<Quota>, buf: &[u8], offset: u64, append: bool) -> Result<(usize, u64)> {
        let offset = if append { self.size() } else { offset };
        if buf.is_empty() {
            return Ok((0, offset));
        }
        let room = MAX_SIZE
            .checked_sub(offset)
            .filter(|room| *room > 0)
            .ok_or(Errno::EFBIG)?;
        let length = usize::try_from(room).unwrap_or(usize::MAX).min(buf.len());
        let written = self.pages(quota, u64::MAX)?.write(&buf[..length], offset)?;
        Ok((written, offset + written as u64))
    }

    pub(super) fn truncate(&mut self, quota: &Arc<Quota>, size: u64) -> Result<()> {
        if size > MAX_SIZE {
            return Err(Errno::EINVAL);
        }
        self.pages(quota, size)?.truncate(size);
        Ok(())
    }

    pub(super) fn allocate(&mut self, quota: &Arc<Quota>, offset: u64, length: u64) -> Result<()> {
        let end = offset
            .checked_add(length)
            .filter(|end| *end <= MAX_SIZE)
            .ok_or(Errno::EFBIG)?;
        if length == 0 {
            return Err(Errno::EINVAL);
        }
        self.pages(quota, u64::MAX)?.allocate(offset, end - offset)
    }

    /// All of it: a layer's own bytes, or a copy.
    pub(super) fn content(&self) -> Result<Bytes> {
        match self {
            FileData::Lower(bytes) => Ok(bytes.clone()),
            FileData::Pages(pages) => {
                // A sparse file may be larger than all memory: such a one is no program.
                let limit = (pages.pages.len() as u64 + 1)
                    .saturating_mul(PAGE)
                    .saturating_add(1 << 20);
                if pages.size > limit {
                    return Err(Errno::ENOMEM);
                }
                let mut content = vec![0; usize::try_from(pages.size).map_err(|_| Errno::ENOMEM)?];
                pages.read(&mut content, 0);
                Ok(content.into())
            }
        }
    }
}
