//! A WebSocket client that keeps its connection by pings, and a server for it. Nothing in this file knows of the lab: the client
//! takes any stream, a `tokio::net::TcpStream` in the product.

pub mod lab;

use std::{future::Future, io, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, interval_at, sleep, timeout},
};
use tokio_tungstenite::{
    accept_async, client_async,
    tungstenite::{Error, Message},
};

/// How the client keeps its connection.
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive {
    /// From one ping to the next.
    pub ping_every: Duration,
    /// How long the pong may take.
    pub pong_within: Duration,
    /// How long connecting may take.
    pub connect_within: Duration,
    /// From the end of a connection, or of an attempt, to the next attempt.
    pub retry_after: Duration,
}

/// Stays connected, over whatever `dial` opens. It never returns.
pub async fn stay_connected<S, F>(dial: impl Fn() -> F, keep_alive: KeepAlive)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = io::Result<S>>,
{
    loop {
        // Whatever ended it, the client comes back.
        if let Ok(Ok(stream)) = timeout(keep_alive.connect_within, dial()).await {
            let _ = session(stream, keep_alive).await;
        }
        sleep(keep_alive.retry_after).await;
    }
}

/// One connection, up to its end.
async fn session<S: AsyncRead + AsyncWrite + Unpin>(stream: S, keep_alive: KeepAlive) -> Result<(), Error> {
    let (mut socket, _) = client_async("ws://example.com/", stream).await?;
    let mut pings = interval_at(Instant::now() + keep_alive.ping_every, keep_alive.ping_every);
    loop {
        tokio::select! {
            // In the order of the branches, and not in a random one: so a run can be repeated.
            biased;
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(message) => drop(message?),
            },
            _ = pings.tick() => {
                socket.send(Message::Ping(Vec::new().into())).await?;
                let pong = async {
                    while !matches!(socket.next().await.ok_or(Error::ConnectionClosed)??, Message::Pong(_)) {}
                    Ok::<_, Error>(())
                };
                timeout(keep_alive.pong_within, pong).await.map_err(|_| Error::ConnectionClosed)??;
            }
        }
    }
}

/// Serves one client: tungstenite answers its pings while the stream is read.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    while let Some(Ok(_)) = socket.next().await {}
}
