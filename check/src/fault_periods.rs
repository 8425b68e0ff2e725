//! When the faults of a world are at work, where that can be read off their configuration: faults at given times that last
//! a given time. Faults at random moments are drawn by the simulator, and have no such answer.

use std::time::Duration;

use cardiogram_policies::Time;
use cardiogram_sim::config::{Distribution, FaultConfig, When};

/// A time in which something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) begin: Time,
    /// `None`: it does not end.
    pub(crate) end: Option<Time>,
}

impl Period {
    /// Whether it is a single moment, and this one.
    pub(crate) fn is_instant_at(&self, moment: Time) -> bool {
        self.begin == moment && self.end == Some(moment)
    }
}

/// How long a fault has an effect.
enum Lasts {
    /// To the end of the run.
    ForEver,
    For(Duration),
    /// Nobody knows before the run.
    Unknown,
}

/// Every time in which one of `faults` is at work; `None` where some of them are not known before the run.
pub(crate) fn periods(faults: &[FaultConfig]) -> Option<Vec<Period>> {
    faults.iter().map(of_fault).collect::<Option<Vec<_>>>().map(|periods| periods.concat())
}

fn of_fault(fault: &FaultConfig) -> Option<Vec<Period>> {
    let (when, lasts) = timing(fault)?;
    let When::At(times) = when else { return None };
    let period = |at: Time| match lasts {
        Lasts::ForEver => Some(Period { begin: at, end: None }),
        Lasts::For(span) => Some(Period { begin: at, end: Some(at + span) }),
        Lasts::Unknown => None,
    };
    times.iter().map(|at| period(Time::ZERO + at.get())).collect()
}

/// When a fault begins, and how long its effect lasts: what it delayed, or took the process to come back, included.
fn timing(fault: &FaultConfig) -> Option<(&When, Lasts)> {
    let after = |lasts: &Option<Distribution>, more: Duration| match lasts {
        None => Lasts::ForEver,
        Some(Distribution::Constant(span)) => Lasts::For(span.get() + more),
        Some(_) => Lasts::Unknown,
    };
    let of = |lasts: &Option<Distribution>| after(lasts, Duration::ZERO);
    // A packet may be put off by as much at the last moment.
    let late = |delay: &Distribution| delay.practical_max();
    let instant = Lasts::For(Duration::ZERO);
    Some(match fault {
        FaultConfig::Cut(it) => (&it.when, of(&it.lasts)),
        FaultConfig::LossBurst(it) => (&it.when, of(&it.lasts)),
        FaultConfig::Flapping(it) if it.cycles.is_none() => (&it.when, of(&it.lasts)),
        FaultConfig::Flapping(it) => {
            (&it.when, Lasts::For((it.down.get() + it.up.get()) * it.cycles.expect("the guard above")))
        }
        FaultConfig::DelaySpike(it) => (&it.when, after(&it.lasts, late(&it.delay))),
        FaultConfig::Duplication(it) => (&it.when, after(&it.lasts, late(&it.delay))),
        FaultConfig::Reordering(it) => (&it.when, after(&it.lasts, late(&it.delay))),
        FaultConfig::RateLimit(it) => (&it.when, after(&it.lasts, it.queue.get())),
        FaultConfig::Handover(it) => (&it.when, of(&Some(it.lasts.clone()))),
        FaultConfig::NatFlush(it) => (&it.when, instant),
        // What it shortened may run out later.
        FaultConfig::NatTimeout(it) => (&it.when, after(&it.lasts, it.established.get())),
        FaultConfig::Malformed(it) => (&it.when, instant),
        FaultConfig::Stall(it) | FaultConfig::Pause(it) | FaultConfig::Crash(it) | FaultConfig::Vanish(it) => {
            (&it.when, of(&it.lasts))
        }
        FaultConfig::Restart(it) => {
            (&it.when, if it.lasts.is_none() { Lasts::For(Duration::from_secs(2)) } else { of(&it.lasts) })
        }
        FaultConfig::Overload(it) => (&it.when, of(&it.lasts)),
        FaultConfig::Drain(it) => (&it.when, Lasts::For(it.over.get() + it.restart.get())),
        FaultConfig::Switch(it) => {
            let gap = match &it.gap {
                None => Duration::ZERO,
                Some(gap) => gap.practical_max(),
            };
            // A move to another network lasts, one to another address is over at once.
            (&it.when, if it.to.is_some() { after(&it.lasts, gap) } else { Lasts::For(gap) })
        }
        FaultConfig::LeaseExpiry(it) => (&it.when, of(&it.lasts)),
        FaultConfig::Kill(it) => (&it.when, of(&it.lasts)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::{Delay, Span};
    use cardiogram_sim::config::{Cut, Direction, LinkName, NatFlush};

    use super::*;

    fn cut(when: When, lasts: Option<Distribution>) -> FaultConfig {
        FaultConfig::Cut(Cut { link: LinkName::Access, direction: Direction::Both, when, lasts })
    }

    #[test]
    fn faults_at_given_times_have_known_periods() {
        let at = |secs: &[u64]| When::At(secs.iter().map(|secs| Delay::millis(secs * 1_000)).collect());
        let faults = [
            cut(at(&[10, 50]), Some(Distribution::Constant(Span::secs(5)))),
            cut(at(&[100]), None),
            FaultConfig::NatFlush(NatFlush { network: None, nat: None, when: at(&[70]) }),
        ];
        let period = |begin, end: Option<u64>| Period { begin: Time::from_secs(begin), end: end.map(Time::from_secs) };
        let expected = [period(10, Some(15)), period(50, Some(55)), period(100, None), period(70, Some(70))];
        assert_eq!(periods(&faults), Some(expected.to_vec()));
    }

    #[test]
    fn faults_at_random_moments_have_none() {
        assert_eq!(periods(&[cut(When::Every(Span::secs(10)), None)]), None);
    }
}
