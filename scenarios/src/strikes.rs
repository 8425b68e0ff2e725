//! Which faults of a scenario break sessions, and how the episodes of those breaks name them: what one has to know to
//! see that a fault never struck.

use cardiogram_sim::{
    config::{Direction, FaultConfig},
    outcome::Cause,
};

use crate::Scenario;

/// A fault that breaks sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// Its kind, as in the scenario's file.
    pub fault: &'static str,
    /// The causes that an episode which it began may have.
    causes: &'static [Cause],
}

impl Strike {
    /// Whether an episode whose column `cause` is `name` may be its work.
    pub fn explains(&self, name: &str) -> bool {
        self.causes.iter().any(|cause| cause.name() == name)
    }
}

impl Scenario {
    /// The faults that break sessions, each kind once, in the file's order. Faults that only lose, delay or slow down are
    /// not among them: no episode has them as its cause.
    pub fn strikes(&self) -> Vec<Strike> {
        let mut strikes: Vec<Strike> = Vec::new();
        for strike in self.faults.iter().filter_map(strike) {
            if !strikes.contains(&strike) {
                strikes.push(strike);
            }
        }
        strikes
    }
}

fn strike(fault: &FaultConfig) -> Option<Strike> {
    // Two faults together may cut what each cuts one way.
    const UP: &[Cause] = &[Cause::CutUp, Cause::Cut];
    const DOWN: &[Cause] = &[Cause::CutDown, Cause::Cut];
    const BOTH: &[Cause] = &[Cause::Cut, Cause::CutUp, Cause::CutDown];
    let (fault, causes): (_, &'static [Cause]) = match fault {
        FaultConfig::Cut(cut) => match cut.direction {
            Direction::Up => ("cut", UP),
            Direction::Down => ("cut", DOWN),
            Direction::Both => ("cut", BOTH),
        },
        FaultConfig::Flapping(_) => ("flapping", BOTH),
        FaultConfig::Handover(_) => ("handover", BOTH),
        FaultConfig::NatFlush(_) => ("nat-flush", &[Cause::NatFlush]),
        FaultConfig::Switch(_) => ("switch", &[Cause::NetworkSwitch, Cause::NoNetwork]),
        FaultConfig::LeaseExpiry(_) => ("lease-expiry", &[Cause::LeaseExpiry]),
        FaultConfig::Kill(_) => ("kill", &[Cause::ProcessKilled]),
        FaultConfig::Stall(_) => ("stall", &[Cause::ServerStall]),
        FaultConfig::Crash(_) => ("crash", &[Cause::ServerCrash]),
        FaultConfig::Vanish(_) => ("vanish", &[Cause::ServerVanish]),
        FaultConfig::Restart(_) => ("restart", &[Cause::ServerRestart]),
        FaultConfig::Pause(_) => ("pause", &[Cause::ServerPause]),
        FaultConfig::Drain(_) => ("drain", &[Cause::ServerDrain]),
        _ => return None,
    };
    Some(Strike { fault, causes })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_faults_that_break_sessions_are_told_from_those_that_do_not() {
        let strikes = |name: &str| {
            let scenario = crate::load::scenario(name).unwrap().value;
            scenario.strikes().into_iter().map(|strike| strike.fault).collect::<Vec<_>>()
        };
        assert_eq!(strikes("cable-cut"), ["cut"]);
        let cut = crate::load::scenario("cable-cut").unwrap().value.strikes()[0];
        assert!(cut.explains("cut") && !cut.explains("nat-flush"));
        assert_eq!(strikes("deaf-server"), ["stall"]);
        assert!(strikes("overloaded-server").is_empty());
        assert!(strikes("healthy").is_empty());
    }
}
