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

impl ServerEffect {
    /// For how long after the fault something may still be late because of it.
    const fn aftermath(self) -> Duration {
        match self {
            Self::RepliesLate { by } => by,
            // Until the router's next question, as late as a kernel's wheel may make it.
            Self::Silences(Answer::HostUnreachable) => Duration::from_millis(1_100),
            Self::Stops
            | Self::Dies
            | Self::Silences(_)
            | Self::Slows { .. }
            | Self::Drains { .. }
            | Self::HalfDies(_) => Duration::ZERO,
        }
    }
}

/// Faults of servers that last as long as `lasts` says: the keys that all of them have, and their own.
macro_rules! server_faults {
    ($($(#[$doc:meta])+ struct $kind:ident { $($(#[$key_doc:meta])+ $key:ident: $type:ty,)* })+) => {
        $(
            $(#[$doc])+
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $kind {
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
                $($(#[$key_doc])+ pub $key: $type,)*
            }

            impl $kind {
                pub(super) fn facts(&self, cause: Cause, effect: ServerEffect) -> Fault<'_> {
                    let whose = (self.server, self.devices.as_ref());
                    on_server(whose, &self.when, Lasts::of(self.lasts.as_ref()), cause, effect)
                }
            }
        )+
    };
}

server_faults! {
    /// A fault of a server.
    struct ServerFault {}

    /// A server whose host is gone.
    struct ServerVanish {
        /// What the last router before the host answers once it has asked for it in vain: `nothing` or `host-unreachable`. Default
        /// `nothing`.
        #[serde(default)]
        answers: Answer,
    }

    /// A server that answers heartbeats, and has nothing else to say.
    struct ServerHalfDead {
        /// What is half dead. Default `service`.
        #[serde(default)]
        of: HalfDead,
    }

    /// A server that has less capacity than usual.
    struct ServerOverload {
        /// What is left of the capacity: work takes its time divided by this. Above 0.
        capacity: Fraction,
        /// Time in which the capacity falls to that, in a straight line. Default: at once. At the end it is whole at once.
        #[serde(default)]
        ramp: Option<Span>,
    }

    /// A server whose replies to heartbeats are late, and nothing else.
    struct ServerLateReply {
        /// How much later a reply leaves whose heartbeat is read meanwhile. Faults at the same time add up.
        by: Span,
    }
}

impl ServerFault {
    /// How long a restart takes where the scenario does not say, and where a watchdog brings it about (A).
    pub(crate) const RESTART: Span = Span::secs(2);

    /// Those of a restart: a process that is restarted comes back; one that dies need not.
    pub(super) fn restart_facts(&self) -> Fault<'_> {
        let lasts = self.lasts.as_ref().map_or(Lasts::constant(Self::RESTART), |lasts| Lasts::of(Some(lasts)));
        Fault { lasts, ..self.facts(Cause::ServerRestart, ServerEffect::Dies) }
    }
}

impl From<ServerFault> for ServerVanish {
    /// One of which no router tells.
    fn from(ServerFault { server, devices, when, lasts }: ServerFault) -> Self {
        Self { server, devices, when, lasts, answers: Answer::Nothing }
    }
}

impl ServerOverload {
    pub(super) fn effect(&self) -> ServerEffect {
        ServerEffect::Slows { to: self.capacity.get(), ramp: self.ramp.map_or(Duration::ZERO, Span::get) }
    }
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
    Fault { when, lasts, aftermath: effect.aftermath(), whom, target: Target::Server { server, cause, effect } }
}
