//! What no policy can beat, where such a bound holds: the latency at a given cost, and the cost of keeping a NAT's
//! mapping alive.
//!
//! A policy that learns of a break only from the silence after its own probes, at rho probes a second and breaks that
//! come at times it cannot know, notices on average no sooner than 1/(2 rho) after the break (residual life: the mean
//! wait for the next probe is shortest when probes are evenly spaced). On TCP a probe costs at least two packets on
//! the access link, itself and its answer, so with x packets an hour the latency is at least 3600/x seconds.
//!
//! Packets are counted over all the device's time, but a device without a session sends few. Probes per hour of usable
//! session are therefore at most x divided by the availability A, and what holds for certain is 3600 A / x.
//!
//! A mapping that the NAT forgets after N seconds without a packet, of a connection that nothing else is sent on, lasts
//! only if an exchange follows the one before within N: at least 3600/N an hour, of two packets each. (With other
//! traffic a policy needs fewer: the packets of that traffic count.)

use cardiogram_scenarios::Scenario;

use crate::data::Label;

/// Whether the bound holds in a scenario.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// The mean latency is at least `3600 * availability / packets_per_device_hour`.
    Holds {
        /// The smallest of the strategies that noticed breaks, so that the bound holds for each of them.
        availability: f64,
    },
    /// A FIN or RST, the server's word, or its own system told a device of the break before any probe had to.
    Announced,
    /// The NAT forgot sessions that had been idle: when it breaks depends on when the policy last sent.
    CausedBySilence,
    /// No strategy noticed anything.
    NothingNoticed,
}

impl Bound {
    /// Decides from what broke sessions, what noticed it, and the availabilities of the strategies that did notice.
    pub(crate) fn decide(causes: &[Label], detected_by: &[Label], availabilities: &[f64]) -> Self {
        if detected_by.iter().any(|by| matches!(by.as_str(), "fin" | "reset" | "aborted" | "too-many-pings")) {
            Self::Announced
        } else if causes.iter().any(|cause| matches!(cause.as_str(), "nat-expiry" | "nat-evicted")) {
            Self::CausedBySilence
        } else {
            let smallest = availabilities.iter().copied().min_by(f64::total_cmp);
            smallest.map_or(Self::NothingNoticed, |availability| Self::Holds { availability })
        }
    }
}

/// What it takes to keep a NAT's mapping alive where nothing but the policy sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KeepAlive {
    /// Idle time after which the NAT forgets an established connection.
    pub(crate) timeout_s: f64,
}

impl KeepAlive {
    /// Decides from what the scenario is and what broke sessions in it: `None` where expiry broke none, where the
    /// application sends too, or where not every device meets the same timeout all the time.
    pub(crate) fn decide(scenario: &Scenario, causes: &[Label]) -> Option<Self> {
        let is_silent = !scenario.traffic.has_up() && !scenario.traffic.has_down();
        let has_expired = causes.iter().any(|cause| cause.as_str() == "nat-expiry");
        let timeout = if is_silent && has_expired { scenario.nat_timeout()? } else { return None };
        Some(Self { timeout_s: timeout.as_secs_f64() })
    }

    /// Returns the fewest packets, both directions.
    pub(crate) fn packets_per_device_hour_min(self) -> f64 {
        2.0 * 3_600.0 / self.timeout_s
    }
}

/// Returns the least mean latency in seconds of a policy that costs so much and leaves its device so often without a session.
pub(crate) fn latency_min_s(packets_per_device_hour: f64, availability: f64) -> f64 {
    3_600.0 * availability / packets_per_device_hour
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(words: &[&str]) -> Vec<Label> {
        words.iter().map(|word| Label::new(word).unwrap()).collect()
    }

    #[test]
    fn an_evenly_probing_policy_of_two_packets_a_probe_meets_the_bound() {
        // A probe a minute: the mean wait is 30 s, the cost 120 packets an hour.
        assert!((latency_min_s(120.0, 1.0) - 30.0).abs() < 1e-12);
    }

    #[test]
    fn a_silent_application_behind_a_nat_that_forgets_needs_an_exchange_a_timeout() {
        let scenario = |name: &str| cardiogram_scenarios::load::scenario(name).unwrap().value;
        let expiry = labels(&["nat-expiry"]);
        let needed = KeepAlive::decide(&scenario("silent-nat"), &expiry).unwrap();
        // An exchange of 2 packets every 300 s.
        assert!((needed.packets_per_device_hour_min() - 24.0).abs() < 1e-12);
        assert_eq!(KeepAlive::decide(&scenario("silent-nat"), &labels(&["cut"])), None);
        // There the application is pushed to every 15 min.
        assert_eq!(KeepAlive::decide(&scenario("nat-reboot"), &expiry), None);
    }

    #[test]
    fn it_holds_for_silent_breaks_at_times_of_their_own() {
        let bound = Bound::decide(&labels(&["cut", "server-stall"]), &labels(&["heartbeat"]), &[0.9, 0.5]);
        assert_eq!(bound, Bound::Holds { availability: 0.5 });
    }

    #[test]
    fn a_break_that_announces_itself_or_is_caused_by_silence_has_no_bound() {
        assert_eq!(Bound::decide(&labels(&["cut"]), &labels(&["heartbeat", "reset"]), &[1.0]), Bound::Announced);
        let told = labels(&["heartbeat", "aborted"]);
        assert_eq!(Bound::decide(&labels(&["network-switch"]), &told, &[1.0]), Bound::Announced);
        assert_eq!(Bound::decide(&labels(&["nat-expiry"]), &labels(&["heartbeat"]), &[1.0]), Bound::CausedBySilence);
        assert_eq!(Bound::decide(&labels(&["cut"]), &[], &[]), Bound::NothingNoticed);
    }
}
