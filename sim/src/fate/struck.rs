//! Which devices of a run a fault strikes. Devices are alike but for their number, so that a share of them is so many in a
//! row, from one on that is drawn for the fault: exactly as many as the share says, spread evenly over servers.

use std::sync::Arc;

use super::random;
use crate::config::Whom;

/// The devices that a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Struck {
    All,
    /// So many from the first on, of so many in all; after the last comes device 0.
    Row {
        first: u32,
        count: u32,
        of: u32,
    },
    /// These; sorted.
    Only(Arc<[u32]>),
}

impl Struck {
    /// Returns whom the fault whose draws have this name strikes; `whom` is what a file says of it.
    pub(crate) fn draw(whom: Option<&Whom>, devices: u32, seed: u64, fault: &str) -> Self {
        match whom {
            None => Self::All,
            Some(whom @ Whom::Share(_)) => {
                let drawn = random::draw(&mut random::stream(seed, &format!("{fault}/devices"), 0));
                Self::Row { first: (drawn * f64::from(devices)) as u32, count: whom.count(devices), of: devices }
            }
            Some(Whom::Only(only)) => {
                let mut only = only.clone();
                only.sort_unstable();
                Self::Only(only.into())
            }
        }
    }

    /// Returns whether the fault strikes one device: what [`draw`](Self::draw) says of it, without a list of all for each who asks.
    pub(crate) fn is_one(whom: Option<&Whom>, devices: u32, seed: u64, fault: &str, device: u32) -> bool {
        match whom {
            Some(Whom::Only(only)) => only.contains(&device),
            None | Some(Whom::Share(_)) => Self::draw(whom, devices, seed, fault).has(device),
        }
    }

    /// Returns whether it strikes everyone.
    pub(crate) const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Returns whether it strikes whoever this is; one whom nobody knows is struck with all others only.
    pub(crate) fn has_whoever(&self, device: Option<u32>) -> bool {
        device.map_or_else(|| self.is_all(), |device| self.has(device))
    }

    /// Returns whether it strikes a device.
    pub(crate) fn has(&self, device: u32) -> bool {
        match self {
            Self::All => true,
            Self::Row { first, count, of } => (device + of - first) % of < *count,
            Self::Only(only) => only.binary_search(&device).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::Fraction;

    use super::*;

    fn members(struck: &Struck, devices: u32) -> Vec<u32> {
        (0..devices).filter(|device| struck.has(*device)).collect()
    }

    #[test]
    fn a_share_is_as_many_devices_as_it_says_and_begins_anywhere() {
        let share = Whom::Share(Fraction::new(0.3).unwrap());
        let mut how_often = [0; 10];
        for seed in 0..1_000 {
            let struck = members(&Struck::draw(Some(&share), 10, seed, "fault/0"), 10);
            assert_eq!(struck.len(), 3);
            for device in struck {
                how_often[device as usize] += 1;
            }
        }
        // 300 each; the standard error is 14.5.
        assert!(how_often.iter().all(|count| (240..360).contains(count)), "{how_often:?}");
    }

    #[test]
    fn those_who_are_named_are_struck_and_nobody_else() {
        let only = Struck::draw(Some(&Whom::Only(vec![7, 2])), 10, 1, "fault/0");
        assert_eq!((members(&only, 10), only.is_all()), (vec![2, 7], false));
        let is_one = |device: &u32| Struck::is_one(Some(&Whom::Only(vec![7, 2])), 10, 1, "fault/0", *device);
        assert_eq!((0..10).filter(is_one).collect::<Vec<_>>(), [2, 7]);
        assert_eq!(members(&Struck::draw(None, 3, 1, "fault/0"), 3), [0, 1, 2]);
    }
}
