//! The rules for servers and their faults.

use std::time::Duration;

use cardiogram_policies::unit::format_duration;

use super::Found;
use crate::config::{
    Answer, BalancerConfig, Cost, Distribution, FrameSizes, Login, MaxAge, SERVERS_MAX, ServerEffect, WorldConfig,
};

/// Whoever lives shorter has no long-lived connection.
const AGE_MIN: Duration = Duration::from_secs(1);
/// More cores than this are several servers.
const CORES_MAX: u32 = 256;
/// A login service faster than this is no limit.
const LOGINS_PER_S_MAX: u32 = 100_000;
const LOGIN_ROUND_TRIPS_MAX: u8 = 8;
/// More frequent checks are load.
const CHECK_EVERY_MIN: Duration = Duration::from_secs(1);
const CHECKS_MAX: u32 = 100;

/// Round trips between hello and welcome.
pub(crate) fn login_round_trips(world: &WorldConfig) -> u32 {
    world.server.login.as_ref().map_or(0, |login| u32::from(login.round_trips))
}

/// Returns the most that the server does for a connection until its welcome, when nobody else connects.
pub(crate) fn login_work(world: &WorldConfig) -> Duration {
    let login = world.server.login.as_ref().map_or(Duration::ZERO, |login| login.cpu.practical_max());
    login + world.server.accept_cost.practical_max()
}

impl Found {
    pub(super) fn servers(&mut self, world: &WorldConfig) {
        let server = &world.server;
        if server.count == 0 || server.count > SERVERS_MAX {
            self.add("server.count", format!("{} servers", server.count), format!("use 1 to {SERVERS_MAX}"));
        }
        if server.backlog == 0 || server.backlog > 65_535 {
            self.add("server.backlog", format!("a backlog of {}", server.backlog), "use 1 to 65535");
        }
        if server.syn_backlog == 0 || server.syn_backlog > 65_535 {
            let message = format!("a backlog of {} handshakes", server.syn_backlog);
            self.add("server.syn_backlog", message, "use 1 to 65535");
        }
        self.tcp("server.tcp", &server.tcp);
        if let Some(keepalive) = &server.keepalive {
            self.0.extend(keepalive.problems_at("server.keepalive"));
        }
        if server.cores == 0 || server.cores > CORES_MAX {
            self.add("server.cores", format!("{} cores", server.cores), format!("use 1 to {CORES_MAX}"));
        }
        if let Some(limit) = server.logins_per_s.filter(|limit| *limit == 0 || *limit > LOGINS_PER_S_MAX) {
            let message = format!("a limit of {limit} logins a second");
            self.add("server.logins_per_s", message, format!("use 1 to {LOGINS_PER_S_MAX}, or leave it out"));
        }
        let costs = [
            ("accept_cost", &server.accept_cost),
            ("heartbeat_cost", &server.heartbeat_cost),
            ("message_cost", &server.message_cost),
        ];
        for (name, cost) in costs {
            self.cost(&format!("server.{name}"), cost);
        }
        if let Some(login) = &server.login {
            self.login(login);
        }
        if let Some(pauses) = &server.pauses {
            self.distribution("server.pauses.lasts", &pauses.lasts);
            self.strikes("server.pauses.every", pauses.every, world.duration);
        }
        if let Some(MaxAge { age, .. }) = &server.max_age {
            self.max_age("server.max_age.age", age);
        }
        if let Some(balancer) = &server.balancer {
            self.balancer(balancer);
        }
    }

    /// The greatest age of a connection.
    pub(super) fn max_age(&mut self, path: &str, age: &Distribution) {
        self.distribution(path, age);
        if age.problem().is_none() && age.min() < AGE_MIN {
            let message = format!("a connection may end after {}", format_duration(age.min()));
            self.add(path, message, "let it live for at least \"1s\"");
        }
    }

    fn balancer(&mut self, balancer: &BalancerConfig) {
        if balancer.check_every.get() < CHECK_EVERY_MIN {
            let message = format!("a health check every {}", balancer.check_every);
            self.add("server.balancer.check_every", message, "use at least \"1s\"");
        }
        for (name, checks) in [("unhealthy_after", balancer.unhealthy_after), ("healthy_after", balancer.healthy_after)]
        {
            if !(1..=CHECKS_MAX).contains(&checks) {
                let message = format!("{checks} checks in a row");
                self.add(format!("server.balancer.{name}"), message, format!("use 1 to {CHECKS_MAX}"));
            }
        }
    }

    fn cost(&mut self, path: &str, cost: &Cost) {
        if let Some((key, message, help)) = cost.problem() {
            self.add(format!("{path}.{key}"), message, help);
        }
    }

    fn login(&mut self, login: &Login) {
        self.cost("server.login.cpu", &login.cpu);
        let trips = login.round_trips;
        if trips == 0 || trips > LOGIN_ROUND_TRIPS_MAX {
            let message = format!("a login of {trips} round trips");
            let help = format!("use 1 to {LOGIN_ROUND_TRIPS_MAX}; for none, leave `login` out and use accept_cost");
            self.add("server.login.round_trips", message, help);
            return;
        }
        for (name, bytes, least) in [
            ("bytes_up", login.bytes_up, FrameSizes::RESPONSE_MIN),
            ("bytes_down", login.bytes_down, FrameSizes::CHALLENGE_MIN),
        ] {
            let (least, most) = (u32::from(least) * u32::from(trips), u32::from(FrameSizes::MAX) * u32::from(trips));
            if !(least..=most).contains(&bytes) {
                let message = format!("{bytes} bytes do not fit {trips} round trips");
                self.add(format!("server.login.{name}"), message, format!("use {least} to {most}"));
            }
        }
    }

    /// A fault at `path` of a server; `None`: of all. It strikes `some` devices alone, or all.
    pub(super) fn server_fault(
        &mut self,
        path: &str,
        (server, some): (Option<u32>, bool),
        effect: ServerEffect,
        world: &WorldConfig,
    ) {
        match effect {
            ServerEffect::Slows { to, .. } if to <= 0.0 => {
                let help = "use a number above 0, or `server-stall`, which leaves nothing";
                self.add(format!("{path}.capacity"), "no capacity at all: no work would ever be done", help);
            }
            ServerEffect::Silences(Answer::NetUnreachable | Answer::Prohibited) => {
                let help = "use \"host-unreachable\", or leave `answers` out";
                self.add(format!("{path}.answers"), "the last router has a route: what it misses is the host", help);
            }
            ServerEffect::Silences(Answer::HostUnreachable) if some => {
                let help = "leave out `devices`, or `answers`";
                self.add(format!("{path}.answers"), "a host that is there for some answers its router", help);
            }
            ServerEffect::Slows { .. }
            | ServerEffect::RepliesLate { .. }
            | ServerEffect::Stops
            | ServerEffect::Dies
            | ServerEffect::Silences(_)
            | ServerEffect::Drains { .. }
            | ServerEffect::HalfDies(_) => {}
        }
        let servers = world.server.count;
        if let Some(server) = server.filter(|server| *server >= servers) {
            self.add(
                format!("{path}.server"),
                format!("there is no server {server}: server.count is {servers}"),
                format!("use 0 to {}, or leave `server` out for all", servers.saturating_sub(1)),
            );
        }
    }
}
