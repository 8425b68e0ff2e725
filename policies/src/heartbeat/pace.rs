//! Which interval is in force: what the application's state, the kind of network, and the server's word make of a
//! schedule's own interval. What it is not: a search, which finds an interval by itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AppState, Event, LossReason};
use crate::{NetworkKind, unit::Span};

/// Intervals for some situations. Of those that apply the first in this order is in force: the server's, that of a doze, of
/// the background, of the kind of network; else the schedule's own.
///
/// Sources: `[netease]` (in the background 5 or 10 minutes), LINE (200 s on Wi-Fi, 420 s on cellular; `[52im-121]`),
/// Chromium's GCM client (15 min and 28 min), MQTT 5 and Discord (the server's word), gRPC (doubled after
/// `too_many_pings`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// While the application is not on the screen, a doze included where `doze` does not say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<Span>,
    /// While the device sleeps and batches timers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doze: Option<Span>,
    /// On a Wi-Fi network or a cable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wifi: Option<Span>,
    /// The interval on a cellular network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cellular: Option<Span>,
    /// Whether the interval that the server directs is adopted. Default false.
    pub directed: bool,
    /// Whether every interval is doubled, for good, each time the server closes a connection because heartbeats came too
    /// often. Default false.
    pub doubles: bool,
}

/// The longest interval that doubling leads to.
const LONGEST: Duration = Duration::from_hours(24);

impl Pace {
    /// Returns the intervals that may be in force besides `own`.
    pub(super) fn intervals(&self) -> impl Iterator<Item = Duration> {
        [self.background, self.doze, self.wifi, self.cellular].into_iter().flatten().map(Span::get)
    }
}

/// [`Pace`] at work.
pub(super) struct Pacer {
    spec: Pace,
    state: Option<AppState>,
    kind: Option<NetworkKind>,
    directed: Option<Duration>,
    /// By what everything is multiplied.
    factor: u32,
}

impl Pacer {
    pub(super) fn new(spec: &Pace) -> Self {
        Self { spec: spec.clone(), state: None, kind: None, directed: None, factor: 1 }
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        match *event {
            Event::Connected { network, .. } => (self.kind, self.directed) = (Some(network.kind), None),
            Event::DirectedInterval(interval) if self.spec.directed => self.directed = Some(interval),
            Event::AppState(state) => self.state = Some(state),
            Event::Lost(LossReason::TooManyPings) if self.spec.doubles => {
                self.factor = self.factor.saturating_mul(2).min(1 << 20);
            }
            _ => {}
        }
    }

    /// Returns the interval in force where the schedule's own is `own`.
    pub(super) fn interval(&self, own: Duration) -> Duration {
        let Pace { background, doze, wifi, cellular, .. } = self.spec;
        let of_state = match self.state {
            Some(AppState::Doze) => doze.or(background),
            Some(AppState::Background) => background,
            Some(AppState::Foreground) | None => None,
        };
        let of_kind = self.kind.and_then(|kind| match kind {
            NetworkKind::Wifi | NetworkKind::Wired => wifi,
            NetworkKind::Cellular => cellular,
        });
        let chosen = of_state.or(of_kind).map_or(own, Span::get);
        self.directed.unwrap_or(chosen).saturating_mul(self.factor).min(LONGEST.max(chosen))
    }
}
