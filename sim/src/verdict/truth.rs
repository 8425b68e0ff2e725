//! The truth: when a device really had a usable session, found from the facts that the nodes record and from
//! the fault schedule. No policy sees any of it. It is found while the run goes on: what is settled is judged and forgotten, so that
//! memory does not grow with the length of a run.
//!
//! A session is usable at t when an exchange begun at t could complete: the path is up both ways, the mapping of every
//! NAT is the one the server knows (or comes back on the same port), the server's process is up and not stalled, and both ends
//! hold the connection; where a proxy stands between them, it holds both halves as well. Chance losses are not breaks.
//!
//! An episode begins when a usable session stops being usable, and ends when the device has a usable session again. A
//! usable session that the device leaves is a false alarm. A session that it leaves on purpose, since there is nothing more
//! to do, is neither, and if something was broken, nobody has noticed. The device is **away** from then on until something waits for
//! it: a message of its own, or one for it. Time away is missed by nobody, and no part of its downtime. Where nothing is ever sent, a
//! session is all that is asked for, and nobody is away.

mod change;
mod judge;
mod planned;
mod surroundings;

use std::{cell::OnceCell, collections::BTreeMap, rc::Rc, time::Duration};

use cardiogram_policies::Time;

use self::{change::Change, judge::Judge, planned::Planned};
use crate::{
    config::{NatClass, WorldConfig},
    fate::{Schedule, nat::MappingRules, traffic::Demand},
    record::{
        recorder::Hears,
        trace::{AwayFact, Clue, Fact, Usable},
    },
    verdict::{
        downtime::Downtime,
        outcome::{Accuracy, Episode, FalseAlarm},
        path::{Paths, Step},
        peak::Sessions,
        strikes::{self, Strike, Strikes},
    },
    wire::layout::NodeId,
};

/// What the truth has to say about a run. Lists are by device, then by time.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) episodes: Vec<Episode>,
    pub(crate) false_alarms: Vec<FalseAlarm>,
    pub(crate) accuracy: Accuracy,
    pub(crate) usable_time: Duration,
    pub(crate) downtime: Downtime,
    /// In which devices were away.
    pub(crate) away_time: Duration,
    pub(crate) zombie_time: Duration,
    /// The times at which a device's session turned usable, or stopped being so.
    pub(crate) turns: Vec<(u32, Time, bool)>,
    /// The times at which a device's new connections turned impossible, or possible again.
    pub(crate) kept_out: Vec<(u32, Time, bool)>,
    /// The most sessions that all servers together held at once.
    pub(crate) sessions_peak: u64,
}

/// What a verdict tells besides what every run is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turns {
    /// Nothing.
    Dropped,
    /// [When sessions were usable](Verdict::turns), and [newcomers kept out](Verdict::kept_out).
    Kept,
}

/// Judges a run while it goes on, from what its nodes record.
pub(crate) struct Truth {
    config: WorldConfig,
    seed: u64,
    world: World,
    turns: Turns,
    /// What has been heard, and is not judged yet.
    heard: Vec<(Time, NodeId, Clue)>,
    /// How much of that makes it judge, and how much does at first.
    heard_max: usize,
    heard_first: usize,
    paths: Paths,
    sessions: Sessions,
    /// What is asked of devices, by device; of those that were away.
    demands: BTreeMap<u32, Option<Demand>>,
    /// By device; those of whom something is judged.
    judges: Vec<Option<Box<Judged>>>,
    verdict: Verdict,
}

/// What was there before the run.
struct World {
    schedule: Rc<Schedule>,
    classes: Rc<Classes>,
    planned: Planned,
    common_strikes: Vec<Strike>,
}

/// A device of whom everything before a moment is judged.
struct Judged {
    until: Time,
    judge: Judge,
}

impl Truth {
    /// The truth about a run in a world of which `schedule` is drawn. It judges in portions of some MiB, and of some facts a
    /// device: of a crowd of which little happens everything is judged at the end, one device after the other, without keeping a
    /// judge for each.
    pub(crate) fn new(config: &WorldConfig, seed: u64, schedule: Rc<Schedule>, turns: Turns) -> Self {
        Self::in_portions(config, seed, schedule, turns, (1 << 13).max(8 * config.devices.count as usize))
    }

    /// The same, which judges whenever it has heard so many facts.
    pub(crate) fn in_portions(
        config: &WorldConfig,
        seed: u64,
        schedule: Rc<Schedule>,
        turns: Turns,
        facts: usize,
    ) -> Self {
        let paths = Paths::new(schedule.networks.iter().map(|network| network.subscribers().collect()).collect());
        Self {
            world: World {
                classes: Rc::new(classes(&schedule)),
                planned: Planned::new(&schedule),
                common_strikes: strikes::common(&schedule),
                schedule,
            },
            config: config.clone(),
            seed,
            turns,
            heard: Vec::new(),
            heard_max: facts,
            heard_first: facts,
            paths,
            sessions: Sessions::default(),
            demands: BTreeMap::new(),
            judges: (0..config.devices.count).map(|_| None).collect(),
            verdict: Verdict::default(),
        }
    }

