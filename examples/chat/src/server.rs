//! The server: what one client says, all hear. Pings are answered by tungstenite.

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::broadcast,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;

/// Serves until it is dropped.
pub async fn run(listener: TcpListener, acceptor: TlsAcceptor) {
    let (say, _) = broadcast::channel::<String>(64);
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, say) = (acceptor.clone(), say.clone());
        // One client's end is nobody else's.
        tokio::spawn(async move {
            let _ = serve(stream, acceptor, say).await;
        });
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    say: broadcast::Sender<String>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut socket = tokio_tungstenite::accept_async(acceptor.accept(stream).await?).await?;
    let mut said = say.subscribe();
    socket.send(Message::text("welcome")).await?;
    loop {
        select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => drop(say.send(text.to_string())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(()),
            },
            text = said.recv() => socket.send(Message::text(text?)).await?,
        }
    }
}
