//! An oracle for the [truth](crate::verdict::truth): in random worlds, at random moments, every device that has a session is made
//! to beat once more, and the reply arrives exactly where the truth calls the session usable.
//!
//! The world is run again from its seed up to the moment, which is included, and then frozen: a cut, a stall or a silence
//! of that moment goes on for ever and none begins or ends any more, mappings, sessions and the holding of ports do not end by
//! themselves, nothing is lost by chance or for want of room, and neither policies nor kernels give anything up. So whether "an
//! exchange begun at t could complete" has an answer, and enough time gives it. Nothing before the moment is touched: all
//! hooks (`freeze`, `probe`) act on the nodes as they stand then, and are compiled for tests only.
//!
//! All devices are asked in one go. Where that fails for one that should succeed, it is asked again alone: of several that
//! hope for a NAT's last port, each could have it.
//!
//! The same is done for [downtime](crate::verdict::downtime): every device that has begun opens a new connection, to one server
//! after the other, and beats on the session that it becomes; that works exactly where the truth does not call a time
//! without a session unavoidable. Excused is a newcomer for whom a NAT has no port left. Load only makes him wait.
//!
//! What is not asked of sessions: devices without a session, which the truth cannot call usable, and devices in a race: which of two
//! connections is the session is about to be decided, and a frozen world decides it another way.
//!
//! Where the two may differ: the truth says usable, and something is under way already that will break the session, up to
//! a flight later. It is told apart by what the frozen world shows.
//! - A NAT that answers the server for a connection it has forgotten resets the server's session for something that was
//!   sent before. The frozen server closes the session, though it never does so by itself.
//! - A server that does dead work comes to the hello of a connection that the device has given up, and takes it for the
//!   device's latest. The frozen server opens a session, though the frozen device asks for none.
//! - A SYN of someone else gets the last port that a NAT had for a connection it has forgotten. The frozen NAT makes a
//!   mapping, and then has none for a packet that opens nothing.

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
    config::{FromInside, FromOutside, NatClass},
    engine::event,
    fate::{Schedule, server_faults::ServerFaults},
    nodes::{device::DeviceGroup, node::Host, world},
    record::trace::{DropReason, Entry, Fact, NatEvent, ServerEvent, What},
    verdict::truth::{self, Verdict},
    wire::{layout::DEVICES, packet::Flags},
};

#[expect(unreachable_pub, reason = "they are public in tests/kit")]
#[path = "../../tests/kit/src/script.rs"]
mod script;
#[expect(unreachable_pub, reason = "they are public in tests/kit")]
#[path = "../../tests/kit/src/worlds/mod.rs"]
mod worlds;

/// The truth about the whole run.
fn truth(config: &WorldConfig, seed: u64, schedule: &Schedule) -> Verdict {
    let mut hosts = world::hosts(config, seed, schedule, false);
    event::run(&mut hosts, Time::ZERO + config.duration);
    let finished: Vec<_> = hosts.into_iter().map(Host::finish).collect();
    truth::judge(config, schedule, finished.iter().map(|host| &host.clues[..]))
}

/// When faults begin or end that break sessions, whether or not the truth makes anything of it.
fn edges(schedule: &Schedule) -> Vec<Time> {
    let networks = || schedule.networks.iter();
    let access = networks().flat_map(|network| &network.access);
    let cuts = access.chain([&schedule.core]).flat_map(|cuts| cuts.up.iter().chain(&*cuts.down));
    let dead = networks().flat_map(|network| network.dead_leases.iter().flatten());
    let faults = schedule.servers.iter().flatten().flat_map(ServerFaults::unusable);
    let edges = cuts.chain(dead).copied().chain(faults).flat_map(|interval| [interval.begin, interval.end]);
    let flushes = networks().flat_map(|network| &network.nats).flat_map(|nat| nat.flushes.iter().copied());
    let moves = schedule.lives.iter().flat_map(|life| life.moves.iter().map(|next| next.at));
    edges.chain(flushes).chain(moves).collect()
}

