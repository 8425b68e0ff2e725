//! The one runtime of all guests of a world, and its clock, which the engine moves.
//!
//! The runtime is tokio's on one thread, with its clock paused. There are two ways to let it run. [`settle`](Runtime::settle)
//! moves the clock to a moment and runs everything that can run then; time stands still meanwhile.
//! [`run_ahead`](Runtime::run_ahead) lets the clock go from timer to timer, up to the next event of the rest of the world,
//! and stops at the first moment at which a guest does something with a socket. So nobody has to know when the guests' next
//! timer is due, and idle time costs nothing.
//!
//! Both rest on how tokio parks (`tests/parking.rs` holds it): the hook of `on_thread_park` runs when no task can run; where
//! it wakes the future given to `block_on`, the clock does not go on, and that future is polled next. Timers fire on whole
//! milliseconds of the runtime's clock, rounded up, and the clock goes on from where it is found by whole milliseconds: so it
//! is brought to a whole millisecond before it runs ahead, or every later timer would be late by the fraction.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    task::{Poll, Waker},
    thread,
    time::Duration,
};

use cardiogram_policies::{Time, unit::format_duration};
use tokio::time::Instant;

use super::owner::Owner;

/// What tokio's timers count in.
const TICK: Duration = Duration::from_millis(1);

/// The runtime of all guests of a world.
pub(super) struct Runtime {
    tokio: tokio::runtime::Runtime,
    gate: Arc<Gate>,
    origin: Instant,
    /// What the runtime's clock shows.
    clock: Time,
    patience: Duration,
    /// Dropped, it ends the thread that watches.
    _watched: mpsc::Sender<()>,
}

/// What runtime, sockets and nodes share.
#[derive(Default)]
pub(super) struct Gate {
    /// Time stands still: with nothing left to do, the runtime stops.
    holds: AtomicBool,
    /// The runtime has nothing left to do.
    idle: AtomicBool,
    /// A guest has done something with a socket.
    touched: AtomicBool,
    /// Something has happened that a guest waits for.
    woken: AtomicBool,
    /// The run is over: what is dropped now is dropped with everything else.
    over: AtomicBool,
    /// The runtime is at work.
    at_work: AtomicBool,
    /// How often the runtime has had nothing left to do.
    rests: AtomicU64,
    /// It has not for too long.
    is_stuck: AtomicBool,
    /// Whose program it runs, while it runs one.
    runs: Mutex<Option<Owner>>,
    /// What its clock showed when it went to work, in microseconds.
    began: AtomicU64,
    /// A guest has begun work on a thread of its own.
    has_threads: AtomicBool,
    waker: Mutex<Option<Waker>>,
    failure: Mutex<Option<String>>,
    /// The devices whose programs had to come to an end and had not when the run did.
    unfinished: Mutex<Vec<u32>>,
}

