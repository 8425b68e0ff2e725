//! The router in the middle of a lane that is cut: it answers the packets that it cannot forward, as often as Linux lets it.

use std::time::Duration;

use cardiogram_policies::Time;

use crate::{fate::schedule::Interval, nodes::icmp_limit::IcmpLimit, wire::packet::Obstacle};

/// The most that the purse holds where there is no route (`ip_rt_error_burst`).
const BURST: Duration = Duration::from_secs(5);

pub(super) struct Router {
    /// What it answers when; several in the order of the faults.
    answers: Box<[(Interval, Obstacle)]>,
    limit: IcmpLimit,
}

impl Router {
    /// Returns the router of a lane; `None`: it never answers.
    pub(super) fn new(answers: Vec<(Interval, Obstacle)>) -> Option<Box<Self>> {
        let answers = answers.into_boxed_slice();
        (!answers.is_empty()).then(|| Box::new(Self { answers, limit: IcmpLimit::full() }))
    }

    /// Returns what it answers to a packet that it cannot forward at `now`. Times must not run backwards.
    pub(super) fn answer(&mut self, now: Time) -> Option<Obstacle> {
        let in_force = |(interval, _): &&(Interval, Obstacle)| interval.contains(now);
        let (_, why) = *self.answers.iter().find(in_force)?;
        // It pays twice, for the route and for the message. The first payment is gone even where the second one fails (`ip_error`,
        // `icmpv4_xrlim_allow`).
        let paid = self.limit.allows(now, BURST) && self.limit.allows(now, BURST);
        paid.then_some(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(spans: &[(u64, u64, Obstacle)]) -> Router {
        let of = |(begin, end, why): &(u64, u64, Obstacle)| {
            (Interval { begin: Time::from_secs(*begin), end: Time::from_secs(*end) }, *why)
        };
        *Router::new(spans.iter().map(of).collect()).unwrap()
    }

    /// What Linux 6.18 did: the times of a connection's transmissions, and those of them that were answered.
    #[test]
    fn answers_come_as_often_as_linux_sends_them() {
        let sent = [0, 206, 418, 846, 1_678, 3_346, 5_006, 6_638, 10_094];
        let mut router = router(&[(0, 100, Obstacle::NetUnreachable)]);
        let answered = sent.into_iter().filter(|ms| router.answer(Time::from_millis(*ms)).is_some());
        assert_eq!(answered.collect::<Vec<_>>(), [0, 206, 3_346, 5_006, 10_094]);
    }

    #[test]
    fn it_answers_while_a_cut_lasts_and_the_first_of_several_has_the_word() {
        let spans = [(10, 20, Obstacle::Prohibited), (15, 40, Obstacle::HostUnreachable)];
        let mut router = router(&spans);
        let words = [9, 10, 17, 20, 39, 40].map(|at| router.answer(Time::from_secs(at)));
        let (host, prohibited) = (Some(Obstacle::HostUnreachable), Some(Obstacle::Prohibited));
        assert_eq!(words, [None, prohibited, prohibited, host, host, None]);
        assert!(Router::new(Vec::new()).is_none());
    }
}
