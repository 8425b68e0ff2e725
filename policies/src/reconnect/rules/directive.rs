//! A server's word not to come back before a time (HTTP's `Retry-After` and its like): a lower bound to which waits
//! add.

use crate::{Reconnect, ReconnectAction, ReconnectEvent, Time};

pub(super) struct Directed {
    inner: Box<dyn Reconnect>,
    /// No attempt before this, once told.
    until: Option<Time>,
    /// When the attempt after that is due.
    due: Option<Time>,
}

impl Directed {
    pub(super) fn new(inner: Box<dyn Reconnect>) -> Self {
        Self { inner, until: None, due: None }
    }
}

impl Reconnect for Directed {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        self.inner.on_event(now, event);
        match event {
            ReconnectEvent::RetryAfter(wait) => {
                (self.until, self.due) = (Some(now + *wait), None);
                self.inner.on_event(now, &ReconnectEvent::Reset);
            }
            // The server has changed its mind.
            ReconnectEvent::Connected => self.until = None,
            ReconnectEvent::AttemptStarted { .. } => {
                self.until = self.until.filter(|until| *until > now);
                self.due = None;
            }
            _ => {}
        }
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        let verdict = self.inner.next(now);
        let ReconnectAction::TryAfter { wait, server, timeout } = verdict else { return verdict };
        let Some(until) = self.until else { return verdict };
        // What the policy would have waited comes on top: else all whom the server sent away would be back together.
        let due = *self.due.get_or_insert_with(|| until.max(now) + wait);
        ReconnectAction::TryAfter { wait: wait.max(due.since(now)), server, timeout }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        AttemptFailure, Network,
        reconnect::{ExponentialBackoff, Jitter, NetworkChange, ReconnectRules, Reset, testing::Client},
        testing::rng,
    };

    fn client(network_change: NetworkChange) -> Client<Box<dyn Reconnect>> {
        let waits = ExponentialBackoff { jitter: Jitter::None, ..ExponentialBackoff::default() }.build(rng(1));
        let rules = ReconnectRules { network_change, ..ReconnectRules::default() };
        Client::new(rules.wrap(Box::new(waits), Reset::Connected, 1, rng(2)))
    }

    fn send_away(client: &mut Client<Box<dyn Reconnect>>) {
        client.start();
        client.tell(ReconnectEvent::RetryAfter(Duration::from_secs(30)));
        client.tell(ReconnectEvent::AttemptFailed(AttemptFailure::Dropped));
    }

    #[test]
    fn the_waits_begin_anew_after_the_time_that_the_server_names() {
        let mut client = client(NetworkChange::KeepPlan);
        for _ in 0..4 {
            client.fail();
        }
        send_away(&mut client);
        assert_eq!(client.ask().unwrap().0.as_secs(), 31);
        client.now += Duration::from_secs(10);
        assert_eq!(client.wait().as_secs(), 21, "asked again, it keeps to it");
        assert_eq!(client.fail().as_secs(), 2);
    }

    #[test]
    fn another_network_does_not_make_the_server_any_readier() {
        for rule in [NetworkChange::AtOnce, NetworkChange::Canary] {
            let mut client = client(rule);
            send_away(&mut client);
            client.move_to(Some(Network::wifi(1)));
            assert!(client.ask().unwrap().0.as_secs() >= 30, "{rule:?}");
        }
    }

    #[test]
    fn a_welcome_ends_it() {
        let mut client = client(NetworkChange::KeepPlan);
        send_away(&mut client);
        assert_eq!(client.live(Duration::from_secs(1)).as_secs(), 1);
    }
}
