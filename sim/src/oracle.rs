//! An oracle for the [truth](crate::truth): in random worlds, at random moments, every device that has a session is made
//! to beat once more, and the reply arrives exactly where the truth calls the session usable.
//!
//! The world is run again from its seed up to the moment, which is included, and then frozen: a cut, a stall or a silence
//! of that moment goes on for ever and none begins or ends any more, mappings and sessions do not end by themselves,
//! nothing is lost by chance or for want of room, and neither policies nor kernels give anything up. So whether "an
//! exchange begun at t could complete" has an answer, and enough time gives it. Nothing before the moment is touched: all
//! hooks (`freeze`, `probe`) act on the nodes as they stand then, and are compiled for tests only.
//!
//! What is not asked: devices without a session, which the truth cannot call usable.
//!
//! Where the two may differ, and how that is told apart: only where the truth says usable and the exchange fails, and only
//! by what the frozen world shows afterwards.
//! - *A reset is under way.* A NAT that answers the server for a connection it has forgotten ends the server's session by
//!   something that was sent before the moment: the truth waits for the session's end, up to a flight later. The frozen
//!   server then closes the session, which it never does by itself.
//! - *The port is not to be had again.* Where a NAT that gives a forgotten connection its port back has no port left for
//!   the subscriber, the truth hopes for the port all the same. The frozen NAT then drops a packet that opens no
//!   connection, for want of a port.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cardiogram_policies::Time;
use proptest::prelude::*;

use crate::{
    WorldConfig,
    config::{AfterExpiry, NatClass},
    engine::event,
    node::Host,
    packet::Flags,
    trace::{DropReason, Entry, ServerEvent, What},
    truth,
    world::{self, Schedule},
};

#[path = "../../tests/worlds/mod.rs"]
mod worlds;

/// The truth about the whole run: for each device when its session turned usable or stopped being so.
fn turns(config: &WorldConfig, seed: u64) -> Vec<(u32, Time, bool)> {
    let schedule = Schedule::draw(config, seed);
    let mut hosts = world::hosts(config, seed, &schedule, false);
    event::run(&mut hosts, Time::ZERO + config.duration);
    let finished: Vec<_> = hosts.into_iter().map(Host::finish).collect();
    truth::judge(config, seed, &schedule, finished.iter().map(|host| &host.facts[..])).turns
}

/// For each device that has a session at `at`: whether an exchange begun then completes.
fn probe(config: &WorldConfig, seed: u64, at: Time) -> Vec<(u32, bool)> {
    freeze_and_probe(config, seed, at, false).0
}

/// The same, with what happened afterwards in the frozen world where `keep_trace` says so.
fn freeze_and_probe(config: &WorldConfig, seed: u64, at: Time, keep_trace: bool) -> (Vec<(u32, bool)>, Vec<Entry>) {
    /// Enough for TCP's longest timeouts and for the work that a slow server has left.
    const PATIENCE: Duration = Duration::from_hours(48);
    let schedule = Schedule::draw(config, seed);
    let mut hosts = world::hosts(config, seed, &schedule, keep_trace);
    event::run(&mut hosts, at + Duration::from_micros(1));
    for host in &mut hosts {
        host.freeze(at);
    }
    let devices = hosts[world::DEVICES.0 as usize].node().as_devices().expect("the first node is the devices'");
    let probes: Vec<(u32, Arc<AtomicBool>)> =
        (0..config.devices.count).filter_map(|device| Some((device, devices.probe(device, at)?))).collect();
    event::run(&mut hosts, at + PATIENCE);
    let answers = probes.into_iter().map(|(device, answered)| (device, answered.load(Ordering::Relaxed))).collect();
    let entries = hosts.into_iter().flat_map(|host| host.finish().entries);
    (answers, entries.filter(|entry| entry.at > at).collect())
}

/// Whether the exchange of a device failed for one of the two reasons that the truth does not look at.
fn is_excused(config: &WorldConfig, seed: u64, at: Time, device: u32) -> bool {
    let (_, entries) = freeze_and_probe(config, seed, at, true);
    let gives_ports_back = || of_class(config, &[NatClass::RemapSamePort, NatClass::RemapSamePortRstOutside]);
    entries.iter().any(|entry| match &entry.what {
        What::Server { event: ServerEvent::SessionClosed { device: of, .. }, .. } => {
            *of == device && of_class(config, &[NatClass::RemapSamePortRstOutside])
        }
        What::Dropped { packet, reason: DropReason::NoPort } => gives_ports_back() && !packet.flags.has(Flags::SYN),
        _ => false,
    })
}

/// Whether a NAT is, or may be, of one of these classes.
fn of_class(config: &WorldConfig, classes: &[NatClass]) -> bool {
    config.nat.iter().any(|nat| match &nat.after_expiry {
        AfterExpiry::Always(class) => classes.contains(class),
        AfterExpiry::Mix { mix } => mix.iter().any(|share| classes.contains(&share.class)),
    })
}

/// What the truth says of a device at `at`.
fn is_usable(turns: &[(u32, Time, bool)], device: u32, at: Time) -> bool {
    let latest = turns.iter().rfind(|(of, since, _)| *of == device && *since <= at);
    latest.is_some_and(|(.., usable)| *usable)
}

/// A moment to ask at: anywhere, or where the truth changes its mind, give or take.
fn moment(turns: &[(u32, Time, bool)], config: &WorldConfig, pick: (f64, i64)) -> Time {
    let (place, shift) = pick;
    let end = config.duration.as_micros() as u64 - 1;
    if shift == i64::MAX || turns.is_empty() {
        return Time::from_micros((place * end as f64) as u64);
    }
    let turn = turns[(place * turns.len() as f64) as usize].1.as_micros();
    Time::from_micros(turn.saturating_add_signed(shift).min(end))
}

fn picks() -> impl Strategy<Value = Vec<(f64, i64)>> {
    let shift =
        prop_oneof![Just(i64::MAX), Just(0), Just(-1), Just(1), -200_000..200_000_i64, -20_000_000..20_000_000_i64];
    prop::collection::vec((0.0..1.0, shift), 4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_exchange_completes_exactly_where_the_truth_says_usable(world in worlds::world(), seed: u64, picks in picks()) {
        let turns = turns(&world, seed);
        for pick in picks {
            let at = moment(&turns, &world, pick);
            for (device, answered) in probe(&world, seed, at) {
                let usable = is_usable(&turns, device, at);
                let excused = usable && !answered && is_excused(&world, seed, at, device);
                prop_assert!(answered == usable || excused, "device {device} at {at}: truth {usable}, probe {answered}");
            }
        }
    }
}
