//! Guests by name: a strategy file that says `heartbeat.guest` is run, judged and repeated as any other, and refused where it
//! cannot be. What guests do in a world is tested in `sim/src/guest/tests.rs`.

use std::{
    fs, io,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use cardiogram::{
    net::{self, Guests, Machine, Result},
    policies::{Registry, Time},
    results::Claim,
    scenarios::{
        load::{self, Loaded},
        plan::{Contest, EngineChoice, Plan, Shard},
        runner::{self, Ending, Progress, RunnerOptions},
    },
    sim::{self, Engine, Outcome, RunOptions},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, sleep, sleep_until, timeout},
};

/// Writes a byte every 310 s, which its server sends back, and gives up when it has not after 20 s; after a second it comes
/// back. Its NAT forgets it after 300 s.
async fn client(machine: Machine) -> Result {
    loop {
        let _ = session(&machine, Duration::from_secs(310)).await;
        sleep(Duration::from_secs(1)).await;
    }
}

async fn session(machine: &Machine, interval: Duration) -> io::Result<()> {
    let mut stream = machine.connect(machine.server(0)).await?;
    let mut next = Instant::now();
    loop {
        stream.write_u8(0).await?;
        timeout(Duration::from_secs(20), stream.read_u8()).await??;
        next += interval;
        sleep_until(next).await;
    }
}

async fn server(machine: Machine) -> Result {
    let listener = machine.listen(443)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let (mut input, mut output) = tokio::io::split(&mut stream);
            tokio::io::copy(&mut input, &mut output).await
        });
    }
}

/// A client whose interval is drawn anew in each process and each run.
async fn moody(machine: Machine) -> Result {
    #[expect(clippy::disallowed_types, reason = "what a guest must not do")]
    let drawn = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 1) % 200_000_000;
    Ok(session(&machine, Duration::from_micros(10_000_000 + drawn)).await?)
}

fn registry() -> Registry {
    Registry::new()
        .guest("steady", Guests::new().devices(client).servers(server))
        .guest("moody", Guests::new().devices(moody).servers(server))
        .guest("lonely", Guests::new().devices(client))
}

fn contest(guest: &str, more: &str) -> Contest {
    contest_with(&registry(), guest, more)
}

fn contest_with(registry: &Registry, guest: &str, more: &str) -> Contest {
    let scenario = format!(
        "name = \"forgetful\"\nabout = \"a\"\nexpect = \"e\"\nsource = \"s\"\nstrategies = [\"none\"]\nduration = \"15m\"\n\
         access.delay = \"30ms\"\ncore.delay = \"5ms\"\nnat = {{ established = \"300s\" }}\ndevices.start_within = \"0s\"\n{more}"
    );
    let strategy = format!("name = \"{guest}-client\"\nheartbeat.guest = \"{guest}\"\n");
    let value = load::parse_strategy("strategy.toml", &strategy, registry).expect("a strategy");
    let world = load::parse_scenario("forgetful.toml", &scenario).unwrap_or_else(|error| panic!("{error}"));
    Contest {
        origin: "forgetful.toml".into(),
        scenario: Loaded { value: world, text: scenario, built_in: false, folder: None },
        strategies: vec![Loaded { value, text: strategy, built_in: false, folder: None }],
    }
}

fn carry_out(contest: Contest, dir: &Path) -> std::result::Result<(), String> {
    let plan = Plan::new(vec![contest], 1, 2, EngineChoice::Auto, Shard::WHOLE).expect("a plan");
    let claim = Claim::take(dir, "test").expect("an empty folder");
    let stop = AtomicBool::new(false);
    let options =
        RunnerOptions { command: "test", force: false, jobs: 1, stop: &stop, progress: &|_| {}, note: &|_| {} };
    runner::run(&plan, &claim, &options).map(|_| ()).map_err(|error| error.to_string())
}

