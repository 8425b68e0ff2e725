//! A set of ports, a bit each, that finds the first one that is not in it: with tens of thousands of devices behind a NAT,
//! whoever connects would else pass thousands of ports in use.

const WORDS: usize = 1 << 10;

/// A set of ports; 8 KiB.
pub(super) struct PortSet(Box<[u64; WORDS]>);

impl Default for PortSet {
    fn default() -> Self {
        Self(Box::new([0; WORDS]))
    }
}

/// Returns the word that has the bit of `port`, and the bit.
const fn place(port: u16) -> (usize, u64) {
    (port as usize / 64, 1 << (port % 64))
}

impl PortSet {
    pub(super) fn insert(&mut self, port: u16) {
        let (word, bit) = place(port);
        self.0[word] |= bit;
    }

    pub(super) fn remove(&mut self, port: u16) {
        let (word, bit) = place(port);
        self.0[word] &= !bit;
    }

    pub(super) fn contains(&self, port: u16) -> bool {
        let (word, bit) = place(port);
        self.0[word] & bit != 0
    }

    /// Returns the first port from `from` on that is not in the set.
    pub(super) fn first_free(&self, from: u16) -> Option<u16> {
        let (first, bit) = place(from);
        let below = bit - 1;
        let words = (first..).zip(&self.0[first..]);
        let mut used = words.map(|(index, word)| (index, if index == first { word | below } else { *word }));
        let (index, word) = used.find(|(_, word)| *word != u64::MAX)?;
        Some((index * 64) as u16 + word.trailing_ones() as u16)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_whose_gaps_are_found(
            changes in prop::collection::vec((any::<bool>(), 65_000..=u16::MAX), 0..400),
            from in prop_oneof![Just(0), 64_900..=u16::MAX],
        ) {
            let (mut set, mut model) = (PortSet::default(), BTreeSet::new());
            for (add, port) in changes {
                if add { set.insert(port) } else { set.remove(port) }
                if add { model.insert(port) } else { model.remove(&port) };
            }
            for port in 64_990..=u16::MAX {
                prop_assert_eq!(set.contains(port), model.contains(&port));
            }
            prop_assert_eq!(set.first_free(from), (from..=u16::MAX).find(|port| !model.contains(port)));
        }
    }

    #[test]
    fn a_full_set_has_no_gap() {
        let mut set = PortSet::default();
        (0..=u16::MAX).for_each(|port| set.insert(port));
        assert_eq!(set.first_free(0), None);
        set.remove(63);
        assert_eq!((set.first_free(0), set.first_free(64)), (Some(63), None));
    }
}
