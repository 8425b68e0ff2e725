//! What a composition guarantees. Each judge promises by itself; of several that promise detection the fastest holds, and no
//! false alarm is promised where none of them can raise one.

use std::time::Duration;

use super::{
    super::{
        Anchor, AnsweredBy, Feed, LateReply, Look, Reply, ScheduleSpec, Silence, Unanswered, judge::Judges,
        spec::per_hour,
    },
    Composed, WhenDead,
};
use crate::{Bounds, Promises, unit::Span};

impl Composed {
    /// Returns what the heartbeat guarantees within `bounds`.
    pub fn promises(&self, bounds: &Bounds) -> Promises {
        let Judges { reply, silence, looks, unanswered, freshness } = &self.judge;
        let cases = Cases { parts: self, bounds, gaps: self.gaps() };
        // A detector's patience is what it has learnt, which has no bound on a path that was ill before.
        let detects = [
            reply.as_ref().and_then(|judge| cases.reply_detects(judge)),
            silence.as_ref().and_then(|judge| cases.silence_detects(judge)),
            looks.as_ref().and_then(|judge| cases.silence_detects(&fed_by_anything(judge.longest()))),
            unanswered.as_ref().and_then(|judge| cases.unanswered_detects(judge)),
        ];
        let is_patient = [
            reply.as_ref().is_none_or(|judge| cases.reply_is_patient(judge)),
            silence.as_ref().is_none_or(|judge| cases.silence_is_patient(judge)),
            looks.as_ref().is_none_or(|judge| cases.silence_is_patient(&fed_by_anything(judge.shortest()))),
            self.user_timeout.is_none_or(|timeout| bounds.loss_free && bounds.rtt_max < timeout.get()),
            unanswered.as_ref().is_none_or(|judge| cases.unanswered_is_patient(judge)),
            // A host that sends its beats late hears of them late.
            freshness
                .as_ref()
                .is_none_or(|judge| bounds.loss_free && bounds.steady_host && judge.covers(bounds.rtt_max)),
            self.keepalive.as_ref().is_none_or(|keepalive| keepalive.promises(bounds).no_false_alarm),
        ];
        // One that is left on purpose before it was found dead was never found dead; and a race puts the end off.
        let is_final = self.leave.is_none() && self.when_dead != WhenDead::Race;
        let closing = self.close_timeout.map_or(Duration::ZERO, Span::get);
        Promises {
            detects_within: detects.into_iter().flatten().min().filter(|_| is_final).map(|within| within + closing),
            heartbeats_per_hour: self.heartbeats_per_hour(),
            no_false_alarm: is_patient.into_iter().all(|is_patient| is_patient),
            ..Promises::default()
        }
    }

    fn heartbeats_per_hour(&self) -> Option<u32> {
        match self.gaps() {
            Gaps::None => Some(0),
            Gaps::Unknown => None,
            // A beat out of turn, and a connection on its second patience, shift beats against each other.
            Gaps::Known { .. } if !self.beat_on.is_empty() || self.when_dead == WhenDead::Race => None,
            Gaps::Known { shortest, .. } => Some(per_hour(shortest)),
        }
    }

    /// Returns the shortest and the longest gap between beats of an application that is silent.
    pub(super) fn gaps(&self) -> Gaps {
        let Some(own) = self.schedule.interval() else { return Gaps::None };
        if self.pace.directed {
            return Gaps::Unknown;
        }
        let searched = self.search.iter().flat_map(|search| [search.min.get(), search.max.get()]);
        let all = || self.pace.intervals().chain(searched.clone()).chain([own]);
        let (shortest, longest) = (all().min().unwrap_or(own), all().max().unwrap_or(own));
        let shortest = match &self.schedule {
            // Every interval is drawn from a range of the same shape.
            ScheduleSpec::Grid(grid) => grid.shortest.map_or(shortest, |least| {
                Duration::from_micros((shortest.as_micros() * least.get().as_micros() / own.as_micros()) as u64)
            }),
            _ => shortest,
        };
        // A point of the grid is left out where something was sent just after the one before.
        let skips = matches!(&self.schedule, ScheduleSpec::Grid(grid) if grid.unless_sent);
        let longest = if skips { longest * 2 } else { longest };
        // After too many pings there are fewer, without a limit.
        let longest = (!self.pace.doubles).then_some(longest);
        Gaps::Known { shortest, longest }
    }
}

/// The gaps between a composition's beats.
#[derive(Clone, Copy)]
pub(super) enum Gaps {
    /// There are no beats.
    None,
    /// The server decides.
    Unknown,
    /// Within these; `None` if there is no longest.
    Known { shortest: Duration, longest: Option<Duration> },
}

struct Cases<'a> {
    parts: &'a Composed,
    bounds: &'a Bounds,
    gaps: Gaps,
}

