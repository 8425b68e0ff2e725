//! Troubles that people report, as the built-in scenarios have them: that each appears with the numbers of those who reported it, and
//! goes away with their remedy.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{
    LossReason, Registry, StrategySpec, preset,
    unit::{Delay, Span},
};
use cardiogram_scenarios::load;
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Cost, Deadline, Distribution, OnDeadline},
    outcome::{Cause, DetectedBy, Episode, EpisodeOutcome},
    trace::DeviceEvent,
};
use kit::common::*;

/// Returns a built-in scenario's world under a preset, or under a strategy file's text.
pub(crate) fn world_of(scenario: &str, strategy: &str) -> WorldConfig {
    let strategy = preset::find(strategy).map_or_else(|| of_text(strategy), preset::Preset::spec);
    load::scenario(scenario).expect("built in").value.world(&strategy)
}

fn of_text(text: &str) -> StrategySpec {
    let text = format!("name = \"tested\"\n{text}");
    load::parse_strategy("tested", &text, &Registry::new()).unwrap_or_else(|error| panic!("{error}"))
}

fn of_cause(outcome: &Outcome, cause: Cause) -> Vec<Episode> {
    outcome.episodes.iter().filter(|episode| episode.cause == cause).copied().collect()
}

fn latency(episode: &Episode) -> Option<Duration> {
    episode.detection.map(|detection| detection.at.since(episode.begin))
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

/// Returns how long after the first attempt of `from` on all devices had a session again.
fn all_back(outcome: &Outcome, from: Duration) -> Option<Duration> {
    let mut online: BTreeMap<u32, bool> = BTreeMap::new();
    let mut back = None;
    for (at, device, event) in device_events(outcome) {
        match event {
            DeviceEvent::Connected { .. } => _ = online.insert(device, true),
            DeviceEvent::Lost { .. } | DeviceEvent::GivenUp { .. } => _ = online.insert(device, false),
            _ => continue,
        }
        if age(at) > from {
            let all = online.values().all(|is_online| *is_online);
            back = if all { back.or_else(|| age(at).checked_sub(from)) } else { None };
        }
    }
    back
}

/// A request every 360 s finds the connection forgotten 10 s before, each time.
#[test]
fn idle_balancer_resets_every_request_that_comes_every_six_minutes() {
    let outcome = go(&world_of("idle-balancer", "none"), 1);
    // 10 devices x 12 h x 10 requests an hour; the last one of each would come after the end.
    assert_eq!(outcome.requests.created, 1_190);
    // A reset that the Wi-Fi loses costs another one.
    let lost = of_cause(&outcome, Cause::NatExpiry).len();
    assert!((1_190..1_200).contains(&lost), "{lost}");
    assert_eq!(outcome.requests.waiting(), 0, "each is answered on the next connection");
    let slow = outcome.requests.delays.iter().filter(|delay| **delay > secs(30)).count();
    assert_eq!(slow, 0, "a reset tells at once");
}

/// Gaps of 6 min on average against 350 s: exp(-350/360) = 37.8 % of them are too long, and each costs a request a reset.
#[test]
fn idle_balancer_resets_every_request_after_350_idle_seconds() {
    let mut world = world_of("idle-balancer", "none");
    world.traffic.up = Some(Span::secs(360).into());
    let outcome = go_traced(&world, 1);
    let lost = of_cause(&outcome, Cause::NatExpiry);
    // 10 devices x 12 h x 10 requests an hour.
    let requests = sent_messages(&outcome).len() as f64;
    let share = lost.len() as f64 / 1_200.0;
    assert!((share - 0.378).abs() < 0.06, "{} of about 1200, {requests} sent", lost.len());
    // The reset comes with the request, and not before: whoever says nothing learns nothing.
    let noticed = lost.iter().filter(|episode| episode.detection.is_some());
    assert!(noticed.clone().all(|it| it.detection.unwrap().by == DetectedBy::Transport(LossReason::Reset)));
    assert!(noticed.count() + 10 >= lost.len());
    // 270 s < 350 s.
    assert_eq!(of_cause(&go(&world_of("idle-balancer", "wechat-270"), 1), Cause::NatExpiry), []);
}

/// Idle for 512 s: fine; for 901 s and more: the message is gone, and its sender hangs for as long as the kernel repeats it.
#[test]
fn ipvs_900_lets_a_sender_hang_for_fifteen_minutes() {
    let outcome = go(&world_of("ipvs-900", "none"), 1);
    let lost = of_cause(&outcome, Cause::NatExpiry);
    assert!(lost.len() > 100, "{}", lost.len());
    for episode in lost.iter().filter(|episode| episode.detection.is_some()) {
        assert_eq!(episode.detection.unwrap().by, DetectedBy::Transport(LossReason::RetransmissionTimeout));
        // tcp_retries2 from the first message after the end: 924.6 s at least.
        assert!(latency(episode).unwrap() >= Duration::from_millis(924_600), "{episode:?}");
    }
    // Two hours are too long, a minute is not.
    assert!(!of_cause(&go(&world_of("ipvs-900", "linux-keepalive"), 1), Cause::NatExpiry).is_empty());
    assert_eq!(of_cause(&go(&world_of("ipvs-900", "tcp-user-timeout"), 1), Cause::NatExpiry), []);
    // The reporter's numbers: sleep 512 s and the answer comes, sleep 1024 s and it does not.
    let after = |idle: u64| {
        let mut world = world_of("ipvs-900", "none");
        (world.devices.count, world.traffic.up) = (1, None);
        world.devices.start_within = Delay::ZERO;
        world.strategy = of_text(&format!(
            "[heartbeat.fixed]\ninterval = \"{idle}s\"\ntimeout = \"60s\"\n[reconnect.fixed-delay]\ndelay = \"1d\""
        ));
        world.duration = minutes(60);
        go(&world, 1).episodes.len()
    };
    assert_eq!([after(512), after(895), after(901), after(1_024)], [0, 0, 1, 1]);
}

/// "By default, the connection will be closed if the proxied server does not transmit any data within 60 seconds."
#[test]
fn proxy_60_ends_what_the_server_is_silent_on_and_probes_do_not_help() {
    // Nobody pushes, so that the welcome is the last word.
    let quiet = |strategy: &str| {
        let mut world = world_of("proxy-60", strategy);
        world.traffic.down = None;
        world
    };
    for strategy in ["none", "linux-keepalive", "whatsapp-tcp-10s", "tcp-user-timeout"] {
        let outcome = go(&quiet(strategy), 1);
        let lost = of_cause(&outcome, Cause::ProxyTimeout);
        // Sessions of a minute: some 4 h x 60 x 20.
        assert!(lost.len() > 4_000, "{strategy}: {}", lost.len());
        assert!(lost.iter().filter_map(latency).all(|latency| latency < secs(2)), "{strategy}: a FIN tells at once");
    }
    for strategy in ["netease-30-15", "engineio-v4", "python-websockets-20-20"] {
        assert_eq!(of_cause(&go(&quiet(strategy), 1), Cause::ProxyTimeout), [], "{strategy}");
    }
    // The race that Mattermost reports: a ping every 60 s against 60 s.
    let race = go(&quiet("whatsapp-app-60"), 1);
    assert!(of_cause(&race, Cause::ProxyTimeout).len() > 1_000);
}

/// Two hours in all: everybody who came in one minute goes in one minute, unless the client leaves before, each at an age of its own.
#[test]
fn max_age_sends_all_away_together_unless_they_leave_before() {
    let heartbeat = "[heartbeat.composed]\nschedule.grid = { interval = \"5m\" }\njudge.reply.timeout = \"15s\"\n";
    let renewing = |leave: &str| format!("reconnect = \"immediate\"\n{heartbeat}{leave}");
    let staying = go_traced(&world_of("max-age", &renewing("")), 1);
    let aged = of_cause(&staying, Cause::MaxAge);
    // At 2, 4, 6, 8 and 10 h; the last hour sees none.
    assert_eq!(aged.len(), 5 * 50);
    let first: Vec<Duration> = aged.iter().map(|episode| age(episode.begin)).filter(|at| *at < minutes(130)).collect();
    assert_eq!(first.len(), 50);
    assert!(first.iter().all(|at| (minutes(120)..minutes(121) + secs(1)).contains(at)), "{first:?}");
    // The remedy: 90 min, a sixth more or less, is always below two hours.
    let leaving = go_traced(&world_of("max-age", &renewing("leave = { age = \"90m\", spread = 0.16 }")), 1);
    assert_eq!(of_cause(&leaving, Cause::MaxAge), []);
    assert!(leaving.downtime.avoidable() < staying.downtime.avoidable() * 2);
    // How many minutes of the day see anybody leave: five, each with fifty, or hundreds.
    let busiest = |outcome: &Outcome| {
        let mut by_minute: BTreeMap<u64, u32> = BTreeMap::new();
        for (at, _, event) in device_events(outcome) {
            if matches!(event, DeviceEvent::AttemptStarted { .. }) && age(at) > minutes(2) {
                *by_minute.entry(age(at).as_secs() / 60).or_default() += 1;
            }
        }
        by_minute.into_values().max().unwrap_or(0)
    };
    assert!(busiest(&staying) > 25 && busiest(&leaving) < 12, "{} and {}", busiest(&staying), busiest(&leaving));
}

/// "The first query of the morning hangs for fifteen minutes."
#[test]
fn pool_after_night_hangs_for_fifteen_minutes_unless_the_pool_renews_itself() {
    let outcome = go(&world_of("pool-after-night", "none"), 1);
    let hangs = of_cause(&outcome, Cause::NatExpiry);
    let noticed: Vec<&Episode> = hangs.iter().filter(|episode| episode.detection.is_some()).collect();
    // Ten connections, three mornings.
    assert!(noticed.len() > 20, "{}", noticed.len());
    let hanging = outcome.requests.delays.iter().filter(|delay| **delay >= Duration::from_millis(924_600)).count();
    assert!((30..=33).contains(&hanging), "the first query of each morning: {hanging}");
    assert!(
        noticed.iter().all(|it| it.detection.unwrap().by == DetectedBy::Transport(LossReason::RetransmissionTimeout))
    );
    // HikariCP: maxLifetime of 30 min, a fortieth of it drawn off.
    let renewed = "reconnect = \"immediate\"\n[heartbeat.composed]\nschedule = \"peer-sends\"\n\
                   leave = { age = \"29m\", spread = 0.025 }\n";
    let renewed = go(&world_of("pool-after-night", renewed), 1);
    assert_eq!((renewed.episodes.len(), renewed.false_alarms.len()), (0, 0));
    // A pool that closes what is idle, and opens a connection for the query that wants one.
    let on_demand = go(&world_of("pool-after-night", "hikaricp-on-demand"), 1);
    assert_eq!((on_demand.episodes.len(), on_demand.false_alarms.len(), on_demand.requests.waiting()), (0, 0, 0));
    assert!(*on_demand.requests.delays.last().unwrap() < millis(10), "{:?}", on_demand.requests.delays.last());
    // Nobody misses it in between.
    assert!(on_demand.downtime.avoidable() < secs(10), "{:?}", on_demand.downtime);
    // A user timeout alone shortens the hang from a quarter of an hour to its 90 s.
    let told = go(&world_of("pool-after-night", "tcp-user-timeout"), 1);
    assert_eq!(of_cause(&told, Cause::NatExpiry), [], "its probes of a minute keep the mapping as well");
}

/// "Connection does not re-establish for 15 minutes when running on Linux."
#[test]
fn redis_failover_lets_requests_hang_for_fifteen_minutes_unless_something_tells_sooner() {
    // Half of the 20 clients ask the node that vanishes; a request every 10 s.
    let hanging = go(&world_of("redis-failover", "none"), 1);
    let lost = of_cause(&hanging, Cause::ServerVanish);
    assert!((5..=15).contains(&lost.len()), "{}", lost.len());
    assert!(lost.iter().all(|it| it.detection.unwrap().by == DetectedBy::Transport(LossReason::RetransmissionTimeout)));
    let longest = |outcome: &Outcome| *outcome.requests.delays.last().unwrap();
    // tcp_retries2 = 15: 924.6 s and the wait for a timer; then a new connection.
    assert!((Duration::from_millis(924_600)..secs(960)).contains(&longest(&hanging)), "{:?}", longest(&hanging));
    // What is asked meanwhile waits, too: some 92 requests of each.
    let slow = hanging.requests.delays.iter().filter(|delay| **delay > secs(10)).count();
    assert!(slow > 80 * lost.len(), "{slow}");
    assert_eq!((hanging.requests.failed, hanging.requests.waiting()), (0, 0));
    // Keepalive probes nothing while data is out.
    assert!(longest(&go(&world_of("redis-failover", "linux-keepalive"), 1)) >= Duration::from_millis(924_600));

    let with = |change: &dyn Fn(&mut WorldConfig)| {
        let mut world = world_of("redis-failover", "none");
        change(&mut world);
        go(&world, 1)
    };
    // 0.2 + 0.4 + ... + 6.4 s, and the wait for a timer.
    let retries = with(&|world| world.devices.tcp.retries2 = Some(5));
    assert!((millis(12_600)..secs(16)).contains(&longest(&retries)), "{:?}", longest(&retries));
    // Lettuce's advice.
    let advice = "[heartbeat.tcp-keepalive]\nidle = \"30s\"\ninterval = \"10s\"\ncount = 3\nuser_timeout = \"30s\"\n";
    let told = go(&world_of("redis-failover", advice), 1);
    assert!((secs(30)..secs(33)).contains(&longest(&told)), "{:?}", longest(&told));
    // A deadline that renews the connection.
    let deadline = |then| Some(Deadline { after: Span::secs(5), then });
    let renewed = with(&|world| world.traffic.deadline = deadline(OnDeadline::Retry));
    assert!((secs(5)..secs(7)).contains(&longest(&renewed)), "{:?}", longest(&renewed));
    let by = of_cause(&renewed, Cause::ServerVanish).iter().map(|it| it.detection.unwrap().by).collect::<Vec<_>>();
    assert!(by.iter().all(|by| *by == DetectedBy::Transport(LossReason::DeadlinePassed)), "{by:?}");
    assert_eq!((renewed.requests.failed, renewed.requests.deadlines_passed), (0, by.len() as u64));
    // One that fails the request leaves the connection, and all requests of 15 min fail: some 92 of each client.
    let failing = with(&|world| world.traffic.deadline = deadline(OnDeadline::Fail));
    assert!(longest(&failing) <= secs(5));
    let each = failing.requests.failed / of_cause(&failing, Cause::ServerVanish).len() as u64;
    assert!((80..105).contains(&each), "{each}");
    assert_eq!(failing.requests.failed, failing.requests.deadlines_passed);
}

/// 250 clients within two seconds, or over ten minutes.
#[test]
fn deploy_herd_is_made_by_a_restart_and_not_by_a_drain() {
    let outcome = go_traced(&world_of("deploy-herd", "reconnect-immediate"), 1);
    let attempts = |from: u64, to: u64| {
        let mut by_second: BTreeMap<u64, u32> = BTreeMap::new();
        for (at, _, event) in device_events(&outcome) {
            let second = age(at).as_secs();
            if matches!(event, DeviceEvent::AttemptStarted { .. }) && (from..to).contains(&second) {
                *by_second.entry(second).or_default() += 1;
            }
        }
        (by_second.values().sum::<u32>(), by_second.into_values().max().unwrap_or(0))
    };
    let (_, restart) = attempts(600, 660);
    assert!(restart >= 250, "{restart}");
    let (all, drain) = attempts(2_400, 3_001);
    assert!(all >= 250 && drain <= 4, "{all}, at most {drain} a second");
    assert_eq!(of_cause(&outcome, Cause::ProxyRestart).len(), 250);
    assert_eq!(of_cause(&outcome, Cause::ProxyDrain).len(), 250);
    // Drawn waits make a hill of it.
    let spread = go(&world_of("deploy-herd", "reconnect-exp-full-jitter"), 1);
    let recovered =
        |outcome: &Outcome| of_cause(outcome, Cause::ProxyRestart).iter().filter(|it| it.end.is_some()).count();
    assert_eq!((recovered(&outcome), recovered(&spread)), (250, 250));
}

/// 150 clients x 160 ms are 24 s of work, for clients that wait 10 s; so are the 600 x 40 ms of the report.
#[test]
fn herd_with_shedding_is_back_sooner_where_a_busy_server_says_so() {
    let strategy = |server: &str| {
        format!(
            "connect_timeout = \"10s\"\nheartbeat.fixed = {{ interval = \"4m30s\", timeout = \"15s\" }}\n\
             reconnect.fixed-delay = {{ delay = \"5s\" }}\n{server}"
        )
    };
    // So many logins wait 4 s, well within 10 s.
    for (clients, login, waiting) in [(150, millis(160), 25), (600, millis(40), 100)] {
        let back = |server: &str| {
            let mut world = world_of("herd-with-shedding", &strategy(server));
            world.devices.count = clients;
            world.server.login.as_mut().expect("a login").cpu = Cost::constant(login);
            let outcome = go_traced(&world, 1);
            (all_back(&outcome, minutes(10)), outcome.server_busy)
        };
        let (without, work_without) = back("");
        let (with, work) = back(&format!("[server]\nbusy = {{ waiting = {waiting}, retry_after = \"5s\" }}\n"));
        let with = with.expect("everybody is back");
        assert!(with < secs(120), "{clients}: {with:?}");
        assert!(without.is_none_or(|without| without > 2 * with), "{clients}: {without:?} without, {with:?} with");
        assert!(work < work_without, "{clients}: {work:?}, {work_without:?}");
    }
}

/// What the scenarios say of themselves: the yardstick that knows the timeouts loses nothing to them.
#[test]
fn who_knows_the_timeout_loses_nothing() {
    for scenario in ["idle-balancer", "ipvs-900", "pool-after-night"] {
        let outcome = go(&world_of(scenario, "known-nat-timeout"), 1);
        assert!(outcome.episodes.iter().all(|it| it.outcome() != EpisodeOutcome::Detected), "{scenario}");
    }
    let world = world_of("max-age", "none");
    let age = world.proxy.and_then(|proxy| proxy.max_age);
    assert_eq!(age, Some(Distribution::Constant(Span::secs(7_200))));
}
