//! One direction of a link: decides for each packet when it arrives, or that it does not. Sans-IO and without memory of
//! policies: the state of the link is a function of seed and time. Only the queue before it and the order of arrival depend
//! on what was sent on the lane before.
//!
//! A packet waits until the lane has sent those before it, leaves, and takes its delay.

mod drift;
mod router;

use std::{rc::Rc, time::Duration};

use cardiogram_policies::{Time, unit::Fraction};
use rand_chacha::ChaCha8Rng;

use self::{drift::Drift, router::Router};
use crate::{
    config::{BurstLoss, LinkConfig, Rate, distribution::Sampler},
    fate::{
        effect::{Effect, PacketEffects},
        random::{self, Coins, DrawPurpose},
        schedule::{Interval, exponential},
    },
    record::trace::Fate,
    wire::packet::Obstacle,
};

/// One direction of a link, with a lane for each sender or receiver that has its own order and its own luck.
pub(crate) struct Link {
    /// What each packet's own part of the delay is drawn from.
    delay: Sampler,
    /// How often a packet is lost by itself.
    packet_loss: Fraction,
    rate: Option<Rate>,
    lanes: Vec<Lane>,
    /// The lane of each device, on a link whose senders do not choose it; empty elsewhere.
    lane_of: Rc<[u32]>,
}

struct Lane {
    coins: Coins,
    /// The part of the delay that all packets of the lane share.
    base: Duration,
    /// Boxed: most links have none.
    drift: Option<Box<Drift>>,
    cuts: Rc<[Interval]>,
    /// Cuts before this one are over.
    cut: usize,
    /// Boxed: most cuts are silent.
    router: Option<Box<Router>>,
    effects: Box<[Effect]>,
    /// Boxed: most links have none, and there are two lanes a device.
    burst: Option<Box<BurstChain>>,
    /// When the packets sent so far have left.
    free: Time,
    last_arrival: Time,
}

/// What makes a lane.
pub(crate) struct LaneConfig<'a> {
    /// Names the stream of the burst model and the coins of base delay and drift: the same for both directions, which
    /// share them.
    pub(crate) component: &'a str,
    /// Names the coins: differs between the directions.
    pub(crate) direction: &'a str,
    pub(crate) index: u64,
    /// When this direction of the lane is cut.
    pub(crate) cuts: Rc<[Interval]>,
    /// What is answered to packets that a cut keeps from being forwarded, by the cuts that answer.
    pub(crate) answers: Vec<(Interval, Obstacle)>,
    /// What other faults do to it.
    pub(crate) effects: Vec<Effect>,
}

impl Link {
    pub(crate) fn new<'a>(config: &LinkConfig, seed: u64, lanes: impl Iterator<Item = LaneConfig<'a>>) -> Self {
        let lanes = lanes
            .map(|lane| Lane {
                coins: Coins::new(seed, lane.direction, lane.index),
                base: base_delay(config, seed, &lane),
                drift: drift(config, seed, &lane),
                burst: burst(config, seed, &lane),
                cuts: lane.cuts,
                cut: 0,
                router: Router::new(lane.answers),
                effects: lane.effects.into(),
                free: Time::ZERO,
                last_arrival: Time::ZERO,
            })
            .collect();
        Self {
            delay: config.delay.sampler(),
            packet_loss: config.packet_loss,
            rate: config.rate,
            lanes,
            lane_of: [].into(),
        }
    }

    /// The same link, with these lanes of devices, whatever their packets' senders say.
    pub(crate) fn with_lanes_of_devices(self, lane_of: Rc<[u32]>) -> Self {
        Self { lane_of, ..self }
    }

    /// Returns the lane of a packet of `device` which its sender puts on `lane`.
    pub(crate) fn lane_of(&self, lane: u32, device: Option<u32>) -> u32 {
        device.and_then(|device| self.lane_of.get(device as usize).copied()).unwrap_or(lane)
    }

    /// What is cut now stays cut, nothing else is cut any more, and nothing is lost or slowed down by chance.
    pub(crate) fn freeze(&mut self, now: Time) {
        (self.packet_loss, self.rate) = (Fraction::ZERO, None);
        for lane in &mut self.lanes {
            (lane.cuts, lane.cut) = (Interval::frozen(&lane.cuts, now).into(), 0);
            (lane.burst, lane.effects, lane.router) = (None, [].into(), None);
        }
    }

    /// Returns what a router answers to a packet put on `lane` at `now`, which is cut, and when the answer is back: it stands in
    /// the middle, so that the way there and back takes the lane's delay once.
    pub(crate) fn answer(&mut self, now: Time, lane: u32) -> Option<(Time, Obstacle)> {
        let lane = &mut self.lanes[lane as usize];
        let why = lane.router.as_mut()?.answer(now)?;
        Some((now + lane.delay(now, &self.delay), why))
    }

    /// Returns what becomes of a packet of `bytes` put on `lane` at `now`. Times must not run backwards within a lane.
    pub(crate) fn transmit(&mut self, now: Time, lane: u32, bytes: usize) -> Fate {
        let lane = &mut self.lanes[lane as usize];
        if lane.is_cut(now, now) {
            return Fate::Cut;
        }
        let Some(departure) = lane.depart(now, self.rate, bytes) else { return Fate::QueueFull };
        let mut combined = PacketEffects::default();
        for effect in &mut lane.effects {
            effect.add_to(&mut combined, now);
        }
        let delay = lane.delay(now, &self.delay) + combined.late;
        let in_order = (departure + delay).max(lane.last_arrival);
        let in_order = lane.effects.iter().fold(in_order, |arrival, effect| effect.delivers(arrival));
        let arrival = in_order + combined.held;
        // What is under way when the link is cut is lost, and so is what arrives at that very moment.
        if lane.is_cut(now, arrival) {
            return Fate::Cut;
        }
        let burst = lane.burst.as_mut().map_or(Fraction::ZERO, |burst| burst.loss(now));
        let by_burst = lane.loses(DrawPurpose::BurstLoss, now, burst);
        let by_itself = lane.loses(DrawPurpose::PacketLoss, now, self.packet_loss);
        if by_burst || by_itself || combined.lost {
            return Fate::Lost;
        }
        if combined.held.is_zero() {
            lane.last_arrival = in_order;
        }
        match combined.copy.map(|later| arrival + later) {
            Some(copy) if !lane.is_cut(now, copy) => Fate::ArrivesTwice { first: arrival, copy },
            _ => Fate::Arrives(arrival),
        }
    }
}

