//! The client: TCP, TLS over it, WebSocket over that, and a strategy that says when to ping, when to give up and when to come
//! back.

use std::net::SocketAddr;

use cardiogram_policies::StrategySpec;
use cardiogram_tokio::{BuildError, Link, Record, Socket, WebSocket, WebSocketMessage};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tls::{NAME, Tls};

/// Connects to the server at `address`, and stays connected as `strategy` says.
pub fn link(
    strategy: &StrategySpec,
    address: SocketAddr,
    tls: TlsConnector,
    record: impl Record,
) -> Result<Link<WebSocketMessage>, BuildError> {
    Link::builder(strategy)
        .dial(move |_| {
            let tls = tls.clone();
            async move {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                // So that keepalive, TCP_USER_TIMEOUT and TCP_INFO are there below TLS, too.
                let socket = Socket::of(&stream)?;
                Ok(socket.under(tls.connect(Tls::name(), stream).await?))
            }
        })
        .protocol(WebSocket::new(&format!("wss://{NAME}/")).expect("it is an address"))
        .record(record)
        .spawn()
}