/// Asks a frozen device something; the cell tells of the answer. `None`: there is nothing to ask it.
type Question = fn(&mut DeviceGroup, u32, Time) -> Option<Arc<AtomicBool>>;

/// Asks all devices, or one alone, whether an exchange begun at `at` completes; with what happened afterwards in the frozen
/// world, where one was asked alone.
fn freeze_and_ask(
    config: &WorldConfig,
    seed: u64,
    at: Time,
    question: Question,
    alone: Option<u32>,
) -> (Vec<(u32, bool)>, Vec<Entry>) {
    /// Enough for TCP's longest timeouts and for the work that a slow server has left.
    const PATIENCE: Duration = Duration::from_hours(48);
    let schedule = Schedule::draw(config, seed);
    let mut hosts = world::hosts(config, seed, &schedule, alone.is_some());
    event::run(&mut hosts, at + Duration::from_micros(1));
    for host in &mut hosts {
        host.freeze(at);
    }
    let devices = hosts[DEVICES.0 as usize].node::<DeviceGroup>().expect("the first node is the devices'");
    let asked = (0..config.devices.count).filter(|device| alone.is_none_or(|alone| alone == *device));
    let probes: Vec<(u32, Arc<AtomicBool>)> =
        asked.filter_map(|device| Some((device, question(devices, device, at)?))).collect();
    event::run(&mut hosts, at + PATIENCE);
    let answers = probes.into_iter().map(|(device, answered)| (device, answered.load(Ordering::Relaxed))).collect();
    let entries = hosts.into_iter().flat_map(|host| host.finish().entries);
    (answers, entries.filter(|entry| entry.at > at).collect())
}

/// Whether the exchange of a device failed for others that were asked, or for something that was under way.
fn is_excused(config: &WorldConfig, seed: u64, at: Time, device: u32) -> bool {
    let (answers, entries) = freeze_and_ask(config, seed, at, DeviceGroup::probe, Some(device));
    let happens = |is_such: fn(&ServerEvent) -> bool| {
        entries.iter().any(|entry| {
            let What::Fact(Fact::Server { event, .. }) = &entry.what else { return false };
            is_such(event) && event.device() == Some(device)
        })
    };
    let is_closed = happens(|event| matches!(event, ServerEvent::SessionClosed { .. }));
    let is_replaced = happens(|event| matches!(event, ServerEvent::SessionOpened { .. }));
    let is_made = |entry: &Entry| {
        let What::Fact(Fact::Nat { event, .. } | Fact::OuterNat { event, .. }) = &entry.what else {
            return false;
        };
        matches!(event, NatEvent::Created { .. })
    };
    let comes_back = |class: NatClass| class.from_inside() == FromInside::SamePort;
    let resets_outside = |class: NatClass| class.from_outside() == FromOutside::Reset;
    let is_left_out = |entry: &Entry| {
        let What::Dropped { packet, reason: DropReason::NoPort } = &entry.what else { return false };
        !packet.flags.has(Flags::SYN)
    };
    let port_is_gone = entries.iter().any(|made| {
        is_made(made) && entries.iter().any(|it| it.node == made.node && it.at >= made.at && is_left_out(it))
    });
    answers == [(device, true)]
        || is_closed && (is_replaced || has_class(config, |class| comes_back(class) && resets_outside(class)))
        || port_is_gone && has_class(config, comes_back)
}

/// Whether a newcomer failed for others that came with it, or for want of a port.
fn is_newcomer_excused(config: &WorldConfig, seed: u64, at: Time, device: u32) -> bool {
    let (answers, entries) = freeze_and_ask(config, seed, at, DeviceGroup::come_anew, Some(device));
    let has_no_port = |entry: &Entry| matches!(entry.what, What::Dropped { reason: DropReason::NoPort, .. });
    answers == [(device, true)] || entries.iter().any(has_no_port)
}

