//! Which faults of a scenario break sessions, and how the episodes of those breaks name them: what one has to know to
//! see that a fault never struck.

use cardiogram_sim::outcome::Cause;

use crate::Scenario;

/// A fault that breaks sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakingFault {
    /// Its kind, as in the scenario's file.
    pub fault: &'static str,
    /// The causes that an episode which it began may have.
    causes: Vec<Cause>,
}

impl BreakingFault {
    /// Returns whether an episode whose column `cause` is `name` may be its work.
    pub fn explains(&self, name: &str) -> bool {
        self.causes.iter().any(|cause| cause.name() == name)
    }
}

impl Scenario {
    /// Returns the faults that break sessions, each kind once, in the file's order. Faults that only lose, delay or slow down
    /// are not among them: no episode has them as its cause.
    pub fn breaking_faults(&self) -> Vec<BreakingFault> {
        let mut strikes: Vec<BreakingFault> = Vec::new();
        for fault in self.faults.iter().filter(|fault| fault.is_break()) {
            let strike = BreakingFault { fault: fault.kind().name(), causes: fault.causes() };
            if !strikes.contains(&strike) {
                strikes.push(strike);
            }
        }
        strikes
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_faults_that_break_sessions_are_told_from_those_that_do_not() {
        let strikes = |name: &str| {
            let scenario = crate::load::scenario(name).unwrap().value;
            scenario.breaking_faults().into_iter().map(|strike| strike.fault).collect::<Vec<_>>()
        };
        assert_eq!(strikes("cable-cut"), ["cut"]);
        let cut = crate::load::scenario("cable-cut").unwrap().value.breaking_faults().remove(0);
        assert!(cut.explains("cut") && !cut.explains("nat-flush"));
        assert_eq!(strikes("deaf-server"), ["server-stall"]);
        assert!(strikes("overloaded-server").is_empty());
        assert!(strikes("healthy").is_empty());
    }
}
