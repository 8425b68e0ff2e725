//! The promises of every preset, in worlds made for them: a healthy one, breaks of every kind for good, outages that end.
//! What holds in any world at all is in `invariants`, with strategies drawn at random.
//!
//! Worlds are as long as the promise needs, and their devices start at random moments, so that a break strikes each in
//! another phase of its beats. Every failure names the preset, the seed, and the command that runs it alone.

use std::time::Duration;

use cardiogram_policies::{
    HeartbeatSpec, StrategySpec, Time,
    preset::{self, Preset},
    unit::Delay,
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Direction, FaultConfig, LinkName},
};
use kit::common::{kept::Kept, *};

const SEEDS: [u64; 2] = [1, 2];
const DEVICES_EACH: u32 = 4;

/// Tries every preset under every seed, and expects that some of them promise anything, which is told by `Ok(true)`.
#[track_caller]
fn sweep(test: &str, try_one: impl Fn(&StrategySpec, u64) -> Result<bool, String>) {
    let promising = sweep_those_there_are(test, try_one);
    assert!(promising > 0, "no preset promises anything");
}

/// Returns the same where there may be none; how many there were. `CARDIOGRAM_PRESET` names one to try alone.
#[track_caller]
fn sweep_those_there_are(test: &str, try_one: impl Fn(&StrategySpec, u64) -> Result<bool, String>) -> usize {
    let only = std::env::var("CARDIOGRAM_PRESET").ok();
    let (mut broken, mut promising) = (Vec::new(), 0);
    for spec in
        preset::all().iter().map(Preset::spec).filter(|spec| only.as_ref().is_none_or(|only| *only == spec.name))
    {
        for seed in SEEDS {
            match try_one(&spec, seed) {
                Ok(has_promised) => promising += usize::from(has_promised),
                Err(error) => broken.push(format!(
                    "{} under seed {seed}: {error}\n  CARDIOGRAM_PRESET={} cargo test --test promises promised::{test}",
                    spec.name, spec.name
                )),
            }
        }
    }
    assert!(broken.is_empty(), "{} promises are broken:\n{}", broken.len(), broken.join("\n"));
    if only.is_some() { usize::MAX } else { promising }
}

/// Devices that start within `phases`, silent, on a path without loss behind a NAT that never forgets.
fn silent(strategy: &StrategySpec, phases: Duration) -> WorldConfig {
    let mut world = WorldConfig { strategy: strategy.clone(), ..world(HeartbeatSpec::None) };
    world.devices.count = DEVICES_EACH;
    world.devices.start_within = Delay::new(phases).expect("promises are kept within years");
    world.nat[0].established = constant(Duration::from_hours(365 * 24));
    world
}

/// Returns when breaks begin: every device has had a session for a minute at least.
fn begin(phases: Duration) -> Time {
    Time::from_secs(60) + phases
}

