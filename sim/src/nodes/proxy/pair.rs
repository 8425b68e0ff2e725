//! One connection through the proxy: the client's half, the server's, what waits to be passed on, and when it would end by
//! itself. Sans-IO: it says what is over and why; the proxy carries it out.

use cardiogram_policies::{Time, unit::Span};

use crate::{
    config::ProxyConfig,
    record::trace::Parting,
    wire::{frame::Frame, packet::Packet, transport::Transport},
};

pub(super) struct Pair {
    /// How many connections were accepted before it.
    pub(super) number: u64,
    pub(super) server: u32,
    pub(super) client: Transport,
    pub(super) upstream: Option<Transport>,
    /// Whose it is, once the client has said so.
    pub(super) device: Option<u32>,
    /// Whose it is, as the lab knows.
    pub(super) owner: Option<u32>,
    pub(super) stage: Stage,
    /// Read from the client and not yet taken by the upstream connection; and the other way round.
    up: Vec<u8>,
    down: Vec<u8>,
    /// When the client, and the server, sent something last; at first, when its half came up.
    heard_client: Time,
    heard_server: Time,
    /// When it is too old.
    pub(super) ends: Option<Time>,
}

/// How far a connection has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The client has not said whom it wants.
    Waiting,
    /// The upstream connection is on its way, until then.
    Connecting(Time),
    /// Bytes pass both ways.
    Joined,
    /// Both halves are ended; their kernel finishes them.
    Parted,
}

/// What the proxy has to do about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Connect to the server: the client, a device, has introduced itself.
    Connect(u32),
    /// Note that both halves are one now.
    Join,
    /// Tell the client that there is no way to the server.
    Refuse,
    /// End both halves.
    Part(Parting),
}

impl Pair {
    pub(super) fn new(number: u64, server: u32, client: Transport, now: Time) -> Self {
        Self {
            number,
            server,
            client,
            upstream: None,
            device: None,
            owner: None,
            stage: Stage::Waiting,
            up: Vec::new(),
            down: Vec::new(),
            heard_client: now,
            heard_server: now,
            ends: None,
        }
    }

    /// Reads and passes on what there is, and returns what is to be done about the connection, if anything is. `reads_frames`: what
    /// a client says first is the hello of the lab's own devices.
    pub(super) fn advance(&mut self, now: Time, reads_frames: bool, out: &mut Vec<Packet>) -> Option<Step> {
        match self.stage {
            Stage::Waiting => {
                self.read_client(now, out);
                if let Some(device) = if reads_frames { self.introduced() } else { self.called() } {
                    return Some(Step::Connect(device));
                }
                is_over(&self.client).then_some(Step::Part(Parting::ClientGone))
            }
            Stage::Connecting(_) => {
                let upstream = self.upstream.as_ref()?;
                if upstream.is_established() {
                    self.heard_server = now;
                    return Some(Step::Join);
                }
                if upstream.is_closed() {
                    return Some(Step::Refuse);
                }
                is_over(&self.client).then_some(Step::Part(Parting::ClientGone))
            }
            Stage::Joined => {
                self.pass_on(now, out);
                let upstream = self.upstream.as_ref().expect("both halves are up");
                if is_over(&self.client) {
                    return Some(Step::Part(Parting::ClientGone));
                }
                is_over(upstream).then_some(Step::Part(Parting::ServerGone))
            }
            Stage::Parted => None,
        }
    }

    /// Returns what is over at `now` by the proxy's own timers.
    pub(super) fn on_time(&self, config: &ProxyConfig, now: Time) -> Option<Step> {
        let (due, step) = self.deadline(config)?;
        (due <= now).then_some(step)
    }

    /// Returns when the proxy ends the connection by itself if nothing else happens, and what it does then.
    pub(super) fn deadline(&self, config: &ProxyConfig) -> Option<(Time, Step)> {
        let after = |since: Time, idle: Option<Span>| idle.map(|idle| since + idle.get());
        let part = |due: Option<Time>, why| Some((due?, Step::Part(why)));
        let age = part(self.ends, Parting::TooOld);
        let client = part(after(self.heard_client, config.client_idle), Parting::ClientIdle);
        let both = self.heard_client.max(self.heard_server);
        let both = part(after(both, config.idle), Parting::Idle);
        let first = |all: [Option<(Time, Step)>; 4]| all.into_iter().flatten().min_by_key(|(due, _)| *due);
        match self.stage {
            Stage::Waiting => first([age, client, both, None]),
            Stage::Connecting(until) => first([age, Some((until, Step::Refuse)), None, None]),
            Stage::Joined => {
                let server = part(after(self.heard_server, config.server_idle), Parting::ServerIdle);
                first([age, client, server, both])
            }
            Stage::Parted => None,
        }
    }

    /// Returns which device has introduced itself.
    fn introduced(&self) -> Option<u32> {
        match Frame::take(&mut self.up.clone())? {
            Frame::Hello { device, .. } | Frame::ProbeHello { device } => Some(device),
            _ => None,
        }
    }

    /// Returns whose client has said anything at all.
    fn called(&self) -> Option<u32> {
        self.owner.filter(|_| !self.up.is_empty())
    }

    fn read_client(&mut self, now: Time, out: &mut Vec<Packet>) {
        if self.client.readable() > 0 {
            self.heard_client = now;
            self.client.read(now, &mut self.up, out);
        }
    }

    /// What one half has, the other gets, as far as it takes any. Nothing is read while something still waits: a peer that does
    /// not read makes the other one's window shut.
    fn pass_on(&mut self, now: Time, out: &mut Vec<Packet>) {
        let upstream = self.upstream.as_mut().expect("both halves are up");
        if self.up.is_empty() && self.client.readable() > 0 {
            self.heard_client = now;
            self.client.read(now, &mut self.up, out);
        }
        write(upstream, &mut self.up, now, out);
        if self.down.is_empty() && upstream.readable() > 0 {
            self.heard_server = now;
            upstream.read(now, &mut self.down, out);
        }
        write(&mut self.client, &mut self.down, now, out);
    }

    /// Both halves, as far as they are there.
    pub(super) fn halves(&mut self) -> impl Iterator<Item = &mut Transport> {
        std::iter::once(&mut self.client).chain(&mut self.upstream)
    }
}

fn is_over(half: &Transport) -> bool {
    half.is_closed() || half.peer_closed()
}

fn write(half: &mut Transport, waiting: &mut Vec<u8>, now: Time, out: &mut Vec<Packet>) {
    if !waiting.is_empty() {
        let taken = half.write(now, waiting, out);
        waiting.drain(..taken);
        if waiting.is_empty() {
            // At rest a connection holds no buffers.
            *waiting = Vec::new();
        }
    }
}
