//! Why there is no verdict, in words for the person who asked for one.

use std::{fmt, io, path::PathBuf};

/// Why a baseline could not be written, or results could not be compared with one. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file is missing or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
        /// What to do about it.
        help: &'static str,
    },
    /// A file is longer than what is read here.
    #[error("{} is longer than {limit}, the most that is read here", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit with its unit.
        limit: &'static str,
        /// What to do about it.
        help: &'static str,
    },
    /// A file is not as it was written.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        problem: String,
        /// What to do about it.
        help: &'static str,
    },
    /// The files are good, and yet must not be compared or kept.
    #[error("{problem}")]
    Refused {
        /// Why.
        problem: String,
        /// What to do about it.
        help: String,
    },
    /// A file cannot be written. An earlier one is still in place.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    /// What to do about it, where that is not clear from the message.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Read { help, .. } | Self::TooLarge { help, .. } | Self::Damaged { help, .. } => Some(help),
            Self::Refused { help, .. } => Some(help),
            Self::Write { .. } => None,
        }
    }

    pub(crate) fn refused(problem: impl fmt::Display, help: impl Into<String>) -> Self {
        Self::Refused { problem: problem.to_string(), help: help.into() }
    }
}
