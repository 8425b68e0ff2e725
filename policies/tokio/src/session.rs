//! A heartbeat policy at work on one connection: what arrives is told to it, what it says is done. How the connection came
//! about, and what comes after it, is not known here.

mod act;
mod side;

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    task::{Context, Poll},
    time::Duration,
};

use cardiogram_policies::{AppState, Event, GiveUp, LossReason, Mechanism, Network, Time, reconnect::Ended};

use self::side::Side;
use crate::{
    clock::{Alarm, Clock},
    connection::Connection,
    event::{LinkEvent, News},
    fit::{Unfit, check_needs, transport_help},
    heart::Heart,
    opening::{Dial, Opened},
    protocol::{Goodbye, Incoming, Protocol},
    retry::UNKNOWN_NETWORK,
    transport::Transport,
};

/// So many bytes may wait for a transport that takes none before no more messages are taken.
const MOST_UNWRITTEN: usize = 65_536;

/// One connection under a heartbeat policy, for clients that reconnect by themselves.
///
/// It does its work while [`next`](Self::next) is awaited, so await it always, beside whatever else the client waits for.
///
/// ```no_run
/// # use cardiogram_policies::preset;
/// # use cardiogram_tokio::{Heart, LengthDelimited, News, Session};
/// # use tokio::net::TcpStream;
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let strategy = preset::find("wechat-270").expect("a preset").spec();
/// let mut heart = Heart::new(&strategy)?;
/// loop {
///     let stream = TcpStream::connect("push.example:443").await?;
///     let mut session = Session::new(&mut heart, stream, LengthDelimited::new())?;
///     session.send("hello".into());
///     while let Some(news) = session.next().await {
///         match news {
///             News::Message(bytes) => println!("{} bytes", bytes.len()),
///             News::Event(event) => eprintln!("{event}"),
///         }
///     }
/// }
/// # }
/// ```
pub struct Session<'a, Io, P: Protocol> {
    heart: &'a mut Heart,
    /// Dropped before the connections beside it, which are closed after it.
    connection: Connection<Io, P>,
    /// A protocol that no connection has spoken yet, and what opens another connection; `None`: there is no other.
    beside: Option<(P, Dial<Io>)>,
    probe: Option<Side<Io, P>>,
    rival: Option<Side<Io, P>>,
    /// The server has said that heartbeats come too often.
    is_blamed: bool,
    may_read: bool,
    is_over: bool,
    alarm: Alarm,
    steps: VecDeque<Step<P::Message>>,
    /// The number of the last connection.
    last_port: u16,
    counts: Counts,
}

/// How many messages a link has sent and received.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) sent: u32,
    pub(crate) delivered: u32,
}

/// What happens to a session, for whoever drives it.
pub(crate) enum Step<M> {
    News(News<M>),
    /// Another connection, to this server, has taken the place of the one that there was.
    Replaced(u32),
    /// It is over.
    Ended(Ended),
}

impl<'a, Io: Transport, P: Protocol> Session<'a, Io, P> {
    /// Runs a heartbeat on a connection that is a session already: whatever has to be said first was said.
    ///
    /// # Errors
    ///
    /// Where the heartbeat needs what the transport cannot do, or a second connection.
    pub fn new(heart: &'a mut Heart, io: Io, protocol: P) -> Result<Self, Unfit> {
        Self::over(UNKNOWN_NETWORK, 0, heart, io, protocol)
    }

