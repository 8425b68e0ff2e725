//! What a person sees of a plan that is being carried out: a bar on a terminal, notes, and what Ctrl-C does.
//!
//! The clock is looked at here and nowhere else: nothing of it comes into a result.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cardiogram_scenarios::runner::Progress;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::cli::print_line;

/// Set by Ctrl-C: the runs under way are finished, no further one begins.
static STOP: AtomicBool = AtomicBool::new(false);

/// Watches a plan from its begin to its end.
pub(super) struct Watch {
    bar: ProgressBar,
    quiet: bool,
    seen: Arc<Mutex<Seen>>,
}

/// How far the plan has come.
#[derive(Default)]
struct Seen {
    finished: usize,
    cells: usize,
    /// When the cells under way were begun, by their places.
    running: BTreeMap<usize, Instant>,
}

impl Watch {
    pub(super) fn start(quiet: bool) -> Self {
        let bar = if quiet || !io::stderr().is_terminal() { ProgressBar::hidden() } else { bar() };
        let watch = Self { bar, quiet, seen: Arc::default() };
        watch.stop_on_interrupt();
        watch
    }

    /// Becomes true when no further run should begin.
    #[expect(clippy::unused_self, reason = "only who watches is told")]
    pub(super) fn stop(&self) -> &'static AtomicBool {
        &STOP
    }

    pub(super) fn see(&self, step: Progress) {
        let mut seen = seen(&self.seen);
        match step {
            Progress::Start { finished, cells } => {
                (seen.finished, seen.cells) = (finished, cells);
                self.bar.set_length(cells as u64);
                // What was done before says nothing about how long the rest will take.
                self.bar.set_position(finished as u64);
                self.bar.reset_eta();
                if finished > 0 {
                    self.say(&format!("going on: {finished} of {cells} runs are finished already"));
                }
            }
            Progress::CellBegun(place) => {
                seen.running.insert(place, now());
            }
            Progress::CellFinished(place) => {
                seen.running.remove(&place);
                seen.finished += 1;
                self.bar.set_position(seen.finished as u64);
            }
        }
    }

    /// Prints a note, above the bar.
    pub(super) fn say(&self, note: &str) {
        if !self.quiet {
            self.bar.suspend(|| print_line(note));
        }
    }

    /// Removes the bar and returns how many runs are finished.
    pub(super) fn end(self) -> usize {
        self.bar.finish_and_clear();
        seen(&self.seen).finished
    }

    /// The first Ctrl-C ends the run in good order, the second at once.
    fn stop_on_interrupt(&self) {
        let (bar, seen_by_all) = (self.bar.clone(), Arc::clone(&self.seen));
        let handler = move || {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            let words = seen(&seen_by_all).ending();
            bar.suspend(|| print_line(&words));
        };
        // Without a handler Ctrl-C ends the process, and the journal keeps what was finished all the same.
        let _ = ctrlc::set_handler(handler);
    }
}

impl Seen {
    /// Returns what a person is told who wants it to end.
    fn ending(&self) -> String {
        let longest = self.running.values().map(Instant::elapsed).max();
        let runs = if self.running.len() == 1 { "run" } else { "runs" };
        let since = longest.map_or_else(String::new, |it| format!(", the longest under way for {} s", it.as_secs()));
        format!("finishing {} {runs}{since}; Ctrl-C again to end now", self.running.len())
    }
}

fn seen(of: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    of.lock().expect("nothing panics that watches")
}

#[expect(clippy::disallowed_methods, reason = "a person is told how long it takes")]
fn now() -> Instant {
    Instant::now()
}

fn bar() -> ProgressBar {
    let to_go = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Before the first run is finished nothing is known.
        let words = match state.eta() {
            Duration::ZERO if state.len() == Some(0) || Some(state.pos()) < state.len() => {
                "how long is not known yet".into()
            }
            eta => format!("{} s to go", eta.as_secs()),
        };
        let _ = out.write_str(&words);
    };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {to_go}").expect("the template is valid");
    let bar = ProgressBar::new(0).with_style(style.with_key("to_go", to_go));
    // So that the time to go counts down while long runs are under way.
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}
