//! Tencent Mars's smart heartbeat: short beats while the application is in use, and in the background a climb up a ladder of
//! intervals, remembered for each network, until one fails twice.
//!
//! Intended behaviour of Mars at commit 6aa5b56 (`config.h`, `smart_heartbeat.cc`, `longlink.cc`), its quirks included: a
//! failure just after a step up is charged to the new rung although the gap was the old one, and the probe after a week may
//! climb past the ceiling by less than 20 s until it is clamped. Not reproduced: the uninitialised `lastheartbeat_` that can
//! suppress beats, and the count of failed short beats, which only feeds a report.

mod record;

use std::time::Duration;

use self::record::Record;
use super::{
    Action, Event, Heartbeat, LossReason,
    activity::{Activity, UntilTold},
    ladder::{self, Ladder},
    machine::{MachineState, Rules, has_state},
    notebook::Notebook,
    spec::{Learning, Machine, per_hour},
};
use crate::{
    Bounds, Network, NetworkKind, Problem, Promises, Time,
    problem::Problems,
    unit::{Span, format_duration},
};

parameters! {
    /// Mars's smart heartbeat with Mars's numbers as defaults (`config.h` at 6aa5b56).
    pub struct MarsSmartHeartbeat {
        /// The interval while the application is in use and of a connection's first beats; the ladder's lowest rung.
        /// `MinHeartInterval`. Default 210 s.
        pub min: Span = Span::secs(210),
        /// No interval reaches this; the ladder's highest rung lies `success_step` below. `MaxHeartInterval`. Default 600 s.
        pub max: Span = Span::secs(600),
        /// From rung to rung. `HeartStep`. Default 60 s.
        pub step: Span = Span::secs(60),
        /// The safety margin below the last rung that held, and the step of the probe after `reprobe_after`. `SuccessStep`.
        /// Default 20 s.
        pub success_step: Span = Span::secs(20),
        /// Answered gaps on a rung before the next. `BaseSuccCount`. Default 5.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        pub base_successes: u32 = 5,
        /// Failures on a rung that end the search, or end a stable interval. They add up over connections until a gap of the
        /// rung's length is answered. `MaxHeartFailCount`. Default 2.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        pub max_failures: u32 = 2,
        /// Short beats answered on a connection before it is used for the search. `NetStableTestCount`. Default 3.
        #[cfg_attr(feature = "schema", schemars(range(max = 1000)))]
        pub short_beats: u32 = 3,
        /// Age of a stable interval at which a slightly longer one is tried. Default 7 days.
        pub reprobe_after: Span = Span::secs(7 * 86_400),
        /// Networks that are remembered, at least 1. Default 20.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        pub records: u32 = 20,
        /// How long the answer to a beat may take. Default 8 s.
        pub timeout: Span = Span::secs(8),
        /// How long the answer may take to a beat whose timer fired late, by `late_after`. Default 5 s.
        pub late_timeout: Span = Span::secs(5),
        /// What counts as such a timer: one that fired this long after it was set, or later. Default 15 min.
        pub late_after: Span = Span::secs(15 * 60),
        /// How long an application that left the screen still counts as in use. Default 10 min.
        pub inactive_after: Span = Span::secs(10 * 60),
        /// By how much a gap differs from the interval asked for when the system aligns timers. Default 20 s.
        pub doze_slack: Span = Span::secs(20),
        /// A fixed interval in place of all this, as a codec's `longlink_noop_interval` sets it. Default: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fixed: Option<Span> = None,
        /// What the application counts as before its host tells its state. Default `inactive`.
        pub until_told: UntilTold = UntilTold::Inactive,
        /// The defect at 6aa5b56: the timer that judges a beat is started on one object and tested on another, so a
        /// silent peer goes unnoticed until the transport reports it. Default false.
        pub alarm_never_fires: bool = false,
    }
}

impl MarsSmartHeartbeat {
    fn describe_judgement(&self) -> String {
        if self.alarm_never_fires {
            return "A heartbeat without a reply ends nothing: the alarm that should find out never fires.".into();
        }
        format!(
            "A heartbeat without a reply within {}, or {} if its alarm was set {} before or more, ends the connection.",
            self.timeout, self.late_timeout, self.late_after
        )
    }
}

