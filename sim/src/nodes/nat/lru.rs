//! A table of limited size that pushes out the least recently used entry, shared with connections that are not simulated.
//!
//! Other people's connections begin evenly spaced, each takes one place, is used once and stays until it is pushed out.
//! So an entry is pushed out at the moment when, since its last use, as many others have been used as the table has
//! places. This is exact for such a table and needs no event for the connections that are not simulated.

use std::collections::BTreeMap;

use cardiogram_policies::Time;

/// The order in which the entries of the world's own connections were used.
pub(super) struct Lru {
    size: u64,
    /// Nanoseconds between two connections of other people.
    background_gap_ns: Option<u64>,
    /// Owners by the number of their last use, with its time.
    by_use: BTreeMap<u64, (u32, Time)>,
    /// The number of each owner's last use.
    last_use: Vec<Option<u64>>,
    next_use: u64,
}

impl Lru {
    pub(super) fn new(size: u32, background_gap_ns: Option<u64>) -> Self {
        let (by_use, last_use) = (BTreeMap::new(), Vec::new());
        Self { size: u64::from(size), background_gap_ns, by_use, last_use, next_use: 0 }
    }

    /// The entry of `owner` is used, or made.
    pub(super) fn touch(&mut self, owner: u32, now: Time) {
        self.remove(owner);
        let slot = owner as usize;
        if slot >= self.last_use.len() {
            self.last_use.resize(slot + 1, None);
        }
        self.last_use[slot] = Some(self.next_use);
        self.by_use.insert(self.next_use, (owner, now));
        self.next_use += 1;
    }

    /// The entry of `owner` is gone.
    pub(super) fn remove(&mut self, owner: u32) {
        if let Some(number) = self.last_use.get_mut(owner as usize).and_then(Option::take) {
            self.by_use.remove(&number);
        }
    }

    /// Returns the mapping that is pushed out next, and when, if nothing is used until then.
    pub(super) fn next(&self) -> Option<(Time, u32)> {
        let (_, &(owner, used)) = self.by_use.first_key_value()?;
        let newer = self.by_use.len() as u64 - 1;
        let Some(missing) = self.size.checked_sub(newer).filter(|missing| *missing > 0) else {
            return Some((used, owner));
        };
        let gap = self.background_gap_ns?;
        let begun = used.as_micros() * 1_000 / gap;
        let due_ns = (begun + missing).checked_mul(gap)?;
        Some((Time::from_micros(due_ns.div_ceil(1_000)), owner))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const GAP_NS: u64 = 50_000_000;

    #[test]
    fn an_unused_entry_lives_as_long_as_the_others_need_to_fill_the_table() {
        // 8192 entries at 20 new connections a second: 409.6 s.
        let mut lru = Lru::new(8_192, Some(GAP_NS));
        lru.touch(0, Time::from_secs(100));
        assert_eq!(lru.next(), Some((Time::from_millis(509_600), 0)));
        lru.touch(1, Time::from_secs(200));
        assert_eq!(lru.next(), Some((Time::from_millis(509_550), 0)), "one of the world's own counts like any other");
        lru.touch(0, Time::from_secs(300));
        assert_eq!(lru.next(), Some((Time::from_millis(609_550), 1)));
        lru.remove(1);
        assert_eq!(lru.next(), Some((Time::from_millis(709_600), 0)));
    }

    #[test]
    fn without_others_only_an_entry_too_many_pushes_out() {
        let mut lru = Lru::new(2, None);
        lru.touch(0, Time::from_secs(1));
        lru.touch(1, Time::from_secs(2));
        assert_eq!(lru.next(), None);
        lru.touch(2, Time::from_secs(3));
        assert_eq!(lru.next(), Some((Time::from_secs(1), 0)));
    }

    /// A table with every entry in it, the others' too.
    struct Table {
        /// The least recently used first; `None` is someone else's.
        entries: VecDeque<Option<u32>>,
        size: usize,
    }

    impl Table {
        /// Puts an entry in front; returns the own entry that this pushed out.
        fn touch(&mut self, entry: Option<u32>) -> Option<u32> {
            if entry.is_some() {
                self.entries.retain(|other| *other != entry);
            }
            self.entries.push_back(entry);
            if self.entries.len() > self.size { self.entries.pop_front().flatten() } else { None }
        }
    }

    proptest! {
        /// Against a table that holds everything, with steps of a tenth of the others' gap.
        #[test]
        fn it_is_a_table_that_pushes_out_the_least_recently_used(
            size in 1_u32..12,
            uses in prop::collection::vec((0_u32..6, any::<bool>()), 1..100),
        ) {
            let mut lru = Lru::new(size, Some(GAP_NS));
            let mut table = Table { entries: VecDeque::new(), size: size as usize };
            for (step, (owner, remove)) in uses.into_iter().enumerate() {
                let now = Time::from_micros(step as u64 * GAP_NS / 10_000);
                if step > 0 && step % 10 == 0 {
                    let pushed_out = table.touch(None);
                    let due = lru.next().filter(|(due, _)| *due <= now);
                    prop_assert_eq!(pushed_out, due.map(|(_, owner)| owner));
                    pushed_out.inspect(|owner| lru.remove(*owner));
                }
                if remove {
                    table.entries.retain(|other| *other != Some(owner));
                    lru.remove(owner);
                } else {
                    let pushed_out = table.touch(Some(owner));
                    lru.touch(owner, now);
                    let due = lru.next().filter(|(due, _)| *due <= now);
                    prop_assert_eq!(pushed_out, due.map(|(_, owner)| owner));
                    pushed_out.inspect(|owner| lru.remove(*owner));
                }
            }
        }
    }
}
