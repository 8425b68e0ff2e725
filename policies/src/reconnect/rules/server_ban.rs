//! Servers that failed too often lately are left out for a while.

use std::time::Duration;

use super::problem;
use crate::{Problem, Reconnect, ReconnectAction, ReconnectEvent, ServerChoice, Time, unit::Span};

parameters! {
    /// Mars' ban of addresses (Mars at 6aa5b56, `simple_ipport_sort.cc`): of each server the last 8 results are kept; one
    /// with at least `failures` failures among them is banned for `ban` from its last failure, and for `ban` longer for
    /// each failure beyond those at the end of the list, at most `longest`. A result of the same kind within 10 s of the
    /// one before does not count; a list without a new result for 24 h is void. Lists are kept for each of the last 4
    /// networks. Where all servers are banned, the attempt waits for the first ban that ends: the source leaves that open.
    #[derive(Copy, Eq)]
    pub struct ServerBan {
        /// Failures among the last 8 results that ban a server, 1 to 8. Default 3.
        pub failures: u32 = 3,
        /// The ban, and by which it grows. Default 6 min.
        pub ban: Span = Span::secs(360),
        /// The longest ban, at least `ban`. Default 30 min.
        pub longest: Span = Span::secs(1_800),
    }
}

impl ServerBan {
    pub(super) fn describe(self) -> String {
        let Self { failures, ban, longest } = self;
        format!(
            "A server with {failures} failures among its last 8 results is left out for {ban}, and for as long again for each \
             more, at most {longest}; it remembers the results by network."
        )
    }

    pub(super) fn problem(self) -> Option<Problem> {
        if !(1..=8).contains(&self.failures) {
            let message = format!("{} failures among 8 results are outside 1 to 8", self.failures);
            return Some(problem("server_ban.failures", message, format!("use {}", self.failures.clamp(1, 8))));
        }
        (self.longest < self.ban).then(|| {
            let message = format!("the longest ban is {}, the first one {}", self.longest, self.ban);
            problem("server_ban.longest", message, format!("use at least \"{}\"", self.ban))
        })
    }
}

/// Networks whose results are kept.
const NETWORKS: usize = 4;
/// Results of the same kind closer together than this are one.
const SAME: Duration = Duration::from_secs(10);
/// After this long without a result nothing is known of a server.
const KEPT: Duration = Duration::from_hours(24);

/// [`ServerBan`] at work.
pub(super) struct ServerBans {
    inner: Box<dyn Reconnect>,
    rule: ServerBan,
    /// By network, the present one first; the first of all is not told.
    networks: [(Option<u32>, Box<[History]>); NETWORKS],
    /// The server of the last attempt.
    server: u32,
}

/// The last results of a server.
#[derive(Clone, Copy, Default)]
struct History {
    /// The last one in the lowest bit; 1 is a failure.
    results: u8,
    /// When the last failure came.
    last: Option<Time>,
    last_failure: Time,
}

impl History {
    fn note(&mut self, now: Time, has_failed: bool) {
        match self.last {
            Some(last) if now.since(last) >= KEPT => *self = Self::default(),
            Some(last) if now.since(last) < SAME && (self.results & 1 == 1) == has_failed => return,
            _ => {}
        }
        self.results = self.results << 1 | u8::from(has_failed);
        self.last = Some(now);
        if has_failed {
            self.last_failure = now;
        }
    }

    /// Returns until when it is banned, as things stand at `at`.
    fn banned_until(&self, at: Time, rule: ServerBan) -> Option<Time> {
        let is_void = self.last.is_none_or(|last| at.since(last) >= KEPT);
        if is_void || self.results.count_ones() < rule.failures {
            return None;
        }
        let beyond = self.results.trailing_ones().saturating_sub(rule.failures);
        let ban = (rule.ban.get() * (beyond + 1)).min(rule.longest.get());
        Some(self.last_failure + ban).filter(|until| *until > at)
    }
}

impl ServerBans {
    pub(super) fn new(inner: Box<dyn Reconnect>, rule: ServerBan, servers: u32) -> Self {
        let histories = || vec![History::default(); servers.max(1) as usize].into_boxed_slice();
        Self { inner, rule, networks: std::array::from_fn(|_| (None, histories())), server: 0 }
    }

    fn histories(&mut self) -> &mut [History] {
        &mut self.networks[0].1
    }

