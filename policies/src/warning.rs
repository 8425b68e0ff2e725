//! What a strategy may be but is seldom wise to be: real products ship each of these, so none is an error.
//! Contradictions, which keep a strategy from being used, are found where the parameters are. Invariants have the
//! numbers that they have in the catalogue of policies, whose list is in the documentation of the laboratory.

use crate::{
    HeartbeatSpec, Problem, ReconnectSpec, StrategySpec,
    heartbeat::{Anchor, Composed, Judges, ScheduleSpec},
    reconnect::{CapAt, Jitter, ProcessScale, Then},
    server::RefreshedBy,
    unit::format_duration,
};

impl StrategySpec {
    /// Returns what is unwise about the strategy, each with the path to the key that should change; it can run all the
    /// same.
    pub fn warnings(&self) -> Vec<Problem> {
        let waits = [self.herd(), self.collapsed_jitter(), self.drawn_once(), self.end()];
        let sides = [self.starved_server(), self.hasty_reaper(), self.blind_heartbeat()];
        self.short_lived().into_iter().chain(waits.into_iter().chain(sides).flatten()).collect()
    }

    /// Clients that were disconnected together come back together (invariant 18).
    fn herd(&self) -> Option<Problem> {
        let (path, help) = match (&self.reconnect, self.spread()) {
            (ReconnectSpec::Immediate, _) => {
                ("reconnect".to_owned(), "use reconnect.exponential, whose jitter spreads them")
            }
            (ReconnectSpec::FixedDelay(_), _) => (
                "reconnect.fixed-delay".to_owned(),
                "use reconnect.steps with one wait and a jitter, as in jitter = \"full\"",
            ),
            (_, Some(Spread { table, jitter: Jitter::None, scale: None })) => {
                (format!("{table}.jitter"), "use jitter = \"full\"")
            }
            _ => return None,
        };
        Some(Problem::new(path, "clients that lose their connections together come back together: no jitter", help))
    }

    /// Returns what keeps clients apart, where waits can have it.
    fn spread(&self) -> Option<Spread> {
        let (table, jitter, scale) = match &self.reconnect {
            ReconnectSpec::Linear(spec) => ("reconnect.linear", spec.jitter, None),
            ReconnectSpec::Steps(spec) => ("reconnect.steps", spec.jitter, spec.scale),
            ReconnectSpec::Exponential(spec) => ("reconnect.exponential", spec.jitter, spec.scale),
            ReconnectSpec::OnCall(spec) => ("reconnect.on-call", spec.jitter, spec.scale),
            _ => return None,
        };
        Some(Spread { table, jitter, scale })
    }

    /// Jitter that is gone at the cap (Socket.IO from the fifth attempt on, half of Kafka's waits).
    fn collapsed_jitter(&self) -> Option<Problem> {
        let (ReconnectSpec::Exponential(spec) | ReconnectSpec::OnCall(spec)) = &self.reconnect else { return None };
        let Spread { table, jitter, .. } = self.spread()?;
        let below = matches!(jitter, Jitter::Full | Jitter::Equal | Jitter::Below(_) | Jitter::Decorrelated);
        let collapses = match spec.cap_at {
            CapAt::BeforeJitter => false,
            CapAt::AfterJitter => jitter != Jitter::Decorrelated,
            CapAt::Both => !below,
        };
        (jitter != Jitter::None && collapses).then(|| {
            let message = "waits that have grown to the cap are the cap exactly: their jitter is gone";
            Problem::new(format!("{table}.cap_at"), message, "use cap_at = \"before-jitter\"")
        })
    }

    /// One draw for the life of a process keeps clients apart, and in the same order for ever (reconnecting-websocket,
    /// Smack).
    fn drawn_once(&self) -> Option<Problem> {
        let Spread { table, jitter, scale } = self.spread()?;
        (scale.is_some() && jitter == Jitter::None).then(|| {
            let message = "each process draws its waits once: the same clients meet at every retry";
            Problem::new(format!("{table}.scale"), message, "add a jitter, which is drawn for every attempt")
        })
    }

    /// Returns a client that gives up stays away (`SignalR` after 42 s of waiting; invariant 24).
    fn end(&self) -> Option<Problem> {
        let path = match &self.reconnect {
            ReconnectSpec::Steps(spec) if spec.then == Then::GiveUp => "reconnect.steps.then",
            _ if self.reconnect_rules.give_up.is_some() => "reconnect_rules.give_up",
            _ => return None,
        };
        let message = "an outage that outlasts the attempts disconnects the client for good";
        Some(Problem::new(
            path,
            message,
            "go on trying, at long intervals, unless somebody else brings the client back",
        ))
    }

