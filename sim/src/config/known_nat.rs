//! The heartbeat with a known NAT timeout: in this laboratory it is a fixed heartbeat whose numbers come from the world's
//! [`Bounds`]. No product can have it, so that `cardiogram-policies` has its parameters alone. It knows nothing of faults, and
//! is no ceiling: what no policy can avoid is said by the truth (`verdict/downtime.rs`).

use std::borrow::Cow;

use cardiogram_policies::{
    Bounds, HeartbeatSpec, Promises, StrategySpec,
    heartbeat::{FirstBeat, Fixed, KnownNatTimeout, LateReply},
    unit::Span,
};

use super::WorldConfig;

/// Returns `heartbeat` as it runs within `bounds`: one with a known NAT timeout as the fixed heartbeat that it is there, every other as it is.
pub fn within<'a>(heartbeat: &'a HeartbeatSpec, bounds: &Bounds) -> Cow<'a, HeartbeatSpec> {
    match heartbeat {
        HeartbeatSpec::KnownNatTimeout(spec) => Cow::Owned(HeartbeatSpec::Fixed(fixed(spec, bounds))),
        other => Cow::Borrowed(other),
    }
}

/// Returns what `strategy` guarantees within `bounds`, those of a known NAT timeout included.
pub fn promises(strategy: &StrategySpec, bounds: &Bounds) -> Promises {
    match within(&strategy.heartbeat, bounds) {
        Cow::Borrowed(_) => strategy.promises(bounds),
        Cow::Owned(heartbeat) => {
            let mut known = strategy.clone();
            known.heartbeat = heartbeat;
            known.promises(bounds)
        }
    }
}

impl WorldConfig {
    /// Returns what the world's strategy guarantees in it.
    pub fn promises(&self) -> Promises {
        promises(&self.strategy, &self.bounds())
    }
}

/// Returns the fixed heartbeat that `spec` is within `bounds`: the longest interval that keeps the NAT's mapping, and the
/// shortest timeout that no healthy reply exceeds.
///
/// The gap between two packets at the NAT exceeds the interval by at most the difference of two one-way delays, which is less
/// than a round trip; hence `nat_timeout - rtt_max - margin`. The interval is never shorter than the timeout.
pub fn fixed(spec: &KnownNatTimeout, bounds: &Bounds) -> Fixed {
    let timeout = Span::at_least(bounds.rtt_max);
    let kept = bounds.nat_timeout.map(|nat| nat.saturating_sub(bounds.rtt_max + spec.margin.get()));
    let interval = kept.map_or(spec.max_interval, |kept| Span::at_least(kept).min(spec.max_interval)).max(timeout);
    Fixed { interval, timeout, misses: spec.misses, first_beat: FirstBeat::Interval, late_reply: LateReply::Counts }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn behind(rtt_max: Duration, nat_timeout: Option<Duration>) -> (Duration, Duration) {
        let mut bounds = Bounds::healthy(rtt_max);
        bounds.nat_timeout = nat_timeout;
        let fixed = fixed(&KnownNatTimeout::default(), &bounds);
        let heartbeat = HeartbeatSpec::Fixed(fixed.clone());
        assert_eq!(heartbeat.problems(), Vec::new());
        assert!(heartbeat.promises(&bounds).no_false_alarm);
        assert_eq!(*within(&HeartbeatSpec::KnownNatTimeout(KnownNatTimeout::default()), &bounds), heartbeat);
        (fixed.interval.get(), fixed.timeout.get())
    }

    #[test]
    fn it_beats_just_often_enough_for_the_nat_and_waits_one_round_trip() {
        let (millis, secs) = (Duration::from_millis, Duration::from_secs);
        assert_eq!(behind(millis(200), Some(secs(300))), (millis(298_800), millis(200)));
        // No NAT, or one that forgets late: the longest interval.
        assert_eq!(behind(millis(200), None), (secs(1800), millis(200)));
        assert_eq!(behind(millis(200), Some(secs(7200))), (secs(1800), millis(200)));
        // A NAT so short that no interval saves the mapping: still one beat at a time.
        assert_eq!(behind(secs(2), Some(secs(3))), (secs(2), secs(2)));
        // Finer than a microsecond, or nothing at all: rounded up.
        assert_eq!(behind(Duration::ZERO, None).1, Duration::from_micros(1));
        assert_eq!(behind(Duration::from_nanos(1_001), None).1, Duration::from_micros(2));
    }
}
