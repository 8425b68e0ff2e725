//! From a world that breaks a promise to the simplest that still does: few faults, one device, nothing that is not needed,
//! round numbers.
//!
//! proptest's own shrinking makes each drawn number small, which is not what a person calls simple: `10m` is simpler than
//! `597003ms`, and a NAT that never forgets is simpler than one that forgets after a second. So the worlds are drawn by
//! proptest and made simpler here, by trying one simplification after the other until none is left that keeps the promise
//! broken. It is deterministic, and ends after at most [`RUNS_MAX`] runs.

use std::time::Duration;

use cardiogram_policies::unit::{format_duration, parse_duration};
use cardiogram_sim::config::{
    Answer, Carrier, Cut, Direction, FaultConfig, FaultKind, LinkName, NatClass, NatFlush, NatRefresh, When,
};

use toml::Table;

use super::draft::{Draft, Strike, read};

/// The most runs that are spent on one counterexample.
const RUNS_MAX: u32 = 2_000;

/// What lengths of time are rounded to, the roundest first.
const ROUND: [Duration; 10] = [
    Duration::from_secs(3_600),
    Duration::from_secs(600),
    Duration::from_secs(60),
    Duration::from_secs(30),
    Duration::from_secs(10),
    Duration::from_secs(5),
    Duration::from_secs(1),
    Duration::from_millis(100),
    Duration::from_millis(10),
    Duration::from_millis(1),
];

/// The delays of a common path.
const ACCESS: Duration = Duration::from_millis(30);
const CORE: Duration = Duration::from_millis(20);

/// A world with its seed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) draft: Draft,
    pub(crate) seed: u64,
}

/// Returns the simplest case that `breaks`, as far as single simplifications lead from `case`, which does.
pub(crate) fn shrink(case: Case, breaks: impl FnMut(&Case) -> bool) -> Case {
    let mut search = Search { best: case, breaks, runs: 0 };
    while search.runs < RUNS_MAX {
        let before = search.best.clone();
        search.fewer_faults();
        search.better_known_faults();
        search.plainer_world();
        search.rounder_times();
        if search.best == before {
            break;
        }
    }
    search.best
}

struct Search<F> {
    best: Case,
    breaks: F,
    runs: u32,
}

impl<F: FnMut(&Case) -> bool> Search<F> {
    /// Takes `change` of the best case for the new best if it makes a difference and the promise is still broken.
    fn try_change(&mut self, change: impl FnOnce(&mut Case)) -> bool {
        let mut case = self.best.clone();
        change(&mut case);
        if case == self.best || self.runs >= RUNS_MAX {
            return false;
        }
        self.runs += 1;
        let is_broken = (self.breaks)(&case);
        if is_broken {
            self.best = case;
        }
        is_broken
    }

    fn fewer_faults(&mut self) {
        // Half of them at a time first, as delta debugging does.
        let count = self.best.draft.strikes.len();
        if count > 3 {
            self.try_change(|case| drop(case.draft.strikes.drain(..count / 2)));
        }
        for place in (0..self.best.draft.strikes.len()).rev() {
            self.try_change(|case| drop(case.draft.strikes.remove(place)));
        }
        for place in 0..self.best.draft.strikes.len() {
            while self.best.draft.strikes[place].at.len() > 1
                && self.try_change(|case| _ = case.draft.strikes[place].at.pop())
            {}
        }
    }

    fn plainer_world(&mut self) {
        self.try_change(|case| (case.draft.up, case.draft.down) = (None, None));
        self.try_change(|case| case.draft.up = None);
        self.try_change(|case| case.draft.down = None);
        self.try_change(|case| (case.draft.alarm_grid, case.draft.doze_after) = (None, None));
        self.try_change(|case| case.draft.jitter = None);
        self.try_change(|case| case.draft.devices = 1);
        self.try_change(|case| case.draft.start_within = Duration::ZERO);
        self.try_change(|case| case.draft.servers = 1);
        self.try_change(|case| case.draft.nat_timeout = None);
        self.try_change(|case| case.draft.nat_refresh = NatRefresh::Both);
        self.try_change(|case| case.draft.nat_class = NatClass::DropSilent);
        self.try_change(|case| case.seed = 1);
        for place in 0..self.best.draft.strikes.len() {
            let (kind, keys) = self.best.draft.strikes[place].keys();
            for key in keys.keys() {
                let mut fewer = self.best.draft.strikes[place].keys().1;
                fewer.remove(key);
                // A key that is needed stays.
                let Some(plainer) = timeless(kind, fewer) else { continue };
                self.try_change(|case| case.draft.strikes[place].what = plainer);
            }
        }
    }

