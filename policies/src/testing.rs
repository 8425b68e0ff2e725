//! What the tests of several policies share: a seeded generator, a player of scripts, and life behind a NAT.

mod nat;

use std::time::Duration;

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

pub(crate) use self::nat::{Beat, Report, live_behind_nat, live_on};
use crate::{Action, Bounds, Event, Heartbeat, LossReason, Network, PolicyRng, Time};

pub(crate) const CONNECTED: Event = Event::Connected { network: Network::cellular(0), server: 0 };
pub(crate) const LOST: Event = Event::Lost(LossReason::Reset);

pub(crate) fn rng(seed: u64) -> PolicyRng {
    Box::new(ChaCha8Rng::seed_from_u64(seed))
}

/// Returns a kind world: one second for everything, no losses, no NAT, one server, no traffic but heartbeats.
pub(crate) fn bounds() -> Bounds {
    let second = Duration::from_secs(1);
    Bounds::healthy(second).with_handshake_max(second)
}

/// Returns the reply to heartbeat `id`; no policy tested with it looks at the round-trip time.
pub(crate) fn reply(id: u32) -> Event {
    Event::HeartbeatReply { id, rtt: Duration::from_millis(100) }
}

pub(crate) fn beat(id: u32) -> Action {
    Action::SendHeartbeat { id }
}

/// One step of a script: when, in milliseconds; what happens, `None` for a timer; what the policy does about it.
pub(crate) type Step<'a> = (u64, Option<Event>, &'a [Action]);

/// Plays the host's part of the contract and checks the policy's: a timer of the script is the policy's own deadline, no
/// deadline passes unnoticed between two steps, and none is left over once it was polled.
pub(crate) fn play(policy: &mut dyn Heartbeat, script: &[Step]) {
    for (step, &(at, event, expected)) in script.iter().enumerate() {
        let now = Time::from_millis(at);
        match event {
            Some(event) => {
                assert!(policy.deadline().is_none_or(|due| due >= now), "step {step} at {now} skips a deadline");
                policy.on_event(now, &event);
            }
            None => assert_eq!(policy.deadline(), Some(now), "step {step} waits for a deadline"),
        }
        assert_eq!(drain(policy, now), expected, "step {step} at {now}");
        assert!(policy.deadline().is_none_or(|due| due > now), "step {step} leaves a deadline of the past");
    }
}

/// Everything the policy wants done now.
pub(crate) fn drain(policy: &mut dyn Heartbeat, now: Time) -> Vec<Action> {
    let actions: Vec<_> = std::iter::from_fn(|| policy.poll(now)).take(10).collect();
    assert!(actions.len() < 10, "no end of actions: {actions:?}");
    actions
}
