//! The life of one device, drawn before the run: which network it is on and when, when its process is killed, when its
//! application is on the screen, when it dozes. A function of seed and device; what the device makes of it is in `device`.

mod moves;

use std::time::Duration;

use cardiogram_policies::{AppState, Time, unit::Span};

pub(crate) use self::moves::{Address, Move};
use crate::{
    config::{DeviceEffect, DozeConfig, IdleAlarms, LifeConfig, Periods, Target, WorldConfig},
    fate::{
        schedule::{self, Interval, merge, numbered},
        struck::Struck,
    },
};

/// The life of one device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// Changes of network, in order.
    pub(crate) moves: Vec<Move>,
    /// When the device's address is dead and its system does not know, by network.
    pub(crate) dead_leases: Vec<(u32, Interval)>,
    /// From kills of the process to its next start.
    pub(crate) kills: Vec<Interval>,
    /// When its process stands still, its kernel not.
    pub(crate) stalls: Vec<Interval>,
    /// When all of it stands still.
    pub(crate) freezes: Vec<Interval>,
    /// When the application sends a frame that makes no sense.
    pub(crate) malformed: Vec<Time>,
    /// How the device is used, each from its time on; empty where nobody cares.
    uses: Vec<(Time, Use)>,
    alarm_grid: Option<Duration>,
    /// The least time between two of the application's timers in a doze; `None`: they do not fire.
    idle_alarms: Option<Duration>,
    /// When timers are exact although the device dozes.
    windows: Vec<Interval>,
    /// When the processor sleeps unless something wakes it.
    pub(crate) sleeps: Vec<Interval>,
    /// How long it stays awake then.
    pub(crate) awake: Duration,
}

/// How a device is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// The application is on the screen.
    Foreground,
    /// Something else is.
    Screen,
    /// The screen is off.
    Off,
    /// It has been off for long.
    Doze,
}

/// Returns whether anything happens in the lives of a world's devices.
pub(crate) fn is_eventful(config: &WorldConfig) -> bool {
    config.life != LifeConfig::default()
        || config.faults.iter().any(|fault| matches!(fault.facts().target, Target::Device(_)))
}

impl Life {
    /// The life of device `index`.
    pub(crate) fn draw(config: &WorldConfig, index: u32, seed: u64) -> Self {
        let horizon = Time::ZERO + config.duration;
        let number = u64::from(index);
        let (moves, dead_leases) = moves::draw(config, number, seed);
        let mut life = Self { moves, dead_leases, ..Self::default() };
        for (name, fault) in numbered(config) {
            let fault = fault.facts();
            let Target::Device(effect) = fault.target else { continue };
            if !Struck::is_one(fault.whom, config.devices.count, seed, &name, index) {
                continue;
            }
            let strikes = || schedule::strikes(&fault, horizon, seed, &name, number);
            match effect {
                DeviceEffect::Kills => life.kills.extend(strikes()),
                DeviceEffect::Stalls => life.stalls.extend(strikes()),
                DeviceEffect::Freezes => life.freezes.extend(strikes()),
                DeviceEffect::SendsMalformed => life.malformed.extend(strikes().iter().map(|strike| strike.begin)),
                // They are among the moves.
                DeviceEffect::Moves(_) | DeviceEffect::LosesAddress(_) => {}
            }
        }
        life.kills = merge(life.kills);
        (life.stalls, life.freezes) = (merge(life.stalls), merge(life.freezes));
        life.put_off();
        if config.life.has_states() {
            life.draw_uses(&config.life, horizon, number, seed);
        }
        life.sleeps = merge([&life.sleeps[..], &life.freezes].concat());
        life
    }

    /// Returns when its process stands still, alone or with the whole device.
    pub(crate) fn standstills(&self) -> Vec<Interval> {
        merge([&self.stalls[..], &self.freezes].concat())
    }

    /// What would happen to the device while it stands still happens when it goes on.
    fn put_off(&mut self) {
        let still = self.standstills();
        let off = |at: &mut Time| *at = put_off(*at, &still);
        self.moves.iter_mut().for_each(|step| off(&mut step.at));
        self.malformed.iter_mut().for_each(off);
        for kill in &mut self.kills {
            off(&mut kill.begin);
            off(&mut kill.end);
        }
    }

