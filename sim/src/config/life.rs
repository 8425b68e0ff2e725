//! How the devices are used: which network they are on, when the application is on the screen, when the device dozes.

use cardiogram_policies::unit::{Delay, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Distribution, When};

/// The life of every device. Without it a device stays on the first network, its timers are exact and its application
/// knows no foreground or background.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LifeConfig {
    /// Which network the devices are on, each entry from its time on, in the order of time. Default: the first network all
    /// the time, which also holds before the first entry.
    pub attach: Vec<Attach>,
    /// When the application is on the screen; otherwise it is in the background. Default: never, if anything else of a
    /// device's use is given.
    pub foreground: Option<Periods>,
    /// When the screen is on without the application. Default: never.
    pub screen: Option<Periods>,
    /// While the screen is off, the application's timers fire at multiples of this time only (MIUI aligns to 5 min, source
    /// document 003), or when the screen goes on. Default: when they are due.
    pub alarm_grid: Option<Span>,
    /// What the device does when nobody has used it for long. Default: nothing.
    pub doze: Option<DozeConfig>,
}

/// From a time on the devices are on another network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// From when on.
    pub at: Delay,
    /// The network's name; `main` is the scenario's own, `none` no network at all.
    pub to: String,
    /// How long it has no network before the new one. Default: not at all. (Wi-Fi lost to cellular up: 0.3 s to 2 s, A.)
    #[serde(default)]
    pub gap: Option<Distribution>,
    /// What becomes of connections over the old address. Default `abort`.
    #[serde(default)]
    pub old_sockets: OldSockets,
}

/// What becomes of connections over an address that the device leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OldSockets {
    /// The system ends them at once, and the application learns of it (Android: `ECONNABORTED`, M).
    #[default]
    Abort,
    /// They work on for 30 s, and are then ended (Android when a better network has come: its linger delay, V). Only when
    /// another network follows at once, without a gap.
    Linger,
    /// Nobody is told: what is sent on them goes nowhere (an iOS application that slept meanwhile; `[carson]`
    /// and `[wechat]`).
    Rot,
}

/// Stretches of time that come again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Periods {
    /// When they begin.
    pub when: When,
    /// How long each lasts.
    pub lasts: Distribution,
}

/// A device that nobody uses sleeps, and lets timers wait.
///
/// After Android's doze mode (6.0 and later). Packets still reach the device and wake it; that Android also closes the
/// network to most applications is not modelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DozeConfig {
    /// How long the screen has been off when it begins. Default 30 min (A).
    pub after: Span,
    /// The least time between two timers of the application while the device dozes: an alarm that is allowed while idle.
    /// Default 9 min (Android's limit for `setAndAllowWhileIdle`). `"never"`: its timers wait for a maintenance window.
    pub alarms: IdleAlarms,
    /// From the beginning of the doze to the first maintenance window, when timers are exact. Default 1 h (A).
    pub first_window: Span,
    /// Each next window comes twice as late after the one before, but at most this late. Default 6 h (A).
    pub longest_wait: Span,
    /// How long a window lasts. Default 5 min (A).
    pub window: Span,
    /// The processor sleeps outside the windows, and the kernel's clock stands still: TCP's timers do not run. It wakes for
    /// packets and the application's timers, and stays awake for `awake`. Default true.
    pub suspends: bool,
    /// How long the processor stays awake each time. Default 2 s (A).
    pub awake: Span,
}

impl Default for DozeConfig {
    fn default() -> Self {
        Self {
            after: Span::secs(1_800),
            alarms: IdleAlarms::default(),
            first_window: Span::secs(3_600),
            longest_wait: Span::secs(6 * 3_600),
            window: Span::secs(300),
            suspends: true,
            awake: Span::secs(2),
        }
    }
}

/// Whether an application's timers may wake a dozing device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IdleAlarms {
    /// At most once in this time.
    Every(Span),
    /// No alarm fires while the device dozes.
    Never,
}

impl Default for IdleAlarms {
    fn default() -> Self {
        Self::Every(Span::secs(540))
    }
}

impl LifeConfig {
    /// Returns whether the application has a foreground and a background.
    pub(crate) const fn has_states(&self) -> bool {
        self.foreground.is_some() || self.screen.is_some() || self.alarm_grid.is_some() || self.doze.is_some()
    }

    /// Returns whether the application's timers may fire late.
    pub(crate) const fn delays_timers(&self) -> bool {
        self.alarm_grid.is_some() || self.doze.is_some()
    }
}
