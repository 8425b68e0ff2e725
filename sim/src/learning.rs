//! What a policy's interval came to, beside the timeout that it had to stay below: for judging policies that look for it.

use std::{rc::Rc, time::Duration};

use cardiogram_policies::Time;

use crate::{
    config::WorldConfig,
    life::Address,
    nat::{NatFaults, Treatment},
    outcome::Learning,
    world::{NetworkSchedule, Schedule},
};

/// For each device, given the time between its last two heartbeats on one connection.
pub(crate) fn learnings(config: &WorldConfig, schedule: &Schedule, intervals: Vec<Option<Duration>>) -> Vec<Learning> {
    let end = Time::ZERO + config.duration;
    let of = |(device, interval): (usize, Option<Duration>)| {
        let last_move = schedule.lives.get(device).and_then(|life| life.moves.last());
        let network = last_move.map_or(Some(Address::FIRST.network), |last| last.to.map(|address| address.network));
        let nat_timeout = network.and_then(|network| timeout(&schedule.networks[network as usize], device, end));
        Learning { interval, nat_timeout }
    };
    intervals.into_iter().enumerate().map(of).collect()
}

/// The shortest idle timeout that a device meets on a network at the end of the run.
fn timeout(network: &NetworkSchedule, device: usize, end: Time) -> Option<Duration> {
    let of_nat = |(treatments, faults): (&Rc<[Treatment]>, &NatFaults)| {
        let shifted = faults.timeouts.iter().rfind(|(from, _)| *from < end).and_then(|(_, timeout)| *timeout);
        shifted.unwrap_or_else(|| treatments.get(device).unwrap_or(&treatments[0]).established)
    };
    network.treatments.iter().zip(&network.nats).map(of_nat).min()
}
