//! When to stop trying for good.

use serde::{Deserialize, Serialize};

use super::problem;
use crate::{
    Problem, Reconnect, ReconnectAction, ReconnectEvent, Time,
    reconnect::plan::{Health, Reset},
    unit::Span,
};

/// The client stops when any of these is reached, and stays disconnected until something else brings it back: a push
/// service, its user, or, under a rule for it, another network. At least one has to be named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct GiveUpAfter {
    /// So many attempts since the client was last healthy, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// So many for each server the client knows, at least 1 (NATS: 60).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_per_server: Option<u32>,
    /// No attempt begins later than this after the failure or loss that began the outage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Span>,
}

impl GiveUpAfter {
    pub(super) fn describe(self) -> String {
        let attempts = self.attempts.map(|attempts| format!("{attempts} attempts"));
        let per_server = self.attempts_per_server.map(|attempts| format!("{attempts} attempts for each server"));
        let time = self.time.map(|time| time.to_string());
        let when: Vec<_> = attempts.into_iter().chain(per_server).chain(time).collect();
        format!("It gives up after {}.", when.join(" or "))
    }

    pub(super) fn problem(self) -> Option<Problem> {
        let key = match self {
            Self { attempts: Some(0), .. } => "give_up.attempts",
            Self { attempts_per_server: Some(0), .. } => "give_up.attempts_per_server",
            Self { attempts: None, attempts_per_server: None, time: None } => {
                return Some(problem("give_up", "it does not say when", "name `attempts`, as in { attempts = 10 }"));
            }
            _ => return None,
        };
        Some(problem(key, "giving up after no attempt is not trying at all", "use 1 or more"))
    }
}

/// [`GiveUpAfter`] at work.
pub(super) struct AttemptCounter {
    inner: Box<dyn Reconnect>,
    attempts_max: u32,
    time: Option<Span>,
    health: Health,
    /// When the outage began; `None` if there is none.
    began: Option<Time>,
    /// How many attempts there were since it began.
    attempts: u32,
}

impl AttemptCounter {
    pub(super) fn new(inner: Box<dyn Reconnect>, rule: GiveUpAfter, reset: Reset, servers: u32) -> Self {
        let of_all = rule.attempts_per_server.map(|attempts| attempts.saturating_mul(servers.max(1)));
        let attempts_max = rule.attempts.into_iter().chain(of_all).min().unwrap_or(u32::MAX);
        Self { inner, attempts_max, time: rule.time, health: Health::new(reset), began: None, attempts: 0 }
    }
}

impl Reconnect for AttemptCounter {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        if self.health.is_proven_by(now, event) {
            (self.began, self.attempts) = (None, 0);
        }
        match event {
            ReconnectEvent::AttemptStarted { .. } if self.began.is_some() => {
                self.attempts = self.attempts.saturating_add(1);
            }
            ReconnectEvent::AttemptFailed(_) | ReconnectEvent::Lost(_) => {
                self.began.get_or_insert(now);
            }
            _ => {}
        }
        self.inner.on_event(now, event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        let verdict = self.inner.next(now);
        let ReconnectAction::TryAfter { wait, .. } = verdict else { return verdict };
        let is_late = self.time.zip(self.began).is_some_and(|(time, began)| (now + wait).since(began) > time.get());
        if self.attempts >= self.attempts_max || is_late { ReconnectAction::Stop } else { verdict }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reconnect::{
        fixed_delay::ConstantDelay,
        testing::{Client, SERVERS},
    };

    fn client(rule: GiveUpAfter, reset: Reset) -> Client<AttemptCounter> {
        let every_second = Box::new(ConstantDelay::new(Duration::from_secs(1)));
        Client::new(AttemptCounter::new(every_second, rule, reset, SERVERS))
    }

    /// Returns how many retries it makes before it stops.
    fn retries(client: &mut Client<AttemptCounter>) -> usize {
        let retries = std::iter::from_fn(|| {
            let (wait, _) = client.ask()?;
            client.now += wait;
            client.try_and_fail();
            Some(())
        });
        retries.take(1_000).count()
    }

    #[test]
    fn it_makes_as_many_attempts_as_it_may_and_no_more() {
        for (rule, expected) in [
            (GiveUpAfter { attempts: Some(5), ..GiveUpAfter::default() }, 5),
            (GiveUpAfter { attempts_per_server: Some(60), ..GiveUpAfter::default() }, 180),
            (GiveUpAfter { time: Some(Span::secs(7)), ..GiveUpAfter::default() }, 7),
            (GiveUpAfter { attempts: Some(5), time: Some(Span::secs(3)), attempts_per_server: None }, 3),
        ] {
            let mut client = client(rule, Reset::Connected);
            client.try_and_fail();
            assert_eq!(retries(&mut client), expected, "{rule:?}");
            assert_eq!(client.ask(), None, "it stays there");
            // Something else has brought it back.
            client.live_and_lose(Duration::ZERO);
            assert_eq!(retries(&mut client), expected, "{rule:?}");
        }
    }

    #[test]
    fn a_connection_that_proves_nothing_does_not_give_its_patience_back() {
        let rule = GiveUpAfter { attempts: Some(3), ..GiveUpAfter::default() };
        let mut client = client(rule, Reset::Uptime(Span::secs(10)));
        client.try_and_fail();
        client.wait();
        client.live(Duration::from_secs(1));
        assert_eq!(retries(&mut client), 2);
    }
}
