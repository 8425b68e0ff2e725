//! Random lives of devices: networks that they move between, an application that comes and goes, a doze.

use cardiogram_policies::{
    NetworkKind,
    unit::{Delay, Span},
};
use cardiogram_sim::config::{
    Attach, Distribution, DozeConfig, IdleAlarms, LifeConfig, NetworkConfig, OldSockets, Periods, When,
};
use proptest::prelude::*;

use super::{DURATION, delay, link, millis, nat, radio, span};

/// The network beside the first one.
const SECOND: &str = "wifi";

pub(super) fn network() -> impl Strategy<Value = NetworkConfig> {
    (link(), prop::option::of(radio()), prop::collection::vec(nat(), 1..3))
        .prop_map(|(access, radio, nat)| NetworkConfig { kind: NetworkKind::Wifi, access, radio, nat })
}

pub(super) fn life() -> impl Strategy<Value = LifeConfig> {
    let grid = prop::option::weighted(0.3, span(1..300));
    let uses = (prop::option::of(periods()), prop::option::of(periods()), grid, prop::option::of(doze()));
    let plan = prop::collection::btree_map(1..DURATION * 1_000, (place(), leaving()), 0..3);
    (plan, uses).prop_map(|(plan, (foreground, screen, alarm_grid, doze))| LifeConfig {
        attach: plan.into_iter().map(|(at, (to, leaving))| attach(Delay::millis(at), to, leaving)).collect(),
        foreground,
        screen,
        alarm_grid,
        doze,
    })
}

fn attach(at: Delay, to: String, (gap, old_sockets): (Option<Distribution>, OldSockets)) -> Attach {
    let old_sockets = lingers_only_beside(old_sockets, gap.is_some() || to == "none");
    Attach { at, to, gap, old_sockets }
}

fn lingers_only_beside(old_sockets: OldSockets, is_alone: bool) -> OldSockets {
    if is_alone && old_sockets == OldSockets::Linger { OldSockets::Rot } else { old_sockets }
}

pub(super) fn place() -> impl Strategy<Value = String> {
    prop_oneof![Just("main".to_owned()), Just(SECOND.to_owned()), Just("none".to_owned())]
}

fn leaving() -> impl Strategy<Value = (Option<Distribution>, OldSockets)> {
    let old_sockets = prop_oneof![Just(OldSockets::Abort), Just(OldSockets::Linger), Just(OldSockets::Rot)];
    (prop::option::of(millis(1..20_000).prop_map(Distribution::Constant)), old_sockets)
}

fn periods() -> impl Strategy<Value = Periods> {
    let when = prop_oneof![
        span(60..900).prop_map(When::Every),
        (span(60..300), delay(0..600_000), span(601..DURATION)).prop_map(|(every, from, to)| When::During {
            every,
            from,
            to
        }),
    ];
    (when, millis(1..300_000)).prop_map(|(when, lasts)| Periods { when, lasts: Distribution::Constant(lasts) })
}

fn doze() -> impl Strategy<Value = DozeConfig> {
    let alarms = prop_oneof![Just(IdleAlarms::Never), span(1..540).prop_map(IdleAlarms::Every)];
    (span(1..600), alarms, span(1..300), span(1..60), any::<bool>(), millis(1..5_000)).prop_map(
        |(after, alarms, first_window, window, suspends, awake)| DozeConfig {
            after,
            alarms,
            first_window,
            longest_wait: Span::secs(300),
            window,
            suspends,
            awake,
        },
    )
}
