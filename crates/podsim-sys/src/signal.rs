//! Signals: numbers, names, default actions, sets and dispositions (`signal(7)`).

/// A signal number, 1 to 64 (32 to 64 are the real-time signals).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(u8);

/// What the kernel does with a signal that has no handler (`signal(7)`, "Signal dispositions").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// Terminate the process.
    Term,
    /// Nothing.
    Ignore,
    /// Terminate the process and say so ("core dumped"); no core file is written.
    Core,
    /// Stop the process.
    Stop,
    /// Continue the process if it is stopped.
    Cont,
}

macro_rules! signals {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl Signal {
            $(#[doc = $text] pub const $name: Signal = Signal($value);)*

            /// The name without `SIG`, such as `TERM`; a real-time signal is `RTMIN+n`.
            #[must_use]
            pub fn name(self) -> String {
                match self.0 { $($value => stringify!($name).to_owned(),)* n => format!("RTMIN+{}", n - 34) }
            }

            /// What `strsignal(3)` says.
            #[must_use]
            pub fn description(self) -> String {
                match self.0 { $($value => $text.to_owned(),)* n => format!("Real-time signal {}", n - 34) }
            }

            /// Reads `9`, `KILL`, `SIGKILL` or `kill`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Signal> {
                if let Ok(n) = text.parse::<u8>() { return Signal::new(n); }
                let upper = text.to_ascii_uppercase();
                match upper.strip_prefix("SIG").unwrap_or(&upper) {
                    $(stringify!($name) => Some(Signal($value)),)*
                    name => {
                        let n: u8 = name.strip_prefix("RTMIN+")?.parse().ok()?;
                        Signal::new(n.checked_add(34)?)
                    }
                }
            }
        }
    };
}

signals! {
    HUP = 1, "Hangup";
    INT = 2, "Interrupt";
    QUIT = 3, "Quit";
    ILL = 4, "Illegal instruction";
    TRAP = 5, "Trace/breakpoint trap";
    ABRT = 6, "Aborted";
    BUS = 7, "Bus error";
    FPE = 8, "Floating point exception";
    KILL = 9, "Killed";
    USR1 = 10, "User defined signal 1";
    SEGV = 11, "Segmentation fault";
    USR2 = 12, "User defined signal 2";
    PIPE = 13, "Broken pipe";
    ALRM = 14, "Alarm clock";
    TERM = 15, "Terminated";
    STKFLT = 16, "Stack fault";
    CHLD = 17, "Child exited";
    CONT = 18, "Continued";
    STOP = 19, "Stopped (signal)";
    TSTP = 20, "Stopped";
    TTIN = 21, "Stopped (tty input)";
    TTOU = 22, "Stopped (tty output)";
    URG = 23, "Urgent I/O condition";
    XCPU = 24, "CPU time limit exceeded";
    XFSZ = 25, "File size limit exceeded";
    VTALRM = 26, "Virtual timer expired";
    PROF = 27, "Profiling timer expired";
    WINCH = 28, "Window changed";
    IO = 29, "I/O possible";
    PWR = 30, "Power failure";
    SYS = 31, "Bad system call";
}

impl Signal {
    /// The signal with this number, if it is one (1 to 64).
    #[must_use]
    pub fn new(number: u8) -> Option<Signal> {
        (1..=64).contains(&number).then_some(Signal(number))
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// What happens when no handler is installed.
    #[must_use]
    pub fn default_action(self) -> DefaultAction {
        match self {
            Signal::CHLD | Signal::URG | Signal::WINCH => DefaultAction::Ignore,
            Signal::CONT => DefaultAction::Cont,
            Signal::STOP | Signal::TSTP | Signal::TTIN | Signal::TTOU => DefaultAction::Stop,
            Signal::QUIT
            | Signal::ILL
            | Signal::ABRT
            | Signal::FPE
            | Signal::SEGV
            | Signal::BUS
            | Signal::SYS
            | Signal::TRAP
            | Signal::XCPU
            | Signal::XFSZ => DefaultAction::Core,
            _ => DefaultAction::Term,
        }
    }

    /// KILL and STOP: cannot be caught, blocked or ignored.
    #[must_use]
    pub fn is_unblockable(self) -> bool {
        matches!(self, Signal::KILL | Signal::STOP)
    }
}

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SIG{}", self.name())
    }
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SIG{}", self.name())
    }
}

/// A set of signals, as `sigset_t`: bit `n - 1` is signal `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SigSet(pub u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: SigSet = SigSet(0);
    /// Every signal.
    pub const FULL: SigSet = SigSet(u64::MAX);

    /// Whether the signal is in the set.
    #[must_use]
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << (signal.0 - 1)) != 0
    }

    /// Adds a signal.
    pub fn add(&mut self, signal: Signal) {
        self.0 |= 1 << (signal.0 - 1);
    }

    /// Removes a signal.
    pub fn remove(&mut self, signal: Signal) {
        self.0 &= !(1 << (signal.0 - 1));
    }

    /// The signals, lowest number first.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=64).map(Signal).filter(move |s| self.contains(*s))
    }
}

impl FromIterator<Signal> for SigSet {
    fn from_iter<T: IntoIterator<Item = Signal>>(signals: T) -> Self {
        let mut set = SigSet::EMPTY;
        for signal in signals {
            set.add(signal);
        }
        set
    }
}

/// How `sigprocmask` changes the mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigMaskHow {
    /// Add the set to the mask.
    Block,
    /// Take the set out of the mask.
    Unblock,
    /// The set is the new mask.
    SetMask,
}

/// What a process does about a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SigHandler {
    /// The default action.
    #[default]
    Default,
    /// Nothing.
    Ignore,
    /// Call the guest's handler.
    Catch,
}

/// A disposition, as `sigaction(2)` sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SigAction {
    /// What to do.
    pub handler: SigHandler,
    /// Further signals blocked while the handler runs (the signal itself is always blocked).
    pub mask: SigSet,
    /// SA_RESTART: an interrupted call starts again instead of failing with EINTR.
    pub restart: bool,
    /// SA_RESETHAND: back to the default before the handler is called.
    pub reset: bool,
    /// SA_NOCLDWAIT (only for SIGCHLD): children leave no zombies.
    pub no_child_wait: bool,
}

/// What a task must do before it goes on in its guest; see [`crate::Syscalls::take_signal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalDelivery {
    /// Call the guest's handler with this signal; then `sigreturn(restore_mask)`.
    Handler {
        /// The signal.
        signal: Signal,
        /// The mask to restore when the handler returns.
        restore_mask: SigSet,
        /// Whether an interrupted call is to be started again.
        restart: bool,
    },
    /// The task is dead: unwind the guest without running any more of it. Its exit status is already set.
    Killed,
}
