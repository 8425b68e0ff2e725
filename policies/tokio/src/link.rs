//! A link: a connection that is kept alive and made anew, as a strategy says. The application has its two ends, news and
//! messages; the work is done by a task of its own.

mod build;
mod driver;
mod sender;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use cardiogram_policies::StrategySpec;
use futures_core::Stream;
use futures_sink::Sink;
use tokio::sync::{Notify, mpsc};

pub use self::{
    build::{BuildError, Builder, Dialer},
    sender::{LinkSender, SendError, WhileDown},
};
use crate::event::News;

/// A connection that is kept alive and made anew: a `Stream` of [`News`] and a `Sink` of messages.
///
/// ```no_run
/// # use cardiogram_policies::preset;
/// # use cardiogram_tokio::{Link, Lines, News};
/// # use tokio::net::TcpStream;
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let strategy = preset::find("wechat-270").expect("a preset").spec();
/// let mut link = Link::builder(&strategy)
///     .dial(|_| TcpStream::connect("push.example:443"))
///     .protocol(Lines::new())
///     .spawn()?;
/// link.send("hello".into()).await?;
/// while let Some(news) = link.next().await {
///     match news {
///         News::Message(line) => println!("{line}"),
///         News::Event(event) => eprintln!("{event}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// Dropping it closes the connection. An application that does not take its news holds up what the server sends, not the
/// heartbeats; but replies wait behind messages, so that one that takes nothing for longer than the strategy's patience
/// loses its connection.
#[derive(Debug)]
pub struct Link<M> {
    news: mpsc::Receiver<News<M>>,
    sender: LinkSender<M>,
    try_now: Arc<Notify>,
}

impl Link<()> {
    /// Begins to build a link that does as `strategy` says. It needs at least [`dial`](Builder::dial) and
    /// [`protocol`](Builder::protocol).
    pub fn builder(strategy: &StrategySpec) -> Builder<(), ()> {
        Builder::new(strategy)
    }
}

impl<M: Send + 'static> Link<M> {
    /// Returns what happens next; `None` when its task has ended.
    pub async fn next(&mut self) -> Option<News<M>> {
        poll_fn(|context| self.news.poll_recv(context)).await
    }

    /// Sends a message. While there is no session it waits for one, or fails, as the link was built.
    ///
    /// # Errors
    ///
    /// Where the link's task has ended, or there is no session to wait for.
    pub async fn send(&self, message: M) -> Result<(), SendError> {
        self.sender.clone().send(message).await
    }

    /// Returns another end for messages, for other tasks.
    pub fn sender(&self) -> LinkSender<M> {
        self.sender.clone()
    }

    /// Makes an attempt at once, whatever the reconnect policy says, where none is under way and there is no connection: the
    /// user has asked for it, or a push has come another way.
    pub fn try_now(&self) {
        self.try_now.notify_one();
    }
}

impl<M> Stream for Link<M> {
    type Item = News<M>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<News<M>>> {
        self.news.poll_recv(context)
    }
}

impl<M: Send + 'static> Sink<M> for Link<M> {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.sender).poll_ready(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), SendError> {
        Pin::new(&mut self.sender).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.sender).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.sender).poll_close(context)
    }
}
