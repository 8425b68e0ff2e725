//! The radio of one device: which packets have to wait for it, and what it costs. Sans-IO: it is told when packets want
//! to pass and when they pass; it holds none of them.
//!
//! After the power models of Huang et al. (2012): asleep, promotion, active while a packet is carried, then the stages of
//! the tail, each restarted by packets. Powers are in mW and times in us, so energy is in whole nJ: nothing is
//! rounded. (Per Mbit/s and bit the unit is the same.)

use std::{sync::Arc, time::Duration};

use cardiogram_policies::Time;

use crate::{
    config::RadioConfig,
    fate::random::{Coins, DrawPurpose},
    record::counts::RadioUse,
};

/// The shortest time that a packet keeps the radio active: a transmission interval of LTE.
const CARRY_MIN: Duration = Duration::from_millis(1);

pub(crate) struct Radio {
    config: Arc<RadioConfig>,
    coins: Coins,
    state: State,
    /// Everything before this is in `used`.
    paid: Time,
    used: RadioUse,
}

#[derive(Clone, Copy)]
enum State {
    /// The device is on another network.
    Off,
    Asleep,
    /// Woken or paged: the promotion begins at `promotes`, and packets pass from `up` on.
    Rising {
        asked: Time,
        promotes: Time,
        up: Time,
    },
    /// Up, and in this stage of the tail since then; a time to come while a packet is carried.
    Up {
        stage: usize,
        since: Time,
    },
}

/// The direction of a packet, as the radio sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

impl Radio {
    /// A radio switched on at `start`; `coins` decide when it hears of a page.
    pub(crate) fn new(config: Arc<RadioConfig>, coins: Coins, start: Time) -> Self {
        Self { config, coins, state: State::Asleep, paid: start, used: RadioUse::default() }
    }

    /// Returns whether a packet can pass at `now`. If not, the radio is on its way up: [`next_wake`](Self::next_wake) says
    /// when.
    ///
    /// What the device sends starts the promotion at once; what comes for it waits for the next paging occasion first.
    pub(crate) fn admits(&mut self, now: Time, way: Way) -> bool {
        self.settle(now);
        match (self.state, way) {
            (State::Up { .. }, _) => return true,
            (State::Asleep, Way::Up) => self.state = self.rising(now, now),
            (State::Asleep, Way::Down) => {
                let cycle = self.config.paging_cycle.get().as_micros() as f64;
                let page = cycle * self.coins.unit(DrawPurpose::Paging, now);
                self.state = self.rising(now, now + Duration::from_micros(page as u64));
            }
            // The device does not wait for its page when it has something to say itself.
            (State::Rising { asked, promotes, .. }, Way::Up) if now < promotes => self.state = self.rising(asked, now),
            (State::Rising { .. }, _) => {}
            (State::Off, _) => panic!("a packet for a radio that is off"),
        }
        false
    }

    fn rising(&self, asked: Time, promotes: Time) -> State {
        State::Rising { asked, promotes, up: promotes + self.config.promotion.get() }
    }