    fn draw_uses(&mut self, config: &LifeConfig, horizon: Time, number: u64, seed: u64) {
        let draw = |periods: &Option<Periods>, name: &str| {
            let of = |periods: &Periods| {
                schedule::intervals(&periods.when, Some(&periods.lasts), horizon, seed, name, number)
            };
            periods.as_ref().map_or_else(Vec::new, of)
        };
        let foreground = draw(&config.foreground, "life/foreground");
        let screen = merge([draw(&config.screen, "life/screen"), foreground.clone()].concat());
        let mut dozes = Vec::new();
        if let Some(doze) = &config.doze {
            let from = |off: Interval| Interval { begin: off.begin + doze.after.get(), ..off };
            dozes = gaps(&screen, horizon).into_iter().map(from).filter(|doze| doze.begin < doze.end).collect();
            self.windows = dozes.iter().flat_map(|of| windows(*of, doze)).collect();
            self.idle_alarms = match doze.alarms {
                IdleAlarms::Every(least) => Some(least.get()),
                IdleAlarms::Never => None,
            };
            if doze.suspends {
                self.sleeps.extend(dozes.iter().flat_map(|of| without(*of, &self.windows)));
                self.awake = doze.awake.get();
            }
        }
        self.alarm_grid = config.alarm_grid.map(Span::get);
        self.uses = uses(&foreground, &screen, &dozes);
    }

    /// Returns the application's states, each from its time on.
    pub(crate) fn app_states(&self) -> impl Iterator<Item = (Time, AppState)> + '_ {
        self.uses.iter().map(|(from, of)| {
            let state = match of {
                Use::Foreground => AppState::Foreground,
                Use::Screen | Use::Off => AppState::Background,
                Use::Doze => AppState::Doze,
            };
            (*from, state)
        })
    }

    /// Returns when a timer of the application that is due at `due` fires. `last_idle` is when one last woke the dozing device.
    pub(crate) fn fires(&self, due: Time, last_idle: Option<Time>) -> Time {
        let mut at = due;
        // From one use to the next until one lets the timer fire.
        loop {
            let (of, until) = self.use_at(at);
            let fires = match of {
                Use::Foreground | Use::Screen => at,
                Use::Off => self.alarm_grid.map_or(at, |grid| next_multiple(at, grid)),
                Use::Doze => self.fires_in_doze(at, last_idle),
            };
            if fires < until || until == Time::MAX {
                return fires;
            }
            at = until;
        }
    }

    fn fires_in_doze(&self, at: Time, last_idle: Option<Time>) -> Time {
        let window = self.windows.get(self.windows.partition_point(|window| window.end <= at));
        let in_window = window.map_or(Time::MAX, |window| window.begin.max(at));
        let idle = self.idle_alarms.map_or(Time::MAX, |least| last_idle.map_or(at, |last| at.max(last + least)));
        in_window.min(idle)
    }

    /// Returns whether a timer that fires at `now` wakes a dozing device.
    pub(crate) fn is_idle_alarm(&self, now: Time) -> bool {
        self.use_at(now).0 == Use::Doze && !contains(&self.windows, now)
    }

    /// Returns how the device is used at a time, and until when.
    fn use_at(&self, at: Time) -> (Use, Time) {
        let next = self.uses.partition_point(|(from, _)| *from <= at);
        let of = next.checked_sub(1).map_or(Use::Foreground, |now| self.uses[now].1);
        (of, self.uses.get(next).map_or(Time::MAX, |(from, _)| *from))
    }
}

/// Returns when something happens that would at `at`, but for these standstills; sorted, without overlaps.
pub(crate) fn put_off(at: Time, standstills: &[Interval]) -> Time {
    let next = standstills.get(standstills.partition_point(|still| still.end <= at));
    next.filter(|still| still.begin <= at).map_or(at, |still| still.end)
}

/// Returns the next multiple of `grid` at or after a time.
fn next_multiple(at: Time, grid: Duration) -> Time {
    let grid = grid.as_micros() as u64;
    Time::from_micros(at.as_micros().div_ceil(grid) * grid)
}

/// Returns the maintenance windows of a doze: each wait is twice the one before, up to the longest.
fn windows(doze: Interval, config: &DozeConfig) -> Vec<Interval> {
    let mut wait = config.first_window.get();
    let mut begin = doze.begin + wait;
    let mut windows = Vec::new();
    while begin < doze.end {
        let end = begin + config.window.get();
        windows.push(Interval { begin, end: end.min(doze.end) });
        wait = (wait * 2).min(config.longest_wait.get()).max(wait);
        begin = end + wait;
    }
    windows
}

fn uses(foreground: &[Interval], screen: &[Interval], dozes: &[Interval]) -> Vec<(Time, Use)> {
    let edges = [foreground, screen, dozes].into_iter().flatten().flat_map(|interval| [interval.begin, interval.end]);
    let mut edges: Vec<Time> = std::iter::once(Time::ZERO).chain(edges).collect();
    edges.sort_unstable();
    let at = |at: Time| {
        if contains(foreground, at) {
            Use::Foreground
        } else if contains(screen, at) {
            Use::Screen
        } else if contains(dozes, at) {
            Use::Doze
        } else {
            Use::Off
        }
    };
    let mut uses: Vec<(Time, Use)> = edges.into_iter().map(|from| (from, at(from))).collect();
    uses.dedup_by_key(|(_, of)| *of);
    uses
}

