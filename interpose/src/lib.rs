//! Clocks and chance of the operating system for guests, real programs in the lab.
//!
//! Guests share a paused clock of tokio's, which is the lab's time. A program that asks the system instead, by
//! `std::time::Instant` or `SystemTime`, finds the machine's time, and one that draws from the system's generator, for a `HashMap`, a
//! `select!`, the key of a WebSocket, finds other bytes in each run. With [`Interposed`] both are the lab's, on the thread on which guests
//! run and on no other:
//!
//! | Asked for | Found |
//! |---|---|
//! | the time since something (`CLOCK_MONOTONIC`, `CLOCK_BOOTTIME`) | that of a machine which had been up for a day when the run began |
//! | the time of day (`CLOCK_REALTIME`, `gettimeofday`, `time`) | that of a run which began on 1 January 2026 at 0:00 UTC |
//! | random bytes (`getrandom`, `getentropy`) | those that follow from the run's seed, in the order in which guests ask |
//! | the time that a process or a thread has used | as without it |
//!
//! - `here`: what is simulated on which thread. Safe code.
//! - `symbols`: the functions of the C library, as this program has them.
//!
//! What it cannot do: chance that a program drew before the run, or on another thread, stays as it was, as do clocks that a
//! program reads without the C library. A second run that differs from the first is an error as before.
#![cfg(any(target_os = "linux", target_os = "macos"))]

mod here;
mod symbols;

use cardiogram_sim::guest::{RunClock, System};

/// Simulated clocks and seeded chance, for `Guests::with_system`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interposed;

impl System for Interposed {
    fn begin(&self, seed: u64, clock: RunClock) {
        symbols::keep();
        here::begin(seed, clock);
    }

    fn end(&self) {
        here::end();
    }
}
