//! The loop of a link: connect, run the session, connect again. What the policies decide is in `retry` and `session`; here
//! stands who hears of what, and in which order.

use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use cardiogram_policies::{AppState, Network};
use tokio::{
    select,
    sync::{Notify, mpsc, watch},
};

use super::WhileDown;
use crate::{
    clock::Clock,
    event::{LinkEvent, News},
    heart::Heart,
    opening::{Dial, Opened},
    protocol::Protocol,
    record::Record,
    retry::{Retry, RetryNews},
    session::{Counts, Session, Step},
    transport::Transport,
};

/// So many events wait for an application that takes no news.
const MOST_WAITING: usize = 1_024;

pub(super) struct Driver<Io, P: Protocol> {
    pub(super) retry: Retry<Opened<Io, P>>,
    pub(super) heart: Heart,
    /// What opens connections beside a session.
    pub(super) beside: (P, Dial<Io>),
    pub(super) outside: Outside,
    pub(super) reporter: Reporter<P::Message>,
    pub(super) outbox: mpsc::Receiver<P::Message>,
    pub(super) is_up: Arc<AtomicBool>,
    pub(super) while_down: WhileDown,
}

impl<Io: Transport, P: Protocol> Driver<Io, P> {
    /// Works until the link is dropped. What happens to the device comes before what arrives, and that before what is due; but a
    /// connection that has ended with its network is lost before anybody hears of the next one.
    pub(super) async fn run(self) {
        let Self { mut retry, mut heart, beside, mut outside, mut reporter, mut outbox, is_up, while_down } = self;
        let mut counts = Counts::default();
        if let Some(networks) = &mut outside.networks {
            retry.network_changed(*networks.borrow_and_update());
        }
        let state = outside.app_state.as_mut().map(|states| *states.borrow_and_update());
        if let Some(state) = state {
            reporter.note(LinkEvent::AppState(state));
            heart.app_state(state);
            retry.app_state(state);
        }
        // A message that called for a session.
        let mut held = None;
        loop {
            let opened = loop {
                select! {
                    biased;
                    change = outside.next(&mut reporter) => match change {
                        Change::Gone => return,
                        Change::Network(network) => {
                            // An attempt that ends with its network has failed before the next one comes.
                            poll_fn(|context| Poll::Ready(retry.look(context))).await;
                            retry.network_changed(network);
                        }
                        Change::AppState(state) => {
                            reporter.note(LinkEvent::AppState(state));
                            heart.app_state(state);
                            retry.app_state(state);
                        }
                        Change::TryNow => retry.try_now(),
                        Change::NewsTaken => {}
                    },
                    news = retry.next() => match news {
                        RetryNews::Event(event) => reporter.note(event),
                        RetryNews::Connected(opened) => break opened,
                    },
                    Some(message) = outbox.recv(), if held.is_none() && retry.is_stopped() => {
                        held = Some(message);
                        retry.wanted();
                    }
                }
            };
            is_up.store(true, Ordering::Release);
            let mut session = Session::begin(&mut heart, opened, Some(beside.clone()), counts);
            if let Some(message) = held.take() {
                session.send(message);
            }
            // The network that the device has gone to, before anybody is told.
            let mut moved = None;
            let ended = loop {
                session.read_if(!reporter.is_behind());
                select! {
                    biased;
                    change = outside.next(&mut reporter), if moved.is_none() => match change {
                        Change::Gone => return,
                        Change::Network(network) => moved = Some(network),
                        Change::AppState(state) => {
                            reporter.note(LinkEvent::AppState(state));
                            session.app_state(state);
                            retry.app_state(state);
                        }
                        // There is a connection.
                        Change::TryNow | Change::NewsTaken => {}
                    },
                    Some(message) = outbox.recv(), if session.has_room() => session.send(message),
                    step = poll_fn(|context| {
                        let has_heard_all = moved.is_some() && session.poll_arrived(context).is_ready();
                        if has_heard_all { Poll::Ready(None) } else { session.poll_step(context) }
                    }) => match step {
                        None => {
                            let network = moved.take().expect("a session ends with a step that says so");
                            session.network_changed(network);
                            retry.network_changed(network);
                        }
                        Some(Step::News(news)) => {
                            if let News::Event(LinkEvent::GoodbyeReceived { retry_after: Some(wait), .. }) = news {
                                retry.retry_after(wait);
                            }
                            reporter.tell(news);
                        }
                        Some(Step::Replaced(server)) => retry.replaced(server),
                        Some(Step::Ended(ended)) => break ended,
                    },
                }
            };
            is_up.store(false, Ordering::Release);
            counts = session.counts();
            retry.count_from(session.last_port());
            drop(session);
            if while_down == WhileDown::Fail {
                while outbox.try_recv().is_ok() {
                    reporter.note(LinkEvent::MessageRefused);
                }
            }
            retry.lost(ended);
            if let Some(network) = moved {
                retry.network_changed(network);
            }
        }
    }
}

