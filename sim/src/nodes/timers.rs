//! A queue of timers, one for each numbered owner, of which one at a time is set. Setting a timer costs O(log n) and
//! moving one to a later time usually nothing: the old place in the heap is corrected when it comes to the top.

use std::{cmp::Reverse, collections::BinaryHeap};

use cardiogram_policies::Time;

/// A queue of timers, at most one for each owner.
#[derive(Default)]
pub(crate) struct Timers {
    /// When each owner's timer is due; [`Time::MAX`]: it is not set.
    due: Vec<Time>,
    /// The earliest place of each owner in the heap; [`Time::MAX`]: none.
    queued: Vec<Time>,
    heap: BinaryHeap<Reverse<(Time, u32)>>,
}

impl Timers {
    /// Sets the timer of `owner`, replacing the one it had; `None` unsets it.
    pub(crate) fn set(&mut self, owner: u32, due: Option<Time>) {
        let slot = owner as usize;
        if slot >= self.due.len() {
            self.due.resize(slot + 1, Time::MAX);
            self.queued.resize(slot + 1, Time::MAX);
        }
        let due = due.unwrap_or(Time::MAX);
        if self.due[slot] == due {
            return;
        }
        self.due[slot] = due;
        if due < self.queued[slot] {
            self.queued[slot] = due;
            self.heap.push(Reverse((due, owner)));
        }
        self.settle();
    }

    /// Returns the earliest timer.
    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes the earliest timer that is due at `now`; at equal times the lowest owner.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<u32> {
        let &Reverse((due, owner)) = self.heap.peek()?;
        if due > now {
            return None;
        }
        self.due[owner as usize] = Time::MAX;
        self.settle();
        Some(owner)
    }

    /// Restores the invariant: the top of the heap is a timer that is really due then.
    fn settle(&mut self) {
        while let Some(&Reverse((place, owner))) = self.heap.peek() {
            let slot = owner as usize;
            if place == self.due[slot] && place == self.queued[slot] {
                return;
            }
            self.heap.pop();
            // A place that is not the owner's earliest is left over from an earlier setting.
            if place == self.queued[slot] {
                self.queued[slot] = self.due[slot];
                if self.due[slot] < Time::MAX {
                    self.heap.push(Reverse((self.due[slot], owner)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is set, unset and moved: timers come out in order of (time, owner), each at the time last set.
        #[test]
        fn timers_fire_at_the_time_last_set(
            steps in prop::collection::vec((0_u32..6, prop::option::of(0_u64..50), any::<bool>()), 1..200)
        ) {
            let mut timers = Timers::default();
            let mut model = std::collections::BTreeMap::new();
            for (owner, due, pop) in steps {
                let due = due.map(Time::from_secs);
                timers.set(owner, due);
                match due {
                    Some(due) => model.insert(owner, due),
                    None => model.remove(&owner),
                };
                let first = model.iter().map(|(owner, due)| (*due, *owner)).min();
                prop_assert_eq!(timers.next(), first.map(|(due, _)| due));
                if let (true, Some((due, owner))) = (pop, first) {
                    prop_assert_eq!(timers.pop_due(due), Some(owner));
                    model.remove(&owner);
                }
            }
        }
    }
}
