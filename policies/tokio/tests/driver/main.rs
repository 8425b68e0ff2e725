//! The driver at its boundary, in tokio's paused time but for real sockets. Files say what they hold; the small world that
//! they share is `common`.

mod common;
mod levels;
mod link;
mod sockets;
