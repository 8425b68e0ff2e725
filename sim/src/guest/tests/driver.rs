//! The driver is the device: the driver of `cardiogram-tokio`, as a guest on real sockets of the lab, and the lab's own device
//! send the same packets at the same microseconds, for every preset, in worlds where connections end in every way that there is.
//! Which presets cannot be compared, and why, is listed here.
//!
//! The servers are the lab's own in both, with the rules that the strategy has for them. Both sides draw from the same
//! generators. All times of these worlds are whole milliseconds, as the timers of guests are. A strategy that has other times, or
//! draws them, is compared with a device whose own timers wait for the next millisecond.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::BytesMut;
use cardiogram_policies::{AppState, Mechanism, NetworkKind, StrategySpec, preset};
use cardiogram_tokio::{Goodbye, Hello, Incoming, Link, LinkEvent, Protocol, Purpose, Store, Transport, Welcome};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
};

use super::*;
use crate::{config::NetworkConfig, run::run_whatever, wire::frame::GoodbyeReason};

/// What is said between a device and the lab's server.
#[derive(Clone)]
struct Lab {
    device: u32,
    /// Its server lets clients go on with their last session.
    may_resume: bool,
    sizes: FrameSizes,
}

impl Lab {
    fn say(&self, frame: Frame, out: &mut BytesMut) {
        let mut bytes = Vec::new();
        frame.encode(&self.sizes, &mut bytes);
        out.extend_from_slice(&bytes);
    }
}

impl Protocol for Lab {
    type Message = ();

    fn hello(&mut self, hello: &Hello, out: &mut BytesMut) -> Welcome {
        let (device, announces, resumes) = (self.device, hello.announces, hello.resumes && self.may_resume);
        let frame = match hello.purpose {
            Purpose::Session => Frame::Hello { device, expects: 0, announces, resumes },
            Purpose::Probe => Frame::ProbeHello { device },
        };
        self.say(frame, out);
        Welcome::Awaited
    }

    fn heartbeat(&mut self, id: u32, out: &mut BytesMut) {
        self.say(Frame::Heartbeat { id: id as u16 }, out);
    }

    fn notice(&mut self, out: &mut BytesMut) {
        self.say(Frame::Notice, out);
    }

    fn encode(&mut self, (): (), _: &mut BytesMut) -> io::Result<()> {
        unreachable!("nobody sends messages here")
    }

    fn decode(&mut self, input: &mut BytesMut, answer: &mut BytesMut) -> io::Result<Option<Incoming<()>>> {
        let mut stream = input.to_vec();
        let Some(frame) = Frame::take(&mut stream) else { return Ok(None) };
        let _ = input.split_to(input.len() - stream.len());
        Ok(Some(match frame {
            Frame::Welcome { interval } => Incoming::Welcome { interval },
            Frame::Reply { id } => Incoming::Reply { id: Some(id.into()) },
            Frame::Ping => {
                self.say(Frame::Pong, answer);
                Incoming::Ping
            }
            Frame::Alive => Incoming::Ping,
            Frame::Direct { interval } => Incoming::DirectedInterval(interval),
            Frame::Goodbye { reason: GoodbyeReason::TooManyPings, retry_after } => {
                Incoming::Goodbye { reason: Goodbye::TooManyPings, retry_after }
            }
            Frame::Goodbye { retry_after, .. } => Incoming::Goodbye { reason: Goodbye::Busy, retry_after },
            Frame::Challenge { step, answer: size, .. } => {
                self.say(Frame::Response { step, size }, answer);
                Incoming::Other
            }
            other => panic!("{other:?}"),
        }))
    }
}

/// A socket of the lab with everything that it can do for a policy.
struct Socket(TcpStream);

impl Transport for Socket {
    const OFFERS: &'static [Mechanism] = &[Mechanism::Keepalive, Mechanism::UserTimeout, Mechanism::LastHeard];

    fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        self.0.set_keepalive(keepalive)
    }

    fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_user_timeout(timeout)
    }

    fn last_heard(&self) -> io::Result<Duration> {
        self.0.last_heard()
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// The disk of the device: it outlives the process.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Option<String>>>);

impl Store for Disk {
    fn load(&mut self) -> io::Result<Option<String>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn save(&mut self, memory: &str) -> io::Result<()> {
        *self.0.lock().unwrap() = Some(memory.to_owned());
        Ok(())
    }
}

/// What the driver says has happened to its link, with the number of the process.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Notes>>);

type Notes = Vec<(Time, u64, LinkEvent)>;

/// The link of a strategy, on the only device of a world.
struct Client {
    strategy: StrategySpec,
    sizes: FrameSizes,
    servers: u32,
    state: Option<AppState>,
    disk: Disk,
    noted: Noted,
    /// How many there have been.
    processes: AtomicU64,
}

impl Client {
    async fn run(&self, machine: Machine) -> Result {
        let (dials, asks) = (machine.clone(), machine.clone());
        let dial = move |server| {
            let machine = dials.clone();
            async move {
                let stream = machine.connect(machine.server(server)).await?;
                stream.set_nodelay(true)?;
                Ok(Socket(stream))
            }
        };
        let check = move |server| {
            let machine = asks.clone();
            async move {
                let nobody = SocketAddr::new(machine.server(server).ip(), 9);
                let answer = machine.connect(nobody).await;
                matches!(answer, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
            }
        };
        let (began, noted) = (machine.elapsed(), self.noted.clone());
        let process = self.processes.fetch_add(1, Ordering::Relaxed);
        let link = Link::builder(&self.strategy)
            .dial(dial)
            .check(check)
            .networks(machine.networks())
            .servers(self.servers)
            .first_server(machine.number())
            .generators(machine.generators())
            .memory(self.disk.clone())
            .record(move |at: Time, event: &LinkEvent| noted.0.lock().unwrap().push((at + began, process, *event)))
            .protocol(Lab {
                device: machine.number(),
                may_resume: self.strategy.server.resume.is_some(),
                sizes: self.sizes,
            });
        // What a scenario's device is told, or one whose timers wait.
        let states = machine.app_states().or_else(|| Some(watch::Sender::new(self.state?).subscribe()));
        let link = if let Some(states) = states { link.app_state(states) } else { link };
        let (mut link, work) = link.drive()?;
        let hears = async { while link.next().await.is_some() {} };
        tokio::join!(hears, work);
        Ok(())
    }
}

/// So many seconds with these faults. All times are whole milliseconds.
fn lasting(secs: u64, faults: &[&str]) -> WorldConfig {
    let fault = |text: &&str| toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let (nat, faults) = (vec![NatConfig::default()], faults.iter().map(fault).collect());
    WorldConfig { nat, faults, duration: SECS(secs), ..world(MS(30)) }
}

/// Why a preset's packets are not compared to the byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Several packets arrive at one moment. The lab's device reads after each of them, and a guest after all: the windows that its
    /// acknowledgements show are others, and what it does then may come in another order. Nothing else may differ.
    AtOnce,
    /// What it answers to several pings that it finds at once is one segment, and of the lab's device one for each.
    OneSegment,
    /// Two connections end at one moment. The lab's device has closed the second before it hears of its end.
    TwoAtOnce,
    /// Behind a balancer it does not know whom it reaches, as clients do not, and would go on with its last session on another server,
    /// or asks a server of its own choice whether the network carries anything. The lab's device knows.
    OtherServer,
    /// It acts at a time that is no whole millisecond: the lab's device does then, and a guest at the next one.
    Fraction,
    /// It cannot run outside of a laboratory, and the driver says so.
    Refused,
}

/// Compares every preset in a world; those in `listed` for less, or not at all.
fn compare(world: &WorldConfig, listed: &[(Why, &[&str])]) {
    let always = [(Why::Refused, &["known-nat-timeout"][..]), (Why::AtOnce, &["grpc-too-many-pings"])];
    let listed: Vec<(&str, Why)> =
        always.iter().chain(listed).flat_map(|(why, names)| names.iter().map(|name| (*name, *why))).collect();
    let (mut found, mut wrong, mut left_out) = (Vec::new(), Vec::new(), 0);
    for preset in preset::all() {
        let world = WorldConfig { strategy: preset.spec(), ..world.clone() };
        match difference(&world) {
            Ok(None) => {}
            Ok(Some((Why::Fraction, _))) if has_late_timers(&world) => left_out += 1,
            Ok(Some((why, _))) if listed.contains(&(preset.name, why)) => found.push((preset.name, why)),
            Ok(Some((why, what))) => wrong.push(format!("{}, {why:?}: {what}", preset.name)),
            Err(what) => wrong.push(format!("{}: {what}", preset.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Waits after failures are what most presets draw.
    assert!(!world.faults.is_empty() || left_out <= 20, "{left_out} presets are not compared");
    let idle: Vec<_> = listed.iter().filter(|it| !found.contains(it)).collect();
    assert!(idle.is_empty(), "these agree, and are to be taken off the list: {idle:?}");
}

/// Returns how the driver differs from the lab's device, with the words for it; the error where nothing explains it.
fn difference(world: &WorldConfig) -> std::result::Result<Option<(Why, String)>, String> {
    let exact = run(world, 1, &options()).expect("a run");
    let is_whole = device_events(&exact).iter().all(|(at, _)| at.as_micros() % 1_000 == 0);
    let (lab, state) = if is_whole { (exact, None) } else { (with_coarse_timers(world), Some(AppState::Background)) };
    let (guest, noted) = match driven(world, state) {
        Ok(both) => both,
        Err(words) if words.contains("the strategy cannot run here") => return Ok(Some((Why::Refused, words))),
        Err(words) => return Err(words),
    };
    if !is_whole && has_late_timers(world) {
        return Ok(Some((
            Why::Fraction,
            "the device's timers wait for something else than the next millisecond".into(),
        )));
    }
    let (ours, theirs) = (packets(&guest), packets(&lab));
    if let Some((place, what)) = first_difference(&ours, &theirs) {
        let is_explained = first_difference(&coarse(&ours), &coarse(&theirs)).is_none();
        // Of alarms at which it does nothing the kernel's clock alone tells.
        let is_of_clock = || first_difference(&unstamped(&ours), &unstamped(&theirs)).is_none();
        let is_fraction = || is_of_clock() || device_events(&lab).iter().any(|(at, _)| at.as_micros() % 1_000 != 0);
        let is_one_segment = || match (ours.get(place), theirs.get(place)) {
            (Some((at, true, whole)), Some((then, true, part))) => {
                at == then && !part.payload.is_empty() && whole.payload.starts_with(&part.payload)
            }
            _ => false,
        };
        let names_a_server = || match (ours.get(place), theirs.get(place)) {
            (Some((at, true, one)), Some((then, true, other))) => {
                let names_it = |packet: &Packet| packet.payload.first() == Some(&1) || packet.dst.port() == 9;
                at == then && names_it(one) && names_it(other)
            }
            _ => false,
        };
        let arrive_then = || {
            let now =
                |(at, is_sent, _): &&(Time, bool, Packet)| theirs.get(place).is_some_and(|it| it.0 == *at) && !is_sent;
            theirs.iter().filter(now).map(|(.., packet)| packet.dst.port()).collect::<BTreeSet<u16>>().len()
        };
        return match what {
            what if is_explained => Ok(Some((Why::AtOnce, what))),
            what if names_a_server() => Ok(Some((Why::OtherServer, what))),
            what if is_one_segment() => Ok(Some((Why::OneSegment, what))),
            what if arrive_then() > 1 => Ok(Some((Why::TwoAtOnce, what))),
            what if is_fraction() => Ok(Some((Why::Fraction, what))),
            what => Err(what),
        };
    }
    if ours.is_empty() || (guest.totals.up, guest.totals.down) != (lab.totals.up, lab.totals.down) {
        return Err(format!("{:?} and {:?}", guest.totals, lab.totals));
    }
    // A process that is killed tells nothing more, and a link knows nothing of processes.
    let theirs = device_events(&lab);
    let killed: Vec<Time> = theirs.iter().filter(|it| it.1 == DeviceEvent::Killed).map(|(at, _)| *at).collect();
    let is_of_the_system = |event: &DeviceEvent| {
        use DeviceEvent::{Attached, Detached, GoesOn, RadioUp, StandsStill, Started};
        matches!(event, Attached { .. } | Detached { .. } | GoesOn | RadioUp { .. } | StandsStill | Started)
    };
    let tells = |at: &Time, event: &DeviceEvent| !is_of_the_system(event) && !killed.contains(at);
    let theirs = theirs.into_iter().filter(|(at, event)| tells(at, event)).map(|(at, event)| (at, 0, event));
    // A device hears once in which state its application is, and each process of a guest anew.
    let mut state = None;
    let ours = noted.into_iter().filter(|(.., event)| match event {
        LinkEvent::AppState(next) => state.replace(*next) != Some(*next),
        _ => true,
    });
    let mut state = None;
    let theirs = theirs.filter(|(.., event)| match event {
        DeviceEvent::AppState(next) => state.replace(*next) != Some(*next),
        _ => true,
    });
    match first_difference(&numbered(ours), &numbered(theirs)) {
        None => Ok(None),
        Some((_, what)) => Err(format!("the same packets, but {what}")),
    }
}

/// Returns the place of the first difference, and what is there.
fn first_difference<T: PartialEq + fmt::Debug>(ours: &[T], theirs: &[T]) -> Option<(usize, String)> {
    let same = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
    let differ = same < ours.len().max(theirs.len());
    differ.then(|| (same, format!("the driver: {:?}, the device: {:?}", ours.get(same), theirs.get(same))))
}

/// Returns packets without their windows, and those of one moment in an order that does not depend on who came first.
fn coarse(packets: &[(Time, bool, Packet)]) -> Vec<(Time, bool, Packet)> {
    let mut packets = packets.to_vec();
    for (.., packet) in &mut packets {
        packet.window = 0;
    }
    packets.sort_by_key(|(at, is_sent, packet)| (*at, *is_sent, packet.src, packet.dst, packet.seq));
    packets
}

/// Returns events with ports numbered by their first appearance, and times in whole milliseconds. Which server it is, packets tell:
/// behind a balancer a client does not know.
fn numbered(events: impl Iterator<Item = (Time, u64, impl serde::Serialize)>) -> Vec<(Time, Value)> {
    let mut ports: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    let number = |(at, process, event): (Time, u64, _)| {
        let mut event = serde_json::to_value(event).expect("plain data");
        let parts = event.as_object_mut().and_then(|of| of.values_mut().next()?.as_object_mut());
        if let Some(port) = parts.and_then(|parts| {
            parts.remove("server");
            parts.get_mut("port")
        }) {
            let next = ports.len();
            *port = (*ports.entry((process, port.as_u64().expect("a number"))).or_insert(next)).into();
        }
        (Time::from_micros(at.as_micros().next_multiple_of(1_000)), event)
    };
    events.map(number).collect()
}

/// Runs a world with the driver on its device.
fn driven(world: &WorldConfig, state: Option<AppState>) -> std::result::Result<(Outcome, Notes), String> {
    let (strategy, sizes, servers) = (world.strategy.clone(), world.frames(), world.server.count);
    let (disk, noted, processes) = Default::default();
    let client = Arc::new(Client { strategy, sizes, servers, state, disk, noted, processes });
    let its = client.clone();
    let program = move |machine| {
        let client = its.clone();
        async move { client.run(machine).await }
    };
    let guests = Guests::new().devices(program).speaking_as_the_lab();
    let outcome = run_guests(world, 1, &options(), &guests).map_err(|error| error.to_string())?;
    let noted = client.noted.0.lock().unwrap().clone();
    Ok((outcome, noted))
}

/// Returns packets without what the kernel's clock showed.
fn unstamped(packets: &[(Time, bool, Packet)]) -> Vec<(Time, bool, Packet)> {
    let mut packets = packets.to_vec();
    for (.., packet) in &mut packets {
        packet.options.timestamps = None;
    }
    packets
}

/// Returns whether the device's timers wait for a grid or a doze of the world's own.
fn has_late_timers(world: &WorldConfig) -> bool {
    world.life.alarm_grid.is_some() || world.life.doze.is_some()
}

/// Runs a world whose device's timers wait for the next millisecond, which no scenario can say.
fn with_coarse_timers(world: &WorldConfig) -> Outcome {
    let mut config = world.clone();
    config.life.alarm_grid = Some(Span::new(MS(1)).expect("a span"));
    run_whatever(&config, 1, &options()).expect("a run")
}

#[test]
fn the_driver_sends_the_devices_packets_while_nothing_happens() {
    compare(&lasting(900, &[]), &[]);
}

#[test]
fn the_driver_sends_the_devices_packets_through_a_nat_that_forgets() {
    let mut world = lasting(1_800, &[]);
    world.nat = vec![toml::from_str("established = '130s'\nrefresh = 'outbound'").expect("a NAT")];
    compare(&world, &[]);
}

#[test]
fn the_driver_sends_the_devices_packets_when_the_path_is_cut() {
    compare(&lasting(3_600, &["cut = { link = 'access', when.at = ['613s'], lasts = '30m' }"]), &[]);
}

#[test]
fn the_driver_sends_the_devices_packets_when_the_link_loses_its_carrier() {
    for lasts in ["24500ms", "40s"] {
        let cut = format!("cut = {{ when.at = ['613s'], lasts = '{lasts}', carrier = 'lost' }}");
        compare(&lasting(900, &[&cut]), &[]);
    }
}

#[test]
fn the_driver_sends_the_devices_packets_when_the_server_stands_still() {
    let at_once = [
        "error-accumulation-5",
        "idle-45-004",
        "server-idle-reaper",
        "server-idle-reaper-heartbeats",
        "mars-alarm-never-fires",
        "androidpn-in-use",
    ];
    let listed = [(Why::AtOnce, &at_once[..]), (Why::Fraction, &["actioncable-6", "reconnect-actioncable"])];
    compare(&lasting(1_500, &["server-stall = { when.at = ['613s'], lasts = '400s' }"]), &listed);
}

#[test]
fn the_driver_sends_the_devices_packets_when_servers_are_restarted_and_die() {
    let faults = [
        "server-restart = { when.at = ['600s'], lasts = '70s' }",
        "server-crash = { server = 0, when.at = ['1000s'], lasts = '200s' }",
    ];
    let mut world = lasting(1_500, &faults);
    world.server.count = 2;
    compare(&world, &[(Why::TwoAtOnce, &["courier-adaptive", "ms-test-connection"])]);
}

#[test]
fn the_driver_sends_the_devices_packets_when_its_process_is_killed() {
    compare(&lasting(1_200, &["process-killed = { when.at = ['613s', '900s'], lasts = '30s' }"]), &[]);
}

fn with_network(old_sockets: &str) -> WorldConfig {
    let faults = [
        &format!(
            "network-switch = {{ when.at = ['613s'], to = 'wifi', lasts = '300s', old_sockets = '{old_sockets}' }}"
        ),
        "network-switch = { when.at = ['1000s'], to = 'none', lasts = '40s' }",
    ];
    let mut world = lasting(1_300, &faults);
    let wifi = NetworkConfig::new(LinkConfig::of_delay(Distribution::Constant(Span::new(MS(15)).expect("a delay"))));
    world.networks.insert("wifi".into(), NetworkConfig { kind: NetworkKind::Wifi, ..wifi });
    world
}

#[test]
fn the_driver_sends_the_devices_packets_when_the_system_ends_connections_with_their_network() {
    compare(&with_network("abort"), &[]);
}

#[test]
fn the_driver_sends_the_devices_packets_when_the_network_changes_and_connections_linger_or_rot() {
    compare(&with_network("linger"), &[]);
    compare(&with_network("rot"), &[]);
}

#[test]
fn the_driver_sends_the_devices_packets_when_it_stands_still() {
    let listed = [(Why::OneSegment, &["socketcluster", "ice-consent"][..])];
    compare(&lasting(900, &["device-stall = { when.at = ['613s'], lasts = '100s' }"]), &listed);
    compare(&lasting(900, &["device-freeze = { when.at = ['613s'], lasts = '100s' }"]), &[]);
}

#[test]
fn the_driver_sends_the_devices_packets_over_a_radio_while_the_application_comes_and_goes() {
    let mut world = lasting(1_300, &[]);
    let radio = "promotion = '200ms'\npromotion_mw = 900\npaging_cycle = '0s'\nactive_mw = 900\nup_kbps = 10000\ndown_kbps = 30000\nup_mw_per_mbps = 100\ndown_mw_per_mbps = 20\ntail = [{ lasts = '10s', mw = 400 }]\nidle_mw = 8";
    world.radio = Some(toml::from_str(radio).unwrap_or_else(|error| panic!("{error}")));
    world.life = toml::from_str("foreground = { when.at = ['200s', '900s'], lasts = '200s' }").expect("a life");
    let fractions = [
        "discord-js",
        "rabbitmq-amqp-pre-3-7-11",
        "http2-ping-envoy",
        "sctp-heartbeat",
        "bfd-async",
        "ice-consent",
        "sip-outbound",
    ];
    compare(&world, &[(Why::Fraction, &fractions)]);
}

#[test]
fn the_driver_sends_the_devices_packets_when_a_balancer_leads_it() {
    let faults = [
        "server-crash = { server = 0, when.at = ['400s'], lasts = '100s' }",
        "server-vanish = { server = 1, when.at = ['700s'], lasts = '100s' }",
    ];
    let mut world = lasting(1_200, &faults);
    world.server.count = 2;
    world.server.balancer = Some(toml::from_str("").expect("a balancer"));
    let knows_one = ["discord-js", "discord-py", "reconnect-network-validity-probe"];
    let two_at_once = ["courier-adaptive", "ms-test-connection"];
    compare(&world, &[(Why::OtherServer, &knows_one), (Why::TwoAtOnce, &two_at_once)]);
}

/// From so many seconds on the path is cut for 25 minutes.
fn cut_at(secs: u64) -> String {
    format!("cut = {{ link = 'access', when.at = ['{secs}s'], lasts = '25m' }}")
}

/// Nobody looks at it: each timer waits for the next multiple of five minutes.
#[test]
fn the_driver_sends_the_devices_packets_when_its_timers_wait_for_a_grid() {
    for faults in [&[][..], &[&*cut_at(3_000)]] {
        let mut world = lasting(7_200, faults);
        world.life = toml::from_str("alarm_grid = '5m'").expect("a life");
        compare(&world, &[(Why::AtOnce, &["courier-adaptive", "ms-test-connection"])]);
    }
}

/// On the screen for five minutes; half an hour later it dozes, for two and a half hours with a window after one of them. A dozing
/// device's kernel goes on, or stands still between its alarms, or there are none.
#[test]
fn the_driver_sends_the_devices_packets_when_it_dozes() {
    for faults in [&[][..], &[&*cut_at(6_000)]] {
        for doze in ["suspends = false", "", "alarms = 'never'"] {
            let mut world = lasting(14_400, faults);
            let life = format!("foreground = {{ when.at = ['0s', '10800s'], lasts = '300s' }}\n[doze]\n{doze}");
            world.life = toml::from_str(&life).unwrap_or_else(|error| panic!("{error}"));
            compare(&world, &[(Why::AtOnce, &["ms-test-connection"])]);
        }
    }
}