    /// Beats that receptions put off, and a server that counts what it receives: traffic in one direction starves the other
    /// (MQTT.js issue 1861; invariant 10).
    fn starved_server(&self) -> Option<Problem> {
        let reaper = self.server.idle_reaper.as_ref().filter(|reaper| reaper.refreshed_by != RefreshedBy::Any)?;
        let anchor = match &self.heartbeat {
            HeartbeatSpec::Idle(spec) => spec.anchor,
            HeartbeatSpec::Composed(spec) => match &spec.schedule {
                ScheduleSpec::Idle(spec) => spec.anchor,
                _ => return None,
            },
            _ => return None,
        };
        matches!(anchor, Anchor::Rx | Anchor::Either).then(|| {
            let message = format!(
                "what the client receives puts its heartbeats off, and the server closes it after {} without any",
                reaper.idle
            );
            Problem::new(self.anchor_path(), message, "use anchor = \"tx\"")
        })
    }

    fn anchor_path(&self) -> &'static str {
        if matches!(self.heartbeat, HeartbeatSpec::Idle(_)) {
            "heartbeat.idle.anchor"
        } else {
            "heartbeat.composed.schedule.idle.anchor"
        }
    }

    /// Returns a reaper that one late heartbeat sets off (advice: 1.5 to 3 intervals; invariants 1 and 15).
    fn hasty_reaper(&self) -> Option<Problem> {
        let interval = self.heartbeat.announced_interval()?;
        let reaper = self.server.idle_reaper.as_ref()?;
        let limit = reaper.patience(Some(interval));
        (limit > interval && limit < interval * 3 / 2 && self.server.directed.is_none()).then(|| {
            let (limit, interval) = (format_duration(limit), format_duration(interval));
            let message =
                format!("a heartbeat every {interval} that is a little late finds its session closed after {limit}");
            Problem::new("server.idle-reaper.idle", message, "use one and a half to three times the interval")
        })
    }

    /// Heartbeats that nobody answers, and nobody who looks whether anything arrives (NAT-T; invariant 11).
    fn blind_heartbeat(&self) -> Option<Problem> {
        let HeartbeatSpec::Composed(spec) = &self.heartbeat else { return None };
        let Composed { answered: false, keepalive: None, .. } = **spec else { return None };
        (spec.judge == Judges::default()).then(|| {
            let message = "heartbeats that nobody answers keep a connection alive and never find it dead";
            Problem::new(
                "heartbeat.composed.judge",
                message,
                "add judge.silence if the server sends anything regularly",
            )
        })
    }
}

/// What keeps the attempts of different clients apart, and the table it stands in.
struct Spread {
    table: &'static str,
    jitter: Jitter,
    scale: Option<ProcessScale>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset;

    fn paths(text: &str) -> Vec<String> {
        let spec: StrategySpec =
            toml::from_str(&format!("name = \"a\"\n{text}")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(spec.problems(), Vec::new(), "{text}");
        spec.warnings().into_iter().map(|warning| warning.path).collect()
    }

    #[test]
    fn what_products_ship_against_the_rules_is_warned_of_at_its_key() {
        let none = "heartbeat = \"none\"\n";
        let cases = [
            (format!("{none}reconnect = \"immediate\""), "reconnect"),
            (format!("{none}reconnect.fixed-delay = {{ delay = \"5s\" }}"), "reconnect.fixed-delay"),
            (format!("{none}reconnect.linear = {{}}"), "reconnect.linear.jitter"),
            (format!("{none}reconnect.exponential = {{ jitter = \"none\" }}"), "reconnect.exponential.jitter"),
            (format!("{none}reconnect.exponential = {{ cap_at = \"after-jitter\" }}"), "reconnect.exponential.cap_at"),
            (
                format!("{none}reconnect.steps = {{ waits = [\"1s\"], scale = {{ least = 0.5, most = 1.0 }} }}"),
                "reconnect.steps.scale",
            ),
            (
                format!("{none}reconnect.steps = {{ waits = [\"1s\"], jitter = \"full\", then = \"give-up\" }}"),
                "reconnect.steps.then",
            ),
            (
                "heartbeat.idle = { threshold = \"1m\", anchor = \"rx\" }\n\
                 server.idle-reaper = { idle = \"2m\", refreshed_by = \"received\" }"
                    .to_owned(),
                "heartbeat.idle.anchor",
            ),
            (
                "heartbeat.fixed = { interval = \"60s\", timeout = \"10s\" }\nserver.idle-reaper = { idle = \"70s\" }"
                    .to_owned(),
                "server.idle-reaper.idle",
            ),
            (
                "heartbeat.composed = { schedule.grid = { interval = \"20s\" }, answered = false }".to_owned(),
                "heartbeat.composed.judge",
            ),
        ];
        for (text, path) in cases {
            assert_eq!(paths(&text), [path], "{text}");
        }
        assert_eq!(paths("heartbeat.fixed = { interval = \"30s\", timeout = \"15s\" }"), Vec::<String>::new());
    }

    #[test]
    fn products_with_known_weaknesses_load_with_a_warning_and_the_defaults_without() {
        let warned = |name: &str| !preset::find(name).expect("a preset").spec().warnings().is_empty();
        for name in ["reconnect-socketio", "reconnect-signalr", "reconnect-phoenix", "reconnect-rws-pladaria"] {
            assert!(warned(name), "{name}");
        }
        for name in ["wechat-270", "reconnect-grpc", "reconnect-exp-full-jitter", "mars-smart-heartbeat"] {
            assert!(!warned(name), "{name}");
        }
    }
}
