//! One run of any world: with the lab's own devices and servers, or with the guests that its strategy names.

use cardiogram_policies::{Guest, HeartbeatSpec, Problem, StrategySpec};

#[cfg(feature = "guests")]
use crate::guest::{Guests, run_guests};
use crate::{
    config::WorldConfig,
    engine::{Engine, RunError, RunOptions},
    record::trace::{Entry, Trace, What},
    run::run_own,
    verdict::outcome::Outcome,
};

/// Runs the world of `seed`.
///
/// It fails on a world with [problems](WorldConfig::problems), those of [`guest_problems`] included, and where an engine or a guest
/// does.
pub fn run(config: &WorldConfig, seed: u64, options: &RunOptions) -> Result<Outcome, RunError> {
    let HeartbeatSpec::Guest(guest) = &config.strategy.heartbeat else { return run_own(config, seed, options) };
    #[cfg(feature = "guests")]
    return run_guests(config, seed, options, guests_of(guest).map_err(|problem| RunError::World(vec![problem]))?);
    #[cfg(not(feature = "guests"))]
    Err(RunError::World(vec![not_here(guest)]))
}

/// Returns what of a world the guests of its strategy do not know, with paths as in a scenario file; empty where they can run in
/// it, and where its strategy names none.
pub fn guest_problems(config: &WorldConfig) -> Vec<Problem> {
    let HeartbeatSpec::Guest(guest) = &config.strategy.heartbeat else { return Vec::new() };
    #[cfg(feature = "guests")]
    return guests_of(guest).map_or_else(|problem| vec![problem], |guests| guests.problems(config));
    #[cfg(not(feature = "guests"))]
    vec![not_here(guest)]
}

/// Returns what the guest of a strategy was told besides its program; empty where that is nothing, and for other strategies.
pub fn guest_parameters(strategy: &StrategySpec) -> &str {
    match &strategy.heartbeat {
        #[cfg(feature = "guests")]
        HeartbeatSpec::Guest(guest) => guest.program().map_or("", Guests::parameters),
        _ => "",
    }
}

/// Returns what is registered as a guest.
#[cfg(feature = "guests")]
fn guests_of(guest: &Guest) -> Result<&Guests, Problem> {
    guest.program().ok_or_else(|| {
        let message = format!("what is registered as the guest `{}` is no `cardiogram::net::Guests`", guest.name());
        Problem::new("heartbeat.guest", message, "register one by `Registry::guest`")
    })
}

#[cfg(not(feature = "guests"))]
fn not_here(guest: &Guest) -> Problem {
    let message = format!("the guest `{}` cannot run: `cardiogram-sim` lacks its feature `guests`", guest.name());
    Problem::new("heartbeat.guest", message, "build it with that feature")
}

/// Runs a world twice, and returns in words where the second run first differs from the first; `None`: nowhere.
///
/// The lab's own hosts never differ. Guests do where they draw from the system's generator, or look at the machine's clock, and what
/// they find there decides what they do. Of packets, what they carry is not compared.
pub fn first_difference(config: &WorldConfig, seed: u64) -> Result<Option<String>, RunError> {
    let traced = || {
        let options = RunOptions { keep_trace: true, ..RunOptions::new(Engine::Event) };
        Ok(run(config, seed, &options)?.trace.expect("it was asked for"))
    };
    let (first, second): (Trace, Trace) = (traced()?, traced()?);
    let pairs = first.entries.iter().zip(&second.entries);
    let parts = pairs.take_while(|(one, other)| are_alike(one, other)).count();
    let tell = |trace: &Trace| {
        let entry = trace.entries.get(parts)?;
        let words = trace.words(entry);
        let words: Vec<&str> = words.split_whitespace().collect();
        let node = &trace.nodes[entry.node.0 as usize];
        Some(format!("at {} s {node} {}", entry.at.as_secs_f64(), words.join(" ")))
    };
    Ok(match (tell(&first), tell(&second)) {
        (None, None) => None,
        (one, other) => {
            let [one, other] = [one, other].map(|told| told.unwrap_or_else(|| "nothing more".into()));
            Some(format!("first: {one}; then: {other}"))
        }
    })
}

/// Returns whether two entries are the same, but for what their packets carry.
fn are_alike(one: &Entry, other: &Entry) -> bool {
    let packet = |what: &What| match what {
        What::Sent { packet, .. } | What::Received { packet, .. } | What::Dropped { packet, .. } => {
            Some(packet.payload.len())
        }
        What::Fact(_) => None,
    };
    let bare = |entry: &Entry| {
        let mut entry = entry.clone();
        if let What::Sent { packet, .. } | What::Received { packet, .. } | What::Dropped { packet, .. } =
            &mut entry.what
        {
            packet.payload.clear();
        }
        entry
    };
    one == other || (packet(&one.what) == packet(&other.what) && bare(one) == bare(other))
}
