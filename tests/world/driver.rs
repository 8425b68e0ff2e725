//! The driver is the device: in the same simple world, the tokio driver of `cardiogram-tokio` and the lab's own device do the
//! same things at the same milliseconds, for every preset that can be compared. Which can not, and why, is listed here.
//!
//! The world is that of `common`, an hour and a half of it: a round trip takes 100 ms, a session is up after 200 ms, the server
//! answers at once, and the path is cut for half an hour. The driver runs in tokio's paused time over a stream that carries
//! bytes as that path does. What the server says by itself, and how the kernel ends a connection, is taken from the device's
//! run: a driver that did anything else would not be there to hear it.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::BytesMut;
use cardiogram_policies::{
    HeartbeatSpec, LossReason, Mechanism, ReconnectSpec, StrategySpec, Time, heartbeat::Keepalive, preset,
    reconnect::FixedDelay,
};
use cardiogram_sim::trace::DeviceEvent;
use cardiogram_tokio::{Goodbye, Hello, Incoming, Link, LinkEvent, Protocol, Transport, Welcome};
use kit::common::*;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};

const LASTS: Duration = Duration::from_mins(90);
/// While nothing of the presets' beats, which are at whole tenths of seconds, is under way.
const CUT: Time = Time::from_millis(1_800_345);
const CUT_FOR: Duration = Duration::from_mins(30);

/// At least so many presets.
const COMPARED: usize = 140;

/// Something that reaches the client by itself.
#[derive(Clone)]
enum Arrival {
    Line(String),
    /// The server closes the connection.
    End,
    /// The kernel ends it.
    Error(io::ErrorKind),
}

/// The path and the server, as the driver's stream.
struct Path {
    start: Instant,
    /// What is on its way, and when it arrives.
    arrivals: VecDeque<(Time, Arrival)>,
    timer: Pin<Box<Sleep>>,
    /// Whoever waits for an answer to what is still to be written.
    reader: Option<Waker>,
}

fn now(start: Instant) -> Time {
    Time::ZERO + start.elapsed()
}

fn is_cut(start: Instant) -> bool {
    (CUT..CUT + CUT_FOR).contains(&now(start))
}

