//! The faults of a run as a list to show: what was to go wrong where and when. What a fault does is in the node or link that
//! it strikes; how it is drawn, beside this file.

use cardiogram_policies::Time;

use crate::{
    config::{Cause, Direction, FaultKind, WorldConfig},
    fate::{
        Schedule,
        link_faults::{self, LinkTarget, Listed},
        schedule::Interval,
    },
    record::faults::{FaultPlace, FaultSpan},
    wire::layout::{DEVICES, Layout},
};

/// Returns all faults of a world, by begin, then by place and device.
pub(crate) fn spans(config: &WorldConfig, schedule: &Schedule, seed: u64) -> Vec<FaultSpan> {
    let layout = Layout::of(config);
    let end = Time::ZERO + config.duration;
    let mut found = Vec::new();
    let mut add = |base: &FaultSpan, interval: Interval| {
        if interval.begin < end {
            let over = (interval.end < end).then_some(interval.end);
            found.push(FaultSpan { begin: interval.begin, end: over, ..base.clone() });
        }
    };
    let at = |place, node, device, kind, breaks| FaultSpan {
        kind,
        place,
        node,
        device,
        direction: Direction::Both,
        timeout: None,
        begin: Time::ZERO,
        end: None,
        breaks,
    };

    for (number, network) in (0..).zip(config.all_networks()) {
        let place = FaultPlace::AccessLink { network: number };
        for device in 0..config.devices.count {
            let link = LinkTarget::Access { network: network.name, device: device.into() };
            for Listed { kind, direction, cuts_off, strikes, .. } in link_faults::all(config, link, seed) {
                let base = at(place, DEVICES, Some(device), kind.name(), cuts_off);
                for strike in strikes {
                    add(&FaultSpan { direction, ..base.clone() }, strike);
                }
            }
        }
        for (nat, faults) in (0..).zip(&schedule.networks[number as usize].nats) {
            let of_nat =
                |kind| at(FaultPlace::Nat { network: number, nat }, layout.nat(number, nat), None, kind, false);
            for flush in &faults.flushes {
                add(&of_nat(FaultKind::NatFlush.name()), Interval { begin: *flush, end: *flush });
            }
            let ends = faults.timeouts.iter().skip(1).map(|(at, _)| *at).chain([Time::MAX]);
            for ((begin, timeout), end) in faults.timeouts.iter().zip(ends) {
                if timeout.is_some() {
                    let base = FaultSpan { timeout: *timeout, ..of_nat(FaultKind::NatTimeout.name()) };
                    add(&base, Interval { begin: *begin, end });
                }
            }
        }
        for (device, dead) in (0..).zip(&schedule.networks[number as usize].dead_leases) {
            let base = at(FaultPlace::Device, DEVICES, Some(device), FaultKind::LeaseExpiry.name(), true);
            for dead in dead {
                add(&base, *dead);
            }
        }
    }
    let with_paths = if schedule.core.is_one() { 1 } else { config.devices.count };
    for device in 0..with_paths {
        let link = LinkTarget::Core { device: device.into() };
        let of_device = |fault: &Listed| device == 0 || !fault.strikes_all;
        for fault in link_faults::all(config, link, seed).filter(of_device) {
            let Listed { kind, direction, cuts_off, strikes_all, strikes } = fault;
            // Beside the last NAT of the first network: what a capture there still sees is lost behind it.
            let nats = config.nat.len() as u32;
            let whose = (!strikes_all).then_some(device);
            let base = at(FaultPlace::CoreLink, layout.nat(0, nats - 1), whose, kind.name(), cuts_off);
            for strike in strikes {
                add(&FaultSpan { direction, ..base.clone() }, strike);
            }
        }
    }
    for (device, life) in (0..).zip(&schedule.lives) {
        let of_device = |kind, breaks| at(FaultPlace::Device, DEVICES, Some(device), kind, breaks);
        for kill in &life.kills {
            add(&of_device(FaultKind::ProcessKilled.name(), true), *kill);
        }
        for (kind, standstills) in [(FaultKind::DeviceStall, &life.stalls), (FaultKind::DeviceFreeze, &life.freezes)] {
            for still in standstills {
                add(&of_device(kind.name(), true), *still);
            }
        }
        for moment in &life.malformed {
            add(&of_device(FaultKind::Malformed.name(), false), Interval { begin: *moment, end: *moment });
        }
        let ends = life.moves.iter().skip(1).map(|next| next.at).chain([Time::MAX]);
        for (step, end) in life.moves.iter().zip(ends) {
            let moment = Interval { begin: step.at, end: step.at };
            match step.to {
                None => add(&of_device(Cause::NoNetwork.name(), true), Interval { begin: step.at, end }),
                Some(_) => add(&of_device(FaultKind::NetworkSwitch.name(), false), moment),
            }
        }
    }
    let of_proxy = [
        (FaultKind::ProxyRestart, &schedule.proxy.restarts, true),
        // Sessions live until their turn has come.
        (FaultKind::ProxyDrain, &schedule.proxy.drains, false),
    ];
    for (kind, strikes, breaks) in of_proxy {
        if let Some(node) = layout.proxy() {
            let base = at(FaultPlace::Proxy, node, None, kind.name(), breaks);
            for strike in strikes {
                add(&base, *strike);
            }
        }
    }
    for (server, faults) in (0..).zip(&schedule.servers) {
        for fault in faults {
            // A drain is no break until its last session is closed, nor is an overload ever.
            let breaks = fault.unusable() == fault.spans();
            let of_all = fault.struck.is_all().then_some(None);
            let of_some = (0..config.devices.count).filter(|device| of_all.is_none() && fault.struck.has(*device));
            for whose in of_all.into_iter().chain(of_some.map(Some)) {
                let base = at(FaultPlace::Server { server }, layout.server(server), whose, fault.cause.name(), breaks);
                fault.spans().iter().for_each(|span| add(&base, *span));
            }
        }
    }
    found.sort_by_key(|fault| (fault.begin, fault.place, fault.device));
    found
}
