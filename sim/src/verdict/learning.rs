//! What a policy's interval came to, beside the timeout that it had to stay below: for judging policies that look for it.

use std::{collections::BTreeSet, time::Duration};

use cardiogram_policies::Time;

use crate::{
    config::WorldConfig,
    fate::{
        NetworkSchedule, Schedule,
        life::Address,
        nat::{MappingRules, NatFaults},
    },
    record::series::{self, SeriesBin},
    verdict::outcome::Learning,
};

/// For each device, given the time between its last two heartbeats on one connection.
pub(crate) fn learnings(config: &WorldConfig, schedule: &Schedule, intervals: Vec<Option<Duration>>) -> Vec<Learning> {
    let end = Time::ZERO + config.duration;
    let of = |(device, interval)| Learning { interval, nat_timeout: timeout(schedule, device, end) };
    intervals.into_iter().enumerate().map(of).collect()
}

/// Adds to each bin the mean over devices of the timeout that each meets at its end.
pub(crate) fn add_timeouts(config: &WorldConfig, schedule: &Schedule, series: &mut [SeriesBin]) {
    let shifts = schedule.networks.iter().flat_map(|network| &network.nats).flat_map(|nat| &nat.timeouts);
    let moves = schedule.lives.iter().flat_map(|life| &life.moves);
    let changes: BTreeSet<Time> = shifts.map(|(at, _)| *at).chain(moves.map(|next| next.at)).collect();
    let mut before: Option<(Time, Option<Duration>)> = None;
    for bin in series {
        // There may be many devices, and between changes all stays as it is.
        let unchanged = before.filter(|(at, _)| changes.range(*at..bin.end).next().is_none());
        bin.nat_timeout_mean = unchanged.map_or_else(|| mean(config, schedule, bin.end), |(_, mean)| mean);
        before = Some((bin.end, bin.nat_timeout_mean));
    }
}

/// Returns the mean over the devices that have a network.
fn mean(config: &WorldConfig, schedule: &Schedule, at: Time) -> Option<Duration> {
    let met = (0..config.devices.count as usize).filter_map(|device| timeout(schedule, device, at));
    let (sum, devices) = met.fold((0, 0), |(sum, devices), timeout| (sum + timeout.as_micros(), devices + 1));
    u128::checked_div(sum, devices).map(series::micros)
}

/// Returns the shortest idle timeout that a device meets just before `at`; `None`: it has no network.
fn timeout(schedule: &Schedule, device: usize, at: Time) -> Option<Duration> {
    let moves = schedule.lives.get(device).map_or(&[][..], |life| &life.moves);
    let last_move = moves[..moves.partition_point(|next| next.at < at)].last();
    let network = last_move.map_or(Some(Address::FIRST.network), |last| last.to.map(|address| address.network));
    shortest(&schedule.networks[network? as usize], device, at)
}

/// Returns the shortest idle timeout of the NATs of a network.
fn shortest(network: &NetworkSchedule, device: usize, at: Time) -> Option<Duration> {
    let of_nat = |(rules, faults): (MappingRules, &NatFaults)| {
        let begun = faults.timeouts.partition_point(|(from, _)| *from < at);
        let shifted = faults.timeouts[..begun].last().and_then(|(_, timeout)| *timeout);
        shifted.unwrap_or(rules.established)
    };
    network.rules_for(device as u32).zip(&network.nats).map(of_nat).min()
}