/// Connects as Linux does: a SYN, five more a second apart, then others after 2 s, 4 s and so on, until one gets through or ten
/// did not. What the server says by itself from then on is in `said`.
async fn dial(start: Instant, said: Arc<[(Time, Arrival)]>) -> io::Result<Path> {
    let mut sent = 0_u32;
    while is_cut(start) {
        sleep(Duration::from_secs(1 << sent.saturating_sub(4))).await;
        sent += 1;
        if sent > 10 {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    sleep(RTT).await;
    let arrivals = said.iter().filter(|(at, _)| *at > now(start)).cloned().collect();
    Ok(Path { start, arrivals, timer: Box::pin(sleep(Duration::ZERO)), reader: None })
}

/// Asks a port that nobody serves: a SYN each second until one gets through, and the refusal a round trip later.
async fn check(start: Instant) -> bool {
    while is_cut(start) {
        sleep(Duration::from_secs(1)).await;
    }
    sleep(RTT).await;
    true
}

/// What the options make the kernel do is in the device's run.
impl Transport for Path {
    const OFFERS: &'static [Mechanism] = &[Mechanism::Keepalive, Mechanism::UserTimeout];

    fn set_keepalive(&self, _: Option<Keepalive>) -> io::Result<()> {
        Ok(())
    }

    fn set_user_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncWrite for Path {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !is_cut(self.start) {
            let at = now(self.start) + RTT;
            let text = std::str::from_utf8(bytes).expect("lines");
            for answer in text.lines().filter_map(|line| line.strip_prefix('?')) {
                // An answer is there before what is said at the same moment.
                let answers = |it: &(Time, Arrival)| it.0 < at || it.0 == at && is_answer(&it.1);
                let place = self.arrivals.partition_point(answers);
                self.arrivals.insert(place, (at, Arrival::Line(answer.to_owned())));
            }
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Path {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some((at, _)) = self.arrivals.front() else {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        let at = self.start + at.since(Time::ZERO);
        if self.timer.deadline() != at {
            self.timer.as_mut().set(sleep_until(at));
        }
        // Something else may come before it.
        self.reader = Some(context.waker().clone());
        ready!(self.timer.as_mut().poll(context));
        match self.arrivals.pop_front().expect("just looked at").1 {
            Arrival::Line(line) => into.put_slice(format!("{line}\n").as_bytes()),
            Arrival::End => {}
            Arrival::Error(kind) => return Poll::Ready(Err(kind.into())),
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns whether it is one that was asked for: a welcome, or a number.
fn is_answer(arrival: &Arrival) -> bool {
    matches!(arrival, Arrival::Line(line) if line == "welcome" || line.parse::<u32>().is_ok())
}

/// Lines; what begins with `?` wants the rest of it as its answer.
#[derive(Clone)]
struct Questions;

impl Protocol for Questions {
    type Message = String;

    fn hello(&mut self, _: &Hello, out: &mut BytesMut) -> Welcome {
        out.extend_from_slice(b"?welcome\n");
        Welcome::Awaited
    }

    fn heartbeat(&mut self, id: u32, out: &mut BytesMut) {
        out.extend_from_slice(format!("?{id}\n").as_bytes());
    }

    fn notice(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(b"notice\n");
    }

    fn encode(&mut self, _: String, _: &mut BytesMut) -> io::Result<()> {
        unreachable!("nobody sends messages here")
    }

    fn decode(&mut self, input: &mut BytesMut, answer: &mut BytesMut) -> io::Result<Option<Incoming<String>>> {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = input.split_to(end + 1);
        let line = std::str::from_utf8(&line[..end]).expect("lines");
        let (word, micros) = line.split_once(' ').unwrap_or((line, ""));
        Ok(Some(match word {
            "welcome" => Incoming::Welcome { interval: None },
            "ping" => {
                answer.extend_from_slice(b"pong\n");
                Incoming::Ping
            }
            "alive" => Incoming::Ping,
            "direct" => Incoming::DirectedInterval(Duration::from_micros(micros.parse().expect("a number"))),
            "too-many-pings" => Incoming::Goodbye { reason: Goodbye::TooManyPings, retry_after: None },
            id => Incoming::Reply { id: Some(id.parse().expect("a number")) },
        }))
    }
}

/// What happens in a run, with ports numbered by their first appearance, as records have it.
type Events = Vec<(Time, Value)>;

fn numbered(events: impl Iterator<Item = (Time, Value)>) -> Events {
    let mut ports: BTreeMap<u64, usize> = BTreeMap::new();
    let number = |(at, mut event): (Time, Value)| {
        if let Some(port) = event.as_object_mut().and_then(|of| of.values_mut().next()?.get_mut("port")) {
            let next = ports.len();
            *port = (*ports.entry(port.as_u64().expect("a number")).or_insert(next)).into();
        }
        (at, event)
    };
    events.map(number).collect()
}

fn of_the_device(strategy: &StrategySpec, seed: u64) -> Vec<(Time, DeviceEvent)> {
    let mut world = world(HeartbeatSpec::None);
    world.strategy = strategy.clone();
    world.duration = LASTS;
    world.faults = vec![cut(CUT, Some(CUT_FOR))];
    device_events(&go_traced(&world, seed)).map(|(at, _, event)| (at, event)).collect()
}

fn as_record(device: &[(Time, DeviceEvent)]) -> Events {
    numbered(device.iter().map(|(at, event)| (*at, serde_json::to_value(event).expect("plain data"))))
}

/// Returns what reached the device by itself.
fn said(device: &[(Time, DeviceEvent)]) -> Arc<[(Time, Arrival)]> {
    let arrival = |event: DeviceEvent| {
        let line = |text: &str| Some(Arrival::Line(text.to_owned()));
        match event {
            DeviceEvent::PingAnswered => line("ping"),
            DeviceEvent::NoticeReceived => line("alive"),
            DeviceEvent::Directed { interval } => line(&format!("direct {}", interval.as_micros())),
            DeviceEvent::GoodbyeReceived { .. } => line("too-many-pings"),
            DeviceEvent::Lost { reason: LossReason::Closed | LossReason::TooManyPings, .. } => Some(Arrival::End),
            DeviceEvent::Lost { reason: LossReason::Reset, .. } => Some(Arrival::Error(io::ErrorKind::ConnectionReset)),
            DeviceEvent::Lost { .. } => Some(Arrival::Error(io::ErrorKind::TimedOut)),
            _ => None,
        }
    };
    device.iter().filter_map(|(at, event)| Some((*at, arrival(*event)?))).collect()
}

fn of_the_driver(strategy: &StrategySpec, said: &Arc<[(Time, Arrival)]>) -> Result<Events, String> {
    let said = said.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("time");
    runtime.block_on(async {
        let start = Instant::now();
        let (note, mut noted) = tokio::sync::mpsc::unbounded_channel();
        let link = Link::builder(strategy)
            .dial(move |_| dial(start, said.clone()))
            .check(move |_| check(start))
            .protocol(Questions)
            .record(move |at: Time, event: &LinkEvent| {
                let _ = note.send((at, serde_json::to_value(event).expect("plain data")));
            })
            .spawn();
        let mut link = link.map_err(|error| error.to_string())?;
        // What is due at the end is the lab's no more.
        let end = sleep(LASTS);
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => break,
                _ = link.next() => {}
            }
        }
        drop(link);
        let mut events = Vec::new();
        while let Ok(event) = noted.try_recv() {
            events.push(event);
        }
        Ok(numbered(events.into_iter()))
    })
}

/// Why a strategy cannot be compared in this world.
fn incomparable(strategy: &StrategySpec, device: &[(Time, DeviceEvent)]) -> Option<&'static str> {
    let is_late = |event: &DeviceEvent| matches!(event, DeviceEvent::HeartbeatAnswered { rtt, .. } | DeviceEvent::ProbeAnswered { rtt, .. } if *rtt != RTT);
    if strategy.needs().iter().any(|need| need.mechanism == Mechanism::LastHeard) {
        Some("it asks the kernel when that last heard from the server, which this path does not know")
    } else if matches!(strategy.heartbeat, HeartbeatSpec::KnownNatTimeout(_)) {
        Some("it knows what only a lab knows")
    } else if device.iter().any(|(_, event)| is_late(event)) {
        Some("its kernel sends a beat again, which this path does not")
    } else if as_record(device) != as_record(&of_the_device(strategy, 2)) {
        Some(DRAWS)
    } else if device.iter().any(|(at, _)| at.as_micros() % 1_000 != 0) {
        Some("its times are no whole milliseconds, which tokio's timers count")
    } else {
        None
    }
}

const DRAWS: &str = "it draws from generators, which are the lab's";

/// The presets, and those whose waits are drawn with waits of five seconds in their place, for their heartbeats' sake.
#[test]
fn the_driver_does_what_the_lab_does_for_every_preset_that_can_be_compared() {
    let mut left_out: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut compared = 0;
    for preset in preset::all() {
        let mut strategy = preset.spec();
        let mut device = of_the_device(&strategy, 1);
        let mut why = incomparable(&strategy, &device);
        if why == Some(DRAWS) {
            strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: span(secs(5)) });
            device = of_the_device(&strategy, 1);
            why = incomparable(&strategy, &device);
        }
        if let Some(why) = why {
            left_out.entry(why).or_default().push(preset.name);
            continue;
        }
        let driver =
            of_the_driver(&strategy, &said(&device)).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
        let device = as_record(&device);
        for (place, (expected, got)) in device.iter().zip(&driver).enumerate() {
            assert_eq!(got, expected, "{}: event {place}", preset.name);
        }
        assert_eq!(driver.len(), device.len(), "{}", preset.name);
        compared += 1;
    }
    println!("{compared} compared; left out: {left_out:#?}");
    assert!(compared >= COMPARED, "{compared} compared; left out: {left_out:#?}");
}

/// An event of a link is an event of a device, under the same name and in the same form.
#[test]
fn what_a_link_records_is_what_the_lab_records() {
    let rtt = Duration::from_millis(40);
    let pairs = [
        (
            serde_json::to_value(LinkEvent::HeartbeatAnswered { id: 3, rtt }),
            serde_json::to_value(DeviceEvent::HeartbeatAnswered { id: 3, rtt }),
        ),
        (serde_json::to_value(LinkEvent::Stopped), serde_json::to_value(DeviceEvent::Stopped)),
    ];
    for (link, device) in pairs {
        assert_eq!(link.unwrap(), device.unwrap());
    }
}
