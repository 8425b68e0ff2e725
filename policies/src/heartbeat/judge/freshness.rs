//! Judges by freshness points: how long silence is trusted is learnt from the arrivals so far. The failure detectors of
//! the literature are one file each below this one, and what is common to them is here: which arrivals count, and what
//! becomes of a suspicion. What it is not: a constant patience, which is [`Silence`](super::Silence) (the literature's
//! SFD without cutoff).

mod bertier;
mod by_mean;
mod cassandra;
mod chen;
mod phi;
mod two_window;
mod weibull;
mod window;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    bertier::Bertier,
    cassandra::Cassandra,
    chen::Chen,
    phi::{Phi, Tail},
    two_window::TwoWindow,
    weibull::Weibull,
};
use super::{Judge, Opinion};
use crate::{
    Problem, Time,
    heartbeat::{Event, GiveUp},
    unit::{Delay, Span},
};

/// Suspect from the detector's freshness point on, until something fresh arrives; dead once a suspicion has lasted for
/// `give_up_after`.
///
/// Every connection is learnt anew. Its establishment counts as arrival 0, an interval before the first beat, and as
/// one without delay: a first margin has to cover a whole round trip, and the mean of what is learnt is a little low
/// while the window remembers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// Which detector says how long silence is trusted.
    pub detector: DetectorSpec,
    /// Which arrivals it judges by. Default `replies`.
    #[serde(default)]
    pub fed_by: Stream,
    /// How long a suspicion lasts before the connection is given up; with something longer than any run the detector's
    /// output can be measured by itself. Default 0 s.
    #[serde(default)]
    pub give_up_after: Delay,
    /// A host that looks more than this after a freshness point was not run itself, and waits for as long again before
    /// it suspects (Cassandra: 5 s). Default: no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_pause: Option<Span>,
}

/// What a detector hears: something that comes at a constant interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Replies to this side's own beats. Each is numbered by the point of the grid at which its beat was sent, and the
    /// interval is the schedule's.
    #[default]
    Replies,
    /// The peer's pings, which come at this interval; they are numbered as they come, since TCP loses none.
    Pings(Span),
}

/// A failure detector, as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DetectorSpec {
    /// Chen's NFD-E: expected arrival and a constant margin.
    Chen(Chen),
    /// 2W-FD: the more patient of two of Chen's.
    TwoWindow(TwoWindow),
    /// Bertier's detector: Chen's with Jacobson's margin.
    Bertier(Bertier),
    /// Phi accrual, as in the paper or as in Akka.
    Phi(Phi),
    /// Cassandra's accrual detector.
    Cassandra(Cassandra),
    /// The accrual detector for exponential and Weibull distributions.
    Weibull(Weibull),
}

/// A failure detector at work: the output is "trust" before its freshness point and "suspect" from there on.
trait Detector: Send {
    /// A connection is established: arrival 0, with nothing learnt.
    fn reset(&mut self, now: Time);

    /// Arrival `seq`, of a later number than all before it.
    fn heard(&mut self, now: Time, seq: u64);

    /// Returns until when it trusts if nothing more arrives.
    fn freshness(&self) -> Time;
}

impl DetectorSpec {
    fn build(&self, interval: Duration) -> Box<dyn Detector> {
        match self {
            Self::Chen(spec) => Box::new(spec.build(interval)),
            Self::TwoWindow(spec) => Box::new(spec.build(interval)),
            Self::Bertier(spec) => Box::new(spec.build(interval)),
            Self::Phi(spec) => Box::new(spec.build(interval)),
            Self::Cassandra(spec) => Box::new(spec.build(interval)),
            Self::Weibull(spec) => Box::new(spec.build(interval)),
        }
    }
}

impl Freshness {
    /// Returns the contradictions in what the judge itself is told.
    pub(in crate::heartbeat) fn problems_at(&self, path: &str) -> Vec<Problem> {
        let path = format!("{path}.detector");
        match &self.detector {
            DetectorSpec::Chen(spec) => spec.problems_at(&format!("{path}.chen")),
            DetectorSpec::TwoWindow(spec) => spec.problems_at(&format!("{path}.two-window")),
            DetectorSpec::Bertier(spec) => spec.problems_at(&format!("{path}.bertier")),
            DetectorSpec::Phi(spec) => spec.problems_at(&format!("{path}.phi")),
            DetectorSpec::Cassandra(spec) => spec.problems_at(&format!("{path}.cassandra")),
            DetectorSpec::Weibull(spec) => spec.problems_at(&format!("{path}.weibull")),
        }
    }

    /// Returns whether a reply that comes within `rtt_max` of its beat is certain to come in time, whatever was learnt
    /// before. A delay is never below zero, so that Chen's margin alone covers it; the patience of the others has no
    /// floor of its own.
    pub(in crate::heartbeat) fn covers(&self, rtt_max: Duration) -> bool {
        let margin = match &self.detector {
            DetectorSpec::Chen(spec) => spec.margin,
            DetectorSpec::TwoWindow(spec) => spec.margin,
            _ => return false,
        };
        self.fed_by == Stream::Replies && rtt_max <= margin.get()
    }
}

