//! Real asynchronous programs in the lab's network: their sockets, who of them runs where, and scenarios as tests of them.
//!
//! What is simulated of them and what is not is on the page `docs/model/guests.md`, and a walk from a client to its gate on
//! `docs/real-clients.md`.

use std::error::Error;

use cardiogram_policies::{HeartbeatSpec, Registry, StrategySpec};
use cardiogram_scenarios::load;
pub use cardiogram_sim::guest::{Guests, Machine, Result, RunClock, System, TcpListener, TcpStream, run_guests};
use cardiogram_sim::{Engine, Outcome, RunOptions, first_difference, run};

/// Runs a scenario with guests, for a test: a built-in one by its name, or a file by its path, which begins with a dot or has a
/// slash in it. Returns the outcomes of the seeds 1 to `seeds`, for the test to judge. [`crate::test`] is this as an attribute.
///
/// # Panics
///
/// Where a test has failed: there is no such scenario, it has something that guests do not know, a guest fails, or the first
/// seed is not the same when it is run again. The message tells which.
pub fn test(scenario: &str, seeds: u64, guests: &Guests) -> Vec<Outcome> {
    let scenario = load::scenario(scenario).unwrap_or_else(|error| panic!("{error}"));
    let guest = Registry::new().guest("tested", guests.clone()).find_guest("tested").expect("just registered");
    let world = scenario.value.world(&StrategySpec::new("tested", HeartbeatSpec::Guest(guest)));
    let of_seed = |seed| {
        run(&world, seed, &RunOptions::new(Engine::Event)).unwrap_or_else(|error| panic!("seed {seed}: {error}"))
    };
    let outcomes: Vec<Outcome> = (1..=seeds).map(of_seed).collect();
    let again = outcomes.first().filter(|first| of_seed(1).trace_hash != first.trace_hash);
    if again.is_some() {
        let difference = first_difference(&world, 1).unwrap_or_else(|error| panic!("seed 1: {error}"));
        panic!(
            "the guests do something else when they run again: {}\nhelp: chance that no seed decides, or the machine's clock? \
             `Guests::with_system(cardiogram_interpose::Interposed)` answers for both",
            difference.as_deref().unwrap_or("once")
        );
    }
    outcomes
}

/// As [`test()`], and has each outcome judged, that of the first seed first.
///
/// # Panics
///
/// Where `test` does, and where `judge` does; a line on stderr then says at which seed.
pub fn test_each(scenario: &str, seeds: u64, guests: &Guests, judge: impl Fn(&Outcome)) {
    for (seed, outcome) in (1..).zip(test(scenario, seeds, guests)) {
        let _named = Judged(seed);
        judge(&outcome);
    }
}

/// Says which seed was judged when a judge panics.
struct Judged(u64);

impl Drop for Judged {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("that was seed {}", self.0);
        }
    }
}

/// What the program of a test may end with: nothing, or a `Result`.
pub trait Ending {
    /// Returns how the program has ended.
    fn into_result(self) -> Result;
}

impl Ending for () {
    fn into_result(self) -> Result {
        Ok(())
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> Ending for std::result::Result<(), E> {
    fn into_result(self) -> Result {
        self.map_err(Into::into)
    }
}
