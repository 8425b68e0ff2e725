//! Why the program of a host does not run, and what waits until it does. What the kernel makes of it is in `sleep`.

use std::task::Waker;

use cardiogram_policies::Time;

/// What a host's program waits for.
#[derive(Default)]
pub(super) struct Waits {
    /// The process stands still.
    pub(super) is_still: bool,
    /// Something has been told to it meanwhile.
    pub(super) was_told: bool,
    /// The last moment at which something other than its own timers let the program run, or an alarm.
    pub(super) roused: Option<Time>,
    /// When the device lets a timer fire that waits.
    pub(super) alarm: Option<Time>,
    /// Who waits for the program to go on.
    pub(super) held: Vec<Waker>,
    /// The sockets that it has dropped meanwhile, by timers of tasks that it had spawned.
    pub(super) put_off: Vec<u32>,
}
