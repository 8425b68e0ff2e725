//! Connecting, and connecting again, as a reconnect policy says: waits, attempts, checks of the network. What a connection is
//! good for is not known here.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    task::{Context, Poll},
    time::Duration,
};

use cardiogram_policies::{
    AppState, AttemptFailure, Generators, Mechanism, Network, PolicyRng, Reconnect, ReconnectAction, ReconnectEvent,
    ServerChoice, StrategySpec, Time, reconnect::Ended,
};
use tokio::time::timeout;

use crate::{
    attempt::{Attempt, Word},
    check::PATIENCE,
    clock::{Alarm, Clock},
    event::LinkEvent,
    fit::{Unfit, check_needs, check_spec, transport_help},
    opening::Boxed,
    seed,
};

/// The network of a client that is not told of any.
pub(crate) const UNKNOWN_NETWORK: Network = Network::cellular(0);

/// Checks whether the network carries anything; told which server is the next one.
pub(crate) type Check = Box<dyn FnMut(u32) -> Boxed<bool> + Send>;

/// Makes a connection.
pub(crate) type Connect<T> = Box<dyn FnMut(Attempt) -> Boxed<io::Result<T>> + Send>;

/// A reconnect policy at work: makes connections by a function of yours, when and where the policy says.
///
/// It stands on its own for clients that keep their connections alive by themselves:
///
/// ```no_run
/// # use cardiogram_policies::{preset, LossReason, reconnect::Ended};
/// # use cardiogram_tokio::Retry;
/// # use tokio::net::TcpStream;
/// # async fn use_it(_: TcpStream) {}
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let strategy = preset::find("wechat-270").expect("a preset").spec();
/// let mut retry = Retry::new(&strategy, 1, |_| TcpStream::connect("push.example:443"))?;
/// while let Some(stream) = retry.connect().await {
///     use_it(stream).await;
///     retry.lost(Ended::Transport(LossReason::Closed));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Retry<T> {
    policy: Box<dyn Reconnect>,
    clock: Clock,
    connect: Connect<T>,
    check: Option<Check>,
    servers: u32,
    /// The one of the last attempt, or of the first one to come.
    server: u32,
    last_session: Option<u32>,
    network: Option<Network>,
    app_state: Option<AppState>,
    connect_timeout: Duration,
    phase: Phase<T>,
    alarm: Alarm,
    news: VecDeque<RetryNews<T>>,
    /// The number of the last connection.
    port: u16,
}

/// What a [`Retry`] tells.
#[derive(Debug)]
pub enum RetryNews<T> {
    /// Something happened.
    Event(LinkEvent),
    /// A connection is made.
    Connected(T),
}

enum Phase<T> {
    /// An attempt is to be made at once.
    Ready,
    /// The next attempt is due at this time, to this server, and may take so long, or the strategy's connect timeout.
    Waiting {
        due: Time,
        server: u32,
        timeout: Option<Duration>,
    },
    /// A check of the network is due at this time.
    Pausing {
        due: Time,
    },
    /// The network is being checked.
    Checking(Boxed<bool>),
    /// An attempt is under way, until this time.
    Connecting {
        attempt: Attempt,
        connection: Boxed<io::Result<T>>,
        until: Time,
    },
    Connected,
    /// The policy has stopped.
    Stopped,
}

impl<T> Retry<T> {
    /// Returns the reconnect policy of a strategy for a client that knows `servers` servers, numbered from 0, with what makes
    /// a connection. An attempt that takes longer than the policy gives it, or else the strategy's `connect_timeout`, is dropped.
    ///
    /// # Errors
    ///
    /// Where the strategy contradicts itself, or checks the network: that needs [`with_check`](Self::with_check).
    pub fn new<F>(
        strategy: &StrategySpec,
        servers: u32,
        mut connect: impl FnMut(Attempt) -> F + Send + 'static,
    ) -> Result<Self, Unfit>
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
    {
        let connect = Box::new(move |attempt| -> Boxed<io::Result<T>> { Box::pin(connect(attempt)) });
        let Generators { waits, rules, .. } = seed::of_the_system();
        let retry = Self::unchecked(strategy, servers, connect, waits, rules, Clock::new())?;
        let needs: Vec<_> =
            strategy.needs().into_iter().filter(|need| need.mechanism == Mechanism::NetworkCheck).collect();
        check_needs(&needs, |_| false, transport_help)?;
        Ok(retry)
    }

