//! Guests against the lab's own devices and servers, and guests that do not do what guests have to. The guests here speak the
//! lab's own protocol, so that the packets of both can be compared to the byte.

mod driver;
mod life;
mod proxy;
mod sleep;

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use cardiogram_policies::{GiveUp, LossReason, heartbeat::Keepalive, unit::Span};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::*;
use crate::{
    config::{DevicesConfig, Distribution, FrameSizes, LinkConfig, NatConfig},
    outcome::{Cause, DetectedBy},
    record::trace::{DeviceEvent, Fact, ServerEvent, What},
    run,
    wire::{
        frame::Frame,
        layout::DEVICES,
        packet::{Flags, Packet},
    },
};

const SECS: fn(u64) -> Duration = Duration::from_secs;
const MS: fn(u64) -> Duration = Duration::from_millis;

/// One device 35 ms from its server, behind a NAT that forgets after 300 s and says nothing, for 15 minutes.
fn world(access: Duration) -> WorldConfig {
    let link = |delay| LinkConfig::of_delay(Distribution::Constant(Span::new(delay).expect("a delay")));
    let strategy = toml::from_str(
        "name = 'fixed'\nheartbeat.fixed = { interval = '310s', timeout = '20s' }\nreconnect.fixed-delay.delay = '1s'",
    );
    let nat: NatConfig = toml::from_str("established = '300s'\nafter_expiry = 'drop-silent'").expect("a NAT");
    WorldConfig {
        devices: DevicesConfig {
            start_within: toml::from_str::<DevicesConfig>("start_within = '0s'").expect("a span").start_within,
            ..DevicesConfig::default()
        },
        nat: vec![nat],
        ..WorldConfig::new(SECS(900), link(access), link(MS(5)), strategy.expect("a strategy"))
    }
}

fn options() -> RunOptions {
    RunOptions { keep_trace: true, ..RunOptions::new(Engine::Event) }
}

fn run_with(world: &WorldConfig, guests: &Guests) -> Outcome {
    run_guests(world, 1, &options(), guests).unwrap_or_else(|error| panic!("{error}"))
}

fn error_of(world: &WorldConfig, guests: &Guests) -> String {
    run_guests(world, 1, &options(), guests).expect_err("these guests do not do what guests have to").to_string()
}

/// Beats as the strategy of the world says, and comes back as it says.
async fn client(machine: Machine) -> Result {
    loop {
        // Whoever cannot connect, or has lost the connection, comes back as well.
        let _ = session(&machine).await;
        sleep(SECS(1)).await;
    }
}

async fn session(machine: &Machine) -> io::Result<()> {
    let mut input = Vec::new();
    let hello = Frame::Hello { device: machine.number(), expects: 0, announces: None, resumes: false };
    let connect = async {
        let mut stream = machine.connect(machine.server(0)).await?;
        stream.set_nodelay(true)?;
        send(&mut stream, hello).await?;
        receive(&mut stream, &mut input).await?;
        io::Result::Ok(stream)
    };
    let mut stream = timeout(SECS(10), connect).await??;
    let mut next = Instant::now() + SECS(310);
    for id in 0.. {
        // What ends the connection meanwhile is noticed at once.
        if let Ok(ended) = timeout_at(next, receive(&mut stream, &mut input)).await {
            ended?;
        }
        next += SECS(310);
        send(&mut stream, Frame::Heartbeat { id }).await?;
        timeout(SECS(20), receive(&mut stream, &mut input)).await??;
    }
    Ok(())
}

/// Answers as the lab's own servers do.
async fn server(machine: Machine) -> Result {
    let listener = machine.listen(443)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut input = Vec::new();
            while let Ok(frame) = receive(&mut stream, &mut input).await {
                let answer = match frame {
                    Frame::Hello { .. } => Frame::Welcome { interval: None },
                    Frame::Heartbeat { id } => Frame::Reply { id },
                    other => panic!("{other:?}"),
                };
                send(&mut stream, answer).await?;
            }
            io::Result::Ok(())
        });
    }
}

