//! What a policy knows of each session, and when it has to look at it again: the part that all policies with a clock share.
//! It decides nothing.
//!
//! A session has one look at most. What puts its deadline off leaves the look alone: once it has come, the policy sees that
//! there is nothing to do yet and sets the next. So a frame costs one look-up, a look only what is due, and idle time
//! nothing.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::SessionId;
use crate::Time;

pub(super) struct Watch<S> {
    sessions: BTreeMap<SessionId, (S, Option<Time>)>,
    /// All looks that were ever set and have not come. One that a session does not know any more is nothing; the first of
    /// all is always one that a session knows. A heap, which does not allocate while the sessions stay the same.
    looks: BinaryHeap<Reverse<(Time, SessionId)>>,
}

impl<S> Default for Watch<S> {
    fn default() -> Self {
        Self { sessions: BTreeMap::new(), looks: BinaryHeap::new() }
    }
}

impl<S> Watch<S> {
    /// A session begins, and is looked at no later than `at`.
    pub(super) fn open(&mut self, session: SessionId, state: S, at: Time) {
        self.close(session);
        self.sessions.insert(session, (state, Some(at)));
        self.looks.push(Reverse((at, session)));
    }

    /// A session is gone, or the policy is done with it.
    pub(super) fn close(&mut self, session: SessionId) {
        if self.sessions.remove(&session).is_some() {
            self.prune();
        }
    }

    pub(super) fn get(&mut self, session: SessionId) -> Option<&mut S> {
        self.sessions.get_mut(&session).map(|(state, _)| state)
    }

    /// Has a session looked at no later than `at`.
    pub(super) fn look(&mut self, session: SessionId, at: Time) {
        let Some((_, look)) = self.sessions.get_mut(&session) else { return };
        if look.is_some_and(|look| look <= at) {
            return;
        }
        *look = Some(at);
        self.looks.push(Reverse((at, session)));
    }

    /// Takes the first look that is due; the session has none then until it is set anew.
    pub(super) fn pop(&mut self, now: Time) -> Option<(SessionId, &mut S)> {
        let &Reverse((_, session)) = self.looks.peek().filter(|Reverse((at, _))| *at <= now)?;
        self.looks.pop();
        self.sessions.get_mut(&session).expect("who is looked at has a session").1 = None;
        self.prune();
        self.get(session).map(|state| (session, state))
    }

    /// Drops the first looks of all while no session knows them.
    fn prune(&mut self) {
        while let Some(&Reverse((at, session))) = self.looks.peek() {
            if self.sessions.get(&session).is_some_and(|(_, look)| *look == Some(at)) {
                return;
            }
            self.looks.pop();
        }
    }

    /// Returns when a look is due next.
    pub(super) fn next(&self) -> Option<Time> {
        self.looks.peek().map(|Reverse((at, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_one_look_which_may_come_earlier_and_goes_with_it() {
        let mut watch = Watch::default();
        let (at, session) = (Time::from_secs, SessionId(7));
        watch.open(session, 'a', at(10));
        watch.look(session, at(20));
        assert_eq!(watch.next(), Some(at(10)), "the earlier look stays");
        watch.look(session, at(5));
        assert_eq!(watch.pop(at(4)), None);
        assert_eq!(watch.pop(at(5)), Some((session, &mut 'a')));
        assert_eq!(watch.next(), None, "the one at 10 s was put off, not added");
        watch.look(session, at(30));
        watch.close(session);
        watch.look(session, at(31));
        assert_eq!((watch.next(), watch.get(session)), (None, None));
    }
}
