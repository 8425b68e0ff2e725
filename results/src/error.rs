//! What can go wrong with a results directory, in words for the person who named it.

use std::{io, path::PathBuf};

use crate::manifest::{self, VERSION};

/// Why results could not be read or written. Where they could not be written, what was there before is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory holds no results.
    #[error("{} has no finished results: there is no {} in it", dir.display(), manifest::FILE_NAME)]
    NoResults {
        /// The results directory.
        dir: PathBuf,
    },
    /// A run there was interrupted, or is at work.
    #[error("{} has no finished results: a run there has not come to its end", dir.display())]
    Unfinished {
        /// The results directory.
        dir: PathBuf,
    },
    /// Another version may have other columns, and its rows other meanings.
    #[error("the results in {} are of cardiogram {version}, and this is {VERSION}", dir.display())]
    Version {
        /// The results directory.
        dir: PathBuf,
        /// The version that wrote the results.
        version: String,
    },
    /// A file is missing or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is longer than any results that could be held in memory.
    #[error("{} is longer than {limit}, the most that is read here", path.display())]
    TooLarge {
        /// The path of the file.
        path: PathBuf,
        /// The limit with its unit.
        limit: String,
    },
    /// A file is not as it was written.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong and what belongs there, with the line where there is one.
        problem: String,
    },
    /// The files do not belong together, or one of them was cut short.
    #[error("the files in {} disagree: {problem}", dir.display())]
    Disagree {
        /// The results directory.
        dir: PathBuf,
        /// What they disagree in.
        problem: String,
    },
    /// A file or a directory cannot be written to.
    #[error("cannot write to {}: {source}", path.display())]
    Write {
        /// What could not be written.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    /// What to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NoResults { .. } | Self::Read { .. } => "name a directory that `cardiogram run --out DIR` wrote",
            Self::Unfinished { .. } => "the same `cardiogram run` goes on there",
            Self::Version { .. } => "use the version that ran, or run again with this one",
            Self::TooLarge { .. } => "take fewer scenarios or seeds at a time",
            Self::Damaged { .. } | Self::Disagree { .. } => {
                "run again: the file was changed or cut short, or the files are of different runs"
            }
            Self::Write { .. } => "what was there before is untouched",
        }
    }
}

/// What serde says about a JSON text, with the place before it as in every message here.
pub fn in_words(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    format!("line {}: {}", error.line(), message.strip_suffix(&place).unwrap_or(&message))
}
