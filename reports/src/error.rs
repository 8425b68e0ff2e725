//! What can go wrong between a results directory and its report, in words for the person who asked for one.

use std::{io, path::PathBuf};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the results is missing or cannot be read. Likely the wrong directory.
    #[error("cannot read {}: {source}; a report needs a directory that `cardiogram run --out` wrote", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is larger than any results this version can hold in memory.
    #[error("{}: more than {limit}; report on fewer seeds or scenarios at a time", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit with its unit.
        limit: String,
    },
    /// A column is missing: the file was edited, or comes from another version.
    #[error("{}: line 1: there is no column `{column}`; the columns are: {found}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The missing column.
        column: &'static str,
        /// The header as it is.
        found: String,
    },
    /// A line of a CSV file cannot be read.
    #[error("{}: line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1, the header included.
        line: u64,
        /// What is wrong, and what belongs there.
        problem: String,
    },
    /// The manifest cannot be read.
    #[error("{}: {problem}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where there is one.
        problem: String,
    },
    /// The files do not belong together, or one of them was cut short.
    #[error("the files in {} disagree: {problem}; run again, or restore them from one place", dir.display())]
    Disagree {
        /// The results directory.
        dir: PathBuf,
        /// In what.
        problem: String,
    },
    /// The report cannot be written. An earlier report is still in place.
    #[error("cannot write {}: {source}; the earlier report, if there was one, is untouched", path.display())]
    Write {
        /// What could not be written.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}