impl Machine for MarsSmartHeartbeat {
    fn build(&self) -> Box<dyn Heartbeat> {
        Box::new(Mars::new(self.clone()))
    }

    fn promises(&self, bounds: &Bounds) -> Promises {
        // Answers to the server's pings are writes too.
        let nothing_else_is_sent = bounds.silent_app && bounds.server_pings.is_none();
        let (shortest, longest) = self.fixed.map_or((self.min, self.max), |fixed| (fixed, fixed));
        // Beats follow each other by the interval that was fetched with the last one, which stays below `max`; only writes
        // postpone them. The first one that cannot be answered leaves within an interval of the break.
        let detects_within = (nothing_else_is_sent && !self.alarm_never_fires)
            .then(|| longest.get() + self.timeout.max(self.late_timeout).get());
        let patience = if bounds.steady_host { self.timeout } else { self.timeout.min(self.late_timeout) };
        Promises {
            detects_within,
            heartbeats_per_hour: Some(per_hour(shortest.get())),
            no_false_alarm: self.alarm_never_fires || (bounds.loss_free && bounds.rtt_max <= patience.get()),
            ..Promises::default()
        }
    }

    fn longest_gap(&self) -> Option<Duration> {
        Some(self.fixed.unwrap_or(self.max).get())
    }

    fn learning(&self) -> Option<Learning> {
        // What it settles on is a step and a success step below the last that lived, which may be a step below the best.
        let step = 2 * self.step.get() + self.success_step.get();
        self.fixed.is_none().then(|| Learning::new(step, Some(self.max.get()), 2))
    }

    fn describe(&self) -> String {
        if let Some(fixed) = self.fixed {
            return format!(
                "Sends a heartbeat as soon as it is connected and {fixed} after whatever it sent last. {}",
                self.describe_judgement()
            );
        }
        format!(
            "Sends a heartbeat as soon as it is connected and an interval after whatever it sent last; what it receives changes \
             nothing. {} The interval is {min} while the application is in use, until {inactive} after that, and for the first \
             {short} heartbeats of a connection. Otherwise it is the one learnt for the network: it begins at {min} and grows by \
             {step} with every {successes} heartbeats that were answered after a whole gap of it, up to {ceiling}; after {fails} \
             failures it goes back by {back} and stays. {fails} failures of what stayed begin the search anew, and {reprobe} \
             after it was found a result is tried {success} longer. Alarms that come {slack} late or more, twice or more and more \
             than twice as often as not, are taken for a doze: the interval is then {min} or {ceiling}. It remembers a record for \
             each of the last {records} networks.",
            self.describe_judgement(),
            min = self.min,
            inactive = self.inactive_after,
            short = self.short_beats,
            step = self.step,
            successes = self.base_successes,
            ceiling = format_duration(self.max.get().saturating_sub(self.success_step.get())),
            fails = self.max_failures,
            back = format_duration(self.step.get() + self.success_step.get()),
            reprobe = self.reprobe_after,
            success = self.success_step,
            slack = self.doze_slack,
            records = self.records,
        )
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::at("heartbeat.mars-smart-heartbeat");
        ladder::check(&mut problems, self.min, self.max, self.success_step);
        let shortest = self.fixed.unwrap_or(self.min);
        problems.check_timeout("timeout", self.timeout, "shortest", shortest);
        problems.check_timeout("late_timeout", self.late_timeout, "shortest", shortest);
        problems.check_count("base_successes", self.base_successes, 1);
        problems.check_count("max_failures", self.max_failures, 1);
        problems.check_count("records", self.records, 1);
        if self.short_beats > 1000 {
            problems.add("short_beats", format!("{} is more than 1000", self.short_beats), "use 1000");
        }
        problems.into_vec()
    }
}

impl MarsSmartHeartbeat {
    fn ladder(&self) -> Ladder {
        Ladder::new(self.min, self.max, self.step, self.success_step)
    }
}

