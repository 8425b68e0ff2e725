//! The warning that a healthy connection cannot live, against both policies at work on a wire on which nothing is wrong: who
//! is not warned of lives, and who is warned of seldom does.

use std::time::Duration;

use cardiogram_policies::{
    Action, Event, Network, PolicyRng, ServerAction, SessionEvent, SessionId, StrategySpec, Time, preset,
};
use proptest::{prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const SESSION: SessionId = SessionId(0);

fn rng(seed: u64) -> PolicyRng {
    Box::new(ChaCha8Rng::seed_from_u64(seed))
}

/// What is on its way.
enum Arrives {
    Beat { id: Option<u32>, sent: Time },
    Reply { id: u32, sent: Time },
    Ping { answered: bool },
    Pong,
    Interval(Duration),
}

/// Returns who ended a connection on which nothing goes wrong and nothing is said, if anybody did.
fn ended(spec: &StrategySpec, seed: u64, delay: Duration, until: Time) -> Option<&'static str> {
    let mut client = spec.heartbeat.build(rng(seed));
    let mut server = spec.server.build();
    let answered = spec.server.pings.as_ref().is_some_and(|pings| pings.answered);
    let mut wire: Vec<(Time, Arrives)> = Vec::new();
    let announced = spec.server.reads_announced().then(|| spec.heartbeat.announced_interval()).flatten();
    server.on_event(Time::ZERO, SESSION, &SessionEvent::Opened { interval: announced });
    if let Some(interval) = spec.server.welcome_interval() {
        server.on_event(Time::ZERO, SESSION, &SessionEvent::Directed { interval });
        wire.push((Time::ZERO + delay, Arrives::Interval(interval)));
    }
    let mut now = Time::ZERO + delay;
    client.on_event(now, &Event::Connected { network: Network::cellular(0), server: 0 });
    loop {
        for _ in 0..20 {
            match client.poll(now) {
                None => break,
                Some(Action::SendHeartbeat { id }) => {
                    client.on_event(now, &Event::BytesWritten);
                    wire.push((now + delay, Arrives::Beat { id: Some(id), sent: now }));
                }
                Some(Action::SendNotice) => {
                    client.on_event(now, &Event::BytesWritten);
                    wire.push((now + delay, Arrives::Beat { id: None, sent: now }));
                }
                Some(Action::GiveUp(_)) => return Some("the client"),
                Some(_) => {}
            }
        }
        for _ in 0..20 {
            match server.poll(now) {
                None => break,
                Some(ServerAction::Close { .. }) => return Some("the server"),
                Some(ServerAction::Ping { .. } | ServerAction::Notice { .. }) => {
                    server.on_event(now, SESSION, &SessionEvent::FrameSent);
                    wire.push((now + delay, Arrives::Ping { answered }));
                }
                Some(ServerAction::Direct { interval, .. }) => {
                    server.on_event(now, SESSION, &SessionEvent::Directed { interval });
                    wire.push((now + delay, Arrives::Interval(interval)));
                }
            }
        }
        let place = (0..wire.len()).min_by_key(|place| wire[*place].0);
        let due = [client.deadline(), server.deadline()].into_iter().flatten().min().unwrap_or(Time::MAX);
        let arrival = place.filter(|place| wire[*place].0 <= due);
        now = arrival.map_or(due, |place| wire[place].0);
        if now > until {
            return None;
        }
        let Some(place) = arrival else { continue };
        match wire.remove(place).1 {
            Arrives::Beat { id, sent } => {
                server.on_event(now, SESSION, &SessionEvent::HeartbeatReceived);
                if let Some(id) = id {
                    server.on_event(now, SESSION, &SessionEvent::FrameSent);
                    wire.push((now + delay, Arrives::Reply { id, sent }));
                }
            }
            Arrives::Reply { id, sent } => client.on_event(now, &Event::HeartbeatReply { id, rtt: now.since(sent) }),
            Arrives::Ping { answered } => {
                client.on_event(now, &Event::PeerPing);
                if answered {
                    client.on_event(now, &Event::BytesWritten);
                    wire.push((now + delay, Arrives::Pong));
                }
            }
            Arrives::Pong => server.on_event(now, SESSION, &SessionEvent::PongReceived),
            Arrives::Interval(interval) => client.on_event(now, &Event::DirectedInterval(interval)),
        }
    }
}

/// Seconds that strategies are made of, so that they meet.
fn secs() -> impl Strategy<Value = u32> {
    select(vec![5_u32, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300])
}

