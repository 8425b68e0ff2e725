//! What another network means for an attempt that waits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Reconnect, ReconnectAction, ReconnectEvent, Time};

/// What another network means. Any number of changes between two attempts hasten one attempt, and losing the network is
/// no change: there is nothing to try on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NetworkChange {
    /// Nothing: the attempt begins when it was going to.
    #[default]
    KeepPlan,
    /// The waits begin anew, with an attempt at once: what failed on the old network says nothing of this one
    /// (`[carson]`, `[wechat]`, microG).
    AtOnce,
    /// One attempt at once that is none to the waits: if it fails, they go on as if it had not been (Chromium's GCM
    /// client, `connection_factory_impl.cc`).
    Canary,
}

impl NetworkChange {
    pub(super) const fn describe(self) -> Option<&'static str> {
        match self {
            Self::KeepPlan => None,
            Self::AtOnce => Some("Another network makes it try at once, and the waits begin anew."),
            Self::Canary => Some("Another network brings one attempt at once, which changes nothing of the waits."),
        }
    }
}

/// [`NetworkChange`] at work, where it means anything.
pub(super) struct Hastened {
    inner: Box<dyn Reconnect>,
    rule: NetworkChange,
    /// The network has changed since the last attempt began.
    is_pending: bool,
    /// The server of a canary that the policy has not been told of.
    canary: Option<u32>,
}

impl Hastened {
    pub(super) fn new(inner: Box<dyn Reconnect>, rule: NetworkChange) -> Self {
        Self { inner, rule, is_pending: false, canary: None }
    }

    fn attempt_started(&mut self, now: Time, server: u32) {
        let is_hastened = std::mem::take(&mut self.is_pending);
        if is_hastened && self.rule == NetworkChange::Canary {
            self.canary = Some(server);
            return;
        }
        self.inner.on_event(now, &ReconnectEvent::AttemptStarted { server });
        if is_hastened {
            // This attempt counts as the first one, not as a retry.
            self.inner.on_event(now, &ReconnectEvent::Reset);
        }
    }
}

impl Reconnect for Hastened {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { server } => return self.attempt_started(now, *server),
            ReconnectEvent::AttemptFailed(_) if self.canary.take().is_some() => return,
            ReconnectEvent::Established | ReconnectEvent::Connected => {
                // It lives: an attempt after all.
                if let Some(server) = self.canary.take() {
                    self.inner.on_event(now, &ReconnectEvent::AttemptStarted { server });
                }
            }
            _ => {}
        }
        self.inner.on_event(now, event);
        if let ReconnectEvent::NetworkChanged(Some(_)) = event {
            self.is_pending = true;
            if self.rule == NetworkChange::AtOnce {
                self.inner.on_event(now, &ReconnectEvent::Reset);
            }
        }
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        let verdict = self.inner.next(now);
        let ReconnectAction::TryAfter { wait, server, timeout } = verdict else { return verdict };
        if wait.is_zero() && self.rule == NetworkChange::Canary {
            // It would try now anyway.
            self.is_pending = false;
        }
        if self.is_pending { ReconnectAction::TryAfter { wait: Duration::ZERO, server, timeout } } else { verdict }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Network,
        reconnect::{ExponentialBackoff, Jitter, testing::Client},
        testing::rng,
    };

    fn client(rule: NetworkChange) -> Client<Hastened> {
        let waits = ExponentialBackoff { jitter: Jitter::None, ..ExponentialBackoff::default() }.build(rng(1));
        let mut client = Client::new(Hastened::new(Box::new(waits), rule));
        let waits: Vec<_> = (0..4).map(|_| client.fail().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8]);
        client
    }

    fn asked(client: &mut Client<Hastened>) -> u64 {
        client.ask().expect("it does not stop").0.as_secs()
    }

    #[test]
    fn at_once_the_waits_begin_anew() {
        let mut client = client(NetworkChange::AtOnce);
        client.try_and_fail();
        assert_eq!(asked(&mut client), 16);
        client.move_to(None);
        assert_eq!(asked(&mut client), 16, "there is nothing to try on");
        client.move_to(Some(Network::wifi(1)));
        client.move_to(Some(Network::wifi(2)));
        assert_eq!(asked(&mut client), 0);
        let waits: Vec<_> = (0..3).map(|_| client.fail().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4], "two changes brought one attempt");
    }

    #[test]
    fn a_change_under_an_attempt_or_a_connection_counts_once_that_ends() {
        let mut client = client(NetworkChange::AtOnce);
        client.start();
        client.move_to(Some(Network::wifi(1)));
        client.tell(ReconnectEvent::AttemptFailed(crate::AttemptFailure::NoNetwork));
        assert_eq!(client.wait().as_secs(), 0);
        assert_eq!(client.fail().as_secs(), 1);
    }

    #[test]
    fn a_canary_is_one_attempt_more_and_leaves_the_waits_alone() {
        let mut client = client(NetworkChange::Canary);
        client.try_and_fail();
        assert_eq!(asked(&mut client), 16);
        client.now += Duration::from_secs(5);
        client.move_to(Some(Network::wifi(1)));
        assert_eq!(asked(&mut client), 0);
        client.attempt = Duration::from_secs(1);
        client.try_and_fail();
        assert_eq!(asked(&mut client), 10, "the plan of before");
        client.attempt = Duration::ZERO;
        client.now += Duration::from_secs(10);
        client.try_and_fail();
        assert_eq!(asked(&mut client), 32, "as if the canary had not been");
        client.move_to(Some(Network::wifi(2)));
        assert_eq!(client.wait().as_secs(), 0);
        assert_eq!(client.live(Duration::ZERO).as_secs(), 1, "one that lives resets the waits as any other does");
    }
}
