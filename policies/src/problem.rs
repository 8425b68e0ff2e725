//! What is wrong with data that a person wrote, in a form that can be shown to that person: where, what, and what to write
//! instead. Strategies, worlds and scenarios report their contradictions as this; showing them is the reader's business.

/// A contradiction between parameters that are each valid alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key that should change, as a dotted path from the top of the file: `heartbeat.fixed.timeout`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Problem {
    /// Makes a problem at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), help: help.into() }
    }
}
