//! What a composition does, in words: a sentence or two for each of its parts, put together like the parts themselves.

use super::{
    super::{
        Adopt, Anchor, AnsweredBy, DetectorSpec, Feed, FirstBeat, Freshness, Grid, Judges, LateReply, Leave, Pace,
        Patience, Reply, ScheduleSpec, Search, SearchRule, SearchWhen, Silence, Stream, TestOn,
        spec::{REMEMBERS_NOTHING, describe_misses},
    },
    Composed, Occasion, WhenDead,
};
use std::fmt::Write as _;

use crate::unit::{Span, format_duration};

impl Composed {
    /// Returns the state machine in words: when it sends, what it counts as a failure, what it does about it, what it
    /// remembers.
    pub fn describe(&self) -> String {
        let mut text = vec![self.describe_schedule()];
        text.extend(self.search.as_ref().map(Search::describe));
        text.extend(self.pace.describe());
        text.extend(self.beat_on.iter().map(|occasion| occasion.describe().to_owned()));
        if !self.answered {
            text.push(
                "Nobody answers a heartbeat: it refreshes the path and shows the server that this side lives.".into(),
            );
        }
        if let Some(most) = self.most_without_data {
            text.push(match self.throttled_without_data {
                None => format!("After {most} heartbeats it sends no more until data was sent."),
                Some(apart) => format!("After {most} heartbeats it sends one each {apart} until data was sent."),
            });
        }
        text.extend(self.user_timeout.map(|timeout| {
            format!("The kernel ends the connection once what was written has been unacknowledged for {timeout}.")
        }));
        text.extend(self.keepalive.as_ref().map(super::TcpKeepalive::describe));
        text.extend(self.judge.describe(self.keepalive.is_some() || self.leave.is_some()));
        text.extend(self.when_dead.describe().map(str::to_owned));
        text.extend(self.close_timeout.map(|timeout| {
            format!(
                "It closes such a connection by a handshake, and gives it up when that is answered or {timeout} later."
            )
        }));
        text.extend(self.leave.as_ref().map(|leave| leave.describe(&self.judge)));
        text.push(match self.search {
            Some(_) => "What it has learnt it remembers for each network, over restarts.".into(),
            None => REMEMBERS_NOTHING.into(),
        });
        text.join(" ")
    }

    fn describe_schedule(&self) -> String {
        match &self.schedule {
            ScheduleSpec::PeerSends if self.judge.silence.is_some() => {
                "Sends no heartbeats of its own: the server does, and it listens.".into()
            }
            ScheduleSpec::PeerSends => "Sends no heartbeats.".into(),
            ScheduleSpec::Grid(grid) => grid.describe(),
            ScheduleSpec::Checks(checks) => {
                let every = checks.every;
                format!(
                    "Looks {every} after the connection is established, after each heartbeat and after what was sent last. At \
                     a look it sends a heartbeat if nothing was sent for {every}, or nothing received for so long while no \
                     heartbeat waits for its reply."
                )
            }
            ScheduleSpec::Idle(idle) => {
                let threshold = idle.threshold;
                let when = match idle.anchor {
                    Anchor::Tx => format!("once nothing has been sent for {threshold}"),
                    Anchor::Rx => format!("once nothing has been received for {threshold}"),
                    Anchor::Either => format!("once nothing has been sent or received for {threshold}"),
                    Anchor::Each => format!("once nothing has been sent, or nothing received, for {threshold}"),
                    Anchor::Reply => format!("{threshold} after the reply to the last one"),
                    Anchor::Acknowledged => {
                        format!("{threshold} after the last reply, or acknowledgement by the server's application")
                    }
                    Anchor::TxOnceHeard => {
                        format!("once nothing has been sent for {threshold} and something was received since")
                    }
                };
                format!("Sends a heartbeat {when}, two of them never closer than {threshold}.")
            }
        }
    }
}

impl Grid {
    fn describe(&self) -> String {
        let first = match self.first_beat {
            FirstBeat::Now => "the first as soon as the connection is established",
            FirstBeat::Interval => "the first one interval after the connection is established",
            FirstBeat::RandomPhase => "the first at a random moment of the connection's first interval",
        };
        let every = match self.shortest {
            Some(shortest) => format!("{shortest} to {}, drawn anew each time", self.interval),
            None => self.interval.to_string(),
        };
        let others = if self.unless_sent {
            "unless something was sent since the one before would have been due, a heartbeat included"
        } else {
            "whatever else is sent meanwhile"
        };
        format!("Sends a heartbeat every {every}, {first}, {others}.")
    }
}