async fn send(stream: &mut TcpStream, frame: Frame) -> io::Result<()> {
    let mut bytes = Vec::new();
    frame.encode(&FrameSizes::default(), &mut bytes);
    stream.write_all(&bytes).await
}

async fn receive(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<Frame> {
    loop {
        if let Some(frame) = Frame::take(input) {
            return Ok(frame);
        }
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Returns the packets that a device sends and gets.
fn packets(outcome: &Outcome) -> Vec<(Time, bool, Packet)> {
    let entries = &outcome.trace.as_ref().expect("it is kept").entries;
    let of_devices = entries.iter().filter(|entry| entry.node == DEVICES);
    let packet = |what: &What| match what {
        What::Sent { packet, .. } => Some((true, packet.clone())),
        What::Received { packet, .. } => Some((false, packet.clone())),
        _ => None,
    };
    of_devices.filter_map(|entry| packet(&entry.what).map(|(sent, packet)| (entry.at, sent, packet))).collect()
}

fn device_events(outcome: &Outcome) -> Vec<(Time, DeviceEvent)> {
    let entries = &outcome.trace.as_ref().expect("it is kept").entries;
    let event = |what: &What| match what {
        What::Fact(Fact::Device { event, .. }) => Some(*event),
        _ => None,
    };
    entries.iter().filter_map(|entry| Some((entry.at, event(&entry.what)?))).collect()
}

fn server_events(outcome: &Outcome) -> Vec<(Time, ServerEvent)> {
    let entries = &outcome.trace.as_ref().expect("it is kept").entries;
    let event = |what: &What| match what {
        What::Fact(Fact::Server { event, .. }) => Some(*event),
        _ => None,
    };
    entries.iter().filter_map(|entry| Some((entry.at, event(&entry.what)?))).collect()
}

/// Session up after 4 x 35 ms, beat after 310 s, by then the NAT has forgotten, 20 s more: 330.140 s.
#[test]
fn a_guest_sends_the_packets_of_the_labs_own_device_at_the_same_microseconds() {
    let world = world(MS(30));
    let lab = run(&world, 1, &options()).expect("a run");
    let theirs = packets(&lab);
    assert!(theirs.len() > 40, "{} packets", theirs.len());
    let alone = [Guests::new().devices(client), Guests::new().servers(server)].map(Guests::speaking_as_the_lab);
    for guests in alone.into_iter().chain([Guests::new().devices(client).servers(server)]) {
        let guest = run_with(&world, &guests);
        for (place, (ours, theirs)) in packets(&guest).iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "packet {place} of {guests:?}");
        }
        assert_eq!(packets(&guest).len(), theirs.len(), "{guests:?}");
        assert_eq!((guest.totals.up, guest.totals.down), (lab.totals.up, lab.totals.down), "{guests:?}");
        assert_eq!(guest.totals.connect_attempts, lab.totals.connect_attempts, "{guests:?}");
        let first = guest.episodes[0];
        assert_eq!((first.cause, first.begin), (Cause::NatExpiry, lab.episodes[0].begin), "{guests:?}");
        let detection = first.detection.expect("it is noticed");
        assert_eq!(detection.at, Time::from_millis(330_140), "{guests:?}");
        assert_eq!(detection.by, DetectedBy::Heartbeat(GiveUp::NoReply), "{guests:?}");
        assert!(guest.false_alarms.is_empty(), "{guests:?}");
    }
}

/// Between whole milliseconds guests act at the microsecond at which something arrives; their own timers fire on the next whole
/// one.
#[test]
fn packets_keep_their_microseconds_and_timers_fire_on_the_next_millisecond() {
    let world = world(Duration::from_micros(30_123));
    let guests = Guests::new().devices(client).servers(server);
    let outcome = run_with(&world, &guests);
    let up = 4 * (30_123 + 5_000);
    let hello = packets(&outcome).iter().filter(|(_, sent, packet)| *sent && !packet.payload.is_empty()).count();
    assert!(hello >= 2, "{hello}");
    let sent: Vec<u64> = packets(&outcome)
        .iter()
        .filter(|(_, sent, packet)| *sent && !packet.payload.is_empty())
        .map(|(at, ..)| at.as_micros())
        .collect();
    // The hello goes out with the SYN-ACK; the beat 310 s after the welcome.
    assert_eq!(sent[0], up / 2);
    assert_eq!(sent[1], (up + 310_000_000_u64).next_multiple_of(1_000));
}

#[test]
fn a_run_with_guests_is_the_same_again() {
    let world = WorldConfig { devices: DevicesConfig { count: 20, ..DevicesConfig::default() }, ..world(MS(30)) };
    let guests = Guests::new().devices(client).servers(server);
    let hash = |seed| run_guests(&world, seed, &options(), &guests).expect("a run").trace_hash;
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

/// A program that closes in order, after half a second, what the server closes a second later.
#[test]
fn a_direction_that_is_shut_down_ends_while_the_other_goes_on() {
    let shuts = async |machine: Machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        sleep(MS(430)).await;
        stream.write_all(b"question").await?;
        stream.shutdown().await?;
        assert!(stream.write_all(b"more").await.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert_eq!(answer, "answer");
        assert_eq!(machine.elapsed(), MS(70 + 430 + 35 + 1_000 + 35));
        Ok(())
    };
    let answers = async |machine: Machine| {
        let (mut stream, _) = machine.listen(443)?.accept().await?;
        let mut question = String::new();
        stream.read_to_string(&mut question).await?;
        assert_eq!(question, "question");
        sleep(SECS(1)).await;
        stream.write_all(b"answer").await?;
        Ok(())
    };
    let guests = Guests::new().devices(shuts).servers(answers);
    let outcome = run_with(&world(MS(30)), &guests);
    let events = device_events(&outcome);
    assert_eq!(events.last().map(|(at, _)| *at), Some(Time::from_millis(500)), "left when it shut down: {events:?}");
    assert!(packets(&outcome).iter().all(|(.., packet)| !packet.flags.has(Flags::RST)));
}

#[test]
fn what_is_written_without_nodelay_waits_for_an_acknowledgement() {
    let writes = |nodelay: bool| {
        let writes = move |machine: Machine| async move {
            let mut stream = machine.connect(machine.server(0)).await?;
            stream.set_nodelay(nodelay)?;
            stream.write_all(b"one").await?;
            stream.write_all(b"two").await?;
            sleep(SECS(5)).await;
            assert_eq!((stream.nodelay()?, stream.peer_addr()?), (nodelay, machine.server(0)));
            Ok(())
        };
        let reads = async |machine: Machine| {
            let (mut stream, _) = machine.listen(443)?.accept().await?;
            stream.read_to_end(&mut Vec::new()).await?;
            Ok(())
        };
        let guests = Guests::new().devices(writes).servers(reads);
        let outcome = run_with(&world(MS(30)), &guests);
        let sent = packets(&outcome);
        sent.iter()
            .filter(|(_, sent, packet)| *sent && !packet.payload.is_empty())
            .map(|(at, ..)| *at)
            .collect::<Vec<_>>()
    };
    assert_eq!(writes(true), [Time::from_millis(70); 2]);
    let waits = writes(false);
    assert_eq!(waits[0], Time::from_millis(70));
    assert!(waits[1] >= Time::from_millis(140), "{waits:?}");
}

/// The NAT has forgotten after 300 s: the first probe goes out after 310 s, two more follow at 10 s, and the kernel says it after
/// another 10 s.
#[test]
fn keepalive_ends_a_connection_with_an_error() {
    let waits = async |machine: Machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        stream.set_keepalive(Some(Keepalive { idle: SECS(310), interval: SECS(10), count: 3 }))?;
        let error = stream.read_u8().await.expect_err("nobody says anything");
        assert_eq!((error.kind(), machine.elapsed()), (io::ErrorKind::TimedOut, MS(340_070)));
        Ok(())
    };
    let outcome = run_with(&world(MS(30)), &Guests::new().devices(waits).servers(server));
    assert_eq!(outcome.episodes.len(), 1);
    assert!(matches!(outcome.episodes[0].detection, Some(detection) if detection.at == Time::from_millis(340_070)));
}

#[test]
fn servers_tell_sessions_as_they_accept_and_drop_them() {
    let brief = async |machine: Machine| {
        let listener = machine.listen(443)?;
        loop {
            let (stream, _) = listener.accept().await?;
            sleep(SECS(2)).await;
            drop(stream);
        }
    };
    let outcome = run_with(&world(MS(30)), &Guests::new().devices(client).servers(brief));
    let events = server_events(&outcome);
    let (ServerEvent::SessionOpened { .. }, ServerEvent::SessionClosed { .. }) = (events[0].1, events[1].1) else {
        panic!("{events:?}")
    };
    // SYN, SYN-ACK and its acknowledgement take 105 ms; the hello arrives with that, is never read, and so draws RST.
    assert_eq!([events[0].0, events[1].0], [Time::from_millis(105), Time::from_millis(2_105)]);
    assert_eq!(outcome.episodes[0].cause, Cause::ServerClosed);
}

#[test]
fn a_connection_that_nobody_takes_is_refused() {
    let asks = async |machine: Machine| {
        let at = |port| SocketAddr::new(machine.server(0).ip(), port);
        let error = machine.connect(at(80)).await.expect_err("nobody listens");
        assert_eq!((error.kind(), machine.elapsed()), (io::ErrorKind::ConnectionRefused, MS(70)));
        let mut stream = machine.connect(at(8_883)).await?;
        assert_eq!(stream.read(&mut [0]).await?, 0);
        let nowhere = machine.connect("192.0.2.7:443".parse()?).await.expect_err("no such server");
        assert_eq!(nowhere.kind(), io::ErrorKind::NetworkUnreachable);
        Ok(())
    };
    let listens = async |machine: Machine| {
        let listener = machine.listen(8_883)?;
        assert_eq!(machine.listen(8_883).expect_err("it is taken").kind(), io::ErrorKind::AddrInUse);
        drop(listener.accept().await?);
        Ok(())
    };
    let guests = Guests::new().devices(asks).servers(listens);
    run_with(&world(MS(30)), &guests);
}

#[test]
fn a_guest_that_fails_ends_the_run_with_a_sentence() {
    let world = world(MS(30));
    let panics = async |machine: Machine| {
        sleep(MS(1_500)).await;
        assert!(machine.number() > 0, "no device zero");
        Ok(())
    };
    let fails = async |machine: Machine| {
        machine.connect(machine.server(0)).await?;
        Ok(())
    };
    let idle = async |_: Machine| Ok(());
    assert_eq!(
        error_of(&world, &Guests::new().devices(panics).servers(server)),
        "the program of device 0 panicked (\"no device zero\"), 1.5 s into the run"
    );
    assert_eq!(
        error_of(&world, &Guests::new().devices(fails).servers(idle)),
        "the program of device 0 ended with an error (\"connection refused\"), 0.07 s into the run"
    );
}

#[test]
fn a_guest_that_is_never_done_or_leaves_the_thread_ends_the_run_with_a_sentence() {
    let world = world(MS(30));
    let spins = async |_: Machine| {
        tokio::spawn(async {
            sleep(SECS(3)).await;
            loop {
                tokio::task::yield_now().await;
            }
        });
        Ok(())
    };
    let reads_on = async |machine: Machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        loop {
            // At the end of the stream there is nothing, again and again.
            let _ = stream.read(&mut [0; 16]).await?;
        }
    };
    let closes = async |machine: Machine| {
        machine.listen(443)?.accept().await?;
        Ok(())
    };
    let away = async |_: Machine| {
        tokio::task::spawn_blocking(|| ()).await?;
        Ok(())
    };
    let hasty = || Guests::new().servers(closes).with_patience(MS(400));
    let error = error_of(&world, &hasty().devices(spins));
    assert!(error.starts_with("a guest is never done: at 3 s of the run"), "{error}");
    let error = error_of(&world, &hasty().devices(reads_on));
    assert!(error.starts_with("a guest is never done: at 0.14 s of the run"), "{error}");
    let error = error_of(&world, &hasty().devices(away));
    assert!(error.starts_with("a guest has work done on another thread"), "{error}");
}

