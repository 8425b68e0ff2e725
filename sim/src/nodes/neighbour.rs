//! A next hop whose hardware a host asks for (ARP): every second, three times, while what is to be sent waits for the answer
//! (`net/core/neighbour.c` of Linux). Who asks, and who answers, is the caller's to know.

use std::{net::Ipv4Addr, time::Duration};

use cardiogram_policies::Time;

use crate::wire::tcp::TcpConfig;

/// How many questions go unanswered before what waits is given up (`mcast_solicit`, and `ucast_solicit` of a hop that was known).
const ASKS: u32 = 3;
/// The time from one question to the next (`retrans_time_ms`).
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What comes of a question that was not answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Another one, which is answered at once.
    Answered,
    /// Another one, without an answer so far.
    Again,
    /// No other one, whether or not the next hop is back: what waits is given up.
    InVain,
}

/// A next hop that is being asked for.
pub(crate) struct Neighbour<T> {
    /// The address of the host that asks.
    asker: Ipv4Addr,
    waiting: Vec<T>,
    asked: u32,
    /// When the last question counts as unanswered, by the clock of the kernel that asks.
    due: Time,
}

impl<T> Neighbour<T> {
    /// Asks for the first time.
    pub(crate) fn ask(now: Time, asker: Ipv4Addr, tcp: &TcpConfig) -> Self {
        Self { asker, waiting: Vec::new(), asked: 1, due: tcp.timer(now, asker, ASK_EVERY) }
    }

    /// Something waits for the answer.
    pub(crate) fn wait(&mut self, what: T) {
        self.waiting.push(what);
    }

    /// The last question was not answered, and it is due: asks the next one, if there is one. `answers`: the next hop does so now.
    pub(crate) fn ask_again(&mut self, now: Time, answers: bool, tcp: &TcpConfig) -> Question {
        if self.asked == ASKS {
            return Question::InVain;
        }
        if answers {
            return Question::Answered;
        }
        self.asked += 1;
        self.due = tcp.timer(now, self.asker, ASK_EVERY);
        Question::Again
    }

    pub(crate) const fn due(&self) -> Time {
        self.due
    }

    pub(crate) fn waiting(&self) -> &[T] {
        &self.waiting
    }

    /// Takes out what has waited for longest.
    pub(crate) fn give_up_oldest(&mut self) -> T {
        self.waiting.remove(0)
    }

    pub(crate) fn into_waiting(self) -> Vec<T> {
        self.waiting
    }
}