impl Gate {
    /// A guest does something with a socket: the clock does not go on before the world has dealt with it.
    pub(super) fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }

    /// Wakes a task that waits for what has happened.
    pub(super) fn wake(&self, waker: Waker) {
        self.woken.store(true, Ordering::Relaxed);
        waker.wake();
    }

    /// A task has been added.
    pub(super) fn has_work(&self) {
        self.woken.store(true, Ordering::Relaxed);
    }

    /// Returns whether the run has ended.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A guest has failed, and the run with it. The first one counts.
    pub(super) fn fail(&self, words: String) {
        lock(&self.failure).get_or_insert(words);
        self.touch();
    }

    /// A device's program that had to come to its end has not.
    pub(super) fn note_unfinished(&self, device: u32) {
        lock(&self.unfinished).push(device);
    }

    fn all_finished(&self) -> Result<(), String> {
        let unfinished = lock(&self.unfinished);
        let Some(first) = unfinished.iter().min() else { return Ok(()) };
        let more = unfinished.len() - 1;
        let others = if more == 0 { String::new() } else { format!(", and those of {more} more,") };
        Err(format!(
            "the program of device {first}{others} had not come to its end when the run did: what it would have tested then was \
             never tested (let it wait for less time, or run it in a longer scenario)"
        ))
    }

    /// Returns whether the runtime is at work.
    pub(super) fn is_at_work(&self) -> bool {
        self.at_work.load(Ordering::Relaxed)
    }

    /// The runtime begins to run, or has run, the program of a host.
    pub(super) fn set_running(&self, owner: Option<Owner>) {
        *lock(&self.runs) = owner;
    }

    /// What the runtime does when it has nothing left to do.
    fn rest(&self) {
        self.rests.fetch_add(1, Ordering::Relaxed);
        if self.holds.load(Ordering::Relaxed) || self.touched.load(Ordering::Relaxed) {
            self.idle.store(true, Ordering::Relaxed);
            self.call();
        }
    }

    /// Has the future that the runtime runs for polled.
    fn call(&self) {
        if let Some(waker) = lock(&self.waker).as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Returns whether to stop; if not, whoever polls is polled again when that changes.
    fn stops(&self, waker: &Waker) -> bool {
        *lock(&self.waker) = Some(waker.clone());
        self.idle.load(Ordering::Relaxed) || self.is_stuck.load(Ordering::Relaxed)
    }

    fn on_one_thread(&self) -> Result<(), String> {
        if !self.has_threads.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err("a guest has work done on another thread: `spawn_blocking`, files and the look-up of names end in the machine's \
             time, not in the lab's; do that before the run, and connect to addresses"
            .into())
    }

    async fn until_idle(&self) {
        poll_fn(|context| if self.stops(context.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Looks from time to time whether the runtime still comes to rest. Of all that is done here only this looks at the time of
    /// the machine: nothing else ends a guest that is never done, and it ends the run with an error. Where tasks go on and on the
    /// runtime is told to stop. Where one of them does not come back from a poll, nothing in the program can stop it: `blocked` is
    /// told, in words, and the thread is given up.
    fn watch(&self, patience: Duration, over: &mpsc::Receiver<()>, blocked: impl FnOnce(String)) {
        const LOOKS: u32 = 8;
        let mut seen = (0, 0);
        while over.recv_timeout(patience / LOOKS) == Err(RecvTimeoutError::Timeout) {
            let rests = self.rests.load(Ordering::Relaxed);
            let times = if seen.0 == rests && self.at_work.load(Ordering::Relaxed) { seen.1 + 1 } else { 0 };
            seen = (rests, times);
            if times >= LOOKS {
                self.is_stuck.store(true, Ordering::Relaxed);
                self.call();
            }
            // It had the time of two looks to stop.
            if times >= LOOKS + 2 {
                blocked(self.blocked(patience));
                return;
            }
        }
    }

    fn blocked(&self, patience: Duration) -> String {
        let who = match *lock(&self.runs) {
            Some(owner) => format!("the program of {owner}"),
            None => "a task that a guest had spawned".into(),
        };
        let at = Time::from_micros(self.began.load(Ordering::Relaxed)).as_secs_f64();
        let patience = format_duration(patience);
        format!(
            "{who} blocks its thread: it has not come back from one poll for more than {patience}, after {at} s of the run (work \
             without an `.await`, a lock, `std::thread::sleep`, a read from a file or the terminal?); nothing can end it, and its \
             thread is left as it is until this process ends"
        )
    }
}

/// Locks what is never locked for long, and whose content is whole at every moment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Runtime {
    /// A runtime at the time zero; `patience`: how long a moment may take, in the time of this machine. `blocked` is told, in words,
    /// where a guest holds up the thread for ever.
    pub(super) fn new(patience: Duration, blocked: impl FnOnce(String) + Send + 'static) -> Result<Self, String> {
        let gate = Arc::new(Gate::default());
        let (resting, threads) = (gate.clone(), gate.clone());
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .on_thread_park(move || resting.rest())
            .on_thread_start(move || threads.has_threads.store(true, Ordering::Relaxed))
            .build()
            .map_err(|error| format!("no runtime for guests: {error}"))?;
        let origin = {
            let _within = tokio.enter();
            Instant::now()
        };
        let (watched, over) = mpsc::channel();
        let watching = gate.clone();
        thread::Builder::new()
            .name("guests' watch".into())
            .spawn(move || watching.watch(patience, &over, blocked))
            .map_err(|error| format!("no thread to watch guests: {error}"))?;
        Ok(Self { tokio, gate, origin, clock: Time::ZERO, patience, _watched: watched })
    }

    pub(super) const fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Returns the moment of the runtime's clock that is the world's zero.
    pub(super) const fn origin(&self) -> Instant {
        self.origin
    }

    pub(super) fn handle(&self) -> tokio::runtime::Handle {
        self.tokio.handle().clone()
    }

    /// Returns what its clock shows.
    pub(super) const fn clock(&self) -> Time {
        self.clock
    }

    /// Returns whether a guest has something to do now.
    pub(super) fn is_woken(&self) -> bool {
        self.gate.woken.load(Ordering::Relaxed)
    }

    /// Moves the clock to `now`, before which no timer is due, and runs everything that can run then.
    pub(super) fn settle(&mut self, now: Time) -> Result<(), String> {
        let by = now.since(self.clock);
        self.clock = now;
        self.run(true, async |gate| {
            if !by.is_zero() {
                tokio::time::advance(by).await;
            }
            gate.until_idle().await;
        })
    }

    /// Lets the clock run to `until`, which is excluded, or to the first moment at which a guest does something with a socket.
    /// Returns whether one has.
    pub(super) fn run_ahead(&mut self, until: Time) -> Result<bool, String> {
        let whole = |micros: u64| Time::from_millis(micros / TICK.as_micros() as u64);
        let now = self.clock;
        let aligned = whole(now.as_micros() + TICK.as_micros() as u64 - 1);
        let target = whole(until.as_micros().saturating_sub(1));
        // Timers fire on whole milliseconds only.
        if aligned > target || target == now {
            return Ok(false);
        }
        let origin = self.origin;
        self.run(aligned == target, async move |gate| {
            if aligned > now {
                tokio::time::advance(aligned.since(now)).await;
            }
            if target > aligned {
                let mut sleep = pin!(tokio::time::sleep_until(origin + target.since(Time::ZERO)));
                let stopped = poll_fn(|context| {
                    if gate.stops(context.waker()) {
                        return Poll::Ready(true);
                    }
                    sleep.as_mut().poll(context).map(|()| false)
                });
                if stopped.await {
                    return;
                }
                gate.holds.store(true, Ordering::Relaxed);
            }
            gate.until_idle().await;
        })?;
        let _within = self.tokio.enter();
        self.clock = Time::ZERO + origin.elapsed();
        Ok(self.gate.touched.load(Ordering::Relaxed))
    }

    /// Runs guests as long as `work` lasts.
    fn run(&mut self, holds: bool, work: impl AsyncFnOnce(&Gate)) -> Result<(), String> {
        let gate = &self.gate;
        gate.touched.store(false, Ordering::Relaxed);
        gate.idle.store(false, Ordering::Relaxed);
        gate.holds.store(holds, Ordering::Relaxed);
        gate.began.store(self.clock.as_micros(), Ordering::Relaxed);
        gate.at_work.store(true, Ordering::Relaxed);
        self.tokio.block_on(work(gate));
        gate.at_work.store(false, Ordering::Relaxed);
        // Whoever was woken by now has run.
        gate.woken.store(false, Ordering::Relaxed);
        self.failed()
    }

    /// Returns what has gone wrong with a guest, as an error.
    fn failed(&self) -> Result<(), String> {
        if let Some(words) = lock(&self.gate.failure).take() {
            return Err(words);
        }
        if self.gate.is_stuck.load(Ordering::Relaxed) {
            let _within = self.tokio.enter();
            let at = self.origin.elapsed().as_secs_f64();
            let patience = format_duration(self.patience);
            return Err(format!(
                "a guest is never done: at {at} s of the run its tasks went on for more than {patience} without waiting for \
                 time or for a socket (a loop that reads the end of a stream again and again, or one that yields and yields?)"
            ));
        }
        self.gate.on_one_thread()
    }

    /// Ends the run: drops all tasks, whose sockets send nothing more.
    pub(super) fn end(self) -> Result<(), String> {
        let gate = self.gate.clone();
        gate.over.store(true, Ordering::Relaxed);
        drop(self);
        // A thread may have told only now that it had been started.
        gate.on_one_thread()?;
        gate.all_finished()
    }
}
