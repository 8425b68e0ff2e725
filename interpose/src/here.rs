//! What is simulated on this thread, if anything is. Whoever asks may be anywhere in the program, in its allocator or at the end of its
//! thread: nothing here allocates or panics, and a thread without a run looks at one flag.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use cardiogram_sim::guest::RunClock;

thread_local! {
    /// Without a destructor: it can be looked at at any time.
    static IS_SIMULATED: Cell<bool> = const { Cell::new(false) };
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

struct Run {
    chance: u64,
    clock: RunClock,
}

/// From now on this thread finds the time of `clock`, and bytes that follow from `seed`.
pub(crate) fn begin(seed: u64, clock: RunClock) {
    RUN.set(Some(Run { chance: seed, clock }));
    IS_SIMULATED.set(true);
}

/// From now on it finds what the system says.
pub(crate) fn end() {
    IS_SIMULATED.set(false);
    RUN.set(None);
}

/// Returns the time since the begin of the run; `None` where the system is to be asked.
pub(crate) fn elapsed() -> Option<Duration> {
    with_run(|run| run.clock.elapsed()).flatten()
}

/// Returns the next eight bytes; `None` where the system is to be asked. The generator is `SplitMix64` (Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", 2014).
pub(crate) fn next_bytes() -> Option<[u8; 8]> {
    with_run(|run| {
        run.chance = run.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (run.chance ^ (run.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    })
}

/// Does something with the run of this thread. Whoever asks for the time because he is asked for it is not answered again.
fn with_run<T>(act: impl FnOnce(&mut Run) -> T) -> Option<T> {
    if !IS_SIMULATED.get() {
        return None;
    }
    RUN.try_with(|run| run.try_borrow_mut().ok()?.as_mut().map(act)).ok().flatten()
}
