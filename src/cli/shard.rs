//! Which shard a process is to carry out: as it is told, or as the engine that started it says in its environment
//! (docs/cluster.md).

use std::str::FromStr;

use cardiogram_scenarios::plan::Shard;

/// What `--shard` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShardArg {
    /// This one.
    Given(Shard),
    /// What the engine says, of as many shards where that is said.
    Auto(Option<u64>),
}

impl FromStr for ShardArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a shard; write I/N with I from 1 to N, as in 2/8, or auto or auto/N");
        match text.strip_prefix("auto") {
            Some("") => Ok(Self::Auto(None)),
            Some(of) => {
                let of = of.strip_prefix('/').and_then(|of| of.parse().ok()).filter(|of| *of > 0);
                Ok(Self::Auto(Some(of.ok_or_else(wrong)?)))
            }
            None => text.parse().map(Self::Given).map_err(|_| wrong()),
        }
    }
}

/// An engine that runs a process a shard, and what it says of one.
struct Engine {
    name: &'static str,
    /// The variable with the number of the process.
    index: &'static str,
    /// The variable with how many there are; none where the engine does not say.
    of: Option<&'static str>,
    /// From which number it counts, and in which steps: variables, where these can be chosen.
    from: Option<(&'static str, &'static str)>,
}

/// The engines, in the order in which they are asked.
const ENGINES: [Engine; 4] = [
    Engine {
        name: "your own variables",
        index: "CARDIOGRAM_SHARD_INDEX",
        of: Some("CARDIOGRAM_SHARD_TOTAL"),
        from: None,
    },
    Engine {
        name: "Slurm",
        index: "SLURM_ARRAY_TASK_ID",
        of: Some("SLURM_ARRAY_TASK_COUNT"),
        from: Some(("SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP")),
    },
    Engine { name: "AWS Batch", index: "AWS_BATCH_JOB_ARRAY_INDEX", of: Some("AWS_BATCH_JOB_ARRAY_SIZE"), from: None },
    Engine { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", of: None, from: None },
];

impl ShardArg {
    /// Returns the shard.
    ///
    /// # Errors
    ///
    /// No engine says which, or what it says cannot be.
    pub(super) fn resolve(self) -> Result<Shard, String> {
        match self {
            Self::Given(shard) => Ok(shard),
            Self::Auto(of) => automatic(of, |name| std::env::var(name).ok()),
        }
    }
}

fn automatic(of: Option<u64>, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let Some(engine) = ENGINES.iter().find(|engine| set(engine.index).is_some()) else {
        let names = ENGINES.map(|engine| engine.index).join(", ");
        return Err(format!("--shard auto: none of {names} is set; write --shard I/N"));
    };
    let number = |name: &str| {
        let value = set(name).ok_or_else(|| format!("--shard auto: {} does not set {name}", engine.name))?;
        value.parse::<u64>().map_err(|_| format!("--shard auto: {name} is `{value}`, which is no number"))
    };
    let index = number(engine.index)?;
    let (from, step) = match (engine.from, of) {
        // One task that is run again alone says nothing of the array that it was of: its tasks are counted from 1.
        (Some(_), Some(_)) => (1, 1),
        (Some((from, step)), None) => (number(from)?, set(step).map_or(Ok(1), |_| number(step))?.max(1)),
        (None, _) => (0, 1),
    };
    let of = match (of, engine.of) {
        (Some(of), _) => of,
        (None, Some(name)) => number(name)?,
        (None, None) => {
            return Err(format!(
                "--shard auto: {} does not say how many there are; write --shard auto/N with the job's `completions`",
                engine.name
            ));
        }
    };
    let place = index.checked_sub(from).map(|place| place / step + 1);
    place.and_then(|place| Shard::new(place, of)).ok_or_else(|| {
        let (name, least, most) = (engine.index, from, from + step * of.saturating_sub(1));
        format!("--shard auto: {name} is {index}; of {of} shards it is from {least} to {most}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(of: Option<u64>, variables: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| variables.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned());
        automatic(of, variable).map(|shard| shard.to_string())
    }

    #[test]
    fn each_engine_says_which_shard_it_is() {
        let array = [("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_COUNT", "4"), ("SLURM_ARRAY_TASK_MIN", "3")];
        assert_eq!(asked(None, &[&array[..], &[("SLURM_ARRAY_TASK_STEP", "2")]].concat()), Ok("3/4".into()));
        assert_eq!(asked(None, &[&array[..2], &[("SLURM_ARRAY_TASK_MIN", "4")]].concat()), Ok("4/4".into()));
        let batch = [("AWS_BATCH_JOB_ARRAY_INDEX", "0"), ("AWS_BATCH_JOB_ARRAY_SIZE", "10")];
        assert_eq!(asked(None, &batch), Ok("1/10".into()));
        assert_eq!(asked(Some(8), &[("JOB_COMPLETION_INDEX", "7")]), Ok("8/8".into()));
        let own = [("CARDIOGRAM_SHARD_INDEX", "1"), ("CARDIOGRAM_SHARD_TOTAL", "3"), ("JOB_COMPLETION_INDEX", "7")];
        assert_eq!(asked(None, &own), Ok("2/3".into()));
    }

    #[test]
    fn a_task_that_is_run_again_alone_is_the_same_shard() {
        let alone = [("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_COUNT", "1"), ("SLURM_ARRAY_TASK_MIN", "3")];
        assert_eq!(asked(Some(8), &alone), Ok("3/8".into()));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_variable_that_says_it() {
        for (of, variables, words) in [
            (None, &[][..], "none of CARDIOGRAM_SHARD_INDEX, "),
            (None, &[("JOB_COMPLETION_INDEX", "7")], "write --shard auto/N"),
            (Some(7), &[("JOB_COMPLETION_INDEX", "7")], "JOB_COMPLETION_INDEX is 7; of 7 shards it is from 0 to 6"),
            (Some(7), &[("SLURM_ARRAY_TASK_ID", "0")], "from 1 to 7"),
            (None, &[("SLURM_ARRAY_TASK_ID", "x")], "is `x`, which is no number"),
            (None, &[("CARDIOGRAM_SHARD_INDEX", "1")], "does not set CARDIOGRAM_SHARD_TOTAL"),
        ] {
            let error = asked(of, variables).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        for text in ["auto/0", "auto/", "auto8", "3/2", "a"] {
            assert!(text.parse::<ShardArg>().is_err(), "{text}");
        }
    }
}
