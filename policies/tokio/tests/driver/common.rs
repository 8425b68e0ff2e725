//! A small world in tokio's paused time for tests of the driver: a path of 50 ms each way that can be cut, servers that speak
//! lines, and policies that follow a script.
//!
//! A round trip takes 100 ms. A connection is up after one, and a session, welcome included, after two: 200 ms.

use std::{
    future::pending,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::BytesMut;
use cardiogram_policies::{
    Action, Custom, CustomHeartbeat, CustomReconnect, Event, Heartbeat, HeartbeatSpec, Mechanism, PolicyRng, Reconnect,
    ReconnectAction, ReconnectEvent, ReconnectSpec, ServerChoice, StrategySpec, Time, unit::Span,
};
use cardiogram_tokio::{Goodbye, Hello, Incoming, LinkEvent, Plain, Protocol, Purpose, Welcome};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf},
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

pub(crate) const ONE_WAY: Duration = Duration::from_millis(50);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The path and the servers at its end.
#[derive(Clone)]
pub(crate) struct World {
    is_cut: Arc<AtomicBool>,
    refuses: Arc<AtomicBool>,
    /// Whether servers hear and say nothing.
    is_deaf: Arc<AtomicBool>,
    /// What servers say to the hello; the welcome, if nothing else.
    greeting: Arc<Mutex<String>>,
    /// Lines that the server of every session says, at these times since its begin.
    says: Arc<Mutex<Vec<(u64, &'static str)>>>,
    /// How many bytes the path takes before somebody reads them.
    pub(crate) room: usize,
    /// The lines that servers have heard, with the server and the time.
    pub(crate) heard: Arc<Mutex<Vec<(u64, u32, String)>>>,
    start: Instant,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            is_cut: Arc::default(),
            refuses: Arc::default(),
            is_deaf: Arc::default(),
            greeting: Arc::new(Mutex::new("welcome".into())),
            says: Arc::default(),
            room: 1 << 20,
            heard: Arc::default(),
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, SeqCst);
    }

    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, SeqCst);
    }

    pub(crate) fn deafen(&self, is_deaf: bool) {
        self.is_deaf.store(is_deaf, SeqCst);
    }

    pub(crate) fn greet_with(&self, line: &str) {
        *self.greeting.lock().unwrap() = line.into();
    }

    pub(crate) fn say(&self, lines: &[(u64, &'static str)]) {
        *self.says.lock().unwrap() = lines.to_vec();
    }

    /// Opens a connection: a round trip for TCP's handshake.
    pub(crate) async fn dial(self, server: u32) -> io::Result<Plain<DuplexStream>> {
        if self.is_cut.load(SeqCst) {
            return pending().await;
        }
        sleep(2 * ONE_WAY).await;
        if self.refuses.load(SeqCst) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (client, near) = tokio::io::duplex(self.room);
        let (far, serving) = tokio::io::duplex(self.room);
        let ((from_client, to_client), (from_server, to_server)) = (tokio::io::split(near), tokio::io::split(far));
        tokio::spawn(carry(from_client, to_server, self.is_cut.clone()));
        tokio::spawn(carry(from_server, to_client, self.is_cut.clone()));
        // The server has accepted when the last packet of the handshake has arrived: before anything else does.
        tokio::spawn(self.serve(server, serving));
        Ok(Plain(client))
    }

    async fn serve(self, server: u32, stream: DuplexStream) {
        let (reader, mut writer) = tokio::io::split(stream);
        let mut lines = BufReader::new(reader).lines();
        let (say, mut said) = mpsc::unbounded_channel::<String>();
        tokio::spawn(async move {
            while let Some(line) = said.recv().await {
                if line == "close" || writer.write_all(format!("{line}\n").as_bytes()).await.is_err() {
                    break;
                }
            }
            let _ = writer.shutdown().await;
        });
        while let Ok(Some(line)) = lines.next_line().await {
            if self.is_deaf.load(SeqCst) {
                continue;
            }
            self.heard.lock().unwrap().push((self.now(), server, line.clone()));
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let answer = match word {
                "hello" => Some(self.greeting.lock().unwrap().clone()),
                "beat" => Some(format!("reply {rest}")),
                _ => None,
            };
            if let Some(answer) = answer {
                let _ = say.send(answer);
            }
            if line.starts_with("hello session") {
                let (begin, says, say) = (Instant::now(), self.says.lock().unwrap().clone(), say.clone());
                tokio::spawn(async move {
                    for (at, line) in says {
                        sleep_until(begin + ms(at)).await;
                        let _ = say.send(line.into());
                    }
                });
            }
        }
    }
}

/// Carries bytes one way, each after its delay. What is sent while the path is cut is gone.
async fn carry(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>, is_cut: Arc<AtomicBool>) {
    let (depart, mut arrivals) = mpsc::channel::<(Instant, Vec<u8>)>(1_024);
    tokio::spawn(async move {
        while let Some((at, bytes)) = arrivals.recv().await {
            sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
    let mut space = [0; 4_096];
    while let Ok(size @ 1..) = from.read(&mut space).await {
        if !is_cut.load(SeqCst) && depart.send((Instant::now() + ONE_WAY, space[..size].to_vec())).await.is_err() {
            return;
        }
    }
    if is_cut.load(SeqCst) {
        pending::<()>().await;
    }
    // The end takes its time as well.
    sleep(ONE_WAY).await;
}

/// Lines of a word and what belongs to it.
#[derive(Clone)]
pub(crate) struct Words;

impl Words {
    fn write(line: &str, out: &mut BytesMut) {
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\n");
    }
}

impl Protocol for Words {
    type Message = String;

    fn hello(&mut self, hello: &Hello, out: &mut BytesMut) -> Welcome {
        let purpose = match hello.purpose {
            Purpose::Session => "session",
            Purpose::Probe => "probe",
        };
        Self::write(&format!("hello {purpose}{}", if hello.resumes { " again" } else { "" }), out);
        Welcome::Awaited
    }

    fn heartbeat(&mut self, id: u32, out: &mut BytesMut) {
        Self::write(&format!("beat {id}"), out);
    }

    fn notice(&mut self, out: &mut BytesMut) {
        Self::write("notice", out);
    }

    fn encode(&mut self, message: String, out: &mut BytesMut) -> io::Result<()> {
        if message.contains('\n') {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Self::write(&format!("msg {message}"), out);
        Ok(())
    }

    fn decode(&mut self, input: &mut BytesMut, answer: &mut BytesMut) -> io::Result<Option<Incoming<String>>> {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = input.split_to(end + 1);
        let line = std::str::from_utf8(&line[..end]).unwrap();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = || rest.parse::<u64>().ok();
        Ok(Some(match word {
            "welcome" => Incoming::Welcome { interval: number().map(ms) },
            "reply" => Incoming::Reply { id: number().map(|id| id as u32) },
            "ping" => {
                Self::write("pong", answer);
                Incoming::Ping
            }
            "alive" => Incoming::Ping,
            "ack" => Incoming::Acknowledged,
            "direct" => Incoming::DirectedInterval(ms(number().unwrap())),
            "busy" => Incoming::Goodbye { reason: Goodbye::Busy, retry_after: number().map(ms) },
            "too-many-pings" => Incoming::Goodbye { reason: Goodbye::TooManyPings, retry_after: None },
            "msg" => Incoming::Message(rest.into()),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }))
    }
}

/// What the policies were told, in milliseconds; bytes that were written apart.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) heartbeat: Vec<(u64, Event)>,
    pub(crate) reconnect: Vec<(u64, ReconnectEvent)>,
    pub(crate) recalled: Vec<String>,
}

/// What policies do.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Script {
    /// Actions at these times, in milliseconds.
    #[serde(skip)]
    pub(crate) steps: Vec<(u64, Action)>,
    /// One after the other; then an attempt at once.
    #[serde(skip)]
    pub(crate) verdicts: Vec<ReconnectAction>,
    #[serde(skip)]
    pub(crate) mechanisms: Vec<Mechanism>,
    #[serde(skip)]
    pub(crate) told: Arc<Mutex<Told>>,
}

impl Script {
    pub(crate) fn strategy(&self) -> StrategySpec {
        let heartbeat = HeartbeatSpec::Custom(Custom::<dyn CustomHeartbeat>::new("script", self.clone()));
        let reconnect = ReconnectSpec::Custom(Custom::<dyn CustomReconnect>::new("script", self.clone()));
        StrategySpec::new("script", heartbeat).with_reconnect(reconnect).with_connect_timeout(Span::secs(5))
    }
}

impl CustomHeartbeat for Script {
    fn build(&self, _: PolicyRng) -> Box<dyn Heartbeat> {
        Box::new(Scripted { script: self.clone(), next: 0, is_on: false })
    }

    fn mechanisms(&self) -> Vec<Mechanism> {
        self.mechanisms.clone()
    }

    fn describe(&self) -> String {
        "Follows a script.".into()
    }
}

impl CustomReconnect for Script {
    fn build(&self, _: PolicyRng) -> Box<dyn Reconnect> {
        Box::new(Scripted { script: self.clone(), next: 0, is_on: false })
    }

    fn describe(&self) -> String {
        "Follows a script.".into()
    }
}

struct Scripted {
    script: Script,
    next: usize,
    is_on: bool,
}

fn millis(now: Time) -> u64 {
    now.as_micros() / 1_000
}

impl Heartbeat for Scripted {
    fn on_event(&mut self, now: Time, event: &Event) {
        match event {
            Event::BytesWritten => return,
            Event::Connected { .. } => {
                self.is_on = true;
                self.next = self.script.steps.partition_point(|(at, _)| *at < millis(now));
            }
            Event::Lost(_) => self.is_on = false,
            _ => {}
        }
        self.script.told.lock().unwrap().heartbeat.push((millis(now), *event));
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        let (at, action) = self.script.steps.get(self.next).filter(|_| self.is_on)?;
        (*at <= millis(now)).then(|| {
            self.next += 1;
            self.is_on = !matches!(action, Action::GiveUp(_));
            *action
        })
    }

    fn deadline(&self) -> Option<Time> {
        self.script.steps.get(self.next).filter(|_| self.is_on).map(|(at, _)| Time::from_millis(*at))
    }

    fn memory(&self) -> Option<String> {
        Some(format!("after step {}", self.next))
    }

    fn recall(&mut self, memory: &str) {
        self.script.told.lock().unwrap().recalled.push(memory.into());
    }
}

impl Reconnect for Scripted {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        self.script.told.lock().unwrap().reconnect.push((millis(now), *event));
    }

    fn next(&mut self, _: Time) -> ReconnectAction {
        self.next += 1;
        self.script.verdicts.get(self.next - 1).copied().unwrap_or_else(|| after(0))
    }
}

/// The verdict of an attempt at the same server after so many milliseconds.
pub(crate) fn after(wait: u64) -> ReconnectAction {
    ReconnectAction::TryAfter { wait: ms(wait), server: ServerChoice::Same, timeout: None }
}

/// What happened to a link, in milliseconds.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<(u64, LinkEvent)>>>);

impl Log {
    /// Returns the record that writes it.
    pub(crate) fn record(&self) -> impl FnMut(Time, &LinkEvent) + Send + 'static {
        let log = self.0.clone();
        move |at, event| log.lock().unwrap().push((millis(at), *event))
    }

    pub(crate) fn events(&self) -> Vec<(u64, LinkEvent)> {
        self.0.lock().unwrap().clone()
    }

    /// Returns when such an event happened.
    pub(crate) fn times(&self, of: impl Fn(&LinkEvent) -> bool) -> Vec<u64> {
        self.events().into_iter().filter(|(_, event)| of(event)).map(|(at, _)| at).collect()
    }
}