/// Returns a client and a server, each with its numbers, which need not fit.
fn any_strategy() -> impl Strategy<Value = StrategySpec> {
    let anchors = select(vec!["tx", "rx", "either", "each", "reply", "acknowledged", "tx-once-heard"]);
    let schedule = (secs(), anchors, 0..6).prop_map(|(secs, anchor, kind)| match kind {
        0 => "schedule = \"peer-sends\"".to_owned(),
        1 => format!("schedule.grid.interval = \"{secs}s\""),
        2 => format!("schedule.grid = {{ interval = \"{secs}s\", unless_sent = true }}"),
        3 => format!("schedule.checks.every = \"{secs}s\""),
        _ => format!("schedule.idle = {{ threshold = \"{secs}s\", anchor = \"{anchor}\" }}"),
    });
    let feeds = select(vec!["any", "pings", "replies"]);
    let judge = (secs(), feeds, 0..7, secs()).prop_map(|(secs, feed, kind, other)| match kind {
        0 => String::new(),
        1 => format!("judge.silence = {{ limit = \"{secs}s\", fed_by = \"{feed}\", look.every = \"{other}s\" }}"),
        2 => format!("judge.looks = {{ every = \"{secs}s\", silent = {} }}", 1 + other % 2),
        3 => format!("judge.unanswered.limit = \"{secs}s\""),
        4 => format!("judge.freshness = {{ detector.chen.margin = \"3s\", fed_by.pings = \"{secs}s\" }}"),
        _ => format!("judge.silence = {{ limit = \"{secs}s\", fed_by = \"{feed}\" }}"),
    });
    let pings = (secs(), select(vec!["grid", "sent", "received"]), any::<bool>(), 0..4).prop_map(
        |(secs, after, answered, kind)| match kind {
            0 => String::new(),
            _ => format!("pings = {{ interval = \"{secs}s\", after = \"{after}\", answered = {answered} }}\n"),
        },
    );
    let counts = select(vec!["any", "received", "heartbeats"]);
    let reaper = (secs(), counts, 0..3_u32, 0..5).prop_map(|(secs, counts, looks, kind)| match kind {
        0 | 1 => String::new(),
        2 => format!("idle-reaper = {{ idle = \"{secs}s\", times_announced = 1.5, refreshed_by = \"{counts}\" }}\n"),
        _ => format!(
            "idle-reaper = {{ idle = \"{secs}s\", refreshed_by = \"{counts}\", scan = \"0s\", silent_looks = {looks} }}\n"
        ),
    });
    let rest = (any::<bool>(), any::<bool>(), 0..6, secs());
    (schedule, judge, pings, reaper, rest).prop_filter_map(
        "parts that contradict each other",
        |(schedule, judge, pings, reaper, (answered, connected, kind, secs))| {
            let beat_on = if connected { "beat_on = [\"connected\"]" } else { "" };
            let (paced, directed) = match kind {
                0 => ("pace.directed = true", format!("directed.interval = \"{secs}s\"\n")),
                1 => ("most_without_data = 2\nthrottled_without_data = \"1m\"", String::new()),
                2 => ("most_without_data = 2", String::new()),
                _ => ("", String::new()),
            };
            let text = format!(
                "name = \"random\"\n[heartbeat.composed]\n{schedule}\n{judge}\nanswered = {answered}\n{beat_on}\n{paced}\n\
                 [server]\n{pings}{reaper}{directed}"
            );
            let spec: StrategySpec = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            spec.problems().is_empty().then_some(spec)
        },
    )
}

#[test]
fn who_is_not_warned_of_lives_in_a_thousand_healthy_worlds_and_who_is_mostly_does_not() {
    let mut runner = TestRunner::deterministic();
    let strategies = any_strategy();
    let (mut alive, mut warned, mut dead) = (0, 0, 0);
    for seed in 0..4_000 {
        let spec = strategies.new_tree(&mut runner).expect("a strategy").current();
        let delay = Duration::from_millis(1 + seed * 37 % 150);
        let end = ended(&spec, seed, delay, Time::from_secs(3 * 3_600));
        let warnings = spec.short_lived();
        if warnings.is_empty() {
            let text = toml::to_string(&spec).unwrap();
            assert_eq!(end, None, "nobody warned of seed {seed}, {delay:?}:\n{text}");
            alive += 1;
        } else {
            warned += 1;
            dead += u32::from(end.is_some());
        }
    }
    assert!(alive >= 1_000, "{alive} without a warning");
    assert!(warned >= 500 && 2 * dead >= warned, "{dead} of {warned} that were warned of ended");
}

