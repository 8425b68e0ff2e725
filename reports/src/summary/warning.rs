//! What to know before believing a number: typed, with one wording for table, page and gate.

use cardiogram_results::survival::Estimated;
use cardiogram_scenarios::{BreakingFault, Scenario};

use crate::{number::percent, summary::CellStats};

/// Fewer seeds than this make intervals that are too narrow to be believed.
const SEEDS_FEW: usize = 5;

/// A share of censored episodes above this makes means and high quantiles depend on what was not seen.
const CENSORED_SHARE_MAX: f64 = 0.2;

/// What to know before believing a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Warning {
    /// No interval (1 seed), or one that is too narrow.
    TooFewSeeds { seeds: usize },
    /// Much of what would make the mean and the quantiles was not seen.
    HeavyCensoring {
        /// Share of the episodes that were not detected.
        share: f64,
    },
    /// No usable session ever broke, so there is no latency.
    NoEpisodes,
    /// Every break went unnoticed.
    NothingDetected,
    /// The interval is wider than the number itself: its size is hardly known.
    WideInterval(Number),
    /// Of a scenario: a fault that its file has and that broke no usable session in any run.
    FaultNeverStruck {
        /// Its kind, as in the file.
        fault: &'static str,
    },
}

/// A number that a warning may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// Packets per device-hour.
    Packets,
    /// Mean detection latency.
    DetectMean,
}

impl Warning {
    /// Returns a few words to stand beside the number, the same everywhere.
    pub(crate) fn words(self) -> String {
        match self {
            Self::TooFewSeeds { seeds: 1 } => "1 seed: no interval".to_owned(),
            Self::TooFewSeeds { seeds } => format!("{seeds} seeds: interval too narrow"),
            Self::HeavyCensoring { share } => format!("{} not noticed", percent(share)),
            Self::NoEpisodes => "no session broke".to_owned(),
            Self::NothingDetected => "nothing noticed".to_owned(),
            Self::WideInterval(_) => "interval wider than the number".to_owned(),
            Self::FaultNeverStruck { fault } => format!("`{fault}` broke no usable session in any run"),
        }
    }

    /// Returns whether it belongs beside `number`.
    pub(crate) fn concerns(self, number: Number) -> bool {
        match self {
            Self::TooFewSeeds { .. } => true,
            Self::HeavyCensoring { .. } | Self::NoEpisodes | Self::NothingDetected => number == Number::DetectMean,
            Self::WideInterval(of) => of == number,
            Self::FaultNeverStruck { .. } => false,
        }
    }
}

/// Returns the warnings about a cell.
pub(super) fn of_cell(cell: &CellStats) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if cell.seeds < SEEDS_FEW {
        warnings.push(Warning::TooFewSeeds { seeds: cell.seeds });
    }
    let share = (cell.ridden_out + cell.undetected) as f64 / cell.episodes() as f64;
    if cell.episodes() == 0 {
        warnings.push(Warning::NoEpisodes);
    } else if cell.detected == 0 {
        warnings.push(Warning::NothingDetected);
    } else if share > CENSORED_SHARE_MAX {
        warnings.push(Warning::HeavyCensoring { share });
    }
    let numbers = [
        (Number::Packets, Some(cell.packets_per_device_hour), cell.packets_interval),
        (Number::DetectMean, cell.detect_mean_s.and_then(Estimated::known), cell.detect_interval_s),
    ];
    for (number, value, interval) in numbers {
        if let (Some(value), Some(interval)) = (value, interval)
            && interval.high - interval.low > value
        {
            warnings.push(Warning::WideInterval(number));
        }
    }
    warnings
}

/// Returns the warnings about a whole scenario: which of its faults no episode names as its cause.
pub(super) fn of_scenario(file: &Scenario, cells: &[CellStats]) -> Vec<Warning> {
    let has_struck = |strike: &BreakingFault| {
        cells.iter().any(|cell| cell.by_cause.keys().any(|cause| strike.explains(cause.as_str())))
    };
    let strikes = file.breaking_faults().into_iter().filter(|strike| !has_struck(strike));
    strikes.map(|strike| Warning::FaultNeverStruck { fault: strike.fault }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data, fixture, summary};

    #[test]
    fn an_interval_wider_than_its_number_is_pointed_out() {
        let dir = tempfile::tempdir().unwrap();
        let runs = ["w,s,1,event,1,0,0,0,0,0,,,,,,1,1,0,1,1,1,1,00", "w,s,2,event,1,0,0,0,0,0,,,,,,1,99,0,1,1,1,1,00"];
        fixture::write_rows(dir.path(), &["w"], &["s"], 100.0, &runs, &[]);
        let summary = summary::summarize(&data::read(dir.path()).unwrap(), None);
        let warnings = &summary.scenarios[0].cells[0].warnings;
        assert!(warnings.contains(&Warning::WideInterval(Number::Packets)), "{warnings:?}");
        assert!(!warnings.contains(&Warning::WideInterval(Number::DetectMean)), "{warnings:?}");
    }

    #[test]
    fn a_fault_that_broke_nothing_is_named() {
        // A scenario with a stall and cuts, of which only the cuts show in any episode.
        let text = cardiogram_scenarios::library::text("deaf-server").unwrap().to_owned()
            + "\n[[faults]]\ncut = { when = { at = [\"1h\"] }, lasts = \"1m\" }\n";
        let scenario = cardiogram_scenarios::load::parse_scenario("deaf-server", &text).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let runs = ["w,s,1,event,1,1,1,0,0,0,,,,,,1,1,0,1,1,1,1,00"];
        let episodes = ["w,s,1,0,cut,10,60,detected,heartbeat,20,50"];
        fixture::write_rows(dir.path(), &["w"], &["s"], 100.0, &runs, &episodes);
        let summary = summary::summarize(&data::read(dir.path()).unwrap(), None);
        let warnings = of_scenario(&scenario, &summary.scenarios[0].cells);
        assert_eq!(warnings, [Warning::FaultNeverStruck { fault: "server-stall" }]);
        assert_eq!(warnings[0].words(), "`server-stall` broke no usable session in any run");
    }

    #[test]
    fn a_warning_stands_beside_what_it_is_about() {
        let wide = Warning::WideInterval(Number::Packets);
        assert!(wide.concerns(Number::Packets) && !wide.concerns(Number::DetectMean));
        let few = Warning::TooFewSeeds { seeds: 3 };
        assert!(few.concerns(Number::Packets) && few.concerns(Number::DetectMean));
        assert!(!Warning::NoEpisodes.concerns(Number::Packets));
    }
}
