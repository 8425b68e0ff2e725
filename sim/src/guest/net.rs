//! What a guest has of its host: [`Machine`], and sockets that are used as tokio's are.

use std::{
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use cardiogram_policies::{AppState, Generators, Network, PolicyRng, Time, heartbeat::Keepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    task::coop,
    time::Instant,
};

use super::{
    kernel::Kernel,
    owner::Owner,
    runtime::{Gate, lock},
};
use crate::{
    fate::random,
    wire::{
        address,
        tcp::{Connection, State},
    },
};

/// The machine that a guest runs on: a device or a server of the world.
#[derive(Clone)]
pub struct Machine {
    kernel: Arc<Mutex<Kernel>>,
    gate: Arc<Gate>,
    origin: Instant,
    /// The process that it belongs to.
    process: u32,
}

impl Machine {
    pub(super) fn new(kernel: Arc<Mutex<Kernel>>, gate: Arc<Gate>, origin: Instant) -> Self {
        let process = lock(&kernel).process();
        Self { kernel, gate, origin, process }
    }

    /// Returns which device, or which server, it is.
    pub fn number(&self) -> u32 {
        match self.owner() {
            Owner::Device(number) | Owner::Server(number) => number,
        }
    }

    /// Returns the address of a server, counted from 0, at the port where the lab's servers listen. Panics where the world has
    /// no such server.
    pub fn server(&self, number: u32) -> SocketAddr {
        let servers = lock(&self.kernel).servers();
        assert!(number < servers, "there is no server {number} in a world of {servers}: they are counted from 0");
        address::server(number).into()
    }

    /// Returns the time since the begin of the run.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Returns a generator for what the program draws, by a name of the program's choice: of its own for each name, machine and
    /// process, and seeded by the seed of the run.
    pub fn generator(&self, name: &str) -> PolicyRng {
        let component = match self.owner() {
            Owner::Device(_) => format!("guest/device/{name}"),
            Owner::Server(_) => format!("guest/server/{name}"),
        };
        let index = u64::from(self.number()) + (u64::from(self.process) << 32);
        Box::new(random::stream(lock(&self.kernel).seed(), &component, index))
    }

    /// Returns the generators of policies that the program hosts. On a device they are those that the lab's own device would have
    /// in its place, so that its policies draw the same.
    pub fn generators(&self) -> Generators {
        match self.owner() {
            Owner::Device(number) => random::of_policies(lock(&self.kernel).seed(), number, u64::from(self.process)),
            Owner::Server(_) => Generators {
                heartbeat: self.generator("heartbeat"),
                waits: self.generator("waits"),
                rules: self.generator("rules"),
            },
        }
    }

    /// Returns what tells a device's program which network the device is on, and that it is on none (`None`), as systems do: by
    /// then, connections over an address that is gone have ended with `ConnectionAborted`, unless the scenario says otherwise.
    pub fn networks(&self) -> watch::Receiver<Option<Network>> {
        lock(&self.kernel).networks()
    }

    /// Returns what tells a device's program whether the application is on the screen; `None` in a world that does not say.
    pub fn app_states(&self) -> Option<watch::Receiver<AppState>> {
        lock(&self.kernel).states.as_ref().map(watch::Sender::subscribe)
    }

    /// Connects, as `connect(2)` does. Whoever wants to wait for less than the kernel does uses tokio's `timeout`.
    ///
    /// It fails on a server, on a device without a network, and where `to` is no server of the world.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let SocketAddr::V4(to) = to else {
            return Err(io::Error::new(io::ErrorKind::NetworkUnreachable, "the lab's network is IPv4"));
        };
        poll_fn(|context| self.poll_goes_on(context)).await?;
        let slot = self.with(|kernel, now| kernel.connect(to, now))??;
        let stream = TcpStream { machine: self.clone(), slot };
        poll_fn(|context| stream.poll_established(context)).await?;
        Ok(stream)
    }

    /// Polls for the program not having to wait.
    pub(super) fn poll_goes_on(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        let waits = self.with(|kernel, now| kernel.holds_back(context.waker(), now))?;
        if waits { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Listens at a port, on all addresses of the machine.
    pub fn listen(&self, port: u16) -> io::Result<TcpListener> {
        self.with(|kernel, _| kernel.listen(port))??;
        Ok(TcpListener { machine: self.clone(), port })
    }

    pub(super) fn owner(&self) -> Owner {
        lock(&self.kernel).owner()
    }

    /// Returns the time of the run.
    pub(super) fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    /// The program that had to end is dropped. At the end of the run that is an error; before it, its process was killed.
    pub(super) fn note_unfinished(&self) {
        if self.gate.is_over() {
            self.gate.note_unfinished(self.number());
        }
    }

    /// Acts on the machine's kernel. There is one while the run lasts, for those who are part of it.
    fn with<T>(&self, act: impl FnOnce(&mut Kernel, Time) -> T) -> io::Result<T> {
        if self.gate.is_over() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the run that the socket belongs to is over"));
        }
        if tokio::runtime::Handle::try_current().is_err() {
            let message = "a socket of the lab is used by a thread that is not part of the run";
            return Err(io::Error::other(message));
        }
        let now = self.now();
        let mut kernel = lock(&self.kernel);
        if kernel.process() != self.process {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the process that the socket belongs to was killed",
            ));
        }
        Ok(act(&mut kernel, now))
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Machine").field(&self.owner()).finish()
    }
}

/// A listener, used as tokio's is. When it is dropped, whoever waits to be accepted is reset.
#[derive(Debug)]
pub struct TcpListener {
    machine: Machine,
    port: u16,
}