    /// As [`new`](Self::new), for a heart that learns by network and by server: it is told which these are.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn over(network: Network, server: u32, heart: &'a mut Heart, io: Io, protocol: P) -> Result<Self, Unfit> {
        check_needs(&heart.needs, |mechanism| Io::OFFERS.contains(&mechanism), transport_help)?;
        let connection = Connection::new(io, protocol, 1, server, network);
        Ok(Self::begin(heart, Opened { connection, interval: None }, None, Counts::default()))
    }

    /// Runs it on a connection that was just welcomed, for whoever has looked at the needs.
    pub(crate) fn begin(
        heart: &'a mut Heart,
        opened: Opened<Io, P>,
        beside: Option<(P, Dial<Io>)>,
        counts: Counts,
    ) -> Self {
        let Opened { connection, interval } = opened;
        let mut session = Self {
            heart,
            last_port: connection.port,
            connection,
            beside,
            probe: None,
            rival: None,
            is_blamed: false,
            may_read: true,
            is_over: false,
            alarm: Alarm::default(),
            steps: VecDeque::new(),
            counts,
        };
        session.connected(interval);
        session
    }

    /// Returns what happens next; `None` once the connection is over, which the last event has told. It may be dropped and
    /// called anew.
    pub async fn next(&mut self) -> Option<News<P::Message>> {
        loop {
            match poll_fn(|context| self.poll_step(context)).await? {
                Step::News(news) => return Some(news),
                Step::Replaced(_) | Step::Ended(_) => {}
            }
        }
    }

    /// Sends a message: it is written when [`next`](Self::next) is awaited.
    pub fn send(&mut self, message: P::Message) {
        if self.is_over {
            return;
        }
        match self.connection.protocol.encode(message, &mut self.connection.out) {
            Ok(()) => {
                let id = self.counts.sent;
                self.counts.sent = id.wrapping_add(1);
                self.note(LinkEvent::MessageSent { id });
                self.heart.tell(&Event::BytesWritten);
            }
            Err(_) => self.note(LinkEvent::MessageRefused),
        }
    }

    /// Returns whether so little waits for the transport that another message may be sent. A transport that takes nothing,
    /// on a dead path for instance, would else fill the memory.
    pub fn has_room(&self) -> bool {
        self.connection.out.len() < MOST_UNWRITTEN
    }

    /// Tells the policy that the device moved to another network, or lost it. What becomes of the connection is the system's
    /// business.
    pub fn network_changed(&mut self, network: Option<Network>) {
        self.heart.tell(&Event::NetworkChanged(network));
    }

    /// Tells the policy that the application went to another state.
    pub fn app_state(&mut self, state: AppState) {
        self.heart.app_state(state);
    }

    /// Sets whether what arrives is read. Deadlines and writing go on.
    pub(crate) fn read_if(&mut self, may_read: bool) {
        self.may_read = may_read;
    }

    pub(crate) const fn last_port(&self) -> u16 {
        self.last_port
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    /// The loop: what has arrived, then what the policy says, until there is nothing to do but to wait.
    pub(crate) fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Option<Step<P::Message>>> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Poll::Ready(Some(step));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            if self.notice(context) {
                continue;
            }
            let due = self.heart.deadline();
            self.alarm.set(due.and_then(|due| self.clock().instant(due)));
            let now = self.now();
            // What arrives at the moment of a deadline counts before it does.
            if due.is_some_and(|due| due <= now) && self.alarm.poll(context).is_pending() {
                return Poll::Pending;
            }
            let mut has_acted = false;
            while !self.is_over
                && let Some(action) = self.heart.poll(now)
            {
                self.act(action, now);
                has_acted = true;
            }
            if has_acted {
                continue;
            }
            let due = self.heart.deadline();
            self.alarm.set(due.and_then(|due| self.clock().instant(due)));
            if self.alarm.poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Takes note of what has arrived: ready when that is nothing more, pending while there are steps to take.
    pub(crate) fn poll_arrived(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.steps.is_empty() {
            if !self.notice(context) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Takes note of what the connections have for the policy; returns whether they had anything.
    fn notice(&mut self, context: &mut Context<'_>) -> bool {
        let mut any = self.connection.exchange(self.may_read, context);
        while let Some((incoming, has_answered)) = self.connection.next_incoming() {
            self.session_wins();
            self.hear(incoming, has_answered);
            any = true;
        }
        any |= self.notice_probe(context);
        any |= self.notice_rival(context);
        // While there is a race, what the transport says of the session's end can wait: a server that welcomes the rival
        // closes the session, and that word may arrive first.
        if let Some(reason) = self.connection.over.filter(|_| self.rival.is_none() && !self.is_over) {
            self.connection.write(context);
            let closed = matches!(reason, LossReason::Closed | LossReason::Reset);
            let reason = if self.is_blamed && closed { LossReason::TooManyPings } else { reason };
            self.note(LinkEvent::Lost { port: self.connection.port, reason });
            self.heart.tell(&Event::Lost(reason));
            self.end(Ended::Transport(reason));
            any = true;
        }
        any
    }

    fn hear(&mut self, incoming: Incoming<P::Message>, has_answered: bool) {
        let now = self.now();
        // The answer to a ping is on its way before the policy hears of the ping.
        if has_answered && matches!(incoming, Incoming::Ping) {
            self.note(LinkEvent::PingAnswered);
            self.heart.tell(&Event::BytesWritten);
            self.heart.tell(&Event::PeerPing);
            return;
        }
        match incoming {
            Incoming::Reply { id } => match self.connection.answered(id, now) {
                Some((id, rtt)) => {
                    self.note(LinkEvent::HeartbeatAnswered { id, rtt });
                    self.heart.tell(&Event::HeartbeatReply { id, rtt });
                }
                None => self.heart.tell(&Event::BytesReceived),
            },
            Incoming::Message(message) => {
                let (id, delay) = (self.counts.delivered, Duration::ZERO);
                self.counts.delivered = id.wrapping_add(1);
                self.heart.tell(&Event::BytesReceived);
                self.note(LinkEvent::MessageDelivered { id, delay });
                self.steps.push_back(Step::News(News::Message(message)));
            }
            Incoming::Ping => {
                self.note(LinkEvent::NoticeReceived);
                self.heart.tell(&Event::PeerPing);
            }
            Incoming::DirectedInterval(interval) => self.directed(interval),
            Incoming::Goodbye { reason, retry_after } => {
                self.is_blamed = reason == Goodbye::TooManyPings;
                self.note(LinkEvent::GoodbyeReceived { reason, retry_after });
            }
            Incoming::Acknowledged => self.heart.tell(&Event::Acknowledged),
            // A second welcome tells nothing new, but that the server lives.
            Incoming::Welcome { .. } | Incoming::Other => self.heart.tell(&Event::BytesReceived),
        }
        if has_answered {
            self.heart.tell(&Event::BytesWritten);
        }
    }

    fn connected(&mut self, interval: Option<Duration>) {
        let Connection { network, server, .. } = self.connection;
        self.is_blamed = false;
        self.heart.tell(&Event::Connected { network, server });
        if let Some(interval) = interval {
            self.directed(interval);
        }
    }

    fn directed(&mut self, interval: Duration) {
        self.note(LinkEvent::Directed { interval });
        self.heart.tell(&Event::DirectedInterval(interval));
    }

    fn give_up(&mut self, reason: GiveUp) {
        self.note(LinkEvent::GivenUp { port: self.connection.port, reason });
        self.end(Ended::GivenUp(reason));
    }

    /// The session is over, and with it every connection beside it: they are closed when it is dropped.
    fn end(&mut self, ended: Ended) {
        self.note_end_of_sides();
        self.steps.push_back(Step::Ended(ended));
        self.is_over = true;
    }

    fn note(&mut self, event: LinkEvent) {
        self.steps.push_back(Step::News(News::Event(event)));
    }

    /// Notes that something of the policy's does not work, which goes on without.
    fn note_refused(&mut self, mechanism: Mechanism, result: &io::Result<()>) {
        if result.is_err() {
            self.note(LinkEvent::Refused(mechanism));
        }
    }

    const fn clock(&self) -> Clock {
        self.heart.clock
    }

    fn now(&self) -> Time {
        self.clock().now()
    }

    fn take_port(&mut self) -> u16 {
        self.last_port = self.last_port.checked_add(1).unwrap_or(1);
        self.last_port
    }
}