impl Cases<'_> {
    /// Returns the longest gap between beats that are certain to come; `None` if no beat is certain.
    fn longest_gap(&self) -> Option<Duration> {
        let Gaps::Known { longest, .. } = self.gaps else { return None };
        let is_blocked = self.parts.most_without_data.is_some();
        let waits = matches!(&self.parts.schedule, ScheduleSpec::Idle(idle) if idle.anchor == Anchor::TxOnceHeard);
        longest.filter(|_| !is_blocked && !waits)
    }

    fn shortest_gap(&self) -> Duration {
        if let Gaps::Known { shortest, .. } = self.gaps { shortest } else { Duration::ZERO }
    }

    /// Nothing travels but this side's beats and their answers.
    fn only_beats(&self) -> bool {
        self.bounds.silent_app && self.bounds.server_pings.is_none()
    }

    /// Returns whether a reply takes no longer than a round trip. Behind a NAT that forgets between two beats and loses
    /// what the server sends then, replies wait for its repetition, which may come long after a break.
    fn replies_are_prompt(&self, gap: Duration) -> bool {
        self.bounds.loss_free || self.bounds.nat_timeout.is_none_or(|timeout| timeout > gap + self.bounds.rtt_max)
    }

    fn reply_detects(&self, judge: &Reply) -> Option<Duration> {
        let (timeout, rtt) = (judge.timeout.longest().get(), self.bounds.rtt_max);
        // A beat that is judged late puts off the next one.
        let gap = self.longest_gap()?.max(if judge.misses > 1 { timeout } else { Duration::ZERO });
        let is_own_clock = match &self.parts.schedule {
            ScheduleSpec::Grid(_) => true,
            ScheduleSpec::Idle(idle) => idle.anchor == Anchor::Reply,
            ScheduleSpec::PeerSends | ScheduleSpec::Checks(_) => false,
        };
        if is_own_clock && judge.evidence == AnsweredBy::Reply {
            let is_grid = matches!(self.parts.schedule, ScheduleSpec::Grid(_));
            // The first beat that cannot be answered leaves at most one gap after the break, on the old grid or as the
            // connection's first; the last of `misses` follows `misses - 1` gaps later and is judged a timeout after that.
            // A reply that was under way at the break still arrives within a round trip and, where late ones count, sets
            // the count back.
            let counts = judge.late_reply == LateReply::Counts;
            let last_judgement = if counts { timeout.max(rtt) } else { timeout };
            // Where beats follow replies, one under way at the break puts the next one off.
            let put_off = if is_grid { Duration::ZERO } else { rtt };
            if !self.replies_are_prompt(gap) && (!is_grid || counts && judge.misses > 1) {
                return None;
            }
            return Some(put_off + gap * judge.misses + last_judgement);
        }
        // While the application is silent, the last packet to arrive answers a beat sent before the break, so it arrives
        // within a round trip of the break; beats follow it at one gap each, whichever clock runs, and the last of them is
        // judged a timeout after. An application that talks can hold off any of it: sending into a dead path postpones the
        // beats of `tx` and `either`, and what still arrives over a path cut one way clears the misses.
        self.only_beats().then(|| rtt + gap * judge.misses + timeout)
    }

    fn reply_is_patient(&self, judge: &Reply) -> bool {
        // Every beat is answered, late ones before the last of `misses` is judged. A NAT that forgets does not matter here:
        // that is a real break.
        let timeout = judge.timeout.shortest();
        let one_after_the_other = self.shortest_gap() * judge.misses.saturating_sub(1) + timeout;
        let patience = match (judge.evidence, judge.late_reply) {
            (AnsweredBy::Reply, LateReply::Ignored) => timeout,
            _ => one_after_the_other,
        };
        self.bounds.loss_free && self.bounds.rtt_max <= patience
    }

    fn silence_detects(&self, judge: &Silence) -> Option<Duration> {
        // Where there are looks, the one that finds it comes up to a time between two of them later.
        let looks = judge.look.as_ref().map_or(Duration::ZERO, Look::apart);
        let (limit, rtt) = (judge.limit.get() + looks, self.bounds.rtt_max);
        if judge.while_awaiting {
            let gap = self.longest_gap().filter(|_| self.only_beats())?;
            return Some(rtt + gap + limit);
        }
        match (judge.fed_by, self.bounds.server_pings) {
            // What feeds it has left before the break, or answers what did.
            (Feed::Replies, _) | (Feed::Pings, None) => {
                let is_prompt = self.longest_gap().is_none_or(|gap| self.replies_are_prompt(gap));
                is_prompt.then_some(rtt + limit)
            }
            // A path that is cut towards the server alone goes on feeding it, as long as there are messages.
            (Feed::Any, None) | (Feed::Messages, _) => self.bounds.silent_app.then_some(rtt + limit),
            // Cut towards the server alone, the server goes on pinging until it misses an answer. Its goodbye may wait behind
            // a ping that nobody acknowledges, so that the watchdog has to find out from the last ping on.
            (Feed::Any | Feed::Pings, Some(pings)) => {
                let timeout = pings.timeout.filter(|_| judge.fed_by == Feed::Pings || self.bounds.silent_app)?;
                Some(rtt + pings.interval + timeout + limit)
            }
        }
    }

    fn silence_is_patient(&self, judge: &Silence) -> bool {
        let (limit, rtt) = (judge.limit.get(), self.bounds.rtt_max);
        let by_pings = self.bounds.server_pings.map(|pings| pings.interval + rtt);
        // Nor are those of a host that runs its timers late.
        let is_punctual = self.parts.answered && self.bounds.steady_host;
        let by_replies = self.longest_gap().filter(|_| is_punctual).map(|gap| gap + rtt);
        // Beats that other traffic puts off are not certain to come; where only what is received does so, it feeds as well.
        let by_replies = by_replies.filter(|_| match &self.parts.schedule {
            ScheduleSpec::Idle(idle) => match idle.anchor {
                Anchor::Reply => true,
                Anchor::Rx | Anchor::Each if judge.fed_by == Feed::Any => true,
                _ => self.only_beats(),
            },
            // Idleness that what is sent does not let be found is not ended by a beat in time.
            ScheduleSpec::Checks(_) => self.only_beats(),
            ScheduleSpec::Grid(grid) if grid.unless_sent => self.only_beats(),
            _ => true,
        });
        let fed = match judge.fed_by {
            _ if judge.while_awaiting => self.parts.answered.then_some(rtt),
            Feed::Any => [by_pings, by_replies].into_iter().flatten().min(),
            Feed::Pings => by_pings,
            Feed::Replies => by_replies,
            // Nothing says how often messages come.
            Feed::Messages => None,
        };
        self.bounds.loss_free && fed.is_some_and(|fed| fed < limit)
    }

    fn unanswered_detects(&self, judge: &Unanswered) -> Option<Duration> {
        let gap = self.longest_gap().filter(|_| self.only_beats())?;
        Some(self.bounds.rtt_max + gap + judge.limit.get())
    }

    fn unanswered_is_patient(&self, judge: &Unanswered) -> bool {
        // Whatever is sent is answered, but for what answers the server: its own pings, and messages, whose acknowledgement
        // waits for the next beat's reply.
        let is_answered = self.parts.answered && self.bounds.server_pings.is_none();
        let answered_within = if self.bounds.silent_app {
            Some(self.bounds.rtt_max)
        } else {
            self.longest_gap().filter(|_| self.bounds.steady_host).map(|gap| gap + self.bounds.rtt_max)
        };
        self.bounds.loss_free && is_answered && answered_within.is_some_and(|within| within < judge.limit.get())
    }
}

