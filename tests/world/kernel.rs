//! What kernels were measured to do by themselves (`policies/measured/`, the measurements of a `kernel`), played in the world:
//! a session whose path is cut, and an application that does nothing. What policies do is played without a world, in
//! policies/tests/measured.rs.

use std::time::Duration;

use cardiogram_policies::{
    HeartbeatSpec, StrategySpec, Time,
    measured::{self, OfKernel, Seen},
    preset,
};
use cardiogram_sim::trace::DeviceEvent;
use kit::common::*;

#[test]
fn kernels_end_a_silent_connection_when_they_were_seen_to() {
    let mut played = 0;
    for product in measured::all() {
        for it in &product.measurements {
            let Some(OfKernel { dead: Seen::Exactly(dead), .. }) = it.kernel else { continue };
            for name in &it.presets {
                played += 1;
                let silent = silence(name, &it.with);
                let off = silent.abs_diff(dead.get());
                assert!(off <= it.within.get(), "{name}, {}: {silent:?} instead of {dead}", it.what);
            }
        }
    }
    assert!(played >= 5, "{played} played");
}

/// Returns how long after the last packet the kernel ends a connection whose path is cut.
fn silence(name: &str, with: &toml::Table) -> Duration {
    let mut table: toml::Table = toml::from_str(preset::find(name).expect("a preset").toml).expect("a table");
    table.insert("heartbeat".to_owned(), with["heartbeat"].clone());
    let mut world = world(HeartbeatSpec::None);
    world.strategy = table.try_into::<StrategySpec>().expect("a strategy");
    world.faults = vec![cut(Time::from_secs(2), None)];
    world.duration = secs(60);
    let outcome = go_traced(&world, 1);
    let lost = device_events(&outcome).find(|(_, _, event)| matches!(event, DeviceEvent::Lost { .. }));
    let (lost, ..) = lost.expect("the kernel ends it");
    let heard = received(&outcome, DEVICES).into_iter().map(|(at, _)| at).filter(|at| *at < lost).max();
    lost.since(heard.expect("the session was welcomed"))
}