/// The session is up after 70 ms, its first byte is back after another 70 ms; the NAT forgets it 300 s after the last packet of
/// that, and 20 s after the byte that follows at 310.070 s the client gives up.
#[test]
fn a_guest_is_run_and_judged_as_any_other_strategy() {
    let of = contest("steady", "");
    let world = of.scenario.value.world(&of.strategies[0].value);
    let outcome = sim::run(&world, 1, &RunOptions::new(Engine::Event)).expect("a run");
    assert_eq!(outcome.episodes[0].detection.expect("it notices").at, Time::from_millis(330_070));
    assert_eq!(sim::first_difference(&world, 1).expect("runs"), None);

    let dir = tempfile::tempdir().expect("a folder");
    carry_out(of, dir.path()).expect("two runs, and one of them again");
    let runs = fs::read_to_string(dir.path().join("runs.csv")).expect("results");
    let hash = outcome.trace_hash.to_string();
    assert!(runs.lines().nth(1).is_some_and(|run| run.contains(&hash)), "{hash}\n{runs}");
    let episodes = fs::read_to_string(dir.path().join("episodes.csv")).expect("results");
    assert!(episodes.lines().nth(1).is_some_and(|it| it.contains("nat-expiry")), "{episodes}");
}

/// Runs two seeds of a guest that was told this, or one where it is stopped after the first. Returns how many runs it began, and
/// what it noted.
fn run_told(told: &str, dir: &Path, stops: bool) -> (usize, String) {
    let registry = Registry::new()
        .guest("steady", Guests::new().devices(client).servers(server).with_parameters(format!("ping: {told}")));
    let contest = contest_with(&registry, "steady", "");
    let plan = Plan::new(vec![contest], 1, 2, EngineChoice::Only(Engine::Event), Shard::WHOLE).expect("a plan");
    let claim = Claim::take(dir, "test").expect("a folder");
    let (stop, begun, noted) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(String::new()));
    let progress = |progress| {
        if let Progress::CellBegun(_) = progress {
            begun.fetch_add(1, Ordering::Relaxed);
            stop.store(stops, Ordering::Relaxed);
        }
    };
    let note = |words: &str| noted.lock().unwrap().push_str(words);
    let options =
        RunnerOptions { command: "test", force: false, jobs: 1, stop: &stop, progress: &progress, note: &note };
    let ending = runner::run(&plan, &claim, &options).expect("runs");
    assert_eq!(ending == Ending::Interrupted, stops);
    if !stops {
        claim.finish().expect("the journal goes");
    }
    (begun.into_inner(), noted.into_inner().unwrap())
}

/// Neither a finished run nor an unfinished plan is kept for a program that was told something else since.
#[test]
fn runs_of_a_guest_that_was_told_something_else_are_run_again() {
    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(run_told("310 s", dir.path(), true).0, 1, "stopped");
    assert_eq!(run_told("310 s", dir.path(), false).0, 1, "it goes on");
    assert_eq!(run_told("310 s", dir.path(), false).0, 0, "it is there");
    assert_eq!(run_told("240 s", dir.path(), true).0, 1, "nothing of it is there");
    let (begun, noted) = run_told("310 s", dir.path(), false);
    assert_eq!(begun, 2);
    assert!(noted.contains("of a guest with other parameters"), "{noted}");
}

#[test]
fn a_guest_that_is_not_the_same_again_is_an_error_that_tells_where() {
    let dir = tempfile::tempdir().expect("a folder");
    // Of the strategies of a scenario one alone is run on both engines by default; of guests each is run twice.
    let both = Contest {
        strategies: ["steady", "moody"].into_iter().flat_map(|guest| contest(guest, "").strategies).collect(),
        ..contest("steady", "")
    };
    let error = carry_out(both, dir.path()).expect_err("it draws");
    let begin = "scenario forgetful, strategy moody-client, seed 1: the guest does something else when it runs again \
                 (first: at ";
    assert!(error.starts_with(begin), "{error}");
    assert!(error.contains(" devices > nat 10.0.0.1:") && error.contains("; then: at "), "{error}");
}

