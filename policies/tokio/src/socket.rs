//! The options of TCP sockets: keepalive, `TCP_USER_TIMEOUT`, `TCP_INFO`, as far as the platform has them.

use std::{io, time::Duration};

use cardiogram_policies::{Mechanism, heartbeat::Keepalive};
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::transport::{Transport, carry};

/// What a TCP socket of this platform can do.
#[cfg(any(target_os = "linux", target_os = "android"))]
const OFFERS: &[Mechanism] = &[Mechanism::Keepalive, Mechanism::UserTimeout, Mechanism::LastHeard];
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const OFFERS: &[Mechanism] = &[Mechanism::Keepalive];

impl Transport for TcpStream {
    const OFFERS: &'static [Mechanism] = OFFERS;

    fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        set_keepalive(&SockRef::from(self), keepalive)
    }

    fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        set_user_timeout(&SockRef::from(self), timeout)
    }

    fn last_heard(&self) -> io::Result<Duration> {
        last_heard(&SockRef::from(self))
    }
}

/// A second handle to a TCP connection's socket, for the options of a connection whose stream is inside another one, as TLS
/// is. Taken before the stream is handed over:
///
/// ```no_run
/// # use cardiogram_tokio::{Layered, Socket};
/// # use tokio::net::TcpStream;
/// # async fn tls(tcp: TcpStream) -> std::io::Result<TcpStream> { Ok(tcp) }
/// async fn dial() -> std::io::Result<Layered<TcpStream>> {
///     let tcp = TcpStream::connect("push.example:443").await?;
///     let socket = Socket::of(&tcp)?;
///     Ok(socket.under(tls(tcp).await?))
/// }
/// ```
#[derive(Debug)]
pub struct Socket(socket2::Socket);

impl Socket {
    /// Returns a handle to the socket of a connection.
    ///
    /// # Errors
    ///
    /// Where the system has no more handles for this process.
    pub fn of(stream: &TcpStream) -> io::Result<Self> {
        SockRef::from(stream).try_clone().map(Self)
    }

    /// Returns the stream that runs over this socket with the socket's mechanisms.
    pub fn under<S>(self, stream: S) -> Layered<S> {
        Layered { stream, socket: self.0 }
    }
}

/// A stream over a TCP connection that keeps that connection's mechanisms; made by [`Socket::under`].
#[derive(Debug)]
pub struct Layered<S> {
    stream: S,
    socket: socket2::Socket,
}

carry!(Layered, stream);

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static> Transport for Layered<S> {
    const OFFERS: &'static [Mechanism] = OFFERS;

    fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        set_keepalive(&self.socket, keepalive)
    }

    fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        set_user_timeout(&self.socket, timeout)
    }

    fn last_heard(&self) -> io::Result<Duration> {
        last_heard(&self.socket)
    }
}

/// The kernel counts whole seconds: what is less becomes the next one.
fn whole_seconds(span: Duration) -> Duration {
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    Duration::from_secs(seconds.max(1))
}

fn set_keepalive(socket: &socket2::Socket, keepalive: Option<Keepalive>) -> io::Result<()> {
    let Some(Keepalive { idle, interval, count }) = keepalive else { return socket.set_keepalive(false) };
    let times = socket2::TcpKeepalive::new().with_time(whole_seconds(idle)).with_interval(whole_seconds(interval));
    socket.set_tcp_keepalive(&times.with_retries(count))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout(socket: &socket2::Socket, timeout: Option<Duration>) -> io::Result<()> {
    socket.set_tcp_user_timeout(timeout)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_user_timeout(_: &socket2::Socket, _: Option<Duration>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
use self::info::last_heard;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn last_heard(_: &socket2::Socket) -> io::Result<Duration> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `TCP_INFO`: what the kernel knows of a connection.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod info {
    use std::{io, time::Duration};

    use nix::{getsockopt_impl, libc, sockopt_impl, sys::socket::GetSockOpt};

    /// The first fields of the kernel's `struct tcp_info` (`include/uapi/linux/tcp.h`), which have stood there since Linux
    /// 2.4; a kernel fills as much as it is asked for.
    #[repr(C)]
    #[derive(Clone, Copy)]
    #[expect(unreachable_pub, reason = "it stands in an implementation of a public trait")]
    pub struct FirstFields {
        /// State and options, then sizes and counts.
        _unused: ([u8; 8], [u32; 9]),
        _last_data_sent: u32,
        _last_ack_sent: u32,
        /// Milliseconds since data arrived.
        last_data_recv: u32,
        /// Milliseconds since an acknowledgement arrived, that of a keepalive probe included.
        last_ack_recv: u32,
    }

    sockopt_impl!(Info, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, FirstFields);

    /// The kernel counts ticks between two of its own, of 10 ms at most (`CONFIG_HZ`): what it says may be one too many, and a
    /// peer that has acknowledged at once would count as not heard since.
    const TICK: Duration = Duration::from_millis(10);

    pub(super) fn last_heard(socket: &socket2::Socket) -> io::Result<Duration> {
        let info = Info.get(socket)?;
        let said = Duration::from_millis(info.last_data_recv.min(info.last_ack_recv).into());
        Ok(said.saturating_sub(TICK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_gets_whole_seconds_and_never_less_than_it_was_told() {
        assert_eq!(whole_seconds(Duration::ZERO), Duration::from_secs(1));
        assert_eq!(whole_seconds(Duration::from_millis(1_500)), Duration::from_secs(2));
        assert_eq!(whole_seconds(Duration::from_secs(75)), Duration::from_secs(75));
    }
}