    /// As [`new`](Self::new), with what checks whether the network carries anything; it is told the number of the next server,
    /// and has three seconds.
    ///
    /// # Errors
    ///
    /// Where the strategy contradicts itself.
    pub fn with_check<F, C>(
        strategy: &StrategySpec,
        servers: u32,
        mut connect: impl FnMut(Attempt) -> F + Send + 'static,
        mut check: impl FnMut(u32) -> C + Send + 'static,
    ) -> Result<Self, Unfit>
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
        C: Future<Output = bool> + Send + 'static,
    {
        let connect = Box::new(move |attempt| -> Boxed<io::Result<T>> { Box::pin(connect(attempt)) });
        let Generators { waits, rules, .. } = seed::of_the_system();
        let mut retry = Self::unchecked(strategy, servers, connect, waits, rules, Clock::new())?;
        retry.check = Some(Box::new(move |server| Box::pin(check(server))));
        Ok(retry)
    }

    /// As above, for whoever has looked at the strategy's needs.
    pub(crate) fn unchecked(
        strategy: &StrategySpec,
        servers: u32,
        connect: Connect<T>,
        waits: PolicyRng,
        rules: PolicyRng,
        clock: Clock,
    ) -> Result<Self, Unfit> {
        check_spec(strategy)?;
        let servers = servers.max(1);
        Ok(Self {
            policy: strategy.build_reconnect(servers, waits, rules),
            clock,
            connect,
            check: None,
            servers,
            server: 0,
            last_session: None,
            network: Some(UNKNOWN_NETWORK),
            app_state: None,
            connect_timeout: strategy.connect_timeout.get(),
            phase: Phase::Ready,
            alarm: Alarm::default(),
            news: VecDeque::new(),
            port: 0,
        })
    }

    pub(crate) fn set_check(&mut self, check: Option<Check>) {
        self.check = check;
    }

    /// Sets the server of the first attempt. Default: 0.
    #[must_use]
    pub fn starting_at(mut self, server: u32) -> Self {
        self.server = server % self.servers;
        self
    }

    /// Returns the next connection; `None` when the policy has stopped. After that it may be called again: it goes on when the
    /// network or the application's state changes, or [`try_now`](Self::try_now) was called.
    pub async fn connect(&mut self) -> Option<T> {
        loop {
            match self.next().await {
                RetryNews::Connected(connection) => return Some(connection),
                RetryNews::Event(LinkEvent::Stopped) => return None,
                RetryNews::Event(_) => {}
            }
        }
    }