/// Returns the faults that break every session at a moment.
fn breaks(begin: Time, lasts: Option<Duration>) -> [(&'static str, FaultConfig); 6] {
    let one_way = |direction| cut_of(LinkName::Access, direction, begin, lasts);
    [
        ("cut", cut(begin, lasts)),
        ("cut up", one_way(Direction::Up)),
        ("cut down", one_way(Direction::Down)),
        ("stall", FaultConfig::ServerStall(server_fault(begin, lasts))),
        ("crash", FaultConfig::ServerCrash(server_fault(begin, lasts))),
        ("vanish", FaultConfig::ServerVanish(server_fault(begin, lasts).into())),
    ]
}

/// Returns who leaves on purpose may have left before the break.
fn someone_was_struck(strategy: &StrategySpec, outcome: &Outcome, begin: Time) -> Kept {
    let is_struck = outcome.episodes.iter().any(|episode| episode.begin == begin);
    if is_struck || matches!(strategy.heartbeat, HeartbeatSpec::LeaveWhenQuiet(_)) {
        Ok(())
    } else {
        Err(format!("nobody had a session at {begin} to lose"))
    }
}

#[test]
fn on_a_healthy_path_nothing_ends_nobody_is_alarmed_and_nothing_is_spent_that_was_not_promised() {
    sweep("on_a_healthy_path", |strategy, seed| {
        let mut world = silent(strategy, secs(60));
        world.duration = Duration::from_mins(80);
        let promises = world.promises();
        let outcome = go_traced(&world, seed);
        if promises.no_false_alarm {
            kept::raises_no_alarm(&outcome)?;
        }
        // Only a server that counts pings sends healthy clients away.
        if !outcome.episodes.is_empty() && strategy.server.strikes.is_none() {
            return Err(format!("sessions end on a healthy path: {:?}", outcome.episodes));
        }
        kept::spends_no_more(&outcome, DEVICES_EACH, &promises)?;
        Ok(promises.no_false_alarm)
    });
}

#[test]
fn attempts_keep_their_limits_in_an_outage() {
    sweep("attempts_keep", |strategy, seed| {
        let phases = secs(60);
        let mut world = silent(strategy, phases);
        let promises = world.promises();
        let Some(limit) = promises.attempts else { return Ok(false) };
        let lasts = (4 * limit.window + secs(120)).min(Duration::from_mins(30));
        world.duration = age(begin(phases)) + lasts + secs(120);
        // What refuses at once invites the most attempts.
        world.faults = vec![FaultConfig::ServerCrash(server_fault(begin(phases), Some(lasts)))];
        kept::spends_no_more(&go_traced(&world, seed), DEVICES_EACH, &promises)?;
        Ok(true)
    });
}

#[test]
fn breaks_for_good_are_noticed_as_soon_as_promised() {
    sweep("breaks_for_good", |strategy, seed| {
        let within = silent(strategy, Duration::ZERO).promises().detects_within;
        let Some(within) = within else { return Ok(false) };
        let begin = begin(within);
        for (name, fault) in breaks(begin, None) {
            let mut world = silent(strategy, within);
            world.duration = age(begin) + within + secs(1);
            world.faults = vec![fault];
            let outcome = go(&world, seed);
            let is_kept =
                someone_was_struck(strategy, &outcome, begin).and_then(|()| kept::notices(&outcome, begin, within));
            is_kept.map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(true)
    });
}

#[test]
fn servers_close_who_is_silent_as_soon_as_promised() {
    let promising = sweep_those_there_are("servers_close", |strategy, seed| {
        let announced = strategy.heartbeat.announced_interval();
        let within = strategy.server.reaps_within(announced, &silent(strategy, Duration::ZERO).bounds());
        let Some(within) = within else { return Ok(false) };
        let begin = begin(within);
        for (name, fault) in &breaks(begin, None)[..2] {
            let mut world = silent(strategy, within);
            world.duration = age(begin) + within + secs(1);
            world.faults = vec![fault.clone()];
            kept::reaps(&go_traced(&world, seed), begin, within).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(true)
    });
    let watchful = preset::all().iter().map(Preset::spec).filter(|spec| spec.server.idle_reaper.is_some()).count();
    assert!(promising >= watchful, "{watchful} presets have a reaper, {promising} runs were about a promise of one");
}

/// The first beat finds the path dead, however late it comes; unless the kernel's own probes keep it alive.
#[test]
fn a_nat_that_forgets_between_two_beats_is_noticed_as_soon_as_promised() {
    sweep("a_nat_that_forgets", |strategy, seed| {
        let Some(longest) = strategy.heartbeat.announced_interval() else { return Ok(false) };
        let mut world = silent(strategy, longest);
        let beats = world.promises().heartbeats_per_hour;
        // As many beats as are promised at most fit into an hour.
        let shortest = beats.map_or(longest, |beats| millis(3_600_000 / u64::from(beats.max(1))));
        world.nat[0].established = constant(longest.min(shortest) / 2);
        let Some(within) = world.promises().detects_within else { return Ok(false) };
        world.duration = 2 * longest + 3 * within;
        let outcome = go(&world, seed);
        let is_kept_alive = outcome.totals.up.tcp.probe > 0;
        if outcome.episodes.is_empty() && !is_kept_alive {
            return Err("the NAT has forgotten nobody".into());
        }
        kept::notices(&outcome, Time::ZERO + world.duration - within, within)?;
        Ok(true)
    });
}

/// Outages that end before and after they are noticed.
#[test]
fn after_an_outage_everyone_is_back_as_soon_as_promised() {
    sweep("after_an_outage", |strategy, seed| {
        let promises = silent(strategy, Duration::ZERO).promises();
        let Some((detects, within)) = promises.detects_within.zip(promises.reconnects_within) else { return Ok(false) };
        for lasts in [detects / 2, detects + secs(180)] {
            let begin = begin(detects);
            for (name, fault) in breaks(begin, Some(lasts)) {
                let mut world = silent(strategy, detects);
                let healed = begin + lasts;
                world.duration = age(healed) + within + secs(1);
                world.faults = vec![fault];
                let outcome = go(&world, seed);
                let is_kept = someone_was_struck(strategy, &outcome, begin)
                    .and_then(|()| kept::is_back(&outcome, healed, within));
                is_kept.map_err(|error| format!("{name} of {lasts:?}: {error}"))?;
            }
        }
        Ok(true)
    });
}