    /// Returns the verdict on the run, which is over.
    pub(crate) fn verdict(mut self) -> Verdict {
        let end = Time::ZERO + self.config.duration;
        let changes = self.settle(end);
        let mut rest = &changes[..];
        for (device, judged) in (0..).zip(std::mem::take(&mut self.judges)) {
            let (of_device, others) = rest.split_at(rest.iter().take_while(|change| change.0 == device).count());
            rest = others;
            let judged = self.go_on(device, judged, of_device, end);
            judged.judge.end(end, &mut self.verdict);
        }
        let mut verdict = self.verdict;
        verdict.sessions_peak = self.sessions.peak();
        verdict.episodes.sort_unstable_by_key(|episode| (episode.device, episode.begin));
        verdict.false_alarms.sort_unstable_by_key(|alarm| (alarm.device, alarm.at));
        verdict.accuracy.mistakes.sort_unstable_by_key(|mistake| (mistake.device, mistake.begin, mistake.end));
        verdict.turns.sort_unstable();
        verdict.kept_out.sort_unstable();
        verdict
    }

    /// Judges everything before `until`, before which everything is heard.
    fn judge_before(&mut self, until: Time) {
        let changes = self.settle(until);
        for of_device in changes.chunk_by(|a, b| a.0 == b.0) {
            let device = of_device[0].0;
            let judged = self.judges[device as usize].take();
            self.judges[device as usize] = Some(self.go_on(device, judged, of_device, until));
        }
        // Where all of it is of one moment it has to grow.
        self.heard_max = self.heard_first.max(2 * self.heard.len());
    }

    /// Takes what has been heard of the time before `until`, by device, then by time.
    fn settle(&mut self, until: Time) -> Vec<(u32, Time, Change)> {
        // Stable: what a node tells of a moment stays in its order.
        self.heard.sort_by_key(|(at, node, _)| (*at, *node));
        let settled = self.heard.partition_point(|(at, ..)| *at < until);
        let (mut changes, mut steps) = (Vec::new(), Vec::new());
        for (at, _, clue) in self.heard.drain(..settled) {
            match clue {
                Clue::Fact(fact @ (Fact::Device { .. } | Fact::Proxy { .. } | Fact::Server { .. })) => {
                    if let Some((device, change)) = Change::of(fact) {
                        self.sessions.hear(at, change.sessions());
                        changes.push((device, at, change));
                    }
                }
                Clue::Away(AwayFact { device, next_push }) => {
                    let drawn = || Demand::new(&self.config, self.seed, device);
                    // Where nothing is ever sent, a session is all that is asked for: nobody is away.
                    if let Some(demand) = self.demands.entry(device).or_insert_with(drawn) {
                        changes.push((device, at, Change::Away { until: demand.after(at, next_push) }));
                    }
                }
                Clue::Fact(Fact::Nat { .. } | Fact::OuterNat { .. }) | Clue::Port(_) => {
                    self.paths.hear(at, clue, &mut steps);
                }
            }
        }
        let steps = steps.into_iter();
        changes
            .extend(steps.map(|Step { device, at, mapping, happens }| (device, at, Change::Nat { mapping, happens })));
        // Stable: at one moment what NATs do comes after what devices and servers do.
        changes.sort_by_key(|(device, at, _)| (*device, *at));
        changes
    }

    /// Judges a device up to `until`; `changes` are those that were recorded of it since it was judged last.
    fn go_on(
        &mut self,
        device: u32,
        judged: Option<Box<Judged>>,
        changes: &[(u32, Time, Change)],
        until: Time,
    ) -> Box<Judged> {
        let World { schedule, classes, planned, common_strikes } = &self.world;
        let nothing =
            || Judged { until: Time::ZERO, judge: Judge::new(device, self.config.server.count, classes.clone()) };
        let mut judged = judged.unwrap_or_else(|| Box::new(nothing()));
        let mut all: Vec<(Time, Change)> = changes.iter().map(|(_, at, change)| (*at, *change)).collect();
        planned.add(schedule, device, judged.until, until, &mut all);
        // Stable: what is planned comes last.
        all.sort_by_key(|(at, _)| *at);
        let strikes = OnceCell::new();
        let number = |cause, place, at| {
            let of_device = || Strikes::of_device(common_strikes, schedule, device as usize);
            strikes.get_or_init(of_device).number(cause, place, at)
        };
        judged.judge.judge(&all, &number, &mut self.verdict);
        judged.until = until;
        if self.turns == Turns::Dropped {
            self.verdict.turns.clear();
            self.verdict.kept_out.clear();
        }
        judged
    }
}

impl Hears for Truth {
    fn hear(&mut self, at: Time, node: NodeId, clue: Clue) {
        self.heard.push((at, node, clue));
        if self.heard.len() >= self.heard_max {
            // No host runs ahead of another by more than the lookahead.
            self.judge_before(at - self.config.lookahead().min(at.since(Time::ZERO)));
        }
    }
}

/// Returns the times in which sessions were usable, from the [turns](Verdict::turns) of a run that ends at `end`.
pub(crate) fn spans(turns: &[(u32, Time, bool)], end: Time) -> Vec<Usable> {
    let mut spans: Vec<Usable> = Vec::new();
    for &(device, at, usable) in turns {
        match spans.last_mut() {
            Some(last) if !usable => last.end = at,
            _ => spans.push(Usable { device, begin: at, end }),
        }
    }
    spans
}

/// How the NATs of each network, by their places, treat what they have forgotten, by their subscribers.
type Classes = Vec<Vec<Vec<NatClass>>>;

fn classes(schedule: &Schedule) -> Classes {
    let of_nat = |mapping_rules: &Rc<[MappingRules]>| mapping_rules.iter().map(|rules| rules.class).collect();
    schedule.networks.iter().map(|network| network.mapping_rules.iter().map(of_nat).collect()).collect()
}
