//! What a link does when its policies say so, at the boundary: with times worked out by hand on the path of [`common`](crate::common).

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use crate::common::{Log, Script, Words, World, after, ms};
use cardiogram_policies::{
    Action, AppState, AttemptFailure, Event, GiveUp, LossReason, Mechanism, Network, ReconnectAction, ReconnectEvent,
    ServerChoice, StrategySpec, preset, reconnect::Ended,
};
use cardiogram_tokio::{BuildError, Goodbye, Link, LinkEvent, News, SendError, Store, WhileDown};
use tokio::{sync::watch, time::sleep};

/// A link under a script, its world, and what happened so far.
struct Bench {
    world: World,
    script: Script,
    log: Log,
}

impl Bench {
    fn new(steps: &[(u64, Action)], verdicts: &[ReconnectAction]) -> Self {
        let script = Script { steps: steps.to_vec(), verdicts: verdicts.to_vec(), ..Script::default() };
        Self { world: World::new(), script, log: Log::default() }
    }

    fn builder(&self) -> cardiogram_tokio::Builder<cardiogram_tokio::Dialer<Io>, Words> {
        let world = self.world.clone();
        Link::builder(&self.script.strategy())
            .dial(move |server| world.clone().dial(server))
            .protocol(Words)
            .record(self.log.record())
    }

    /// Lets the link of these parts live so many milliseconds, and takes its news.
    async fn live(&self, millis: u64) -> Vec<News<String>> {
        let link = self.builder().spawn().unwrap();
        take(link, millis).await
    }

    fn heard(&self) -> Vec<(u64, Event)> {
        self.script.told.lock().unwrap().heartbeat.clone()
    }

    fn asked(&self) -> Vec<(u64, ReconnectEvent)> {
        self.script.told.lock().unwrap().reconnect.clone()
    }
}

type Io = cardiogram_tokio::Plain<tokio::io::DuplexStream>;

async fn take(mut link: Link<String>, millis: u64) -> Vec<News<String>> {
    let mut news = Vec::new();
    let end = sleep(ms(millis));
    tokio::pin!(end);
    loop {
        tokio::select! {
            biased;
            one = link.next() => news.push(one.expect("the link lives")),
            () = &mut end => return news,
        }
    }
}

const CONNECTED: Event = Event::Connected { network: Network::cellular(0), server: 0 };

fn beat(id: u32) -> Action {
    Action::SendHeartbeat { id }
}

fn reply(id: u32) -> Event {
    Event::HeartbeatReply { id, rtt: ms(100) }
}

