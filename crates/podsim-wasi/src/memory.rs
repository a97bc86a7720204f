//! A guest's linear memory: every pointer and length is checked, and a bad one is EFAULT.

use podsim_sys::{Errno, Result};

/// The most buffers that one call takes (`IOV_MAX`).
const IOV_MAX: u32 = 1024;
/// The most bytes that a call with several buffers gathers or scatters at once; more is a short read or write.
const GATHER_MAX: usize = 1 << 20;

/// The bytes of a guest's memory while a host function runs.
pub(crate) struct GuestMemory<'a>(pub(crate) &'a mut [u8]);

/// A part of a guest's memory, not yet checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Its address.
    pub(crate) ptr: u32,
    /// Its length in bytes.
    pub(crate) len: u32,
}

impl GuestMemory<'_> {
    fn range(&self, ptr: u32, len: usize) -> Result<std::ops::Range<usize>> {
        let start = usize::try_from(ptr).map_err(|_| Errno::EFAULT)?;
        let end = start.checked_add(len).ok_or(Errno::EFAULT)?;
        if end <= self.0.len() {
            Ok(start..end)
        } else {
            Err(Errno::EFAULT)
        }
    }

    /// Bytes to read.
    pub(crate) fn bytes(&self, ptr: u32, len: u32) -> Result<&[u8]> {
        let range = self.range(ptr, len as usize)?;
        self.0.get(range).ok_or(Errno::EFAULT)
    }

    /// Bytes to write.
    pub(crate) fn bytes_mut(&mut self, ptr: u32, len: u32) -> Result<&mut [u8]> {
        let range = self.range(ptr, len as usize)?;
        self.0.get_mut(range).ok_or(Errno::EFAULT)
    }

    /// Copies bytes into the guest.
    pub(crate) fn write(&mut self, ptr: u32, bytes: &[u8]) -> Result<()> {
        let range = self.range(ptr, bytes.len())?;
        self.0.get_mut(range).ok_or(Errno::EFAULT)?.copy_from_slice(bytes);
        Ok(())
    }

    /// A string; EILSEQ when it is not UTF-8, EINVAL when it holds a NUL.
    pub(crate) fn str(&self, ptr: u32, len: u32) -> Result<&str> {
        let text = std::str::from_utf8(self.bytes(ptr, len)?).map_err(|_| Errno::EILSEQ)?;
        if text.contains('\0') {
            Err(Errno::EINVAL)
        } else {
            Ok(text)
        }
    }

    /// A path, at most PATH_MAX long.
    pub(crate) fn path(&self, ptr: u32, len: u32) -> Result<&str> {
        if len > 4096 {
            Err(Errno::ENAMETOOLONG)
        } else {
            self.str(ptr, len)
        }
    }

    /// A string that ends with NUL.
    pub(crate) fn c_str(&self, ptr: u32) -> Result<&str> {
        let tail = self.0.get(ptr as usize..).ok_or(Errno::EFAULT)?;
        let len = tail.iter().position(|b| *b == 0).ok_or(Errno::EFAULT)?;
        std::str::from_utf8(tail.get(..len).ok_or(Errno::EFAULT)?).map_err(|_| Errno::EILSEQ)
    }

    fn array<const N: usize>(&self, ptr: u32) -> Result<[u8; N]> {
        let range = self.range(ptr, N)?;
        self.0.get(range).and_then(|b| b.try_into().ok()).ok_or(Errno::EFAULT)
    }

    /// One byte.
    pub(crate) fn u8(&self, ptr: u32) -> Result<u8> {
        self.array::<1>(ptr).map(|[byte]| byte)
    }

    /// A little-endian number.
    pub(crate) fn u16(&self, ptr: u32) -> Result<u16> {
        self.array(ptr).map(u16::from_le_bytes)
    }

    /// A little-endian number.
    pub(crate) fn u32(&self, ptr: u32) -> Result<u32> {
        self.array(ptr).map(u32::from_le_bytes)
    }

    /// A little-endian number.
    pub(crate) fn u64(&self, ptr: u32) -> Result<u64> {
        self.array(ptr).map(u64::from_le_bytes)
    }

    /// Writes a byte.
    pub(crate) fn set_u8(&mut self, ptr: u32, value: u8) -> Result<()> {
        self.write(ptr, &[value])
    }

    /// Writes a little-endian number.
    pub(crate) fn set_u16(&mut self, ptr: u32, value: u16) -> Result<()> {
        self.write(ptr, &value.to_le_bytes())
    }

    /// Writes a little-endian number.
    pub(crate) fn set_u32(&mut self, ptr: u32, value: u32) -> Result<()> {
        self.write(ptr, &value.to_le_bytes())
    }

    /// Writes a little-endian number.
    pub(crate) fn set_u64(&mut self, ptr: u32, value: u64) -> Result<()> {
        self.write(ptr, &value.to_le_bytes())
    }

    /// The buffers of an array of `iovec`, checked, without the empty ones.
    pub(crate) fn iovecs(&self, ptr: u32, count: u32) -> Result<Vec<Span>> {
        if count > IOV_MAX {
            return Err(Errno::EINVAL);
        }
        let mut spans = Vec::with_capacity(count as usize);
        for index in 0..count {
            let at = ptr.checked_add(index * 8).ok_or(Errno::EFAULT)?;
            let span = Span {
                ptr: self.u32(at)?,
                len: self.u32(at.checked_add(4).ok_or(Errno::EFAULT)?)?,
            };
            self.range(span.ptr, span.len as usize)?;
            if span.len > 0 {
                spans.push(span);
            }
        }
        Ok(spans)
    }

    /// The bytes of the buffers: borrowed if there is one, else gathered.
    pub(crate) fn gather(&self, spans: &[Span]) -> Result<std::borrow::Cow<'_, [u8]>> {
        if let [span] = spans {
            return self.bytes(span.ptr, span.len).map(Into::into);
        }
        let mut all = Vec::new();
        for span in spans {
            let room = GATHER_MAX - all.len();
            let bytes = self.bytes(span.ptr, span.len)?;
            all.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        }
        Ok(all.into())
    }

    /// Spreads bytes over the buffers.
    pub(crate) fn scatter(&mut self, spans: &[Span], mut bytes: &[u8]) -> Result<()> {
        for span in spans {
            let (head, rest) = bytes.split_at(bytes.len().min(span.len as usize));
            self.write(span.ptr, head)?;
            bytes = rest;
        }
        Ok(())
    }
}

/// How many bytes several buffers take at once.
pub(crate) fn scatter_len(spans: &[Span]) -> usize {
    spans.iter().map(|s| s.len as usize).sum::<usize>().min(GATHER_MAX)
}
