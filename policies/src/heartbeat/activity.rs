//! Whether the application is in use, for policies that beat differently while it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::AppState;
use crate::Time;

/// What an application counts as whose host has not told its state yet. An assumption: in products the system always tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum UntilTold {
    /// In use: a policy that adapts in the background only never does.
    Active,
    /// Not in use: in a world without screens the adaptive part is at work.
    #[default]
    Inactive,
}

/// In use: on the screen, or gone from it for less than `lingers`.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    lingers: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Untold(UntilTold),
    Foreground,
    BackgroundSince(Time),
}

impl Activity {
    pub(super) fn new(until_told: UntilTold, lingers: Duration) -> Self {
        Self { lingers, state: State::Untold(until_told) }
    }

    /// The host told the application's state. Doze is a deeper background.
    pub(super) fn told(&mut self, now: Time, state: AppState) {
        self.state = match (state, self.state) {
            (AppState::Foreground, _) => State::Foreground,
            (_, State::BackgroundSince(since)) => State::BackgroundSince(since),
            (_, State::Foreground | State::Untold(_)) => State::BackgroundSince(now),
        };
    }

    pub(super) fn is_active(&self, now: Time) -> bool {
        match self.state {
            State::Untold(until_told) => until_told == UntilTold::Active,
            State::Foreground => true,
            State::BackgroundSince(since) => now.since(since) < self.lingers,
        }
    }
}
