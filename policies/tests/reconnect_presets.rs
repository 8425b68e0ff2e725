//! The reconnect presets against their products' descriptions, step by step, as a host meets them: waits and rules
//! together.

use std::time::Duration;

use cardiogram_policies::{
    AppState, AttemptFailure, GiveUp, LossReason, Network, PolicyRng, Reconnect, ReconnectAction, ReconnectEvent,
    ServerChoice, Time, preset, reconnect::Ended,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const SERVERS: u32 = 3;

fn rng(seed: u64) -> PolicyRng {
    Box::new(ChaCha8Rng::seed_from_u64(seed))
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A device that reconnects as a preset has it.
struct Client {
    policy: Box<dyn Reconnect>,
    now: Time,
    server: u32,
    /// How long a failing attempt takes.
    attempt: Duration,
}

impl Client {
    fn new(preset: &str, seed: u64) -> Self {
        Self::with_servers(preset, seed, 1)
    }

    fn with_servers(preset: &str, seed: u64, servers: u32) -> Self {
        let spec = preset::find(&format!("reconnect-{preset}")).expect("a preset").spec();
        let policy = spec.build_reconnect(servers, rng(seed), rng(seed + 1_000_000));
        Self { policy, now: Time::from_secs(10_000), server: 0, attempt: Duration::ZERO }
    }

    fn tell(&mut self, event: ReconnectEvent) {
        self.policy.on_event(self.now, &event);
    }

    fn try_and_fail(&mut self) {
        self.tell(ReconnectEvent::AttemptStarted { server: self.server });
        self.now += self.attempt;
        self.tell(ReconnectEvent::AttemptFailed(AttemptFailure::Timeout));
    }

    fn live_and_end(&mut self, uptime: Duration, end: Ended) {
        self.tell(ReconnectEvent::AttemptStarted { server: self.server });
        self.tell(ReconnectEvent::Established);
        self.tell(ReconnectEvent::Connected);
        self.now += uptime;
        self.tell(ReconnectEvent::Lost(end));
    }

    fn live_and_lose(&mut self, uptime: Duration) {
        self.live_and_end(uptime, Ended::Transport(LossReason::Reset));
    }

    /// What it is told to wait; it waits. `None`: it is told to stop.
    fn wait(&mut self) -> Option<Duration> {
        let ReconnectAction::TryAfter { wait, server, .. } = self.policy.next(self.now) else { return None };
        self.server = match server {
            ServerChoice::Same => self.server,
            ServerChoice::Next => (self.server + 1) % SERVERS,
            ServerChoice::Number(server) => server,
        };
        self.now += wait;
        Some(wait)
    }

    fn fail(&mut self) -> Option<u64> {
        self.try_and_fail();
        self.wait().map(|wait| wait.as_millis() as u64)
    }

    fn fail_for_secs(&mut self) -> u64 {
        let ms = self.fail().expect("it does not stop");
        assert_eq!(ms % 1_000, 0);
        ms / 1_000
    }

    /// Returns the waits of so many failures, in milliseconds.
    fn failures(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.fail().expect("it does not stop")).collect()
    }
}

/// Returns the `n`-th waits of many clients, in milliseconds, sorted.
fn waits(preset: &str, n: usize) -> Vec<u64> {
    let mut waits: Vec<_> = (0..2_000).map(|seed| Client::new(preset, seed).failures(n + 1)[n]).collect();
    waits.sort_unstable();
    waits
}

fn share(waits: &[u64], is_counted: impl Fn(u64) -> bool) -> f64 {
    waits.iter().filter(|wait| is_counted(**wait)).count() as f64 / waits.len() as f64
}

#[test]
fn grpc_counts_from_the_start_of_the_attempt_and_jitters_after_the_cap() {
    let mut client = Client::new("grpc", 1);
    client.attempt = millis(300);
    let first = client.fail().unwrap();
    assert!((500..=900).contains(&first), "a fifth more or less: {first}");
    client.attempt = millis(20_000);
    assert_eq!(client.failures(3), [0, 0, 0], "an attempt that took longer than its wait");
    for (n, nominal) in [(0, 1_000), (1, 1_600), (2, 2_560), (3, 4_096), (10, 109_951), (11, 120_000), (30, 120_000)] {
        let waits = waits("grpc", n);
        let (low, high) = (nominal * 4 / 5 - 1, nominal * 6 / 5);
        assert!(low <= waits[0] && waits[waits.len() - 1] <= high, "{n}: {waits:?}");
        assert!(waits[0] < low + nominal / 50 && waits[waits.len() - 1] > high - nominal / 50, "{n}");
    }
    client.live_and_lose(Duration::from_hours(1));
    assert_eq!(client.wait(), Some(Duration::ZERO), "an old connection is replaced at once");
}

#[test]
fn signalr_gives_up_after_four_attempts_and_42_seconds() {
    let mut client = Client::new("signalr", 1);
    client.live_and_lose(Duration::from_hours(1));
    let lost = client.now;
    assert_eq!(client.wait(), Some(Duration::ZERO));
    assert_eq!([client.fail(), client.fail(), client.fail()], [Some(2_000), Some(10_000), Some(30_000)]);
    assert_eq!(client.now.since(lost), Duration::from_secs(42));
    assert_eq!(client.fail(), None);
    client.tell(ReconnectEvent::NetworkChanged(Some(Network::wifi(1))));
    assert_eq!(client.wait(), None, "for good");
    // Its user comes back.
    client.live_and_lose(Duration::from_secs(1));
    assert_eq!(client.wait(), Some(Duration::ZERO));
}

#[test]
fn socketio_loses_its_jitter_at_the_cap() {
    let range = |n| {
        let waits = waits("socketio", n);
        (waits[0], waits[waits.len() - 1], share(&waits, |wait| wait == 5_000))
    };
    let close = |(low, high, at_cap): (u64, u64, f64), expected: (u64, u64, f64)| {
        let tolerance = 20;
        assert!(expected.0 <= low && low <= expected.0 + tolerance, "{low} {expected:?}");
        assert!(expected.1 - tolerance <= high && high <= expected.1, "{high} {expected:?}");
        assert!((at_cap - expected.2).abs() < 0.05, "{at_cap} {expected:?}");
    };
    // The largest deviation downwards is that of r just below 0.9, whose first decimal is even.
    close(range(0), (550, 1_500, 0.0));
    close(range(1), (1_100, 3_000, 0.0));
    // 4000 + 2000 r exceeds 5000 for the odd tenths of r from a half on: 0.5 to 0.6, 0.7 to 0.8, 0.9 to 1.
    close(range(2), (2_200, 5_000, 0.3));
    // Half of the signs are plus, and of the minuses only those of r from 0.8 to 0.9 bring 8000 - 4000 r below 5000.
    close(range(3), (4_400, 5_000, 0.9));
    close(range(4), (5_000, 5_000, 1.0));
    close(range(20), (5_000, 5_000, 1.0));
}

#[test]
fn phoenix_climbs_its_ladder_and_a_hidden_page_waits() {
    let mut client = Client::new("phoenix", 1);
    let ladder = [10, 50, 100, 150, 200, 250, 500, 1_000, 2_000, 5_000, 5_000, 5_000];
    assert_eq!(client.failures(12), ladder);
    client.tell(ReconnectEvent::AppState(AppState::Background));
    assert_eq!(client.fail(), None);
    client.now += Duration::from_hours(1);
    client.tell(ReconnectEvent::AppState(AppState::Foreground));
    assert_eq!(client.wait(), Some(Duration::ZERO));
    client.live_and_lose(Duration::ZERO);
    assert_eq!(client.wait(), Some(millis(10)));
}

#[test]
fn nats_sleeps_only_after_a_full_pass_and_gives_up_after_60_attempts_a_server() {
    let mut client = Client::with_servers("nats", 1, SERVERS);
    client.live_and_lose(Duration::from_hours(1));
    let mut attempts = 0;
    while let Some(wait) = client.wait() {
        attempts += 1;
        assert_eq!(client.server, attempts % SERVERS);
        // The server of the lost connection counts as tried, so that a sleep comes before it is tried again.
        let sleeps = client.server == 0;
        assert!(
            if sleeps { (2_000..2_100).contains(&wait.as_millis()) } else { wait.is_zero() },
            "{attempts}: {wait:?}"
        );
        client.try_and_fail();
    }
    assert_eq!(attempts, 60 * SERVERS);
}

#[test]
fn zookeeper_waits_up_to_a_second_and_a_second_more_after_a_pass() {
    let mut client = Client::with_servers("zookeeper", 1, SERVERS);
    let waits = client.failures(300);
    for pass in waits.chunks(3) {
        assert!(pass[0] < 1_000 && pass[1] < 1_000 && (1_000..2_000).contains(&pass[2]), "{pass:?}");
    }
}

#[test]
fn kafka_has_half_of_its_waits_at_the_cap() {
    let first = waits("kafka", 0);
    assert!(first[0] >= 40 && first[first.len() - 1] < 60);
    for n in [5, 6, 30] {
        let waits = waits("kafka", n);
        assert!(waits[0] >= 800 && waits[waits.len() - 1] == 1_000, "{n}");
        assert!((share(&waits, |wait| wait == 1_000) - 0.5).abs() < 0.06, "{n}");
    }
}

#[test]
fn paho_and_mqttjs_wait_without_jitter() {
    let mut client = Client::new("paho-java", 1);
    let waits: Vec<_> = (0..9).map(|_| client.fail_for_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 128]);
    assert_eq!(Client::new("mqttjs", 1).failures(3), [1_000; 3]);
    assert_eq!(Client::new("smack-fixed", 1).failures(3), [15_000; 3]);
}

