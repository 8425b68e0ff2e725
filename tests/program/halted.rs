//! What a command that was stopped halfway may leave behind, for the tests that stop one: `disk` at every change of the file
//! system, `killed` at random moments.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use kit::place::Place;

pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A command that is to be stopped, and what it comes to where nobody disturbs it.
pub(crate) struct Halted<'a> {
    /// The command, without `--quiet`. It writes to the folder `out`.
    pub(crate) command: &'a str,
    /// The files in `out` before it; none where the folder is not there.
    pub(crate) old: Files,
    /// Those after it.
    pub(crate) new: Files,
    /// How many runs it has; 0 where it runs nothing.
    pub(crate) runs: usize,
}

impl<'a> Halted<'a> {
    /// Carries the command out in a place that is as each of those in which it is stopped.
    pub(crate) fn new(command: &'a str, place: &Place, runs: usize) -> Self {
        let old = files(place);
        place.cardiogram(&format!("{command} -q")).good();
        Self { command, old, new: files(place), runs }
    }

    /// Checks what is there after a stop: a reader of the results finds the old or the new ones, or is told why not; and a
    /// report is the old or the new one. `after` says what stopped it.
    pub(crate) fn check_between(&self, place: &Place, after: &str) {
        let now = files(place);
        let is = |all: &Files, of: &dyn Fn(&Path) -> bool| {
            let part = |files: &Files| files.clone().into_iter().filter(|(name, _)| of(name)).collect::<Files>();
            part(all) == part(&now)
        };
        let is_report = |name: &Path| name.starts_with("report");
        let no_report = !now.keys().any(|name| is_report(name));
        assert!(no_report || is(&self.old, &is_report) || is(&self.new, &is_report), "{}: {after}", self.command);

        let done = place.cardiogram("baseline out --out read.json -q");
        match done.code {
            Some(0) => {
                let is_table = |name: &Path| !is_report(name);
                assert!(is(&self.old, &is_table) || is(&self.new, &is_table), "{}: {after}", self.command);
            }
            Some(2) => {
                let words = ["no finished results", "disagree", "not the whole plan"];
                assert!(words.iter().any(|words| done.err.contains(words)), "{}: {after}: {}", self.command, done.err);
            }
            code => panic!("{}: {after}: {code:?} {}", self.command, done.err),
        }
    }

    /// Gives the command again and checks that it ends as if nobody had disturbed it, and repeats no run that was finished.
    pub(crate) fn check_end(&self, place: &Place, after: &str) {
        let finished = noted(place);
        let again = place.cardiogram(self.command);
        assert_eq!(again.code, Some(0), "{}: after {after}: {}", self.command, again.err);
        assert!(files(place) == self.new, "{}: after {after}", self.command);
        if self.runs > 0 && finished > 0 {
            let words = format!("going on: {finished} of {} runs are finished already", self.runs);
            assert!(again.err.contains(&words), "{}: after {after}: {}", self.command, again.err);
        }
    }
}

/// Returns how many runs the journal in `out` has, each of which must be there once.
pub(crate) fn noted(place: &Place) -> usize {
    let text = fs::read_to_string(place.path("out/.cardiogram/journal")).unwrap_or_default();
    // Without an end a line is what a kill cut short.
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).skip(1);
    let cell = |line: &str| line.split_once(" [")?.1.split_once(',')?.0.parse::<usize>().ok();
    let cells: Vec<usize> = lines.map(|line| cell(line).unwrap_or_else(|| panic!("{line}"))).collect();
    assert_eq!(cells.iter().collect::<BTreeSet<_>>().len(), cells.len(), "a finished run was run again: {cells:?}");
    cells.len()
}

fn files(place: &Place) -> Files {
    if place.path("out").exists() { place.files("out") } else { Files::new() }
}
