//! Every measurement of a product, played against the presets that are to do the same: the policies themselves, without a
//! network between them. Times that a product draws are compared by their ends, and by mean and share where those were
//! told, over 10,000 draws.

use std::time::Duration;

use cardiogram_policies::{
    Action, AttemptFailure, Event, GiveUp, Heartbeat, LossReason, Network, PolicyRng, Reconnect, ReconnectAction,
    ReconnectEvent, ServerAction, SessionEvent, SessionId, StrategySpec, Time,
    measured::{self, Every, Measurement, OfHeartbeat, OfReconnect, OfSearch, OfServer, Seen},
    preset,
    reconnect::Ended,
    unit::{Delay, Span},
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const DRAWS: u64 = 10_000;

fn rng(seed: u64) -> PolicyRng {
    Box::new(ChaCha8Rng::seed_from_u64(seed))
}

/// Returns a preset with the parameters that the product was run with.
fn strategy(name: &str, with: &toml::Table) -> StrategySpec {
    let preset = preset::find(name).expect("a preset");
    let mut table: toml::Table = toml::from_str(preset.toml).expect("a table");
    merge(&mut table, with);
    table.try_into().unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn merge(table: &mut toml::Table, with: &toml::Table) {
    for (key, value) in with {
        match (table.get_mut(key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(with)) => merge(inner, with),
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Returns what a preset did differently; `None` where it did the same.
fn difference(spec: &StrategySpec, it: &Measurement) -> Option<String> {
    let within = it.within.get();
    if let Some(told) = &it.heartbeat {
        let count = if is_drawn(told.dead.iter().chain(told.beats.iter().flatten())) { DRAWS } else { 1 };
        let runs: Vec<(Vec<Duration>, Option<Duration>)> = (0..count).map(|seed| live(spec, told, seed)).collect();
        let dead: Vec<Option<Duration>> = runs.iter().map(|(_, dead)| *dead).collect();
        let beats = told.beats.as_ref().and_then(|beats| {
            let times: Vec<&[Duration]> = runs.iter().map(|(beats, _)| beats.as_slice()).collect();
            sequence("beat", beats, &times, within)
        });
        return beats.or_else(|| at_end("given up", told.dead, &dead, within));
    }
    if let Some(told) = &it.reconnect {
        let count = if is_drawn(told.waits.iter().chain(&told.hangs)) { DRAWS } else { 1 };
        let runs: Vec<[Vec<Duration>; 2]> = (0..count).map(|seed| retry(spec, told, seed)).collect();
        let both = [("wait", &told.waits), ("attempt", &told.hangs)];
        return both.into_iter().enumerate().filter(|(_, (_, told))| !told.is_empty()).find_map(
            |(which, (what, told))| {
                let times: Vec<&[Duration]> = runs.iter().map(|run| run[which].as_slice()).collect();
                sequence(what, told, &times, within)
            },
        );
    }
    if let Some(told) = &it.search {
        let (probes, settled) = search(spec, told);
        let of_probes =
            (!told.probes.is_empty()).then(|| sequence("probe", &told.probes, &[&probes], within)).flatten();
        return of_probes.or_else(|| told.settles.and_then(|seen| at_end("settled", Some(seen), &[settled], within)));
    }
    if it.kernel.is_some() {
        // What a kernel does by itself is played where there is one: tests/world/kernel.rs.
        return None;
    }
    if let Some(told) = &it.server {
        let (pings, closed) = serve(spec, told);
        let of_pings = told.pings.as_ref().and_then(|told| sequence("ping", told, &[&pings], within));
        return of_pings.or_else(|| at_end("closed", told.closed, &[closed], within));
    }
    let told = it.connect_timeout.expect("a measurement is of something");
    at_end("abandoned", Some(told), &[Some(spec.connect_timeout.get())], within)
}

fn is_drawn<'a>(mut seen: impl Iterator<Item = &'a Seen>) -> bool {
    seen.any(|seen| matches!(seen, Seen::Between(_)))
}

/// Compares what came one after the other, in every run.
fn sequence(what: &str, told: &[Seen], runs: &[&[Duration]], within: Duration) -> Option<String> {
    if let Some(run) = runs.iter().find(|run| run.len() != told.len()) {
        return Some(format!("{} {what}s instead of {}: {run:?}", run.len(), told.len()));
    }
    told.iter().enumerate().find_map(|(place, seen)| {
        let times: Vec<Duration> = runs.iter().map(|run| run[place]).collect();
        compare(seen, &times, within).map(|difference| format!("{what} {place}: {difference}"))
    })
}

fn at_end(what: &str, told: Option<Seen>, runs: &[Option<Duration>], within: Duration) -> Option<String> {
    let Some(seen) = told else {
        let ended = runs.iter().flatten().next()?;
        return Some(format!("{what} at {ended:?}"));
    };
    if runs.iter().any(Option::is_none) {
        return Some(format!("not {what}"));
    }
    let times: Vec<Duration> = runs.iter().flatten().copied().collect();
    compare(&seen, &times, within).map(|difference| format!("{what}: {difference}"))
}

fn compare(seen: &Seen, times: &[Duration], within: Duration) -> Option<String> {
    let shortest = *times.iter().min().expect("there are runs");
    let longest = *times.iter().max().expect("there are runs");
    match seen {
        Seen::Exactly(time) => {
            let time = time.get();
            let is_same = shortest + within >= time && longest <= time + within;
            (!is_same).then(|| format!("{shortest:?} to {longest:?} instead of {time:?}"))
        }
        Seen::Between(told) => {
            let (least, most) = (told.least.get(), told.most.get());
            // What few draws have seen does not reach the ends.
            let slack = most.saturating_sub(least) / 20 + within;
            let is_inside = shortest + within >= least && longest <= most + within;
            let reaches = shortest <= least + slack && longest + slack >= most;
            if !is_inside || !reaches {
                return Some(format!("{shortest:?} to {longest:?} instead of {least:?} to {most:?}"));
            }
            let mean = times.iter().sum::<Duration>() / times.len() as u32;
            if let Some(told) = told.mean.map(Delay::get)
                && (mean.as_secs_f64() / told.as_secs_f64() - 1.0).abs() > 0.05
            {
                return Some(format!("a mean of {mean:?} instead of {told:?}"));
            }
            let at_most = times.iter().filter(|time| **time + within >= most).count() as f64 / times.len() as f64;
            let share = told.at_most.filter(|told| (at_most - told).abs() > 0.03)?;
            Some(format!("{at_most} at the longest instead of {share}"))
        }
    }
}

/// What happens to a client without its doing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Reply {
        id: u32,
        rtt: Duration,
    },
    Received,
    Acknowledged,
    Ping,
    Sends,
    /// The kernel's user timeout, if it still stands.
    KernelGivesUp,
}

/// Plays a connection: when its beats were sent, and when it was given up.
fn live(spec: &StrategySpec, told: &OfHeartbeat, seed: u64) -> (Vec<Duration>, Option<Duration>) {
    let mut policy = spec.heartbeat.build(rng(seed));
    let until = told.until.get();
    let mut queue: Vec<(Duration, Happens)> = told.received.iter().map(|at| (at.get(), Happens::Received)).collect();
    for (every, what) in [
        (told.received_every, Happens::Received),
        (told.acknowledged_every, Happens::Acknowledged),
        (told.pings_every, Happens::Ping),
        (told.sent_every, Happens::Sends),
    ] {
        queue.extend(every.iter().flat_map(|every| times(every, until)).map(|at| (at, what)));
    }
    let mut beats = Vec::new();
    let mut user_timeout = None;
    let mut now = Duration::ZERO;
    policy.on_event(Time::ZERO, &Event::Connected { network: Network::cellular(0), server: 0 });
    loop {
        let at = Time::ZERO + now;
        let mut written = false;
        for _ in 0..50 {
            match policy.poll(at) {
                None => break,
                Some(Action::SendHeartbeat { id }) => {
                    written = true;
                    beats.push(now);
                    policy.on_event(at, &Event::BytesWritten);
                    let is_answered = told.replies_until.is_none_or(|until| now <= until.get());
                    if is_answered && told.path_dead_from.is_none_or(|from| now < from.get()) {
                        let rtt = told.rtt.get();
                        queue.push((now + rtt, Happens::Reply { id, rtt }));
                    }
                }
                Some(Action::SendNotice) => {
                    written = true;
                    beats.push(now);
                    policy.on_event(at, &Event::BytesWritten);
                }
                Some(Action::SetUserTimeout(timeout)) => user_timeout = timeout,
                Some(Action::GiveUp(_)) => return (beats, Some(now)),
                Some(_) => {}
            }
        }
        let is_dead = told.path_dead_from.is_some_and(|from| now >= from.get());
        if let Some(timeout) = user_timeout.filter(|_| written && is_dead) {
            queue.push((now + timeout, Happens::KernelGivesUp));
        }
        // Packets come before timers.
        let next =
            queue.iter().enumerate().min_by_key(|(_, (at, what))| (*at, *what)).map(|(place, (at, _))| (place, *at));
        let due = policy.deadline().map_or(Duration::MAX, |due| due.since(Time::ZERO));
        match next.filter(|(_, at)| *at <= due && *at <= until) {
            Some((place, at)) => {
                now = at;
                let event = match queue.swap_remove(place).1 {
                    Happens::Reply { id, rtt } => Event::HeartbeatReply { id, rtt },
                    Happens::Received => Event::BytesReceived,
                    Happens::Acknowledged => Event::Acknowledged,
                    Happens::Ping => Event::PeerPing,
                    Happens::Sends => Event::BytesWritten,
                    Happens::KernelGivesUp => return (beats, Some(now)),
                };
                policy.on_event(Time::ZERO + now, &event);
            }
            None if due <= until => now = due,
            None => return (beats, None),
        }
    }
}

fn times(every: &Every, until: Duration) -> impl Iterator<Item = Duration> {
    let step = every.every.get();
    let last = every.until.map_or(until, |last| last.get().min(until));
    (1..).map(move |count| step * count).take_while(move |at| *at <= last)
}

/// A connection through a NAT.
struct Flow {
    last: Duration,
    is_dead: bool,
    last_beat: Option<Duration>,
}

impl Flow {
    const fn new(now: Duration) -> Self {
        Self { last: now, is_dead: false, last_beat: None }
    }

    /// Sends something; returns the idle time before it, and whether an answer comes.
    fn send(&mut self, now: Duration, nat: Duration) -> (Duration, bool) {
        let gap = now.saturating_sub(self.last);
        self.is_dead |= gap > nat;
        self.last = now;
        (gap, !self.is_dead)
    }
}

/// Plays a search behind a NAT: the gaps before beats on connections of their own, and the session's interval at the end.
fn search(spec: &StrategySpec, told: &OfSearch) -> (Vec<Duration>, Option<Duration>) {
    let mut policy = spec.heartbeat.build(rng(0));
    let (nat, until) = (told.nat.get(), told.until.get());
    let connect = |policy: &mut dyn Heartbeat, now: Duration| {
        policy.on_event(Time::ZERO + now, &Event::Connected { network: Network::cellular(0), server: 0 });
        Some(Flow::new(now))
    };
    let mut now = Duration::ZERO;
    let (mut session, mut probe) = (connect(&mut *policy, now), None::<Flow>);
    let (mut probes, mut settled, mut back_at) = (Vec::new(), None, None);
    while now <= until {
        let at = Time::ZERO + now;
        for _ in 0..50 {
            match policy.poll(at) {
                None => break,
                Some(Action::SendHeartbeat { id }) => {
                    let flow = session.as_mut().expect("who beats has a session");
                    policy.on_event(at, &Event::BytesWritten);
                    if flow.send(now, nat).1 {
                        settled = flow.last_beat.map(|last| now.saturating_sub(last)).or(settled);
                        flow.last_beat = Some(now);
                        policy.on_event(at, &Event::HeartbeatReply { id, rtt: Duration::ZERO });
                    }
                }
                Some(Action::OpenProbe) => {
                    probe = Some(Flow::new(now));
                    policy.on_event(at, &Event::ProbeConnected);
                }
                Some(Action::SendProbe { id }) => {
                    let (gap, is_answered) = probe.as_mut().expect("it was opened").send(now, nat);
                    probes.push(gap);
                    if is_answered {
                        policy.on_event(at, &Event::ProbeReply { id, rtt: Duration::ZERO });
                    }
                }
                Some(Action::CloseProbe) => probe = None,
                Some(Action::GiveUp(_)) => {
                    (session, probe) = (None, None);
                    back_at = Some(now + Duration::from_secs(1));
                }
                Some(_) => {}
            }
        }
        let due = policy.deadline().map(|due| due.since(Time::ZERO));
        now = due.into_iter().chain(back_at).min().map_or(Duration::MAX, |next| next.max(now));
        if session.is_none() && back_at.is_some_and(|at| at <= now) {
            (session, back_at) = (connect(&mut *policy, now), None);
        }
    }
    (probes, settled)
}

/// Plays a client without a connection: its waits, one more than was told unless it stops, and how long its attempts took.
fn retry(spec: &StrategySpec, told: &OfReconnect, seed: u64) -> [Vec<Duration>; 2] {
    let servers = told.servers.unwrap_or(1);
    let mut policy = spec.build_reconnect(servers, rng(seed), rng(seed + DRAWS));
    let mut now = Time::from_secs(1_000_000);
    let lost = if told.given_up { Ended::GivenUp(GiveUp::NoReply) } else { Ended::Transport(LossReason::Closed) };
    let (connect_timeout, hang) = (spec.connect_timeout.get(), !told.hangs.is_empty());
    let attempt = |policy: &mut dyn Reconnect, now: &mut Time, lives: Option<Duration>, timeout: Duration| {
        policy.on_event(*now, &ReconnectEvent::AttemptStarted { server: 0 });
        if let Some(uptime) = lives {
            policy.on_event(*now, &ReconnectEvent::Established);
            policy.on_event(*now, &ReconnectEvent::Connected);
            *now += uptime;
            policy.on_event(*now, &ReconnectEvent::Lost(lost));
        } else {
            *now += if hang { timeout } else { told.attempt.get() };
            let failure = if hang { AttemptFailure::Timeout } else { AttemptFailure::Refused };
            policy.on_event(*now, &ReconnectEvent::AttemptFailed(failure));
        }
    };
    let accepted = told.accepted.then_some(Duration::ZERO);
    attempt(&mut *policy, &mut now, told.lost_after.map(Delay::get).or(accepted), connect_timeout);
    let [mut waits, mut attempts] = [Vec::new(), Vec::new()];
    while waits.len() < told.waits.len().max(told.hangs.len()) + usize::from(told.stops) {
        let ReconnectAction::TryAfter { wait, timeout, .. } = policy.next(now) else { break };
        let timeout = timeout.unwrap_or(connect_timeout);
        waits.push(wait);
        attempts.push(timeout);
        now += wait;
        attempt(&mut *policy, &mut now, accepted, timeout);
    }
    [waits, attempts]
}

/// Plays a session: when the server pinged, and when it closed it.
fn serve(spec: &StrategySpec, told: &OfServer) -> (Vec<Duration>, Option<Duration>) {
    let mut policy = spec.server.build();
    let (session, until) = (SessionId(0), told.until.get());
    let mut received: Vec<Duration> = told.received.iter().map(|at| at.get()).collect();
    received.sort_unstable();
    let (mut pings, mut now) = (Vec::new(), Duration::ZERO);
    policy.on_event(Time::ZERO, session, &SessionEvent::Opened { interval: told.announced.map(Span::get) });
    loop {
        let at = Time::ZERO + now;
        for _ in 0..50 {
            match policy.poll(at) {
                None => break,
                Some(ServerAction::Close { .. }) => return (pings, Some(now)),
                Some(ServerAction::Ping { .. } | ServerAction::Notice { .. }) => {
                    pings.push(now);
                    policy.on_event(at, session, &SessionEvent::FrameSent);
                    if told.pongs {
                        policy.on_event(at, session, &SessionEvent::PongReceived);
                    }
                }
                Some(ServerAction::Direct { .. }) => {}
            }
        }
        let due = policy.deadline().map_or(Duration::MAX, |due| due.since(Time::ZERO));
        match received.first().copied().filter(|at| *at <= due) {
            Some(first) => {
                now = first;
                received.remove(0);
                policy.on_event(Time::ZERO + now, session, &SessionEvent::FrameReceived);
            }
            None if due <= until => now = due,
            None => return (pings, None),
        }
    }
}

#[test]
fn presets_do_what_their_products_were_seen_to_do() {
    let mut wrong = Vec::new();
    let mut played = 0;
    for product in measured::all() {
        for it in &product.measurements {
            for name in &it.presets {
                played += 1;
                let difference = difference(&strategy(name, &it.with), it);
                let told = format!("{name}, {} {}: {}", product.product, product.version, it.what);
                match (difference, &it.differs) {
                    (Some(difference), None) => wrong.push(format!("{told}\n    {difference}")),
                    (None, Some(_)) if it.kernel.is_none() => {
                        wrong.push(format!("{told}\n    the same, though it is said to differ"));
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {played} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_preset_that_does_something_else_is_found() {
    let told = |text: &str| toml::from_str::<Measurement>(&format!("presets = []\nwhat = \"\"\n{text}")).unwrap();
    let spec = strategy("netease-30-15", &toml::Table::new());
    let cases = [
        ("heartbeat = { until = \"2m\", replies_until = \"30s\", beats = [\"30s\", \"60s\"], dead = \"75s\" }", true),
        ("heartbeat = { until = \"2m\", replies_until = \"30s\", dead = \"74s\" }", false),
        ("heartbeat = { until = \"2m\", replies_until = \"30s\" }", false),
        ("heartbeat = { until = \"70s\", beats = [\"30s\"] }", false),
        ("reconnect = { waits = [{ least = \"0s\", most = \"1s\", mean = \"500ms\" }] }", true),
        ("reconnect = { hangs = [\"10s\", \"10s\"] }", true),
        ("reconnect = { hangs = [\"10s\", \"20s\"] }", false),
        ("reconnect = { waits = [{ least = \"0s\", most = \"1s\", mean = \"600ms\" }] }", false),
        ("reconnect = { waits = [{ least = \"0s\", most = \"2s\" }] }", false),
        ("reconnect = { waits = [{ least = \"200ms\", most = \"1s\" }] }", false),
        ("reconnect = { waits = [{ least = \"0s\", most = \"1s\", at_most = 0.5 }] }", false),
        ("reconnect = { waits = [{ least = \"0s\", most = \"1s\" }], stops = true }", false),
        ("server = { until = \"1h\" }", true),
        ("server = { until = \"1h\", closed = \"90s\" }", false),
        ("search = { nat = \"5m\", until = \"1h\", settles = \"30s\" }", true),
        ("search = { nat = \"5m\", until = \"1h\", settles = \"31s\" }", false),
        ("connect_timeout = \"10s\"", true),
        ("connect_timeout = \"20s\"", false),
    ];
    for (text, is_same) in cases {
        let difference = difference(&spec, &told(text));
        assert_eq!(difference.is_none(), is_same, "{text}: {difference:?}");
    }
}
