//! Whether an application that nobody sees goes on trying.

use serde::{Deserialize, Serialize};

use crate::{AppState, Reconnect, ReconnectAction, ReconnectEvent, Time};

/// What to do while the application is not in the foreground.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WhenHidden {
    /// It tries as it does in the foreground.
    #[default]
    KeepTrying,
    /// No attempt; back in the foreground, one at once if its time has passed meanwhile (Phoenix, phoenix@167c4695,
    /// socket.js). An application that was never told of its state counts as visible.
    Pause,
}

impl WhenHidden {
    pub(super) const fn describe(self) -> Option<&'static str> {
        match self {
            Self::KeepTrying => None,
            Self::Pause => {
                Some("While the application is not in the foreground it does not try; back there it makes up for it.")
            }
        }
    }
}

/// [`WhenHidden::Pause`] at work.
pub(super) struct PausedWhenHidden {
    inner: Box<dyn Reconnect>,
    is_visible: bool,
}

impl PausedWhenHidden {
    pub(super) fn new(inner: Box<dyn Reconnect>) -> Self {
        Self { inner, is_visible: true }
    }
}

impl Reconnect for PausedWhenHidden {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        if let ReconnectEvent::AppState(state) = event {
            self.is_visible = *state == AppState::Foreground;
        }
        self.inner.on_event(now, event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        // The policy's plan is made all the same: its time runs.
        let verdict = self.inner.next(now);
        if self.is_visible { verdict } else { ReconnectAction::Stop }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reconnect::{fixed_delay::ConstantDelay, testing::Client};

    #[test]
    fn hidden_it_does_not_try_and_in_sight_again_it_makes_up_for_it() {
        let five = Duration::from_secs(5);
        let mut client = Client::new(PausedWhenHidden::new(Box::new(ConstantDelay::new(five))));
        assert_eq!(client.fail(), five);
        client.try_and_fail();
        client.turn(AppState::Background);
        assert_eq!(client.ask(), None);
        client.now += Duration::from_secs(2);
        client.turn(AppState::Foreground);
        assert_eq!(client.ask(), Some((Duration::from_secs(3), 2)), "its time has not come yet");
        client.turn(AppState::Doze);
        assert_eq!(client.ask(), None);
        client.now += Duration::from_secs(60);
        client.turn(AppState::Foreground);
        assert_eq!(client.ask(), Some((Duration::ZERO, 2)));
    }
}
