//! Crates that keep connections alive, in the lab: each module has a client and a server of one crate, as whoever uses the crate
//! writes them. No crate is changed; each takes the stream that it is handed.
//!
//! What is compared with which preset is in `tests/noticing.rs`.

pub mod grpc;
pub mod http2;
pub mod mqtt;
pub mod resp;

use std::{io, time::Duration};

use cardiogram::net::{Machine, TcpStream};

/// How long a client waits from the end of a connection, or of an attempt, to the next attempt.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Answers every client of a server, each in a task of its own.
async fn serve<A: Future<Output = io::Result<()>> + Send + 'static>(
    machine: Machine,
    answer: impl Fn(TcpStream) -> A,
) -> cardiogram::net::Result {
    let listener = machine.listen(443)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream));
    }
}

/// Opens a connection to the server, with `TCP_NODELAY`.
async fn dial(machine: &Machine) -> io::Result<TcpStream> {
    let stream = machine.connect(machine.server(0)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
