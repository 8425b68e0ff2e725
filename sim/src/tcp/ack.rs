//! When to acknowledge: at once while a conversation starts or stalls, later and on the back of the reply while it flows.
//! Follows `tcp_event_data_recv`, `tcp_event_data_sent`, `__tcp_ack_snd_check`, `tcp_cleanup_rbuf` and
//! `tcp_delack_timer_handler` of Linux.

use std::time::Duration;

use cardiogram_policies::Time;

use super::TcpConfig;

/// Segments acknowledged at once when a conversation starts (`TCP_MAX_QUICKACKS`).
const QUICK_MAX: u8 = 16;
/// Largest segment assumed of a peer until it has sent a larger one (`TCP_MSS_DEFAULT`).
const SEGMENT_MIN: u16 = 536;
/// Answers to segments out of the window are spaced (`tcp_invalid_ratelimit`).
const CHALLENGE_GAP: Duration = Duration::from_millis(500);

pub(super) struct AckPolicy {
    /// Acknowledgements still to be sent at once.
    quick: u8,
    /// The process answers what it receives: acknowledgements wait for its answer.
    ping_pong: bool,
    /// How long they wait; zero before the first data.
    delay: Duration,
    delay_min: Duration,
    delay_max: Duration,
    /// When data arrived last.
    last_data: Time,
    /// Bytes that arrived since the last acknowledgement.
    unacknowledged: u32,
    /// Largest segment seen.
    segment_max: u16,
    /// An acknowledgement is due and does not wait.
    now: bool,
    /// When the delayed acknowledgement is due.
    pub(super) timer: Option<Time>,
    last_challenge: Option<Time>,
}

impl AckPolicy {
    pub(super) fn new(config: &TcpConfig) -> Self {
        Self {
            quick: 0,
            ping_pong: false,
            delay: Duration::ZERO,
            delay_min: config.ack_delay_min,
            delay_max: config.ack_delay_max,
            last_data: Time::ZERO,
            unacknowledged: 0,
            segment_max: SEGMENT_MIN,
            now: false,
            timer: None,
            last_challenge: None,
        }
    }

    /// An acknowledgement of everything that arrived leaves.
    pub(super) fn sent(&mut self) {
        if self.is_due() && self.quick > 0 {
            self.quick -= 1;
            if self.quick == 0 {
                self.delay = self.delay_min;
            }
        }
        self.unacknowledged = 0;
        self.now = false;
        self.timer = None;
    }

    fn is_due(&self) -> bool {
        self.now || self.timer.is_some()
    }

    /// Whether an acknowledgement must leave now, unless it rides on data.
    pub(super) fn is_due_now(&self) -> bool {
        self.now
    }

    /// Whether one should leave because the process has read everything: it is due, and no answer is expected.
    pub(super) fn is_due_on_read(&self) -> bool {
        self.is_due() && (!self.ping_pong || self.unacknowledged > u32::from(self.segment_max))
    }

    /// The process sends data: soon after it received some, that is an answer.
    pub(super) fn data_sent(&mut self, now: Time) {
        if now.since(self.last_data) < self.delay {
            self.ping_pong = true;
        }
    }

    /// `len` bytes arrived in order: an acknowledgement is due now or later.
    pub(super) fn data_received(&mut self, now: Time, len: u32, rto: Duration, srtt: Option<Duration>) {
        self.unacknowledged = self.unacknowledged.saturating_add(len);
        self.segment_max = self.segment_max.max(len.min(u32::from(u16::MAX)) as u16);
        let gap = now.since(self.last_data);
        self.last_data = now;
        if self.delay.is_zero() {
            self.quick = QUICK_MAX;
            self.delay = self.delay_min;
        } else if gap <= self.delay_min / 2 {
            self.delay = self.delay / 2 + self.delay_min / 2;
        } else if gap < self.delay {
            self.delay = (self.delay / 2 + gap).min(rto);
        } else if gap > rto {
            self.quick = QUICK_MAX;
        }
        self.schedule(now, srtt);
    }

    /// The peer's FIN arrived: the process is expected to answer it with its own (`tcp_fin`).
    pub(super) fn fin_received(&mut self, now: Time, srtt: Option<Duration>) {
        self.ping_pong = true;
        self.schedule(now, srtt);
    }

    /// `__tcp_ack_snd_check` and `tcp_send_delayed_ack`.
    fn schedule(&mut self, now: Time, srtt: Option<Duration>) {
        let much = self.unacknowledged > u32::from(self.segment_max);
        let longest = srtt.map_or(self.delay_max, |srtt| srtt.clamp(self.delay_min, self.delay_max));
        let delay = self.delay.min(longest);
        let about_to_expire = self.timer.is_some_and(|timer| timer <= now + delay / 4);
        if much || (self.quick > 0 && !self.ping_pong) || about_to_expire || delay.is_zero() {
            self.now = true;
        } else {
            let due = now + delay;
            self.timer = Some(self.timer.map_or(due, |timer| timer.min(due)));
        }
    }

    /// An acknowledgement is due at once, whatever the policy.
    pub(super) fn set_due_now(&mut self) {
        self.now = true;
    }

    /// `TIME_WAIT` has no acknowledgements that wait.
    pub(super) fn stop(&mut self) {
        self.timer = None;
    }

    /// Something is out of order: the next acknowledgements are sent at once (`tcp_enter_quickack_mode`).
    pub(super) fn hurry(&mut self) {
        self.quick = QUICK_MAX;
        self.ping_pong = false;
        self.delay = self.delay_min;
    }

    /// The delayed acknowledgement is due and leaves: the process did not answer in time.
    pub(super) fn timer_fired(&mut self, rto: Duration) {
        if self.ping_pong {
            self.ping_pong = false;
            self.delay = self.delay_min;
        } else {
            self.delay = (self.delay * 2).min(rto);
        }
    }

    /// Whether a segment out of the window may be answered now.
    pub(super) fn may_challenge(&mut self, now: Time) -> bool {
        let may = self.last_challenge.is_none_or(|last| now.since(last) >= CHALLENGE_GAP);
        if may {
            self.last_challenge = Some(now);
        }
        may
    }
}