/// [`MarsSmartHeartbeat`] at work.
pub(super) struct Mars {
    spec: MarsSmartHeartbeat,
    ladder: Ladder,
    /// The records as stored; the working copy of the present network's is `record`.
    state: MachineState<Notebook<u32, Record>>,
    network: Option<Network>,
    record: Record,
    /// Answered gaps on the present rung in a row. Mars: `succ_heart_count_`.
    successes: u32,
    activity: Activity,
    doze: DozeCount,
    /// Beats answered on this connection. Mars: `success_heart_count_`.
    answered: u32,
    /// The interval fetched last: after a beat was sent, the one that follows it. Mars: `last_heart_`.
    fetched: Duration,
    /// The interval fetched last when the last beat was judged, and when the one before was. Mars: `cur_heart_` and
    /// `pre_heart_`.
    judged: Duration,
    judged_before: Duration,
    /// When the timer of the next beat was set.
    set_at: Time,
}

/// How often timers kept their time in the background on a mobile network, and how often not.
#[derive(Default)]
struct DozeCount {
    off: u32,
    on_time: u32,
    /// The beat from which the next gap is measured; each counts once.
    since: Option<Time>,
}

impl DozeCount {
    fn count(&mut self, on_time: bool) {
        let (up, down) = if on_time { (&mut self.on_time, &mut self.off) } else { (&mut self.off, &mut self.on_time) };
        *up = up.saturating_add(1);
        *down = down.saturating_sub(1);
    }

    fn is_doze(&self) -> bool {
        self.off >= 2 && self.off > self.on_time.saturating_mul(2)
    }
}

impl Mars {
    pub(super) fn new(spec: MarsSmartHeartbeat) -> Self {
        let min = spec.min.get();
        Self {
            ladder: spec.ladder(),
            state: MachineState::new(Notebook::new("mars-smart-heartbeat")),
            network: None,
            record: Record::new(min, Time::ZERO),
            successes: 0,
            activity: Activity::new(spec.until_told, spec.inactive_after.get()),
            doze: DozeCount::default(),
            answered: 0,
            fetched: min,
            judged: min,
            judged_before: min,
            set_at: Time::ZERO,
            spec,
        }
    }

    fn load(&mut self, now: Time, network: Network) {
        self.network = Some(network);
        self.successes = 0;
        if let Some(stored) = self.state.notes.records.get(&network.id) {
            self.record = stored.usable(&self.ladder, now);
        } else {
            record::make_room(&mut self.state.notes.records, self.spec.records as usize, now);
            self.record = Record::new(self.ladder.min, now);
            self.save(now);
        }
    }

    fn save(&mut self, now: Time) {
        let Some(network) = self.network else { return };
        self.record.modified = Some(now);
        self.state.notes.records.insert(network.id, self.record);
        self.state.unsaved = true;
    }

    /// Returns the interval to wait now. Mars asks for it after each beat and each write.
    fn fetch(&mut self, now: Time) -> Duration {
        if let Some(fixed) = self.spec.fixed {
            return fixed.get();
        }
        let min = self.ladder.min;
        self.fetched = if self.activity.is_active(now) || self.answered < self.spec.short_beats {
            min
        } else {
            if self.doze.is_doze() && !self.record.found_in_doze && self.record.interval() != self.ladder.ceiling {
                self.record.set_interval(min);
            }
            if self.record.interval() >= self.spec.max.get() || self.record.interval() < min {
                self.record.set_interval(min);
            }
            self.record.interval()
        };
        self.fetched
    }

    /// A timer fired: whether it kept its time tells whether the system aligns timers.
    fn judge_timer(&mut self, now: Time) {
        let on_mobile_data = self.network.is_some_and(|network| network.kind == NetworkKind::Cellular);
        if self.activity.is_active(now) || !on_mobile_data {
            return;
        }
        if let Some(since) = self.doze.since.take() {
            self.doze.count(now.since(since).abs_diff(self.fetched) < self.spec.doze_slack.get());
        }
    }

