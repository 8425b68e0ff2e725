//! Which strike of a fault began a break: its number among all that may break a session of the device, in the order of time.
//! They are drawn before the run, so that the number is the same whatever the policy, and breaks can be paired over policies.
//! Moves that a device's life plans are among them.

use cardiogram_policies::Time;

use crate::{
    config::Cause,
    fate::{Schedule, link_faults::Cuts, server_faults::ServerFaults},
    record::faults::FaultPlace,
};

/// When it begins, where, and what breaks by it: a cut is a [`Cause::Cut`] in whichever direction, and a move a
/// [`Cause::NetworkSwitch`] wherever it leads.
pub(crate) type Strike = (Time, FaultPlace, Cause);

/// The strikes that may break a session of one device, in order.
#[derive(Default)]
pub(crate) struct Strikes<'a> {
    /// Of all devices.
    common: &'a [Strike],
    /// Of this one alone.
    own: Vec<Strike>,
}

/// Returns the strikes that may break sessions of all devices, in order.
pub(crate) fn common(schedule: &Schedule) -> Vec<Strike> {
    let core = schedule.core.is_one().then(|| cuts(schedule.core.cuts_of(0), FaultPlace::CoreLink));
    let mut strikes: Vec<Strike> = core.into_iter().flatten().collect();
    for (network, of_network) in (0..).zip(&schedule.networks) {
        for (nat, faults) in (0..).zip(&of_network.nats) {
            let place = FaultPlace::Nat { network, nat };
            strikes.extend(faults.flushes.iter().map(|at| (*at, place, Cause::NatFlush)));
        }
    }
    let proxy = [(&schedule.proxy.restarts, Cause::ProxyRestart), (&schedule.proxy.drains, Cause::ProxyDrain)];
    for (of_kind, cause) in proxy {
        strikes.extend(of_kind.iter().map(|strike| (strike.begin, FaultPlace::Proxy, cause)));
    }
    for (server, faults) in (0..).zip(&schedule.servers) {
        strikes.extend(of_server(server, faults, |fault| fault.struck.is_all()));
    }
    in_order(strikes)
}

/// Returns the strikes that break sessions of a server, of those faults that are asked for.
fn of_server(
    server: u32,
    faults: &[ServerFaults],
    is_asked_for: impl Fn(&ServerFaults) -> bool,
) -> impl Iterator<Item = Strike> {
    let breaking = faults.iter().filter(move |fault| is_asked_for(fault) && fault.breaks());
    let spans = breaking.flat_map(|fault| fault.spans().iter().map(|span| (span.begin, fault.cause)));
    spans.map(move |(begin, cause)| (begin, FaultPlace::Server { server }, cause))
}

impl<'a> Strikes<'a> {
    /// Those of a device, `common` among them.
    pub(crate) fn of_device(common: &'a [Strike], schedule: &Schedule, device: usize) -> Self {
        let mut own = Vec::new();
        if !schedule.core.is_one() {
            own.extend(cuts(schedule.core.cuts_of(device), FaultPlace::CoreLink));
        }
        for (server, faults) in (0..).zip(&schedule.servers) {
            let is_own = |fault: &ServerFaults| !fault.struck.is_all() && fault.struck.has(device as u32);
            own.extend(of_server(server, faults, is_own));
        }
        let place = FaultPlace::Device;
        for (network, of_network) in (0..).zip(&schedule.networks) {
            own.extend(cuts(&of_network.access[device], FaultPlace::AccessLink { network }));
            let dead = of_network.dead_leases.get(device).into_iter().flatten();
            own.extend(dead.map(|dead| (dead.begin, place, Cause::LeaseExpiry)));
        }
        if let Some(life) = schedule.lives.get(device) {
            own.extend(life.kills.iter().map(|kill| (kill.begin, place, Cause::ProcessKilled)));
            own.extend(life.stalls.iter().map(|still| (still.begin, place, Cause::DeviceStall)));
            own.extend(life.freezes.iter().map(|still| (still.begin, place, Cause::DeviceFreeze)));
            own.extend(life.moves.iter().map(|step| (step.at, place, Cause::NetworkSwitch)));
        }
        Self { common, own: in_order(own) }
    }

    /// Returns the number of the last strike at `place`, up to `at`, that breaks sessions for `cause`.
    pub(crate) fn number(&self, cause: Cause, place: FaultPlace, at: Time) -> Option<u32> {
        let cause = match cause {
            Cause::CutUp | Cause::CutDown => Cause::Cut,
            Cause::NoNetwork => Cause::NetworkSwitch,
            other => other,
        };
        let of = |strikes: &[Strike]| {
            let until = strikes.partition_point(|(begin, ..)| *begin <= at);
            strikes[..until].iter().rev().find(|strike| (strike.1, strike.2) == (place, cause)).copied()
        };
        let strike = of(&self.own).or_else(|| of(self.common))?;
        let before = |strikes: &[Strike]| strikes.partition_point(|other| *other < strike);
        Some((before(&self.own) + before(self.common)) as u32)
    }
}

/// Returns the cuts of a link: one in both directions is one strike.
fn cuts(cuts: &Cuts, place: FaultPlace) -> impl Iterator<Item = Strike> + '_ {
    cuts.up.iter().chain(&*cuts.down).map(move |cut| (cut.begin, place, Cause::Cut))
}

fn in_order(mut strikes: Vec<Strike>) -> Vec<Strike> {
    strikes.sort_unstable();
    strikes.dedup();
    strikes
}