/// Returns a watchdog that ends a silence of this length, whatever ends silence.
fn fed_by_anything(limit: Duration) -> Silence {
    Silence { limit: Span::at_least(limit), fed_by: Feed::Any, while_awaiting: false, look: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bounds;

    /// A late reply of before the break may set the count back at any time.
    #[test]
    fn no_detection_is_promised_where_a_nat_makes_replies_wait() {
        let promised = |misses, nat_timeout: Option<u64>, loss_free| {
            let text = format!("interval = \"60s\"\ntimeout = \"5s\"\nmisses = {misses}");
            let fixed: crate::heartbeat::Fixed = toml::from_str(&text).expect("a heartbeat");
            let nat_timeout = nat_timeout.map(Duration::from_secs);
            fixed.parts().promises(&Bounds { loss_free, nat_timeout, ..bounds() }).detects_within
        };
        assert!(promised(3, Some(30), true).is_some() && promised(3, Some(90), false).is_some());
        assert!(promised(3, None, false).is_some());
        assert_eq!(promised(3, Some(30), false), None);
        assert!(promised(1, Some(30), false).is_some(), "a single miss cannot be taken back");
    }

    fn raises_none(text: &str, bounds: &Bounds) -> bool {
        toml::from_str::<Composed>(text).unwrap().promises(bounds).no_false_alarm
    }

    #[test]
    fn who_waits_for_an_answer_to_an_acknowledgement_may_wait_in_vain() {
        // A beat after 55 s of silence is answered after at most 56 s, or after a slower path's 61 s.
        let courier = r#"schedule.idle = { threshold = "55s", anchor = "rx" }
                         judge.unanswered.limit = "60s""#;
        let talks = Bounds { silent_app: false, ..bounds() };
        assert!(raises_none(courier, &talks));
        assert!(!raises_none(courier, &Bounds { rtt_max: Duration::from_secs(6), ..talks }));
        assert!(raises_none(courier, &Bounds { rtt_max: Duration::from_secs(6), ..bounds() }));
    }

    #[test]
    fn who_is_fed_by_answers_to_late_beats_goes_hungry() {
        let watchdog = r#"schedule.grid = { interval = "20s" }
                          judge.silence.limit = "2m""#;
        assert!(raises_none(watchdog, &bounds()));
        assert!(!raises_none(watchdog, &Bounds { steady_host: false, ..bounds() }));
    }
}