#[tokio::test(start_paused = true)]
async fn a_beat_is_sent_when_it_is_due_and_its_reply_has_its_round_trip() {
    let bench = Bench::new(&[(1_000, beat(0)), (1_050, beat(1))], &[]);
    bench.live(2_000).await;
    assert_eq!(bench.heard(), [(200, CONNECTED), (1_100, reply(0)), (1_150, reply(1))]);
    let told = [
        (0, ReconnectEvent::AttemptStarted { server: 0 }),
        (100, ReconnectEvent::Established),
        (200, ReconnectEvent::Connected),
    ];
    assert_eq!(bench.asked(), told);
    let events = [
        (0, LinkEvent::AttemptStarted { port: 1, server: 0 }),
        (200, LinkEvent::Connected { port: 1, server: 0 }),
        (1_000, LinkEvent::HeartbeatSent { id: 0 }),
        (1_050, LinkEvent::HeartbeatSent { id: 1 }),
        (1_100, LinkEvent::HeartbeatAnswered { id: 0, rtt: ms(100) }),
        (1_150, LinkEvent::HeartbeatAnswered { id: 1, rtt: ms(100) }),
    ];
    assert_eq!(bench.log.events(), events);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_made_anew_after_the_wait() {
    let bench = Bench::new(&[(1_000, Action::GiveUp(GiveUp::NoReply))], &[after(500)]);
    let news = bench.live(2_000).await;
    let events = [
        (0, LinkEvent::AttemptStarted { port: 1, server: 0 }),
        (200, LinkEvent::Connected { port: 1, server: 0 }),
        (1_000, LinkEvent::GivenUp { port: 1, reason: GiveUp::NoReply }),
        (1_000, LinkEvent::RetryAfter(ms(500))),
        (1_500, LinkEvent::AttemptStarted { port: 2, server: 0 }),
        (1_700, LinkEvent::Connected { port: 2, server: 0 }),
    ];
    assert_eq!(bench.log.events(), events);
    assert_eq!(news, events.map(|(_, event)| News::Event(event)));
    assert!(bench.asked().contains(&(1_000, ReconnectEvent::Lost(Ended::GivenUp(GiveUp::NoReply)))));
    let hellos = bench.world.heard.lock().unwrap().clone();
    assert_eq!(hellos, [(150, 0, "hello session".to_owned()), (1_650, 0, "hello session again".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_takes_as_long_as_its_policy_says() {
    let short = ReconnectAction::TryAfter { wait: ms(1_000), server: ServerChoice::Same, timeout: Some(ms(2_000)) };
    let bench = Bench::new(&[], &[short, ReconnectAction::Stop]);
    bench.world.refuse(true);
    let world = bench.world.clone();
    let link = bench.builder().spawn().unwrap();
    let task = tokio::spawn(take(link, 10_000));
    sleep(ms(500)).await;
    world.refuse(false);
    world.cut(true);
    task.await.unwrap();
    let events = [
        (0, LinkEvent::AttemptStarted { port: 1, server: 0 }),
        (100, LinkEvent::AttemptFailed(AttemptFailure::Refused)),
        (100, LinkEvent::RetryAfter(ms(1_000))),
        (1_100, LinkEvent::AttemptStarted { port: 2, server: 0 }),
        (3_100, LinkEvent::AttemptFailed(AttemptFailure::Timeout)),
        (3_100, LinkEvent::Stopped),
    ];
    assert_eq!(bench.log.events(), events);
}

#[tokio::test(start_paused = true)]
async fn attempts_fail_when_they_are_refused_late_or_dropped() {
    let next = ReconnectAction::TryAfter { wait: ms(1_000), server: ServerChoice::Next, timeout: None };
    let bench = Bench::new(&[], &[next, after(1_000), ReconnectAction::Stop]);
    bench.world.refuse(true);
    let world = bench.world.clone();
    let link = bench.builder().servers(3).first_server(2).spawn().unwrap();
    let task = tokio::spawn(take(link, 20_000));
    sleep(ms(500)).await;
    world.refuse(false);
    world.cut(true);
    sleep(ms(6_000)).await;
    world.cut(false);
    world.greet_with("close");
    task.await.unwrap();
    let events = [
        (0, LinkEvent::AttemptStarted { port: 1, server: 2 }),
        (100, LinkEvent::AttemptFailed(AttemptFailure::Refused)),
        (100, LinkEvent::RetryAfter(ms(1_000))),
        (1_100, LinkEvent::AttemptStarted { port: 2, server: 0 }),
        // The time of an attempt is 5 s.
        (6_100, LinkEvent::AttemptFailed(AttemptFailure::Timeout)),
        (6_100, LinkEvent::RetryAfter(ms(1_000))),
        (7_100, LinkEvent::AttemptStarted { port: 3, server: 0 }),
        (7_300, LinkEvent::AttemptFailed(AttemptFailure::Dropped)),
        (7_300, LinkEvent::Stopped),
    ];
    assert_eq!(bench.log.events(), events);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_has_stopped_tries_when_it_is_asked_to() {
    let bench = Bench::new(&[(500, Action::GiveUp(GiveUp::Done))], &[ReconnectAction::Stop]);
    let mut link = bench.builder().spawn().unwrap();
    while link.next().await != Some(News::Event(LinkEvent::Stopped)) {}
    sleep(ms(1_000)).await;
    link.try_now();
    take(link, 1_000).await;
    assert_eq!(bench.log.times(|event| matches!(event, LinkEvent::Connected { .. })), [200, 1_700]);
}

#[tokio::test(start_paused = true)]
async fn a_link_on_call_connects_when_there_is_a_message_and_sends_what_waits_in_order() {
    let text = "name = \"a\"\nheartbeat.leave-when-quiet = { after = \"2s\" }\nreconnect.on-call = {}";
    let strategy: StrategySpec = toml::from_str(text).unwrap();
    let (world, log) = (World::new(), Log::default());
    let heard = world.heard.clone();
    let dial = move |server| world.clone().dial(server);
    let link = Link::builder(&strategy).dial(dial).protocol(Words).record(log.record()).spawn().unwrap();
    sleep(ms(10_000)).await;
    for message in ["first", "second"] {
        link.send(message.into()).await.unwrap();
    }
    take(link, 5_000).await;
    assert_eq!(log.times(|event| matches!(event, LinkEvent::Connected { .. })), [200, 10_200]);
    let left = log.times(|event| *event == LinkEvent::GivenUp { port: 2, reason: GiveUp::Done });
    assert_eq!(left, [12_200]);
    let messages: Vec<String> = heard.lock().unwrap().iter().map(|(.., line)| line.clone()).collect();
    assert_eq!(
        messages.iter().filter(|line| !line.starts_with("hello")).collect::<Vec<_>>(),
        ["msg first", "msg second"]
    );
}

/// The rules of a real policy: what arrives at the moment of the deadline is no miss, and what arrives later is one.
#[tokio::test(start_paused = true)]
async fn a_reply_at_the_moment_of_its_deadline_counts() {
    for (timeout, is_in_time) in [("100ms", true), ("99ms", false)] {
        let text = format!("name = \"a\"\nheartbeat.fixed = {{ interval = \"1s\", timeout = \"{timeout}\" }}");
        let strategy: StrategySpec = toml::from_str(&text).unwrap();
        let (world, log) = (World::new(), Log::default());
        let link = Link::builder(&strategy)
            .dial(move |server| world.clone().dial(server))
            .protocol(Words)
            .record(log.record())
            .spawn()
            .unwrap();
        take(link, 1_500).await;
        let given_up = log.times(|event| matches!(event, LinkEvent::GivenUp { .. }));
        assert_eq!(given_up.is_empty(), is_in_time, "{timeout}: {:?}", log.events());
    }
}

#[tokio::test(start_paused = true)]
async fn messages_go_both_ways_and_pings_are_answered() {
    let bench = Bench::new(&[(1_000, Action::SendNotice)], &[]);
    bench.world.say(&[
        (100, "msg hello"),
        (200, "ping"),
        (300, "alive"),
        (400, "ack"),
        (500, "reply 9"),
        (600, "direct 45000"),
    ]);
    let link = bench.builder().spawn().unwrap();
    // It waits for a session.
    link.send("early".into()).await.unwrap();
    link.send("two\nlines".into()).await.unwrap();
    let news = take(link, 2_000).await;
    assert!(news.contains(&News::Message("hello".into())));
    assert!(news.contains(&News::Event(LinkEvent::MessageRefused)));
    // The server began to speak at 150.
    let heard = [
        (200, CONNECTED),
        (300, Event::BytesReceived),
        (400, Event::PeerPing),
        (500, Event::PeerPing),
        (600, Event::Acknowledged),
        (700, Event::BytesReceived),
        (800, Event::DirectedInterval(ms(45_000))),
    ];
    assert_eq!(bench.heard(), heard);
    let lines: Vec<_> = bench.world.heard.lock().unwrap().iter().map(|(at, _, line)| (*at, line.clone())).collect();
    let expected = [(150, "hello session"), (250, "msg early"), (450, "pong"), (1_050, "notice")];
    assert_eq!(lines, expected.map(|(at, line)| (at, line.to_owned())));
    assert_eq!(bench.log.times(|event| matches!(event, LinkEvent::PingAnswered)), [400]);
    assert_eq!(bench.log.times(|event| matches!(event, LinkEvent::NoticeReceived)), [500]);
}

#[tokio::test(start_paused = true)]
async fn a_welcome_and_a_server_direct_the_interval() {
    let bench = Bench::new(&[], &[]);
    bench.world.greet_with("welcome 30000");
    bench.live(1_000).await;
    assert_eq!(bench.heard(), [(200, CONNECTED), (200, Event::DirectedInterval(ms(30_000)))]);
    assert_eq!(bench.log.times(|event| *event == LinkEvent::Directed { interval: ms(30_000) }), [200]);
}

#[tokio::test(start_paused = true)]
async fn a_servers_goodbye_is_told_before_the_end() {
    let bench = Bench::new(&[], &[ReconnectAction::Stop]);
    bench.world.say(&[(100, "busy 60000"), (150, "close")]);
    bench.live(1_000).await;
    let told = bench.asked();
    let end = ReconnectEvent::Lost(Ended::Transport(LossReason::Closed));
    // A rule of its own tells the policy that what it has planned is void.
    assert_eq!(told[3..], [(300, ReconnectEvent::RetryAfter(ms(60_000))), (300, ReconnectEvent::Reset), (350, end)]);
    let goodbye = LinkEvent::GoodbyeReceived { reason: Goodbye::Busy, retry_after: Some(ms(60_000)) };
    assert_eq!(bench.log.times(|event| *event == goodbye), [300]);

    let bench = Bench::new(&[], &[ReconnectAction::Stop]);
    bench.world.say(&[(100, "too-many-pings"), (150, "close")]);
    bench.live(1_000).await;
    assert_eq!(bench.heard()[1..], [(350, Event::Lost(LossReason::TooManyPings))]);

    // One who is turned away at the door.
    let bench = Bench::new(&[], &[ReconnectAction::Stop]);
    bench.world.greet_with("busy 5000\nclose");
    bench.world.say(&[(0, "close")]);
    bench.live(1_000).await;
    let told = [(200, ReconnectEvent::RetryAfter(ms(5_000)))];
    assert_eq!(bench.asked()[2..3], told);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_make_no_sense_end_the_connection() {
    let bench = Bench::new(&[], &[ReconnectAction::Stop]);
    bench.world.say(&[(100, "what")]);
    bench.live(1_000).await;
    assert_eq!(bench.heard()[1..], [(300, Event::Lost(LossReason::Aborted))]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_connection_carries_heartbeats_beside_the_session() {
    let probe = |id| Action::SendProbe { id };
    let steps = [
        (1_000, Action::OpenProbe),
        // It is not up yet, and there is one at a time.
        (1_100, probe(0)),
        (1_150, Action::OpenProbe),
        (2_000, probe(1)),
        (3_000, Action::CloseProbe),
        (4_000, Action::OpenProbe),
        (5_000, Action::GiveUp(GiveUp::NoReply)),
    ];
    let bench = Bench::new(&steps, &[ReconnectAction::Stop]);
    bench.live(6_000).await;
    let heard = [
        (200, CONNECTED),
        (1_200, Event::ProbeConnected),
        (2_100, Event::ProbeReply { id: 1, rtt: ms(100) }),
        (4_200, Event::ProbeConnected),
    ];
    assert_eq!(bench.heard(), heard);
    assert_eq!(bench.log.times(|event| matches!(event, LinkEvent::ProbeClosed)), [3_000, 5_000]);
    let hellos = bench.world.heard.lock().unwrap().iter().filter(|(.., line)| line == "hello probe").count();
    assert_eq!(hellos, 2);
}

#[tokio::test(start_paused = true)]
async fn a_probe_connection_that_fails_or_comes_late_is_lost() {
    let bench = Bench::new(&[(1_000, Action::OpenProbe), (2_000, Action::OpenProbe)], &[]);
    let link = bench.builder().spawn().unwrap();
    let task = tokio::spawn(take(link, 10_000));
    sleep(ms(500)).await;
    bench.world.refuse(true);
    sleep(ms(1_000)).await;
    bench.world.refuse(false);
    bench.world.cut(true);
    task.await.unwrap();
    assert_eq!(bench.heard()[1..], [(1_100, Event::ProbeLost), (7_000, Event::ProbeLost)]);
}

#[tokio::test(start_paused = true)]
async fn a_race_is_won_by_whoever_answers_first() {
    // The session answers: its beat was sent at 1000, so that the reply is there before the rival's welcome at 1250.
    let bench = Bench::new(&[(1_000, beat(0)), (1_050, Action::Race)], &[]);
    bench.live(3_000).await;
    assert_eq!(bench.heard(), [(200, CONNECTED), (1_100, reply(0))]);
    assert_eq!(bench.log.times(|event| *event == LinkEvent::RaceLost { port: 2 }), [1_100]);

    // It does not: the rival takes its place, and beats again.
    let bench = Bench::new(&[(1_050, Action::Race), (2_000, beat(0))], &[]);
    bench.live(3_000).await;
    assert_eq!(bench.heard(), [(200, CONNECTED), (1_250, CONNECTED), (2_100, reply(0))]);
    let told = [
        (1_250, ReconnectEvent::Lost(Ended::GivenUp(GiveUp::NoReply))),
        (1_250, ReconnectEvent::AttemptStarted { server: 0 }),
        (1_250, ReconnectEvent::Established),
        (1_250, ReconnectEvent::Connected),
    ];
    assert_eq!(bench.asked()[3..], told);
    let ends = [
        (1_050, LinkEvent::RaceStarted { port: 2, server: 0 }),
        (1_250, LinkEvent::GivenUp { port: 1, reason: GiveUp::NoReply }),
        (1_250, LinkEvent::Connected { port: 2, server: 0 }),
    ];
    assert_eq!(bench.log.events()[2..5], ends);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_during_a_race_is_lost_when_the_race_is() {
    let bench = Bench::new(&[(1_000, Action::Race)], &[ReconnectAction::Stop]);
    // The server began at 150: its end arrives at 1080. The rival is refused at 1100.
    bench.world.say(&[(880, "close")]);
    let link = bench.builder().spawn().unwrap();
    let task = tokio::spawn(take(link, 10_000));
    sleep(ms(999)).await;
    bench.world.refuse(true);
    task.await.unwrap();
    assert_eq!(bench.heard()[1..], [(1_100, Event::Lost(LossReason::Closed))]);

    let bench = Bench::new(&[(1_000, Action::Race)], &[ReconnectAction::Stop]);
    bench.world.say(&[(880, "close")]);
    bench.live(2_000).await;
    assert_eq!(bench.heard()[1..], [(1_200, CONNECTED)], "the rival's welcome came while the race was on");
}

#[tokio::test(start_paused = true)]
async fn the_transport_is_asked_and_answers_at_once() {
    let bench = Bench::new(&[(1_000, beat(0)), (2_000, Action::AskTransport)], &[]);
    bench.live(3_000).await;
    // This transport cannot say; what was read last is known all the same.
    assert_eq!(bench.heard()[2..], [(2_000, Event::TransportHeard { ago: ms(900) })]);
    let refused = LinkEvent::Refused(Mechanism::LastHeard);
    assert_eq!(bench.log.times(|event| *event == refused), [2_000]);
}

#[tokio::test(start_paused = true)]
async fn the_network_is_checked_before_an_attempt() {
    let check = ReconnectAction::CheckAfter { wait: ms(1_000) };
    let bench = Bench::new(&[(500, Action::GiveUp(GiveUp::NoReply))], &[check, check, check, after(0)]);
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let link = bench
        .builder()
        .servers(2)
        .check(move |server| {
            assert_eq!(server, 1, "the next one is asked");
            let answer = count.fetch_add(1, SeqCst);
            async move {
                match answer {
                    0 => std::future::pending().await,
                    1 => false,
                    _ => true,
                }
            }
        })
        .spawn()
        .unwrap();
    take(link, 10_000).await;
    // The first one has no answer for 3 s.
    let carries = |is| bench.log.times(move |event| *event == LinkEvent::NetworkChecked(is));
    assert_eq!((carries(false), carries(true)), (vec![4_500, 5_500], vec![6_500]));
    assert_eq!(bench.log.times(|event| matches!(event, LinkEvent::AttemptStarted { .. })), [0, 6_500]);
}

#[tokio::test(start_paused = true)]
async fn without_a_network_nobody_tries() {
    let bench = Bench::new(&[], &[after(1_000), after(700)]);
    let (networks, seen) = watch::channel(None);
    let link = bench.builder().networks(seen).spawn().unwrap();
    let task = tokio::spawn(take(link, 20_000));
    sleep(ms(3_000)).await;
    networks.send(Some(Network::wifi(4))).unwrap();
    // Connected at 3200. The next network is told while the connection stays.
    sleep(ms(1_000)).await;
    networks.send(Some(Network::cellular(5))).unwrap();
    sleep(ms(1_000)).await;
    networks.send(None).unwrap();
    bench.world.say(&[]);
    task.await.unwrap();
    let connected = Event::Connected { network: Network::wifi(4), server: 0 };
    let changes = [Some(Network::cellular(5)), None].map(Event::NetworkChanged);
    assert_eq!(bench.heard(), [(3_200, connected), (4_000, changes[0]), (5_000, changes[1])]);
    assert_eq!(bench.log.times(|event| matches!(event, LinkEvent::AttemptStarted { .. })), [3_000]);
}

#[tokio::test(start_paused = true)]
async fn a_network_that_comes_back_is_planned_for_anew() {
    let bench = Bench::new(&[(500, Action::GiveUp(GiveUp::NoReply))], &[after(1_000), after(700)]);
    let (networks, seen) = watch::channel(Some(Network::wifi(0)));
    let link = bench.builder().networks(seen).spawn().unwrap();
    let task = tokio::spawn(take(link, 20_000));
    sleep(ms(1_000)).await;
    networks.send(None).unwrap();
    sleep(ms(4_000)).await;
    networks.send(Some(Network::wifi(1))).unwrap();
    task.await.unwrap();
    // The attempt of 1500 was not made; at 5000 the policy was asked again, and wanted 700 ms.
    assert_eq!(bench.log.times(|event| matches!(event, LinkEvent::AttemptStarted { .. })), [0, 5_700]);
}

#[tokio::test(start_paused = true)]
async fn both_policies_hear_of_the_applications_state_and_a_plan_may_be_kept() {
    let bench = Bench::new(&[(2_000, Action::GiveUp(GiveUp::NoReply))], &[after(3_000), after(2_000), after(500)]);
    let (states, seen) = watch::channel(AppState::Foreground);
    let link = bench.builder().app_state(seen).spawn().unwrap();
    let task = tokio::spawn(take(link, 10_000));
    for (at, state) in [(1_000, AppState::Background), (3_000, AppState::Doze), (4_000, AppState::Foreground)] {
        sleep(ms(at - bench.world.now())).await;
        states.send(state).unwrap();
    }
    task.await.unwrap();
    let told = [
        (0, AppState::Foreground),
        (1_000, AppState::Background),
        (3_000, AppState::Doze),
        (4_000, AppState::Foreground),
    ];
    let heard: Vec<_> = bench.heard().into_iter().filter(|(_, event)| matches!(event, Event::AppState(_))).collect();
    assert_eq!(heard, told.map(|(at, state)| (at, Event::AppState(state))));
    let asked: Vec<_> =
        bench.asked().into_iter().filter(|(_, event)| matches!(event, ReconnectEvent::AppState(_))).collect();
    assert_eq!(asked, told.map(|(at, state)| (at, ReconnectEvent::AppState(state))));
    // Lost at 2000 for 3 s; at 3000 the answer is the same moment; at 4000 it is 500 ms.
    assert_eq!(bench.log.times(|event| matches!(event, LinkEvent::RetryAfter(_))), [2_000, 4_000]);
    assert_eq!(bench.log.times(|event| matches!(event, LinkEvent::AttemptStarted { .. })), [0, 4_500]);
}

/// A store that tests look into.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Option<String>>>);

impl Store for Shelf {
    fn load(&mut self) -> io::Result<Option<String>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn save(&mut self, memory: &str) -> io::Result<()> {
        if memory.ends_with('2') {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *self.0.lock().unwrap() = Some(memory.into());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_has_learnt_outlives_its_process() {
    let (shelf, bench) = (Shelf::default(), Bench::new(&[(1_000, Action::Remember), (2_000, Action::Remember)], &[]));
    take(bench.builder().memory(shelf.clone()).spawn().unwrap(), 3_000).await;
    assert_eq!(shelf.0.lock().unwrap().as_deref(), Some("after step 1"), "the second could not be saved");
    assert_eq!(bench.log.times(|event| *event == LinkEvent::Forgotten), [2_000]);
    let next = Bench::new(&[], &[]);
    take(next.builder().memory(shelf).spawn().unwrap(), 100).await;
    assert_eq!(next.script.told.lock().unwrap().recalled, ["after step 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_takes_nothing_holds_up_neither_reading_nor_a_deadline() {
    let mut bench = Bench::new(&[(5_000, beat(0)), (8_000, Action::GiveUp(GiveUp::NoReply))], &[ReconnectAction::Stop]);
    bench.world.room = 64;
    bench.world.say(&[(3_000, "msg one"), (6_000, "msg two")]);
    let link = bench.builder().spawn().unwrap();
    sleep(ms(1_000)).await;
    // The server reads nothing more: what is sent fills the path.
    bench.world.deafen(true);
    let sender = link.sender();
    let flood = tokio::spawn(async move {
        let mut sender = sender;
        let mut sent = 0;
        while sender.send("x".repeat(1_000)).await.is_ok() {
            sent += 1;
        }
        sent
    });
    let world = bench.world.clone();
    let stopper = tokio::spawn(async move {
        sleep(ms(100)).await;
        world.cut(true);
        sleep(ms(1_000)).await;
        world.cut(false);
    });
    let news = take(link, 10_000).await;
    stopper.await.unwrap();
    let messages = news.iter().filter(|news| matches!(news, News::Message(_))).count();
    assert_eq!(messages, 2, "{news:?}");
    assert_eq!(bench.log.times(|event| matches!(event, LinkEvent::GivenUp { .. })), [8_000]);
    assert!(flood.await.unwrap() > 64, "what waits has a limit");
}

#[tokio::test(start_paused = true)]
async fn an_application_that_takes_no_news_stops_the_messages_and_nothing_else() {
    let steps: Vec<_> = (1..200).map(|beat_at| (beat_at * 1_000, Action::SendNotice)).collect();
    let bench = Bench::new(&steps, &[]);
    let says: Vec<_> = (0..200).map(|place| (1_000 + place, "msg more")).collect();
    bench.world.say(&says);
    let link = bench.builder().spawn().unwrap();
    sleep(ms(100_500)).await;
    let notices = bench.log.times(|event| *event == LinkEvent::NoticeSent).len();
    assert_eq!(notices, 100, "deadlines go on");
    let news = take(link, 100).await;
    let messages = news.iter().filter(|news| matches!(news, News::Message(_))).count();
    assert_eq!(messages, 200, "they have waited");
}

#[tokio::test(start_paused = true)]
async fn a_message_may_fail_while_there_is_no_session() {
    let bench = Bench::new(&[(1_000, Action::GiveUp(GiveUp::NoReply))], &[ReconnectAction::Stop]);
    let link = bench.builder().while_down(WhileDown::Fail).spawn().unwrap();
    assert_eq!(link.send("early".into()).await, Err(SendError::Down));
    sleep(ms(500)).await;
    assert_eq!(link.send("in time".into()).await, Ok(()));
    sleep(ms(1_000)).await;
    assert_eq!(link.send("late".into()).await, Err(SendError::Down));
    let mut sender = link.sender();
    drop(link);
    sleep(ms(1)).await;
    assert_eq!(sender.send("to nobody".into()).await, Err(SendError::Down));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_dropped_closes_its_connection() {
    let bench = Bench::new(&[], &[]);
    let link = bench.builder().spawn().unwrap();
    let mut sender = link.sender();
    sleep(ms(1_000)).await;
    drop(link);
    sleep(ms(1)).await;
    assert_eq!(sender.send("to nobody".into()).await, Err(SendError::Ended));
    assert_eq!(bench.log.events().len(), 2, "it was no loss and no attempt followed");
}

/// Returns the paths of what is wrong with a strategy here, before anything runs.
fn refused(strategy: &StrategySpec) -> Vec<String> {
    let world = World::new();
    let built = Link::builder(strategy).dial(move |server| world.clone().dial(server)).protocol(Words).spawn();
    match built {
        Ok(_) => Vec::new(),
        Err(BuildError::Unfit(unfit)) => unfit.problems.into_iter().map(|problem| problem.path).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_strategy_that_needs_what_is_not_there_is_refused_by_name() {
    let read = |text: &str| toml::from_str::<StrategySpec>(&format!("name = \"a\"\n{text}")).unwrap();
    let grid = "schedule.grid = { interval = \"30s\" }, judge.reply = { timeout = \"9s\" }";
    let diagnoses = read(&format!("heartbeat.composed = {{ {grid}, when_dead = \"diagnose\" }}"));
    assert_eq!(refused(&diagnoses), ["heartbeat.composed.when_dead"]);
    let races = read(&format!("heartbeat.composed = {{ {grid}, when_dead = \"race\" }}"));
    assert_eq!(refused(&races), [""; 0]);
    assert_eq!(refused(&preset::find("linux-keepalive").unwrap().spec()), ["heartbeat.tcp-keepalive"]);
    let checks = read("heartbeat = \"none\"\nreconnect_rules.network_check = {}");
    assert_eq!(refused(&checks), ["reconnect_rules.network_check"]);
    assert_eq!(refused(&preset::find("known-nat-timeout").unwrap().spec()), ["heartbeat.known-nat-timeout"]);
    assert_eq!(refused(&read("heartbeat.custom = \"nobody\"")), ["heartbeat.custom.nobody"]);
    assert_eq!(
        refused(&read("heartbeat.fixed = { interval = \"1s\", timeout = \"2s\" }")),
        ["heartbeat.fixed.timeout"]
    );
    let script = Script { mechanisms: vec![Mechanism::UserTimeout], ..Script::default() };
    assert_eq!(refused(&script.strategy()), ["heartbeat.custom.script"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_what_would_help() {
    let world = World::new();
    let strategy = preset::find("linux-keepalive").unwrap().spec();
    let error = Link::builder(&strategy).dial(move |server| world.clone().dial(server)).protocol(Words).spawn();
    let expected = "the strategy cannot run here:\nheartbeat.tcp-keepalive: this needs the kernel's keepalive, which is not \
                    there; use a TcpStream, or Socket::under for a stream over one, on a system that has it, or another \
                    strategy";
    assert_eq!(error.unwrap_err().to_string(), expected);
}