    /// Returns what happens next. While there is a connection, and after the policy has stopped, that is nothing. It may be
    /// dropped and called anew.
    pub async fn next(&mut self) -> RetryNews<T> {
        poll_fn(|context| self.poll_next(context)).await
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<RetryNews<T>> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Poll::Ready(news);
            }
            // Without a network nobody tries: its coming is what is waited for.
            let network = self.network;
            match &mut self.phase {
                Phase::Ready => match network {
                    Some(network) => self.attempt(network, None),
                    None => return Poll::Pending,
                },
                Phase::Waiting { due, server, timeout } => {
                    let (due, server, timeout) = (*due, *server, *timeout);
                    let Some(network) = network else { return Poll::Pending };
                    if self.is_to_come(due, context) {
                        return Poll::Pending;
                    }
                    self.server = server;
                    self.attempt(network, timeout);
                }
                Phase::Pausing { due } => {
                    let due = *due;
                    if network.is_none() || self.is_to_come(due, context) {
                        return Poll::Pending;
                    }
                    self.begin_check();
                }
                Phase::Checking(answer) => match answer.as_mut().poll(context) {
                    Poll::Ready(carries) => self.checked(carries),
                    Poll::Pending => return Poll::Pending,
                },
                Phase::Connecting { until, .. } => {
                    let until = *until;
                    if self.look(context) {
                        continue;
                    }
                    if !self.is_to_come(until, context) {
                        self.failed(AttemptFailure::Timeout);
                    } else if self.news.is_empty() {
                        return Poll::Pending;
                    }
                }
                Phase::Connected | Phase::Stopped => return Poll::Pending,
            }
        }
    }

    /// Takes note of how the attempt under way stands; returns whether it is over.
    pub(crate) fn look(&mut self, context: &mut Context<'_>) -> bool {
        let Phase::Connecting { attempt, connection, .. } = &mut self.phase else { return false };
        let polled = connection.as_mut().poll(context);
        let attempt = attempt.clone();
        for word in attempt.take_words() {
            self.hear(word);
        }
        match polled {
            Poll::Ready(Ok(connection)) => self.connected(&attempt, connection),
            Poll::Ready(Err(error)) => self.failed(attempt.failure(&error)),
            Poll::Pending => return false,
        }
        // Its deadline wakes nobody any more.
        self.alarm.set(None);
        true
    }

    /// Returns whether a time is still to come, after which the task is woken.
    fn is_to_come(&mut self, due: Time, context: &mut Context<'_>) -> bool {
        self.alarm.set(self.clock.instant(due));
        self.alarm.poll(context).is_pending()
    }

    /// Tells the policy that the connection is gone, and how it ended.
    pub fn lost(&mut self, ended: Ended) {
        self.tell(&ReconnectEvent::Lost(ended));
        self.plan();
    }

    /// Tells the policy that a server wants the client to stay away for a while, before the connection's end is told.
    pub fn retry_after(&mut self, wait: Duration) {
        self.tell(&ReconnectEvent::RetryAfter(wait));
    }

    /// Tells the policy that the device moved to another network, or lost it. Without a network no attempt is made.
    pub fn network_changed(&mut self, network: Option<Network>) {
        if std::mem::replace(&mut self.network, network) == network {
            return;
        }
        if matches!(self.phase, Phase::Ready) {
            return;
        }
        self.tell(&ReconnectEvent::NetworkChanged(network));
        let is_idle =
            matches!(self.phase, Phase::Waiting { .. } | Phase::Pausing { .. } | Phase::Checking(_) | Phase::Stopped);
        // Without one there is nothing to plan until the next.
        if is_idle && network.is_some() {
            self.plan();
        }
    }

    /// Tells the policy that the application went to another state.
    pub fn app_state(&mut self, state: AppState) {
        if self.app_state.replace(state) == Some(state) {
            return;
        }
        self.tell(&ReconnectEvent::AppState(state));
        let is_idle = matches!(self.phase, Phase::Waiting { .. } | Phase::Pausing { .. } | Phase::Stopped);
        if is_idle && self.network.is_some() {
            self.plan_again();
        }
    }

    /// Tells the policy that the application has something to send, where it plans no attempt: one that is on call makes one
    /// at once.
    pub fn wanted(&mut self) {
        if matches!(self.phase, Phase::Stopped) {
            self.tell(&ReconnectEvent::Wanted);
            if self.network.is_some() {
                self.plan_again();
            }
        }
    }

    /// Returns whether the policy plans no attempt.
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.phase, Phase::Stopped)
    }

    /// Makes an attempt at once, whatever the policy says, where none is under way and there is no connection.
    pub fn try_now(&mut self) {
        if !matches!(self.phase, Phase::Connecting { .. } | Phase::Connected) {
            self.phase = Phase::Ready;
        }
    }

    /// Tells the policy that a second connection has taken the place of the one that there was.
    pub(crate) fn replaced(&mut self, server: u32) {
        self.server = server;
        self.last_session = Some(server);
        for event in [
            ReconnectEvent::Lost(Ended::GivenUp(cardiogram_policies::GiveUp::NoReply)),
            ReconnectEvent::AttemptStarted { server },
            ReconnectEvent::Established,
            ReconnectEvent::Connected,
        ] {
            self.tell(&event);
        }
    }

    /// Sets from which number on connections are counted: a second connection beside a session has one, too.
    pub(crate) fn count_from(&mut self, port: u16) {
        self.port = port;
    }

    fn tell(&mut self, event: &ReconnectEvent) {
        self.policy.on_event(self.clock.now(), event);
    }

    fn note(&mut self, event: LinkEvent) {
        self.news.push_back(RetryNews::Event(event));
    }

    fn attempt(&mut self, network: Network, timeout: Option<Duration>) {
        let (now, server) = (self.clock.now(), self.server);
        self.port = self.port.checked_add(1).unwrap_or(1);
        let attempt = Attempt::new(server, self.port, network, self.last_session == Some(server));
        self.note(LinkEvent::AttemptStarted { port: self.port, server });
        self.tell(&ReconnectEvent::AttemptStarted { server });
        let connection = (self.connect)(attempt.clone());
        self.phase = Phase::Connecting { attempt, connection, until: now + timeout.unwrap_or(self.connect_timeout) };
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Established => self.tell(&ReconnectEvent::Established),
            Word::Goodbye { reason, retry_after } => {
                self.note(LinkEvent::GoodbyeReceived { reason, retry_after });
                if let Some(wait) = retry_after {
                    self.tell(&ReconnectEvent::RetryAfter(wait));
                }
            }
        }
    }

    fn connected(&mut self, attempt: &Attempt, connection: T) {
        attempt.established();
        for word in attempt.take_words() {
            self.hear(word);
        }
        let (port, server) = (attempt.port(), attempt.server());
        self.phase = Phase::Connected;
        self.last_session = Some(server);
        self.note(LinkEvent::Connected { port, server });
        self.tell(&ReconnectEvent::Connected);
        self.news.push_back(RetryNews::Connected(connection));
    }

    fn failed(&mut self, failure: AttemptFailure) {
        self.note(LinkEvent::AttemptFailed(failure));
        self.tell(&ReconnectEvent::AttemptFailed(failure));
        self.plan();
    }

    /// Asks the policy and does as it says.
    fn plan(&mut self) {
        let verdict = self.policy.next(self.clock.now());
        self.follow(verdict);
    }

    /// Asks it again, since something has happened that may matter to it; where it keeps to its plan nothing happens.
    fn plan_again(&mut self) {
        let now = self.clock.now();
        let verdict = self.policy.next(now);
        let is_kept = match (verdict, &self.phase) {
            (
                ReconnectAction::TryAfter { wait, server, timeout },
                Phase::Waiting { due, server: planned, timeout: own },
            ) => now + wait == (*due).max(now) && self.number(server) == *planned && timeout == *own,
            (ReconnectAction::CheckAfter { wait }, Phase::Pausing { due }) => now + wait == (*due).max(now),
            (ReconnectAction::Stop, Phase::Stopped) => true,
            _ => false,
        };
        if !is_kept {
            self.follow(verdict);
        }
    }

    fn follow(&mut self, verdict: ReconnectAction) {
        let now = self.clock.now();
        match verdict {
            ReconnectAction::TryAfter { wait, server, timeout } => {
                self.note(LinkEvent::RetryAfter(wait));
                self.phase = Phase::Waiting { due: now + wait, server: self.number(server), timeout };
            }
            ReconnectAction::CheckAfter { wait } => {
                self.note(LinkEvent::CheckAfter(wait));
                self.phase = Phase::Pausing { due: now + wait };
            }
            ReconnectAction::Stop => {
                self.note(LinkEvent::Stopped);
                self.phase = Phase::Stopped;
            }
        }
    }

    const fn number(&self, server: ServerChoice) -> u32 {
        match server {
            ServerChoice::Same => self.server,
            ServerChoice::Next => (self.server + 1) % self.servers,
            ServerChoice::Number(server) => server % self.servers,
        }
    }

    fn begin_check(&mut self) {
        // The next server is asked, so that one that is down is not taken for the network.
        let server = (self.server + 1) % self.servers;
        let answer = self.check.as_mut().map(|check| timeout(PATIENCE, check(server)));
        self.phase = Phase::Checking(Box::pin(async move {
            match answer {
                Some(answer) => answer.await.unwrap_or(false),
                // A custom policy asks for what it has not said that it needs: it is not kept from trying.
                None => true,
            }
        }));
    }

    fn checked(&mut self, carries: bool) {
        self.note(LinkEvent::NetworkChecked(carries));
        self.tell(&ReconnectEvent::NetworkChecked(carries));
        self.plan();
    }
}