impl Search {
    fn describe(&self) -> String {
        let rule = match self.rule {
            SearchRule::Linear => "one step after the other until the first failure",
            SearchRule::Halving => "step by step, with half the step after each failure",
            SearchRule::Binary => "half way between the longest that survived and the shortest that failed",
            SearchRule::Exponential => "in steps that double, and begin again at one step after each failure",
            SearchRule::Composite => "in steps that double until the first failure, and by halves from there",
        };
        let on = match self.on {
            TestOn::Session => "on the session itself, after idle time that nothing has shortened",
            TestOn::Probe => "on a second connection",
        };
        let (min, max) = (self.min, self.max);
        let mut text =
            format!("It searches the longest interval that survives, from {min} up to {max}, {rule}; it tests {on}.");
        if self.failures > 1 {
            let _ = write!(text, " An interval has to fail {} times in a row.", self.failures);
        }
        if self.confirm {
            text += " A failure counts only if the session hears something afterwards.";
        }
        if self.adopt == Adopt::WhenFound {
            text += " The session keeps its interval until the search is over.";
        }
        if self.when == SearchWhen::Background {
            let _ = write!(text, " With the application on the screen the interval is {min}.");
        }
        if self.short_beats > 0 {
            let _ = write!(text, " A new connection begins with {} heartbeats at {min}.", self.short_beats);
        }
        if !self.margin.get().is_zero() {
            let _ = write!(text, " In use it stays {} below what was found.", self.margin);
        }
        if let Some(after) = self.relearn_after {
            let how = if self.failures_add_up { "in all" } else { "in a row" };
            let _ = write!(text, " After {after} failures {how} of the interval found it searches anew.");
        }
        if let Some(every) = self.relearn_every {
            let _ = write!(text, " A result older than {every} is searched anew.");
        }
        text
    }
}

impl Pace {
    fn describe(&self) -> Option<String> {
        let places = [
            ("in the background", self.background),
            ("in a doze", self.doze),
            ("on Wi-Fi or a cable", self.wifi),
            ("on a cellular network", self.cellular),
        ];
        let mut parts: Vec<String> =
            places.into_iter().filter_map(|(place, span)| Some(format!("{} {place}", span?))).collect();
        if self.directed {
            parts.push("what the server directs".into());
        }
        let mut text = Vec::new();
        if !parts.is_empty() {
            text.push(format!("The interval is {}.", parts.join(", ")));
        }
        if self.doubles {
            text.push("It is doubled each time the server closes for too many heartbeats.".into());
        }
        (!text.is_empty()).then(|| text.join(" "))
    }
}

impl Occasion {
    const fn describe(self) -> &'static str {
        match self {
            Self::Connected => "An established connection makes one due at once.",
            Self::Request => "A ping of the server makes one due at once.",
            Self::Foreground => "Coming to the screen makes one due at once.",
            Self::NetworkChange => "A change of network makes one due at once.",
        }
    }
}

impl Judges {
    fn describe(&self, others_end_it: bool) -> Vec<String> {
        let mut text = Vec::new();
        text.extend(self.reply.as_ref().map(Reply::describe));
        text.extend(self.silence.as_ref().map(Silence::describe));
        text.extend(self.looks.as_ref().map(|judge| {
            let in_a_row = if judge.silent == 1 { "one look".into() } else { format!("{} looks in a row", judge.silent) };
            format!(
                "Every {} it looks whether anything has arrived since the look before; after {in_a_row} without anything the \
                 connection is dead.",
                judge.every
            )
        }));
        text.extend(self.unanswered.as_ref().map(|judge| {
            format!(
                "Once the oldest thing sent has seen nothing arrive after it for {}, the connection is dead.",
                judge.limit
            )
        }));
        text.extend(self.freshness.as_ref().map(Freshness::describe));
        if text.is_empty() && !others_end_it {
            text.push("It never gives a connection up: that is left to the transport.".into());
        }
        text
    }
}