/// Nothing ends a thread. What blocks here waits until the process of the tests ends.
#[test]
fn a_guest_that_blocks_its_thread_ends_the_run_with_a_sentence_that_names_it() {
    let world = world(MS(30));
    let waits_for_ever = || {
        loop {
            thread::park();
        }
    };
    let blocks = move |machine: Machine| async move {
        sleep(SECS(3)).await;
        if machine.number() == 0 {
            waits_for_ever();
        }
        Ok(())
    };
    let spawns = move |_: Machine| async move {
        tokio::spawn(async move { waits_for_ever() }).await?;
        Ok(())
    };
    let hasty = || Guests::new().servers(server).with_patience(MS(400));
    let error = error_of(&world, &hasty().devices(blocks));
    assert!(
        error.starts_with("the program of device 0 blocks its thread: it has not come back from one poll"),
        "{error}"
    );
    let error = error_of(&world, &hasty().devices(spawns));
    assert!(error.starts_with("a task that a guest had spawned blocks its thread"), "{error}");
}

/// As in a `#[tokio::test]`.
#[test]
fn guests_run_from_within_another_runtime() {
    let within = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let guests = Guests::new().devices(client).servers(server);
    let outcome = within.block_on(async { run_with(&world(MS(30)), &guests) });
    assert_eq!(outcome.trace_hash, run_with(&world(MS(30)), &guests).trace_hash);
}

