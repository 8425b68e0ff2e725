//! What can go wrong with a results directory, in words for the person who named it.

use std::{io, path::PathBuf};

use crate::{
    claim::FORMAT,
    manifest::{self, VERSION},
};

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
    /// What was begun there has not come to its end.
    #[error("{} has no finished results: {}", dir.display(), begun(command))]
    Unfinished {
        /// The results directory.
        dir: PathBuf,
        /// The command that was begun; empty where that is not known.
        command: String,
    },
    /// Another plan is unfinished there.
    #[error("{} has something unfinished: {}", dir.display(), begun(command))]
    OtherUnfinished {
        /// The results directory.
        dir: PathBuf,
        /// The command that was begun; empty where that is not known.
        command: String,
    },
    /// The results of another plan are there.
    #[error("{} has the results of another plan{}", dir.display(), of_command(command))]
    OtherResults {
        /// The results directory.
        dir: PathBuf,
        /// The command that they are of; empty where that is not known.
        command: String,
    },
    /// The directory has files, and no sign that it is a results directory.
    #[error("{} has files that are not the lab's: {entries}", dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// Their names, the first few.
        entries: String,
        /// Whether one of them is a manifest, as earlier versions wrote without a marker.
        has_manifest: bool,
    },
    /// Something is where a file or a folder of the lab would go.
    #[error("{} is in the way: something of this name is to be written there", path.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
    },
    /// Another process is writing there.
    #[error("another process is writing to {}{}", dir.display(), by(holder))]
    Busy {
        /// The results directory.
        dir: PathBuf,
        /// Which one; empty where that is not known.
        holder: String,
    },
    /// A later version wrote there.
    #[error("{} is a results directory of form {format}, and this is cardiogram {VERSION}, which knows form {FORMAT}", dir.display())]
    Format {
        /// The results directory.
        dir: PathBuf,
        /// Its form.
        format: u32,
    },
    /// A command would write one file twice, or over what it reads.
    #[error("{problem}")]
    SamePlace {
        /// Which two.
        problem: String,
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
    /// Returns what to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NoResults { .. } | Self::Read { .. } => "name a directory that `cardiogram run --out DIR` wrote",
            Self::Unfinished { .. } => "the same command goes on there",
            Self::OtherUnfinished { .. } => {
                "give that command again to go on, or `--force` to discard it; `--out DIR` writes elsewhere"
            }
            Self::OtherResults { .. } => "`--force` replaces them; `--out DIR` writes elsewhere",
            Self::Foreign { has_manifest: true, .. } => {
                "results of earlier versions have no marker: they can be read; write to a directory that is new or empty"
            }
            Self::Foreign { .. } => "name a directory that is new or empty, or move these away: nothing was written",
            Self::InTheWay { .. } => "move it away, or name another directory: nothing was written",
            Self::Busy { .. } => "wait for its end, or name another directory",
            Self::Format { .. } => "use the version that wrote it, or name another directory",
            Self::SamePlace { .. } => "nothing was written",
            Self::Version { .. } => "use the version that ran, or run again with this one",
            Self::TooLarge { .. } => "take fewer scenarios or seeds at a time",
            Self::Damaged { .. } | Self::Disagree { .. } => {
                "run again: the file was changed or cut short, or the files are of different runs"
            }
            Self::Write { .. } => "what was there before is untouched",
        }
    }
}

fn begun(command: &str) -> String {
    if command.is_empty() { "its journal is damaged".into() } else { format!("`{command}` has not come to its end") }
}

fn of_command(command: &str) -> String {
    if command.is_empty() { String::new() } else { format!(", those of `{command}`") }
}

fn by(holder: &str) -> String {
    if holder.is_empty() { String::new() } else { format!(" ({holder})") }
}

/// Returns what serde says about a JSON text, with the place before it as in every message here.
pub fn in_words(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    format!("line {}: {}", error.line(), message.strip_suffix(&place).unwrap_or(&message))
}