impl Reply {
    fn describe(&self) -> String {
        let (what, cleared_by) = match (self.evidence, self.late_reply) {
            (AnsweredBy::Reply, LateReply::Counts) => ("whose reply has not arrived", "any reply, a late one too,"),
            (AnsweredBy::Reply, LateReply::Ignored) => ("whose reply has not arrived", "a timely reply"),
            (AnsweredBy::Acknowledged, _) => {
                ("after which no reply or acknowledgement arrives", "any reply or acknowledgement")
            }
            (AnsweredBy::Any, _) => ("after which nothing at all arrives", "whatever arrives"),
        };
        let within = if self.evidence == AnsweredBy::Any { "for" } else { "within" };
        let timeout = match &self.timeout {
            Patience::Fixed(timeout) => timeout.to_string(),
            Patience::Estimated(rto) => format!(
                "the estimated round trip and four times its variation, at least {} and at most {} and doubled by each miss,",
                rto.floor, rto.cap
            ),
        };
        format!("A heartbeat {what} {within} {timeout} is a miss. {}", describe_misses(self.misses, cleared_by))
    }
}

impl Silence {
    fn describe(&self) -> String {
        let what = match self.fed_by {
            Feed::Any => "nothing has arrived",
            Feed::Pings => "no ping of the server has arrived, whatever else did,",
            Feed::Replies => "no reply has arrived",
            Feed::Messages => "no message of the application has arrived, nor an acknowledgement of one,",
        };
        let when = if self.while_awaiting { " while a heartbeat waits for its reply" } else { "" };
        match &self.look {
            None => format!("Once {what} for {}{when}, the connection is dead.", self.limit),
            Some(look) => {
                let every = look.longest.map_or_else(
                    || look.every.to_string(),
                    |longest| format!("{} to {longest}, drawn anew each time,", look.every),
                );
                format!(
                    "It looks every {every} and takes the connection for dead at the first look at which {what} for more than \
                     {}{when}.",
                    self.limit
                )
            }
        }
    }
}

impl Freshness {
    fn describe(&self) -> String {
        let what = match self.fed_by {
            Stream::Replies => "replies".to_owned(),
            Stream::Pings(interval) => format!("pings of the server, one every {interval},"),
        };
        let until = match &self.detector {
            DetectorSpec::Chen(chen) => format!(
                "the next is expected, by the mean of the last {}, and {} longer (Chen's NFD-E)",
                chen.window, chen.margin
            ),
            DetectorSpec::TwoWindow(two) => format!(
                "the next is expected, by the later of the means of the last {} and the last {}, and {} longer (2W-FD)",
                two.short, two.long, two.margin
            ),
            DetectorSpec::Bertier(bertier) => format!(
                "the next is expected, by the mean of the last {}, and a margin longer that follows the errors of that \
                 expectation (Bertier)",
                bertier.window
            ),
            DetectorSpec::Phi(phi) => format!("the suspicion phi reaches {} (phi accrual)", phi.threshold),
            DetectorSpec::Cassandra(cassandra) => {
                format!("the suspicion phi reaches {} (accrual as in Cassandra)", cassandra.threshold)
            }
            DetectorSpec::Weibull(weibull) => {
                format!("the suspicion phi reaches {} (Weibull accrual)", weibull.threshold)
            }
        };
        let then = if self.give_up_after.get().is_zero() {
            "then the connection is dead.".to_owned()
        } else {
            format!("then it is suspected, and dead once that has lasted for {}.", self.give_up_after)
        };
        format!("It learns when {what} arrive, and trusts silence until {until}; {then}")
    }
}

impl WhenDead {
    const fn describe(self) -> Option<&'static str> {
        match self {
            Self::GiveUp => None,
            Self::Diagnose => Some(
                "Before it gives a connection up it asks the transport: if that has heard from the server since, the service \
                 is dead and not the network.",
            ),
            Self::Race => Some(
                "Instead of giving a connection up it first opens another beside it, and keeps whichever answers first.",
            ),
        }
    }
}

impl Leave {
    fn describe(&self, judges: &Judges) -> String {
        let quiet = self.quiet.map(|quiet| format!("nothing has been sent or received for {quiet}"));
        let beats = self.beats.map(|beats| format!("{beats} heartbeats have been sent and another would be due"));
        let strays = if self.draws() {
            format!(", {} % of that more or less, drawn for each", self.spread.get() * 100.0)
        } else {
            String::new()
        };
        let age = self.age.map(|age: Span| format!("it is {} old{strays}", format_duration(age.get())));
        let when: Vec<String> = [quiet, beats, age].into_iter().flatten().collect();
        let blind = if judges.is_empty() {
            " It judges nothing: a broken connection is quiet, and left like any other."
        } else {
            ""
        };
        format!("Once {} it closes the connection, as a thing done and not as a dead one.{blind}", when.join(", or "))
    }
}
