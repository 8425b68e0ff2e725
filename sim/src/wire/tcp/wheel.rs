//! How late a kernel's timers fire: not at all, or as the timer wheel of Linux has them (`kernel/time/timer.c`).
//!
//! The wheel has levels of 64 slots. A slot of the first is a tick, and a slot of each level is eight of the level below. A
//! timer goes to the lowest level that reaches it, and fires at the end of the slot in which it is due, so that it is never
//! early: a wait below 63 ticks is late by up to a tick, one below 504 by up to eight, and so on.

use std::{net::Ipv4Addr, time::Duration};

use cardiogram_policies::Time;

/// A moment at a host, from which its kernel sets timers.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) now: Time,
    pub(super) host: Ipv4Addr,
    /// `None`: timers fire when they are due.
    pub(super) wheel: Option<Wheel>,
}

impl Clock {
    /// Returns when a timer fires that is due after `wait`.
    pub(super) fn after(self, wait: Duration) -> Time {
        self.wheel.map_or(self.now + wait, |wheel| wheel.fires(self.host, self.now, wait))
    }
}

/// The wheel of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wheel {
    /// Ticks a second (`CONFIG_HZ`).
    pub hz: u32,
}

/// Ticks that a level reaches: one slot less than it has (`LVL_START`).
const REACH: u64 = 63;
/// The slots of a level are as many times longer than those of the level below, as a power of two (`LVL_CLK_SHIFT`).
const SHIFT: u32 = 3;
/// Levels (`LVL_DEPTH`).
const LEVELS: u32 = 9;
/// The longest that a kernel can have been up when the world begins, in microseconds: an hour.
const UP_MAX: u64 = 3_600_000_000;

impl Wheel {
    /// Returns when a timer fires that `host` sets at `now`, to be due after `wait`.
    fn fires(self, host: Ipv4Addr, now: Time, wait: Duration) -> Time {
        let up = up(host);
        let now_ticks = self.ticks_down(now.as_micros() + up);
        let due = now_ticks + self.ticks_up(wait.as_micros() as u64);
        let away = due - now_ticks;
        let level = (0..LEVELS - 1).find(|level| away < REACH << (SHIFT * level)).unwrap_or(LEVELS - 1);
        let slot_end = ((due >> (SHIFT * level)) + 1) << (SHIFT * level);
        let at = u128::from(slot_end) * 1_000_000;
        Time::from_micros(at.div_ceil(u128::from(self.hz)) as u64 - up)
    }

    /// Returns a wait in whole ticks, rounded up, as `usecs_to_jiffies` has it.
    pub(super) fn whole_ticks(self, wait: Duration) -> Duration {
        let ticks = self.ticks_up(wait.as_micros() as u64);
        Duration::from_micros((u128::from(ticks) * 1_000_000 / u128::from(self.hz)) as u64)
    }

    fn ticks_down(self, micros: u64) -> u64 {
        (u128::from(micros) * u128::from(self.hz) / 1_000_000) as u64
    }

    fn ticks_up(self, micros: u64) -> u64 {
        (u128::from(micros) * u128::from(self.hz)).div_ceil(1_000_000) as u64
    }
}

/// Returns how long a host has been up when the world begins: its slots end at moments of its own.
fn up(host: Ipv4Addr) -> u64 {
    // Spreads neighbouring addresses over the hour (the multiplier of Knuth's multiplicative hashing).
    u64::from(u32::from(host).wrapping_mul(2_654_435_761)) % UP_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    /// What was measured on a kernel of 250 Hz, from one expiry to the next (`docs/kernel-replay.md`).
    #[test]
    fn waits_from_one_expiry_to_the_next_are_those_of_a_kernel() {
        let wheel = Wheel { hz: 250 };
        for (wait_ms, gap_ms) in [(1_000, 1_024), (5_000, 5_120), (10_000, 10_240), (120_000, 120_832)] {
            let wait = Duration::from_millis(wait_ms);
            let first = wheel.fires(HOST, Time::from_micros(1_234_567), wait);
            let second = wheel.fires(HOST, first, wait);
            assert_eq!(second.since(first), Duration::from_millis(gap_ms), "{wait_ms}");
        }
    }

    #[test]
    fn a_timer_is_never_early_and_late_by_a_slot_and_a_tick_at_most() {
        for hz in [250, 300, 1_000] {
            let wheel = Wheel { hz };
            let tick = Duration::from_micros(1_000_000_u64.div_ceil(u64::from(hz)));
            for (ticks, slot) in [(1, 1), (62, 1), (63, 8), (503, 8), (504, 64), (4_031, 64), (4_032, 512)] {
                for start in [0, 1, 3_333, 1_000_000, 86_399_999_999] {
                    let wait = wheel.whole_ticks(Duration::from_micros(ticks * 1_000_000 / u64::from(hz)));
                    let now = Time::from_micros(start);
                    let late = wheel.fires(HOST, now, wait).since(now + wait);
                    assert!(wheel.fires(HOST, now, wait) >= now + wait, "{hz} Hz, {ticks} ticks at {start}");
                    assert!(late <= tick * (slot + 1), "{hz} Hz, {ticks} ticks at {start}: {late:?}");
                }
            }
        }
    }

    #[test]
    fn hosts_have_slots_of_their_own() {
        let wheel = Wheel { hz: 250 };
        let wait = Duration::from_secs(120);
        let fires = |host| wheel.fires(Ipv4Addr::new(10, 0, 0, host), Time::ZERO, wait);
        assert_ne!(fires(1), fires(2));
    }
}
