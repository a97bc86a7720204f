//! Terminals.
/// A terminal: a pty pair.
pub struct Tty;