#[test]
fn guests_are_refused_where_they_cannot_run() {
    let guests = Guests::new().devices(client).server(3, server);
    let mut world = world(MS(30));
    let both = Guests::new().devices(client).servers(server);
    let turmoil = run_guests(&world, 1, &RunOptions::new(Engine::Turmoil), &both);
    assert_eq!(turmoil.expect_err("not there").to_string(), "guests run on the event engine, and on no other");

    world.traffic = toml::from_str("up = '1m'").expect("traffic");
    world.devices.on_waking = OnWaking::TimersFirst;
    let paths: Vec<String> = guests.problems(&world).into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["traffic", "devices.on_waking", "heartbeat.guest", "server.count"]);
}

/// What happens to the lab's own processes happens to guests, at the same microseconds and with the same packets.
#[test]
fn faults_strike_guests_as_they_strike_the_labs_own_devices_and_servers() {
    for (fault, causes) in [
        ("server-restart = { when.at = ['100s'], lasts = '30s' }", &[Cause::ServerRestart][..]),
        ("server-crash = { when.at = ['100s'], lasts = '30s' }", &[Cause::ServerCrash]),
        ("server-vanish = { when.at = ['100s'], lasts = '600s' }", &[Cause::ServerVanish]),
        (
            "server-vanish = { answers = 'host-unreachable', when.at = ['100s'], lasts = '600s' }",
            &[Cause::ServerVanish],
        ),
        ("server-stall = { when.at = ['309s'], lasts = '60s' }", &[Cause::ServerStall]),
        ("process-killed = { when.at = ['100s'], lasts = '30s' }", &[Cause::ProcessKilled]),
    ] {
        let mut world = world(MS(30));
        world.nat[0] = NatConfig::default();
        world.faults = vec![toml::from_str(fault).unwrap_or_else(|error| panic!("{fault}: {error}"))];
        let lab = run(&world, 1, &options()).expect("a run");
        let guest = run_with(&world, &Guests::new().devices(client).servers(server));
        for (place, (ours, theirs)) in packets(&guest).iter().zip(packets(&lab)).enumerate() {
            assert_eq!(*ours, theirs, "{fault}: packet {place}");
        }
        assert_eq!(packets(&guest).len(), packets(&lab).len(), "{fault}");
        assert_eq!(guest.episodes.iter().map(|it| it.cause).collect::<Vec<_>>(), causes, "{fault}");
        assert_eq!(guest.episodes[0].begin, lab.episodes[0].begin, "{fault}");
    }
}

