//! What can go wrong with servers, as data. What a server does then is in `nodes::server`.

use std::time::Duration;

use cardiogram_policies::unit::{Fraction, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Cause, Fault, Lasts, Target, When, Whom};
use crate::config::Distribution;

/// What a fault does to a server.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum ServerEffect {
    /// The process stands still.
    Stops,
    /// There is no process.
    Dies,
    /// There is no host. The last router before it may say so.
    Silences(Answer),
    /// Work takes longer: this share of the capacity is left, once this time has passed.
    Slows { to: f64, ramp: Duration },
    /// Replies to heartbeats leave later by this time.
    RepliesLate { by: Duration },
    /// Sessions are closed over this time; then there is no process.
    Drains { over: Duration },
    /// Heartbeats are answered, messages and pushes are gone: of everyone, or of the sessions there are at the begin.
    HalfDies(HalfDead),
}

/// A fault of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerFault {
    /// Which server, counted from 0. Default: all, each with its own draws.
    #[serde(default)]
    pub server: Option<u32>,
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run, but a restart takes 2 s.
    #[serde(default)]
    pub lasts: Option<Distribution>,
}

impl ServerFault {
    /// How long a restart takes where the scenario does not say, and where a watchdog brings it about (A).
    pub(crate) const RESTART: Span = Span::secs(2);

    pub(super) fn facts(&self, cause: Cause, effect: ServerEffect) -> Fault<'_> {
        on_server((self.server, self.devices.as_ref()), &self.when, Lasts::of(self.lasts.as_ref()), cause, effect)
    }

    /// Those of a restart: a process that is restarted comes back; one that dies need not.
    pub(super) fn restart_facts(&self) -> Fault<'_> {
        let lasts = self.lasts.as_ref().map_or(Lasts::constant(Self::RESTART), |lasts| Lasts::of(Some(lasts)));
        on_server((self.server, self.devices.as_ref()), &self.when, lasts, Cause::ServerRestart, ServerEffect::Dies)
    }
}

/// A server whose host is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerVanish {
    /// Which server, counted from 0. Default: all, each with its own draws.
    #[serde(default)]
    pub server: Option<u32>,
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// What the last router before the host answers once it has asked for it in vain: `nothing` or `host-unreachable`. Default
    /// `nothing`.
    #[serde(default)]
    pub answers: Answer,
}

impl ServerVanish {
    /// For how long after its end something may wait for a question of the router's: until the next one, as late as a kernel's
    /// wheel may make it.
    const ASKED: Duration = Duration::from_millis(1_100);

    pub(super) fn facts(&self) -> Fault<'_> {
        let whose = (self.server, self.devices.as_ref());
        let lasts = Lasts::of(self.lasts.as_ref());
        let effect = ServerEffect::Silences(self.answers);
        let fault = on_server(whose, &self.when, lasts, Cause::ServerVanish, effect);
        let aftermath = if self.answers == Answer::Nothing { Duration::ZERO } else { Self::ASKED };
        Fault { aftermath, ..fault }
    }
}

impl From<ServerFault> for ServerVanish {
    /// One of which no router tells.
    fn from(ServerFault { server, devices, when, lasts }: ServerFault) -> Self {
        Self { server, devices, when, lasts, answers: Answer::Nothing }
    }
}

/// A server that answers heartbeats, and has nothing else to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerHalfDead {
    /// Which server, counted from 0. Default: all, each with its own draws.
    #[serde(default)]
    pub server: Option<u32>,
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// What is half dead. Default `service`.
    #[serde(default)]
    pub of: HalfDead,
}

/// What of a server is half dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HalfDead {
    /// What lies behind it: every session, those that begin meanwhile included. Nobody helps himself.
    #[default]
    Service,
    /// The sessions that there are when it begins: a subscription that the server has lost. A new session is well.
    Sessions,
}

impl ServerHalfDead {
    pub(super) fn facts(&self) -> Fault<'_> {
        on_server(
            (self.server, self.devices.as_ref()),
            &self.when,
            Lasts::of(self.lasts.as_ref()),
            Cause::ServerHalfDead,
            ServerEffect::HalfDies(self.of),
        )
    }
}

/// A server that has less capacity than usual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerOverload {
    /// Which server, counted from 0. Default: all, each with its own draws.
    #[serde(default)]
    pub server: Option<u32>,
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// What is left of the capacity: work takes its time divided by this. Above 0.
    pub capacity: Fraction,
    /// Time in which the capacity falls to that, in a straight line. Default: at once. At the end it is whole at once.
    #[serde(default)]
    pub ramp: Option<Span>,
}

impl ServerOverload {
    pub(super) fn facts(&self) -> Fault<'_> {
        let effect = ServerEffect::Slows { to: self.capacity.get(), ramp: self.ramp.map_or(Duration::ZERO, Span::get) };
        on_server(
            (self.server, self.devices.as_ref()),
            &self.when,
            Lasts::of(self.lasts.as_ref()),
            Cause::ServerOverload,
            effect,
        )
    }
}

/// A server whose replies to heartbeats are late, and nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerLateReply {
    /// Which server, counted from 0. Default: all, each with its own draws.
    #[serde(default)]
    pub server: Option<u32>,
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// How much later a reply leaves whose heartbeat is read meanwhile. Faults at the same time add up.
    pub by: Span,
}

impl ServerLateReply {
    pub(super) fn facts(&self) -> Fault<'_> {
        let by = self.by.get();
        let fault = on_server(
            (self.server, self.devices.as_ref()),
            &self.when,
            Lasts::of(self.lasts.as_ref()),
            Cause::ServerLateReply,
            ServerEffect::RepliesLate { by },
        );
        Fault { aftermath: by, ..fault }
    }
}

/// A planned restart of a server's process, without haste.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerDrain {
    /// Which server, counted from 0. Default: all, each with its own draws.
    #[serde(default)]
    pub server: Option<u32>,
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When it begins. From then on the server refuses new connections, those that wait to be accepted included.
    pub when: When,
    /// Time over which it closes its sessions, evenly, the oldest first. Default 5 min (a rolling deployment takes 30 s
    /// to 15 min, A).
    #[serde(default = "ServerDrain::default_over")]
    pub over: Span,
    /// How long the process is away after that. Default 10 s (A).
    #[serde(default = "ServerDrain::default_restart")]
    pub restart: Span,
}

impl ServerDrain {
    const fn default_over() -> Span {
        Span::secs(300)
    }

    const fn default_restart() -> Span {
        Span::secs(10)
    }

    pub(super) fn facts(&self) -> Fault<'_> {
        let lasts = Lasts::constant(Span::at_least(self.over.get() + self.restart.get()));
        let effect = ServerEffect::Drains { over: self.over.get() };
        on_server((self.server, self.devices.as_ref()), &self.when, lasts, Cause::ServerDrain, effect)
    }
}

fn on_server<'a>(
    (server, whom): (Option<u32>, Option<&'a Whom>),
    when: &'a When,
    lasts: Lasts<'a>,
    cause: Cause,
    effect: ServerEffect,
) -> Fault<'a> {
    Fault { when, lasts, aftermath: Duration::ZERO, whom, target: Target::Server { server, cause, effect } }
}