#[test]
fn smack_multiplies_a_base_drawn_once_per_process() {
    let mut bases = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let mut client = Client::new("smack", seed);
        for _ in 0..2 {
            let waits: Vec<_> = (0..20).map(|_| client.fail_for_secs()).collect();
            let base = waits[0];
            assert!((2..=14).contains(&base));
            assert!(waits[..7].iter().all(|wait| *wait == base), "attempts 1 to 7: {waits:?}");
            assert!(waits[7..13].iter().all(|wait| *wait == 6 * base), "attempts 8 to 13: {waits:?}");
            assert!(waits[13..].iter().all(|wait| *wait == 30 * base), "from attempt 14 on: {waits:?}");
            bases.insert(base);
            client.live_and_lose(Duration::ZERO);
            assert_eq!(client.wait(), Some(Duration::from_secs(base)), "a new outage, the same base");
            client.live_and_lose(Duration::ZERO);
        }
    }
    assert_eq!(bases, (2..=14).collect());
}

#[test]
fn rws_draws_its_base_once_and_resets_after_five_seconds_of_uptime() {
    let mut bases = Vec::new();
    for seed in 0..500 {
        let mut client = Client::new("rws-pladaria", seed);
        let waits = client.failures(12);
        let base = waits[0];
        assert!((1_000..5_000).contains(&base));
        let mut expected = base as f64;
        for (k, wait) in waits.iter().enumerate() {
            assert!((*wait as f64 - expected).abs() < 20.0, "{k}: {wait} {expected}");
            expected = (expected * 1.3).min(10_000.0);
        }
        client.live_and_lose(millis(4_999));
        assert_eq!(client.wait(), Some(millis(10_000)), "too short to count");
        client.live_and_lose(millis(5_000));
        assert_eq!(client.wait().unwrap().as_millis() as u64, base);
        bases.push(base);
    }
    bases.sort_unstable();
    assert!(bases[0] < 1_100 && bases[499] > 4_900);
}

