//! One connection: its stream, what it speaks, the bytes on their way, and the heartbeats that wait for their replies. It
//! decides nothing.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use cardiogram_policies::{LossReason, Network, Time};
use tokio::{io::ReadBuf, time::Instant};

use crate::{
    protocol::{Incoming, Protocol},
    transport::Transport,
};

/// How many bytes are read before they are looked at.
const ROUND: usize = 65_536;
/// More heartbeats without a reply than any policy keeps in mind.
const MOST_BEATS: usize = 1_024;

pub(crate) struct Connection<Io, P> {
    pub(crate) io: Io,
    pub(crate) protocol: P,
    /// The number that stands for it in records.
    pub(crate) port: u16,
    pub(crate) server: u32,
    /// The network that it was opened over.
    pub(crate) network: Network,
    /// Bytes that have arrived and are not decoded.
    input: BytesMut,
    /// Bytes that are to be written.
    pub(crate) out: BytesMut,
    is_flushed: bool,
    beats: VecDeque<(u32, Time)>,
    /// When bytes last arrived.
    pub(crate) heard: Instant,
    /// How it ended, as the transport tells.
    pub(crate) over: Option<LossReason>,
    /// What has arrived makes no sense.
    pub(crate) is_nonsense: bool,
    options: Options,
}

/// What was asked of the kernel, by which a timeout of its own can be told.
#[derive(Default)]
struct Options {
    keepalive: bool,
    user_timeout: bool,
    /// Something was written since anything arrived.
    waits: bool,
}

impl<Io: Transport, P: Protocol> Connection<Io, P> {
    pub(crate) fn new(io: Io, protocol: P, port: u16, server: u32, network: Network) -> Self {
        Self {
            io,
            protocol,
            port,
            server,
            network,
            input: BytesMut::new(),
            out: BytesMut::new(),
            is_flushed: true,
            beats: VecDeque::new(),
            heard: Instant::now(),
            over: None,
            is_nonsense: false,
            options: Options::default(),
        }
    }

    /// Reads what has arrived, if it `may_read`, and writes what the transport takes; the one never waits for the other.
    /// Returns whether anything is new to look at.
    pub(crate) fn exchange(&mut self, may_read: bool, context: &mut Context<'_>) -> bool {
        let was_over = self.over.is_some();
        let before = self.input.len();
        if may_read {
            self.read(context);
        }
        self.write(context);
        self.input.len() > before || self.over.is_some() != was_over
    }

    fn read(&mut self, context: &mut Context<'_>) {
        while self.over.is_none() && self.input.len() < ROUND {
            let mut space = [0; 8_192];
            let mut arrived = ReadBuf::new(&mut space);
            match Pin::new(&mut self.io).poll_read(context, &mut arrived) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if arrived.filled().is_empty() => self.over = Some(LossReason::Closed),
                Poll::Ready(Ok(())) => {
                    self.input.extend_from_slice(arrived.filled());
                    self.heard = Instant::now();
                    self.options.waits = false;
                }
                Poll::Ready(Err(error)) => self.over = Some(self.loss(&error)),
            }
        }
    }

    /// Writes what the transport takes. A peer that has closed its direction may still read: it gets the answers to what it had
    /// said before.
    pub(crate) fn write(&mut self, context: &mut Context<'_>) {
        while !self.out.is_empty() && matches!(self.over, None | Some(LossReason::Closed)) {
            match Pin::new(&mut self.io).poll_write(context, &self.out) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => self.over = Some(LossReason::Aborted),
                Poll::Ready(Ok(written)) => {
                    self.out.advance(written);
                    (self.is_flushed, self.options.waits) = (false, true);
                }
                Poll::Ready(Err(error)) => self.over = Some(self.loss(&error)),
            }
        }
        if !self.is_flushed && self.over.is_none() {
            match Pin::new(&mut self.io).poll_flush(context) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.is_flushed = true,
                Poll::Ready(Err(error)) => self.over = Some(self.loss(&error)),
            }
        }
    }

    /// Takes the next thing that has arrived, with whether the protocol has written an answer to it. Bytes that make no
    /// sense end the connection.
    pub(crate) fn next_incoming(&mut self) -> Option<(Incoming<P::Message>, bool)> {
        let before = self.out.len();
        match self.protocol.decode(&mut self.input, &mut self.out) {
            Ok(Some(incoming)) => Some((incoming, self.out.len() > before)),
            Ok(None) => None,
            Err(_) => {
                self.input.clear();
                (self.over, self.is_nonsense) = (Some(LossReason::Aborted), true);
                None
            }
        }
    }

    /// Writes a heartbeat that wants a reply.
    pub(crate) fn beat(&mut self, id: u32, now: Time) {
        if self.beats.len() == MOST_BEATS {
            self.beats.pop_front();
        }
        self.beats.push_back((id, now));
        self.protocol.heartbeat(id, &mut self.out);
    }

    /// Returns the heartbeat that a reply is for, and its round trip. It and all before it are waited for no more.
    pub(crate) fn answered(&mut self, id: Option<u32>, now: Time) -> Option<(u32, Duration)> {
        let at = id.map_or(Some(0), |id| self.beats.iter().position(|(sent, _)| *sent == id))?;
        let (id, sent) = self.beats.drain(..(at + 1).min(self.beats.len())).next_back()?;
        Some((id, now.since(sent)))
    }

    /// Asks the socket for an option of TCP's.
    pub(crate) fn set_keepalive(
        &mut self,
        keepalive: Option<cardiogram_policies::heartbeat::Keepalive>,
    ) -> io::Result<()> {
        self.options.keepalive = keepalive.is_some();
        self.io.set_keepalive(keepalive)
    }

    pub(crate) fn set_user_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.options.user_timeout = timeout.is_some();
        self.io.set_user_timeout(timeout)
    }

    /// Returns what an error of the stream means. The kernel has one word for its three timeouts: which it was is told from
    /// what it was asked for.
    fn loss(&self, error: &io::Error) -> LossReason {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::UnexpectedEof => LossReason::Closed,
            Kind::ConnectionReset | Kind::BrokenPipe => LossReason::Reset,
            Kind::TimedOut if self.options.user_timeout => LossReason::UserTimeout,
            Kind::TimedOut if self.options.keepalive && !self.options.waits => LossReason::KeepaliveTimeout,
            Kind::TimedOut => LossReason::RetransmissionTimeout,
            Kind::HostUnreachable | Kind::NetworkUnreachable => LossReason::Unreachable,
            _ => LossReason::Aborted,
        }
    }
}
