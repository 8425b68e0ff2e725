//! Messages of the application: when each is created is a function of seed, direction and device, so that every strategy
//! has the same to say and to hear.

use std::time::Duration;

use cardiogram_policies::Time;
use rand_chacha::ChaCha8Rng;

use crate::{
    config::{
        Arrivals, Bursts, Daily, Periodic, TrafficConfig, TrafficDirection, TrafficTrace, Undelivered, WorldConfig,
    },
    fate::{random, schedule::exponential},
};

/// The messages of one device in one direction, in order of creation, numbered from 0.
pub(crate) struct Messages {
    moments: Moments,
    next: Message,
}

/// A message of the application, before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u32,
    pub(crate) created: Time,
    /// The length of its frame; 0: the usual one.
    pub(crate) bytes: u16,
}

impl Messages {
    /// What a device has to say, from its start on; `None`: nothing.
    pub(crate) fn up(seed: u64, device: u32, start: Time, traffic: &TrafficConfig) -> Option<Self> {
        let source = Source::of(traffic.up, traffic, TrafficDirection::Up)?;
        Some(Self::new(random::stream(seed, "traffic/up", u64::from(device)), start, source))
    }

    /// What there is for a device to hear, from its start on; `None`: nothing.
    pub(crate) fn down(seed: u64, device: u32, start: Time, traffic: &TrafficConfig) -> Option<Self> {
        let source = Source::of(traffic.down, traffic, TrafficDirection::Down)?;
        Some(Self::new(random::stream(seed, "traffic/down", u64::from(device)), start, source))
    }

    fn new(rng: ChaCha8Rng, start: Time, source: Source) -> Self {
        let mut moments = Moments { source, rng, base: start, count: 0 };
        let (created, bytes) = moments.next();
        Self { moments, next: Message { id: 0, created, bytes } }
    }

    /// Returns the next message.
    pub(crate) const fn peek(&self) -> Message {
        self.next
    }

    /// Takes the next message if it has been created by `now`.
    pub(crate) fn take(&mut self, now: Time) -> Option<Message> {
        (self.next.created <= now).then(|| {
            let (created, bytes) = self.moments.next();
            let id = self.next.id + 1;
            std::mem::replace(&mut self.next, Message { id, created, bytes })
        })
    }
}

/// What is asked of a device, whichever way: when something waits that it has to be online for.
pub(crate) struct Demand {
    up: Option<Messages>,
    down: Option<Messages>,
    /// The server forgets what it cannot deliver at once.
    forgets: bool,
}

impl Demand {
    /// `None`: nothing is ever sent, so that a session is all that is asked for.
    pub(crate) fn new(config: &WorldConfig, seed: u64, device: u32) -> Option<Self> {
        let start = start(seed, device, config.devices.start_within.get());
        let [up, down] = [Messages::up, Messages::down].map(|of| of(seed, device, start, &config.traffic));
        let forgets = config.server.undelivered == Undelivered::Lost;
        (up.is_some() || down.is_some()).then_some(Self { up, down, forgets })
    }

    /// Returns since or from when something waits for a device that at `now` has nothing to say that was not answered, and has got
    /// every message before number `next_push`. `now` never runs backwards.
    pub(crate) fn after(&mut self, now: Time, next_push: u32) -> Time {
        let up = self.up.as_mut().map(|up| {
            while up.take(now).is_some() {}
            up.peek().created
        });
        let down = self.down.as_mut().map(|down| {
            while (self.forgets || down.peek().id < next_push) && down.take(now).is_some() {}
            down.peek().created
        });
        up.into_iter().chain(down).min().unwrap_or(Time::MAX)
    }
}

/// Where moments come from.
enum Source {
    Drawn(Arrivals),
    /// The rows of one direction.
    Trace(TrafficTrace, TrafficDirection),
}

impl Source {
    fn of(arrivals: Option<Arrivals>, traffic: &TrafficConfig, direction: TrafficDirection) -> Option<Self> {
        let of_trace = || Some(Self::Trace(traffic.trace.clone()?, direction));
        arrivals.map(Self::Drawn).or_else(of_trace)
    }
}

/// The moments at which messages are created; they never run backwards.
struct Moments {
    source: Source,
    rng: ChaCha8Rng,
    /// The moment from which the next one is counted; of a trace, the device's start.
    base: Time,
    /// How many there have been; of a trace, how many rows.
    count: u64,
}

impl Moments {
    /// Returns the next moment, and the length of the message if it is no usual one. After the last row there is none.
    fn next(&mut self) -> (Time, u16) {
        match &self.source {
            Source::Drawn(arrivals) => (self.drawn(*arrivals), 0),
            Source::Trace(trace, direction) => {
                let rest = trace.rows().iter().enumerate().skip(self.count as usize);
                let mut of_direction = rest.filter(|(_, row)| row.direction == *direction);
                let Some((place, row)) = of_direction.next() else { return (Time::MAX, 0) };
                self.count = place as u64 + 1;
                (self.base + row.at, row.bytes)
            }
        }
    }

