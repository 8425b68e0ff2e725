//! A composition in words: the sentences of its parts, each of which stands beside its part, in the order in which things
//! happen.

use super::{Composed, Occasion, WhenDead};
use crate::heartbeat::ScheduleSpec;

impl Occasion {
    const fn describe(self) -> &'static str {
        match self {
            Self::Request => "when the peer asks for one",
            Self::Foreground => "when the application comes to the screen",
            Self::NetworkChange => "when the device moves to another network",
        }
    }
}

impl WhenDead {
    /// What becomes of a connection found dead, where that is not simply its end.
    const fn describe(self) -> Option<&'static str> {
        match self {
            Self::GiveUp => None,
            Self::Diagnose => Some(
                "Before it ends a connection it asks the transport. If that has heard from the peer since the heartbeat was \
                 sent, the service is dead, and another server the better choice; if not, the network is.",
            ),
            Self::Race => {
                Some("Before it ends a connection it opens another one beside it, and keeps whichever answers first.")
            }
        }
    }
}

impl Composed {
    /// What lists gather it under.
    pub(in crate::heartbeat) const fn family(&self) -> &'static str {
        if self.search.is_some() {
            return "searches for the longest interval";
        }
        match self.schedule {
            ScheduleSpec::Grid(_) => "heartbeats on a fixed grid",
            ScheduleSpec::Idle(_) => "heartbeats when idle",
            ScheduleSpec::PeerSends if self.leave.is_some() => "no lasting connection: polling and push services",
            ScheduleSpec::PeerSends if self.judge.silence.is_some() => "heartbeats of the server's",
            ScheduleSpec::PeerSends if self.keepalive.is_some() => "the kernel's keepalive",
            ScheduleSpec::PeerSends => "without a heartbeat",
        }
    }

    /// See [`HeartbeatSpec::describe`](crate::HeartbeatSpec::describe).
    pub(in crate::heartbeat) fn describe(&self) -> String {
        let mut told = vec![self.schedule.describe()];
        if !self.answered {
            told.push("Nobody answers them: they refresh the path and show the peer that this side lives.".into());
        }
        if !self.beat_on.is_empty() {
            let occasions: Vec<&str> = self.beat_on.iter().map(|occasion| occasion.describe()).collect();
            told.push(format!("It also sends one at once {}.", occasions.join(", and ")));
        }
        if let Some(most) = self.most_without_data {
            told.push(format!("After {most} heartbeats it sends no more until data was sent."));
        }
        told.extend(self.search.as_ref().map(super::Search::describe));
        told.extend(self.pace.describe());
        told.extend(self.keepalive.as_ref().map(super::TcpKeepalive::describe));
        told.extend(self.judge.describe());
        if self.judge.is_empty() && self.keepalive.is_none() {
            told.push("It never finds a connection dead: that is left to the transport.".into());
        }
        told.extend(self.when_dead.describe().map(Into::into));
        told.extend(self.leave.as_ref().map(super::Leave::describe));
        let memory = match (&self.search, self.pace.doubles) {
            (Some(_), _) => "It remembers what it has learnt of each network, over connections and restarts.",
            (None, true) => "It remembers from one connection to the next how often it has doubled.",
            (None, false) => "It remembers nothing from one connection to the next.",
        };
        told.push(memory.into());
        told.join(" ")
    }
}
