//! The limit on logins: one client at a time may pass, at a fixed pace, in the order in which they came. It stands for a
//! service behind the server, so it takes none of the server's cores.

use std::{collections::VecDeque, time::Duration};

use cardiogram_policies::Time;

use super::work::Ticket;

/// Clients that wait for their login, and when the next one may pass.
pub(super) struct LoginLimit {
    /// Between two that pass.
    pace: Duration,
    /// When the next one may pass.
    opens: Time,
    waiting: VecDeque<Ticket>,
}

impl LoginLimit {
    /// Lets `per_second` pass in a second; the pace is whole microseconds.
    pub(super) fn new(per_second: u32) -> Self {
        let pace = Duration::from_micros(1_000_000 / u64::from(per_second));
        Self { pace, opens: Time::ZERO, waiting: VecDeque::new() }
    }

    /// Puts a client at the end.
    pub(super) fn enter(&mut self, client: Ticket) {
        self.waiting.push_back(client);
    }

    /// Returns the first client, if it may pass now. Whether it is still there is not asked, unless `is_dead` knows: those do
    /// not cost the others their time.
    pub(super) fn pass(&mut self, now: Time, is_dead: impl Fn(Ticket) -> bool) -> Option<Ticket> {
        while self.waiting.front().is_some_and(|client| is_dead(*client)) {
            self.waiting.pop_front();
        }
        if self.opens > now {
            return None;
        }
        let client = self.waiting.pop_front()?;
        self.opens = now + self.pace;
        Some(client)
    }

    /// Returns when someone may pass next.
    pub(super) fn next(&self) -> Option<Time> {
        (!self.waiting.is_empty()).then_some(self.opens)
    }

    /// Forgets all that wait.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_pass_at_the_pace_and_only_the_known_dead_cost_nothing() {
        let mut login_limit = LoginLimit::new(10);
        let clients = [0, 1, 2, 3].map(|slot| Ticket { slot, number: slot });
        for client in clients {
            login_limit.enter(client);
        }
        let at = Time::from_millis;
        assert_eq!(login_limit.pass(at(50), |_| false), Some(clients[0]));
        assert_eq!((login_limit.pass(at(149), |_| false), login_limit.next()), (None, Some(at(150))));
        assert_eq!(login_limit.pass(at(150), |client| client.slot == 1), Some(clients[2]));
        assert_eq!(login_limit.pass(at(250), |_| false), Some(clients[3]));
        assert_eq!(login_limit.next(), None);
    }
}
