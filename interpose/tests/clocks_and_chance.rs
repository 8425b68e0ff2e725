//! Guests that ask the operating system for the time and for random bytes, with what stands between and without it.
#![cfg(any(target_os = "linux", target_os = "macos"))]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "guests do here what the lab's own code must not"
)]

use std::{
    collections::HashMap,
    io, ptr, thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use cardiogram_interpose::Interposed;
use cardiogram_policies::{HeartbeatSpec, Registry, StrategySpec, unit::Span};
use cardiogram_sim::{
    Engine, RunOptions, WorldConfig,
    config::{Distribution, LinkConfig},
    first_difference,
    guest::{Guests, Machine, Result},
    run,
};
use rand::{Rng as _, TryRngCore as _, rngs::OsRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::sleep,
};

const SECS: fn(u64) -> Duration = Duration::from_secs;

/// Ten minutes of three devices 50 ms from their server, with these guests.
fn world(guests: Guests) -> WorldConfig {
    let link = || LinkConfig::of_delay(Distribution::Constant(Span::new(Duration::from_millis(25)).expect("a delay")));
    let guest = Registry::new().guest("tested", guests).find_guest("tested").expect("just registered");
    let strategy = StrategySpec::new("tested", HeartbeatSpec::Guest(guest));
    let mut world = WorldConfig::new(SECS(600), link(), link(), strategy);
    world.devices.count = 3;
    world
}

/// Each time waits for a while that depends on the system's generator, rand's, the order of a map, and the time of day.
async fn moody(machine: Machine) -> Result {
    let mut stream = machine.connect(machine.server(0)).await?;
    loop {
        let map: HashMap<u64, u64> = (0..100).map(|key| (key, key)).collect();
        let first = *map.keys().next().expect("there are some");
        let day = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_micros();
        let drawn = u64::from(OsRng.try_next_u32()? % 10_000) + rand::rng().random_range(0..10_000) + first;
        sleep(Duration::from_millis(1_000 + drawn) + Duration::from_micros(day.into())).await;
        stream.write_u8(0).await?;
    }
}

async fn reads(machine: Machine) -> Result {
    let listener = machine.listen(443)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            while stream.read_u8().await.is_ok() {}
            io::Result::Ok(())
        });
    }
}

#[test]
fn a_guest_that_asks_the_system_is_the_same_again_with_simulated_answers_and_not_without() {
    let guests = Guests::new().devices(moody).servers(reads);
    let without = first_difference(&world(guests.clone()), 1).expect("two runs");
    assert!(without.is_some_and(|difference| difference.starts_with("first: at ")));
    let world = world(guests.with_system(Interposed));
    assert_eq!(first_difference(&world, 1).expect("two runs"), None);
    let hash = |seed| run(&world, seed, &RunOptions::new(Engine::Event)).expect("a run").trace_hash;
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2), "its chance follows from the seed");
}

/// The run began on 1 January 2026; its time passes as tokio's does, to the microsecond.
#[test]
fn every_clock_of_the_system_shows_the_runs_time() {
    let begin = UNIX_EPOCH + SECS(1_767_225_600);
    let looks = move |machine: Machine| async move {
        let (since, at) = (Instant::now(), machine.elapsed());
        assert_eq!(SystemTime::now(), begin + machine.elapsed());
        sleep(SECS(100)).await;
        let mut stream = machine.connect(machine.server(0)).await?;
        assert_eq!(at + since.elapsed(), machine.elapsed());
        assert!(since.checked_sub(SECS(80_000)).is_some(), "the machine had been up for long");
        stream.write_u8(0).await?;
        let day = SystemTime::now().duration_since(UNIX_EPOCH)?;
        assert_eq!(seconds(), (day.as_secs(), day.as_secs(), u64::from(day.subsec_micros())));
        Ok(())
    };
    let guests = Guests::new().device_tests(looks).servers(reads).with_system(Interposed);
    run(&world(guests), 1, &RunOptions::new(Engine::Event)).expect("a run");
}

/// Returns what `time` and `gettimeofday` say: seconds, seconds and microseconds.
fn seconds() -> (u64, u64, u64) {
    // SAFETY: its argument may be null.
    let time = unsafe { libc::time(ptr::null_mut()) };
    let mut day = libc::timeval { tv_sec: 0, tv_usec: 0 };
    // SAFETY: `day` is a variable of this function, and the second argument may be null.
    let failed = unsafe { libc::gettimeofday(&raw mut day, ptr::null_mut()) };
    assert_eq!(failed, 0);
    (time as u64, day.tv_sec as u64, day.tv_usec as u64)
}

/// Returns bytes of `getentropy`.
fn entropy() -> [u8; 16] {
    let mut bytes = [0; 16];
    // SAFETY: it is a variable of this function, of this length.
    assert_eq!(unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) }, 0);
    bytes
}

/// What a thread beside the guests' finds is the machine's, while a run is under way and after it.
#[test]
fn other_threads_find_what_the_system_says() {
    let beside = || {
        let (time, second, _) = seconds();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
        assert!(now.abs_diff(time) <= 1 && now.abs_diff(second) <= 1);
        (Instant::now(), now, entropy())
    };
    let asks = move |machine: Machine| async move {
        sleep(SECS(500)).await;
        let (here, day, bytes) = (Instant::now(), SystemTime::now(), entropy());
        let (there, elsewhere, others) = thread::spawn(beside).join().expect("it does not panic");
        assert_ne!(here, there);
        assert_ne!(day.duration_since(UNIX_EPOCH)?.as_secs(), elsewhere);
        assert_ne!(bytes, others);
        assert_ne!(bytes, entropy());
        machine.connect(machine.server(0)).await?;
        Ok(())
    };
    let guests = Guests::new().device_tests(asks).servers(reads).with_system(Interposed);
    let (before, ..) = beside();
    run(&world(guests), 1, &RunOptions::new(Engine::Event)).expect("a run");
    let (after, _, bytes) = beside();
    assert!(after.duration_since(before) < SECS(500), "ten minutes of a run take none here");
    assert_ne!(bytes, entropy());
}
