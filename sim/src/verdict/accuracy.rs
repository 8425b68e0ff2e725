//! How far a failure detector's output can be trusted, after Chen, Toueg and Aguilera (IEEE Trans. Computers 51(5),
//! 2002): its mistakes while nothing is broken. How fast it notices what is broken is in the episodes.
//!
//! The output is *trust* from the moment a session is up, *suspect* from the moment the policy says so or the device
//! leaves the session (not on purpose), whichever comes first. A **mistake** is a turn to suspect while the session is
//! usable; it lasts until the output is trust again: in this session, or in the next one if the device left it. What is
//! observed are the stretches in which nothing is broken: usable sessions, and what a mistake makes of them. A stretch ends
//! where something real breaks, and a mistake that is under way ends with it, uncorrected. Where a session becomes usable
//! while it is suspected, observation begins with the next trust: how long that suspicion is one of a living session depends
//! on the failure, not on the detector.

use std::time::Duration;

use cardiogram_policies::Time;

use crate::verdict::outcome::{Accuracy, Mistake};

/// The output of one device's detector.
pub(crate) struct Output {
    device: u32,
    trusts: bool,
    /// When it turned last.
    turned: Time,
    /// When the mistake under way began.
    mistaken: Option<Time>,
}

impl Output {
    /// The output before the first session: there is nothing to trust.
    pub(crate) const fn new(device: u32) -> Self {
        Self { device, trusts: false, turned: Time::ZERO, mistaken: None }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, span: Duration, usable: bool, accuracy: &mut Accuracy) {
        let trusted = usable && self.trusts;
        if trusted {
            accuracy.trusted += span;
        }
        if trusted || self.mistaken.is_some() {
            accuracy.observed += span;
        }
    }

    /// The output is suspect from now on; `usable` says of what.
    pub(crate) fn suspect(&mut self, now: Time, usable: bool, accuracy: &mut Accuracy) {
        if !self.trusts {
            return;
        }
        (self.trusts, self.turned) = (false, now);
        accuracy.suspicions += 1;
        if usable {
            self.mistaken = Some(now);
        }
    }

    /// The output is trust from now on.
    pub(crate) fn trust(&mut self, now: Time, accuracy: &mut Accuracy) {
        if self.trusts {
            return;
        }
        (self.trusts, self.turned) = (true, now);
        self.end_mistake(now, true, accuracy);
    }

    /// The stretch in which nothing was broken is over, or the run is.
    pub(crate) fn end_stretch(&mut self, now: Time, accuracy: &mut Accuracy) {
        self.end_mistake(now, false, accuracy);
    }

    /// Since when the output has been suspect, as far as an episode from `begin` on is concerned.
    pub(crate) fn suspects_since(&self, begin: Time) -> Option<Time> {
        (!self.trusts).then(|| self.turned.max(begin))
    }

    fn end_mistake(&mut self, end: Time, corrected: bool, accuracy: &mut Accuracy) {
        if let Some(begin) = self.mistaken.take() {
            accuracy.mistakes.push(Mistake { device: self.device, begin, end, corrected });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens to the output or to the world.
    #[derive(Clone, Copy)]
    enum Turn {
        /// A session is up and usable.
        Up,
        Suspect,
        Trust,
        /// The session breaks.
        Break,
        /// It is usable again.
        Heal,
    }
    use Turn::{Break, Heal, Suspect, Trust, Up};

    /// Returns the accuracy of a timeline in seconds that ends at 1000.
    fn accuracy(turns: &[(u64, Turn)]) -> Accuracy {
        let (mut output, mut accuracy) = (Output::new(0), Accuracy::default());
        let (mut usable, mut then) = (false, 0);
        for &(at, turn) in turns {
            output.pass(Duration::from_secs(at - then), usable, &mut accuracy);
            then = at;
            let now = Time::from_secs(at);
            match turn {
                Up => {
                    usable = true;
                    output.trust(now, &mut accuracy);
                }
                Suspect => output.suspect(now, usable, &mut accuracy),
                Trust => output.trust(now, &mut accuracy),
                Break => {
                    usable = false;
                    output.end_stretch(now, &mut accuracy);
                }
                Heal => usable = true,
            }
        }
        output.pass(Duration::from_secs(1_000 - then), usable, &mut accuracy);
        output.end_stretch(Time::from_secs(1_000), &mut accuracy);
        accuracy
    }

    fn mistake(begin: u64, end: u64, corrected: bool) -> Mistake {
        Mistake { device: 0, begin: Time::from_secs(begin), end: Time::from_secs(end), corrected }
    }

    fn books(accuracy: &Accuracy) -> (u64, u64, u64) {
        (accuracy.suspicions, accuracy.observed.as_secs(), accuracy.trusted.as_secs())
    }

    #[test]
    fn mistakes_are_the_suspicions_of_a_usable_session() {
        let timeline = [(100, Up), (300, Suspect), (310, Trust), (500, Suspect), (530, Trust)];
        let found = accuracy(&timeline);
        assert_eq!(found.mistakes, [mistake(300, 310, true), mistake(500, 530, true)]);
        // T_MR = 900 / 2, T_M = 20, P_A = 860 / 900 = 1 - 20 / 450.
        assert_eq!(books(&found), (2, 900, 860));
    }

    #[test]
    fn a_suspicion_of_a_broken_session_is_no_mistake_and_its_time_is_not_observed() {
        let found = accuracy(&[(100, Up), (300, Break), (320, Suspect), (400, Up)]);
        assert_eq!(found.mistakes, []);
        assert_eq!(books(&found), (1, 800, 800));
    }

    #[test]
    fn a_break_ends_a_mistake_uncorrected() {
        let found = accuracy(&[(100, Up), (300, Suspect), (320, Break), (400, Up)]);
        assert_eq!(found.mistakes, [mistake(300, 320, false)]);
        assert_eq!(books(&found), (1, 820, 800));
    }

    #[test]
    fn a_session_that_heals_suspected_is_observed_from_the_next_trust_on() {
        let found = accuracy(&[(100, Up), (300, Break), (320, Suspect), (400, Heal), (450, Trust), (600, Suspect)]);
        assert_eq!(found.mistakes, [mistake(600, 1_000, false)]);
        assert_eq!(books(&found), (2, 200 + 150 + 400, 200 + 150));
    }

    #[test]
    fn the_time_of_a_suspicion_that_a_break_finds_is_the_break() {
        let (mut output, mut accuracy) = (Output::new(0), Accuracy::default());
        assert_eq!(output.suspects_since(Time::from_secs(5)), Some(Time::from_secs(5)));
        output.trust(Time::from_secs(1), &mut accuracy);
        assert_eq!(output.suspects_since(Time::from_secs(5)), None);
        output.suspect(Time::from_secs(7), true, &mut accuracy);
        assert_eq!(output.suspects_since(Time::from_secs(5)), Some(Time::from_secs(7)));
        assert_eq!(output.suspects_since(Time::from_secs(9)), Some(Time::from_secs(9)));
    }
}
