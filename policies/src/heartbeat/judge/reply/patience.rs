//! How long a beat waits for its answer: always as long, or as long as the round trips so far suggest (Jacobson's
//! estimator as RFC 6298 has it).

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};

use crate::{
    Problem,
    unit::{Delay, Span},
};

/// How long the answer to a beat may take: a duration, or a table that says how to estimate it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Patience {
    /// The same time for every beat.
    Fixed(Span),
    /// Estimated from the round trips of the connection's beats.
    Estimated(Rto),
}

impl Patience {
    /// Returns the contradictions between the limits of an estimate.
    pub(in crate::heartbeat) fn problems_at(&self, path: &str) -> Vec<Problem> {
        let Self::Estimated(rto) = self else { return Vec::new() };
        [("first", rto.first), ("floor", rto.floor)]
            .into_iter()
            .filter(|(_, span)| *span > rto.cap)
            .map(|(key, span)| {
                let message = format!("{span} is more than the cap of {}", rto.cap);
                Problem::new(format!("{path}.timeout.{key}"), message, format!("use at most \"{}\"", rto.cap))
            })
            .collect()
    }

    /// Returns the shortest time after which a beat is given up.
    pub fn shortest(&self) -> Duration {
        match self {
            Self::Fixed(timeout) => timeout.get(),
            Self::Estimated(rto) => rto.floor.min(rto.first).get(),
        }
    }

    /// Returns the longest time that a beat is waited for.
    pub fn longest(&self) -> Span {
        match self {
            Self::Fixed(timeout) => *timeout,
            Self::Estimated(rto) => rto.cap,
        }
    }
}

impl From<Span> for Patience {
    fn from(timeout: Span) -> Self {
        Self::Fixed(timeout)
    }
}

/// By hand, so that a duration that cannot be read is told what is wrong with it, which an untagged enum does not do.
impl<'de> Deserialize<'de> for Patience {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Patience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"15s\", or a table such as { floor = \"1s\", cap = \"30s\" }")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Patience, E> {
                Span::deserialize(StrDeserializer::new(text)).map(Patience::Fixed)
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, table: A) -> Result<Patience, A::Error> {
                Rto::deserialize(MapAccessDeserializer::new(table)).map(Patience::Estimated)
            }
        }
        input.deserialize_any(Either)
    }
}

parameters! {
    /// The retransmission timeout of RFC 6298, for beats: `SRTT + max(G, 4 RTTVAR)` within limits, doubled by every miss
    /// until the next round trip is measured. Every reply is a valid sample, a late one included, because each beat has an
    /// id of its own (what Karn's rule is about).
    ///
    /// Source: RFC 6298, section 2; Linux has a floor of 200 ms and a cap of 120 s.
    #[derive(Copy)]
    pub struct Rto {
        /// Before the connection's first round trip is measured. Default 1 s.
        pub first: Span = Span::secs(1),
        /// Never less, once a round trip is measured. Default 1 s.
        pub floor: Span = Span::secs(1),
        /// Never more; at most the interval between beats. Default 60 s.
        pub cap: Span = Span::secs(60),
        /// The clock's granularity G, below which the variation does not fall. Default 0 s: the clock here is exact.
        pub granularity: Delay = Delay::ZERO,
    }
}

/// [`Patience`] at work, over one connection after the other.
pub(super) struct Timeout {
    patience: Patience,
    /// SRTT and RTTVAR in microseconds; `None` if no round trip was measured yet.
    estimate: Option<(f64, f64)>,
    now: Duration,
}

impl Timeout {
    pub(super) fn new(patience: Patience) -> Self {
        let mut timeout = Self { patience, estimate: None, now: Duration::ZERO };
        timeout.reset();
        timeout
    }

    /// Returns how long a beat sent now may wait.
    pub(super) fn get(&self) -> Duration {
        self.now
    }

    /// Forgets what was measured: another connection runs over another path.
    pub(super) fn reset(&mut self) {
        self.estimate = None;
        self.now = match self.patience {
            Patience::Fixed(timeout) => timeout.get(),
            Patience::Estimated(rto) => rto.first.get(),
        };
    }

