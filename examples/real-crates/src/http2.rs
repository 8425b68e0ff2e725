//! hyper's HTTP/2 with its keep-alive: a PING after so long without a frame, and the end when no frame comes in time.

use std::{convert::Infallible, error::Error, time::Duration};

use bytes::Bytes;
use cardiogram::net::{Guests, Machine};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming},
    client, server,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::sleep;

use crate::{RETRY_AFTER, dial};

/// A client with these times that holds one request open, and a server that never answers it in full, as watches do.
pub fn guests(interval: Duration, timeout: Duration) -> Guests {
    let client = move |machine: Machine| async move {
        loop {
            // Whatever ended it, the client comes back.
            let _ = watch(&machine, interval, timeout).await;
            sleep(RETRY_AFTER).await;
        }
    };
    Guests::new().devices(client).servers(serve)
}

async fn watch(machine: &Machine, interval: Duration, timeout: Duration) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stream = TokioIo::new(dial(machine).await?);
    let mut builder = client::conn::http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new());
    builder.keep_alive_interval(interval).keep_alive_timeout(timeout).keep_alive_while_idle(true);
    let (mut requests, connection) = builder.handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let request = Request::builder().uri("http://example.com/watch").body(Empty::<Bytes>::new())?;
    let mut body = requests.send_request(request).await?.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    connection.await??;
    Ok(())
}

async fn serve(machine: Machine) -> cardiogram::net::Result {
    let listener = machine.listen(443)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let answer = service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(Response::new(Endless)) });
        let builder = server::conn::http2::Builder::new(TokioExecutor::new());
        tokio::spawn(builder.serve_connection(TokioIo::new(stream), answer));
    }
}

/// A body that is never over.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Pending
    }
}
