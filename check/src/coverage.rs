//! What came about in the worlds of a check: how often each promise was tested, which faults were drawn, what broke sessions.
//! A sweep that never met what it claims to test proves nothing, and says so.

use std::collections::{BTreeMap, BTreeSet};

use cardiogram_sim::outcome::Cause;

use super::{Trial, draft::Strike, name_of, promise::Rule};

/// How often something came about in the worlds of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Worlds that tested a promise, by its kind or the name of your own.
    pub tested: BTreeMap<String, u64>,
    /// Worlds in which the strategy was held to a promise, whether they tested it or not.
    pub held: BTreeMap<String, u64>,
    /// Worlds in which a kind of fault existed.
    pub drawn: BTreeMap<&'static str, u64>,
    /// Of these kinds, the causes that a break by one of them may have; a kind that only hinders has none.
    pub may_break: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Sessions that broke, by what broke them.
    pub broke: BTreeMap<&'static str, u64>,
}

/// A kind of fault that is drawn this often has to break a session now and then, and a promise that is made this often has
/// to be tested.
const OFTEN: u64 = 100;

/// What all strategies are held to, whether it can come about or not: a strategy that never gives a connection up has
/// nothing to be silent on.
const OF_EVERYBODY: [&str; 2] = ["one-session", "silent-when-given-up"];

impl Coverage {
    pub(crate) fn add(&mut self, trial: &Trial) {
        for kind in &trial.tested {
            *self.tested.entry(kind.clone()).or_default() += 1;
        }
        for kind in &trial.held {
            *self.held.entry(kind.clone()).or_default() += 1;
        }
        let strikes = &trial.case.draft.strikes;
        let kinds: BTreeSet<&'static str> = strikes.iter().map(|strike| strike.what.kind().name()).collect();
        for kind in kinds {
            *self.drawn.entry(kind).or_default() += 1;
        }
        for Strike { what, .. } in strikes {
            let causes = what.causes().into_iter().map(Cause::name);
            self.may_break.entry(what.kind().name()).or_default().extend(causes);
        }
        for cause in &trial.causes {
            *self.broke.entry(cause).or_default() += 1;
        }
    }

    /// Returns what was to be tested and never came about.
    pub(crate) fn unmet(&self, rules: &[Rule]) -> Vec<String> {
        let named = rules.iter().flat_map(|rule| match rule {
            // What a strategy promises depends on the world; what it hardly ever promises need not be tested.
            Rule::Declared => {
                let often =
                    self.held.iter().filter(|(kind, held)| **held >= OFTEN && !OF_EVERYBODY.contains(&kind.as_str()));
                often.map(|(kind, _)| kind.clone()).collect()
            }
            Rule::Known(promise) => vec![name_of(promise).to_owned()],
            Rule::Own(name, _) => vec![name.clone()],
        });
        let mut named: Vec<String> = named.collect();
        named.sort_unstable();
        named.dedup();
        let untested = named
            .into_iter()
            .filter(|name| !self.tested.contains_key(name))
            .map(|name| format!("`{name}` was never tested: no world brought about what it is about"));
        let never_struck = self.may_break.iter().filter_map(|(kind, causes)| {
            let drawn = self.drawn.get(kind).copied().unwrap_or(0);
            let has_struck = causes.is_empty() || causes.iter().any(|cause| self.broke.contains_key(cause));
            (drawn >= OFTEN && !has_struck)
                .then(|| format!("faults of the kind `{kind}` were drawn for {drawn} worlds and never broke a session"))
        });
        let nothing = (self.tested.is_empty()).then(|| "no promise was tested in any world".to_owned());
        untested.chain(never_struck).chain(nothing).collect()
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_scenarios::replay::Promised;

    use super::*;

    fn coverage(tested: &[&str], drawn: &[(&'static str, u64)], broke: &[&'static str]) -> Coverage {
        Coverage {
            tested: tested.iter().map(|kind| ((*kind).to_owned(), 1)).collect(),
            held: BTreeMap::new(),
            drawn: drawn.iter().copied().collect(),
            // A break by one of these has their name.
            may_break: drawn.iter().map(|(kind, _)| (*kind, BTreeSet::from([*kind]))).collect(),
            broke: broke.iter().map(|cause| (*cause, 1)).collect(),
        }
    }

    #[test]
    fn a_promise_that_no_world_tested_is_missed() {
        let rules = [Rule::Known(Promised::NoFalseAlarm), Rule::Known(Promised::OneSession)];
        let unmet = coverage(&["one-session"], &[], &[]).unmet(&rules);
        assert!(matches!(&unmet[..], [only] if only.contains("no-false-alarm")), "{unmet:?}");
    }

    #[test]
    fn what_a_strategy_promises_of_itself_has_to_be_tested_once_it_is_promised_often() {
        let held =
            |kind: &str, worlds| Coverage { held: [(kind.to_owned(), worlds)].into(), ..coverage(&["ends"], &[], &[]) };
        let unmet = held("detects-within", OFTEN).unmet(&[Rule::Declared]);
        assert!(matches!(&unmet[..], [only] if only.contains("detects-within")), "{unmet:?}");
        assert_eq!(held("detects-within", OFTEN - 1).unmet(&[Rule::Declared]), [""; 0]);
        assert_eq!(held("silent-when-given-up", OFTEN).unmet(&[Rule::Declared]), [""; 0]);
        assert_eq!(held("detects-within", OFTEN).unmet(&[]), [""; 0]);
    }

    #[test]
    fn a_fault_that_is_often_drawn_and_never_breaks_anything_is_missed() {
        let drawn = [("server-stall", OFTEN), ("server-crash", OFTEN), ("server-drain", OFTEN - 1)];
        let unmet = coverage(&["ends"], &drawn, &["server-crash"]).unmet(&[]);
        assert!(matches!(&unmet[..], [only] if only.contains("`server-stall`")), "{unmet:?}");
    }
}
