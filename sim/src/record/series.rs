//! A run as a series over time: how many connections were attempted in each bin of it, and what the devices' heartbeat
//! intervals had come to at its end.
//!
//! The devices count while they run, in memory that does not grow with the length of the run or with what happens in it.
//! The NATs' timeouts, which nobody has to count, are added after the run by `learning`. Nothing here is part of a trace.

use std::time::Duration;

use cardiogram_policies::Time;

/// The most bins of a run: what a plot can show.
pub const BINS_MAX: u64 = 240;

/// Returns the width of the bins of a run that long: a [`BINS_MAX`]-th of it, rounded up to a whole second.
pub const fn width(duration: Duration) -> Duration {
    Duration::from_secs((duration.as_micros() as u64).div_ceil(BINS_MAX * 1_000_000))
}

/// Returns how many bins a run that long has; the last one may be narrower than the others.
pub const fn bins(duration: Duration) -> u64 {
    (duration.as_micros() as u64).div_ceil(width(duration).as_micros() as u64)
}

/// A stretch of a run: from `begin` to just before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesBin {
    /// When it begins.
    pub begin: Time,
    /// When it ends.
    pub end: Time,
    /// Connection attempts begun in it, as [`Totals::connect_attempts`](super::counts::Totals::connect_attempts) counts them.
    pub attempts: u64,
    /// The most of these in one whole second of the run, but for the attempts with which devices begin the run: their spread is
    /// the scenario's, and no strategy's.
    pub attempts_peak_per_s: u64,
    /// The time between a device's last two heartbeats on one connection as of the end: mean over the devices that have sent
    /// two, rounded down to a microsecond; `None`: none has.
    pub interval_mean: Option<Duration>,
    /// The shortest idle timeout of established connections on the network that a device is on at the end: mean over the
    /// devices that are on one, rounded down to a microsecond; `None`: none is.
    pub nat_timeout_mean: Option<Duration>,
}

/// Counts what happens; times must not run backwards. The default counts nothing.
#[derive(Default)]
pub(crate) struct Tally {
    end: Time,
    width: Duration,
    closed: Vec<SeriesBin>,
    /// Attempts of the bin that is open, and the most in a second of it.
    attempts: u64,
    attempts_peak: u64,
    /// The second of the last attempt, and how many there were in it.
    second: u64,
    in_second: u64,
    /// Sum of the devices' intervals, of those that have one.
    intervals: Duration,
    devices: u32,
}

impl Tally {
    /// Returns an empty series for a run of this length.
    pub(crate) fn new(duration: Duration) -> Self {
        Self { end: Time::ZERO + duration, width: width(duration), ..Self::default() }
    }

    /// A device begins the run with its first attempt.
    pub(crate) fn first_attempt(&mut self, now: Time) {
        self.close_before(now);
        self.attempts += 1;
    }

    /// A device begins to connect once more.
    pub(crate) fn attempt(&mut self, now: Time) {
        self.close_before(now);
        let second = now.as_micros() / 1_000_000;
        if second != self.second {
            (self.second, self.in_second) = (second, 0);
        }
        self.in_second += 1;
        self.attempts += 1;
        self.attempts_peak = self.attempts_peak.max(self.in_second);
    }

    /// The heartbeat interval of a device is another one, or its first.
    pub(crate) fn interval(&mut self, now: Time, before: Option<Duration>, after: Duration) {
        self.close_before(now);
        match before {
            Some(before) => self.intervals -= before,
            None => self.devices += 1,
        }
        self.intervals += after;
    }

    /// Returns the bins of the whole run, still without the NATs' timeouts.
    pub(crate) fn finish(mut self) -> Vec<SeriesBin> {
        self.close_before(self.end);
        if self.open_since() < self.end {
            self.close(self.end);
        }
        self.closed
    }

    /// What happens at the end of a bin belongs to the next one.
    fn close_before(&mut self, now: Time) {
        while self.open_until() <= now {
            self.close(self.open_until());
        }
    }

