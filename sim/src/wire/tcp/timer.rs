//! The timers of a connection and what they do: retransmission (`tcp_retransmit_timer`), probes (`tcp_probe_timer`),
//! keepalive (`tcp_keepalive_timer`), delayed acknowledgement, and the ends of `TIME_WAIT` and
//! `FIN_WAIT_2`.

use std::time::Duration;

use cardiogram_policies::{Time, heartbeat::Keepalive};

use super::{
    Connection, Failure, State,
    send::{SendTimer, TIMER_MIN},
    wheel::Clock,
};
use crate::wire::packet::{Flags, Packet};

/// One tick of a 250 Hz kernel: the shortest timer it sets.
const TICK: Duration = Duration::from_millis(4);

/// Keepalive's own state.
#[derive(Default)]
pub(super) struct KeepaliveTimer {
    /// Boxed: most connections have none.
    times: Option<Box<Keepalive>>,
    due: Option<Time>,
    /// Probes sent since anything was heard.
    unanswered: u32,
}

impl KeepaliveTimer {
    pub(super) fn set(&mut self, times: Option<Keepalive>) {
        self.times = times.map(Box::new);
        if self.times.is_none() {
            self.due = None;
        }
    }

    /// Starts the timer, counting silence from the last segment.
    pub(super) fn start(&mut self, clock: Clock, last_segment: Time) {
        self.due = self.times.as_ref().map(|times| clock.after((last_segment + times.idle).since(clock.now)));
    }

    /// Something was heard.
    pub(super) fn answered(&mut self) {
        self.unanswered = 0;
    }
}

impl Connection {
    /// Returns when a timer is due next.
    pub fn next_timer(&self) -> Option<Time> {
        if self.state == State::Closed {
            return None;
        }
        let send = self.send.timer.map(|(due, _)| due);
        [send, self.ack.timer, self.keepalive.due, self.expires].into_iter().flatten().min()
    }

    /// Runs the timers that are due.
    pub fn on_timer(&mut self, now: Time, out: &mut Vec<Packet>) {
        if self.state == State::Closed {
            return;
        }
        if self.expires.is_some_and(|due| due <= now) {
            self.state = State::Closed;
            return;
        }
        if self.ack.timer.is_some_and(|due| due <= now) {
            self.ack.timer_fired(self.send.rto);
            self.send_ack(now, out);
        }
        if let Some((_, timer)) = self.send.timer.take_if(|(due, _)| *due <= now) {
            match timer {
                SendTimer::Retransmit => self.on_retransmission_timer(now, out),
                SendTimer::ProbeTail => self.probe_tail(now, out),
                SendTimer::ProbeWindow => self.on_window_probe_timer(now, out),
            }
        }
        if self.keepalive.due.is_some_and(|due| due <= now) {
            self.on_keepalive_timer(now, out);
        }
    }

    pub(super) fn on_retransmission_timer(&mut self, now: Time, out: &mut Vec<Packet>) {
        if let Some(failure) = self.retransmissions_exhausted(now) {
            self.time_out(failure);
            return;
        }
        self.retransmit(now, out);
        self.send.timeouts += 1;
        self.send.first_retransmission.get_or_insert(now);
        // Since Linux 6.5 the first retries of a SYN do not back off.
        let linear = self.state == State::SynSent && self.send.timeouts <= self.config.syn_linear_timeouts;
        if !linear {
            self.send.rto = self.config.backed_off(self.send.rto, 1);
            self.send.backoff += 1;
        }
        let wait = self.clamp_to_user_timeout(now, self.send.rto);
        self.send.timer = Some((self.clock(now).after(wait), SendTimer::Retransmit));
    }

    /// `tcp_write_timeout`: whether to give up instead of sending once more.
    fn retransmissions_exhausted(&self, now: Time) -> Option<Failure> {
        let timeouts = self.send.timeouts;
        match self.state {
            State::SynSent => {
                let retries = self.config.syn_retries + self.config.syn_linear_timeouts;
                let since = self.send.waiting_since();
                let user = timeouts > 0 && self.user_timeout_passed(now, since);
                let too_long = has_passed(now, since, self.config.connect_max);
                (timeouts >= retries || user || too_long).then_some(Failure::ConnectTimeout)
            }
            State::SynReceived => (timeouts >= self.config.synack_retries).then_some(Failure::RetransmissionTimeout),
            _ if timeouts == 0 => None,
            _ if self.user_timeout.is_some() => {
                self.user_timeout_passed(now, self.send.first_retransmission).then_some(Failure::UserTimeout)
            }
            _ if self.config.retries_are_counted && !self.orphan => {
                (timeouts >= self.config.retries).then_some(Failure::RetransmissionTimeout)
            }
            _ => {
                // The kernel counts from its first retransmission, with timers up to 7 % late. Ideal timers, counted
                // from the first transmission, give the kernel's number of transmissions; counted like the kernel's
                // they would miss its bound by one timeout and try once more.
                let since = match self.config.wheel {
                    None => self.send.waiting_since(),
                    Some(_) => self.send.first_retransmission,
                };
                let since = now.since(since?);
                let retries = if self.orphan { self.config.orphan_retries } else { self.config.retries };
                (since >= self.config.retransmission_bound(retries)).then_some(Failure::RetransmissionTimeout)
            }
        }
    }

