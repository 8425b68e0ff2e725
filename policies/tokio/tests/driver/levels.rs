//! What stands below a link, used alone: a session whose program reconnects by itself, and a reconnect policy whose
//! connections keep themselves alive.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use cardiogram_policies::{
    Action, AppState, AttemptFailure, Event, GiveUp, LossReason, Network, ReconnectAction, ReconnectEvent,
    StrategySpec, preset, reconnect::Ended,
};
use cardiogram_tokio::{Goodbye, Heart, Lines, LinkEvent, News, Plain, Retry, RetryNews, Session};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    time::sleep,
};

use crate::common::{Script, after, ms};

fn strategy(text: &str) -> StrategySpec {
    toml::from_str(&format!("name = \"a\"\n{text}")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_session_alone_beats_and_gives_up_and_its_heart_goes_on_to_the_next() {
    let script = Script {
        steps: vec![
            (1_000, Action::SendHeartbeat { id: 0 }),
            (2_000, Action::GiveUp(GiveUp::NoReply)),
            (3_000, Action::SendNotice),
        ],
        ..Script::default()
    };
    let mut heart = Heart::new(&script.strategy()).unwrap();
    let (client, server) = tokio::io::duplex(1_024);
    let mut session = Session::new(&mut heart, Plain(client), Lines::new()).unwrap();
    session.send("hello".into());
    let serve = tokio::spawn(async move {
        let mut stream = BufReader::new(server);
        let mut lines = Vec::new();
        for answer in ["welcome\n", "PONG\n"] {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            lines.push(line);
            sleep(ms(70)).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        let mut rest = String::new();
        assert_eq!(stream.read_line(&mut rest).await.unwrap(), 0, "closed, after {lines:?}");
        lines
    });
    session.network_changed(Some(Network::wifi(1)));
    session.app_state(AppState::Background);
    let mut news = Vec::new();
    while let Some(one) = session.next().await {
        news.push(one);
    }
    drop(session);
    let expected = [
        News::Event(LinkEvent::MessageSent { id: 0 }),
        News::Event(LinkEvent::MessageDelivered { id: 0, delay: ms(0) }),
        News::Message("welcome".to_owned()),
        News::Event(LinkEvent::HeartbeatSent { id: 0 }),
        News::Event(LinkEvent::HeartbeatAnswered { id: 0, rtt: ms(70) }),
        News::Event(LinkEvent::GivenUp { port: 1, reason: GiveUp::NoReply }),
    ];
    assert_eq!(news, expected);
    assert_eq!(serve.await.unwrap(), ["hello\n", "PING\n"]);

    sleep(ms(1)).await;
    heart.app_state(AppState::Foreground);
    let (client, server) = tokio::io::duplex(1_024);
    let mut session = Session::over(Network::wifi(1), 3, &mut heart, Plain(client), Lines::new()).unwrap();
    let mut line = String::new();
    let mut server = BufReader::new(server);
    tokio::select! {
        one = session.next() => assert_eq!(one, Some(News::Event(LinkEvent::NoticeSent))),
        () = sleep(ms(5_000)) => panic!("the heart has stopped"),
    }
    drop(session);
    server.read_line(&mut line).await.unwrap();
    let heard: Vec<Event> = script.told.lock().unwrap().heartbeat.iter().map(|(_, event)| *event).collect();
    let connected = Event::Connected { network: Network::cellular(0), server: 0 };
    let told = [
        connected,
        Event::NetworkChanged(Some(Network::wifi(1))),
        Event::AppState(AppState::Background),
        Event::BytesReceived,
        Event::HeartbeatReply { id: 0, rtt: ms(70) },
        Event::AppState(AppState::Foreground),
        Event::Connected { network: Network::wifi(1), server: 3 },
    ];
    assert_eq!(heard, told);
}

#[tokio::test(start_paused = true)]
async fn a_session_alone_has_no_second_connection_and_says_so() {
    let grid = "schedule.grid = { interval = \"30s\" }, judge.reply = { timeout = \"9s\" }";
    let spec = strategy(&format!("heartbeat.composed = {{ {grid}, when_dead = \"race\" }}"));
    let mut heart = Heart::new(&spec).unwrap();
    let unfit = Session::new(&mut heart, Plain(tokio::io::duplex(64).0), Lines::new()).err().unwrap();
    let expected = "heartbeat.composed.when_dead: this needs a second connection that races with the session, which is not \
                    there; use a Link, which can open a second connection, or another strategy";
    assert_eq!(unfit.to_string(), expected);
    assert!(Heart::new(&preset::find("known-nat-timeout").unwrap().spec()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_policy_alone_waits_and_tries() {
    let spec = strategy("heartbeat = \"none\"\nreconnect.fixed-delay = { delay = \"2s\" }\nconnect_timeout = \"1s\"");
    let tries = Arc::new(AtomicU32::new(0));
    let count = tries.clone();
    let mut retry = Retry::new(&spec, 2, move |attempt| {
        let number = count.fetch_add(1, SeqCst);
        async move {
            match number {
                0 => Err(std::io::ErrorKind::ConnectionRefused.into()),
                1 => std::future::pending().await,
                2 => {
                    attempt.goodbye(Goodbye::Busy, Some(ms(7_000)));
                    Err(std::io::ErrorKind::ConnectionReset.into())
                }
                _ => Ok((attempt.server(), attempt.resumes())),
            }
        }
    })
    .unwrap();
    let begin = tokio::time::Instant::now();
    let mut events = Vec::new();
    let connection = loop {
        let news = retry.next().await;
        let at = begin.elapsed().as_millis() as u64;
        match news {
            RetryNews::Event(event) => events.push((at, event)),
            RetryNews::Connected(connection) => break (at, connection),
        }
    };
    let refused = AttemptFailure::Refused;
    let expected = [
        (0, LinkEvent::AttemptStarted { port: 1, server: 0 }),
        (0, LinkEvent::AttemptFailed(refused)),
        (0, LinkEvent::RetryAfter(ms(2_000))),
        (2_000, LinkEvent::AttemptStarted { port: 2, server: 1 }),
        (3_000, LinkEvent::AttemptFailed(AttemptFailure::Timeout)),
        (3_000, LinkEvent::RetryAfter(ms(2_000))),
        (5_000, LinkEvent::AttemptStarted { port: 3, server: 0 }),
        (5_000, LinkEvent::GoodbyeReceived { reason: Goodbye::Busy, retry_after: Some(ms(7_000)) }),
        (5_000, LinkEvent::AttemptFailed(AttemptFailure::Dropped)),
        // The server's word holds, and the policy's wait comes on top.
        (5_000, LinkEvent::RetryAfter(ms(9_000))),
        (14_000, LinkEvent::AttemptStarted { port: 4, server: 1 }),
        (14_000, LinkEvent::Connected { port: 4, server: 1 }),
    ];
    assert_eq!(events, expected);
    assert_eq!(connection, (14_000, (1, false)));
    retry.lost(Ended::Transport(LossReason::Reset));
    retry.try_now();
    assert_eq!(retry.connect().await.map(|(server, _)| server), Some(1));
    assert_eq!(begin.elapsed(), ms(14_000));
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_policy_that_stops_says_so_and_goes_on_when_something_happens() {
    let script = Script { verdicts: vec![ReconnectAction::Stop, after(300)], ..Script::default() };
    let mut retry = Retry::new(&script.strategy(), 1, |_| async { Ok(()) }).unwrap();
    assert_eq!(retry.connect().await, Some(()));
    retry.lost(Ended::GivenUp(GiveUp::Done));
    assert_eq!(retry.connect().await, None);
    sleep(ms(1_000)).await;
    retry.app_state(AppState::Foreground);
    assert_eq!(retry.connect().await, Some(()));
    let told = script.told.lock().unwrap();
    assert_eq!(told.reconnect.last(), Some(&(1_300, ReconnectEvent::Connected)));
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_policy_on_call_tries_when_it_is_wanted_and_there_is_a_network() {
    let spec = strategy("heartbeat = \"none\"\nreconnect.on-call = {}");
    let mut retry = Retry::new(&spec, 1, |_| async { Ok(()) }).unwrap();
    assert_eq!(retry.connect().await, Some(()));
    retry.wanted();
    retry.lost(Ended::GivenUp(GiveUp::Done));
    assert_eq!(retry.connect().await, None, "what was wanted before was sent");
    retry.network_changed(None);
    retry.wanted();
    let waits = tokio::time::timeout(ms(60_000), retry.connect()).await;
    assert!(waits.is_err(), "there is no network: {waits:?}");
    retry.network_changed(Some(Network::wifi(1)));
    assert_eq!(retry.connect().await, Some(()));
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_policy_that_checks_the_network_needs_a_check() {
    let spec = strategy("heartbeat = \"none\"\nreconnect_rules.network_check = {}");
    let unfit = Retry::new(&spec, 1, |_| async { Ok(()) }).err().unwrap();
    assert_eq!(unfit.problems[0].path, "reconnect_rules.network_check");
    let mut retry = Retry::with_check(&spec, 1, |_| async { Ok(()) }, |_| async { true }).unwrap();
    assert_eq!(retry.connect().await, Some(()));
}
