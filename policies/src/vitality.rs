//! Can a healthy connection live? Who sends what how often is set against who waits how long for which of it, on both sides,
//! while the application is silent. What waits in vain is no contradiction, for products ship such numbers: it is warned of,
//! with both places and both numbers. What this is not: a judgement on paths that are ill, or on the application's own traffic.

use std::time::Duration;

use crate::{
    HeartbeatSpec, Problem, ReconnectSpec, StrategySpec,
    heartbeat::{Anchor, Composed, Feed, Occasion, ScheduleSpec, Stream},
    server::{PingAfter, RefreshedBy},
    unit::{Span, format_duration},
};

/// How often something comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rate {
    Never,
    /// At least once in this time.
    Every(Duration),
    /// It comes, and nobody can say how often.
    Unknown,
}

impl Rate {
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Every(one), Self::Every(other)) => Self::Every(one.min(other)),
            (Self::Never, other) => other,
            (every @ Self::Every(_), _) | (_, every @ Self::Every(_)) => every,
            _ => self,
        }
    }

    /// Returns whether who waits for it for `limit` waits in vain.
    fn starves(self, limit: Duration) -> bool {
        match self {
            Self::Never => true,
            Self::Every(gap) => gap >= limit,
            Self::Unknown => false,
        }
    }
}

/// What goes over a healthy connection of a silent application, and the key that says how often.
struct Traffic<'a> {
    spec: &'a StrategySpec,
    beats: Rate,
    /// Replies to beats.
    replies: Rate,
    /// The server's pings.
    pings: Rate,
    /// The client's answers to them.
    pongs: Rate,
}

impl StrategySpec {
    /// Returns why a connection on which nothing is wrong cannot live as long as the application is silent, with the paths to
    /// the keys and their numbers; empty where it can. All of it can run.
    pub fn short_lived(&self) -> Vec<Problem> {
        if !self.problems().is_empty() {
            return Vec::new();
        }
        let traffic = Traffic::of(self);
        traffic.client_starves().into_iter().chain(traffic.server_starves()).collect()
    }

    /// Returns what is wrong where there is no push service and no message of its own: a client that leaves its connection and
    /// comes back only when it is called.
    pub fn called_by_nobody(&self) -> Option<Problem> {
        self.waits_to_be_called().then(|| {
            Problem::new(
                "reconnect.on-call",
                "it leaves its connection on purpose and comes back when it is called, and nobody calls: the scenario has no \
                 `wakeup` and the device nothing to send, so it stays away for good",
                "give the scenario a `wakeup` or `traffic.up`, or use reconnect.fixed-delay",
            )
        })
    }

    /// Returns what to know before any scenario is named of a client that leaves its connection and comes back only when it is
    /// called.
    pub fn needs_a_call(&self) -> Option<Problem> {
        self.waits_to_be_called().then(|| {
            Problem::new(
                "reconnect.on-call",
                "it leaves its connection on purpose and comes back when it is called: in a scenario without `wakeup` and \
                 `traffic.up` nobody calls, and the device stays away for good",
                "run it where there is one of them, or use reconnect.fixed-delay",
            )
        })
    }

    fn waits_to_be_called(&self) -> bool {
        let leaves = match &self.heartbeat {
            HeartbeatSpec::LeaveWhenQuiet(_) => true,
            HeartbeatSpec::Composed(parts) => parts.leave.is_some(),
            _ => false,
        };
        leaves && matches!(self.reconnect, ReconnectSpec::OnCall(_))
    }
}

impl<'a> Traffic<'a> {
    fn of(spec: &'a StrategySpec) -> Self {
        let mut it = Self { spec, beats: Rate::Never, replies: Rate::Never, pings: Rate::Never, pongs: Rate::Never };
        // Either side may spare what the other makes unnecessary: a second look settles it.
        for _ in 0..2 {
            it.beats = it.beats();
            it.replies = if it.parts().is_none_or(|parts| parts.answered) { it.beats } else { Rate::Never };
            it.pings = it.pings();
            it.pongs =
                if spec.server.pings.as_ref().is_some_and(|pings| pings.answered) { it.pings } else { Rate::Never };
        }
        it
    }

    fn parts(&self) -> Option<Box<Composed>> {
        self.spec.heartbeat.parts()
    }

