//! TCP keepalive: the kernel probes, the application sends nothing. Only the socket's options are set here; the probing
//! itself belongs to the host's TCP.

use super::{Composed, Keepalive, ScheduleSpec};
use crate::{Bounds, Problem, Promises, unit::Span};

parameters! {
    /// TCP keepalive with the kernel's three numbers, and the user timeout that may override them.
    ///
    /// The defaults are Linux's, `tcp(7)`: 7200 s, 75 s, 9 probes, no user timeout.
    pub struct TcpKeepalive {
        /// Silence before the first probe (`TCP_KEEPIDLE`). Default 2 h.
        pub idle: Span = Span::secs(7200),
        /// Between unanswered probes (`TCP_KEEPINTVL`). Default 75 s.
        pub interval: Span = Span::secs(75),
        /// Unanswered probes that mean death (`TCP_KEEPCNT`), 1 to 127. Default 9.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 127)))]
        pub count: u32 = 9,
        /// How long data may stay unacknowledged (`TCP_USER_TIMEOUT`); it also takes the place of `count`. Default: not set.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub user_timeout: Option<Span> = None,
    }
}

/// The kernel's own limit on `TCP_KEEPIDLE` and `TCP_KEEPINTVL` (Linux, `MAX_TCP_KEEPIDLE`): a bit over nine hours.
const LONGEST: Span = Span::secs(32_767);

/// The kernel's own limit on `TCP_KEEPCNT` (Linux, `MAX_TCP_KEEPCNT`).
const MOST_PROBES: u32 = 127;

impl TcpKeepalive {
    /// Returns the parts of a heartbeat that is nothing but this.
    pub fn parts(&self) -> Composed {
        Composed { keepalive: Some(self.clone()), ..Composed::new(ScheduleSpec::PeerSends) }
    }

    /// Returns what the kernel is told.
    pub fn numbers(&self) -> Keepalive {
        Keepalive { idle: self.idle.get(), interval: self.interval.get(), count: self.count }
    }

    pub(super) fn promises(&self, bounds: &Bounds) -> Promises {
        // A probe's answer, or an acknowledgement, arrives before the kernel gives up. The earliest moment for that is an
        // interval after the first probe where a user timeout stands in for the count. A lost probe is never repeated by
        // TCP itself, so with losses nothing is certain.
        let patience = match self.user_timeout {
            None => self.interval.get() * self.count,
            Some(user_timeout) => self.interval.min(user_timeout).get(),
        };
        Promises {
            // A hung server's kernel answers probes for ever, and data in flight stops the probing: no bound holds for
            // every break. (A cut path is noticed after idle + count * interval if the connection was idle, and when
            // TCP's retransmissions run out, 924 s to 1044 s, if it was not.)
            detects_within: None,
            heartbeats_per_hour: Some(0),
            no_false_alarm: bounds.loss_free && bounds.rtt_max < patience,
            ..Promises::default()
        }
    }

    pub(super) fn describe(&self) -> String {
        let verdict = match self.user_timeout {
            None => format!("{} probes without an answer end the connection", self.count),
            Some(user_timeout) => format!(
                "{user_timeout} without any packet end the connection once a probe was sent, whatever their number, and so do \
                 data unacknowledged for as long"
            ),
        };
        format!(
            "The kernel's keepalive is on. Once nothing has arrived for {} it sends a probe, and another \
             every {} until one is answered; {verdict}. While data is unacknowledged no probe is sent. A hung server's kernel \
             answers probes, so it goes unnoticed.",
            self.idle, self.interval,
        )
    }

    /// Returns what no kernel would take, with the keys below `path`.
    pub fn problems_at(&self, path: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, span) in [("idle", self.idle), ("interval", self.interval)] {
            if span > LONGEST {
                problems.push(Problem::new(
                    format!("{path}.{key}"),
                    format!("{span} is longer than the kernel allows"),
                    format!("use at most \"{LONGEST}\""),
                ));
            }
        }
        if !(1..=MOST_PROBES).contains(&self.count) {
            problems.push(Problem::new(
                format!("{path}.count"),
                format!("{} probes are outside 1 to {MOST_PROBES}, which is what the kernel allows", self.count),
                "use 9, the kernel's default",
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        heartbeat::{Action, Event, composed::ComposedHeartbeat},
        testing::{CONNECTED, LOST, bounds, play, rng},
    };

    fn policy(spec: &TcpKeepalive) -> ComposedHeartbeat {
        ComposedHeartbeat::new(spec.parts(), rng(1))
    }

    fn options(idle: u64, interval: u64, count: u32) -> Action {
        let (idle, interval) = (Duration::from_secs(idle), Duration::from_secs(interval));
        Action::SetKeepalive(Some(Keepalive { idle, interval, count }))
    }

    #[test]
    fn each_connection_gets_its_options_once_and_the_rest_is_the_kernels() {
        play(
            &mut policy(&TcpKeepalive::default()),
            &[
                (0, Some(CONNECTED), &[options(7200, 75, 9)]),
                (1_000, Some(Event::BytesWritten), &[]),
                (2_000, Some(LOST), &[]),
                (3_000, Some(CONNECTED), &[options(7200, 75, 9)]),
            ],
        );
    }

    #[test]
    fn a_user_timeout_is_set_where_there_is_one() {
        let spec = TcpKeepalive { user_timeout: Some(Span::secs(30)), ..TcpKeepalive::default() };
        play(
            &mut policy(&spec),
            &[(0, Some(CONNECTED), &[options(7200, 75, 9), Action::SetUserTimeout(Some(Duration::from_secs(30)))])],
        );
    }

    #[test]
    fn it_promises_no_detection_for_a_hung_server_still_answers_probes() {
        let bounds = bounds();
        let promises = TcpKeepalive::default().promises(&bounds);
        assert_eq!(promises.detects_within, None);
        assert_eq!(promises.heartbeats_per_hour, Some(0));
        assert!(promises.no_false_alarm);

        // A user timeout below the round trip kills a healthy connection, and so do probes faster than their answers.
        let hasty = TcpKeepalive { user_timeout: Some(Span::millis(500)), ..TcpKeepalive::default() };
        assert!(!hasty.promises(&bounds).no_false_alarm);
        let nervous = TcpKeepalive { interval: Span::millis(100), ..TcpKeepalive::default() };
        assert!(!nervous.promises(&bounds).no_false_alarm);
    }
}