/// [`Freshness`] at work.
pub(super) struct FreshnessJudge {
    detector: Box<dyn Detector>,
    /// Fed by the peer's pings, not by replies.
    by_pings: bool,
    interval: Duration,
    give_up_after: Duration,
    local_pause: Option<Duration>,
    established: Time,
    /// The latest arrival: its number, and when it came.
    last: (u64, Time),
    /// Nothing is suspected before this.
    excused: Time,
    /// Since when it suspects; `None` if it trusts.
    suspected: Option<Time>,
}

impl FreshnessJudge {
    /// `gap` is the schedule's interval. Without one there are no replies to judge by, and no judge.
    pub(super) fn new(spec: &Freshness, gap: Option<Duration>) -> Option<Self> {
        let interval = match spec.fed_by {
            Stream::Replies => gap?,
            Stream::Pings(interval) => interval.get(),
        };
        Some(Self {
            detector: spec.detector.build(interval),
            by_pings: spec.fed_by != Stream::Replies,
            interval,
            give_up_after: spec.give_up_after.get(),
            local_pause: spec.local_pause.map(Span::get),
            established: Time::ZERO,
            last: (0, Time::ZERO),
            excused: Time::ZERO,
            suspected: None,
        })
    }

    fn fresh_until(&self) -> Time {
        self.detector.freshness().max(self.excused)
    }

    /// Returns the number of what has just arrived; `None` if it is not what this judge hears.
    fn number(&self, now: Time, event: &Event) -> Option<u64> {
        match *event {
            Event::PeerPing if self.by_pings => Some(self.last.0 + 1),
            // By when it was sent and not by its id: a host that overslept skips points of the grid, ids skip none.
            Event::HeartbeatReply { rtt, .. } if !self.by_pings => {
                let sent = (now - rtt).since(self.established);
                Some((sent.as_micros() / self.interval.as_micros()) as u64)
            }
            _ => None,
        }
    }
}

impl Judge for FreshnessJudge {
    fn connected(&mut self, now: Time) {
        (self.established, self.last) = (now, (0, now));
        (self.excused, self.suspected) = (Time::ZERO, None);
        self.detector.reset(now);
    }

    fn on_event(&mut self, now: Time, event: &Event) {
        if let Some(seq) = self.number(now, event).filter(|seq| *seq > self.last.0) {
            (self.last, self.excused) = ((seq, now), Time::ZERO);
            self.detector.heard(now, seq);
        }
    }

    fn sent(&mut self, _: Time, _: u32) {}

    fn deadline(&self) -> Option<Time> {
        Some(self.suspected.map_or_else(|| self.fresh_until(), |since| since + self.give_up_after))
    }

    fn opinion(&mut self, now: Time) -> Opinion {
        let fresh_until = self.fresh_until();
        if now < fresh_until {
            self.suspected = None;
            return Opinion::Alive;
        }
        if let Some(pause) = self.local_pause.filter(|_| self.suspected.is_none())
            && now.since(fresh_until) > pause
        {
            self.excused = now + pause;
            return Opinion::Alive;
        }
        // An arrival so late that the next one is overdue already does not end a suspicion.
        let since = *self.suspected.get_or_insert(fresh_until);
        match since + self.give_up_after {
            due if now < due => Opinion::Suspect,
            _ if self.by_pings => Opinion::Dead(GiveUp::Silence),
            _ => Opinion::Dead(GiveUp::NoReply),
        }
    }

    fn pardon(&mut self, now: Time) {
        let (_, heard) = self.last;
        self.excused = now + self.detector.freshness().since(heard);
        self.suspected = None;
    }
}

/// Returns a span in whole microseconds, signed: the detectors subtract.
fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// `micros` after `now`, rounded up, and later than `now` in any case: what has just arrived is trusted.
fn after(now: Time, micros: f64) -> Time {
    now + Duration::from_micros((micros.ceil() as u64).max(1))
}

/// Returns what is wrong with the size of a window, if anything.
fn check_window(path: &str, key: &str, size: u32) -> Option<Problem> {
    (!(1..=10_000).contains(&size)).then(|| {
        let message = format!("a window of {size} is outside 1 to 10000");
        Problem::new(format!("{path}.{key}"), message, "use 32 to follow the path, 1000 for a steady estimate")
    })
}

/// Returns what is wrong with an accrual detector's threshold, if anything.
fn check_threshold(path: &str, threshold: f64) -> Option<Problem> {
    (!(1.0..=100.0).contains(&threshold)).then(|| {
        let message = format!("a threshold of {threshold} is outside 1 to 100");
        Problem::new(format!("{path}.threshold"), message, "use 8, or 10 to 12 on an unsteady network")
    })
}

/// What the tests of the detectors share.
#[cfg(test)]
mod testing {
    use super::Detector;
    use crate::Time;

    /// One connection, in milliseconds: when it is established, the first freshness point, and then for each arrival
    /// its time, its number and the freshness point that it leads to (rounded up).
    pub(super) fn points(detector: &mut dyn Detector, established: u64, first: u64, arrivals: &[(u64, u64, u64)]) {
        let millis = |time: Time| time.as_micros().div_ceil(1_000);
        detector.reset(Time::from_millis(established));
        assert_eq!(millis(detector.freshness()), first, "of the first arrival");
        for &(at, seq, expected) in arrivals {
            detector.heard(Time::from_millis(at), seq);
            assert_eq!(millis(detector.freshness()), expected, "after arrival {seq}");
        }
    }
}

#[cfg(test)]
mod tests;
