//! The driver is the device: in the same simple world, the tokio driver of `cardiogram-tokio` and the lab's own device do the
//! same things at the same milliseconds, for every preset that can be compared. Which can not, and why, is listed here.
//!
//! The world is that of `common`, an hour and a half of it: a round trip takes 100 ms, a session is up after 200 ms, the server
//! answers at once, and the path is cut for half an hour. The driver runs in tokio's paused time over a stream that carries
//! bytes as that path does.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::BytesMut;
use cardiogram_policies::{HeartbeatSpec, Mechanism, ReconnectSpec, StrategySpec, Time, preset, reconnect::FixedDelay};
use cardiogram_sim::trace::DeviceEvent;
use cardiogram_tokio::{Hello, Incoming, Link, LinkEvent, Plain, Protocol, Welcome};
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
const COMPARED: usize = 100;

/// The path and the server, as the driver's stream.
struct Path {
    start: Instant,
    /// What the server has answered, and when it arrives.
    arrivals: VecDeque<(Instant, Vec<u8>)>,
    timer: Pin<Box<Sleep>>,
    /// Whoever waits for an answer to what is still to be written.
    reader: Option<Waker>,
}

fn is_cut(start: Instant) -> bool {
    let now = Time::ZERO + start.elapsed();
    (CUT..CUT + CUT_FOR).contains(&now)
}

/// Connects as Linux does: a SYN, five more a second apart, then others after 2 s, 4 s and so on, until one gets through or ten
/// did not.
async fn dial(start: Instant) -> io::Result<Plain<Path>> {
    let mut sent = 0_u32;
    while is_cut(start) {
        sleep(Duration::from_secs(1 << sent.saturating_sub(4))).await;
        sent += 1;
        if sent > 10 {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    sleep(RTT).await;
    Ok(Plain(Path { start, arrivals: VecDeque::new(), timer: Box::pin(sleep(Duration::ZERO)), reader: None }))
}

impl AsyncWrite for Path {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !is_cut(self.start) {
            let text = std::str::from_utf8(bytes).expect("lines");
            let answers: String = text
                .lines()
                .filter_map(|line| line.strip_prefix('?'))
                .fold(String::new(), |all, line| all + line + "\n");
            let at = Instant::now() + RTT;
            self.arrivals.push_back((at, answers.into_bytes()));
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
        while let Some((at, _)) = self.arrivals.front() {
            let at = *at;
            if self.timer.deadline() != at {
                self.timer.as_mut().set(sleep_until(at));
            }
            ready!(self.timer.as_mut().poll(context));
            let (_, bytes) = self.arrivals.pop_front().expect("just looked at");
            if !bytes.is_empty() {
                into.put_slice(&bytes);
                return Poll::Ready(Ok(()));
            }
        }
        self.reader = Some(context.waker().clone());
        Poll::Pending
    }
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

    fn decode(&mut self, input: &mut BytesMut, _: &mut BytesMut) -> io::Result<Option<Incoming<String>>> {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = input.split_to(end + 1);
        let line = std::str::from_utf8(&line[..end]).expect("lines");
        Ok(Some(match line.parse() {
            Ok(id) => Incoming::Reply { id: Some(id) },
            Err(_) => Incoming::Welcome { interval: None },
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

fn of_the_device(strategy: &StrategySpec, seed: u64) -> Events {
    let mut world = world(HeartbeatSpec::None);
    world.strategy = strategy.clone();
    world.duration = LASTS;
    world.faults = vec![cut(CUT, Some(CUT_FOR))];
    let outcome = go_traced(&world, seed);
    let events = device_events(&outcome).map(|(at, _, event)| (at, serde_json::to_value(event).expect("plain data")));
    numbered(events)
}

fn of_the_driver(strategy: &StrategySpec) -> Result<Events, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("time");
    runtime.block_on(async {
        let start = Instant::now();
        let (note, mut noted) = tokio::sync::mpsc::unbounded_channel();
        let link = Link::builder(strategy)
            .dial(move |_| dial(start))
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

fn is_late_reply(event: &Value) -> bool {
    let rtt = ["heartbeat-answered", "probe-answered"].iter().find_map(|name| event.get(name)).map(|of| &of["rtt"]);
    rtt.is_some_and(|rtt| *rtt != serde_json::to_value(RTT).expect("plain data"))
}

/// Why a strategy cannot be compared in this world.
fn incomparable(strategy: &StrategySpec) -> Option<&'static str> {
    let device = of_the_device(strategy, 1);
    let happens = |name: &str| {
        device
            .iter()
            .any(|(_, event)| event.as_str() == Some(name) || event.as_object().is_some_and(|of| of.contains_key(name)))
    };
    let has = |mechanism| matches!(mechanism, Mechanism::Race | Mechanism::Probe);
    if strategy.needs().iter().any(|need| !has(need.mechanism)) {
        Some("it needs more than this path has: the kernel's options or a check of the network")
    } else if of_the_driver(strategy).is_err() {
        Some("it knows what only a lab knows")
    } else if happens("ping-answered") || happens("notice-received") || happens("directed") {
        Some("its server speaks by itself")
    } else if happens("lost") {
        Some("its kernel or its server ends a connection")
    } else if device.iter().any(|(_, event)| is_late_reply(event)) {
        Some("its kernel sends a beat again, which this path does not")
    } else if device != of_the_device(strategy, 2) {
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
        let mut why = incomparable(&strategy);
        if why == Some(DRAWS) {
            strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: span(secs(5)) });
            why = incomparable(&strategy);
        }
        if let Some(why) = why {
            left_out.entry(why).or_default().push(preset.name);
            continue;
        }
        let (device, driver) = (of_the_device(&strategy, 1), of_the_driver(&strategy).expect("just tried"));
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
