//! The lab itself, for the ratio: TCP at both ends, NAT, links, the server's process, record, truth and measures. On the engine that the
//! second argument names: `event`, or `turmoil`.

use cardiogram_policies::{
    preset,
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Engine, RunOptions, WorldConfig,
    config::{DevicesConfig, Distribution, LinkConfig},
    run,
};
use peers::{ACCESS, CORE, INTERVAL, Work};

fn main() {
    let on_turmoil = std::env::args().nth(2).as_deref() == Some("turmoil");
    let (name, engine) =
        if on_turmoil { ("this lab, on turmoil", Engine::Turmoil) } else { ("this lab", Engine::Event) };
    let link = |delay| LinkConfig::of_delay(Distribution::Constant(Span::at_least(delay)));
    let strategy = preset::find("wechat-270").expect("a built-in preset").spec();
    Work::asked().measure(name, |work| {
        let start_within = Delay::millis(INTERVAL.as_millis() as u64);
        let devices = DevicesConfig { count: work.devices, start_within, ..DevicesConfig::default() };
        let world = WorldConfig { devices, ..WorldConfig::new(work.duration, link(ACCESS), link(CORE), strategy) };
        run(&world, 1, &RunOptions::new(engine)).expect("the world runs").totals.heartbeats_answered
    });
}