    fn user_timeout_passed(&self, now: Time, since: Option<Time>) -> bool {
        has_passed(now, since, self.user_timeout)
    }

    /// `tcp_clamp_rto_to_user_timeout`: the last wait ends when the user timeout does, or the time for connecting.
    fn clamp_to_user_timeout(&self, now: Time, rto: Duration) -> Duration {
        let (since, limit) = match self.state {
            State::SynSent => {
                let limits = [self.user_timeout, self.config.connect_max];
                (self.send.waiting_since(), limits.into_iter().flatten().min())
            }
            _ => (self.send.first_retransmission, self.user_timeout),
        };
        match (limit, since) {
            (Some(timeout), Some(since)) => {
                let left = (since + timeout).since(now);
                if left.is_zero() { TICK } else { rto.min(left) }
            }
            _ => rto,
        }
    }

    fn on_window_probe_timer(&mut self, now: Time, out: &mut Vec<Packet>) {
        // Answers do not restart the user timeout, only an open window does.
        let first = *self.send.first_window_probe.get_or_insert(now);
        if self.user_timeout_passed(now, Some(first)) {
            self.time_out(Failure::UserTimeout);
            return;
        }
        let retries = if self.orphan { self.config.orphan_retries } else { self.config.retries };
        if self.send.window_probes >= retries {
            self.time_out(Failure::RetransmissionTimeout);
            return;
        }
        self.probe(now, out);
        self.send.window_probes += 1;
        self.send.window_backoff = (self.send.window_backoff + 1).min(self.config.retries);
        self.schedule_window_probe(now);
    }

    /// Sets the timer of the next window probe (`tcp_probe0_when`, `tcp_clamp_probe0_to_user_timeout`).
    pub(super) fn schedule_window_probe(&mut self, now: Time) {
        let wait = self.config.backed_off(self.send.rto, self.send.window_backoff);
        let wait = match (self.user_timeout, self.send.first_window_probe) {
            (Some(timeout), Some(first)) => wait.min((first + timeout).since(now)).max(TIMER_MIN),
            _ => wait,
        };
        self.send.timer = Some((self.clock(now).after(wait), SendTimer::ProbeWindow));
    }

    fn on_keepalive_timer(&mut self, now: Time, out: &mut Vec<Packet>) {
        let Some(times) = self.keepalive.times.as_deref().copied() else { return };
        if matches!(self.state, State::SynSent | State::Closed | State::TimeWait) {
            self.keepalive.due = None;
            return;
        }
        // Inert while data is unacknowledged or queued: the retransmission timer owns detection then.
        if !self.send.is_idle() {
            self.keepalive.due = Some(self.clock(now).after(times.idle));
            return;
        }
        let silence = now.since(self.receive.last_segment());
        if silence < times.idle {
            self.keepalive.due = Some(self.clock(now).after(times.idle.saturating_sub(silence)));
            return;
        }
        // The user timeout replaces the count, and needs one probe out.
        let failure = match self.user_timeout {
            None if self.keepalive.unanswered >= times.count => Some(Failure::KeepaliveTimeout),
            Some(timeout) if self.keepalive.unanswered > 0 && silence >= timeout => Some(Failure::UserTimeout),
            _ => None,
        };
        if let Some(failure) = failure {
            self.abort(now, out);
            self.time_out(failure);
            return;
        }
        self.probe(now, out);
        self.keepalive.unanswered += 1;
        self.keepalive.due = Some(self.clock(now).after(times.interval));
    }

    /// A segment just below what the peer expects, which it must answer (`tcp_xmit_probe_skb`).
    fn probe(&mut self, now: Time, out: &mut Vec<Packet>) {
        let seq = self.send.oldest().wrapping_sub(1);
        let packet = self.packet(now, seq, Flags::ACK, Vec::new());
        out.push(packet);
    }
}

/// Returns whether `limit` is over, counted from `since`; where one of them is not there, it is not.
fn has_passed(now: Time, since: Option<Time>, limit: Option<Duration>) -> bool {
    matches!((limit, since), (Some(limit), Some(since)) if now.since(since) >= limit)
}