    /// Returns how often the client beats, whatever the server sends by itself.
    fn beats(&self) -> Rate {
        let heartbeat = &self.spec.heartbeat;
        let Some(parts) = self.parts() else {
            return match heartbeat {
                HeartbeatSpec::None => Rate::Never,
                _ => heartbeat.announced_interval().map_or(Rate::Unknown, Rate::Every),
            };
        };
        let Some(own) = parts.schedule.interval() else { return Rate::Never };
        let longest = match heartbeat.announced_interval() {
            Some(longest) => longest,
            // The server's word, where there is one.
            None if parts.pace.directed && !parts.pace.doubles => {
                // Of a grid that skips what would follow something sent, every other point.
                let skips = matches!(&parts.schedule, ScheduleSpec::Grid(grid) if grid.unless_sent);
                self.directed().into_iter().max().unwrap_or(own) * if skips { 2 } else { 1 }
            }
            None => return Rate::Unknown,
        };
        let gap = match (parts.most_without_data, parts.throttled_without_data) {
            (None, _) => longest,
            (Some(_), Some(apart)) => longest.max(apart.get()),
            (Some(_), None) => return Rate::Never,
        };
        let is_spared = |rate: Rate| matches!(rate, Rate::Every(gap) if gap <= longest);
        let (hears, answers) = (is_spared(self.pings), is_spared(self.pongs));
        let is_put_off = match &parts.schedule {
            ScheduleSpec::Idle(idle) => match idle.anchor {
                Anchor::Rx | Anchor::Either => hears,
                Anchor::Tx => answers,
                Anchor::Each => hears && answers,
                // Without a word of the server's there is no other beat; replies are such words.
                Anchor::TxOnceHeard => return self.once_heard(gap, answers),
                Anchor::Reply | Anchor::Acknowledged => false,
            },
            ScheduleSpec::Checks(_) => hears && answers,
            ScheduleSpec::Grid(grid) => grid.unless_sent && answers,
            ScheduleSpec::PeerSends => true,
        };
        // A check that comes just too early looks again as much later as something else was sent.
        let checks = matches!(parts.schedule, ScheduleSpec::Checks(_)) && self.pongs != Rate::Never;
        match (is_put_off, checks) {
            (true, _) => Rate::Never,
            (false, true) => Rate::Every(gap * 2),
            (false, false) => Rate::Every(match &parts.schedule {
                ScheduleSpec::Idle(idle) => match idle.anchor {
                    Anchor::Rx | Anchor::Either => put_off(gap, self.pings),
                    Anchor::Tx => put_off(gap, self.pongs),
                    _ => gap,
                },
                _ => gap,
            }),
        }
    }

    fn once_heard(&self, longest: Duration, answers: bool) -> Rate {
        let is_answered = self.parts().is_some_and(|parts| parts.answered);
        match self.pings {
            _ if answers => Rate::Never,
            // Begun once, it goes on by its own replies.
            _ if is_answered && self.replies != Rate::Never => Rate::Every(longest),
            Rate::Every(gap) => Rate::Every(gap.max(longest)),
            _ => Rate::Never,
        }
    }

    /// Returns the intervals that the server tells.
    fn directed(&self) -> Vec<Duration> {
        let directed = self.spec.server.directed.iter();
        directed
            .flat_map(|it| [it.interval].into_iter().chain(it.changes.iter().map(|it| it.interval)))
            .map(Span::get)
            .collect()
    }

    /// Returns how often the server pings, whatever the client sends by itself.
    fn pings(&self) -> Rate {
        let Some(pings) = &self.spec.server.pings else { return Rate::Never };
        let interval = pings.interval.get().max(pings.first.map_or(Duration::ZERO, Span::get));
        let interval = if pings.doubles_first { interval * 2 } else { interval };
        let by = match pings.after {
            PingAfter::Grid | PingAfter::Pong => Rate::Never,
            PingAfter::Received => self.beats,
            PingAfter::Sent => self.replies,
        };
        match by {
            Rate::Every(gap) if gap <= interval => Rate::Never,
            Rate::Every(_) => Rate::Every(put_off(interval, by)),
            // The beats before they cease put a ping off once.
            Rate::Never if pings.after != PingAfter::Grid && self.ceases() => Rate::Every(interval * 2),
            Rate::Never | Rate::Unknown => Rate::Every(interval),
        }
    }

    fn ceases(&self) -> bool {
        self.parts().is_some_and(|parts| parts.most_without_data.is_some())
    }

    /// Returns what the client waits for in vain.
    fn client_starves(&self) -> Vec<Problem> {
        let Some(parts) = self.parts() else { return Vec::new() };
        let anything = self.replies.or(self.pings);
        let path = "heartbeat.composed.judge";
        let mut found = Vec::new();
        if let Some(silence) = parts.judge.silence.as_ref().filter(|silence| !silence.while_awaiting) {
            let (rate, what) = match silence.fed_by {
                Feed::Any => (anything, Waits::Anything),
                Feed::Pings => (self.pings, Waits::Pings),
                Feed::Replies => (self.replies, Waits::Replies),
                // How often messages come is the application's business, and not the strategy's.
                Feed::Messages => (Rate::Unknown, Waits::Anything),
            };
            found.extend(self.starves(&format!("{path}.silence.limit"), silence.limit.get(), rate, what));
        }
        if let Some(looks) = &parts.judge.looks {
            found.extend(self.starves(&format!("{path}.looks.every"), looks.shortest(), anything, Waits::Anything));
        }
        if let Some(unanswered) = &parts.judge.unanswered {
            // What is answered at once never waits. Beats that cease have been sent all the same.
            let begins = parts.most_without_data.is_some() || parts.beat_on.contains(&Occasion::Connected);
            let beats = self.beats != Rate::Never || begins;
            let is_sent = (!parts.answered && beats) || self.pongs != Rate::Never;
            if is_sent {
                let limit = unanswered.limit.get();
                found.extend(self.starves(&format!("{path}.unanswered.limit"), limit, anything, Waits::Anything));
            }
        }
        if let Some(Stream::Pings(told)) = parts.judge.freshness.as_ref().map(|freshness| freshness.fed_by) {
            // Pings that come as often as it is told are what it expects.
            let told = told.get();
            if !matches!(self.pings, Rate::Every(gap) if gap <= told) {
                found.extend(self.starves(&format!("{path}.freshness.fed_by"), told, self.pings, Waits::Pings));
            }
        }
        found
    }

