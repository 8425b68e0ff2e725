//! tonic's channel with the keep-alive of its endpoint, under a Watch of the health service.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use cardiogram::net::{Guests, Machine, TcpStream};
use futures_util::stream::unfold;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};
use tonic::transport::{Endpoint, Server, server::Connected};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_client::HealthClient},
    server::health_reporter,
};
use tower::service_fn;

use crate::{RETRY_AFTER, dial};

/// A client with these times that watches the server's health, and a server that never changes it.
pub fn guests(interval: Duration, timeout: Duration) -> Guests {
    let client = move |machine: Machine| async move {
        let channel = Endpoint::from_static("http://example.com")
            .connect_timeout(Duration::from_secs(10))
            .http2_keep_alive_interval(interval)
            .keep_alive_timeout(timeout)
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(service_fn(move |_| {
                let machine = machine.clone();
                async move { dial(&machine).await.map(TokioIo::new) }
            }));
        let mut health = HealthClient::new(channel);
        loop {
            // Whatever ended it, the client comes back.
            if let Ok(news) = health.watch(HealthCheckRequest::default()).await {
                let mut news = news.into_inner();
                while let Ok(Some(_)) = news.message().await {}
            }
            sleep(RETRY_AFTER).await;
        }
    };
    Guests::new().devices(client).servers(serve)
}

async fn serve(machine: Machine) -> cardiogram::net::Result {
    let listener = machine.listen(443)?;
    let (reporter, service) = health_reporter();
    reporter.set_service_status("", ServingStatus::Serving).await;
    let incoming = unfold(listener, |listener| async {
        let accepted = listener.accept().await.map(|(stream, _)| Accepted(stream));
        Some((accepted, listener))
    });
    Ok(Server::builder().add_service(service).serve_with_incoming(incoming).await?)
}

/// A connection as tonic's server wants it: it may tell where it comes from, which this one does not.
struct Accepted(TcpStream);

impl Connected for Accepted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Accepted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, space)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
