//! Drives a measured strategy on real sockets: what `cardiogram` has judged in its laboratory is what ships.
//!
//! - [`Link`]: a connection that is kept alive and made anew. Most programs need nothing else.
//! - [`Session`]: a heartbeat on one connection, for programs that reconnect by themselves.
//! - [`Retry`]: a reconnect policy alone, for connections that are kept alive by themselves.
//!
//! All of it is generic over the [`Transport`] (anything that reads and writes; keepalive, `TCP_USER_TIMEOUT` and `TCP_INFO`
//! where the socket has them) and over the [`Protocol`] (hello, heartbeat, encode, decode). Protocols stand behind features:
//! `Lines` (`lines`) and `LengthDelimited` (`length-delimited`), which are there by default, and `WebSocket` (`websocket`).
//!
//! A blocked write never delays reading or a deadline. What arrives at the moment of a deadline counts before it does. Time is
//! tokio's, so that a program's tests with a paused clock are exact. A strategy that asks for what is not there is refused
//! by name, before anything runs ([`Unfit`]).
//!
//! What this crate is not: it holds no policy (that is `cardiogram-policies`), and it drives the client's side only.

#![forbid(unsafe_code)]

#[cfg(all(doctest, feature = "lines"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod attempt;
mod check;
mod clock;
mod connection;
mod event;
mod fit;
mod heart;
mod link;
mod memory;
mod opening;
mod protocol;
mod record;
mod retry;
mod seed;
mod session;
mod socket;
mod transport;

#[cfg(feature = "length-delimited")]
pub use protocol::LengthDelimited;
#[cfg(feature = "lines")]
pub use protocol::Lines;
#[cfg(feature = "websocket")]
pub use protocol::{WebSocket, WebSocketMessage};

pub use self::{
    attempt::Attempt,
    check::network_carries,
    event::{LinkEvent, News},
    fit::Unfit,
    heart::Heart,
    link::{BuildError, Builder, Dialer, Link, LinkSender, SendError, WhileDown},
    memory::{FileStore, Store},
    protocol::{Goodbye, Hello, Incoming, Protocol, Purpose, Welcome},
    record::{JsonLines, Record},
    retry::{Retry, RetryNews},
    session::Session,
    socket::{Layered, Socket},
    transport::{Plain, Transport},
};
