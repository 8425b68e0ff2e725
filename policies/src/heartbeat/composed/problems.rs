//! What contradicts itself in a composition: each problem names the key that should change and the nearest good value.

use std::time::Duration;

use super::{
    super::{
        Anchor, Feed, FirstBeat, Pace, ScheduleSpec, Search, Stream, TestOn,
        spec::{check_misses, check_timeout},
    },
    Composed, WhenDead,
    promises::Gaps,
};
use crate::{Problem, unit::format_duration};

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
            if let Some(gap) = least_gap {
                problems.extend(check_timeout(
                    "heartbeat.composed.judge.reply",
                    reply.timeout.longest(),
                    gap,
                    "shortest gap",
                ));
            }
            problems.extend(self.unanswered_beats("heartbeat.composed.judge.reply", "waits for replies"));
        }
        if let Some(silence) = &self.judge.silence {
            if silence.while_awaiting || silence.fed_by == Feed::Replies {
                problems.extend(self.unanswered_beats("heartbeat.composed.judge.silence", "waits for replies"));
            }
            // Fed by nothing but the answers to its own beats, it must outlast the gap between them.
            let limit = silence.limit.get();
            if let Some(gap) = least_gap.filter(|gap| silence.fed_by == Feed::Replies && limit <= *gap) {
                problems.push(Problem::new(
                    "heartbeat.composed.judge.silence.limit",
                    format!("a limit of {} does not outlast the gap of {}", silence.limit, format_duration(gap)),
                    format!("use more than \"{}\", twice as much to be safe", format_duration(gap)),
                ));
            }
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
        if self.when_dead != WhenDead::GiveUp && self.judge.is_empty() {
            problems.push(Problem::new(
                "heartbeat.composed.when_dead",
                "nobody judges, so that nothing is ever found dead",
                "name a judge, or leave it out",
            ));
        }
        problems
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

    /// The longest interval that a server has to expect.
    fn longest(&self) -> Option<Duration> {
        match self.gaps() {
            Gaps::Known { longest, .. } => longest,
            Gaps::None | Gaps::Unknown => None,
        }
    }

    /// A watchdog that the server's pings feed, and a server that pings no more often than the watchdog bites: healthy
    /// connections die for ever (invariant 15; aspnetcore issue 44197).
    pub(crate) fn impatience(&self, pings: Duration) -> Option<Problem> {
        let silence = self.judge.silence.as_ref().filter(|silence| !silence.while_awaiting)?;
        let has_replies = self.answered && !matches!(self.schedule, ScheduleSpec::PeerSends);
        let only_pings = silence.fed_by == Feed::Pings || silence.fed_by == Feed::Any && !has_replies;
        (only_pings && silence.limit.get() <= pings).then(|| {
            let pings = format_duration(pings);
            Problem::new(
                "heartbeat.composed.judge.silence.limit",
                format!("a limit of {} does not outlast the server's pings, one every {pings}", silence.limit),
                format!("use more than \"{pings}\", twice as much to be safe"),
            )
        })
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

    /// Returns what lists gather it under.
    pub const fn family(&self) -> &'static str {
        if self.search.is_some() {
            return "heartbeats that learn their interval";
        }
        if self.judge.freshness.is_some() {
            return "failure detectors of the literature";
        }
        match self.schedule {
            ScheduleSpec::PeerSends if self.keepalive.is_some() => "the kernel's keepalive",
            ScheduleSpec::PeerSends if self.leave.is_some() => "no lasting connection: polling and push services",
            ScheduleSpec::PeerSends => "the server's heartbeats",
            ScheduleSpec::Grid(_) => "heartbeats on a fixed grid",
            ScheduleSpec::Idle(_) => "heartbeats when idle",
        }
    }

    /// A detector that expects replies at a constant interval, and beats that have none.
    fn uneven_beats(&self) -> Vec<Problem> {
        let grid = match &self.schedule {
            ScheduleSpec::Grid(grid) => Some(grid),
            ScheduleSpec::PeerSends | ScheduleSpec::Idle(_) => None,
        };
        let is_idle = matches!(self.schedule, ScheduleSpec::Idle(_));
        [
            (is_idle, "schedule.idle", "beats after idleness have none", "use `schedule.grid`"),
            (
                grid.is_some_and(|grid| grid.shortest.is_some()),
                "schedule.grid.shortest",
                "these gaps are drawn",
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

    /// The longest gap between its beats that the server has to expect; `None` if it sends none, or no known ones.
    pub fn announced_interval(&self) -> Option<Duration> {
        self.longest()
    }
}
