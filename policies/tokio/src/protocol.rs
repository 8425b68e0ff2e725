//! What is said over a connection. A protocol here is sans-IO as policies are: it writes into one buffer and reads from
//! another.

#[cfg(feature = "length-delimited")]
mod length_delimited;
#[cfg(feature = "lines")]
mod lines;
#[cfg(feature = "websocket")]
mod websocket;

use std::{io, time::Duration};

use bytes::BytesMut;

#[cfg(feature = "length-delimited")]
pub use self::length_delimited::LengthDelimited;
#[cfg(feature = "lines")]
pub use self::lines::Lines;
#[cfg(feature = "websocket")]
pub use self::websocket::{WebSocket, WebSocketMessage};

/// An application's protocol, as far as the driver has to know it.
///
/// Each connection speaks through a clone of its own of the one that the driver was given, so what a value notes is about
/// its connection alone. An answer that the protocol itself demands, to a server's ping for instance, is the protocol's
/// to write while it decodes.
pub trait Protocol: Clone + Send + 'static {
    /// What the application sends and receives.
    type Message: Send + 'static;

    /// Writes what is said first on a connection, and returns whether the server's welcome is waited for: until
    /// [`Incoming::Welcome`] there is an attempt, from then on a session. Default: nothing is said, and the connection is a
    /// session as soon as it is up.
    fn hello(&mut self, _hello: &Hello, _out: &mut BytesMut) -> Welcome {
        Welcome::NotNeeded
    }

    /// Writes a heartbeat that wants a reply. `id` rises by one from 0 on each connection; a protocol whose replies do not
    /// carry it leaves it out.
    fn heartbeat(&mut self, id: u32, out: &mut BytesMut);

    /// Writes a heartbeat that nobody answers, or the nearest thing that the protocol has.
    fn notice(&mut self, out: &mut BytesMut);

    /// Writes a message of the application.
    ///
    /// # Errors
    ///
    /// Where the protocol cannot say it: the message is dropped, and the application told
    /// ([`LinkEvent::MessageRefused`](crate::LinkEvent::MessageRefused)).
    fn encode(&mut self, message: Self::Message, out: &mut BytesMut) -> io::Result<()>;

    /// Takes the next thing from what has arrived, and writes what the protocol itself answers; `None`: more bytes are
    /// needed, and what is there stays for the next call.
    ///
    /// # Errors
    ///
    /// Where the bytes make no sense: the connection is closed.
    fn decode(&mut self, input: &mut BytesMut, answer: &mut BytesMut) -> io::Result<Option<Incoming<Self::Message>>>;
}

/// Whom a connection introduces, for [`Protocol::hello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    /// The server at the other end.
    pub server: u32,
    /// What the connection is for.
    pub purpose: Purpose,
    /// The heartbeat interval that the client announces where its protocol lets it.
    pub announces: Option<Duration>,
    /// The server is that of this client's last session, which it may go on with.
    pub resumes: bool,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be a session.
    Session,
    /// To carry heartbeats beside a session, and nothing else.
    Probe,
}

/// Whether a connection has to be welcomed before it is a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Welcome {
    /// It is one as soon as the transport is up.
    NotNeeded,
    /// The server has to say so.
    Awaited,
}

/// What a protocol finds in the bytes that have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<M> {
    /// The server welcomes the client, and may direct the heartbeat interval.
    Welcome {
        /// The interval that clients are to use from now on.
        interval: Option<Duration>,
    },
    /// The reply to a heartbeat.
    Reply {
        /// The heartbeat that it answers; `None`: the oldest one that has no reply.
        id: Option<u32>,
    },
    /// The server's word that something else of ours has arrived.
    Acknowledged,
    /// The server asks whether the client lives, or shows that it lives itself.
    Ping,
    /// The server tells clients to use this heartbeat interval.
    DirectedInterval(Duration),
    /// The server is about to close the connection, and says why and for how long.
    Goodbye {
        /// Why it is closed.
        reason: Goodbye,
        /// The client is not to come back before so long has passed.
        retry_after: Option<Duration>,
    },
    /// A message for the application.
    Message(M),
    /// Something else that shows that the server lives.
    Other,
}

/// Why a server says goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goodbye {
    /// The client's heartbeats come too often.
    TooManyPings,
    /// It has too much to do, or any other reason.
    Busy,
}

/// Returns the error of bytes that make no sense.
#[cfg(any(feature = "length-delimited", feature = "lines", feature = "websocket"))]
pub(crate) fn nonsense(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
