//! One end of a TCP connection, sans-IO, with the timing of Linux.
//!
//! The lab has its own TCP because its clock decides every result: SYN retries, the retransmission timeout and its
//! bounds, the tail-loss probe, keepalive, user timeout and delayed acknowledgements run exactly as the kernel runs them,
//! on ideal timers, or on its wheel, which is up to 7 % late (`docs/kernel-replay.md`).
//!
//! What it is not: there is no congestion control beyond one segment at a time after a timeout, no SACK, no fast
//! retransmit, no urgent data, no simultaneous open, no window scaling of our own. Heartbeats never fill a window;
//! `docs/limits.md` says what that could change.
//!
//! - `send`: the send queue, retransmission, tail-loss and window probes.
//! - `receive`: what arrives, reassembly, the state machine.
//! - `ack`: when to acknowledge.
//! - `timer`: the timers and what they do.
//! - `error`: what an ICMP error changes.
//! - `wheel`: how late they fire, where they are a kernel's.

mod ack;
mod config;
mod error;
mod receive;
mod rtt;
mod send;
#[cfg(test)]
mod tests;
mod timer;
mod wheel;

use std::{net::SocketAddrV4, sync::Arc, time::Duration};

use cardiogram_policies::{Time, heartbeat::Keepalive};

use self::{ack::AckPolicy, receive::Receiver, send::Sender, timer::KeepaliveTimer, wheel::Clock};
pub use self::{config::TcpConfig, wheel::Wheel};
use crate::wire::packet::{Flags, Options, Packet};

/// One end of a connection.
pub struct Connection {
    config: Arc<TcpConfig>,
    local: SocketAddrV4,
    remote: SocketAddrV4,
    state: State,
    failure: Option<Failure>,
    /// No process owns the connection any more: the kernel finishes it.
    orphan: bool,
    /// What it sent still waits within the host, and is not sent a second time (`skb_still_in_host_queue`).
    held: bool,
    send: Sender,
    receive: Receiver,
    ack: AckPolicy,
    keepalive: KeepaliveTimer,
    user_timeout: Option<Duration>,
    /// What an ICMP error has said since anything was acknowledged: it is told where the connection times out (`sk_err_soft`).
    soft_error: Option<Failure>,
    /// When `TIME_WAIT`, or the wait for the peer's FIN, ends.
    expires: Option<Time>,
}

/// The states of RFC 9293.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the RFC's own names
pub enum State {
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
    Closed,
}

/// Why a connection closed before its time: what the process would find in `errno`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// RST in answer to a SYN: `ECONNREFUSED`.
    Refused,
    /// SYN retries, or the user timeout while connecting, ran out: `ETIMEDOUT`.
    ConnectTimeout,
    /// RST: `ECONNRESET`, or `EPIPE` where the peer had closed its side before.
    Reset,
    /// Keepalive probes went unanswered: `ETIMEDOUT`.
    KeepaliveTimeout,
    /// Data, a FIN or window probes went unanswered until the bound: `ETIMEDOUT`.
    RetransmissionTimeout,
    /// They went unanswered until the user timeout: `ETIMEDOUT`.
    UserTimeout,
    /// A router, or the host's own kernel, said that the peer cannot be reached: `EHOSTUNREACH`.
    HostUnreachable,
    /// A router said so of the peer's network: `ENETUNREACH`.
    NetworkUnreachable,
}

impl Connection {
    /// Opens a connection: sends SYN.
    pub fn connect(
        config: Arc<TcpConfig>,
        now: Time,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        iss: u32,
        out: &mut Vec<Packet>,
    ) -> Self {
        let mut connection = Self::new(config, local, remote, iss, State::SynSent);
        connection.send_syn(now, out);
        connection
    }

    /// Answers a SYN: sends SYN-ACK.
    pub fn accept(
        config: Arc<TcpConfig>,
        now: Time,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        iss: u32,
        syn: &Packet,
        out: &mut Vec<Packet>,
    ) -> Self {
        let mut connection = Self::new(config, local, remote, iss, State::SynReceived);
        connection.take_syn(now, syn);
        connection.send_syn(now, out);
        connection
    }

    fn new(config: Arc<TcpConfig>, local: SocketAddrV4, remote: SocketAddrV4, iss: u32, state: State) -> Self {
        let send = Sender::new(iss, &config);
        Self {
            receive: Receiver::default(),
            ack: AckPolicy::new(&config),
            keepalive: KeepaliveTimer::default(),
            user_timeout: None,
            soft_error: None,
            expires: None,
            failure: None,
            orphan: false,
            held: false,
            send,
            config,
            local,
            remote,
            state,
        }
    }

