//! A world that is frozen at a moment, and whether its devices can still exchange anything: a second, slow computation of
//! what the truth (`verdict/truth.rs`) says of sessions, which the tests hold it against (`tests/world/oracle.rs`).
//!
//! The world runs from its seed up to the moment, which is included, and is then frozen: a cut, a stall or a silence of that
//! moment goes on for ever and none begins or ends any more, mappings, sessions and the holding of ports do not end by
//! themselves, nothing is lost by chance or for want of room, and neither policies nor kernels give anything up. Nothing before
//! the moment is touched: the hooks in the nodes (`freeze`, `probe`, `come_anew`) act on them as they stand then, and a run
//! never calls them.
//!
//! This is for the lab's own tests and may change with any version.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cardiogram_policies::Time;

use crate::{
    config::WorldConfig,
    engine::event,
    fate::{Schedule, life::Life, server_faults::ServerFaults},
    nodes::{device::DeviceGroup, world},
    record::{recorder::Uses, trace::Entry},
    run::Judged,
    verdict::truth::{self, Turns, Verdict},
    wire::layout::DEVICES,
};

/// What the truth says of a whole run, by device and then by time.
pub struct Truth {
    /// The times at which a device's session turned usable, or stopped being so.
    pub turns: Vec<(u32, Time, bool)>,
    /// The times at which a device's new connections turned impossible, or possible again.
    pub kept_out: Vec<(u32, Time, bool)>,
}

/// Returns the truth about the whole run.
pub fn truth(config: &WorldConfig, seed: u64) -> Truth {
    let Verdict { turns, kept_out, .. } = verdict(config, seed, usize::MAX);
    Truth { turns, kept_out }
}

/// Returns all that the truth says of the whole run, in words, where it judges whenever it has heard so many facts: the same for
/// any number.
pub fn judged_in_portions(config: &WorldConfig, seed: u64, facts: usize) -> String {
    format!("{:#?}", verdict(config, seed, facts))
}

fn verdict(config: &WorldConfig, seed: u64, facts: usize) -> Verdict {
    let schedule = Rc::new(Schedule::draw(config, seed));
    let truth = truth::Truth::in_portions(config, seed, schedule.clone(), Turns::Kept, facts);
    let judged = Judged::by(truth, schedule, false);
    let mut hosts = world::hosts(config, seed, &judged.schedule, &judged.uses());
    event::run(&mut hosts, Time::ZERO + config.duration);
    drop(hosts);
    judged.verdict()
}

/// Returns when faults begin or end that break sessions, whether or not the truth makes anything of it.
pub fn edges(config: &WorldConfig, seed: u64) -> Vec<Time> {
    let schedule = Schedule::draw(config, seed);
    let networks = || schedule.networks.iter();
    let access = networks().flat_map(|network| &network.access);
    let cuts = access
        .chain(schedule.core.paths.iter().map(|path| &path.cuts))
        .flat_map(|cuts| cuts.up.iter().chain(&*cuts.down));
    let dead = networks().flat_map(|network| network.dead_leases.iter().flatten());
    let faults = schedule.servers.iter().flatten().flat_map(ServerFaults::unusable);
    let edges = cuts.chain(dead).copied().chain(faults).flat_map(|interval| [interval.begin, interval.end]);
    let flushes = networks().flat_map(|network| &network.nats).flat_map(|nat| nat.flushes.iter().copied());
    let moves = schedule.lives.iter().flat_map(|life| life.moves.iter().map(|next| next.at));
    let proxy = schedule.proxy.restarts.iter().chain(&schedule.proxy.drains);
    let proxy = proxy.flat_map(|strike| [strike.begin, strike.end]);
    let standstills = schedule.lives.iter().flat_map(Life::standstills).flat_map(|still| [still.begin, still.end]);
    edges.chain(flushes).chain(moves).chain(standstills).chain(proxy).collect()
}

/// What a device is asked in a frozen world.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    /// Whether a beat on its session is answered. Devices without a session, or in a race for one, are not asked.
    Beat,
    /// Whether it can open a new connection and have a beat on it answered. Devices that have not begun are not asked.
    ComeAnew,
}

/// Freezes the run at `at` and asks its devices, or only one of them if `alone` names it. Returns for each of those that were
/// asked whether the reply arrived; and, for one alone, what happened after the moment.
pub fn ask(
    config: &WorldConfig,
    seed: u64,
    at: Time,
    question: Question,
    alone: Option<u32>,
) -> (Vec<(u32, bool)>, Vec<Entry>) {
    /// Enough for TCP's longest timeouts and for the work that a slow server has left.
    const PATIENCE: Duration = Duration::from_hours(48);
    let schedule = Schedule::draw(config, seed);
    let uses = Uses { kept: alone.is_some(), hears: None };
    let mut hosts = world::hosts(config, seed, &schedule, &uses);
    event::run(&mut hosts, at + Duration::from_micros(1));
    for host in &mut hosts {
        host.freeze(at);
    }
    let ask = match question {
        Question::Beat => DeviceGroup::probe,
        Question::ComeAnew => DeviceGroup::come_anew,
    };
    let devices = hosts[DEVICES.0 as usize].node::<DeviceGroup>().expect("the first node is the devices'");
    let asked = (0..config.devices.count).filter(|device| alone.is_none_or(|alone| alone == *device));
    let probes: Vec<(u32, Arc<AtomicBool>)> =
        asked.filter_map(|device| Some((device, ask(devices, device, at)?))).collect();
    event::run(&mut hosts, at + PATIENCE);
    let answers = probes.into_iter().map(|(device, answered)| (device, answered.load(Ordering::Relaxed))).collect();
    let entries = hosts.into_iter().flat_map(|host| host.finish().entries);
    (answers, entries.filter(|entry| entry.at > at).collect())
}
