//! One direction of a link: decides for each packet when it arrives, or that it does not. Sans-IO and without memory of
//! policies: the state of the link is a function of seed and time. Only the order of arrival depends on what was sent.

use std::rc::Rc;

use cardiogram_policies::Time;
use rand_chacha::ChaCha8Rng;

use crate::{
    config::{BurstLoss, LinkConfig},
    random::{self, Coins, Purpose},
    schedule::{Interval, exponential},
    trace::Fate,
};

/// One direction of a link, with a lane for each sender or receiver that has its own order and its own luck.
pub(crate) struct Link {
    config: LinkConfig,
    lanes: Vec<Lane>,
}

struct Lane {
    coins: Coins,
    cuts: Rc<[Interval]>,
    /// Cuts before this one are over.
    cut: usize,
    /// Boxed: most links have none, and there are two lanes a device.
    burst: Option<Box<BurstChain>>,
    last_arrival: Time,
}

/// What makes a lane.
pub(crate) struct LaneConfig {
    /// Names the stream of the burst model: the same for both directions, which share the state.
    pub(crate) component: &'static str,
    /// Names the coins: differs between the directions.
    pub(crate) direction: &'static str,
    pub(crate) index: u64,
    /// When this direction of the lane is cut.
    pub(crate) cuts: Rc<[Interval]>,
}

impl Link {
    pub(crate) fn new(config: &LinkConfig, seed: u64, lanes: impl Iterator<Item = LaneConfig>) -> Self {
        let lanes = lanes
            .map(|lane| Lane {
                coins: Coins::new(seed, lane.direction, lane.index),
                burst: burst(config, seed, &lane),
                cuts: lane.cuts,
                cut: 0,
                last_arrival: Time::ZERO,
            })
            .collect();
        Self { config: config.clone(), lanes }
    }

    /// What becomes of a packet put on `lane` at `now`. Times must not run backwards within a lane.
    pub(crate) fn transmit(&mut self, now: Time, lane: u32) -> Fate {
        let lane = &mut self.lanes[lane as usize];
        let delay = self.config.delay.at(lane.coins.unit(Purpose::Delay, now));
        let arrival = (now + delay).max(lane.last_arrival);
        // What is under way when the link is cut is lost, and so is what arrives at that very moment.
        while lane.cuts.get(lane.cut).is_some_and(|cut| cut.end <= now) {
            lane.cut += 1;
        }
        if lane.cuts.get(lane.cut).is_some_and(|cut| cut.begin <= arrival) {
            return Fate::Cut;
        }
        let by_burst = lane.burst.as_mut().is_some_and(|burst| {
            let loss = if burst.is_bad(now) { burst.spec.loss_bad } else { burst.spec.loss_good };
            lane.coins.unit(Purpose::BurstLoss, now) < loss.get()
        });
        if by_burst || lane.coins.unit(Purpose::PacketLoss, now) < self.config.packet_loss.get() {
            return Fate::Lost;
        }
        lane.last_arrival = arrival;
        Fate::Arrives(arrival)
    }
}

fn burst(config: &LinkConfig, seed: u64, lane: &LaneConfig) -> Option<Box<BurstChain>> {
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

    /// The state at `now`; times must not run backwards.
    fn is_bad(&mut self, now: Time) -> bool {
        while self.until <= now {
            self.bad = !self.bad;
            let holding = self.holding();
            self.until += holding;
        }
        self.bad
    }

    fn holding(&mut self) -> std::time::Duration {
        let mean = if self.bad { self.spec.bad } else { self.spec.good };
        exponential(mean.get(), &mut self.rng)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cardiogram_policies::unit::{Fraction, Span};

    use super::*;
    use crate::config::Distribution;

    fn link(config: &LinkConfig, direction: &'static str, cuts: Vec<Interval>) -> Link {
        let lane = LaneConfig { component: "link/access", direction, index: 0, cuts: cuts.into() };
        Link::new(config, 1, std::iter::once(lane))
    }

    fn clean(delay: Distribution) -> LinkConfig {
        LinkConfig { delay, burst_loss: None, packet_loss: Fraction::default() }
    }

    fn millis(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn a_packet_under_way_at_the_cut_is_lost() {
        let cut = Interval { begin: millis(1_000), end: millis(2_000) };
        let mut link = link(&clean(Distribution::Constant(Span::millis(50))), "up", vec![cut]);
        let fates = [949, 950, 1_500, 1_999, 2_000].map(|ms| link.transmit(millis(ms), 0));
        let arrives = |ms| Fate::Arrives(millis(ms));
        assert_eq!(fates, [arrives(999), Fate::Cut, Fate::Cut, Fate::Cut, arrives(2_050)]);
    }

    #[test]
    fn packets_arrive_in_the_order_sent() {
        let jitter =
            Distribution::Uniform(crate::distribution::Uniform { min: Span::millis(1), max: Span::millis(500) });
        let mut link = link(&clean(jitter), "up", vec![]);
        let arrivals: Vec<Fate> = (0..100).map(|ms| link.transmit(millis(ms), 0)).collect();
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
            let lost = (0..n).filter(|k| link.transmit(Time::ZERO + gap * *k, 0) == Fate::Lost).count();
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
            match (up.transmit(at, 0) == Fate::Lost, down.transmit(at, 0) == Fate::Lost) {
                (true, true) => both += 1,
                (false, false) => {}
                _ => one += 1,
            }
        }
        // In a bad period (half the time): both lost in a quarter, one in a half. Independent states would give 1/16.
        assert!((f64::from(both) / 20_000.0 - 0.125).abs() < 0.02, "{both}");
        assert!((f64::from(one) / 20_000.0 - 0.25).abs() < 0.03, "{one}");
    }
}