    /// Returns what the server waits for in vain.
    fn server_starves(&self) -> Option<Problem> {
        let reaper = self.spec.server.idle_reaper.as_ref()?;
        let announced = reaper.times_announced.and_then(|_| self.spec.heartbeat.announced_interval());
        // A limit that becomes shorter holds from the client's next frame on.
        let limit = if reaper.times_announced.is_some() {
            let told = self.directed().into_iter().map(Some).chain([announced]);
            told.map(|interval| reaper.patience(interval)).min()?
        } else {
            reaper.patience(None)
        };
        let of_client = self.beats.or(self.pongs);
        let rate =
            if reaper.refreshed_by == RefreshedBy::Any { of_client.or(self.replies).or(self.pings) } else { of_client };
        self.starves("server.idle-reaper.idle", limit, rate, Waits::Client)
    }

    fn starves(&self, path: &str, limit: Duration, rate: Rate, what: Waits) -> Option<Problem> {
        rate.starves(limit).then(|| {
            let limit = format_duration(limit);
            let who = if what == Waits::Client { "the server closes it" } else { "the client gives it up" };
            let missed = match what {
                Waits::Anything => "hearing anything",
                Waits::Pings => "a ping of the server's",
                Waits::Replies => "a reply",
                Waits::Client => "hearing the client",
            };
            let instead = match rate {
                Rate::Every(gap) => format!("`{}` lets {} pass", self.place(what), format_duration(gap)),
                _ => format!("`{}` never lets any come", self.place(what)),
            };
            let help = match rate {
                Rate::Every(gap) => {
                    format!("use more than \"{}\", twice as much to be safe, or send more often", format_duration(gap))
                }
                _ => "let the other side send something, or wait for something that it sends".to_owned(),
            };
            let message =
                format!("a healthy connection cannot live: {who} after {limit} without {missed}, and {instead}");
            Problem::new(path, message, help)
        })
    }

    /// Returns the key that says how often comes what is waited for.
    fn place(&self, what: Waits) -> &'static str {
        let by_pings = match what {
            Waits::Pings => true,
            Waits::Replies => false,
            Waits::Anything => self.replies == Rate::Never,
            Waits::Client => self.beats == Rate::Never && self.pongs != Rate::Never,
        };
        if by_pings {
            if self.spec.server.pings.is_some() { "server.pings.interval" } else { "server" }
        } else {
            self.of_beats()
        }
    }

    /// Returns the key of the client's interval.
    fn of_beats(&self) -> &'static str {
        match &self.spec.heartbeat {
            HeartbeatSpec::Fixed(_) => "heartbeat.fixed.interval",
            HeartbeatSpec::Idle(_) => "heartbeat.idle.threshold",
            HeartbeatSpec::Composed(parts) => match &parts.schedule {
                _ if parts.pace.directed && self.spec.server.directed.is_some() => "server.directed.interval",
                _ if parts.pace.background.is_some() => "heartbeat.composed.pace.background",
                ScheduleSpec::Grid(_) => "heartbeat.composed.schedule.grid.interval",
                ScheduleSpec::Idle(_) => "heartbeat.composed.schedule.idle.threshold",
                ScheduleSpec::Checks(_) => "heartbeat.composed.schedule.checks.every",
                ScheduleSpec::PeerSends => "heartbeat.composed.schedule",
            },
            _ => "heartbeat",
        }
    }
}

/// Returns the longest gap of what comes an `interval` after the last of its kind or of another that comes at a rate: from the
/// last before the other to the one that follows that.
fn put_off(interval: Duration, by: Rate) -> Duration {
    match by {
        Rate::Every(gap) if gap > interval => {
            let before = (gap.as_micros().div_ceil(interval.as_micros()) - 1) as u32;
            (gap + interval).saturating_sub(interval * before)
        }
        _ => interval,
    }
}

/// What somebody waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Anything,
    Pings,
    Replies,
    Client,
}
