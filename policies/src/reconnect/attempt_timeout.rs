//! How long an attempt may take, where that is not the same for all of them. When the next one comes is the business of
//! `backoff`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Problem, unit::Span};

/// The most timeouts of a list.
const STEPS_MAX: usize = 1_000;

/// After what time an attempt is abandoned. The very first attempt of a device's life always has the strategy's connect
/// timeout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AttemptTimeout {
    /// The strategy's connect timeout.
    #[default]
    Same,
    /// As long as the wait that was drawn before it; one that has taken so long is followed by the next at once
    /// (Lightstreamer).
    AsWait,
    /// These, one after the other, and then the last again and again; a connection that brings the waits back to their
    /// beginning brings these back, too. 1 to 1000 of them (pusher-js: 15, 30 and 60 s; Kafka: 10, 20 and 30 s).
    Steps(Vec<Span>),
}

impl AttemptTimeout {
    pub(super) fn is_same(&self) -> bool {
        *self == Self::Same
    }

    /// Returns that of an attempt after so many failures, the wait before which was drawn as `drawn`; `None` where it is the
    /// strategy's.
    pub(super) fn of(&self, failures: u32, drawn: Duration) -> Option<Duration> {
        match self {
            Self::Same => None,
            Self::AsWait => (!drawn.is_zero()).then_some(drawn),
            Self::Steps(steps) => steps.get(failures as usize).or_else(|| steps.last()).map(|step| step.get()),
        }
    }

    /// Returns between which times it lies, where waits are drawn from `waits`; `None` where it is the strategy's.
    pub(super) fn range(&self, waits: (Duration, Duration)) -> Option<(Duration, Duration)> {
        match self {
            Self::Same => None,
            Self::AsWait => Some(waits),
            Self::Steps(steps) => Some((steps.iter().min()?.get(), steps.iter().max()?.get())),
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Same => String::new(),
            Self::AsWait => {
                " An attempt may take as long as the wait that was drawn before it, and is followed by the next \
                              at once where it did."
                    .into()
            }
            Self::Steps(steps) => {
                let steps: Vec<_> = steps.iter().map(ToString::to_string).collect();
                format!(" Its attempts may take {}, and then as long as the last of these.", steps.join(", "))
            }
        }
    }

    pub(super) fn problem(&self, path: &str) -> Option<Problem> {
        let (message, help) = match self {
            Self::Steps(steps) if steps.is_empty() => ("no timeout at all".to_owned(), "name one, as in [\"15s\"]"),
            Self::Steps(steps) if steps.len() > STEPS_MAX => {
                (format!("{} timeouts are more than {STEPS_MAX}", steps.len()), "name at most 1000")
            }
            _ => return None,
        };
        Some(Problem::new(format!("{path}.attempt_timeout.steps"), message, help))
    }
}
