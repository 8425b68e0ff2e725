//! Whose fault it is when a point cannot be: from what is wrong with its text, which nobody wrote, to the place in the plan
//! file that brings it about.

use cardiogram_policies::Problem;
use toml::{Table, Value};

use super::key::{Key, Of};
use crate::{diagnostic::Invalid, document};

/// The most problems that are told of one plan file.
const PROBLEMS_MAX: usize = 20;

/// A key that takes another value than in the base.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) key: Key,
    pub(super) value: Value,
    /// The value for people.
    pub(super) text: String,
    /// Where the plan file names the key.
    pub(super) key_place: String,
    /// Where it gives the value.
    pub(super) value_place: String,
}

/// Collects what is wrong, each thing once.
pub(super) struct Blame {
    found: Vec<Problem>,
    /// There are several strategies, so that messages say which.
    names_bases: bool,
}

impl Blame {
    pub(super) const fn new(names_bases: bool) -> Self {
        Self { found: Vec::new(), names_bases }
    }

    /// Returns what was found, if anything was.
    pub(super) fn verdict(&mut self) -> Result<(), Vec<Problem>> {
        self.found.truncate(PROBLEMS_MAX);
        if self.found.is_empty() { Ok(()) } else { Err(std::mem::take(&mut self.found)) }
    }

    /// Makes the changes to the file of `base`; `None` where one cannot be made.
    pub(super) fn set(&mut self, file: &mut Table, changes: &[Change], of: Of, base: &str) -> Option<()> {
        for change in changes {
            if let Err((message, help)) = change.key.set(file, of, change.value.clone()) {
                let message = format!("{}`{}`: {message}", self.whose(base, of), change.key);
                self.add(Problem::new(&change.key_place, message, help));
                return None;
            }
        }
        Some(())
    }

    /// Returns what was read from the changed `text` of `base`; `None` where it could not be.
    pub(super) fn read<T>(
        &mut self,
        base: &str,
        of: Of,
        read: Result<T, Invalid>,
        text: &str,
        changes: &[Change],
    ) -> Option<T> {
        let invalid = match read {
            Ok(value) => return Some(value),
            Err(invalid) => invalid,
        };
        for found in invalid.diagnostics() {
            let (path, mut is_key) =
                found.span.as_ref().and_then(|span| document::path_at(text, span)).unwrap_or_default();
            let mut help = found.help.clone().unwrap_or_default();
            if found.message == document::SEVERAL_KINDS {
                is_key = true;
                help =
                    format!("`{path}` of `{base}` is of another kind; set a key of that, or start from another {of}");
            }
            let whose = self.whose(base, of);
            self.blame(&whose, &path, is_key, &found.message, help, changes);
        }
        None
    }

    /// Adds a problem at `path` of a point that differs from its base in these changes.
    fn blame(&mut self, whose: &str, path: &str, is_key: bool, message: &str, help: String, changes: &[Change]) {
        let at = Key::parse(path).unwrap_or_default();
        // The change nearest to it, and of those that are equally near the last: what varies comes after what is set.
        let Some(change) = changes.iter().max_by_key(|change| change.key.common(&at)) else {
            // Without changes it is the base and the strategies themselves that do not fit.
            self.add(Problem::new("strategies", format!("{whose}{path}: {message}"), help));
            return;
        };
        let common = change.key.common(&at);
        let covers = common > 0 && (common == change.key.len() || common == at.len());
        let place = if is_key && covers { &change.key_place } else { &change.value_place };
        let message = match (covers, is_key) {
            (true, true) => format!("{whose}`{}`: {message}", change.key),
            (true, false) => format!("{whose}`{}` = {}: {message}", change.key, change.text),
            (false, _) => {
                let with =
                    changes.iter().map(|it| format!("`{}` = {}", it.key, it.text)).collect::<Vec<_>>().join(", ");
                let path = if path.is_empty() { String::new() } else { format!(" `{path}`:") };
                format!("{whose}with {with}:{path} {message}")
            }
        };
        self.add(Problem::new(place, message, help));
    }

    fn add(&mut self, problem: Problem) {
        if self.found.len() < PROBLEMS_MAX && !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    fn whose(&self, base: &str, of: Of) -> String {
        if self.names_bases && of == Of::Strategy { format!("{base}: ") } else { String::new() }
    }
}
