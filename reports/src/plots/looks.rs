//! Which colour, marker and dashes each strategy has: the same in all plots of a report, and in all reports in which no other
//! strategy wants the same.

use std::collections::BTreeMap;

use crate::{
    chart::{Identity, PALETTE},
    summary::Summary,
};

/// The colours that are wanted first: those that are furthest apart.
const WANTED: u64 = 8;

/// What each strategy looks like, by its name.
#[derive(Debug)]
pub(crate) struct Looks(BTreeMap<String, Identity>);

impl Looks {
    /// Returns the looks of the strategies of a report. Each wants the colour that its name says. Where another has it, it takes
    /// the next one that the fewest have. Those on Pareto fronts choose first, the more fronts the sooner: they are drawn
    /// together.
    pub(crate) fn of(summary: &Summary) -> Self {
        let mut fronts: BTreeMap<&str, usize> = BTreeMap::new();
        for cell in summary.scenarios.iter().flat_map(|scenario| &scenario.cells) {
            *fronts.entry(&cell.strategy).or_default() += usize::from(cell.on_front);
        }
        let mut names: Vec<(&str, usize)> = fronts.into_iter().collect();
        // Stable: of equal ones by name.
        names.sort_by_key(|(_, fronts)| std::cmp::Reverse(*fronts));
        Self::choose(names.into_iter().map(|(name, _)| name))
    }

    /// Returns looks for strategies that choose in this order.
    pub(crate) fn choose<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut taken = [0; PALETTE.len()];
        let look = |name: &str| {
            let wanted = (hash(name) % WANTED) as usize;
            let fewest = *taken.iter().min().expect("there are colours");
            let mut places = (0..PALETTE.len()).map(|step| (wanted + step) % PALETTE.len());
            let color = places.find(|color| taken[*color] == fewest).expect("one has the fewest");
            taken[color] += 1;
            (name.to_owned(), Identity::nth(color + PALETTE.len() * fewest))
        };
        Self(names.map(look).collect())
    }

    /// Returns the look of a strategy of the report.
    ///
    /// # Panics
    ///
    /// Where the report has no such strategy.
    pub(crate) fn get(&self, strategy: &str) -> Identity {
        self.0[strategy]
    }
}

/// Returns a number that is the same for a name on every machine and in every version: FNV-1a.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn as_many_strategies_as_there_are_colours_have_one_each_and_more_differ_in_marker_or_dashes() {
        let names: Vec<String> = (0..48).map(|index| format!("strategy-{index}")).collect();
        let looks = Looks::choose(names.iter().map(String::as_str));
        let of = |names: &[String]| names.iter().map(|name| looks.get(name)).collect::<Vec<_>>();
        let colors: BTreeSet<String> = of(&names[..PALETTE.len()]).iter().map(|look| look.color.hex()).collect();
        assert_eq!(colors.len(), PALETTE.len());
        let all = of(&names);
        assert!(all.iter().enumerate().all(|(index, look)| !all[..index].contains(look)));
    }

    #[test]
    fn a_strategy_keeps_its_look_beside_others() {
        let alone = Looks::choose(["qq-fixed-45"].into_iter()).get("qq-fixed-45");
        assert_eq!(Looks::choose(["qq-fixed-45", "none", "wechat-270"].into_iter()).get("qq-fixed-45"), alone);
    }
}
