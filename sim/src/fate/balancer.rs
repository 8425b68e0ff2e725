//! The balancer in front of the servers: what it believes of each of them, and whom it gives a new connection. Both are
//! functions of the fault schedule and of time, known before the run; packets do not pass through it. What a server's
//! connections get to feel of it is in `server`.

use std::time::Duration;

use cardiogram_policies::Time;

use crate::{
    config::{BalancerConfig, WorldConfig},
    fate::{
        random::{Coins, DrawPurpose},
        schedule::{self, Interval},
        server_faults::ServerFaults,
    },
};

pub(crate) struct Balancer {
    /// When each server gets no new connections.
    closed: Vec<Vec<Interval>>,
    /// When each server is believed unhealthy.
    unhealthy: Vec<Vec<Interval>>,
    seed: u64,
}

impl Balancer {
    /// Returns the balancer of a world, if it has one, with the faults of each of its servers.
    pub(crate) fn draw(world: &WorldConfig, servers: &[Vec<ServerFaults>], seed: u64) -> Option<Self> {
        let config = world.server.balancer.as_ref()?;
        let horizon = Time::ZERO + world.duration;
        let believed = |faults: &Vec<ServerFaults>| {
            let silent = faults.iter().flat_map(|fault| fault.fails(config.check)).collect();
            unhealthy(config, schedule::merge(silent), horizon)
        };
        let unhealthy: Vec<Vec<Interval>> = servers.iter().map(believed).collect();
        let announced = servers.iter().map(|faults| faults.iter().flat_map(ServerFaults::announced));
        let closed =
            announced.zip(&unhealthy).map(|(drains, sick)| schedule::merge(drains.chain(sick.clone()).collect()));
        Some(Self { closed: closed.collect(), unhealthy, seed })
    }

    /// Whom a device's attempt that begins at `now` is given: one of the open servers, or any where none is.
    pub(crate) fn server_for(&self, device: u32, now: Time) -> u32 {
        let is_open = |server: &u32| !Interval::any_contains(&self.closed[*server as usize], now);
        let mut candidates: Vec<u32> = (0..self.closed.len() as u32).filter(is_open).collect();
        if candidates.is_empty() {
            candidates = (0..self.closed.len() as u32).collect();
        }
        let coin = Coins::new(self.seed, "balancer", u64::from(device)).unit(DrawPurpose::Server, now);
        candidates[(coin * candidates.len() as f64) as usize]
    }

    /// The same, which changes its mind no more from `now` on: see `frozen`.
    pub(crate) fn frozen(&self, now: Time) -> Self {
        let stay = |of_server: &Vec<Interval>| Interval::frozen(of_server, now);
        let frozen = |intervals: &[Vec<Interval>]| intervals.iter().map(stay).collect();
        Self { closed: frozen(&self.closed), unhealthy: frozen(&self.unhealthy), seed: self.seed }
    }

    /// Returns when `server` gets no new connections; sorted, without overlaps.
    pub(crate) fn closed(&self, server: u32) -> &[Interval] {
        &self.closed[server as usize]
    }

    /// Returns when `server` is believed unhealthy; sorted, without overlaps.
    pub(crate) fn unhealthy(&self, server: u32) -> &[Interval] {
        &self.unhealthy[server as usize]
    }
}

