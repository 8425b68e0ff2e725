//! As `reported.rs`: troubles that people report of devices that stand still. With their numbers the trouble appears, and with
//! what helped them it goes away.

use cardiogram_policies::{HeartbeatSpec, Registry, StrategySpec, Time, unit::Span};
use cardiogram_scenarios::load;
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Distribution, FaultConfig},
    outcome::{Cause, Episode, EpisodeOutcome},
    trace::{DeviceEvent, Fact, What},
};
use kit::common::*;

fn preset(name: &str) -> StrategySpec {
    load::strategy(name, None, &Registry::new()).expect("a built-in strategy").value
}

fn scenario(name: &str, strategy: &StrategySpec) -> WorldConfig {
    load::scenario(name).expect("a built-in scenario").value.world(strategy)
}

fn of_cause(outcome: &Outcome, cause: Cause) -> impl Iterator<Item = &Episode> {
    outcome.episodes.iter().filter(move |episode| episode.cause == cause)
}

/// Socket.IO pings every 25 s and waits 20 s: of a tab whose thread is busy for a minute it is rid. Who waits for 5 min is not.
#[test]
fn a_hung_tab_is_disconnected_by_a_ping_timeout_of_20_s_and_not_by_one_of_5_min() {
    let mut strategy = preset("engineio-v4");
    let hasty = go(&scenario("hung-tab", &strategy), 1);
    let stalls: Vec<&Episode> = of_cause(&hasty, Cause::DeviceStall).collect();
    assert!(stalls.len() > 20, "{}", stalls.len());
    // The server has closed it, and the tab's own watchdog of 45 s is due when it goes on, too.
    assert!(stalls.iter().all(|it| it.detection.is_some()), "{stalls:?}");

    strategy.server.pings.as_mut().expect("it pings").timeout = Some(Span::secs(300));
    let HeartbeatSpec::Composed(parts) = &mut strategy.heartbeat else { panic!("a composition") };
    let text = "name = \"w\"\n[heartbeat.composed]\nschedule = \"peer-sends\"\njudge.silence = { limit = \"325s\", fed_by = \"pings\" }\n";
    let HeartbeatSpec::Composed(slow) =
        load::parse_strategy("w", text, &Registry::new()).expect("a strategy").heartbeat
    else {
        panic!("a composition")
    };
    *parts = slow;
    let patient = go(&scenario("hung-tab", &strategy), 1);
    assert_eq!(of_cause(&patient, Cause::DeviceStall).count(), stalls.len(), "the same stalls");
    assert!(of_cause(&patient, Cause::DeviceStall).all(|it| it.detection.is_none()), "ridden out");
    assert!(patient.totals.sessions < hasty.totals.sessions / 4);
}

/// A laptop that wakes believes in a connection that the server has given up. A client that only listens never learns of it;
/// one that wants to hear something every 30 s does within 33 s.
#[test]
fn a_laptop_that_slept_hears_nothing_for_ever_unless_it_wants_to_hear_something() {
    let deaf = go(&scenario("laptop-sleep", &preset("graphql-ws")), 1);
    let slept = |outcome: &Outcome| of_cause(outcome, Cause::DeviceFreeze).copied().collect::<Vec<_>>();
    let never = slept(&deaf).iter().filter(|it| it.outcome() == EpisodeOutcome::Undetected).count();
    assert_eq!(never, 12, "each laptop, once and for all: {:?}", slept(&deaf));

    let world = scenario("laptop-sleep", &preset("y-websocket"));
    let lasts = world.faults.iter().find_map(|fault| match fault {
        FaultConfig::DeviceFreeze(it) => it.lasts.as_ref().map(Distribution::practical_max),
        _ => None,
    });
    let watchful = go_traced(&world, 1);
    let woken: Vec<(u32, Time)> = entries(&watchful)
        .iter()
        .filter_map(|entry| match entry.what {
            What::Fact(Fact::Device { device, event: DeviceEvent::GoesOn }) => Some((device, entry.at)),
            _ => None,
        })
        .collect();
    assert!(lasts.is_some() && woken.len() > 12);
    for episode in slept(&watchful) {
        let woke = woken.iter().find(|(device, at)| *device == episode.device && *at > episode.begin);
        let (Some((_, woke)), Some(detection)) = (woke, episode.detection) else { continue };
        let after = detection.at.since(*woke);
        assert!(after <= secs(33), "{episode:?} {after:?}");
    }
    assert!(watchful.usable_time > 2 * deaf.usable_time);
}