    /// Queues bytes and sends what may be sent now. Returns how many were taken: fewer than given where the send buffer
    /// is full, none where the connection does not send any more.
    pub fn write(&mut self, now: Time, data: &[u8], out: &mut Vec<Packet>) -> usize {
        let sends = matches!(self.state, State::SynSent | State::SynReceived | State::Established | State::CloseWait);
        if !sends || self.orphan {
            return 0;
        }
        let taken = self.send.queue(data, self.config.send_buffer);
        self.output(now, out);
        taken
    }

    /// Bytes that wait to be read.
    pub fn readable(&self) -> usize {
        self.receive.readable()
    }

    /// Moves all readable bytes to the end of `into`; acknowledges them where no answer is expected, and tells the peer
    /// where that opens a window that was nearly shut.
    pub fn read(&mut self, now: Time, into: &mut Vec<u8>, out: &mut Vec<Packet>) {
        self.read_some(now, usize::MAX, into, out);
    }

    /// Moves at most `limit` readable bytes to the end of `into`, and does what [`read`](Self::read) does.
    pub fn read_some(&mut self, now: Time, limit: usize, into: &mut Vec<u8>, out: &mut Vec<Packet>) {
        let before = u32::from(self.receive.window(&self.config));
        let unread = self.receive.readable();
        self.receive.read(limit, into);
        if unread == 0 || !self.is_synchronised() {
            return;
        }
        // `tcp_cleanup_rbuf`: an update is worth a packet when the window at least doubles, and what was read is
        // acknowledged unless the process is expected to answer.
        let opened = u32::from(self.receive.window(&self.config)) >= (2 * before).max(1);
        if (opened && !self.receive.finished()) || self.ack.is_due_on_read() {
            self.send_ack(now, out);
        }
    }

    /// Returns whether the peer has closed its side and everything before its FIN can be read or was.
    pub fn peer_closed(&self) -> bool {
        self.receive.finished()
    }

    /// Closes both directions, as `close(2)` does: FIN behind the queued data, or RST where received data was not read.
    /// The connection then belongs to nobody; data that still arrives draws RST.
    pub fn close(&mut self, now: Time, out: &mut Vec<Packet>) {
        self.keepalive.set(None);
        self.orphan = true;
        match self.state {
            State::Closed => {}
            State::SynSent => self.state = State::Closed,
            _ if self.receive.readable() > 0 => self.abort(now, out),
            State::FinWait2 if self.expires.is_none() => self.expires = Some(now + self.config.fin_timeout),
            _ => self.send_fin(now, out),
        }
    }

    /// Closes the direction of sending, as `shutdown(2)` with `SHUT_WR` does: FIN behind the queued data. What the peer sends
    /// can still be read, for as long as it sends.
    pub fn shutdown(&mut self, now: Time, out: &mut Vec<Packet>) {
        self.send_fin(now, out);
    }

    /// Queues FIN, if it is not queued yet.
    fn send_fin(&mut self, now: Time, out: &mut Vec<Packet>) {
        self.state = match self.state {
            State::SynReceived | State::Established => State::FinWait1,
            State::CloseWait => State::LastAck,
            _ => return,
        };
        self.send.queue_fin();
        self.output(now, out);
    }

    /// Ends the connection with RST.
    pub fn abort(&mut self, now: Time, out: &mut Vec<Packet>) {
        if self.is_synchronised() && self.state != State::TimeWait {
            let packet = self.packet(now, self.send.next(), Flags::RST | Flags::ACK, Vec::new());
            out.push(packet);
        }
        self.orphan = true;
        self.state = State::Closed;
    }

    /// Switches keepalive on or off (`SO_KEEPALIVE` with `TCP_KEEPIDLE`, `TCP_KEEPINTVL`, `TCP_KEEPCNT`).
    pub fn set_keepalive(&mut self, now: Time, keepalive: Option<Keepalive>) {
        self.keepalive.set(keepalive);
        self.keepalive.start(self.clock(now), self.receive.last_segment());
    }

    /// Sets or unsets `TCP_NODELAY`. What has waited for an acknowledgement goes out when it is set.
    pub fn set_nodelay(&mut self, now: Time, nodelay: bool, out: &mut Vec<Packet>) {
        if self.config.nodelay != nodelay {
            self.config = Arc::new(TcpConfig { nodelay, ..(*self.config).clone() });
            self.output(now, out);
        }
    }