impl Lane {
    /// Returns how long a packet takes that leaves at `now`, of which `varies` is drawn for it alone.
    fn delay(&mut self, now: Time, varies: &Sampler) -> Duration {
        let drift = self.drift.as_mut().map_or(Duration::ZERO, |drift| drift.at(now));
        self.base + drift + varies.drawn(|| self.coins.unit(DrawPurpose::Delay, now))
    }

    /// Returns whether a packet is lost that leaves at `now`. No coin is tossed for what is certain.
    fn loses(&self, purpose: DrawPurpose, now: Time, loss: Fraction) -> bool {
        loss.get() > 0.0 && self.coins.unit(purpose, now) < loss.get()
    }

    /// Returns whether the lane is cut at any moment from `now` to `until`, both included.
    fn is_cut(&mut self, now: Time, until: Time) -> bool {
        while self.cuts.get(self.cut).is_some_and(|cut| cut.end <= now) {
            self.cut += 1;
        }
        self.cuts.get(self.cut).is_some_and(|cut| cut.begin <= until)
    }

    /// Returns when the last bit of a packet put on the lane at `now` leaves; `None`: the queue is full. The rate is that of
    /// the moment at which its first bit leaves.
    fn depart(&mut self, now: Time, own: Option<Rate>, bytes: usize) -> Option<Time> {
        let waited = now.max(self.free);
        let start = self.effects.iter_mut().fold(waited, |start, effect| effect.resumes(start));
        let limits = self.effects.iter_mut().filter_map(|effect| effect.rate(start));
        let departure = match own.into_iter().chain(limits).min_by_key(|rate| rate.bits_per_second) {
            Some(rate) if start.since(now) > rate.queue.get() => return None,
            Some(rate) => start + rate.time_for(bytes),
            None => start,
        };
        self.free = departure;
        Some(departure)
    }
}

fn base_delay(config: &LinkConfig, seed: u64, lane: &LaneConfig<'_>) -> Duration {
    let coin = || Coins::new(seed, lane.component, lane.index).unit(DrawPurpose::BaseDelay, Time::ZERO);
    config.base_delay.as_ref().map_or(Duration::ZERO, |delay| delay.at(coin()))
}

fn drift(config: &LinkConfig, seed: u64, lane: &LaneConfig<'_>) -> Option<Box<Drift>> {
    let spec = config.drift.as_ref()?;
    Some(Box::new(Drift::new(spec, Coins::new(seed, lane.component, lane.index))))
}

fn burst(config: &LinkConfig, seed: u64, lane: &LaneConfig<'_>) -> Option<Box<BurstChain>> {
    let spec = config.burst_loss.as_ref()?;
    Some(Box::new(BurstChain::new(spec, seed, lane.component, lane.index)))
}

