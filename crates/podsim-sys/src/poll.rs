//! What `poll(2)` asks and answers.

use crate::Fd;

bitflags::bitflags! {
    /// Events, with the numbers of `poll(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct PollEvents: u16 {
        /// There is data to read (or end of file).
        const IN = 0x001;
        /// Urgent data.
        const PRI = 0x002;
        /// A write would not block.
        const OUT = 0x004;
        /// An error; always reported.
        const ERR = 0x008;
        /// The other side is gone; always reported.
        const HUP = 0x010;
        /// Not an open file; always reported.
        const NVAL = 0x020;
        /// The peer has shut down its writing half.
        const RDHUP = 0x2000;
    }
}

/// One entry of a `poll(2)` call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollFd {
    /// The file; negative entries are skipped.
    pub fd: Fd,
    /// What is asked for.
    pub events: PollEvents,
    /// What is the case: filled in by the call.
    pub revents: PollEvents,
}
