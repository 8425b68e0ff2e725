//! What contradicts itself in a composition: each problem names the key that should change and the nearest good value.

use std::time::Duration;

use super::{
    super::{
        Anchor, FirstBeat, Pace, ScheduleSpec, Search, Stream, TestOn,
        spec::{check_misses, check_timeout},
    },
    Composed, WhenDead,
    promises::Gaps,
};
use crate::Problem;

impl Composed {
    /// Returns the contradictions between the parts, each with the path to the key that should change.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let least_gap = match self.gaps() {
            Gaps::Known { shortest, .. } => Some(shortest),
            Gaps::None | Gaps::Unknown => None,
        };
        if let ScheduleSpec::Grid(grid) = &self.schedule
            && let Some(shortest) = grid.shortest.filter(|shortest| *shortest > grid.interval)
        {
            problems.push(Problem::new(
                "heartbeat.composed.schedule.grid.shortest",
                format!("the shortest gap of {shortest} is longer than the interval of {}", grid.interval),
                format!("use at most \"{}\"", grid.interval),
            ));
        }
        if let Some(reply) = &self.judge.reply {
            problems.extend(check_misses("heartbeat.composed.judge.reply", reply.misses));
            problems.extend(reply.timeout.problems_at("heartbeat.composed.judge.reply"));
            // Idleness begins anew with each beat, and one that is judged late puts off the next one.
            let waits = matches!(self.schedule, ScheduleSpec::Idle(_)) && reply.misses == 1;
            if let Some(gap) = least_gap.filter(|_| !waits) {
                problems.extend(check_timeout(
                    "heartbeat.composed.judge.reply",
                    reply.timeout.longest(),
                    gap,
                    "shortest gap",
                ));
            }
            problems.extend(self.unanswered_beats("heartbeat.composed.judge.reply", "waits for replies"));
        }
        if self.judge.silence.as_ref().is_some_and(|silence| silence.while_awaiting) {
            problems.extend(self.unanswered_beats("heartbeat.composed.judge.silence", "waits for replies"));
        }
        if let Some(looks) = self.judge.looks.as_ref().filter(|looks| !(1..=1000).contains(&looks.silent)) {
            problems.push(Problem::new(
                "heartbeat.composed.judge.looks.silent",
                format!("{} looks are outside 1 to 1000", looks.silent),
                "use 1 or 2",
            ));
        }
        if let Some(look) = self.judge.silence.as_ref().and_then(|silence| silence.look.as_ref())
            && let Some(longest) = look.longest.filter(|longest| *longest < look.every)
        {
            problems.push(Problem::new(
                "heartbeat.composed.judge.silence.look.longest",
                format!("the longest time between looks is {longest}, the shortest {}", look.every),
                format!("use at least \"{}\"", look.every),
            ));
        }
        if let Some(freshness) = &self.judge.freshness {
            problems.extend(freshness.problems_at("heartbeat.composed.judge.freshness"));
            if freshness.fed_by == Stream::Replies {
                problems.extend(self.unanswered_beats("heartbeat.composed.judge.freshness", "waits for replies"));
                problems.extend(self.uneven_beats());
            }
        }
        if let Some(search) = &self.search {
            problems.extend(search.problems());
            problems.extend(self.search_problem(search));
        }
        if let Some(keepalive) = &self.keepalive {
            problems.extend(keepalive.problems_at("heartbeat.composed.keepalive"));
        }
        if let Some(leave) = &self.leave {
            problems.extend(leave.problems());
        }
        if self.most_without_data == Some(0) {
            problems.push(Problem::new(
                "heartbeat.composed.most_without_data",
                "with 0 beats without data there are none",
                "use at least 1, or leave it out",
            ));
        }
        problems.extend(self.without_effect());
        if self.when_dead != WhenDead::GiveUp && self.judge.is_empty() {
            problems.push(Problem::new(
                "heartbeat.composed.when_dead",
                "nobody judges, so that nothing is ever found dead",
                "name a judge, or leave it out",
            ));
        }
        problems
    }

    /// Keys that would change nothing beside the others.
    fn without_effect(&self) -> Vec<Problem> {
        let is_drawn =
            matches!(&self.schedule, ScheduleSpec::Grid(grid) if grid.unless_sent && grid.shortest.is_some());
        let has_own = self.keepalive.as_ref().is_some_and(|keepalive| keepalive.user_timeout.is_some());
        let only_given_up = self.when_dead == WhenDead::GiveUp && !self.judge.is_empty();
        [
            (
                self.throttled_without_data.is_some() && self.most_without_data.is_none(),
                "throttled_without_data",
                "nothing holds beats back",
                "add most_without_data = 2",
            ),
            (
                self.user_timeout.is_some() && has_own,
                "user_timeout",
                "`keepalive` has a user timeout, and a socket has one",
                "remove one of them",
            ),
            (
                self.close_timeout.is_some() && !only_given_up,
                "close_timeout",
                "only a connection that a judge finds dead, and that is given up then, is closed by a handshake",
                "name a judge, and leave `when_dead` out",
            ),
            (is_drawn, "schedule.grid.unless_sent", "a grid whose gaps are drawn has no points", "remove `shortest`"),
        ]
        .into_iter()
        .filter(|(is_wrong, ..)| *is_wrong)
        .map(|(_, key, message, help)| Problem::new(format!("heartbeat.composed.{key}"), message, help))
        .collect()
    }

    /// A search has to know how long the path was idle before a beat, and what became of the beat.
    fn search_problem(&self, search: &Search) -> Option<Problem> {
        if self.judge.reply.is_none() {
            return Some(Problem::new(
                "heartbeat.composed.judge",
                "a search has to know whether a beat was answered",
                "add judge.reply = { timeout = \"10s\" }",
            ));
        }
        let is_idle = matches!(&self.schedule, ScheduleSpec::Idle(idle) if idle.anchor == Anchor::Either);
        (search.on == TestOn::Session && !is_idle).then(|| {
            Problem::new(
                "heartbeat.composed.schedule",
                "a search on the session tests idle time, but the schedule lets traffic shorten it",
                "use schedule.idle with anchor = \"either\", or search on = \"probe\"",
            )
        })
    }

    /// Returns the longest interval that a server has to expect.
    fn longest(&self) -> Option<Duration> {
        match self.gaps() {
            Gaps::Known { longest, .. } => longest,
            Gaps::None | Gaps::Unknown => None,
        }
    }

    /// Somebody waits for replies that nobody sends.
    fn unanswered_beats(&self, path: &str, what: &str) -> Option<Problem> {
        let has_none = !self.answered || matches!(self.schedule, ScheduleSpec::PeerSends);
        has_none.then(|| {
            Problem::new(
                path,
                format!("it {what}, but no beat of this side is answered"),
                "use `judge.silence` fed by `any` or `pings`, or answered beats",
            )
        })
    }

    /// Returns a detector that expects replies at a constant interval, and beats that have none.
    fn uneven_beats(&self) -> Vec<Problem> {
        let grid = match &self.schedule {
            ScheduleSpec::Grid(grid) => Some(grid),
            ScheduleSpec::PeerSends | ScheduleSpec::Idle(_) | ScheduleSpec::Checks(_) => None,
        };
        let is_idle = matches!(self.schedule, ScheduleSpec::Idle(_) | ScheduleSpec::Checks(_));
        [
            (is_idle, "schedule.idle", "beats after idleness have none", "use `schedule.grid`"),
            (
                grid.is_some_and(|grid| grid.shortest.is_some()),
                "schedule.grid.shortest",
                "these gaps are drawn",
                "leave it out",
            ),
            (
                grid.is_some_and(|grid| grid.unless_sent),
                "schedule.grid.unless_sent",
                "what is sent puts them off",
                "leave it out",
            ),
            (
                grid.is_some_and(|grid| grid.first_beat != FirstBeat::Interval),
                "schedule.grid.first_beat",
                "the first gap is another",
                "use \"interval\", or leave it out",
            ),
            (self.pace != Pace::default(), "pace", "it changes with the situation", "leave it out"),
            (self.search.is_some(), "search", "it changes with what is learnt", "leave it out"),
            (!self.beat_on.is_empty(), "beat_on", "these beats come in between", "leave it out"),
            (self.most_without_data.is_some(), "most_without_data", "beats are left out", "leave it out"),
        ]
        .into_iter()
        .filter(|(is_uneven, ..)| *is_uneven)
        .map(|(_, key, why, help)| {
            let message = format!("`judge.freshness` expects replies at a constant interval, but {why}");
            Problem::new(format!("heartbeat.composed.{key}"), message, help)
        })
        .collect()
    }

    /// Returns the longest gap between its beats that the server has to expect; `None` if it sends none, or no known ones.
    pub fn announced_interval(&self) -> Option<Duration> {
        self.longest()
    }
}