#[test]
fn microg_climbs_its_ladder_and_begins_anew_on_another_network() {
    let mut client = Client::new("microg", 1);
    let ladder = [5, 10, 20, 30, 40, 50, 120, 180, 240, 300, 360, 420, 480, 540, 600, 600];
    assert_eq!((0..16).map(|_| client.fail_for_secs()).collect::<Vec<_>>(), ladder);
    client.tell(ReconnectEvent::NetworkChanged(Some(Network::wifi(1))));
    assert_eq!(client.wait(), Some(Duration::ZERO));
    assert_eq!((0..3).map(|_| client.fail_for_secs()).collect::<Vec<_>>(), ladder[..3]);
}

#[test]
fn chromium_takes_a_login_for_granted_after_ten_seconds_and_sends_a_canary() {
    let mut client = Client::new("chromium-gcm", 3);
    for nominal in [30_000, 60_000, 120_000, 240_000, 480_000] {
        let wait = client.fail().unwrap();
        assert!((nominal * 67 / 100 - 1..=nominal).contains(&wait), "{wait} of {nominal}");
    }
    assert_eq!(client.failures(2), [600_000, 600_000], "the cap comes after the jitter");
    client.live_and_lose(millis(9_999));
    assert_eq!(client.wait(), Some(millis(600_000)), "the backoff of before, incremented");
    client.live_and_lose(millis(10_000));
    assert_eq!(client.wait(), Some(Duration::ZERO), "at once, and then from the beginning");
    assert!(client.fail().unwrap() <= 30_000);

    let mut client = Client::new("chromium-gcm", 4);
    client.failures(5);
    client.try_and_fail();
    let ReconnectAction::TryAfter { wait: planned, .. } = client.policy.next(client.now) else {
        panic!("it does not stop")
    };
    client.tell(ReconnectEvent::NetworkChanged(Some(Network::wifi(1))));
    assert_eq!(client.wait(), Some(Duration::ZERO), "the canary");
    client.try_and_fail();
    assert_eq!(client.wait(), Some(planned), "it has left no trace");
    assert_eq!(client.fail(), Some(600_000));
}

