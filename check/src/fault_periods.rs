//! When the faults of a world are at work, where that can be read off their configuration: faults at given times that last
//! a given time. Faults at random moments are drawn by the simulator, and have no such answer.

use cardiogram_policies::Time;
use cardiogram_sim::config::FaultConfig;

/// A time in which something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) begin: Time,
    /// `None`: it does not end.
    pub(crate) end: Option<Time>,
}

impl Period {
    /// Returns whether it is a single moment, and this one.
    pub(crate) fn is_instant_at(&self, moment: Time) -> bool {
        self.begin == moment && self.end == Some(moment)
    }
}

/// Returns every time in which one of `faults` is at work; `None` where some of them are not known before the run.
pub(crate) fn periods(faults: &[FaultConfig]) -> Option<Vec<Period>> {
    let of_fault = |fault: &FaultConfig| {
        let period = |(begin, end)| Period { begin, end };
        fault.periods().map(|periods| periods.into_iter().map(period).collect::<Vec<_>>())
    };
    faults.iter().map(of_fault).collect::<Option<Vec<_>>>().map(|periods| periods.concat())
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::{Delay, Span};
    use cardiogram_sim::config::{Answer, Carrier, Cut, Direction, Distribution, LinkName, NatFlush, When};

    use super::*;

    fn cut(when: When, lasts: Option<Distribution>) -> FaultConfig {
        let (link, direction, answers) = (LinkName::Access, Direction::Both, Answer::Nothing);
        FaultConfig::Cut(Cut { devices: None, link, direction, when, lasts, answers, carrier: Carrier::Kept })
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