    /// Puts well-known faults in the place of those that have to be explained: a NAT that restarts, a cut.
    fn better_known_faults(&mut self) {
        for place in 0..self.best.draft.strikes.len() {
            let Strike { what, .. } = &self.best.draft.strikes[place];
            if [FaultKind::NatFlush, FaultKind::Cut].contains(&what.kind()) {
                continue;
            }
            let when = When::At(Vec::new());
            let flush = FaultConfig::NatFlush(NatFlush { network: None, nat: None, when: when.clone() });
            let (link, direction) = (LinkName::Access, Direction::Both);
            let cut = FaultConfig::Cut(Cut {
                devices: None,
                link,
                direction,
                when,
                lasts: None,
                answers: Answer::Nothing,
                carrier: Carrier::Kept,
            });
            let was_flushed = self.try_change(|case| {
                let strike = &mut case.draft.strikes[place];
                (strike.what, strike.lasts) = (flush, None);
                case.draft.nat_timeout = None;
            });
            if !was_flushed {
                self.try_change(|case| case.draft.strikes[place].what = cut);
            }
        }
    }

    fn rounder_times(&mut self) {
        // A path as there are many; only what the break needs differs from it.
        self.try_change(|case| (case.draft.access, case.draft.core) = (ACCESS, CORE));
        self.try_change(|case| case.draft.access = ACCESS);
        self.try_change(|case| case.draft.core = CORE);
        self.round_down(|draft| Some(&mut draft.access));
        self.round_down(|draft| Some(&mut draft.core));
        self.round(|draft| draft.jitter.as_mut());
        self.round(|draft| draft.nat_timeout.as_mut());
        self.round(|draft| draft.up.as_mut());
        self.round(|draft| draft.down.as_mut());
        self.round(|draft| draft.alarm_grid.as_mut());
        self.round(|draft| draft.doze_after.as_mut());
        self.round(|draft| Some(&mut draft.start_within));
        for place in 0..self.best.draft.strikes.len() {
            match self.best.draft.strikes[place].at[..] {
                [_] => self.round(|draft| Some(&mut draft.strikes[place].at[0])),
                _ => self.rounder_series(place),
            }
            self.round(|draft| draft.strikes[place].lasts.as_mut());
            self.rounder_keys(place);
        }
        // Shorter first: an end that is far away is one more thing to read past.
        for shorter in [4, 2] {
            while self.try_change(|case| case.draft.duration -= case.draft.duration / shorter) {}
        }
        self.round(|draft| Some(&mut draft.duration));
    }

    /// A fault that strikes again and again does so at round times, as far from each other.
    fn rounder_series(&mut self, place: usize) {
        let at = self.best.draft.strikes[place].at.clone();
        let (first, gap) = (at[0], at[1].saturating_sub(at[0]));
        for unit in [1_000, 500, 100].map(Duration::from_millis) {
            let down =
                |span: Duration| Duration::from_micros((span.as_micros() / unit.as_micros() * unit.as_micros()) as u64);
            for gap in [down(gap), down(gap) + unit].into_iter().filter(|gap| !gap.is_zero()) {
                let series: Vec<Duration> = (0..at.len() as u32).map(|time| down(first) + gap * time).collect();
                if series == at || self.try_change(|case| case.draft.strikes[place].at = series) {
                    return;
                }
            }
        }
    }

    /// Rounds the lengths of time that a fault has beside when and how long.
    fn rounder_keys(&mut self, place: usize) {
        let (kind, keys) = self.best.draft.strikes[place].keys();
        let spans = keys.iter().filter_map(|(key, value)| Some((key, parse_duration(value.as_str()?).ok()?)));
        for (key, now) in spans {
            self.round_to(
                now,
                |down, unit| [down, down + unit].to_vec(),
                |draft, rounded| {
                    let mut keys = draft.strikes[place].keys().1;
                    keys.insert(key.clone(), format_duration(rounded).into());
                    if let Some(rounder) = timeless(kind, keys) {
                        draft.strikes[place].what = rounder;
                    }
                },
            );
        }
    }

