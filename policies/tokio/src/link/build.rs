//! How a link is put together, and what is refused before anything runs.

use std::{
    error::Error,
    fmt,
    future::Future,
    io,
    sync::{Arc, atomic::AtomicBool},
};

use cardiogram_policies::{AppState, Generators, Mechanism, Network, StrategySpec};
use tokio::sync::{Notify, mpsc, watch};

use super::{
    Link, LinkSender, WhileDown,
    driver::{Driver, Outside, Reporter},
};
use crate::{
    clock::Clock,
    fit::{Unfit, check_needs, transport_help},
    heart::Heart,
    memory::Store,
    opening::{Boxed, Dial, Opened, open},
    protocol::{Hello, Protocol, Purpose},
    record::Record,
    retry::{Check, Connect, Retry},
    seed,
    transport::Transport,
};

/// So many news wait for an application before nothing more is read, and so many messages for the link's task.
const WAITING: usize = 64;

/// Puts a [`Link`] together: how to reach the servers, what is spoken, and what else the strategy may use.
pub struct Builder<D, P> {
    dial: D,
    protocol: P,
    rest: Rest,
}

/// What has a default.
struct Rest {
    strategy: StrategySpec,
    servers: u32,
    first_server: u32,
    networks: Option<watch::Receiver<Option<Network>>>,
    app_state: Option<watch::Receiver<AppState>>,
    memory: Option<Box<dyn Store>>,
    record: Option<Box<dyn Record>>,
    check: Option<Check>,
    while_down: WhileDown,
    generators: Option<Generators>,
}

/// Why a link cannot be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The strategy cannot run here.
    Unfit(Unfit),
    /// What the policy has learnt before cannot be read.
    Memory(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit(unfit) => write!(f, "the strategy cannot run here:\n{unfit}"),
            Self::Memory(error) => write!(f, "what the policy has learnt before cannot be read: {error}"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unfit(unfit) => Some(unfit),
            Self::Memory(error) => Some(error),
        }
    }
}

impl From<Unfit> for BuildError {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl Builder<(), ()> {
    pub(super) fn new(strategy: &StrategySpec) -> Self {
        let rest = Rest {
            strategy: strategy.clone(),
            servers: 1,
            first_server: 0,
            networks: None,
            app_state: None,
            memory: None,
            record: None,
            check: None,
            while_down: WhileDown::Wait,
            generators: None,
        };
        Self { dial: (), protocol: (), rest }
    }
}

impl<D, P> Builder<D, P> {
    /// Sets how the transport to a server is opened, told by its number from 0 on: TCP's handshake, and TLS's where there is
    /// one. It may be asked for a second connection while there is one.
    pub fn dial<Io, F>(self, dial: impl Fn(u32) -> F + Send + Sync + 'static) -> Builder<Dialer<Io>, P>
    where
        F: Future<Output = io::Result<Io>> + Send + 'static,
    {
        let dial: Dial<Io> = Arc::new(move |server| -> Boxed<io::Result<Io>> { Box::pin(dial(server)) });
        Builder { dial: Dialer(dial), protocol: self.protocol, rest: self.rest }
    }

    /// Sets what is spoken. Each connection has a clone of it.
    pub fn protocol<Q: Protocol>(self, protocol: Q) -> Builder<D, Q> {
        Builder { dial: self.dial, protocol, rest: self.rest }
    }

    /// Sets how many servers there are. Default: 1.
    #[must_use]
    pub fn servers(mut self, servers: u32) -> Self {
        self.rest.servers = servers;
        self
    }

    /// Sets the server of the first attempt; let clients differ in it. Default: 0.
    #[must_use]
    pub fn first_server(mut self, server: u32) -> Self {
        self.rest.first_server = server;
        self
    }

    /// Sets where it hears of the network that the device is on, and of its absence. Default: one network that never changes.
    #[must_use]
    pub fn networks(mut self, networks: watch::Receiver<Option<Network>>) -> Self {
        self.rest.networks = Some(networks);
        self
    }

    /// Sets where it hears of the application's state. Default: it hears of none.
    #[must_use]
    pub fn app_state(mut self, state: watch::Receiver<AppState>) -> Self {
        self.rest.app_state = Some(state);
        self
    }

    /// Sets where the policy stores what it learns. Default: it begins anew with each process.
    #[must_use]
    pub fn memory(mut self, memory: impl Store) -> Self {
        self.rest.memory = Some(Box::new(memory));
        self
    }

    /// Sets what takes down everything that happens. Default: nothing does.
    #[must_use]
    pub fn record(mut self, record: impl Record) -> Self {
        self.rest.record = Some(Box::new(record));
        self
    }

    /// Sets how to find out whether the network carries anything, for a strategy with the rule `network_check`: told the
    /// number of the next server, answered within three seconds. [`network_carries`](crate::network_carries) does it.
    #[must_use]
    pub fn check<F>(mut self, mut check: impl FnMut(u32) -> F + Send + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        self.rest.check = Some(Box::new(move |server| -> Boxed<bool> { Box::pin(check(server)) }));
        self
    }

    /// Sets what becomes of messages while there is no session. Default: they wait.
    #[must_use]
    pub fn while_down(mut self, while_down: WhileDown) -> Self {
        self.rest.while_down = while_down;
        self
    }

    /// Sets the seed of everything that the policies draw, for tests. Default: the system's chance, so that clients that fail
    /// together do not come back together.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.generators(seed::seeded(seed))
    }

