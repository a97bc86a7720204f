//! The two sides of a pty as open files (Linux's `drivers/tty/pty.c`).

use super::{OUTPUT_MAX, Tty};
use crate::fs::FileOps;
use crate::fs::pipe::{anonymous_stat, take};
use podsim_sys::{DeviceNumber, Errno, FileType, LocalFlags, Mode, PollEvents, Result, Stat};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// The master side. When it is closed, the terminal hangs up.
pub(super) struct PtyMaster(pub(super) Arc<Tty>);

/// The slave side, once for each open.
pub(super) struct PtySlave(Arc<Tty>);

impl PtySlave {
    /// EIO when the master has been closed.
    pub(super) fn open(tty: &Arc<Tty>) -> Result<Arc<Self>> {
        let mut state = tty.state.lock();
        if !state.master_open {
            return Err(Errno::EIO);
        }
        state.slaves += 1;
        state.had_slave = true;
        drop(state);
        tty.master_queue.wake_all();
        Ok(Arc::new(Self(tty.clone())))
    }
}

fn stat(tty: &Tty, rdev: DeviceNumber) -> Stat {
    let attributes = tty
        .registry
        .upgrade()
        .and_then(|registry| registry.attributes(tty.index));
    let plain = anonymous_stat(FileType::CharDevice, u64::from(tty.index) + 3, Duration::ZERO);
    Stat {
        mode: attributes.map_or(Mode(0o620), |a| a.mode),
        uid: attributes.map_or(0, |a| a.uid),
        gid: attributes.map_or(0, |a| a.gid),
        rdev,
        ..plain
    }
}

impl Drop for PtyMaster {
    fn drop(&mut self) {
        let tty = &self.0;
        tty.state.lock().master_open = false;
        if let Some(registry) = tty.registry.upgrade() {
            registry.remove(tty.index);
        }
        tty.hang_up();
        tty.wake_both();
    }
}

impl Drop for PtySlave {
    fn drop(&mut self) {
        self.0.state.lock().slaves -= 1;
        self.0.master_queue.wake_all();
    }
}

impl FileOps for PtyMaster {
    fn read_at(&self, buf: &mut [u8], _offset: u64) -> Result<usize> {
        let mut state = self.0.state.lock();
        if state.output.is_empty() {
            // pty(7): when the last slave has been closed, the master gets EIO.
            let alone = state.slaves == 0 && state.had_slave;
            return Err(if alone { Errno::EIO } else { Errno::EAGAIN });
        }
        let n = take(&mut state.output, buf);
        drop(state);
        self.0.slave_queue.wake_all();
        Ok(n)
    }

    fn write_at(&self, buf: &[u8], _offset: u64, _append: bool) -> Result<(usize, u64)> {
        match self.0.type_in(buf) {
            0 if !buf.is_empty() => Err(Errno::EAGAIN),
            n => Ok((n, 0)),
        }
    }

    fn poll(&self, waker: Option<&Waker>) -> PollEvents {
        if let Some(waker) = waker {
            self.0.master_queue.register(waker);
        }
        let state = self.0.state.lock();
        let mut events = PollEvents::empty();
        events.set(PollEvents::IN, !state.output.is_empty());
        events.set(PollEvents::OUT, state.discipline.has_room());
        events.set(PollEvents::HUP, state.slaves == 0 && state.had_slave);
        events
    }

    fn stat(&self) -> Result<Stat> {
        Ok(stat(&self.0, DeviceNumber { major: 5, minor: 2 }))
    }

    fn tty(&self) -> Option<&Arc<Tty>> {
        Some(&self.0)
    }

    fn is_pty_master(&self) -> bool {
        true
    }

    fn anonymous_name(&self) -> Option<String> {
        Some("/dev/ptmx".to_owned())
    }
}

impl FileOps for PtySlave {
    fn read_at(&self, buf: &mut [u8], _offset: u64) -> Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let result = self.0.read_input(buf);
        if result.is_some() {
            // There is room for more typing.
            self.0.master_queue.wake_all();
        }
        match result {
            Some(n) => Ok(n),
            // A terminal that has hung up is at its end (`hung_up_tty_read`).
            None if !self.0.state.lock().master_open => Ok(0),
            None => Err(Errno::EAGAIN),
        }
    }

    fn write_at(&self, buf: &[u8], _offset: u64, _append: bool) -> Result<(usize, u64)> {
        if !self.0.state.lock().master_open {
            return Err(Errno::EIO);
        }
        match self.0.write_output(buf) {
            0 if !buf.is_empty() => Err(Errno::EAGAIN),
            n => Ok((n, 0)),
        }
    }

    fn poll(&self, waker: Option<&Waker>) -> PollEvents {
        if let Some(waker) = waker {
            self.0.slave_queue.register(waker);
        }
        let state = self.0.state.lock();
        if !state.master_open {
            return PollEvents::IN | PollEvents::OUT | PollEvents::ERR | PollEvents::HUP;
        }
        let canonical = state.termios.lflag.contains(LocalFlags::ICANON);
        let readable = if canonical {
            state.discipline.has_line()
        } else {
            state.discipline.raw_available() > 0
        };
        let mut events = PollEvents::empty();
        events.set(PollEvents::IN, readable);
        events.set(
            PollEvents::OUT,
            !state.discipline.stopped() && state.output.len() < OUTPUT_MAX,
        );
        events
    }

    fn stat(&self) -> Result<Stat> {
        Ok(stat(&self.0, self.0.device()))
    }

    fn tty(&self) -> Option<&Arc<Tty>> {
        Some(&self.0)
    }

    fn anonymous_name(&self) -> Option<String> {
        Some(format!("/dev/pts/{}", self.0.index))
    }
}