#[test]
fn realm_and_sip_take_something_away_at_random() {
    for (n, nominal) in [(0, 1_000), (3, 8_000), (12, 300_000)] {
        let waits = waits("realm", n);
        assert!(waits[0] >= nominal * 3 / 4 - 1 && waits[1_999] <= nominal);
    }
    for (n, nominal) in [(0, 30_000), (1, 60_000), (9, 1_800_000)] {
        let waits = waits("sip-outbound", n);
        assert!(waits[0] >= nominal / 2 - 1 && waits[1_999] <= nominal);
    }
}

#[test]
fn lightstreamer_retries_the_loss_of_an_old_connection_within_100_ms() {
    let after_loss: Vec<_> = (0..500)
        .map(|seed| {
            let mut client = Client::new("lightstreamer", seed);
            client.live_and_lose(Duration::from_secs(60));
            client.wait().unwrap().as_millis() as u64
        })
        .collect();
    assert!(after_loss.iter().all(|wait| *wait < 100) && share(&after_loss, |wait| wait >= 50) > 0.4);
    let mut client = Client::new("lightstreamer", 1);
    client.attempt = millis(1_000);
    assert_eq!(client.fail(), Some(3_000), "the rest of 4 s");
    client.attempt = millis(4_000);
    assert_eq!(client.fail(), Some(0), "a timeout is retried at once");
}

#[test]
fn courier_goes_back_to_the_first_host() {
    let mut client = Client::with_servers("courier", 1, SERVERS);
    for host in [1, 2, 0, 1] {
        let wait = client.fail_for_secs();
        assert!((6..=20).contains(&wait));
        assert_eq!(client.server, host);
    }
    client.live_and_lose(Duration::from_hours(1));
    client.wait();
    assert_eq!(client.server, 0);
}

#[test]
fn a_retry_quota_stops_after_50_timeouts_and_a_success_gives_its_cost_back() {
    let mut client = Client::new("retry-quota", 1);
    let retries = |client: &mut Client| std::iter::from_fn(|| client.fail()).take(1_000).count();
    assert_eq!(retries(&mut client), 50);
    // Something else brought it back: a request, which is worth 1, so that ten of them pay for a retry.
    for _ in 0..9 {
        client.live_and_lose(Duration::ZERO);
        assert!(client.wait().is_some(), "a request is free");
    }
    assert_eq!(retries(&mut client), 0);
    client.live_and_lose(Duration::ZERO);
    client.wait();
    assert_eq!(client.fail().map(|_| ()), Some(()), "one retry");
    client.live_and_lose(Duration::ZERO);
    client.wait();
    assert_eq!(client.fail().map(|_| ()), Some(()), "it was refunded");
    assert_eq!(client.fail(), None);
}

#[test]
fn a_retry_throttle_holds_from_the_fifth_failure_on() {
    let mut client = Client::new("grpc-retry-throttle", 1);
    let waits = client.failures(7);
    assert!(waits[..4].iter().all(|wait| *wait < 60_000));
    // Five tokens of ten are left: no retry, but a request of its own a minute later.
    assert_eq!(waits[4..], [60_000; 3]);
    for _ in 0..60 {
        client.live_and_lose(Duration::ZERO);
        client.wait();
    }
    assert!(client.fail().unwrap() < 60_000, "sixty successes have given six tokens back");
}

#[test]
fn a_dead_service_is_left_for_another_server() {
    for preset in ["exp-full-jitter", "smack", "mars", "actioncable", "nats", "grpc", "courier"] {
        let mut client = Client::with_servers(preset, 1, SERVERS);
        client.live_and_end(Duration::from_hours(1), Ended::GivenUp(GiveUp::ServiceDead));
        client.wait();
        assert_eq!(client.server, 1, "{preset}");
    }
}

/// Invariant 18. A thousand clients are disconnected together and tried in vain for a minute: the most attempts within
/// any 100 ms.
#[test]
fn the_peak_after_a_mass_disconnect_falls_with_the_jitter() {
    let peak = |preset: &str| {
        let mut attempts: Vec<u64> = Vec::new();
        for seed in 0..1_000 {
            let mut client = Client::new(preset, seed);
            let begin = client.now;
            client.live_and_lose(Duration::ZERO);
            client.wait();
            while client.now.since(begin) < Duration::from_mins(1) {
                attempts.push(client.now.since(begin).as_millis() as u64 / 100);
                client.fail();
            }
        }
        attempts.sort_unstable();
        attempts.chunk_by(|a, b| a == b).map(<[u64]>::len).max().unwrap_or(0)
    };
    let (none, equal, full) = (peak("exp-none-jitter"), peak("exp-equal-jitter"), peak("exp-full-jitter"));
    assert_eq!(none, 1_000, "without jitter all come at once");
    assert!(full <= equal && equal <= none, "{full} {equal} {none}");
}