    /// A beat was not answered, until its timeout or until the connection ended otherwise.
    fn failure(&mut self, now: Time, timed_out: bool) {
        if !self.counts(false) {
            return;
        }
        if timed_out {
            self.successes = 0;
        }
        self.record.failures = self.record.failures.saturating_add(1);
        if self.fetched == self.ladder.min {
            return;
        }
        if self.record.failures >= self.spec.max_failures {
            if self.record.stable {
                self.record.set_interval(self.ladder.min);
                self.start_over(false);
            } else {
                let safe = self.ladder.safe_below(self.record.interval());
                self.record.set_interval(if self.doze.is_doze() { self.ladder.min } else { safe });
                self.start_over(true);
                self.settle();
            }
        }
        self.save(now);
    }

    /// Notes that a beat was judged; whether that says anything about the record's interval.
    fn counts(&mut self, answered: bool) -> bool {
        if self.spec.fixed.is_some() {
            return false;
        }
        self.judged_before = self.judged;
        self.judged = self.fetched;
        self.answered = self.answered.saturating_add(u32::from(answered));
        self.answered > self.spec.short_beats && self.fetched == self.record.interval()
    }

    fn start_over(&mut self, stable: bool) {
        self.record.stable = stable;
        self.record.failures = 0;
        self.successes = 0;
    }

    fn settle(&mut self) {
        self.record.stable = true;
        self.record.found_in_doze = self.doze.is_doze();
    }

    /// The connection is over, whoever ended it.
    fn disconnected(&mut self) {
        self.successes = 0;
        if self.record.stable {
            self.fetched = self.ladder.min;
        }
    }
}

has_state!(Mars, Notebook<u32, Record>);

impl Rules for Mars {
    fn connected(&mut self, now: Time, network: Network) {
        if self.network.is_none_or(|before| before.id != network.id) {
            self.load(now, network);
        }
        self.answered = 0;
        (self.judged, self.judged_before) = (self.ladder.min, self.ladder.min);
        // The first beat goes out at once.
        self.state.open(now, Duration::ZERO);
    }

    fn due(&mut self, now: Time) -> Option<Action> {
        let is_late = now.since(self.set_at) >= self.spec.late_after.get();
        let fresh = self.state.beats.as_ref()?.is_fresh();
        if !fresh {
            self.judge_timer(now);
        }
        self.doze.since = Some(now);
        let timeout = if is_late && !fresh { self.spec.late_timeout } else { self.spec.timeout };
        let timeout = (!self.spec.alarm_never_fires).then_some(timeout.get());
        let interval = self.fetch(now);
        self.set_at = now;
        self.state.send(now, timeout, interval)
    }

    /// A beat was answered.
    fn answered(&mut self, now: Time) {
        if !self.counts(true) {
            return;
        }
        // What was fetched is the gap after this beat; only if the gap before it was as long has the rung held.
        if self.fetched == self.judged_before {
            self.successes = self.successes.saturating_add(1);
            self.record.failures = 0;
        }
        let ceiling = self.ladder.ceiling;
        if self.record.stable {
            let age = now.since(self.record.modified.unwrap_or_default());
            if self.record.interval() < ceiling && age >= self.spec.reprobe_after.get() {
                self.record.set_interval(self.record.interval() + self.ladder.margin);
                self.start_over(false);
                self.save(now);
            }
            return;
        }
        if self.successes >= self.spec.base_successes {
            self.successes = 0;
            if self.record.interval() >= ceiling {
                self.record.set_interval(ceiling);
                self.settle();
            } else if self.doze.is_doze() {
                self.record.set_interval(ceiling);
            } else {
                self.record.set_interval(self.ladder.above(self.record.interval()));
            }
        }
        self.save(now);
    }

    fn overdue(&mut self, now: Time) {
        self.state.declare_dead();
        self.failure(now, true);
        self.disconnected();
    }

    fn lost(&mut self, now: Time, _: LossReason, waiting: bool) {
        if waiting {
            self.failure(now, false);
        }
        self.disconnected();
    }

    fn heard(&mut self, now: Time, event: &Event) {
        match (event, &self.state.beats) {
            (Event::AppState(state), _) => self.activity.told(now, *state),
            // A write sets the timer anew, unless it has fired already.
            (Event::BytesWritten, Some(beats)) if !beats.is_due(now) => {
                let interval = self.fetch(now);
                self.set_at = now;
                self.state.schedule(now + interval);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
