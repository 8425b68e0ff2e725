//! The clock of a device's kernel, which stands still while the processor sleeps: what it shows, and when it will show a
//! time. The application's clock goes on.

use std::time::Duration;

use cardiogram_policies::Time;

use crate::fate::schedule::Interval;

/// A clock that sleeps at given times unless something has woken the device.
pub(super) struct Clock {
    /// When the processor sleeps unless it is woken.
    sleeps: Vec<Interval>,
    /// When it sleeps although something has woken it: the whole device stands still.
    freezes: Vec<Interval>,
    /// How long it stays awake once woken.
    awake: Duration,
    /// The last time at which it was read, and what it showed.
    read: (Time, Time),
    /// The processor is awake until then at least.
    awake_until: Time,
}

impl Clock {
    pub(super) const fn new(sleeps: Vec<Interval>, freezes: Vec<Interval>, awake: Duration) -> Self {
        Self { sleeps, freezes, awake, read: (Time::ZERO, Time::ZERO), awake_until: Time::ZERO }
    }

    /// Something wakes the device at `now`.
    pub(super) fn wake(&mut self, now: Time) {
        self.read = (now, self.shows(now));
        let next = self.freezes.get(self.freezes.partition_point(|freeze| freeze.end <= now));
        self.awake_until = next.map_or(Time::MAX, |freeze| freeze.begin.max(now)).min(now + self.awake);
    }

    /// The processor sleeps no more; or, where the device stands still, for ever.
    pub(super) fn freeze(&mut self, now: Time, is_frozen: bool) {
        self.read = (now, self.shows(now));
        self.sleeps.clear();
        if is_frozen {
            (self.sleeps, self.awake_until) = (vec![Interval { begin: now, end: Time::MAX }], now);
        }
    }

    /// Returns what the clock shows at `now`, not before it was last read.
    pub(super) fn shows(&self, now: Time) -> Time {
        let (then, shown) = self.read;
        let slept: Duration = self.sleeps_after(then).map(|sleep| sleep.end.min(now).since(sleep.begin.min(now))).sum();
        (shown + now.since(then)) - slept
    }

    /// Returns when the clock will show `time`, if nothing wakes the device before.
    pub(super) fn when(&self, time: Time) -> Time {
        let (then, shown) = self.read;
        let mut at = then + time.since(shown);
        for sleep in self.sleeps_after(then) {
            if sleep.begin >= at {
                break;
            }
            at += sleep.end.since(sleep.begin);
        }
        at
    }

    /// Returns the sleeps from `then` on, less what the device is awake of them.
    fn sleeps_after(&self, then: Time) -> impl Iterator<Item = Interval> + '_ {
        let from = then.max(self.awake_until);
        let first = self.sleeps.partition_point(|sleep| sleep.end <= from);
        self.sleeps[first..].iter().map(move |sleep| Interval { begin: sleep.begin.max(from), end: sleep.end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(begin: u64, end: u64) -> Interval {
        Interval { begin: Time::from_secs(begin), end: Time::from_secs(end) }
    }

    fn clock() -> Clock {
        Clock::new(vec![secs(100, 200), secs(250, 300)], vec![], Duration::from_secs(2))
    }

    #[test]
    fn it_stands_still_while_the_processor_sleeps() {
        let clock = clock();
        let shows = |at| clock.shows(Time::from_secs(at)).as_micros() / 1_000_000;
        assert_eq!([0, 99, 100, 150, 200, 249, 260, 300, 310].map(shows), [0, 99, 100, 100, 100, 149, 150, 150, 160]);
    }

    #[test]
    fn a_timer_runs_out_when_the_clock_shows_its_time() {
        let clock = clock();
        let when = |at| clock.when(Time::from_secs(at)).as_micros() / 1_000_000;
        assert_eq!([50, 99, 100, 101, 149, 151, 160].map(when), [50, 99, 100, 201, 249, 301, 310]);
    }

    #[test]
    fn what_has_woken_it_ends_where_the_device_stands_still() {
        let mut clock = Clock::new(vec![secs(100, 200)], vec![secs(100, 200)], Duration::from_secs(2));
        clock.wake(Time::from_secs(99));
        let shows = |at| clock.shows(Time::from_secs(at)).as_micros() / 1_000_000;
        assert_eq!([99, 100, 101, 200, 201].map(shows), [99, 100, 100, 100, 101]);
    }

    #[test]
    fn woken_it_goes_on_for_a_moment() {
        let mut clock = clock();
        clock.wake(Time::from_secs(130));
        let shows = |at| clock.shows(Time::from_secs(at)).as_micros() / 1_000_000;
        assert_eq!([130, 131, 132, 140, 201].map(shows), [100, 101, 102, 102, 103]);
        assert_eq!(clock.when(Time::from_secs(101)), Time::from_secs(131));
        assert_eq!(clock.when(Time::from_secs(103)), Time::from_secs(201));
    }
}
