//! Both engines give the same run, whatever the world, the tick and the skipping.

use std::time::Duration;

use cardiogram_sim::{Engine, Outcome, RunOptions, WorldConfig, config::LifeConfig, run};
use kit::worlds;
use proptest::{prelude::*, strategy::ValueTree};

fn run_with(world: &WorldConfig, seed: u64, options: &RunOptions) -> Outcome {
    run(world, seed, options).expect("both engines finish")
}

/// Returns where two runs part, for a person to read.
fn first_difference(world: &WorldConfig, seed: u64, options: &RunOptions) -> String {
    let kept = |options: RunOptions| {
        let outcome = run_with(world, seed, &RunOptions { keep_trace: true, ..options });
        outcome.trace.expect("the trace was asked for").json_lines()
    };
    let (event, other) = (kept(RunOptions::new(Engine::Event)), kept(*options));
    let differing = event.lines().zip(other.lines()).find(|(a, b)| a != b);
    differing.map_or_else(|| "one run is longer".into(), |(a, b)| format!("event engine: {a}\nother run:    {b}"))
}

fn agree(world: &WorldConfig, seed: u64, options: RunOptions) -> Result<(), TestCaseError> {
    let (event, other) = (run_with(world, seed, &RunOptions::new(Engine::Event)), run_with(world, seed, &options));
    prop_assert!(
        event.trace_hash == other.trace_hash,
        "{options:?} differs:\n{}",
        first_difference(world, seed, &options)
    );
    prop_assert_eq!(event.episodes, other.episodes);
    prop_assert_eq!(event.false_alarms, other.false_alarms);
    prop_assert_eq!(event.accuracy, other.accuracy);
    prop_assert_eq!(event.totals, other.totals);
    prop_assert_eq!((event.radio, event.peaks), (other.radio, other.peaks));
    prop_assert_eq!((event.pushes, event.requests), (other.pushes, other.requests));
    prop_assert_eq!((event.learning, event.series), (other.learning, other.series));
    prop_assert_eq!((event.usable_time, event.zombie_time), (other.usable_time, other.zombie_time));
    prop_assert_eq!((event.downtime, event.away_time), (other.downtime, other.away_time));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn turmoil_and_the_event_engine_agree(world in worlds::world(), seed: u64) {
        prop_assert_eq!(world.problems(), vec![]);
        agree(&world, seed, RunOptions::new(Engine::Turmoil))?;
    }

    #[test]
    fn the_tick_does_not_show(world in worlds::world(), seed: u64, divisor in 2_u32..20) {
        let tick = (world.lookahead() / divisor).max(Duration::from_micros(1));
        agree(&world, seed, RunOptions { tick: Some(tick), ..RunOptions::new(Engine::Turmoil) })?;
    }
}

proptest! {
    // Without skipping every window is a step, so worlds are cut short here.
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn skipping_idle_windows_does_not_show(world in worlds::world(), seed: u64) {
        let life = LifeConfig::default();
        let world = WorldConfig { duration: Duration::from_secs(150), faults: Vec::new(), life, ..world };
        agree(&world, seed, RunOptions { skip_idle: false, ..RunOptions::new(Engine::Turmoil) })?;
    }
}

#[test]
fn keeping_the_trace_does_not_show() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for seed in 0..20 {
        let world = worlds::world().new_tree(&mut runner).expect("a world").current();
        let without = run_with(&world, seed, &RunOptions::new(Engine::Event));
        let with = run_with(&world, seed, &RunOptions { keep_trace: true, ..RunOptions::new(Engine::Event) });
        assert_eq!(without.trace_hash, with.trace_hash);
    }
}
