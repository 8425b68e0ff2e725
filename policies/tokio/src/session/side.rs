//! Second connections beside a session: one for probes, one that races with it. Neither outlives the session.
//!
//! A *probe* carries nothing but heartbeats, for a policy that would rather lose that connection than the session. In a *race*
//! another attempt is made beside the session, for a policy that doubts the session and would not lose time (gRPC's proposal
//! A8): whichever answers first wins, the session by anything that arrives on it, the rival by its welcome.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use cardiogram_policies::{Event, GiveUp, Mechanism, Time};
use tokio::time::sleep;

use super::{Session, Step};
use crate::{
    attempt::Attempt,
    connection::Connection,
    event::LinkEvent,
    opening::{Boxed, Opened, open},
    protocol::{Hello, Incoming, Protocol, Purpose},
    transport::Transport,
};

/// A second connection.
pub(super) struct Side<Io, P> {
    port: u16,
    stage: Stage<Io, P>,
}

enum Stage<Io, P> {
    Opening(Boxed<io::Result<Opened<Io, P>>>),
    Up(Box<Connection<Io, P>>),
}

impl<Io: Transport, P: Protocol> Session<'_, Io, P> {
    /// Begins to open a second connection to the session's server, within the time of an attempt; `None`: there can be none.
    fn open_side(&mut self, purpose: Purpose) -> Option<Side<Io, P>> {
        let (protocol, dial) = self.beside.clone()?;
        let (server, network) = (self.connection.server, self.connection.network);
        let port = self.take_port();
        let resumes = purpose == Purpose::Session;
        let hello = Hello { server, purpose, announces: self.heart.announces, resumes };
        let opening = open(dial, protocol, hello, Attempt::new(server, port, network, resumes));
        let patience = self.heart.connect_timeout;
        let opening = async move {
            tokio::select! {
                biased;
                opened = opening => opened,
                () = sleep(patience) => Err(io::ErrorKind::TimedOut.into()),
            }
        };
        Some(Side { port, stage: Stage::Opening(Box::pin(opening)) })
    }

    pub(super) fn open_probe(&mut self) {
        if self.probe.is_some() {
            return;
        }
        self.probe = self.open_side(Purpose::Probe);
        if let Some(Side { port, .. }) = self.probe {
            let server = self.connection.server;
            self.note(LinkEvent::ProbeStarted { port, server });
        } else {
            self.note(LinkEvent::Refused(Mechanism::Probe));
            self.heart.tell(&Event::ProbeLost);
        }
    }

    /// Sends a heartbeat on the probe connection, if it is up.
    pub(super) fn send_probe(&mut self, id: u32, now: Time) {
        if let Some(Side { stage: Stage::Up(probe), .. }) = &mut self.probe {
            probe.beat(id, now);
            self.note(LinkEvent::ProbeSent { id });
        }
    }

    pub(super) fn close_probe(&mut self) {
        if self.probe.take().is_some() {
            self.note(LinkEvent::ProbeClosed);
        }
    }

    /// Starts a race, unless one is on.
    pub(super) fn race(&mut self) {
        if self.rival.is_some() {
            return;
        }
        self.rival = self.open_side(Purpose::Session);
        if let Some(Side { port, .. }) = self.rival {
            let server = self.connection.server;
            self.note(LinkEvent::RaceStarted { port, server });
        } else {
            self.note(LinkEvent::Refused(Mechanism::Race));
        }
    }

    /// The race, if there is one, is over, and the rival is closed.
    pub(super) fn session_wins(&mut self) {
        if let Some(Side { port, .. }) = self.rival.take() {
            self.note(LinkEvent::RaceLost { port });
        }
    }

    /// Notes that the connections beside the session end with it.
    pub(super) fn note_end_of_sides(&mut self) {
        if self.probe.is_some() {
            self.note(LinkEvent::ProbeClosed);
        }
        if let Some(Side { port, .. }) = self.rival {
            self.note(LinkEvent::RaceLost { port });
        }
    }

    /// Takes note of what the probe connection has for the policy; returns whether it had anything.
    pub(super) fn notice_probe(&mut self, context: &mut Context<'_>) -> bool {
        let now = self.now();
        let Some(Side { stage, .. }) = &mut self.probe else { return false };
        match stage {
            Stage::Opening(opening) => match Pin::new(opening).poll(context) {
                Poll::Pending => return false,
                Poll::Ready(Ok(Opened { connection, .. })) => {
                    *stage = Stage::Up(Box::new(connection));
                    self.note(LinkEvent::ProbeConnected);
                    self.heart.tell(&Event::ProbeConnected);
                }
                Poll::Ready(Err(_)) => self.probe_lost(),
            },
            Stage::Up(probe) => {
                let mut any = probe.exchange(true, context);
                let mut answers = Vec::new();
                while let Some((incoming, _)) = probe.next_incoming() {
                    any = true;
                    if let Incoming::Reply { id } = incoming {
                        answers.extend(probe.answered(id, now));
                    }
                }
                let is_over = probe.over.is_some();
                for (id, rtt) in answers {
                    self.note(LinkEvent::ProbeAnswered { id, rtt });
                    self.heart.tell(&Event::ProbeReply { id, rtt });
                }
                if is_over {
                    self.probe_lost();
                }
                return any;
            }
        }
        true
    }

    fn probe_lost(&mut self) {
        self.probe = None;
        self.note(LinkEvent::ProbeLost);
        self.heart.tell(&Event::ProbeLost);
    }

    /// Takes note of how the race stands; returns whether it is over.
    pub(super) fn notice_rival(&mut self, context: &mut Context<'_>) -> bool {
        let Some(Side { stage: Stage::Opening(opening), .. }) = &mut self.rival else { return false };
        match Pin::new(opening).poll(context) {
            Poll::Pending => return false,
            Poll::Ready(Ok(opened)) => self.rival_wins(opened),
            Poll::Ready(Err(_)) => self.session_wins(),
        }
        true
    }

    /// The rival takes the session's place.
    fn rival_wins(&mut self, Opened { connection, interval }: Opened<Io, P>) {
        self.rival = None;
        self.note(LinkEvent::GivenUp { port: self.connection.port, reason: GiveUp::NoReply });
        self.connection = connection;
        self.close_probe();
        let (port, server) = (self.connection.port, self.connection.server);
        self.steps.push_back(Step::Replaced(server));
        self.note(LinkEvent::Connected { port, server });
        self.connected(interval);
    }
}
