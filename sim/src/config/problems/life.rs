//! What can be wrong with the lives of devices, and with their faults.

use std::time::Duration;

use cardiogram_policies::unit::{Span, format_duration};

use super::Found;
use crate::config::{
    Attach, DeviceEffect, DozeConfig, IdleAlarms, NO_NETWORK, NetworkSwitch, OldSockets, Periods, WorldConfig,
};

/// A plan of more changes than this is no plan.
const ATTACH_MAX: usize = 1_000;
/// Timers that come more often than this in a doze are no doze.
const DOZE_SPAN_MIN: Duration = Duration::from_secs(1);

impl Found {
    pub(super) fn life(&mut self, world: &WorldConfig) {
        let life = &world.life;
        self.plan(world);
        for (name, periods) in [("foreground", &life.foreground), ("screen", &life.screen)] {
            if let Some(Periods { when, lasts }) = periods {
                let path = format!("life.{name}");
                self.when(&path, when, world);
                self.distribution(&format!("{path}.lasts"), lasts);
            }
        }
        if let Some(grid) = life.alarm_grid {
            self.at_least_a_second("life.alarm_grid", grid);
        }
        if let Some(doze) = &life.doze {
            self.doze(doze);
        }
    }

    fn plan(&mut self, world: &WorldConfig) {
        let plan = &world.life.attach;
        if plan.len() > ATTACH_MAX {
            self.add("life.attach", format!("{} changes of network", plan.len()), format!("use at most {ATTACH_MAX}"));
        }
        for (place, Attach { at, to, gap, old_sockets }) in plan.iter().enumerate() {
            let path = format!("life.attach[{place}]");
            self.destination(&format!("{path}.to"), to, world);
            self.leaving(&path, gap.is_some(), *old_sockets, to);
            if let Some(gap) = gap {
                self.distribution(&format!("{path}.gap"), gap);
            }
            if at.get() >= world.duration {
                let end = format_duration(world.duration);
                self.add(
                    format!("{path}.at"),
                    format!("this change would come at {at}, after the end of the run at {end}"),
                    format!("let it come before {end}, or make `duration` longer"),
                );
            }
            if let Some(before) = place.checked_sub(1).filter(|before| plan[*before].at >= *at) {
                self.add(
                    format!("{path}.at"),
                    format!("it comes at {at}, but life.attach[{before}] before it at {}", plan[before].at),
                    "write the changes in the order of time",
                );
            }
        }
    }

    /// Checks where a device goes.
    fn destination(&mut self, path: &str, to: &str, world: &WorldConfig) {
        if to != NO_NETWORK {
            self.network_name(path, to, world);
        }
    }

    fn leaving(&mut self, path: &str, has_gap: bool, old_sockets: OldSockets, to: &str) {
        if old_sockets == OldSockets::Linger && (has_gap || to == NO_NETWORK) {
            let why = if has_gap { "there is a `gap` without any network" } else { "it goes to no network" };
            self.add(
                format!("{path}.old_sockets"),
                format!("the old connections cannot linger: {why}"),
                "use \"abort\" or \"rot\"",
            );
        }
    }

    fn doze(&mut self, doze: &DozeConfig) {
        let spans = [
            ("after", doze.after),
            ("first_window", doze.first_window),
            ("longest_wait", doze.longest_wait),
            ("window", doze.window),
        ];
        for (name, span) in spans {
            self.at_least_a_second(&format!("life.doze.{name}"), span);
        }
        if let IdleAlarms::Every(least) = doze.alarms {
            self.at_least_a_second("life.doze.alarms.every", least);
        }
        if doze.longest_wait < doze.first_window {
            self.add(
                "life.doze.longest_wait",
                format!("the longest wait of {} is shorter than the first of {}", doze.longest_wait, doze.first_window),
                "let `longest_wait` be at least `first_window`",
            );
        }
    }

    fn at_least_a_second(&mut self, path: &str, span: Span) {
        if span.get() < DOZE_SPAN_MIN {
            self.add(path, format!("{span} is too short"), "use at least \"1s\"");
        }
    }

    pub(super) fn device_fault(&mut self, path: &str, effect: DeviceEffect<'_>, world: &WorldConfig) {
        match effect {
            DeviceEffect::Moves(NetworkSwitch { to, lasts, gap, old_sockets, .. }) => {
                self.leaving(path, gap.is_some(), *old_sockets, to.as_deref().unwrap_or_default());
                if let Some(gap) = gap {
                    self.distribution(&format!("{path}.gap"), gap);
                }
                match to {
                    Some(to) => self.destination(&format!("{path}.to"), to, world),
                    None if lasts.is_some() => self.add(
                        format!("{path}.lasts"),
                        "without `to` the device gets a new address on its network, which has no length",
                        "remove `lasts`, or say where the device goes: to = \"none\"",
                    ),
                    None if *old_sockets == OldSockets::Linger => self.add(
                        format!("{path}.old_sockets"),
                        "an address on the same network does not linger beside the new one",
                        "use \"abort\" or \"rot\"",
                    ),
                    None => {}
                }
            }
            DeviceEffect::LosesAddress(Some(network)) => {
                self.network_name(&format!("{path}.network"), network, world);
            }
            DeviceEffect::LosesAddress(None)
            | DeviceEffect::Kills
            | DeviceEffect::Stalls
            | DeviceEffect::Freezes
            | DeviceEffect::SendsMalformed => {}
        }
    }
}
