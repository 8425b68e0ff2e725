//! What is wrong with data that a person wrote, in a form that can be shown to that person: where, what, and what to write
//! instead. Strategies, worlds and scenarios report their contradictions as this; showing them is the reader's business.

use crate::unit::Span;

/// A contradiction between parameters that are each valid alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key that should change, as a dotted path from the top of the file: `heartbeat.fixed.timeout`.
    pub path: String,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to write instead, in the same form.
    pub help: String,
}

impl Problem {
    /// Makes a problem at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), help: help.into() }
    }
}

/// Collects what is wrong with the parameters at one path.
pub(crate) struct Problems {
    path: &'static str,
    found: Vec<Problem>,
}

impl Problems {
    /// Begins with none at `path`.
    pub(crate) const fn at(path: &'static str) -> Self {
        Self { path, found: Vec::new() }
    }

    /// Adds one at the parameter `key`.
    pub(crate) fn add(&mut self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Problem::new(format!("{}.{key}", self.path), message, help));
    }

    /// Adds one if `timeout`, the parameter `key`, is longer than an interval: a beat is judged before the next.
    pub(crate) fn check_timeout(&mut self, key: &str, timeout: Span, which: &str, interval: Span) {
        if timeout > interval {
            let message = format!("a timeout of {timeout} is longer than the {which} interval, {interval}");
            self.add(key, message, format!("use at most \"{interval}\""));
        }
    }

    /// Adds one if `count`, the parameter `key`, is not within `least` to 1000.
    pub(crate) fn check_count(&mut self, key: &str, count: u32, least: u32) {
        if !(least..=1000).contains(&count) {
            let message = format!("{count} is outside {least} to 1000");
            self.add(key, message, format!("use {}", count.clamp(least, 1000)));
        }
    }

    /// Returns them all.
    pub(crate) fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}