/// Returns whether a time lies in one of sorted intervals.
fn contains(intervals: &[Interval], at: Time) -> bool {
    let next = intervals.partition_point(|interval| interval.end <= at);
    intervals.get(next).is_some_and(|interval| interval.begin <= at)
}

/// Returns what lies between sorted intervals, from the beginning to `end`.
fn gaps(intervals: &[Interval], end: Time) -> Vec<Interval> {
    without(Interval { begin: Time::ZERO, end }, intervals)
}

/// Returns what is left of an interval.
fn without(whole: Interval, taken: &[Interval]) -> Vec<Interval> {
    let mut left = Vec::new();
    let mut begin = whole.begin;
    for taken in taken.iter().filter(|taken| taken.begin < whole.end && whole.begin < taken.end) {
        if begin < taken.begin {
            left.push(Interval { begin, end: taken.begin });
        }
        begin = taken.end;
    }
    if begin < whole.end {
        left.push(Interval { begin, end: whole.end });
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mins(begin: u64, end: u64) -> Interval {
        Interval { begin: Time::from_secs(begin * 60), end: Time::from_secs(end * 60) }
    }

    fn at(mins: u64) -> Time {
        Time::from_secs(mins * 60)
    }

    /// On the screen for 10 min, off, in the hand again at 40 min; then it dozes from 80 min to 300 min.
    fn life(config: &DozeConfig) -> Life {
        let (foreground, screen, dozes) = ([mins(0, 10)], [mins(0, 10), mins(40, 50)], [mins(80, 300)]);
        Life {
            uses: uses(&foreground, &screen, &dozes),
            alarm_grid: Some(Duration::from_secs(300)),
            idle_alarms: Some(Duration::from_secs(540)),
            windows: windows(dozes[0], config),
            ..Life::default()
        }
    }

    #[test]
    fn windows_come_at_twice_the_wait_each_time_up_to_the_longest() {
        let config = DozeConfig { longest_wait: Span::secs(9_000), ..DozeConfig::default() };
        let found = windows(mins(0, 600), &config);
        assert_eq!(found, [mins(60, 65), mins(185, 190), mins(340, 345), mins(495, 500)]);
    }

    #[test]
    fn timers_are_exact_while_someone_looks_and_wait_for_the_grid_or_the_screen_otherwise() {
        let life = life(&DozeConfig::default());
        let fires = |due| life.fires(due, None);
        assert_eq!(fires(at(7)), at(7));
        assert_eq!(fires(at(12)), at(15));
        assert_eq!(fires(at(15)), at(15));
        assert_eq!(fires(Time::from_secs(39 * 60)), at(40), "the screen goes on as the grid's time comes");
        assert_eq!(fires(at(43)), at(43), "another application is looked at");
    }

    #[test]
    fn in_a_doze_timers_come_at_their_least_distance_or_in_a_window() {
        let life = life(&DozeConfig::default());
        assert_eq!(life.fires(at(90), None), at(90));
        assert_eq!(life.fires(at(90), Some(at(88))), at(97));
        assert_eq!(life.fires(at(139), Some(at(138))), at(140), "the window begins at 140 min");
        assert_eq!(life.fires(at(142), Some(at(138))), at(142));
        assert_eq!(life.fires(at(299), Some(at(298))), at(300), "the doze ends before");
        assert!(life.is_idle_alarm(at(90)) && !life.is_idle_alarm(at(142)) && !life.is_idle_alarm(at(20)));

        let deferred = Life { idle_alarms: None, ..life };
        assert_eq!(deferred.fires(at(90), None), at(140));
        assert_eq!(deferred.fires(at(150), None), at(265), "the second window");
    }

    #[test]
    fn what_is_left_of_an_interval() {
        assert_eq!(without(mins(0, 10), &[mins(0, 2), mins(4, 5), mins(9, 12)]), [mins(2, 4), mins(5, 9)]);
        assert_eq!(gaps(&[], at(3)), [mins(0, 3)]);
        assert_eq!(gaps(&[mins(0, 3)], at(3)), []);
    }

    #[test]
    fn the_application_is_told_its_state_and_nothing_of_the_screen() {
        let told: Vec<_> = life(&DozeConfig::default()).app_states().collect();
        let background = AppState::Background;
        assert_eq!(
            told,
            [
                (at(0), AppState::Foreground),
                (at(10), background),
                (at(40), background),
                (at(50), background),
                (at(80), AppState::Doze),
                (at(300), background)
            ]
        );
    }
}
