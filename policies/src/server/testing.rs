//! What the tests of the server's policies share: a player of scripts for one session.

use super::{ServerAction, ServerPolicy, SessionEvent, SessionId};
use crate::Time;

/// A client that announces nothing.
pub(super) const OPENED: SessionEvent = SessionEvent::Opened { interval: None };

/// One step of a script: when, in milliseconds; what happens, `None` for a timer; what the policy does about it.
pub(super) type Step<'a> = (u64, Option<SessionEvent>, &'a [ServerAction]);

/// Plays the host's part of the contract for session 0 and checks the policy's, as [`crate::testing::play`] does.
pub(super) fn play(policy: &mut dyn ServerPolicy, script: &[Step]) {
    for (step, &(at, event, expected)) in script.iter().enumerate() {
        let now = Time::from_millis(at);
        match event {
            Some(event) => {
                assert!(policy.deadline().is_none_or(|due| due >= now), "step {step} at {now} skips a deadline");
                policy.on_event(now, SessionId(0), &event);
            }
            None => assert_eq!(policy.deadline(), Some(now), "step {step} waits for a deadline"),
        }
        let actions: Vec<_> = std::iter::from_fn(|| policy.poll(now)).take(10).collect();
        assert_eq!(actions, expected, "step {step} at {now}");
        assert!(policy.deadline().is_none_or(|due| due > now), "step {step} leaves a deadline of the past");
    }
}
