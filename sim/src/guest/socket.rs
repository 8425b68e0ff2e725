//! A socket of a guest's host, in its kernel: a connection of the lab's TCP, who holds it and who waits for it, and what its end is to
//! its program.

use std::{io, task::Waker};

use cardiogram_policies::{AttemptFailure, LossReason};

use crate::wire::{
    tap::Tap,
    tcp::{Connection, Failure},
};

/// A socket.
pub(super) struct Socket {
    pub(super) tcp: Connection,
    /// Which of the host's sockets it is, counted from 0.
    pub(super) number: u64,
    /// Whose packets these are, as the lab knows.
    pub(super) device: Option<u32>,
    pub(super) up: Tap,
    pub(super) down: Tap,
    pub(super) holder: Holder,
    /// What other than TCP has ended it.
    pub(super) cut: Option<Cut>,
    /// Its establishment has been told.
    pub(super) is_established: bool,
    /// It has failed or been closed by the peer, and that has been told.
    pub(super) is_over: bool,
    /// The session that a server has told.
    pub(super) session: Option<Session>,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

/// Who other than TCP ends a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The system: its address is gone.
    Aborted,
    /// The balancer.
    Reset,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// It is not established yet, or not accepted.
    Listener,
    Program,
    /// Nobody: the kernel finishes it alone.
    Nobody,
}

/// A client's session as its server sees it.
#[derive(Clone, Copy)]
pub(super) struct Session {
    pub(super) device: u32,
    pub(super) network: u32,
    pub(super) outside: u16,
}

impl Socket {
    /// Returns what ended the connection, as an error of the operating system.
    pub(super) fn error(&self) -> Option<io::Error> {
        match self.cut {
            Some(Cut::Aborted) => return Some(io::ErrorKind::ConnectionAborted.into()),
            Some(Cut::Reset) => return Some(io::ErrorKind::ConnectionReset.into()),
            None => {}
        }
        let kind = match self.tcp.failure()? {
            Failure::Refused => io::ErrorKind::ConnectionRefused,
            Failure::Reset => io::ErrorKind::ConnectionReset,
            Failure::HostUnreachable => io::ErrorKind::HostUnreachable,
            Failure::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
            Failure::ConnectTimeout
            | Failure::KeepaliveTimeout
            | Failure::RetransmissionTimeout
            | Failure::UserTimeout => io::ErrorKind::TimedOut,
        };
        Some(kind.into())
    }

    /// Has `waker` woken when there is something to read.
    pub(super) fn read_by(&mut self, waker: &Waker) {
        self.reader = Some(waker.clone());
    }

    /// Has `waker` woken when the connection is established, or takes more to send.
    pub(super) fn written_by(&mut self, waker: &Waker) {
        self.writer = Some(waker.clone());
    }
}

/// Returns what the end of an established connection is to its program.
pub(super) const fn loss(failure: Option<Failure>) -> LossReason {
    match failure {
        None => LossReason::Closed,
        Some(Failure::KeepaliveTimeout) => LossReason::KeepaliveTimeout,
        Some(Failure::RetransmissionTimeout | Failure::ConnectTimeout) => LossReason::RetransmissionTimeout,
        Some(Failure::UserTimeout) => LossReason::UserTimeout,
        Some(Failure::Reset | Failure::Refused) => LossReason::Reset,
        Some(Failure::HostUnreachable | Failure::NetworkUnreachable) => LossReason::Unreachable,
    }
}

/// Returns what the end of an attempt is to its program.
pub(super) const fn attempt_failure(failure: Option<Failure>) -> AttemptFailure {
    match failure {
        Some(Failure::Refused) => AttemptFailure::Refused,
        Some(Failure::ConnectTimeout | Failure::RetransmissionTimeout | Failure::UserTimeout) => {
            AttemptFailure::Timeout
        }
        Some(Failure::HostUnreachable | Failure::NetworkUnreachable) => AttemptFailure::Unreachable,
        None | Some(Failure::Reset | Failure::KeepaliveTimeout) => AttemptFailure::Dropped,
    }
}