    /// Returns when the radio is up, if it is on its way.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        match self.state {
            State::Rising { up, .. } => Some(up),
            State::Off | State::Asleep | State::Up { .. } => None,
        }
    }

    /// If its promotion is over at `now`, lets the radio be up; returns how long ago the first packet asked for it.
    pub(crate) fn rise(&mut self, now: Time) -> Option<Duration> {
        let State::Rising { asked, up, .. } = self.state else { return None };
        if up > now {
            return None;
        }
        self.settle(up);
        self.used.wakeups += 1;
        self.state = State::Up { stage: 0, since: up };
        Some(now.since(asked))
    }

    /// Carries a packet of `bytes`. The radio must be up.
    pub(crate) fn carry(&mut self, now: Time, bytes: usize, way: Way) {
        self.settle(now);
        let State::Up { stage, .. } = self.state else { panic!("a packet passes a radio that is not up") };
        let tail = &self.config.tail[stage];
        let (stage, power) =
            if bytes < usize::from(tail.carries_below) { (stage, tail.mw) } else { (0, self.config.active_mw) };
        let (kbps, per_mbps) = match way {
            Way::Up => (self.config.up_kbps, self.config.up_mw_per_mbps),
            Way::Down => (self.config.down_kbps, self.config.down_mw_per_mbps),
        };
        let bits = 8 * bytes as u64;
        let takes = CARRY_MIN.max(Duration::from_micros((1_000 * bits).div_ceil(u64::from(kbps))));
        // Packets that come closer together than they can be carried are carried one after the other.
        let until = self.paid.max(now) + takes;
        self.pay(until, power, true);
        self.used.energy_nj += u128::from(per_mbps) * u128::from(bits);
        self.state = State::Up { stage, since: until };
    }

    /// The device leaves the radio's network, or comes back to it.
    pub(crate) fn switch(&mut self, now: Time, on: bool) {
        self.settle(now);
        self.state = if on { State::Asleep } else { State::Off };
    }

    /// Returns what was used until `end`, the end of the run. A packet that is being carried counts whole.
    pub(crate) fn into_use(mut self, end: Time) -> RadioUse {
        self.settle(end);
        self.used
    }

    /// Pays for the time until `now`, in which nothing happened; the radio falls asleep at the very end of its tail.
    fn settle(&mut self, now: Time) {
        if let State::Rising { promotes, up, .. } = self.state {
            self.pay(now.min(promotes), self.config.idle_mw, false);
            self.pay(now.min(up), self.config.promotion_mw, true);
        }
        while let State::Up { stage, since } = self.state {
            let tail = &self.config.tail[stage];
            let (mw, over) = (tail.mw, since + tail.lasts.get());
            self.pay(now.min(over), mw, true);
            if now < over {
                break;
            }
            let last = stage + 1 == self.config.tail.len();
            self.state = if last { State::Asleep } else { State::Up { stage: stage + 1, since: over } };
        }
        match self.state {
            State::Asleep => self.pay(now, self.config.idle_mw, false),
            State::Off => self.paid = self.paid.max(now),
            State::Rising { .. } | State::Up { .. } => {}
        }
    }

    /// Pays for the time until `until` at a power of `mw`; what was paid for is not paid for again.
    fn pay(&mut self, until: Time, mw: u32, on: bool) {
        if until <= self.paid {
            return;
        }
        let span = until.since(self.paid);
        self.used.energy_nj += u128::from(mw) * span.as_micros();
        if on {
            self.used.on += span;
        }
        self.paid = until;
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::{Delay, Span};

    use super::*;
    use crate::config::TailStage;

    const fn stage(millis: u64, mw: u32, carries_below: u16) -> TailStage {
        TailStage { lasts: Span::millis(millis), mw, carries_below }
    }

    /// LTE as in Huang et al. 2012.
    fn lte() -> RadioConfig {
        RadioConfig {
            promotion: Delay::millis(260),
            promotion_mw: 1_211,
            paging_cycle: Delay::millis(1_280),
            active_mw: 1_288,
            up_mw_per_mbps: 438,
            down_mw_per_mbps: 52,
            up_kbps: 5_000,
            down_kbps: 10_000,
            tail: vec![stage(11_576, 1_060, 0)],
            idle_mw: 0,
        }
    }

    /// 3G as in the same paper.
    fn umts() -> RadioConfig {
        RadioConfig {
            promotion: Delay::millis(582),
            promotion_mw: 659,
            paging_cycle: Delay::millis(2_560),
            active_mw: 818,
            up_mw_per_mbps: 869,
            down_mw_per_mbps: 122,
            up_kbps: 1_000,
            down_kbps: 3_000,
            tail: vec![stage(8_090, 804, 0), stage(820, 601, 512)],
            idle_mw: 0,
        }
    }

    fn wifi() -> RadioConfig {
        RadioConfig {
            promotion: Delay::millis(79),
            promotion_mw: 124,
            paging_cycle: Delay::millis(308),
            active_mw: 133,
            up_mw_per_mbps: 283,
            down_mw_per_mbps: 137,
            up_kbps: 20_000,
            down_kbps: 20_000,
            tail: vec![stage(238, 119, 0)],
            idle_mw: 0,
        }
    }

    const fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    /// Returns what a train of packets costs, at the times at which they pass; the first wakes the radio a promotion earlier.
    fn train(config: &RadioConfig, packets: &[(u64, usize, Way)], end: u64) -> RadioUse {
        let mut radio = Radio::new(Arc::new(config.clone()), Coins::new(1, "radio/paging", 0), Time::ZERO);
        for &(at, bytes, way) in packets {
            let asked = ms(at).since(Time::ZERO).checked_sub(config.promotion.get());
            let asked = Time::ZERO + asked.expect("a train begins after a promotion");
            // Nobody asks a radio that may be up still: asking is what wakes it.
            radio.settle(asked);
            if matches!(radio.state, State::Asleep) {
                assert!(!radio.admits(asked, Way::Up));
            }
            let _ = radio.rise(ms(at));
            assert!(radio.admits(ms(at), way), "the radio is not up at {at} ms");
            radio.carry(ms(at), bytes, way);
        }
        radio.into_use(ms(end))
    }

    /// Request and reply of 57 bytes, isolated: 456 bits each way.
    fn heartbeat(rtt: u64) -> [(u64, usize, Way); 2] {
        [(10_000, 57, Way::Up), (10_000 + rtt, 57, Way::Down)]
    }

    /// mW x us.
    const MJ: u128 = 1_000_000;

    #[test]
    fn an_isolated_heartbeat_on_lte_costs_12_7_j() {
        let used = train(&lte(), &heartbeat(70), 60_000);
        // Promotion 0.260 s at 1211 mW, two packets of 1 ms at 1288 mW, 69 ms of tail between them and 11.576 s after,
        // at 1060 mW, and the bits: 438 and 52 mW per Mbit/s are as many nJ a bit.
        let expected = 260_000 * 1_211 + 2 * 1_000 * 1_288 + (69_000 + 11_576_000) * 1_060 + 456 * (438 + 52);
        assert_eq!(used.energy_nj, expected);
        assert_eq!(used.energy_nj / MJ, 12_661);
        assert_eq!((used.wakeups, used.on), (1, Duration::from_millis(260 + 70 + 1 + 11_576)));
    }

    #[test]
    fn an_isolated_heartbeat_on_3g_goes_through_both_stages_and_costs_7_5_j() {
        let used = train(&umts(), &heartbeat(200), 60_000);
        let expected =
            582_000 * 659 + 2 * 1_000 * 818 + (199_000 + 8_090_000) * 804 + 820_000 * 601 + 456 * (869 + 122);
        assert_eq!(used.energy_nj, expected);
        assert_eq!(used.energy_nj / MJ, 7_542);
    }

    #[test]
    fn an_isolated_heartbeat_on_wifi_costs_0_045_j() {
        let used = train(&wifi(), &heartbeat(50), 60_000);
        let expected = 79_000 * 124 + 2 * 1_000 * 133 + (49_000 + 238_000) * 119 + 456 * (283 + 137);
        assert_eq!(used.energy_nj, expected);
        // 44.4 mJ: the table counts the round trip at the power of sending.
        assert_eq!(used.energy_nj / MJ, 44);
    }

    #[test]
    fn a_packet_within_the_tail_costs_its_extension_only() {
        let alone = train(&lte(), &[(1_000, 100, Way::Up)], 60_000);
        let with_another = train(&lte(), &[(1_000, 100, Way::Up), (6_000, 100, Way::Up)], 60_000);
        // The tail of the first is cut to 4.999 s; then 1 ms and a tail of its own.
        let extension = 4_999_000 * 1_060 + 1_000 * 1_288 + 800 * 438;
        assert_eq!(with_another.energy_nj - alone.energy_nj, extension);
        assert_eq!((alone.wakeups, with_another.wakeups), (1, 1));
    }

    #[test]
    fn a_packet_every_10_s_keeps_an_lte_radio_up_for_good_at_1_06_w() {
        let packets: Vec<(u64, usize, Way)> = (0..8_640).map(|k| (1_000 + 10_000 * k, 57, Way::Up)).collect();
        let used = train(&lte(), &packets, 86_400_000);
        let tails = 86_400_000_000 - 1_000_000 - 8_640 * 1_000;
        let expected = 260_000 * 1_211 + 8_640 * 1_000 * 1_288 + tails * 1_060 + 8_640 * 456 * 438;
        assert_eq!((used.energy_nj, used.wakeups), (expected, 1));
        // 91.58 kJ a day.
        assert_eq!(used.energy_nj / (10_000 * MJ), 9_158);
    }

    #[test]
    fn the_radio_is_asleep_at_the_very_end_of_its_tail() {
        let mut radio = Radio::new(Arc::new(lte()), Coins::new(1, "radio/paging", 0), Time::ZERO);
        assert!(!radio.admits(ms(0), Way::Up));
        assert_eq!(radio.next_wake(), Some(ms(260)));
        assert_eq!(radio.rise(ms(259)), None);
        assert_eq!(radio.rise(ms(260)), Some(Duration::from_millis(260)));
        radio.carry(ms(260), 57, Way::Up);
        let over = ms(260 + 1 + 11_576);
        assert!(radio.admits(over - Duration::from_micros(1), Way::Up));
        assert!(!radio.admits(over, Way::Up));
        assert_eq!(radio.next_wake(), Some(over + Duration::from_millis(260)));
        assert_eq!(radio.used.wakeups, 1);
    }

    #[test]
    fn what_comes_for_a_sleeping_radio_waits_for_its_page_unless_the_device_speaks_first() {
        let mut radio = Radio::new(Arc::new(lte()), Coins::new(1, "radio/paging", 0), Time::ZERO);
        assert!(!radio.admits(ms(5_000), Way::Down));
        let paged = radio.next_wake().expect("on its way");
        let wait = paged.since(ms(5_000) + Duration::from_millis(260));
        assert!(Duration::from_millis(10) < wait && wait < Duration::from_millis(1_280), "{wait:?}");
        // A second packet changes nothing, one that the device sends does.
        assert!(!radio.admits(ms(5_001), Way::Down));
        assert_eq!(radio.next_wake(), Some(paged));
        assert!(!radio.admits(ms(5_005), Way::Up));
        assert_eq!(radio.next_wake(), Some(ms(5_265)));
        assert_eq!(radio.rise(ms(5_265)), Some(Duration::from_millis(265)));
    }

    #[test]
    fn a_radio_that_is_off_costs_nothing_and_has_forgotten_its_tail() {
        let mut radio =
            Radio::new(Arc::new(RadioConfig { idle_mw: 20, ..lte() }), Coins::new(1, "radio/paging", 0), ms(0));
        assert!(!radio.admits(ms(1_000), Way::Up));
        assert!(radio.rise(ms(1_260)).is_some());
        // A second of the tail, then an hour on another network, then a second of sleep.
        radio.switch(ms(2_260), false);
        radio.switch(ms(3_602_260), true);
        let used = radio.into_use(ms(3_603_260));
        let micros = |ms: u128| ms * 1_000;
        let expected = 20 * micros(1_000) + 1_211 * micros(260) + 1_060 * micros(1_000) + 20 * micros(1_000);
        assert_eq!((used.energy_nj, used.on), (expected, Duration::from_millis(1_260)));
    }

    #[test]
    fn waits_for_a_page_spread_over_the_cycle_and_differ_between_devices() {
        let waits: Vec<u64> = (0..1_000)
            .map(|device| {
                let mut radio = Radio::new(Arc::new(lte()), Coins::new(1, "radio/paging", device), Time::ZERO);
                assert!(!radio.admits(ms(0), Way::Down));
                radio.next_wake().expect("on its way").as_micros() - 260_000
            })
            .collect();
        // Uniform on 0 to 1.28 s: 640 ms +- 370 ms / sqrt(1000).
        let mean = waits.iter().sum::<u64>() / 1_000;
        assert!((590_000..690_000).contains(&mean), "{mean} us");
        assert!(waits.iter().all(|wait| *wait < 1_280_000));
    }

    #[test]
    fn sleep_and_paging_cost_the_idle_power_from_the_start_on() {
        let config = RadioConfig { idle_mw: 20, ..lte() };
        let radio = Radio::new(Arc::new(config.clone()), Coins::new(1, "radio/paging", 0), ms(1_000));
        assert_eq!(radio.into_use(ms(61_000)).energy_nj, 60_000_000 * 20);
        // An isolated packet: all the time that is not promotion, packet or tail.
        let used = train(&config, &[(10_000, 57, Way::Up)], 60_000);
        let asleep = 60_000_000 - 260_000 - 1_000 - 11_576_000;
        let awake = 260_000 * 1_211 + 1_000 * 1_288 + 11_576_000 * 1_060 + 456 * 438;
        assert_eq!(used.energy_nj, awake + asleep * 20);
    }

    #[test]
    fn a_run_that_ends_in_a_promotion_pays_for_its_part() {
        let mut radio = Radio::new(Arc::new(lte()), Coins::new(1, "radio/paging", 0), Time::ZERO);
        assert!(!radio.admits(ms(900), Way::Up));
        let used = radio.into_use(ms(1_000));
        assert_eq!((used.energy_nj, used.on), (100_000 * 1_211, Duration::from_millis(100)));
    }

    #[test]
    fn small_packets_stay_in_the_second_stage_and_large_ones_leave_it() {
        let second = 10_000 + 1 + 8_090 + 100;
        let of = |bytes| train(&umts(), &[(10_000, 600, Way::Up), (second, bytes, Way::Up)], 60_000).energy_nj;
        let first = 582_000 * 659 + 4_800 * 818 + 4_800 * 869 + 8_090_000 * 804;
        // 600 bytes at 1 Mbit/s take 4.8 ms, so the second stage began 3.8 ms later than written above.
        let in_second = 96_200 * 601;
        let small = first + in_second + 1_000 * 601 + 456 * 869 + 820_000 * 601;
        assert_eq!(of(57), small);
        let large = first + in_second + 4_800 * 818 + 4_800 * 869 + 8_090_000 * 804 + 820_000 * 601;
        assert_eq!(of(600), large);
    }

    #[test]
    fn packets_that_come_at_once_are_carried_one_after_the_other() {
        let packet = (10_000, 57, Way::Up);
        let one = train(&lte(), &[packet], 60_000);
        let three = train(&lte(), &[packet, packet, packet], 60_000);
        assert_eq!(three.energy_nj - one.energy_nj, 2 * (1_000 * 1_288 + 456 * 438));
        assert_eq!(three.on, one.on + Duration::from_millis(2));
    }
}
