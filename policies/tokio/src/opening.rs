//! From a dial to a connection that the server has welcomed.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use cardiogram_policies::LossReason;

use crate::{
    attempt::Attempt,
    connection::Connection,
    protocol::{Hello, Incoming, Protocol, Welcome},
    transport::Transport,
};

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Opens the transport to a server. Shared, since a session may open a second one.
pub(crate) type Dial<Io> = Arc<dyn Fn(u32) -> Boxed<io::Result<Io>> + Send + Sync>;

/// A connection that was welcomed, with the interval that the welcome directs.
pub(crate) struct Opened<Io, P> {
    pub(crate) connection: Connection<Io, P>,
    pub(crate) interval: Option<Duration>,
}

/// Opens a connection and introduces it. How long that may take is the caller's business.
pub(crate) async fn open<Io: Transport, P: Protocol>(
    dial: Dial<Io>,
    protocol: P,
    hello: Hello,
    attempt: Attempt,
) -> io::Result<Opened<Io, P>> {
    let io = dial(hello.server).await?;
    attempt.established();
    let mut connection = Connection::new(io, protocol, attempt.port(), hello.server, attempt.network());
    if connection.protocol.hello(&hello, &mut connection.out) == Welcome::NotNeeded {
        return Ok(Opened { connection, interval: None });
    }
    let interval = poll_fn(|context| {
        loop {
            let is_new = connection.exchange(true, context);
            while let Some((incoming, _)) = connection.next_incoming() {
                match incoming {
                    Incoming::Welcome { interval } => return Poll::Ready(Ok(interval)),
                    Incoming::Goodbye { reason, retry_after } => attempt.goodbye(reason, retry_after),
                    // What else is said before the welcome is between the protocol and the server.
                    _ => {}
                }
            }
            if connection.is_nonsense {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if let Some(reason) = connection.over {
                return Poll::Ready(Err(io::Error::from(kind(reason))));
            }
            if !is_new {
                return Poll::Pending;
            }
        }
    })
    .await?;
    Ok(Opened { connection, interval })
}

/// Returns the error that stands for the end of a connection that was no session yet.
const fn kind(reason: LossReason) -> io::ErrorKind {
    match reason {
        LossReason::KeepaliveTimeout
        | LossReason::RetransmissionTimeout
        | LossReason::UserTimeout
        | LossReason::DeadlinePassed => io::ErrorKind::TimedOut,
        LossReason::Unreachable => io::ErrorKind::HostUnreachable,
        LossReason::Aborted => io::ErrorKind::ConnectionAborted,
        LossReason::Reset | LossReason::Closed | LossReason::TooManyPings => io::ErrorKind::ConnectionReset,
    }
}