    fn drawn(&mut self, arrivals: Arrivals) -> Time {
        let place = self.count;
        self.count += 1;
        match arrivals {
            Arrivals::Poisson(mean) => self.base += exponential(mean.get(), &mut self.rng),
            Arrivals::Periodic(Periodic { every, jitter }) => {
                self.base += every.get();
                let late = jitter.get().as_micros() as f64 * random::draw(&mut self.rng);
                return self.base + Duration::from_micros(late as u64);
            }
            Arrivals::Bursts(Bursts { every, count, gap }) => {
                let is_first = place.is_multiple_of(u64::from(count));
                self.base += if is_first { exponential(every.get(), &mut self.rng) } else { gap.get() };
            }
            Arrivals::Daily(daily) => self.base = by_day(daily, self.base, &mut self.rng),
        }
        self.base
    }
}

/// Returns the next moment after `then` of a Poisson process that has one rate by day and another one by night: it has no memory, so
/// that it begins anew where one turns to the other.
fn by_day(Daily { day, night, from, to }: Daily, mut then: Time, rng: &mut ChaCha8Rng) -> Time {
    loop {
        let passed = then.as_micros() % Daily::LENGTH.as_micros() as u64;
        let midnight = then - Duration::from_micros(passed);
        let (from, to) = (midnight + from.get(), midnight + to.get());
        let (mean, until) = match then {
            _ if then < from => (night, from),
            _ if then < to => (Some(day), to),
            // In the morning it is day again.
            _ => (night, midnight + Daily::LENGTH),
        };
        let next = mean.map(|mean| then + exponential(mean.get(), rng));
        match next.filter(|next| *next < until) {
            Some(next) => return next,
            None => then = until,
        }
    }
}

/// Returns when a device starts: at a random moment within `within`.
pub(crate) fn start(seed: u64, device: u32, within: Duration) -> Time {
    let u = random::draw(&mut random::stream(seed, "device/start", u64::from(device)));
    Time::from_micros((within.as_micros() as f64 * u) as u64)
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::{Delay, Span};

    use super::*;

    fn moments(arrivals: Arrivals, until: Time) -> Vec<Time> {
        let traffic = TrafficConfig { up: Some(arrivals), ..TrafficConfig::default() };
        let mut messages = Messages::up(1, 0, Time::from_secs(7), &traffic).expect("it has something to say");
        std::iter::from_fn(|| messages.take(until)).map(|message| message.created).collect()
    }

    #[test]
    fn fixed_periods_are_counted_from_the_start_and_jitter_does_not_add_up() {
        let arrivals = |jitter| Arrivals::Periodic(Periodic { every: Span::secs(360), jitter });
        let exact: Vec<Time> = (1..=10).map(|place| Time::from_secs(7 + 360 * place)).collect();
        assert_eq!(moments(arrivals(Delay::ZERO), Time::from_secs(3_607)), exact);
        let late = moments(arrivals(Delay::millis(10_000)), Time::from_secs(3_617));
        assert_eq!(late.len(), 10);
        let by: Vec<Duration> = late.iter().zip(&exact).map(|(late, exact)| late.since(*exact)).collect();
        assert!(by.iter().all(|by| *by < Duration::from_secs(10)) && by[0] != by[1], "{by:?}");
    }

    #[test]
    fn a_burst_is_so_many_messages_so_far_apart() {
        let bursts = Bursts { every: Span::secs(600), count: 4, gap: Span::millis(250) };
        let all = moments(Arrivals::Bursts(bursts), Time::from_secs(600_000));
        let bursts = all.len() / 4;
        // About a thousand bursts of 0.75 s.
        assert!((900..1_100).contains(&bursts), "{bursts}");
        let gap = Duration::from_millis(250);
        assert!(all.chunks_exact(4).all(|burst| burst.windows(2).all(|pair| pair[1].since(pair[0]) == gap)));
    }

    #[test]
    fn there_is_more_by_day_than_by_night() {
        let daily = |night| Daily {
            day: Span::secs(60),
            night,
            from: Delay::millis(8 * 3_600_000),
            to: Delay::millis(20 * 3_600_000),
        };
        let is_day = |at: &Time| (8..20).contains(&(at.as_micros() / 3_600_000_000 % 24));
        let days = Time::from_secs(10 * 86_400);
        let quiet = moments(Arrivals::Daily(daily(None)), days);
        // Ten days of 720 minutes.
        assert!(quiet.iter().all(is_day) && (6_900..7_500).contains(&quiet.len()), "{}", quiet.len());
        let both = moments(Arrivals::Daily(daily(Some(Span::secs(3_600)))), days);
        let by_night = both.iter().filter(|at| !is_day(at)).count();
        // Ten nights of twelve hours.
        assert!((90..150).contains(&by_night), "{by_night}");
        assert!(both.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_trace_is_played_once_from_the_start_on_each_way_for_itself() {
        let trace = TrafficTrace::parse("time_s,direction,bytes\n1,up,100\n1.5,down,200\n1.5,up,300\n").unwrap();
        let traffic = TrafficConfig { trace: Some(trace), ..TrafficConfig::default() };
        let start = Time::from_secs(10);
        let all = |mut messages: Messages| -> Vec<(u32, u64, u16)> {
            let taken = std::iter::from_fn(|| messages.take(Time::from_secs(1_000)));
            taken.map(|message| (message.id, message.created.as_micros(), message.bytes)).collect()
        };
        assert_eq!(all(Messages::up(1, 0, start, &traffic).unwrap()), [(0, 11_000_000, 100), (1, 11_500_000, 300)]);
        assert_eq!(all(Messages::down(1, 0, start, &traffic).unwrap()), [(0, 11_500_000, 200)]);
        assert!(Messages::up(1, 0, start, &TrafficConfig::default()).is_none());
    }
}