/// Its kernel closes the connections of a process that stands still when that is killed, and not when it would have gone on.
#[test]
fn a_process_that_is_killed_while_it_stands_still_ends_at_once() {
    let mut world = world(MS(30));
    world.nat[0] = NatConfig::default();
    let faults =
        ["server-stall = { when.at = ['90s'], lasts = '60s' }", "server-crash = { when.at = ['100s'], lasts = '10s' }"];
    world.faults = faults.iter().map(|fault| toml::from_str(fault).expect("a fault")).collect();
    let outcome = run_with(&world, &Guests::new().devices(client).servers(server));
    let ends = packets(&outcome).into_iter().find(|(at, ..)| *at >= Time::from_secs(1));
    let ends = ends.map(|(at, is_sent, packet)| (at, is_sent, packet.flags.has(Flags::FIN)));
    assert_eq!(ends, Some((Time::from_millis(100_035), false, true)));
}

/// The balancer finds a server dead, resets its connections, and leads the device to the other: guests as the lab's own.
#[test]
fn a_balancer_leads_guests_and_resets_them_as_it_does_the_labs_own() {
    for (fault, cause) in [
        ("server-crash = { when.at = ['100s'], lasts = '60s' }", Cause::ServerCrash),
        ("server-vanish = { when.at = ['100s'], lasts = '60s' }", Cause::ServerVanish),
        ("server-stall = { when.at = ['100s'], lasts = '60s' }", Cause::ServerStall),
    ] {
        let mut world = world(MS(30));
        world.nat[0] = NatConfig::default();
        world.server.count = 2;
        world.server.balancer = Some(toml::from_str("check = 'application'").expect("a balancer"));
        world.faults = vec![toml::from_str(fault).unwrap_or_else(|error| panic!("{fault}: {error}"))];
        let lab = run(&world, 1, &options()).expect("a run");
        let guest = run_with(&world, &Guests::new().devices(client).servers(server));
        for (place, (ours, theirs)) in packets(&guest).iter().zip(packets(&lab)).enumerate() {
            assert_eq!(*ours, theirs, "{fault}: packet {place}");
        }
        assert_eq!(packets(&guest).len(), packets(&lab).len(), "{fault}");
        assert_eq!(guest.episodes.first().map(|it| it.cause), Some(cause), "{fault}");
    }
}