    fn note(&mut self, now: Time, has_failed: bool) {
        let server = self.server as usize;
        // A host may know of more servers than it said.
        if let Some(history) = self.histories().get_mut(server) {
            history.note(now, has_failed);
        }
    }

    fn move_to(&mut self, network: u32) {
        let known = self.networks.iter().position(|(id, _)| *id == Some(network));
        // The one not used for longest makes room.
        let at = known.unwrap_or(NETWORKS - 1);
        self.networks[..=at].rotate_right(1);
        if known.is_none() {
            self.networks[0].0 = Some(network);
            self.histories().fill(History::default());
        }
    }
}

impl Reconnect for ServerBans {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { server } => self.server = *server,
            ReconnectEvent::AttemptFailed(_) => self.note(now, true),
            ReconnectEvent::Connected => self.note(now, false),
            ReconnectEvent::NetworkChanged(Some(network)) => self.move_to(network.id),
            _ => {}
        }
        self.inner.on_event(now, event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        let verdict = self.inner.next(now);
        let ReconnectAction::TryAfter { wait, server, timeout } = verdict else { return verdict };
        let (due, rule, last) = (now + wait, self.rule, self.server);
        let histories = self.histories();
        let servers = histories.len() as u32;
        let wanted = match server {
            ServerChoice::Same => last,
            ServerChoice::Next => last + 1,
            ServerChoice::Number(number) => number,
        };
        // The first one from there on that is not banned, or whose ban ends first.
        let in_turn = (0..servers).map(|step| (wanted + step) % servers);
        let until = |server: u32| histories[server as usize].banned_until(due, rule).unwrap_or(due);
        let best = in_turn.min_by_key(|server| until(*server)).unwrap_or(wanted);
        ReconnectAction::TryAfter { wait: until(best).since(now), server: ServerChoice::Number(best), timeout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Network,
        reconnect::{
            fixed_delay::ConstantDelay,
            testing::{Client, SERVERS},
        },
    };

    fn client(delay: u64, servers: u32) -> Client<ServerBans> {
        let waits = Box::new(ConstantDelay::new(Duration::from_secs(delay)));
        Client::new(ServerBans::new(waits, ServerBan::default(), servers))
    }

    #[test]
    fn three_failures_ban_a_server_for_six_minutes_and_each_more_for_six_more() {
        // One server alone is waited for, so the waits are the bans.
        let mut client = client(20, 1);
        let waits: Vec<_> = (0..10).map(|_| client.fail().as_secs() / 60).collect();
        assert_eq!(waits, [0, 0, 6, 12, 18, 24, 30, 30, 30, 30]);
    }

    #[test]
    fn a_banned_server_is_left_out_while_another_one_is_not() {
        let mut client = client(20, SERVERS);
        // 0, 1, 2, 0, 1, 2: two failures each. 1 then connects, and stays in.
        for _ in 0..6 {
            client.fail();
        }
        client.fail();
        assert_eq!(client.server, 1);
        client.live(Duration::from_secs(60));
        assert_eq!(client.server, 1);
        client.fail();
        assert_eq!(client.server, 2, "1 has failed three times of four, and 0 too");
        client.fail();
        assert_eq!(client.server, 0, "now all are banned, and 0 was banned first");
    }

    #[test]
    fn what_failed_twice_within_ten_seconds_failed_once() {
        let mut client = client(5, 1);
        let waits: Vec<_> = (0..5).map(|_| client.fail().as_secs()).collect();
        assert_eq!(waits, [5, 5, 5, 5, 360], "at 0, 10 and 20 s");
    }

    #[test]
    fn every_network_has_its_own_bans_and_a_day_ends_them() {
        let mut client = client(20, 1);
        client.move_to(Some(Network::wifi(1)));
        let fail_thrice = |client: &mut Client<ServerBans>| (0..3).map(|_| client.fail().as_secs()).last();
        assert_eq!(fail_thrice(&mut client), Some(360));
        client.move_to(Some(Network::cellular(2)));
        client.try_and_fail();
        assert_eq!(client.ask().unwrap().0.as_secs(), 20);
        client.move_to(Some(Network::wifi(1)));
        client.now += SAME;
        client.start();
        client.tell(ReconnectEvent::AttemptFailed(crate::AttemptFailure::Refused));
        assert_eq!(client.ask().unwrap().0.as_secs(), 720, "the fourth failure here");
        client.now += KEPT;
        client.try_and_fail();
        assert_eq!(client.ask().unwrap().0.as_secs(), 20);
    }
}