    fn open_since(&self) -> Time {
        self.closed.last().map_or(Time::ZERO, |bin| bin.end)
    }

    fn open_until(&self) -> Time {
        self.open_since() + self.width
    }

    fn close(&mut self, end: Time) {
        self.closed.push(SeriesBin {
            begin: self.open_since(),
            end,
            attempts: std::mem::take(&mut self.attempts),
            attempts_peak_per_s: std::mem::take(&mut self.attempts_peak),
            interval_mean: (self.devices > 0).then(|| micros(self.intervals.as_micros() / u128::from(self.devices))),
            nat_timeout_mean: None,
        });
    }
}

/// Returns a mean, rounded down to a microsecond, as a span.
pub(crate) fn micros(mean: u128) -> Duration {
    Duration::from_micros(u64::try_from(mean).expect("a mean is no longer than the longest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_at_most_240_bins_of_whole_seconds() {
        for (duration_s, width_s, count) in
            [(1, 1, 1), (240, 1, 240), (241, 2, 121), (1_800, 8, 225), (86_400, 360, 240), (366 * 86_400, 131_760, 240)]
        {
            let duration = Duration::from_secs(duration_s);
            assert_eq!((width(duration).as_secs(), bins(duration)), (width_s, count), "{duration_s} s");
            assert_eq!(Tally::new(duration).finish().len() as u64, count, "{duration_s} s");
        }
        assert_eq!(bins(Duration::from_millis(1_500)), 2);
    }

    #[test]
    fn bins_follow_each_other_to_the_end_of_the_run() {
        let bins = Tally::new(Duration::from_millis(961_500)).finish();
        assert_eq!((bins[0].begin, bins[0].end), (Time::ZERO, Time::from_secs(5)));
        assert!(bins.windows(2).all(|pair| pair[0].end == pair[1].begin));
        let last = bins[bins.len() - 1];
        assert_eq!((last.begin, last.end), (Time::from_secs(960), Time::from_millis(961_500)));
    }

    #[test]
    fn attempts_count_in_their_bin_and_the_peak_in_whole_seconds_of_it() {
        let mut tally = Tally::new(Duration::from_secs(480));
        for ms in [900, 999, 1_000, 1_500, 1_999, 2_000, 7_000, 7_999] {
            tally.attempt(Time::from_millis(ms));
        }
        let bins = tally.finish();
        let counts: Vec<(u64, u64)> = bins.iter().map(|bin| (bin.attempts, bin.attempts_peak_per_s)).take(5).collect();
        assert_eq!(counts, [(5, 3), (1, 1), (0, 0), (2, 2), (0, 0)]);
        assert_eq!(bins.iter().map(|bin| bin.attempts).sum::<u64>(), 8);
    }

    #[test]
    fn the_start_of_the_run_is_no_storm() {
        let mut tally = Tally::new(Duration::from_secs(480));
        (0..50).for_each(|ms| tally.first_attempt(Time::from_millis(ms)));
        (50..55).for_each(|ms| tally.attempt(Time::from_millis(ms)));
        let bins = tally.finish();
        assert_eq!((bins[0].attempts, bins[0].attempts_peak_per_s), (55, 5));
    }

    #[test]
    fn the_mean_interval_is_that_of_the_devices_that_have_one_as_of_the_end_of_the_bin() {
        let mut tally = Tally::new(Duration::from_secs(480));
        let secs = Duration::from_secs;
        tally.interval(Time::from_secs(2), None, secs(60));
        tally.interval(Time::from_secs(3), None, secs(81));
        tally.interval(Time::from_millis(3_999), Some(secs(60)), secs(100));
        tally.interval(Time::from_secs(6), Some(secs(81)), secs(20));
        let means: Vec<_> = tally.finish().iter().map(|bin| bin.interval_mean).take(4).collect();
        assert_eq!(
            means,
            [None, Some(Duration::from_millis(90_500)), Some(Duration::from_millis(90_500)), Some(secs(60))]
        );
    }
}
