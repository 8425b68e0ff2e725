//! Why there is no verdict, in words for the person who asked for one.

use std::fmt;

/// Why a baseline could not be written, or results could not be compared with one. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The results cannot be read, or a file cannot be written.
    #[error(transparent)]
    Results(#[from] cardiogram_results::Error),
    /// The baseline cannot be used, or the two sides must not be compared.
    #[error("{problem}")]
    Refused {
        /// Why.
        problem: String,
        /// What to do about it.
        help: String,
    },
}

impl Error {
    /// Returns what to do about it.
    pub fn help(&self) -> &str {
        match self {
            Self::Results(error) => error.help(),
            Self::Refused { help, .. } => help,
        }
    }

    pub(crate) fn refused(problem: impl fmt::Display, help: impl Into<String>) -> Self {
        Self::Refused { problem: problem.to_string(), help: help.into() }
    }
}