/// Returns when a server that answers no check during `silent` (sorted, without overlaps) is believed unhealthy.
fn unhealthy(config: &BalancerConfig, silent: Vec<Interval>, horizon: Time) -> Vec<Interval> {
    let every = config.check_every.get();
    let check = |number: u64| Time::ZERO + Duration::from_micros(every.as_micros() as u64 * number);
    // The first check at or after a time. Check 0 would be at the start of the run; the first is one interval later.
    let first_from = |at: Time| at.since(Time::ZERO).as_micros().div_ceil(every.as_micros()).max(1) as u64;
    let (fall, rise) = (u64::from(config.unhealthy_after), u64::from(config.healthy_after));
    let mut believed = Vec::new();
    // Since when it is believed unhealthy; the run of failed checks so far: its first, and the one after its last.
    let mut since: Option<Time> = None;
    let mut run = (0, 0);
    for interval in silent {
        let (first, after) = (first_from(interval.begin), first_from(interval.end.min(horizon)));
        if first >= after {
            continue;
        }
        if first > run.1 {
            if first - run.1 >= rise
                && let Some(begin) = since.take()
            {
                believed.push(Interval { begin, end: check(run.1 + rise - 1) });
            }
            run.0 = first;
        }
        run.1 = after;
        if since.is_none() && run.1 - run.0 >= fall {
            since = Some(check(run.0 + fall - 1));
        }
    }
    believed.extend(since.map(|begin| Interval { begin, end: check(run.1 + rise - 1) }));
    believed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(begin: u64, end: u64) -> Interval {
        Interval { begin: Time::from_secs(begin), end: Time::from_secs(end) }
    }

    fn believed(silent: &[Interval]) -> Vec<Interval> {
        unhealthy(&BalancerConfig::default(), silent.to_vec(), Time::from_secs(1_000))
    }

    #[test]
    fn a_frozen_balancer_stays_with_what_it_believes() {
        let balancer = Balancer { closed: vec![vec![secs(10, 20)], vec![secs(30, 40)]], unhealthy: vec![], seed: 1 };
        let frozen = balancer.frozen(Time::from_secs(15));
        assert_eq!(frozen.closed(0), [Interval { begin: Time::from_secs(15), end: Time::MAX }]);
        assert_eq!(frozen.closed(1), []);
        assert!((15..100).all(|at| frozen.server_for(0, Time::from_secs(at)) == 1));
    }

    #[test]
    fn three_checks_in_a_row_fail_and_two_succeed() {
        // Checks at 110, 120 and 130 fail; those at 200 and 210 are answered.
        assert_eq!(believed(&[secs(101, 200)]), [secs(130, 210)]);
        // A check at the very begin fails, one at the very end is answered.
        assert_eq!(believed(&[secs(110, 130)]), []);
        assert_eq!(believed(&[secs(110, 131)]), [secs(130, 150)]);
    }

    #[test]
    fn what_no_check_sees_changes_nothing() {
        assert_eq!(believed(&[secs(101, 109), secs(111, 119), secs(121, 129)]), []);
        // Two gaps between checks do not end the row of failures.
        assert_eq!(believed(&[secs(105, 112), secs(118, 121), secs(129, 131)]), [secs(130, 150)]);
    }

    #[test]
    fn one_answer_is_too_few_to_be_healthy_again_and_ends_a_row_of_failures() {
        assert_eq!(believed(&[secs(101, 135), secs(145, 151)]), [secs(130, 170)]);
        assert_eq!(believed(&[secs(101, 125), secs(135, 155)]), []);
        assert_eq!(believed(&[secs(101, 135), secs(155, 185)]), [secs(130, 150), secs(180, 200)]);
    }

    #[test]
    fn a_server_that_is_never_back_stays_unhealthy() {
        let for_ever = Interval { begin: Time::from_secs(101), end: Time::MAX };
        let [belief] = believed(&[for_ever])[..] else { panic!("one belief") };
        assert!(belief.begin == Time::from_secs(130) && belief.end >= Time::from_secs(1_000));
    }

    #[test]
    fn a_new_connection_goes_to_an_open_server_or_to_any_where_none_is() {
        let sick = vec![secs(100, 200)];
        let closed = vec![sick.clone(), vec![], vec![secs(150, 200)]];
        let balancer = Balancer { unhealthy: closed.clone(), closed, seed: 1 };
        let chosen = |at: u64| -> std::collections::BTreeSet<u32> {
            (0..200).map(|device| balancer.server_for(device, Time::from_secs(at))).collect()
        };
        assert_eq!([99, 100, 150, 200].map(chosen), [[0, 1, 2].into(), [1, 2].into(), [1].into(), [0, 1, 2].into()]);
        let all_sick = Balancer { closed: vec![sick; 3], unhealthy: vec![], seed: 1 };
        assert!((0..200).any(|device| all_sick.server_for(device, Time::from_secs(150)) == 0));
        let by_time: Vec<u32> = (0..50).map(|at| balancer.server_for(7, Time::from_secs(at))).collect();
        assert!((0..3).all(|server| by_time.contains(&server)), "an attempt is not bound to its device's last server");
    }
}
