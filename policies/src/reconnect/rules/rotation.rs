//! Which server comes next, and whether the first pass over all of them waits at all.

use serde::{Deserialize, Serialize};

use crate::{
    GiveUp, PolicyRng, Reconnect, ReconnectAction, ReconnectEvent, ServerChoice, Time, random, reconnect::Ended,
    unit::Delay,
};

/// The order in which servers are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Rotation {
    /// After a failure the next one, after a loss the same one: what the waits say themselves.
    #[default]
    Next,
    /// One server, always.
    Stay,
    /// After a failure the next one, after a loss the first of the list (Courier).
    FromFirst,
    /// The next one, always, and at once; only when each has been tried once does it wait (NATS, `ZooKeeper`). The
    /// server of a connection that is lost counts as tried.
    FullPass(FullPass),
}

/// How a pass over all servers goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct FullPass {
    /// Before each attempt within the pass, wait a random time up to this (`ZooKeeper`: 1 s). Default 0.
    pub between: Delay,
}

impl Rotation {
    pub(super) fn describe(self) -> Option<String> {
        match self {
            Self::Next => None,
            Self::Stay => Some("It stays with the same server, always.".into()),
            Self::FromFirst => Some("After a loss it goes back to the first server.".into()),
            Self::FullPass(FullPass { between }) => {
                let how =
                    if between == Delay::ZERO { "at once".into() } else { format!("after up to {between} at random") };
                Some(format!("It goes on to the next server {how}, and waits only when each has been tried once."))
            }
        }
    }

    pub(super) fn wrap(self, inner: Box<dyn Reconnect>, servers: u32, rng: PolicyRng) -> Box<dyn Reconnect> {
        match self {
            Self::Next => inner,
            Self::Stay => Box::new(ServerChooser { inner, from_first: false, was_lost: false }),
            Self::FromFirst => Box::new(ServerChooser { inner, from_first: true, was_lost: false }),
            Self::FullPass(rule) => {
                Box::new(FullPasses { inner, rule, servers, rng, tried: 0, was_left: false, due: None })
            }
        }
    }
}

/// [`Rotation::Stay`] and [`Rotation::FromFirst`] at work.
struct ServerChooser {
    inner: Box<dyn Reconnect>,
    from_first: bool,
    was_lost: bool,
}

impl Reconnect for ServerChooser {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => self.was_lost = false,
            // A dead service is not what to go back to.
            ReconnectEvent::Lost(end) => self.was_lost = *end != Ended::GivenUp(GiveUp::ServiceDead),
            _ => {}
        }
        self.inner.on_event(now, event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        let verdict = self.inner.next(now);
        let ReconnectAction::TryAfter { wait, server, timeout } = verdict else { return verdict };
        let server = match (self.from_first, self.was_lost) {
            (false, _) => ServerChoice::Same,
            (true, true) => ServerChoice::Number(0),
            (true, false) => server,
        };
        ReconnectAction::TryAfter { wait, server, timeout }
    }
}

/// [`Rotation::FullPass`] at work.
struct FullPasses {
    inner: Box<dyn Reconnect>,
    rule: FullPass,
    servers: u32,
    rng: PolicyRng,
    /// Servers tried since the last wait.
    tried: u32,
    /// The connection was left on purpose: whether to come back is the policy's to say.
    was_left: bool,
    /// When the next attempt within the pass is due.
    due: Option<Time>,
}

impl Reconnect for FullPasses {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => {
                self.tried = if self.tried < self.servers { self.tried + 1 } else { 1 };
                (self.was_left, self.due) = (false, None);
            }
            ReconnectEvent::Connected => self.tried = 1,
            ReconnectEvent::Lost(end) => self.was_left = *end == Ended::GivenUp(GiveUp::Done),
            _ => {}
        }
        self.inner.on_event(now, event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        if self.tried < self.servers && !self.was_left {
            let between = self.rule.between.get();
            let rng = &mut self.rng;
            let due =
                *self.due.get_or_insert_with(|| now + random::between(&mut **rng, std::time::Duration::ZERO, between));
            return ReconnectAction::TryAfter { wait: due.since(now), server: ServerChoice::Next, timeout: None };
        }
        match self.inner.next(now) {
            ReconnectAction::TryAfter { wait, timeout, .. } => {
                ReconnectAction::TryAfter { wait, server: ServerChoice::Next, timeout }
            }
            verdict => verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        reconnect::{
            FixedDelay, ReconnectSpec,
            testing::{Client, SERVERS},
        },
        testing::rng,
        unit::Span,
    };

    fn client(rotation: Rotation, servers: u32) -> Client<Box<dyn Reconnect>> {
        let two_seconds = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(2) }).build(rng(1));
        Client::new(rotation.wrap(two_seconds, servers, rng(2)))
    }

    /// Waits in milliseconds and servers.
    fn step(client: &mut Client<Box<dyn Reconnect>>) -> (u128, u32) {
        (client.wait().as_millis(), client.server)
    }

    #[test]
    fn nats_sleeps_only_after_a_full_pass() {
        let mut client = client(Rotation::FullPass(FullPass::default()), SERVERS);
        client.live_and_lose(Duration::from_secs(60));
        let mut steps = vec![step(&mut client)];
        for _ in 0..7 {
            client.try_and_fail();
            steps.push(step(&mut client));
        }
        // Lost at 0, so 1 and 2 at once, then a sleep, then all three.
        assert_eq!(steps, [(0, 1), (0, 2), (2_000, 0), (0, 1), (0, 2), (2_000, 0), (0, 1), (0, 2)]);
    }

    #[test]
    fn with_one_server_every_attempt_is_a_full_pass() {
        let mut client = client(Rotation::FullPass(FullPass::default()), 1);
        client.live_and_lose(Duration::from_secs(60));
        assert_eq!(client.wait().as_secs(), 2);
        assert_eq!(client.fail().as_secs(), 2);
    }

    #[test]
    fn zookeeper_waits_at_random_within_a_pass() {
        let mut client = client(Rotation::FullPass(FullPass { between: Delay::millis(1_000) }), SERVERS);
        let waits: Vec<_> = (0..300).map(|_| client.fail().as_millis()).collect();
        for pass in waits.chunks(3) {
            assert!(pass[0] < 1_000 && pass[1] < 1_000 && pass[2] == 2_000, "{pass:?}");
        }
        assert!(waits.iter().any(|wait| *wait < 100) && waits.iter().any(|wait| (900..1_000).contains(wait)));
    }

    #[test]
    fn staying_and_going_back_to_the_first() {
        let mut stays = client(Rotation::Stay, SERVERS);
        stays.server = 1;
        stays.try_and_fail();
        assert_eq!(step(&mut stays), (2_000, 1));

        let mut courier = client(Rotation::FromFirst, SERVERS);
        courier.try_and_fail();
        assert_eq!(step(&mut courier), (2_000, 1));
        courier.try_and_fail();
        assert_eq!(step(&mut courier), (2_000, 2));
        courier.live_and_lose(Duration::from_secs(60));
        assert_eq!(step(&mut courier), (2_000, 0));
    }

    #[test]
    fn a_dead_service_on_a_live_network_is_left_for_another_server() {
        for rotation in [Rotation::Next, Rotation::FromFirst, Rotation::FullPass(FullPass::default())] {
            let mut client = client(rotation, SERVERS);
            client.live_and_end(Duration::from_secs(60), Ended::GivenUp(GiveUp::ServiceDead));
            client.wait();
            assert_eq!(client.server, 1, "{rotation:?}");
        }
    }
}