    /// Rounds one length of time, down or up, to the roundest at which the promise is still broken.
    fn round(&mut self, part: impl Fn(&mut Draft) -> Option<&mut Duration>) {
        self.round_part(part, |down, unit| [down, down + unit].to_vec());
    }

    /// Makes a duration rounder, down alone: no delay grows because it is rounder.
    fn round_down(&mut self, part: impl Fn(&mut Draft) -> Option<&mut Duration>) {
        self.round_part(part, |down, _| [down].to_vec());
    }

    fn round_part(
        &mut self,
        part: impl Fn(&mut Draft) -> Option<&mut Duration>,
        candidates: impl Fn(Duration, Duration) -> Vec<Duration>,
    ) {
        let Some(now) = part(&mut self.best.draft.clone()).copied() else { return };
        self.round_to(now, candidates, |draft, rounded| *part(draft).expect("it was there before") = rounded);
    }

    fn round_to(
        &mut self,
        now: Duration,
        candidates: impl Fn(Duration, Duration) -> Vec<Duration>,
        set: impl Fn(&mut Draft, Duration),
    ) {
        for unit in ROUND {
            if now.as_micros().is_multiple_of(unit.as_micros()) && !now.is_zero() {
                return;
            }
            let down = Duration::from_micros((now.as_micros() / unit.as_micros() * unit.as_micros()) as u64);
            // Nothing is rounded to more than twice of what it was.
            let candidates = candidates(down, unit).into_iter().filter(|it| !it.is_zero() && *it <= 2 * now);
            for rounded in candidates {
                if self.try_change(|case| set(&mut case.draft, rounded)) {
                    return;
                }
            }
        }
    }
}

/// Returns the fault of these keys, without the times that a strike has.
fn timeless(kind: &str, keys: Table) -> Option<FaultConfig> {
    read(kind, keys).map(|fault| fault.struck(When::At(Vec::new()), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        let what = |text: &str| toml::from_str::<FaultConfig>(text).unwrap();
        let strike = |fault: &str, at: u64, lasts: u64| Strike {
            what: what(fault),
            at: vec![Duration::from_millis(at)],
            lasts: Some(Duration::from_millis(lasts)),
        };
        let draft = Draft {
            duration: Duration::from_millis(3_500_123),
            devices: 3,
            start_within: Duration::from_millis(777),
            access: Duration::from_millis(37),
            jitter: Some(Duration::from_millis(13)),
            core: Duration::from_millis(21),
            nat_timeout: Some(Duration::from_millis(299_999)),
            nat_refresh: NatRefresh::Outbound,
            nat_class: NatClass::FinInside,
            servers: 2,
            up: Some(Duration::from_millis(31_415)),
            down: None,
            alarm_grid: Some(Duration::from_millis(9_999)),
            doze_after: None,
            strikes: vec![
                strike("loss-burst = { when.at = [], loss = 0.37 }", 10_111, 5_003),
                strike("cut = { when.at = [], direction = \"up\" }", 597_003, 61_234),
                strike("server-stall.when.at = []", 1_000_777, 45_001),
                strike("process-killed.when.at = []", 2_000_000, 1_000),
            ],
        };
        Case { draft, seed: 0xdead_beef }
    }

    #[test]
    fn what_is_not_needed_goes_and_what_is_left_is_round() {
        let is_stall = |strike: &Strike| {
            strike.what.kind() == FaultKind::ServerStall && strike.lasts >= Some(Duration::from_secs(45))
        };
        let shrunk = shrink(case(), |case| {
            case.draft.strikes.iter().any(|strike| is_stall(strike) && case.draft.duration > strike.at[0])
        });
        let Draft { duration, devices, jitter, strikes, up, alarm_grid, .. } = &shrunk.draft;
        assert_eq!((*devices, *jitter, *up, *alarm_grid, shrunk.seed), (1, None, None, None, 1));
        let [stall] = &strikes[..] else { panic!("{strikes:?}") };
        assert_eq!(stall.what.kind(), FaultKind::ServerStall);
        for span in [*duration, stall.at[0], stall.lasts.unwrap()] {
            assert!(span.as_secs() % 60 == 0 && span.subsec_nanos() == 0, "{span:?}");
        }
    }

    #[test]
    fn what_is_needed_stays_as_it_is() {
        let shrunk = shrink(case(), |it| it.draft == case().draft);
        assert_eq!(shrunk.draft, case().draft);
    }
}
