//! Terminals: `termios(3)` and window sizes.

bitflags::bitflags! {
    /// Input modes (`c_iflag`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct InputFlags: u32 {
        /// Ignore BREAK.
        const IGNBRK = 0o1;
        /// BREAK interrupts.
        const BRKINT = 0o2;
        /// Strip the eighth bit.
        const ISTRIP = 0o40;
        /// NL becomes CR.
        const INLCR = 0o100;
        /// CR is ignored.
        const IGNCR = 0o200;
        /// CR becomes NL.
        const ICRNL = 0o400;
        /// XON/XOFF on output.
        const IXON = 0o2000;
        /// Any character restarts output.
        const IXANY = 0o4000;
        /// Ring the bell when the queue is full.
        const IMAXBEL = 0o20000;
        /// Input is UTF-8 (erase takes a whole character).
        const IUTF8 = 0o40000;
        const _ = !0;
    }

    /// Output modes (`c_oflag`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct OutputFlags: u32 {
        /// Output is processed at all.
        const OPOST = 0o1;
        /// NL becomes CR NL.
        const ONLCR = 0o4;
        /// CR becomes NL.
        const OCRNL = 0o10;
        const _ = !0;
    }

    /// Local modes (`c_lflag`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct LocalFlags: u32 {
        /// INTR, QUIT and SUSP send signals.
        const ISIG = 0o1;
        /// Input comes a line at a time.
        const ICANON = 0o2;
        /// Input is echoed.
        const ECHO = 0o10;
        /// ERASE wipes the character out.
        const ECHOE = 0o20;
        /// KILL writes a new line.
        const ECHOK = 0o40;
        /// NL is echoed even without ECHO.
        const ECHONL = 0o100;
        /// Signals do not flush the queues.
        const NOFLSH = 0o200;
        /// A background process that writes is stopped.
        const TOSTOP = 0o400;
        /// Control characters are echoed as `^X`.
        const ECHOCTL = 0o1000;
        /// KILL wipes out each character.
        const ECHOKE = 0o4000;
        /// Extended input processing.
        const IEXTEN = 0o100000;
        const _ = !0;
    }
}

/// Indices into [`Termios::cc`].
pub mod cc {
    #![expect(missing_docs, reason = "the names of termios(3) say it")]
    pub const VINTR: usize = 0;
    pub const VQUIT: usize = 1;
    pub const VERASE: usize = 2;
    pub const VKILL: usize = 3;
    pub const VEOF: usize = 4;
    pub const VTIME: usize = 5;
    pub const VMIN: usize = 6;
    pub const VSTART: usize = 8;
    pub const VSTOP: usize = 9;
    pub const VSUSP: usize = 10;
    pub const VEOL: usize = 11;
    pub const VREPRINT: usize = 12;
    pub const VWERASE: usize = 14;
    pub const VLNEXT: usize = 15;
}

/// The modes of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Termios {
    /// Input modes.
    pub iflag: InputFlags,
    /// Output modes.
    pub oflag: OutputFlags,
    /// Control modes (kept, no effect: there is no line).
    pub cflag: u32,
    /// Local modes.
    pub lflag: LocalFlags,
    /// Special characters; see [`cc`]. 0 switches one off.
    pub cc: [u8; 19],
}

impl Default for Termios {
    /// Linux's modes of a new terminal (`tty_std_termios`).
    fn default() -> Self {
        let mut chars = [0; 19];
        chars[cc::VINTR] = 3;
        chars[cc::VQUIT] = 28;
        chars[cc::VERASE] = 127;
        chars[cc::VKILL] = 21;
        chars[cc::VEOF] = 4;
        chars[cc::VMIN] = 1;
        chars[cc::VSTART] = 17;
        chars[cc::VSTOP] = 19;
        chars[cc::VSUSP] = 26;
        chars[cc::VREPRINT] = 18;
        chars[cc::VWERASE] = 23;
        chars[cc::VLNEXT] = 22;
        Self {
            iflag: InputFlags::ICRNL | InputFlags::IXON,
            oflag: OutputFlags::OPOST | OutputFlags::ONLCR,
            cflag: 0o2277,
            lflag: LocalFlags::ISIG
                | LocalFlags::ICANON
                | LocalFlags::ECHO
                | LocalFlags::ECHOE
                | LocalFlags::ECHOK
                | LocalFlags::ECHOCTL
                | LocalFlags::ECHOKE
                | LocalFlags::IEXTEN,
            cc: chars,
        }
    }
}

/// The size of a terminal's window in characters; 0 by 0 is "unknown".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Winsize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}

/// When `tcsetattr` takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcSet {
    /// At once.
    Now,
    /// After pending output.
    Drain,
    /// After pending output, and pending input is thrown away.
    Flush,
}