    /// Returns whether `TCP_NODELAY` is set.
    pub fn nodelay(&self) -> bool {
        self.config.nodelay
    }

    /// Says whether what was sent still waits within the host.
    pub fn set_held(&mut self, held: bool) {
        self.held = held;
    }

    /// Sets or unsets `TCP_USER_TIMEOUT`.
    pub fn set_user_timeout(&mut self, timeout: Option<Duration>) {
        self.user_timeout = timeout;
    }

    /// Returns the state of the connection, as RFC 9293 names it.
    pub fn state(&self) -> State {
        self.state
    }

    /// Why the connection is closed; `None`: it is not, or it ended in order.
    pub fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// This end's address.
    pub fn local(&self) -> SocketAddrV4 {
        self.local
    }

    /// Returns the other end's address.
    pub fn remote(&self) -> SocketAddrV4 {
        self.remote
    }

    /// Returns when a segment of the peer's that belongs to the conversation arrived last: data, or an acknowledgement, a
    /// keepalive probe's included (`tcpi_last_data_recv` and `tcpi_last_ack_recv` of `TCP_INFO`). Zero: none has yet.
    pub fn last_heard(&self) -> Time {
        self.receive.last_segment()
    }

    /// Bytes that were written and not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.send.queued()
    }

    /// From now on it sends again for as long as it takes, and never asks whether the peer is alive.
    pub(crate) fn endure(&mut self, now: Time) {
        self.set_keepalive(now, None);
        self.set_user_timeout(None);
        self.config = Arc::new(TcpConfig { retries: 10_000, ..(*self.config).clone() });
    }

    /// Bytes on the heap.
    #[cfg(test)]
    fn heap_bytes(&self) -> usize {
        self.send.heap_bytes() + self.receive.heap_bytes()
    }

    /// Returns what timers are set from.
    fn clock(&self, now: Time) -> Clock {
        Clock { now, host: *self.local.ip(), wheel: self.config.wheel }
    }

    fn is_synchronised(&self) -> bool {
        !matches!(self.state, State::SynSent | State::Closed)
    }

    fn fail(&mut self, failure: Failure) {
        self.state = State::Closed;
        self.failure = Some(failure);
    }

    /// Gives the connection up after a timeout. An error that has come in the meantime tells more of why (`tcp_write_err`).
    fn time_out(&mut self, failure: Failure) {
        self.fail(self.soft_error.unwrap_or(failure));
    }

    /// Returns a packet of this connection; carries the acknowledgement that is due.
    fn packet(&mut self, now: Time, seq: u32, flags: Flags, payload: Vec<u8>) -> Packet {
        let ack = if flags.has(Flags::ACK) { self.receive.next() } else { 0 };
        let window = if flags.has(Flags::RST) { 0 } else { self.receive.window(&self.config) };
        let timestamps = (!flags.has(Flags::RST) && self.send.timestamps())
            .then(|| (timestamp(now), self.receive.timestamp_to_echo()));
        if flags.has(Flags::ACK) {
            self.ack.sent();
            self.receive.sent_acknowledgement();
        }
        let options = Options { timestamps, ..Options::default() };
        let (src, dst) = (self.local, self.remote);
        Packet { src, dst, seq, ack, flags, window, options, payload, unreachable: None, device: None }
    }

    fn send_ack(&mut self, now: Time, out: &mut Vec<Packet>) {
        let packet = self.packet(now, self.send.next(), Flags::ACK, Vec::new());
        out.push(packet);
    }
}

/// Returns the RST that answers a segment of a connection nobody knows; none answers a RST or an error.
pub fn reset_for(packet: &Packet) -> Option<Packet> {
    if packet.flags.has(Flags::RST) || packet.unreachable.is_some() {
        return None;
    }
    let (seq, ack, flags) = if packet.flags.has(Flags::ACK) {
        (packet.ack, 0, Flags::RST)
    } else {
        (0, packet.seq.wrapping_add(packet.seq_len()), Flags::RST | Flags::ACK)
    };
    let options = Options::default();
    let (src, dst, device) = (packet.dst, packet.src, packet.device);
    Some(Packet { src, dst, seq, ack, flags, window: 0, options, payload: Vec::new(), unreachable: None, device })
}

/// Returns the clock of the timestamps option: milliseconds, never 0, which would mean "none".
fn timestamp(now: Time) -> u32 {
    (now.as_micros() / 1_000) as u32 + 1
}

/// Returns whether sequence number `a` lies before `b` (RFC 9293, 3.4).
fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}