#[test]
fn guests_are_refused_before_anything_runs_where_they_cannot() {
    let plan = |contest, engine| Plan::new(vec![contest], 1, 1, engine, Shard::WHOLE).expect_err("refused").to_string();
    assert_eq!(
        plan(contest("steady", ""), EngineChoice::Only(Engine::Turmoil)),
        "steady-client is a guest, a program of its own, and runs on the event engine alone; use --engine event, or auto"
    );
    let error = plan(contest("steady", "traffic.up = \"1m\"\n"), EngineChoice::Auto);
    assert!(error.contains("steady-client: these are messages of the lab's own, which guests do not have"), "{error}");
    let error = plan(contest("lonely", ""), EngineChoice::Auto);
    assert!(error.contains("lonely-client: there is no program for server 0"), "{error}");
}

/// In `silent-nat` nothing goes wrong but that a NAT forgets after 300 s without a packet.
#[test]
fn a_scenario_is_a_test_of_guests() {
    let guests = Guests::new().devices(client).servers(server);
    let outcomes = net::test("silent-nat", 2, &guests);
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.iter().all(|outcome| outcome.episodes.len() > 12), "each of 12 devices, again and again");
    let error = |scenario: &'static str, guests: &Guests| {
        let tested = std::panic::AssertUnwindSafe(|| net::test(scenario, 1, guests));
        let panic = std::panic::catch_unwind(tested).expect_err("it fails");
        panic.downcast_ref::<String>().expect("a sentence").clone()
    };
    let drawn = error("silent-nat", &Guests::new().devices(moody).servers(server));
    assert!(drawn.starts_with("the guests do something else when they run again: first: at "), "{drawn}");
    let unknown = error("commute", &guests);
    assert!(unknown.contains("which guests do not have"), "{unknown}");
}

/// A test as a program: of the seeds 1 and 2, on each of the 12 devices.
#[cardiogram::test(scenario = "silent-nat", seeds = 2, servers = server)]
async fn a_program_is_a_test_that_waits_as_long_as_it_likes(machine: Machine) -> io::Result<()> {
    let mut stream = machine.connect(machine.server(0)).await?;
    sleep(Duration::from_secs(299)).await;
    stream.write_u8(1).await?;
    assert_eq!(timeout(Duration::from_secs(20), stream.read_u8()).await??, 1);
    sleep(Duration::from_secs(301)).await;
    stream.write_u8(2).await?;
    assert!(timeout(Duration::from_secs(20), stream.read_u8()).await.is_err(), "the NAT has forgotten it");
    Ok(())
}

#[cardiogram::test(scenario = "silent-nat", servers = server)]
#[should_panic(expected = "seed 1: the program of device 0 panicked (\"it has failed\"), 299 s into the run")]
async fn a_program_that_panics_fails_the_test_and_says_when(machine: Machine) {
    sleep(Duration::from_secs(299).saturating_sub(machine.elapsed())).await;
    assert!(machine.number() != 0, "it has failed");
}

#[cardiogram::test(scenario = "silent-nat", servers = server)]
#[should_panic(
    expected = "seed 1: the program of device 0, and those of 11 more, had not come to its end when the run did"
)]
async fn a_program_that_has_not_come_to_its_end_fails_the_test(_machine: Machine) {
    sleep(Duration::from_secs(86_400)).await;
}

#[cardiogram::test(scenario = "silent-nat", seeds = 2, guests = Guests::new().devices(client).servers(server))]
fn the_outcome_of_each_run_is_judged(outcome: &Outcome) {
    assert!(outcome.episodes.len() > 12);
}

#[cardiogram::test(scenario = "silent-nat", guests = Guests::new().devices(client).servers(server))]
#[should_panic(expected = "it forgets")]
fn a_judge_that_panics_fails_the_test(outcome: &Outcome) {
    assert!(outcome.episodes.is_empty(), "it forgets");
}
