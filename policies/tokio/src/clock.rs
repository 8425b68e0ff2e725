//! The driver's time: policies count whole microseconds from a start, tokio has instants. And the alarm by which a policy is
//! woken.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use cardiogram_policies::Time;
use tokio::time::{Instant, Sleep};

/// Tells policies the time. It is tokio's, so that a test with a paused clock is exact. Like the system's monotonic clock
/// below it, it may stand still while the machine sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Returns the time, in whole microseconds that have passed.
    pub(crate) fn now(self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    /// Returns the instant of a time; `None` where it is too far away to ever come.
    pub(crate) fn instant(self, time: Time) -> Option<Instant> {
        self.start.checked_add(Duration::from_micros(time.as_micros()))
    }
}

/// Wakes its task at an instant, and lets what arrives at that same instant be seen first: input comes before a deadline.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// The instant has come, and the other tasks have had their turn.
    has_waited: bool,
}

impl Alarm {
    /// Sets it to an instant, or switches it off.
    pub(crate) fn set(&mut self, at: Option<Instant>) {
        if self.sleep.as_ref().map(|sleep| sleep.deadline()) == at {
            return;
        }
        self.has_waited = false;
        match (at, &mut self.sleep) {
            (Some(at), Some(sleep)) => sleep.as_mut().reset(at),
            (at, sleep) => *sleep = at.map(|at| Box::pin(tokio::time::sleep_until(at))),
        }
    }

    /// Returns ready once the instant has come and everything that was ready at it has run: whoever sees it ready has had one
    /// more look at his input.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        ready!(sleep.as_mut().poll(context));
        if std::mem::replace(&mut self.has_waited, true) {
            // A sleep that is over is not to be polled again.
            self.sleep = None;
            return Poll::Ready(());
        }
        // Wakes this task when the runtime has run the others and asked the system for input.
        let _ = pin!(tokio::task::yield_now()).poll(context);
        Poll::Pending
    }
}
