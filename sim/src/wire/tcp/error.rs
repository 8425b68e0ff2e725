//! What an ICMP error changes (`tcp_v4_err`). It ends an attempt to connect, and no connection: that one goes on trying.

use cardiogram_policies::Time;

use super::{Connection, Failure, State, before, send::SendTimer};
use crate::wire::packet::{Obstacle, Packet};

impl Failure {
    /// Returns what a process finds in `errno` (`icmp_err_convert`).
    const fn of(why: Obstacle) -> Self {
        match why {
            Obstacle::NetUnreachable => Self::NetworkUnreachable,
            Obstacle::HostUnreachable | Obstacle::Prohibited => Self::HostUnreachable,
        }
    }
}

impl Connection {
    /// Hears that a segment which began at `seq` could not be delivered.
    pub(super) fn on_unreachable(&mut self, now: Time, why: Obstacle, seq: u32, out: &mut Vec<Packet>) {
        let is_outstanding = !before(seq, self.send.oldest()) && !before(self.send.next(), seq);
        // Keepalive and window probes lie below what is outstanding: an error about one is about nothing.
        if matches!(self.state, State::Closed | State::TimeWait) || !is_outstanding {
            return;
        }
        let is_passing = why != Obstacle::Prohibited;
        match self.state {
            State::SynSent => self.fail(Failure::of(why)),
            // Nobody has been told of the connection yet: it is forgotten without a word (`tcp_req_err`).
            State::SynReceived if is_passing => self.state = State::Closed,
            State::SynReceived => {}
            _ => {
                if is_passing && self.config.undoes_backoff && seq == self.send.oldest() {
                    self.undo_backoff(now, out);
                }
                self.soft_error = Some(Failure::of(why));
            }
        }
    }

    /// Takes back the last doubling of the timeout: a packet that a router could not deliver was not lost to congestion
    /// (RFC 6069, `tcp_ld_RTO_revert`). The timeout counts from the last transmission, and may be over.
    fn undo_backoff(&mut self, now: Time, out: &mut Vec<Packet>) {
        let Some(sent) = self.send.last_sent().filter(|_| self.send.timeouts > 0 && self.send.backoff > 0) else {
            return;
        };
        self.send.backoff -= 1;
        self.send.rto = self.config.backed_off(self.config.rto(self.send.estimated_rto()), self.send.backoff);
        let left = (sent + self.send.rto).since(now);
        if left.is_zero() {
            self.on_retransmission_timer(now, out);
        } else {
            self.send.timer = Some((self.clock(now).after(left), SendTimer::Retransmit));
        }
    }
}
