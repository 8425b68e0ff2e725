//! A queue of timers, one for each numbered owner, of which one at a time is set.
//!
//! A heap with one place an owner. Who sets its timer earlier moves up at once; who sets it later, or unsets it, as most do with every
//! packet, stays where it is until it comes to the top, and moves down from there. So what is never due, since it is put off again
//! and again, costs a look now and then.

use cardiogram_policies::Time;

/// How many places lie below one: with four, whose keys are one line of the processor's cache, the heap is half as deep as with two.
const BELOW: usize = 4;

/// In [`Timers::places`]: not in the heap.
const NOWHERE: u32 = u32::MAX;

/// A queue of timers, at most one for each owner.
#[derive(Default)]
pub(crate) struct Timers {
    /// When each owner's timer is due; [`Time::MAX`]: it is not set.
    due: Vec<Time>,
    /// Where each owner is in the heap.
    places: Vec<u32>,
    /// Ordered by (time, owner). No time is later than its owner's timer, and that of the first is the very one.
    heap: Vec<(Time, u32)>,
}

impl Timers {
    /// Sets the timer of `owner`, replacing the one it had; `None` unsets it.
    pub(crate) fn set(&mut self, owner: u32, due: Option<Time>) {
        let slot = owner as usize;
        if slot >= self.due.len() {
            self.due.resize(slot + 1, Time::MAX);
            self.places.resize(slot + 1, NOWHERE);
        }
        let due = due.unwrap_or(Time::MAX);
        if self.due[slot] == due {
            return;
        }
        self.due[slot] = due;
        match self.places[slot] {
            NOWHERE => {
                self.heap.push((due, owner));
                self.rise(self.heap.len() - 1, (due, owner));
            }
            place if due < self.heap[place as usize].0 => self.rise(place as usize, (due, owner)),
            0 => self.settle(),
            _ => {}
        }
    }

    /// Returns the earliest timer.
    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.first().map(|(due, _)| *due)
    }

    /// Takes the earliest timer that is due at `now`; at equal times the lowest owner.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<u32> {
        let &(due, owner) = self.heap.first()?;
        if due > now {
            return None;
        }
        self.due[owner as usize] = Time::MAX;
        self.settle();
        Some(owner)
    }

    /// Moves what is at the top to where it belongs, until the top is a timer that is really due then.
    fn settle(&mut self) {
        while let Some(&(time, owner)) = self.heap.first() {
            let due = self.due[owner as usize];
            if time == due {
                return;
            }
            if due < Time::MAX {
                self.sink((due, owner));
            } else {
                self.places[owner as usize] = NOWHERE;
                let last = self.heap.pop().expect("there is a first");
                if !self.heap.is_empty() {
                    self.sink(last);
                }
            }
        }
    }

    /// Puts an entry where it belongs at `place` or above; what is in its way moves down.
    fn rise(&mut self, mut place: usize, entry: (Time, u32)) {
        while place > 0 {
            let above = (place - 1) / BELOW;
            if self.heap[above] <= entry {
                break;
            }
            self.put(place, self.heap[above]);
            place = above;
        }
        self.put(place, entry);
    }

    /// Puts an entry in the place of the first, or where it belongs below; what is before it moves up.
    fn sink(&mut self, entry: (Time, u32)) {
        let mut place = 0;
        loop {
            let first = place * BELOW + 1;
            let below = &self.heap[first.min(self.heap.len())..(first + BELOW).min(self.heap.len())];
            let Some((child, next)) = (first..).zip(below).min_by_key(|(_, next)| **next) else { break };
            if entry <= *next {
                break;
            }
            self.put(place, *next);
            place = child;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: (Time, u32)) {
        self.heap[place] = entry;
        self.places[entry.1 as usize] = place as u32;
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