#[test]
fn presets_live_but_for_one_that_is_known_for_it() {
    for preset in preset::all() {
        let spec = preset.spec();
        if spec.name == "known-nat-timeout" {
            continue;
        }
        let warned = !spec.short_lived().is_empty();
        assert_eq!(warned, spec.name == "rabbitmq-amqp-pre-3-7-11", "{}: {:?}", spec.name, spec.short_lived());
    }
}

fn warned(text: &str) -> Vec<(String, String)> {
    let spec: StrategySpec = toml::from_str(&format!("name = \"a\"\n{text}")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(spec.problems(), Vec::new(), "{text}");
    spec.short_lived().into_iter().map(|it| (it.path, it.message)).collect()
}

#[test]
fn what_waits_in_vain_is_told_with_both_places_and_both_numbers() {
    let watchdog = "heartbeat.composed.judge.silence.limit";
    let reaper = "server.idle-reaper.idle";
    let cases = [
        // Nobody pings.
        (
            "heartbeat.composed = { schedule = \"peer-sends\", judge.silence = { limit = \"30s\", fed_by = \"pings\" } }",
            watchdog,
            "30s without a ping of the server's, and `server` never",
        ),
        // aspnet/SignalR issue 2905.
        (
            "heartbeat.composed = { schedule = \"peer-sends\", judge.silence.limit = \"30s\" }\n\
             server.pings = { interval = \"50s\", answered = false, after = \"sent\" }",
            watchdog,
            "30s without hearing anything, and `server.pings.interval` lets 50s pass",
        ),
        // dotnet/aspnetcore issue 20151.
        (
            "heartbeat.composed = { schedule.idle = { threshold = \"3m\", anchor = \"tx\" }, answered = false }\n\
             [server]\npings = { interval = \"15s\", answered = false, after = \"sent\" }\n\
             idle-reaper = { idle = \"30s\", refreshed_by = \"received\", scan = \"0s\" }",
            reaper,
            "30s without hearing the client, and `heartbeat.composed.schedule.idle.threshold` lets 3m pass",
        ),
        // Conversations issue 4026.
        (
            "heartbeat.idle = { threshold = \"300s\", anchor = \"rx\", timeout = \"30s\" }\n\
             server.idle-reaper = { idle = \"300s\", refreshed_by = \"received\", scan = \"0s\" }",
            reaper,
            "5m without hearing the client, and `heartbeat.idle.threshold` lets 5m pass",
        ),
        // The server's word is longer than its patience.
        (
            "heartbeat.composed = { schedule.grid.interval = \"1m\", judge.reply.timeout = \"10s\", pace.directed = true }\n\
             [server]\ndirected = { interval = \"10m\" }\nidle-reaper = { idle = \"5m\" }",
            reaper,
            "5m without hearing the client, and `server.directed.interval` lets 10m pass",
        ),
        (
            "heartbeat.composed = { schedule.grid.interval = \"30s\", answered = false, judge.unanswered.limit = \"1m\" }",
            "heartbeat.composed.judge.unanswered.limit",
            "1m without hearing anything",
        ),
        (
            "heartbeat.composed = { schedule = \"peer-sends\", judge.freshness = { detector.chen.margin = \"3s\", fed_by.pings = \"20s\" } }",
            "heartbeat.composed.judge.freshness.fed_by",
            "20s without a ping",
        ),
    ];
    for (text, path, words) in cases {
        let warnings = warned(text);
        let [(found, message)] = &warnings[..] else { panic!("{text}: {warnings:?}") };
        assert_eq!(found, path, "{text}");
        assert!(message.contains("a healthy connection cannot live") && message.contains(words), "{message}");
    }
}

#[test]
fn who_is_called_by_nobody_is_told_apart_from_who_comes_back_by_itself() {
    let read = |text: &str| toml::from_str::<StrategySpec>(&format!("name = \"a\"\n{text}")).unwrap();
    let leaves = "heartbeat.leave-when-quiet = { after = \"3m\" }\n";
    assert!(read(&format!("{leaves}reconnect.on-call = {{ base = \"100ms\" }}")).called_by_nobody().is_some());
    assert!(read(&format!("{leaves}reconnect.fixed-delay = {{ delay = \"1m\" }}")).called_by_nobody().is_none());
    assert!(read("heartbeat = \"none\"\nreconnect.on-call = {}").called_by_nobody().is_none());
    let alone = read(&format!("{leaves}reconnect.on-call = {{}}")).needs_a_call().expect("no scenario is named");
    assert!(alone.message.contains("without `wakeup` and `traffic.up`"), "{alone:?}");
    assert!(read(&format!("{leaves}reconnect.fixed-delay = {{ delay = \"1m\" }}")).needs_a_call().is_none());
}