    /// Learns from a round trip that was measured.
    pub(super) fn sampled(&mut self, rtt: Duration) {
        let Patience::Estimated(rto) = self.patience else { return };
        let sample = rtt.as_micros() as f64;
        let (srtt, rttvar) = match self.estimate {
            None => (sample, sample / 2.0),
            // The variation first, by the old mean: the order matters (RFC 6298, 2.3).
            Some((srtt, rttvar)) => (0.875 * srtt + 0.125 * sample, 0.75 * rttvar + 0.25 * (srtt - sample).abs()),
        };
        self.estimate = Some((srtt, rttvar));
        let granularity = rto.granularity.get().as_micros() as f64;
        let micros = (srtt + granularity.max(4.0 * rttvar)).ceil() as u64;
        self.now = Duration::from_micros(micros).max(rto.floor.get()).min(rto.cap.get());
    }

    /// A beat was not answered in time.
    pub(super) fn expired(&mut self) {
        if let Patience::Estimated(rto) = self.patience {
            self.now = (self.now * 2).min(rto.cap.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Action, Event, GiveUp, HeartbeatSpec,
        heartbeat::{AnsweredBy, Composed, FirstBeat, Grid, Judges, LateReply, Reply, ScheduleSpec},
        testing::{CONNECTED, beat, play, rng},
    };

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn timeout(floor: Span, cap: Span) -> Timeout {
        Timeout::new(Patience::Estimated(Rto { floor, cap, ..Rto::default() }))
    }

    #[test]
    fn a_constant_round_trip_wears_the_variation_down_by_a_quarter_each_time() {
        let mut timeout = timeout(Span::millis(1), Span::secs(60));
        assert_eq!(timeout.get(), Duration::from_secs(1), "before the first sample");
        // R = 1024 us: RTTVAR = 512, 384, 288, 216, 162, 121.5, so R + 4 RTTVAR, rounded up.
        for expected in [3072, 2560, 2176, 1888, 1672, 1510] {
            timeout.sampled(Duration::from_micros(1024));
            assert_eq!(timeout.get(), Duration::from_micros(expected));
        }
        for _ in 0..100 {
            timeout.sampled(Duration::from_micros(1024));
        }
        assert_eq!(timeout.get(), Duration::from_micros(1025), "R itself, rounded up");
    }

    #[test]
    fn granularity_stands_in_for_a_variation_that_is_finer() {
        let rto = Rto { floor: Span::millis(1), granularity: Delay::millis(10), ..Rto::default() };
        let mut timeout = Timeout::new(Patience::Estimated(rto));
        for _ in 0..100 {
            timeout.sampled(ms(200));
        }
        assert_eq!(timeout.get(), ms(210));
    }

    #[test]
    fn the_variation_is_taken_by_the_old_mean() {
        let mut timeout = timeout(Span::millis(1), Span::secs(60));
        timeout.sampled(ms(100));
        // RTTVAR = 3/4 * 50 + 1/4 * |100 - 300| = 87.5; SRTT = 7/8 * 100 + 1/8 * 300 = 125; 125 + 4 * 87.5 = 475.
        // The other way round it would be 125 + 4 * (37.5 + 43.75) = 450.
        timeout.sampled(ms(300));
        assert_eq!(timeout.get(), ms(475));
    }

    #[test]
    fn doubling_adds_up_to_what_linux_documents_for_15_and_8_retries() {
        let mut timeout = timeout(Span::millis(200), Span::secs(120));
        // 40 ms and a variation that has worn down: at the floor of 200 ms.
        (0..30).for_each(|_| timeout.sampled(ms(40)));
        assert_eq!(timeout.get(), ms(200));
        let mut waited = Duration::ZERO;
        for retry in 0..=15 {
            waited += timeout.get();
            timeout.expired();
            // 0.2 (2^9 - 1) s.
            assert!(retry != 8 || waited == ms(102_200));
        }
        // 0.2 (2^10 - 1) + 6 * 120 s.
        assert_eq!(waited, ms(924_600));
        timeout.sampled(ms(40));
        assert_eq!(timeout.get(), ms(200), "a measured round trip ends the doubling");
    }

    #[test]
    fn a_new_connection_has_measured_nothing() {
        let mut timeout = timeout(Span::millis(200), Span::secs(60));
        timeout.sampled(ms(40));
        timeout.reset();
        assert_eq!(timeout.get(), Duration::from_secs(1));
    }

    #[test]
    fn what_is_fixed_neither_learns_nor_doubles() {
        let mut timeout = Timeout::new(Span::secs(15).into());
        timeout.sampled(ms(40));
        timeout.expired();
        assert_eq!(timeout.get(), Duration::from_secs(15));
    }

    #[test]
    fn what_cannot_be_read_is_told_what_is_wrong_with_it() {
        #[derive(Debug, Deserialize)]
        struct File {
            timeout: Patience,
        }
        let read = |text: &str| toml::from_str::<File>(text).map(|file| file.timeout);
        assert_eq!(read("timeout = \"15s\"").unwrap(), Span::secs(15).into());
        let rto = Rto { cap: Span::secs(30), ..Rto::default() };
        assert_eq!(read("timeout = { cap = \"30s\" }").unwrap(), Patience::Estimated(rto));
        for (text, error) in [
            ("timeout = \"0s\"", "longer than zero"),
            ("timeout = \"-5s\"", "negative"),
            ("timeout = 15", "expected a duration such as"),
            ("timeout = { flor = \"1s\" }", "unknown field `flor`"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(error), "{message}");
        }
    }

    #[test]
    fn limits_that_exceed_the_cap_are_named() {
        let paths = |rto| -> Vec<_> {
            Patience::Estimated(rto).problems_at("reply").into_iter().map(|problem| problem.path).collect()
        };
        assert_eq!(paths(Rto::default()), Vec::<String>::new());
        assert_eq!(paths(Rto { floor: Span::secs(61), ..Rto::default() }), ["reply.timeout.floor"]);
        let cap = Span::millis(500);
        assert_eq!(paths(Rto { cap, floor: cap, ..Rto::default() }), ["reply.timeout.first"]);
    }

    #[test]
    fn a_beat_waits_as_long_as_the_round_trips_suggest_and_twice_as_long_after_a_miss() {
        let timeout = Patience::Estimated(Rto { floor: Span::millis(200), cap: Span::secs(10), ..Rto::default() });
        let reply = Reply { timeout, misses: 3, evidence: AnsweredBy::Reply, late_reply: LateReply::Counts };
        let grid =
            Grid { interval: Span::secs(10), shortest: None, first_beat: FirstBeat::Interval, unless_sent: false };
        let spec = HeartbeatSpec::Composed(Box::new(Composed {
            judge: Judges { reply: Some(reply), ..Judges::default() },
            ..Composed::new(ScheduleSpec::Grid(grid))
        }));
        assert_eq!(spec.problems(), Vec::new());
        let answered = |id, rtt| Some(Event::HeartbeatReply { id, rtt: ms(rtt) });
        play(
            &mut *spec.build(rng(0)),
            &[
                (0, Some(CONNECTED), &[]),
                (10_000, None, &[beat(0)]),
                // Nothing is measured yet: 1 s.
                (11_000, None, &[Action::Suspect]),
                // SRTT 1.6, RTTVAR 0.8: 4.8 s, whatever was doubled.
                (11_600, answered(0, 1_600), &[Action::Trust]),
                (20_000, None, &[beat(1)]),
                (24_800, None, &[Action::Suspect]),
                (30_000, None, &[beat(2)]),
                (39_600, None, &[]),
                (40_000, None, &[beat(3)]),
                // 19.2 s, were it not for the cap.
                (50_000, None, &[Action::GiveUp(GiveUp::NoReply)]),
            ],
        );
    }

    proptest! {
        #[test]
        fn an_estimate_keeps_its_limits(steps in prop::collection::vec(prop::option::of(0_u64..200_000), 1..100)) {
            let mut timeout = timeout(Span::millis(200), Span::secs(30));
            for step in steps {
                match step {
                    Some(rtt) => timeout.sampled(ms(rtt)),
                    None => timeout.expired(),
                }
                prop_assert!((ms(200)..=Duration::from_secs(30)).contains(&timeout.get()));
            }
        }
    }
}
