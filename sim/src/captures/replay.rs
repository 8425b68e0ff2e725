//! Does again what the harness of a capture did: two hosts with our TCP, the same application, the same faults at the
//! same times. What lies between the hosts is the caller's.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddrV4,
    sync::Arc,
    time::Duration,
};

use super::{
    Connection, Failure, Flags, Keepalive, Neighbour, Obstacle, Packet, Question, State, TcpConfig, TcpSettings, Time,
    reset_for,
    timeline::{Capture, Place, Timeline, Told, compare, near},
};

/// How long an application takes to do something with what it is told.
const REACTION: Duration = Duration::from_micros(100);
/// One way between namespaces of one machine.
const NO_DELAY: Duration = Duration::from_micros(15);

/// How a capture was made, beyond what its rows say.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) client: SocketAddrV4,
    pub(crate) server: SocketAddrV4,
    /// One way.
    pub(crate) delay: Duration,
    /// What the first packet takes longer.
    pub(crate) first_delay: Duration,
    /// Keepalive's idle, interval, count, in seconds.
    pub(crate) keepalive: Option<(u64, u64, u32)>,
    pub(crate) user_timeout: Option<Duration>,
    /// The client's kernel; the server's has the same timers.
    pub(crate) tcp: TcpSettings,
    /// Whether the server's kernel remembers nothing of a handshake that is open: it sent a cookie.
    pub(crate) cookies: bool,
    /// Whether every connection of the client has the same port.
    pub(crate) same_port: bool,
    /// How much earlier than in the capture the path comes back.
    pub(crate) heals_earlier: f64,
}

impl Setup {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            client: SocketAddrV4::new([10, 0, 0, 1].into(), 40_001),
            server: SocketAddrV4::new([203, 0, 113, 10].into(), 443),
            delay: NO_DELAY,
            first_delay: Duration::ZERO,
            keepalive: None,
            user_timeout: None,
            tcp: TcpSettings::default(),
            cookies: false,
            same_port: false,
            heals_earlier: 0.0,
        }
    }
}

/// What lies between the hosts.
pub(crate) trait Path {
    /// Returns where a packet goes and what it becomes.
    fn pass(&mut self, now: Time, from: Place, packet: Packet) -> Vec<(Place, Packet)>;
}

/// What the harness does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Connect,
    Write(Place, usize),
    /// The client's direction, while it reads on.
    Shutdown,
    Close,
    Abort,
    Listen,
    Cut,
    Heal,
    Unplug,
    Stop,
    Continue,
    Kill,
    /// The server gets the client's last segment again, with these flags.
    Repeat(Flags),
}

/// Replays a capture on ideal timers; panics where it is not what the kernel did.
pub(crate) fn replay(setup: &Setup, path: impl FnOnce(Time) -> Box<dyn Path>) {
    compared(setup, path).unwrap_or_else(|difference| panic!("{difference}"));
}

/// Replays a capture and compares both capture points and what the client's application was told. Says what differs.
pub(crate) fn compared(setup: &Setup, path: impl FnOnce(Time) -> Box<dyn Path>) -> Result<(), String> {
    let timeline = Timeline::read(setup.name);
    let mut lab = Lab::new(setup, timeline.begin(), path);
    for (at, step) in steps(setup, &timeline) {
        lab.run_until(at);
        lab.take(step);
    }
    lab.run_until(timeline.end.min(timeline.events.last().expect("events").at));
    let replayed = [&lab.captures[0].seen[..], &lab.captures[1].seen];
    for place in [Place::Client, Place::Server] {
        compare(setup.name, place, replayed, [&timeline.client, &timeline.server])?;
    }
    if !lab.errors.is_empty() {
        return Err(format!("{}: nothing was sent for {:?}", setup.name, lab.errors));
    }
    match (lab.told, timeline.errno()) {
        (None, None) => Ok(()),
        (Some((at, errno)), Some((kernel_at, kernel_errno))) => {
            let started = timeline.events.iter().rfind(|event| event.what == "connect_start");
            let started = started.map_or_else(|| timeline.begin(), |event| event.at);
            let last = |seen: &[super::timeline::Seen], until: f64| {
                seen.iter().map(|seen| seen.at).rfind(|at| *at <= until).unwrap_or(started)
            };
            let gap = at - last(&lab.captures[0].seen, at);
            let kernel_gap = kernel_at - last(&timeline.client, kernel_at);
            let same = errno == kernel_errno && near(gap, kernel_gap, true);
            let told = || format!("{}: {errno} after {gap} s, kernel {kernel_errno} after {kernel_gap} s", setup.name);
            same.then_some(()).ok_or_else(told)
        }
        (ours, theirs) => Err(format!("{}: told {ours:?}, kernel {theirs:?}", setup.name)),
    }
}

