//! The interval that the server tells its clients to use. Whether they do is theirs.

use serde::{Deserialize, Serialize};

use super::{ServerAction, ServerPolicy, SessionEvent, SessionId, watch::Watch};
use crate::{Problem, Time, unit::Span};

/// Tells every client its heartbeat interval with the welcome, and may tell it another one later.
///
/// Sources: `[yuan]` (the answer to a heartbeat may carry the next interval); MQTT 5's Server Keep Alive
/// (MQTT-3.2.2-21) and Discord's Hello (41.25 s in practice) tell it with the welcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Directed {
    /// Told with the welcome. Whole milliseconds go over the wire.
    pub interval: Span,
    /// Told later, in order. Default: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Redirected>,
}

/// Another interval for a session that has lasted for some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Redirected {
    /// How long after the welcome it is told.
    pub after: Span,
    /// The interval that clients use from then on.
    pub interval: Span,
}

impl Directed {
    /// Returns what it does, in words.
    pub(super) fn describe(&self) -> String {
        let told = format!("Tells each client with its welcome to beat every {}", self.interval);
        let change = |it: &Redirected| format!(", after {} every {}", it.after, it.interval);
        self.changes.iter().map(change).fold(told, |told, change| told + &change) + "."
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let late = self.changes.windows(2).position(|pair| pair[0].after >= pair[1].after);
        let problem = |place: usize| {
            let (first, second) = (self.changes[place].after, self.changes[place + 1].after);
            Problem::new(
                format!("server.directed.changes[{}].after", place + 1),
                format!("it comes after {second}, but the change before it after {first}"),
                "write the changes in the order of time",
            )
        };
        late.map(problem).into_iter().collect()
    }
}

/// [`Directed`] at work.
pub(super) struct Director {
    spec: Directed,
    sessions: Watch<Told>,
}

struct Told {
    opened: Time,
    /// How many changes it has been told.
    changes: usize,
}

impl Director {
    pub(super) fn new(spec: Directed) -> Self {
        Self { spec, sessions: Watch::default() }
    }
}

impl ServerPolicy for Director {
    fn on_event(&mut self, now: Time, session: SessionId, event: &SessionEvent) {
        match (event, self.spec.changes.first()) {
            (SessionEvent::Opened { .. }, Some(change)) => {
                self.sessions.open(session, Told { opened: now, changes: 0 }, now + change.after.get());
            }
            (SessionEvent::Closed, _) => self.sessions.close(session),
            _ => {}
        }
    }

    fn poll(&mut self, now: Time) -> Option<ServerAction> {
        let (session, told) = self.sessions.pop(now)?;
        let interval = self.spec.changes[told.changes].interval.get();
        told.changes += 1;
        match self.spec.changes.get(told.changes).map(|next| told.opened + next.after.get()) {
            Some(next) => self.sessions.look(session, next),
            None => self.sessions.close(session),
        }
        Some(ServerAction::Direct { session, interval })
    }

    fn deadline(&self) -> Option<Time> {
        self.sessions.next()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::server::testing::{OPENED, play};

    fn directed(text: &str) -> Directed {
        toml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn changes_are_told_one_after_the_other_by_the_age_of_the_session() {
        let spec = directed(
            "interval = \"1m\"\nchanges = [{ after = \"10m\", interval = \"5m\" }, { after = \"1h\", interval = \"2m\" }]",
        );
        assert_eq!(spec.problems(), []);
        let direct =
            |mins: u64| ServerAction::Direct { session: SessionId(0), interval: Duration::from_secs(mins * 60) };
        let (first, second) = ([direct(5)], [direct(2)]);
        let script = [(1_000, Some(OPENED), &[][..]), (601_000, None, &first), (3_601_000, None, &second)];
        let mut director = Director::new(spec);
        play(&mut director, &script);
        assert_eq!(director.deadline(), None);
    }

    #[test]
    fn who_is_told_with_the_welcome_alone_costs_nothing_later() {
        let mut director = Director::new(directed("interval = \"41250ms\""));
        play(&mut director, &[(0, Some(OPENED), &[])]);
        assert_eq!(director.deadline(), None);
    }

    #[test]
    fn changes_out_of_order_name_the_late_one() {
        let spec = directed(
            "interval = \"1m\"\nchanges = [{ after = \"1h\", interval = \"5m\" }, { after = \"1h\", interval = \"2m\" }]",
        );
        assert_eq!(spec.problems()[0].path, "server.directed.changes[1].after");
    }
}
