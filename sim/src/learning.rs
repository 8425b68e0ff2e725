//! What a policy's interval came to, beside the timeout that it had to stay below: for judging policies that look for it.

use std::time::Duration;

use cardiogram_policies::Time;

use crate::{
    config::{Network, WorldConfig},
    life::Address,
    nat,
    outcome::Learning,
    world::Schedule,
};

/// For each device, given the time between its last two heartbeats on one connection.
pub(crate) fn learnings(
    config: &WorldConfig,
    seed: u64,
    schedule: &Schedule,
    intervals: Vec<Option<Duration>>,
) -> Vec<Learning> {
    let timeouts: Vec<Vec<Duration>> = (0..)
        .zip(config.all_networks())
        .map(|(number, network)| timeouts(config, seed, schedule, number, network))
        .collect();
    let of = |(device, interval): (usize, Option<Duration>)| {
        let last_move = schedule.lives.get(device).and_then(|life| life.moves.last());
        let network = last_move.map_or(Some(Address::FIRST.network), |last| last.to.map(|address| address.network));
        Learning { interval, nat_timeout: network.map(|network| timeouts[network as usize][device]) }
    };
    intervals.into_iter().enumerate().map(of).collect()
}

/// The shortest idle timeout that each device meets on a network at the end of the run.
fn timeouts(
    config: &WorldConfig,
    seed: u64,
    schedule: &Schedule,
    number: usize,
    network: Network<'_>,
) -> Vec<Duration> {
    let end = Time::ZERO + config.duration;
    let mut shortest = vec![Duration::MAX; config.devices.count as usize];
    for (index, nat) in (0..).zip(network.nat) {
        let subscribers = if index == 0 { config.devices.count } else { 1 };
        let treatments = nat::treatments(nat, &nat::stream(&network, index), subscribers, seed);
        let changes = &schedule.networks[number].nats[index as usize].timeouts;
        let shifted = changes.iter().rfind(|(from, _)| *from < end).and_then(|(_, timeout)| *timeout);
        for (device, shortest) in shortest.iter_mut().enumerate() {
            let own = treatments.get(device).unwrap_or(&treatments[0]).established;
            *shortest = (*shortest).min(shifted.unwrap_or(own));
        }
    }
    shortest
}
