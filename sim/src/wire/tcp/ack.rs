//! When to acknowledge: at once while a conversation starts or stalls, later and on the back of the reply while it flows.
//! Follows `tcp_event_data_recv`, `tcp_event_data_sent`, `__tcp_ack_snd_check`, `tcp_cleanup_rbuf` and
//! `tcp_delack_timer_handler` of Linux.

use std::time::Duration;

use cardiogram_policies::Time;

use super::{TcpConfig, wheel::Clock};

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
    /// The shortest and the longest of that, in microseconds: there are two policies a device.
    delay_min_us: u32,
    delay_max_us: u32,
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
            delay_min_us: config.ack_delay_min.as_micros() as u32,
            delay_max_us: config.ack_delay_max.as_micros() as u32,
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
                self.delay = self.delay_min();
            }
        }
        self.unacknowledged = 0;
        self.now = false;
        self.timer = None;
    }

    const fn delay_min(&self) -> Duration {
        Duration::from_micros(self.delay_min_us as u64)
    }

    const fn delay_max(&self) -> Duration {
        Duration::from_micros(self.delay_max_us as u64)
    }

    fn is_due(&self) -> bool {
        self.now || self.timer.is_some()
    }

    /// Returns whether an acknowledgement must leave now, unless it rides on data.
    pub(super) fn is_due_now(&self) -> bool {
        self.now
    }

    /// Returns whether one should leave because the process has read everything: it is due, and no answer is expected.
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
    pub(super) fn data_received(&mut self, clock: Clock, len: u32, rto: Duration, srtt: Option<Duration>) {
        self.unacknowledged = self.unacknowledged.saturating_add(len);
        self.segment_max = self.segment_max.max(len.min(u32::from(u16::MAX)) as u16);
        let gap = clock.now.since(self.last_data);
        self.last_data = clock.now;
        if self.delay.is_zero() {
            self.quick = QUICK_MAX;
            self.delay = self.delay_min();
        } else if gap <= self.delay_min() / 2 {
            self.delay = self.delay / 2 + self.delay_min() / 2;
        } else if gap < self.delay {
            self.delay = (self.delay / 2 + gap).min(rto);
        } else if gap > rto {
            self.quick = QUICK_MAX;
        }
        self.schedule(clock, srtt);
    }

    /// The peer's FIN arrived: the process is expected to answer it with its own (`tcp_fin`).
    pub(super) fn fin_received(&mut self, clock: Clock, srtt: Option<Duration>) {
        self.ping_pong = true;
        self.schedule(clock, srtt);
    }

    /// `__tcp_ack_snd_check` and `tcp_send_delayed_ack`.
    fn schedule(&mut self, clock: Clock, srtt: Option<Duration>) {
        let much = self.unacknowledged > u32::from(self.segment_max);
        let longest = srtt.unwrap_or(Duration::MAX).clamp(self.delay_min(), self.delay_max());
        let delay = self.delay.min(longest);
        let about_to_expire = self.timer.is_some_and(|timer| timer <= clock.now + delay / 4);
        if much || (self.quick > 0 && !self.ping_pong) || about_to_expire || delay.is_zero() {
            self.now = true;
        } else {
            let due = clock.after(delay);
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
        self.delay = self.delay_min();
    }

    /// The delayed acknowledgement is due and leaves: the process did not answer in time.
    pub(super) fn timer_fired(&mut self, rto: Duration) {
        if self.ping_pong {
            self.ping_pong = false;
            self.delay = self.delay_min();
        } else {
            self.delay = (self.delay * 2).min(rto);
        }
    }

    /// Returns whether a segment out of the window may be answered now.
    pub(super) fn may_challenge(&mut self, now: Time) -> bool {
        let may = self.last_challenge.is_none_or(|last| now.since(last) >= CHALLENGE_GAP);
        if may {
            self.last_challenge = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::config::TcpStack;

    const RTO: Duration = Duration::from_secs(1);

    /// A fresh policy with Linux's 40 and 200 ms, and the time of the last thing that happened to it.
    struct Peer {
        policy: AckPolicy,
        at: Duration,
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    impl Peer {
        fn new() -> Self {
            Self { policy: AckPolicy::new(&TcpConfig::preset(TcpStack::LinuxNew)), at: Duration::ZERO }
        }

        /// After the sixteen acknowledgements of the beginning, with the next ones waiting 40 ms.
        fn flowing() -> Self {
            let mut peer = Self::new();
            for _ in 0..16 {
                peer.hears(ms(50), 100).acknowledges();
            }
            peer
        }

        /// After an answer to what came first.
        fn conversing() -> Self {
            let mut peer = Self::new();
            peer.hears(ms(50), 100).acknowledges().answers(ms(39));
            peer.at -= ms(39);
            peer
        }

        fn now(&self) -> Time {
            Time::ZERO + self.at
        }

        fn clock(&self) -> Clock {
            Clock { now: self.now(), host: Ipv4Addr::LOCALHOST, wheel: None }
        }

        fn hears(&mut self, gap: Duration, len: u32) -> &mut Self {
            self.at += gap;
            self.policy.data_received(self.clock(), len, RTO, None);
            self
        }

        fn acknowledges(&mut self) -> &mut Self {
            self.policy.sent();
            self
        }

        fn answers(&mut self, later: Duration) -> &mut Self {
            self.at += later;
            self.policy.data_sent(self.now());
            self
        }

        /// For how long the acknowledgement waits; `None`: it leaves at once.
        #[track_caller]
        fn waits(&self) -> Option<Duration> {
            assert!(self.policy.is_due_now() || self.policy.timer.is_some(), "none is due");
            self.policy.timer.filter(|_| !self.policy.is_due_now()).map(|timer| timer.since(self.now()))
        }
    }

    #[test]
    fn sixteen_acknowledgements_leave_at_once_and_the_next_ones_wait() {
        let mut peer = Peer::new();
        for _ in 0..16 {
            // Data that comes fast makes later acknowledgements wait longer, but the first one of them waits 40 ms.
            assert_eq!(peer.hears(ms(30), 100).waits(), None);
            peer.acknowledges();
        }
        assert_eq!(peer.hears(ms(50), 100).waits(), Some(ms(40)));
        // What rides on data that nobody owes an acknowledgement for uses none of them up.
        let mut peer = Peer::new();
        peer.hears(ms(30), 100).acknowledges();
        for _ in 0..20 {
            peer.acknowledges();
        }
        assert_eq!(peer.hears(ms(50), 100).waits(), None);
    }

    #[test]
    fn an_answer_in_time_makes_acknowledgements_wait_for_the_next_one() {
        let mut late = Peer::new();
        late.hears(ms(50), 100).acknowledges().answers(ms(40));
        assert_eq!(late.hears(ms(50), 100).waits(), None);
        assert_eq!(Peer::conversing().hears(ms(50), 100).waits(), Some(ms(40)));
    }

    #[test]
    fn how_long_one_waits_follows_the_gaps_between_segments() {
        let mut peer = Peer::conversing();
        // Longer than 20 ms: half of before and the gap. No longer: half of before and 20 ms.
        assert_eq!(peer.hears(ms(30), 100).waits(), Some(ms(50)));
        assert_eq!(peer.acknowledges().hears(ms(20), 100).waits(), Some(ms(45)));
        assert_eq!(peer.acknowledges().hears(ms(21), 100).waits(), Some(Duration::from_micros(43_500)));
        // A gap as long as that changes nothing, and neither does a longer one.
        assert_eq!(
            peer.acknowledges().hears(Duration::from_micros(43_500), 100).waits(),
            Some(Duration::from_micros(43_500))
        );
        assert_eq!(peer.acknowledges().hears(ms(500), 100).waits(), Some(Duration::from_micros(43_500)));
        // No longer than the peer's retransmission.
        let mut hasty = Peer::conversing();
        hasty.at += ms(30);
        hasty.policy.data_received(hasty.clock(), 100, ms(45), None);
        assert_eq!(hasty.waits(), Some(ms(45)));
    }

    #[test]
    fn after_a_pause_of_more_than_a_timeout_acknowledgements_leave_at_once_again() {
        assert_eq!(Peer::flowing().hears(RTO, 100).waits(), Some(ms(40)));
        assert_eq!(Peer::flowing().hears(RTO + ms(1), 100).waits(), None);
    }

    #[test]
    fn one_that_would_leave_soon_leaves_with_the_next_segment() {
        let mut peer = Peer::flowing();
        peer.hears(ms(50), 100);
        // 25 ms later it has 15 ms to go, which is more than a quarter of the 45 ms that one waits now.
        assert_eq!(peer.hears(ms(25), 100).waits(), Some(ms(15)));
        let mut peer = Peer::flowing();
        peer.hears(ms(50), 100);
        assert_eq!(peer.hears(ms(30), 100).waits(), None, "10 ms to go of 50");
    }

    #[test]
    fn more_than_a_full_segment_is_acknowledged_at_once() {
        let mut peer = Peer::flowing();
        assert_eq!(peer.hears(ms(50), 536).waits(), Some(ms(40)));
        assert_eq!(peer.hears(ms(1), 1).waits(), None);
        // A segment that is larger is a full one from then on.
        assert_eq!(Peer::flowing().hears(ms(50), 1_400).waits(), Some(ms(40)));
    }

    #[test]
    fn who_has_read_everything_acknowledges_unless_an_answer_is_expected() {
        let mut peer = Peer::flowing();
        assert!(!peer.policy.is_due_on_read(), "nothing is due");
        assert!(peer.hears(ms(50), 100).policy.is_due_on_read());
        let mut peer = Peer::conversing();
        assert!(!peer.hears(ms(50), 536).policy.is_due_on_read());
        assert!(peer.hears(ms(50), 1).policy.is_due_on_read(), "more than a full segment");
    }

    #[test]
    fn a_wait_in_vain_ends_the_conversation_or_doubles() {
        let mut peer = Peer::conversing();
        peer.hears(ms(30), 100).policy.timer_fired(RTO);
        peer.acknowledges();
        assert_eq!(peer.hears(ms(50), 100).waits(), None, "at once again, while some of the first are left");
        let mut peer = Peer::flowing();
        for waits in [ms(80), ms(160), ms(200)] {
            peer.policy.timer_fired(RTO);
            assert_eq!(peer.acknowledges().hears(ms(400), 100).waits(), Some(waits));
        }
        // No longer than a round trip takes, which counts as 40 ms at least.
        for (srtt, waits) in [(ms(100), ms(100)), (ms(10), ms(40))] {
            peer.acknowledges();
            peer.at += ms(400);
            peer.policy.data_received(peer.clock(), 100, RTO, Some(srtt));
            assert_eq!(peer.waits(), Some(waits));
        }
    }

    #[test]
    fn out_of_order_the_next_sixteen_leave_at_once() {
        let mut peer = Peer::flowing();
        peer.policy.timer_fired(RTO);
        peer.answers(ms(10)).policy.hurry();
        for _ in 0..16 {
            assert_eq!(peer.hears(ms(50), 100).waits(), None);
            peer.acknowledges();
        }
        assert_eq!(peer.hears(ms(50), 100).waits(), Some(ms(40)));
    }

    #[test]
    fn a_fin_waits_for_the_answer_but_not_before_any_data() {
        let mut peer = Peer::flowing();
        peer.policy.fin_received(peer.clock(), None);
        assert_eq!(peer.waits(), Some(ms(40)));
        peer.policy.stop();
        assert!(!peer.policy.is_due_on_read());
        let mut fresh = Peer::new();
        fresh.policy.fin_received(fresh.clock(), None);
        assert_eq!(fresh.waits(), None);
    }

    #[test]
    fn challenges_are_spaced() {
        let mut policy = Peer::new().policy;
        let may = |policy: &mut AckPolicy, at| policy.may_challenge(Time::from_millis(at));
        assert!(may(&mut policy, 0));
        assert!(!may(&mut policy, 499));
        assert!(may(&mut policy, 500));
        assert!(!may(&mut policy, 999));
    }
}
