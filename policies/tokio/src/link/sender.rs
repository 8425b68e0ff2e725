//! The end of a link that takes messages.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures_sink::Sink;
use tokio::sync::mpsc::{self, OwnedPermit};

use crate::opening::Boxed;

/// What becomes of a message while there is no session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhileDown {
    /// It waits for one.
    #[default]
    Wait,
    /// Sending it fails.
    Fail,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// There is no session, and the link was built to fail then.
    Down,
    /// The link's task has ended.
    Ended,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "there is no session",
            Self::Ended => "the link has ended",
        })
    }
}

impl Error for SendError {}

/// An end of a [`Link`](crate::Link) that takes messages; there may be many. A message that is taken is on its way to the
/// transport: whether it arrives is the protocol's to tell.
pub struct LinkSender<M> {
    /// `None` once it is closed.
    outbox: Option<mpsc::Sender<M>>,
    state: Permit<M>,
    is_up: Arc<AtomicBool>,
    while_down: WhileDown,
}

/// A place for the next message.
enum Permit<M> {
    None,
    Asked(Boxed<Option<OwnedPermit<M>>>),
    Given(OwnedPermit<M>),
}

impl<M: Send + 'static> LinkSender<M> {
    pub(super) const fn new(outbox: mpsc::Sender<M>, is_up: Arc<AtomicBool>, while_down: WhileDown) -> Self {
        Self { outbox: Some(outbox), state: Permit::None, is_up, while_down }
    }

    /// Sends a message. While there is no session it waits for one, or fails, as the link was built.
    ///
    /// # Errors
    ///
    /// Where the link's task has ended, or there is no session to wait for.
    pub async fn send(&mut self, message: M) -> Result<(), SendError> {
        std::future::poll_fn(|context| self.poll_place(context)).await?;
        self.put(message)
    }

    fn poll_place(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if self.while_down == WhileDown::Fail && !self.is_up.load(Ordering::Acquire) {
            self.state = Permit::None;
            return Poll::Ready(Err(SendError::Down));
        }
        loop {
            self.state = match &mut self.state {
                Permit::Given(_) => return Poll::Ready(Ok(())),
                Permit::Asked(permit) => {
                    let permit = ready!(permit.as_mut().poll(context));
                    self.state = Permit::None;
                    Permit::Given(permit.ok_or(SendError::Ended)?)
                }
                Permit::None => {
                    let outbox = self.outbox.clone().ok_or(SendError::Ended)?;
                    Permit::Asked(Box::pin(async move { outbox.reserve_owned().await.ok() }))
                }
            };
        }
    }

    fn put(&mut self, message: M) -> Result<(), SendError> {
        match std::mem::replace(&mut self.state, Permit::None) {
            Permit::Given(permit) => {
                permit.send(message);
                Ok(())
            }
            // It was closed, or never asked whether there is a place.
            Permit::None | Permit::Asked(_) => Err(SendError::Ended),
        }
    }
}

impl<M> Clone for LinkSender<M> {
    fn clone(&self) -> Self {
        Self {
            outbox: self.outbox.clone(),
            state: Permit::None,
            is_up: self.is_up.clone(),
            while_down: self.while_down,
        }
    }
}

impl<M> fmt::Debug for LinkSender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkSender").field("while_down", &self.while_down).finish_non_exhaustive()
    }
}

impl<M> Unpin for LinkSender<M> {}

impl<M: Send + 'static> Sink<M> for LinkSender<M> {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_place(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), SendError> {
        self.put(message)
    }

    /// Messages are handed to the link's task as they come.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        (self.outbox, self.state) = (None, Permit::None);
        Poll::Ready(Ok(()))
    }
}