/// The two-state chain of Gilbert and Elliott in continuous time, started from its stationary law.
struct BurstChain {
    spec: BurstLoss,
    rng: ChaCha8Rng,
    bad: bool,
    until: Time,
}

impl BurstChain {
    fn new(spec: &BurstLoss, seed: u64, component: &str, index: u64) -> Self {
        let mut rng = random::stream(seed, component, index);
        let (good, bad) = (spec.good.get().as_secs_f64(), spec.bad.get().as_secs_f64());
        let starts_bad = random::draw(&mut rng) < bad / (good + bad);
        let mut chain = Self { spec: spec.clone(), rng, bad: starts_bad, until: Time::ZERO };
        chain.until = Time::ZERO + chain.holding();
        chain
    }

    /// Returns how often a packet is lost at `now`; times must not run backwards.
    fn loss(&mut self, now: Time) -> Fraction {
        if self.is_bad(now) { self.spec.loss_bad } else { self.spec.loss_good }
    }

    fn is_bad(&mut self, now: Time) -> bool {
        while self.until <= now {
            self.bad = !self.bad;
            let holding = self.holding();
            self.until += holding;
        }
        self.bad
    }

    fn holding(&mut self) -> Duration {
        let mean = if self.bad { self.spec.bad } else { self.spec.good };
        exponential(mean.get(), &mut self.rng)
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::{Delay, Span};

    use super::*;
    use crate::{config::Distribution, fate::effect::EffectKind};

    fn link(config: &LinkConfig, direction: &'static str, cuts: Vec<Interval>) -> Link {
        with_effects(config, direction, cuts, vec![])
    }

    fn with_effects(
        config: &LinkConfig,
        direction: &'static str,
        cuts: Vec<Interval>,
        effects: Vec<(EffectKind, Interval)>,
    ) -> Link {
        let effects = effects.into_iter().enumerate().map(|(place, (what, interval))| {
            Effect::new(what, Coins::new(1, &format!("{direction}/{place}"), 0), vec![interval])
        });
        let effects = effects.collect();
        let lane =
            LaneConfig { component: "link/access", direction, index: 0, cuts: cuts.into(), answers: vec![], effects };
        Link::new(config, 1, std::iter::once(lane))
    }

    fn clean(delay: Distribution) -> LinkConfig {
        LinkConfig::of_delay(delay)
    }

    fn constant(ms: u64) -> LinkConfig {
        clean(Distribution::Constant(Span::millis(ms)))
    }

    fn from_to(begin: u64, end: u64) -> Interval {
        Interval { begin: millis(begin), end: millis(end) }
    }

    fn arrives(ms: u64) -> Fate {
        Fate::Arrives(millis(ms))
    }

    /// Sends a packet of 125 bytes, which are a thousand bits.
    fn put(link: &mut Link, ms: u64) -> Fate {
        link.transmit(millis(ms), 0, 125)
    }

    fn millis(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn what_would_arrive_while_a_lane_stores_arrives_at_the_end() {
        let of = |begin, end| Interval { begin: Time::from_secs(begin), end: Time::from_secs(end) };
        let config = LinkConfig::of_delay(Distribution::Constant(Span::secs(2)));
        let mut link = with_effects(&config, "down", vec![], vec![(EffectKind::Store, of(10, 20))]);
        let arrivals = [7, 8, 15, 17, 18].map(|at| link.transmit(Time::from_secs(at), 0, 100));
        assert_eq!(arrivals, [9, 20, 20, 20, 20].map(|at| Fate::Arrives(Time::from_secs(at))));
    }

    #[test]
    fn a_packet_under_way_at_the_cut_is_lost() {
        let mut link = link(&constant(50), "up", vec![from_to(1_000, 2_000)]);
        let fates = [949, 950, 1_500, 1_999, 2_000].map(|ms| put(&mut link, ms));
        assert_eq!(fates, [arrives(999), Fate::Cut, Fate::Cut, Fate::Cut, arrives(2_050)]);
    }

    #[test]
    fn packets_arrive_in_the_order_sent() {
        let jitter = Distribution::Uniform(crate::config::distribution::Uniform {
            min: Span::millis(1),
            max: Span::millis(500),
        });
        let mut link = link(&clean(jitter), "up", vec![]);
        let arrivals: Vec<Fate> = (0..100).map(|ms| put(&mut link, ms)).collect();
        let times = arrivals.iter().map(|fate| if let Fate::Arrives(at) = fate { *at } else { panic!("clean link") });
        assert!(times.collect::<Vec<_>>().is_sorted());
    }

    #[test]
    fn loss_has_its_mean_whatever_the_rate_of_sending() {
        let burst = BurstLoss {
            good: Span::secs(30),
            bad: Span::secs(10),
            loss_good: Fraction::new(0.02).unwrap(),
            loss_bad: Fraction::new(0.6).unwrap(),
        };
        let config = LinkConfig { burst_loss: Some(burst), ..clean(Distribution::Constant(Span::millis(50))) };
        for gap in [Duration::from_millis(700), Duration::from_secs(60)] {
            let mut link = link(&config, "up", vec![]);
            let n = 200_000;
            let lost = (0..n).filter(|k| link.transmit(Time::ZERO + gap * *k, 0, 57) == Fate::Lost).count();
            // (30 * 0.02 + 10 * 0.6) / 40 = 0.165; bursts of 10 s at 0.7 s leave 3.4 standard errors for 0.01.
            assert!((lost as f64 / f64::from(n) - 0.165).abs() < 0.01, "{gap:?}: {lost}");
        }
    }

    #[test]
    fn both_directions_share_the_state_and_not_the_coins() {
        let burst = BurstLoss {
            good: Span::secs(10),
            bad: Span::secs(10),
            loss_good: Fraction::default(),
            loss_bad: Fraction::new(0.5).unwrap(),
        };
        let config = LinkConfig { burst_loss: Some(burst), ..clean(Distribution::Constant(Span::millis(50))) };
        let (mut up, mut down) = (link(&config, "up", vec![]), link(&config, "down", vec![]));
        let (mut both, mut one) = (0, 0);
        for k in 0..20_000 {
            let at = millis(k * 1_000);
            match (up.transmit(at, 0, 57) == Fate::Lost, down.transmit(at, 0, 57) == Fate::Lost) {
                (true, true) => both += 1,
                (false, false) => {}
                _ => one += 1,
            }
        }
        // In a bad period (half the time): both lost in a quarter, one in a half. Independent states would give 1/16.
        assert!((f64::from(both) / 20_000.0 - 0.125).abs() < 0.02, "{both}");
        assert!((f64::from(one) / 20_000.0 - 0.25).abs() < 0.03, "{one}");
    }
    /// Bad periods have the length and the share of the preset, whoever looks how often: seen here at every 10 ms.
    #[test]
    fn bad_periods_have_their_mean_length_and_share() {
        let burst = BurstLoss {
            good: Span::secs(12),
            bad: Span::millis(2_500),
            loss_good: Fraction::ZERO,
            loss_bad: Fraction::new(1.0).unwrap(),
        };
        let config = LinkConfig { burst_loss: Some(burst), ..constant(50) };
        let mut link = link(&config, "up", vec![]);
        let lost: Vec<bool> = (0..20_000_000).map(|k| put(&mut link, k * 10) == Fate::Lost).collect();
        let share = lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64;
        let bursts = lost.windows(2).filter(|pair| pair[0] && !pair[1]).count() as f64;
        let mean = share * 200_000.0 / bursts;
        // About 13,800 bursts: a relative error of 0.9 % for the length and about 1 % for the share.
        assert!((mean / 2.5 - 1.0).abs() < 0.03, "{mean}");
        assert!((share / (2.5 / 14.5) - 1.0).abs() < 0.04, "{share}");
    }

    #[test]
    fn two_senders_meet_the_same_bad_periods() {
        let burst = BurstLoss {
            good: Span::secs(30),
            bad: Span::secs(10),
            loss_good: Fraction::ZERO,
            loss_bad: Fraction::new(1.0).unwrap(),
        };
        let config = LinkConfig { burst_loss: Some(burst), ..constant(50) };
        let (mut busy, mut quiet) = (link(&config, "up", vec![]), link(&config, "up", vec![]));
        let busy: Vec<Fate> = (0..100_000).map(|second| put(&mut busy, second * 1_000)).collect();
        for minute in 0..1_000 {
            assert_eq!(put(&mut quiet, minute * 60_000), busy[minute as usize * 60], "{minute}");
        }
    }

    #[test]
    fn a_lane_keeps_its_base_delay_and_shares_it_with_the_other_direction() {
        let base =
            Distribution::Uniform(crate::config::distribution::Uniform { min: Span::millis(10), max: Span::secs(10) });
        let config = LinkConfig { base_delay: Some(base), ..constant(50) };
        let lanes = |direction| {
            let lane = move |index| LaneConfig {
                component: "link/access",
                direction,
                index,
                cuts: vec![].into(),
                answers: vec![],
                effects: vec![],
            };
            Link::new(&config, 1, (0..50).map(lane))
        };
        let (mut up, mut down) = (lanes("up"), lanes("down"));
        let mut seen = std::collections::BTreeSet::new();
        for lane in 0..50 {
            let Fate::Arrives(first) = up.transmit(millis(0), lane, 57) else { panic!("clean link") };
            assert_eq!(up.transmit(millis(20_000), lane, 57), Fate::Arrives(first + Duration::from_secs(20)));
            assert_eq!(down.transmit(millis(0), lane, 57), Fate::Arrives(first));
            seen.insert(first);
        }
        assert!(seen.len() > 45, "each lane has its own");
    }

    #[test]
    fn a_rate_lets_packets_leave_one_after_the_other_and_drops_what_would_wait_too_long() {
        // 10 kbit/s: a thousand bits take 100 ms. The queue holds what waits for 200 ms.
        let rate = Some(Rate { bits_per_second: 10_000, queue: Delay::millis(200) });
        let mut link = link(&LinkConfig { rate, ..constant(50) }, "up", vec![]);
        let fates = [0, 0, 0, 0, 150, 1_000].map(|ms| put(&mut link, ms));
        // The fourth would wait for 300 ms; the one at 150 ms waits for 150 ms.
        assert_eq!(fates, [arrives(150), arrives(250), arrives(350), Fate::QueueFull, arrives(450), arrives(1_150)]);
    }

    #[test]
    fn the_lowest_of_several_rates_counts_while_it_lasts() {
        let limit = |bits_per_second| Rate { bits_per_second, queue: Delay::millis(1_000) };
        let config = LinkConfig { rate: Some(limit(100_000)), ..constant(50) };
        let effects = vec![
            (EffectKind::Limit(limit(10_000)), from_to(1_000, 2_000)),
            (EffectKind::Limit(limit(1_000_000)), from_to(1_000, 3_000)),
        ];
        let mut link = with_effects(&config, "up", vec![], effects);
        let fates = [0, 1_000, 2_500].map(|ms| put(&mut link, ms));
        assert_eq!(fates, [arrives(60), arrives(1_150), arrives(2_560)]);
    }

    #[test]
    fn a_pause_lets_packets_wait_and_leave_in_order() {
        let mut link = with_effects(&constant(50), "up", vec![], vec![(EffectKind::Pause, from_to(1_000, 1_200))]);
        let fates = [999, 1_000, 1_100, 1_200].map(|ms| put(&mut link, ms));
        assert_eq!(fates, [arrives(1_049), arrives(1_250), arrives(1_250), arrives(1_250)]);
    }

    #[test]
    fn a_late_packet_holds_up_those_behind_it_and_a_held_one_does_not() {
        let late = Distribution::Constant(Span::millis(500));
        let spike = (EffectKind::Delay(late.clone()), from_to(1_000, 1_001));
        let mut link = with_effects(&constant(50), "up", vec![], vec![spike]);
        assert_eq!([1_000, 1_100].map(|ms| put(&mut link, ms)), [arrives(1_550), arrives(1_550)]);

        let held = (EffectKind::HoldBack(Fraction::new(1.0).unwrap(), late), from_to(1_000, 1_001));
        let mut link = with_effects(&constant(50), "up", vec![], vec![held]);
        assert_eq!([1_000, 1_100].map(|ms| put(&mut link, ms)), [arrives(1_550), arrives(1_150)]);
    }

    #[test]
    fn a_copy_arrives_later_unless_the_link_is_cut_before() {
        let copy = || EffectKind::Copy(Fraction::new(1.0).unwrap(), Distribution::Constant(Span::millis(300)));
        let mut link =
            with_effects(&constant(50), "up", vec![from_to(1_250, 1_300)], vec![(copy(), from_to(0, 9_000))]);
        let twice = |first, copy| Fate::ArrivesTwice { first: millis(first), copy: millis(copy) };
        assert_eq!([500, 1_000].map(|ms| put(&mut link, ms)), [twice(550, 850), arrives(1_050)]);
    }

    #[test]
    fn a_loss_burst_loses_its_share_while_it_lasts() {
        let lose = EffectKind::Lose(Fraction::new(0.3).unwrap());
        let mut link = with_effects(&constant(50), "up", vec![], vec![(lose, from_to(10_000, 110_000))]);
        let lost: Vec<u64> = (0..120_000).filter(|ms| put(&mut link, *ms) == Fate::Lost).collect();
        assert!(lost.iter().all(|ms| (10_000..110_000).contains(ms)));
        assert!((lost.len() as f64 / 100_000.0 - 0.3).abs() < 0.007, "{}", lost.len());
    }
}
