//! What carries a connection's bytes, and what a policy may want of it beside that.

use std::{io, time::Duration};

use cardiogram_policies::{Mechanism, heartbeat::Keepalive};
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes to a server, and what its socket can do for a policy.
///
/// What a *type* can do is known before anything runs ([`OFFERS`](Self::OFFERS)), so that a strategy that asks for more is
/// refused by name. A stream that only carries bytes is made one by [`Plain`]; a stream on top of a TCP connection, as
/// TLS is, keeps the connection's mechanisms by [`Socket::under`](crate::Socket::under).
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Which of [`Mechanism::Keepalive`], [`Mechanism::UserTimeout`] and [`Mechanism::LastHeard`] it can do. Default: none.
    const OFFERS: &'static [Mechanism] = &[];

    /// Switches the kernel's keepalive on with these times, or off.
    fn set_keepalive(&self, _: Option<Keepalive>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sets `TCP_USER_TIMEOUT`, or unsets it.
    fn set_user_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns how long ago the transport last heard anything from the peer, an acknowledgement included.
    fn last_heard(&self) -> io::Result<Duration> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(unix)]
impl Transport for tokio::net::UnixStream {}

/// Any stream, as a transport that carries bytes and can do nothing else.
#[derive(Debug)]
pub struct Plain<S>(pub S);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for Plain<S> {}

/// Carries the bytes of a wrapper's stream.
macro_rules! carry {
    ($wrapper:ident, $stream:tt) => {
        impl<S: tokio::io::AsyncRead + Unpin> tokio::io::AsyncRead for $wrapper<S> {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                into: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.$stream).poll_read(context, into)
            }
        }

        impl<S: tokio::io::AsyncWrite + Unpin> tokio::io::AsyncWrite for $wrapper<S> {
            fn poll_write(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.$stream).poll_write(context, bytes)
            }

            fn poll_flush(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.$stream).poll_flush(context)
            }

            fn poll_shutdown(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.$stream).poll_shutdown(context)
            }
        }
    };
}

carry!(Plain, 0);
pub(crate) use carry;