/// A task that the program had spawned finds its sockets gone.
#[test]
fn what_a_killed_program_has_spawned_can_only_fail() {
    let spawns = async |machine: Machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        tokio::spawn(async move {
            let error = stream.read_u8().await.expect_err("it is killed");
            assert_eq!((error.kind(), machine.elapsed()), (io::ErrorKind::NotConnected, SECS(100)));
            assert!(machine.connect(machine.server(0)).await.is_err());
        })
        .await?;
        Err("it is killed before".into())
    };
    let mut world = world(MS(30));
    world.faults = vec![toml::from_str("process-killed = { when.at = ['100s'], lasts = '1h' }").expect("a fault")];
    let outcome = run_with(&world, &Guests::new().devices(spawns).servers(server));
    assert_eq!(outcome.totals.connect_attempts, 1);
}

#[test]
fn faults_that_guests_do_not_know_are_refused_by_their_place() {
    let mut world = world(MS(30));
    let faults = [
        "server-stall = { when.at = ['309s'], lasts = '60s' }",
        "server-drain = { when.at = ['309s'], over = '10s' }",
        "malformed.when.at = ['100s']",
    ];
    world.faults = faults.iter().map(|fault| toml::from_str(fault).unwrap_or_else(|error| panic!("{error}"))).collect();
    let paths: Vec<String> =
        Guests::new().devices(client).servers(server).problems(&world).into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["faults[1]", "faults[2]"]);
}