/// Whether a NAT is, or may be, of such a class.
fn has_class(config: &WorldConfig, is_such: impl Fn(NatClass) -> bool) -> bool {
    config.all_networks().flat_map(|network| network.nat).any(|nat| nat.after_expiry.classes().any(&is_such))
}

/// What the truth says of a device at `at`, by the turns of what is asked for.
fn is_so(turns: &[(u32, Time, bool)], device: u32, at: Time) -> bool {
    let latest = turns.iter().rfind(|(of, since, _)| *of == device && *since <= at);
    latest.is_some_and(|(.., is_so)| *is_so)
}

/// Which moment to ask at.
#[derive(Clone, Copy, Debug)]
enum Pick {
    /// This share of the run.
    Anywhere(f64),
    /// So many microseconds from one of the truth's turns: this share of them.
    Turn(f64, i64),
    /// The same of the faults' edges.
    Edge(f64, i64),
}

fn picks() -> impl Strategy<Value = Vec<Pick>> {
    let shift = || prop_oneof![Just(0), Just(-1), Just(1), -200_000..200_000_i64, -20_000_000..20_000_000_i64];
    let pick = prop_oneof![
        (0.0..1.0).prop_map(Pick::Anywhere),
        (0.0..1.0, shift()).prop_map(|(share, shift)| Pick::Turn(share, shift)),
        (0.0..1.0, shift()).prop_map(|(share, shift)| Pick::Edge(share, shift)),
    ];
    prop::collection::vec(pick, 4)
}

impl Pick {
    fn moment(self, config: &WorldConfig, turns: &[(u32, Time, bool)], edges: &[Time]) -> Time {
        let of = |count: usize, share: f64| (share * count as f64) as usize;
        let end = config.duration.as_micros() as u64 - 1;
        let (near, shift) = match self {
            Self::Turn(share, shift) => (turns.get(of(turns.len(), share)).map(|(_, at, _)| *at), shift),
            Self::Edge(share, shift) => (edges.get(of(edges.len(), share)).copied(), shift),
            Self::Anywhere(share) => (Some(Time::from_micros((share * end as f64) as u64)), 0),
        };
        Time::from_micros(near.unwrap_or(Time::ZERO).as_micros().saturating_add_signed(shift).min(end))
    }
}

/// Asks at every pick, first whether sessions are usable, then whether new ones could be.
fn ask(world: &WorldConfig, seed: u64, picks: &[Pick]) -> Result<(), TestCaseError> {
    let schedule = Schedule::draw(world, seed);
    let (Verdict { turns, kept_out, .. }, edges) = (truth(world, seed, &schedule), edges(&schedule));
    for pick in picks {
        let at = pick.moment(world, &turns, &edges);
        for (device, answered) in freeze_and_ask(world, seed, at, DeviceGroup::probe, None).0 {
            let usable = is_so(&turns, device, at);
            let excused = usable && !answered && is_excused(world, seed, at, device);
            prop_assert!(answered == usable || excused, "device {device} at {at}: truth {usable}, probe {answered}");
        }
        for (device, answered) in freeze_and_ask(world, seed, at, DeviceGroup::come_anew, None).0 {
            let possible = !is_so(&kept_out, device, at);
            let excused = possible && !answered && is_newcomer_excused(world, seed, at, device);
            prop_assert!(
                answered == possible || excused,
                "device {device} at {at}: a new session is possible by the truth: {possible}, came to one: {answered}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 256, ..ProptestConfig::default() })]

    #[test]
    fn an_exchange_completes_exactly_where_the_truth_says_usable(world in worlds::world(), seed: u64, picks in picks()) {
        ask(&world, seed, &picks)?;
    }

    #[test]
    fn the_same_holds_beside_second_connections(
        world in worlds::world(),
        script in script::script(1_800),
        seed: u64,
        picks in picks(),
    ) {
        let mut world = world;
        script.direct(&mut world.strategy);
        ask(&world, seed, &picks)?;
    }
}