/// Reads the harness's steps off the capture: the application connects when a new SYN leaves, writes when new data
/// leaves, closes when a FIN leaves; faults are in the events. The server's answers are not among them: its application
/// echoes.
fn steps(setup: &Setup, timeline: &Timeline) -> Vec<(f64, Step)> {
    let mut steps: Vec<(f64, Step)> = Vec::new();
    // Where the harness says when it wrote, what leaves later is the kernel's doing.
    let writes_are_told = timeline.events.iter().any(|event| event.what == "WRITE");
    let shuts_down = timeline.events.iter().any(|event| event.what == "SHUTDOWN");
    let connects_visibly = timeline.client.iter().any(|seen| seen.flags == "S");
    for seen in timeline.client.iter().filter(|seen| seen.from == Place::Client && !seen.retransmission) {
        match seen.flags.as_str() {
            "S" => steps.push((seen.at, Step::Connect)),
            "F." if !shuts_down => steps.push((seen.at, Step::Close)),
            _ if seen.len > 0 && !writes_are_told => steps.push((seen.at, Step::Write(Place::Client, seen.len))),
            _ => {}
        }
    }
    for event in &timeline.events {
        let step = match (event.what.as_str(), &event.note) {
            ("listening", _) => Step::Listen,
            ("WRITE", _) => Step::Write(Place::Client, 5),
            ("SHUTDOWN", _) => Step::Shutdown,
            ("ABORT", _) => Step::Abort,
            ("REPEAT", note) => Step::Repeat(if note.contains('R') { Flags::RST } else { Flags::ACK }),
            ("PUSH_sent", _) => Step::Write(Place::Server, 5),
            ("FAULT", note) if note.contains("blackhole") => Step::Cut,
            ("FAULT", note) if note.contains("no-carrier") => Step::Unplug,
            // What never left cannot be seen.
            ("connect_start", _) if !connects_visibly => Step::Connect,
            ("FAULT", note) if note.contains("SIGSTOP") => Step::Stop,
            ("FAULT", note) if note.contains("kill -9") => Step::Kill,
            ("RESTORE", note) if note.contains("SIGCONT") => Step::Continue,
            ("RESTORE", _) => {
                steps.push((event.at - setup.heals_earlier, Step::Heal));
                continue;
            }
            _ => continue,
        };
        steps.push((event.at, step));
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    steps
}

/// Two hosts. Times in the interface are the capture's.
struct Lab<'a> {
    setup: &'a Setup,
    /// The capture's time at [`Time::ZERO`].
    origin: f64,
    now: Time,
    path: Box<dyn Path>,
    cut: bool,
    /// The client's link has no carrier.
    unplugged: bool,
    /// What the client's kernel asks for then.
    neighbour: Option<Neighbour<Packet>>,
    wire: VecDeque<(Time, Place, Packet)>,
    hosts: [Host; 2],
    captures: [Capture; 2],
    /// What the client's application was told about its last connection, and when.
    told: Option<(f64, &'static str)>,
    /// It has closed that connection, and is told nothing any more.
    closed: bool,
    packets_sent: u32,
    /// The client's last segment.
    last_sent: Option<Packet>,
    /// What routers tell the client, the last one first.
    errors: Vec<Told>,
    sent_by_client: usize,
}

/// A kernel with its process.
#[derive(Default)]
struct Host {
    config: Option<Arc<TcpConfig>>,
    /// By the local and the remote port.
    connections: BTreeMap<(u16, u16), Connection>,
    listens: bool,
    stopped: bool,
    /// When the process looks at its connections next.
    reacts: Option<Time>,
}

impl<'a> Lab<'a> {
    fn new(setup: &'a Setup, begin: f64, path: impl FnOnce(Time) -> Box<dyn Path>) -> Self {
        let server = TcpConfig::of(&TcpSettings { timers: setup.tcp.timers, ..TcpSettings::default() });
        let server = if setup.cookies { server.with_cookies() } else { server };
        let host = |config| Host { config: Some(Arc::new(config)), ..Host::default() };
        let mut lab = Self {
            setup,
            origin: begin - 1.0,
            now: Time::ZERO,
            path: Box::new(Nowhere),
            cut: false,
            unplugged: false,
            neighbour: None,
            wire: VecDeque::new(),
            hosts: [TcpConfig::of(&setup.tcp), server].map(host),
            captures: [Capture::default(), Capture::default()],
            told: None,
            closed: false,
            packets_sent: 0,
            last_sent: None,
            errors: Vec::new(),
            sent_by_client: 0,
        };
        let timeline = Timeline::read(setup.name);
        lab.path = path(lab.time(timeline.fault()));
        lab.errors = timeline.errors.into_iter().rev().collect();
        lab
    }

    fn time(&self, at: f64) -> Time {
        Time::ZERO + Duration::from_secs_f64(at - self.origin)
    }

    fn seconds(&self) -> f64 {
        self.now.as_secs_f64() + self.origin
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Connect => self.connect(),
            Step::Write(place, len) => self.each(place, |tcp, now, out| {
                assert_eq!(tcp.write(now, &[b'x'; 64][..len], out), len);
            }),
            Step::Shutdown => self.each(Place::Client, Connection::shutdown),
            Step::Close => {
                self.closed = true;
                self.each(Place::Client, Connection::close);
            }
            Step::Abort => {
                self.closed = true;
                self.each(Place::Client, Connection::abort);
            }
            Step::Listen => self.hosts[1].listens = true,
            Step::Cut => self.cut = true,
            Step::Heal => (self.cut, self.unplugged) = (false, false),
            Step::Unplug => self.unplugged = true,
            Step::Stop => self.hosts[1].stopped = true,
            Step::Continue => {
                self.hosts[1].stopped = false;
                self.hosts[1].reacts = Some(self.now);
            }
            Step::Kill => {
                self.hosts[1].listens = false;
                self.hosts[1].stopped = true;
                self.each(Place::Server, Connection::close);
            }
            Step::Repeat(flags) => {
                let last = self.last_sent.clone().expect("it has sent something");
                self.arrive(Place::Server, &Packet { flags, ..last });
            }
        }
    }

    fn connect(&mut self) {
        let mut out = Vec::new();
        let setup = self.setup;
        let attempt = if setup.same_port { 0 } else { self.hosts[0].connections.len() as u16 };
        self.hosts[0].connections.clear();
        let local = SocketAddrV4::new(*setup.client.ip(), setup.client.port() + attempt);
        let config = self.hosts[0].config.clone().expect("set");
        let mut tcp = Connection::connect(config, self.now, local, setup.server, 0xffff_fffe, &mut out);
        let keepalive = setup.keepalive.map(|(idle, interval, count)| Keepalive {
            idle: Duration::from_secs(idle),
            interval: Duration::from_secs(interval),
            count,
        });
        tcp.set_keepalive(self.now, keepalive);
        tcp.set_user_timeout(setup.user_timeout);
        self.hosts[0].connections.insert((local.port(), setup.server.port()), tcp);
        self.told = None;
        self.transmit(Place::Client, out);
    }

    /// Does something with every connection of a host that is not over.
    fn each(&mut self, place: Place, mut work: impl FnMut(&mut Connection, Time, &mut Vec<Packet>)) {
        let mut out = Vec::new();
        for tcp in self.hosts[place as usize].connections.values_mut().filter(|tcp| tcp.state() != State::Closed) {
            tcp.set_held(place == Place::Client && is_held(self.neighbour.as_ref()));
            work(tcp, self.now, &mut out);
        }
        self.transmit(place, out);
    }

    fn transmit(&mut self, from: Place, packets: Vec<Packet>) {
        for packet in packets {
            if from == Place::Client && (self.unplugged || self.neighbour.is_some()) {
                self.hold(packet);
                continue;
            }
            self.captures[from as usize].record(self.seconds(), from, &packet);
            if from == Place::Client {
                self.hear_of(&packet);
                self.last_sent = Some(packet.clone());
            }
            // The cut comes before everything that lies between.
            if self.cut {
                continue;
            }
            let first = if self.packets_sent == 0 { self.setup.first_delay } else { Duration::ZERO };
            self.packets_sent += 1;
            for (to, packet) in self.path.pass(self.now, from, packet) {
                self.wire.push_back((self.now + self.setup.delay + first, to, packet));
            }
        }
        self.note_failure();
    }

    /// Lets a packet of the client's wait for its next hop.
    fn hold(&mut self, packet: Packet) {
        let tcp = self.hosts[0].config.as_ref().expect("set");
        let asked = || Neighbour::ask(self.now, *packet.src.ip(), tcp);
        self.neighbour.get_or_insert_with(asked).wait(packet);
    }

    /// The next hop answers by now, or is asked again, or has not answered.
    fn ask(&mut self) {
        let Some(mut neighbour) = self.neighbour.take_if(|neighbour| neighbour.due() <= self.now) else { return };
        let tcp = self.hosts[0].config.clone().expect("set");
        let question = neighbour.ask_again(self.now, !self.unplugged, &tcp);
        if question == Question::Again {
            self.neighbour = Some(neighbour);
            return;
        }
        for packet in neighbour.into_waiting() {
            if question == Question::InVain {
                let error = packet.undelivered(Obstacle::HostUnreachable).expect("it is a segment");
                self.arrive(Place::Client, &error);
            } else {
                self.transmit(Place::Client, vec![packet]);
            }
        }
    }

    /// Lets the client hear what routers have to say of a packet of its own.
    fn hear_of(&mut self, packet: &Packet) {
        let number = self.sent_by_client;
        self.sent_by_client += 1;
        while let Some(told) = self.errors.pop_if(|told| told.about == number) {
            let error = packet.undelivered(told.why).expect("it is about a segment");
            self.wire.push_back((self.now + Duration::from_secs_f64(told.after), Place::Client, error));
        }
    }

    fn note_failure(&mut self) {
        let tcp = self.hosts[0].connections.values().next();
        if self.told.is_none()
            && !self.closed
            && let Some((tcp, failure)) = tcp.and_then(|tcp| Some((tcp, tcp.failure()?)))
        {
            self.told = Some((self.seconds(), errno(failure, tcp.peer_closed())));
        }
    }

    fn next_event(&self) -> Option<Time> {
        let arrival = self.wire.front().map(|(arrival, ..)| *arrival);
        let hosts = self.hosts.iter().flat_map(|host| {
            let reacts = host.reacts.filter(|_| !host.stopped);
            host.connections.values().filter_map(Connection::next_timer).chain(reacts)
        });
        let asks = self.neighbour.as_ref().map(Neighbour::due);
        hosts.chain(arrival).chain(asks).min()
    }

    fn run_until(&mut self, until: f64) {
        let until = self.time(until);
        while let Some(due) = self.next_event().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            if self.wire.front().is_some_and(|(arrival, ..)| *arrival <= self.now) {
                let (_, to, packet) = self.wire.pop_front().expect("looked");
                self.arrive(to, &packet);
            } else {
                for place in [Place::Client, Place::Server] {
                    self.each(place, |tcp, now, out| {
                        if tcp.next_timer().is_some_and(|due| due <= now) {
                            tcp.on_timer(now, out);
                        }
                    });
                    self.react(place);
                }
                self.ask();
            }
        }
        self.now = until;
    }

    fn arrive(&mut self, to: Place, packet: &Packet) {
        if packet.unreachable.is_none() {
            self.captures[to as usize].record(self.seconds(), to.other(), packet);
        }
        let host = &mut self.hosts[to as usize];
        let ports = (packet.dst.port(), packet.src.port());
        let mut out = Vec::new();
        if let Some(tcp) = host.connections.get_mut(&ports).filter(|tcp| tcp.state() != State::Closed) {
            tcp.set_held(to == Place::Client && is_held(self.neighbour.as_ref()));
            tcp.on_packet(self.now, packet, &mut out);
            host.reacts = host.reacts.or(Some(self.now + REACTION));
        } else if host.listens && packet.flags == Flags::SYN {
            let config = host.config.clone().expect("set");
            let tcp = Connection::accept(config, self.now, packet.dst, packet.src, 0x7fff_fffd, packet, &mut out);
            host.connections.insert(ports, tcp);
        } else {
            out.extend(reset_for(packet));
        }
        self.transmit(to, out);
    }

    /// The process reads what there is; the server's sends it back, and closes when the client has closed.
    fn react(&mut self, place: Place) {
        let host = &mut self.hosts[place as usize];
        if host.stopped || host.reacts.is_none_or(|due| due > self.now) {
            return;
        }
        host.reacts = None;
        let mut read = false;
        self.each(place, |tcp, now, out| {
            let mut data = Vec::new();
            tcp.read(now, &mut data, out);
            read |= !data.is_empty();
            if place == Place::Server && !data.is_empty() {
                tcp.write(now, &data, out);
            } else if place == Place::Server && tcp.peer_closed() {
                tcp.close(now, out);
            }
        });
        if read {
            self.hosts[place as usize].reacts = Some(self.now + REACTION);
        }
    }
}

/// Returns whether data, or a SYN, waits for its next hop.
fn is_held(neighbour: Option<&Neighbour<Packet>>) -> bool {
    neighbour.is_some_and(|neighbour| neighbour.waiting().iter().any(Packet::is_sent_again))
}

/// Returns what a process finds in `errno`.
fn errno(failure: Failure, peer_closed: bool) -> &'static str {
    match failure {
        Failure::Refused => "ECONNREFUSED",
        Failure::Reset if peer_closed => "EPIPE",
        Failure::Reset => "ECONNRESET",
        Failure::HostUnreachable => "EHOSTUNREACH",
        Failure::NetworkUnreachable => "ENETUNREACH",
        Failure::ConnectTimeout | Failure::KeepaliveTimeout | Failure::RetransmissionTimeout | Failure::UserTimeout => {
            "ETIMEDOUT"
        }
    }
}

/// No path at all.
struct Nowhere;

impl Path for Nowhere {
    fn pass(&mut self, _: Time, _: Place, _: Packet) -> Vec<(Place, Packet)> {
        Vec::new()
    }
}