/// What comes from the device and the application.
pub(super) struct Outside {
    pub(super) networks: Option<watch::Receiver<Option<Network>>>,
    pub(super) app_state: Option<watch::Receiver<AppState>>,
    pub(super) try_now: Arc<Notify>,
}

enum Change {
    /// The link was dropped.
    Gone,
    Network(Option<Network>),
    AppState(AppState),
    /// The application wants an attempt now.
    TryNow,
    /// It has taken some news.
    NewsTaken,
}

impl Outside {
    /// Returns what changes next. May be dropped and called anew.
    async fn next<M>(&mut self, reporter: &mut Reporter<M>) -> Change {
        select! {
            biased;
            network = changed(&mut self.networks) => Change::Network(network),
            state = changed(&mut self.app_state) => Change::AppState(state),
            () = self.try_now.notified() => Change::TryNow,
            is_there = reporter.tend() => if is_there { Change::NewsTaken } else { Change::Gone },
        }
    }
}

/// Returns the next value; where nobody is left who could change it, there is none.
async fn changed<T: Copy>(values: &mut Option<watch::Receiver<T>>) -> T {
    if let Some(receiver) = values {
        if receiver.changed().await.is_ok() {
            return *receiver.borrow_and_update();
        }
        *values = None;
    }
    pending().await
}

/// Tells the record and the application what happens.
pub(super) struct Reporter<M> {
    clock: Clock,
    record: Option<Box<dyn Record>>,
    news: mpsc::Sender<News<M>>,
    /// What the application has no room for yet.
    backlog: VecDeque<News<M>>,
}

impl<M> Reporter<M> {
    pub(super) const fn new(clock: Clock, record: Option<Box<dyn Record>>, news: mpsc::Sender<News<M>>) -> Self {
        Self { clock, record, news, backlog: VecDeque::new() }
    }

    fn note(&mut self, event: LinkEvent) {
        self.tell(News::Event(event));
    }

    fn tell(&mut self, news: News<M>) {
        if let News::Event(event) = news {
            if let Some(record) = &mut self.record {
                record.note(self.clock.now(), &event);
            }
            // The message itself is the news.
            if matches!(event, LinkEvent::MessageSent { .. } | LinkEvent::MessageDelivered { .. }) {
                return;
            }
        }
        if !self.backlog.is_empty() {
            self.wait(news);
        } else if let Err(mpsc::error::TrySendError::Full(news)) = self.news.try_send(news) {
            self.wait(news);
        }
    }

    /// Keeps news for later. Of an application that takes none for long, the oldest events are forgotten; messages are not,
    /// for no more are read meanwhile.
    fn wait(&mut self, news: News<M>) {
        if self.backlog.len() >= MOST_WAITING
            && let Some(oldest) = self.backlog.iter().position(|news| matches!(news, News::Event(_)))
        {
            self.backlog.remove(oldest);
        }
        self.backlog.push_back(news);
    }

    /// Returns whether the application is behind with its news.
    fn is_behind(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Waits for room for one of the news that wait, or for the application's end; returns whether the application is still
    /// there. May be dropped and called anew.
    async fn tend(&mut self) -> bool {
        if self.backlog.is_empty() {
            self.news.closed().await;
            return false;
        }
        match self.news.reserve().await {
            Ok(place) => {
                place.send(self.backlog.pop_front().expect("just looked at"));
                true
            }
            Err(_) => false,
        }
    }
}