    /// Sets the generators that the policies draw from. A link that runs in the laboratory takes those of its machine, and then
    /// draws what the laboratory's own devices draw. Default: as for [`seed`](Self::seed).
    #[must_use]
    pub fn generators(mut self, generators: Generators) -> Self {
        self.rest.generators = Some(generators);
        self
    }
}

/// How the transport to a server is opened, as [`Builder::dial`] was told.
pub struct Dialer<Io>(Dial<Io>);

impl<Io: Transport, P: Protocol> Builder<Dialer<Io>, P> {
    /// Makes the link, whose work is done by a task of its own on the present runtime.
    ///
    /// # Errors
    ///
    /// Where the strategy contradicts itself or needs what is not there, or its memory cannot be read. Nothing runs then.
    pub fn spawn(self) -> Result<Link<P::Message>, BuildError> {
        let (link, work) = self.drive()?;
        tokio::spawn(work);
        Ok(link)
    }

    /// Makes the link and the work that it needs, for whoever polls that himself. It ends when the link is dropped.
    ///
    /// # Errors
    ///
    /// Where the strategy contradicts itself or needs what is not there, or its memory cannot be read.
    pub fn drive(self) -> Result<(Link<P::Message>, impl Future<Output = ()> + Send + use<Io, P>), BuildError> {
        let Self { dial: Dialer(dial), protocol, rest } = self;
        let Rest { strategy, memory, check, .. } = rest;
        let offers = |mechanism| match mechanism {
            Mechanism::Probe | Mechanism::Race => true,
            Mechanism::NetworkCheck => check.is_some(),
            other => Io::OFFERS.contains(&other),
        };
        check_needs(&strategy.needs(), offers, transport_help)?;
        let clock = Clock::new();
        let Generators { heartbeat, waits, rules } = rest.generators.unwrap_or_else(seed::of_the_system);
        let mut heart = Heart::with_generator(&strategy, heartbeat, clock)?;
        if let Some(memory) = memory {
            heart = heart.with_memory(memory).map_err(BuildError::Memory)?;
        }
        let connect = connector(dial.clone(), protocol.clone(), heart.announces);
        let mut retry =
            Retry::unchecked(&strategy, rest.servers, connect, waits, rules, clock)?.starting_at(rest.first_server);
        retry.set_check(check);

        let (news, for_link) = mpsc::channel(WAITING);
        let (outbox, for_driver) = mpsc::channel(WAITING);
        let (try_now, is_up) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let sender = LinkSender::new(outbox, is_up.clone(), rest.while_down);
        let driver = Driver {
            retry,
            heart,
            beside: (protocol, dial),
            outside: Outside { networks: rest.networks, app_state: rest.app_state, try_now: try_now.clone() },
            reporter: Reporter::new(clock, rest.record, news),
            outbox: for_driver,
            is_up,
            while_down: rest.while_down,
        };
        Ok((Link { news: for_link, sender, try_now }, driver.run()))
    }
}

/// Returns what makes a session's connection.
fn connector<Io: Transport, P: Protocol>(
    dial: Dial<Io>,
    protocol: P,
    announces: Option<std::time::Duration>,
) -> Connect<Opened<Io, P>> {
    Box::new(move |attempt| {
        let purpose = Purpose::Session;
        let hello = Hello { server: attempt.server(), purpose, announces, resumes: attempt.resumes() };
        Box::pin(open(dial.clone(), protocol.clone(), hello, attempt))
    })
}

impl Store for Box<dyn Store> {
    fn load(&mut self) -> io::Result<Option<String>> {
        (**self).load()
    }

    fn save(&mut self, memory: &str) -> io::Result<()> {
        (**self).save(memory)
    }
}