impl TcpListener {
    /// Accepts the next connection, and returns it with the address of its client as this side of all NATs sees it.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// Polls for the next connection.
    pub fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let proceeds = ready!(coop::poll_proceed(context));
        let accepted = self.machine.with(|kernel, now| {
            if kernel.holds_back(context.waker(), now) { None } else { kernel.accept(self.port, context.waker(), now) }
        })?;
        let Some(slot) = accepted else { return Poll::Pending };
        proceeds.made_progress();
        let stream = TcpStream { machine: self.machine.clone(), slot };
        let peer = stream.peer_addr()?;
        Poll::Ready(Ok((stream, peer)))
    }

    /// Returns the port that it listens at.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        // At the end of a run there is nothing left to stop.
        let _ = self.machine.with(|kernel, now| kernel.stop_listening(self.port, now));
    }
}

/// A connection, used as tokio's `TcpStream` is. `tokio::io::split` makes two halves of it.
///
/// As with the operating system's, Nagle's algorithm is on until [`set_nodelay`](Self::set_nodelay) switches it off. Dropping it
/// is `close(2)`: FIN behind what waits to be sent, or RST where something was not read.
pub struct TcpStream {
    machine: Machine,
    slot: u32,
}

impl TcpStream {
    /// Returns this end's address. On a device it is the one behind all NATs.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp(|tcp| Ok(SocketAddr::V4(tcp.local())))
    }

    /// Returns the other end's address. Fails where there is no connection.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp(|tcp| match tcp.state() {
            State::SynSent | State::Closed => Err(io::ErrorKind::NotConnected.into()),
            _ => Ok(SocketAddr::V4(tcp.remote())),
        })
    }

    /// Returns whether `TCP_NODELAY` is set.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.tcp(|tcp| Ok(tcp.nodelay()))
    }

    /// Sets or unsets `TCP_NODELAY`.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.act(|tcp, now, out| tcp.set_nodelay(now, nodelay, out))
    }

    /// Switches keepalive on or off: `SO_KEEPALIVE` with `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT`.
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        self.act(|tcp, now, _| tcp.set_keepalive(now, keepalive))
    }

    /// Sets or unsets `TCP_USER_TIMEOUT`.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.act(|tcp, _, _| tcp.set_user_timeout(timeout))
    }

    /// Returns how long ago the kernel heard from the other end: the smaller of `tcpi_last_data_recv` and `tcpi_last_ack_recv`
    /// of `TCP_INFO`.
    pub fn last_heard(&self) -> io::Result<Duration> {
        self.machine.with(|kernel, now| kernel.shows(now).since(kernel.socket(self.slot).tcp.last_heard()))
    }

    fn tcp<T>(&self, ask: impl FnOnce(&Connection) -> io::Result<T>) -> io::Result<T> {
        self.machine.with(|kernel, _| ask(&kernel.socket(self.slot).tcp))?
    }

    fn act<T>(
        &self,
        act: impl FnOnce(&mut Connection, Time, &mut Vec<crate::wire::packet::Packet>) -> T,
    ) -> io::Result<T> {
        self.machine.with(|kernel, now| kernel.act(self.slot, now, act))
    }

    fn poll_established(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.machine.poll_goes_on(context))?;
        self.machine.with(|kernel, _| {
            let socket = kernel.socket(self.slot);
            match (socket.error(), socket.tcp.state()) {
                (Some(error), _) => Poll::Ready(Err(error)),
                (None, State::SynSent) => {
                    socket.written_by(context.waker());
                    Poll::Pending
                }
                (None, _) => Poll::Ready(Ok(())),
            }
        })?
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream").field("local", &self.local_addr()).field("peer", &self.peer_addr()).finish()
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let proceeds = ready!(coop::poll_proceed(context));
        let read = self.machine.with(|kernel, now| {
            if kernel.holds_back(context.waker(), now) {
                return Poll::Pending;
            }
            if into.remaining() == 0 {
                return Poll::Ready(Ok(Vec::new()));
            }
            let socket = kernel.socket(self.slot);
            if socket.tcp.readable() > 0 {
                let mut bytes = Vec::new();
                let limit = into.remaining();
                kernel.act(self.slot, now, |tcp, now, out| tcp.read_some(now, limit, &mut bytes, out));
                return Poll::Ready(Ok(bytes));
            }
            if let Some(error) = socket.error() {
                return Poll::Ready(Err(error));
            }
            if socket.tcp.peer_closed() || socket.tcp.state() == State::Closed {
                return Poll::Ready(Ok(Vec::new()));
            }
            socket.read_by(context.waker());
            Poll::Pending
        })?;
        let bytes = ready!(read)?;
        proceeds.made_progress();
        into.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let proceeds = ready!(coop::poll_proceed(context));
        let written = self.machine.with(|kernel, now| {
            if kernel.holds_back(context.waker(), now) {
                return Poll::Pending;
            }
            let socket = kernel.socket(self.slot);
            if let Some(error) = socket.error() {
                return Poll::Ready(Err(error));
            }
            if !matches!(socket.tcp.state(), State::Established | State::CloseWait) {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let taken = kernel.act(self.slot, now, |tcp, now, out| tcp.write(now, bytes, out));
            if taken == 0 && !bytes.is_empty() {
                kernel.socket(self.slot).written_by(context.waker());
                return Poll::Pending;
            }
            Poll::Ready(Ok(taken))
        })?;
        let taken = ready!(written)?;
        proceeds.made_progress();
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the direction of sending, as `shutdown(2)` does. To the records of the run a device that does so has given the
    /// session up.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.machine.poll_goes_on(context))?;
        self.machine.with(|kernel, now| kernel.shutdown(self.slot, now))?;
        Poll::Ready(Ok(()))
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        // At the end of a run nothing is closed any more.
        let _ = self.machine.with(|kernel, now| kernel.let_go(self.slot, now));
    }
}
