//! How tokio parks, as the engine of guests relies on it: the hook of `on_thread_park` runs when nothing can run, what it wakes is
//! polled before the clock goes on, and the clock goes from timer to timer by whole milliseconds. tokio promises the hook, not
//! the order; this test says when that changes.

use std::{
    future::{Future, poll_fn},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Poll, Waker},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, advance, sleep, sleep_until},
};

const MS: fn(u64) -> Duration = Duration::from_millis;

#[derive(Default)]
struct Gate {
    holds: AtomicBool,
    stops: AtomicBool,
    idle: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

struct Paused {
    runtime: Runtime,
    gate: Arc<Gate>,
    origin: Instant,
}

impl Paused {
    fn new() -> Self {
        let gate = Arc::new(Gate::default());
        let hook = gate.clone();
        let parks = move || {
            if hook.holds.load(SeqCst) || hook.stops.load(SeqCst) {
                hook.idle.store(true, SeqCst);
                hook.waker.lock().unwrap().iter().for_each(Waker::wake_by_ref);
            }
        };
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).on_thread_park(parks).build();
        let runtime = runtime.unwrap();
        let origin = {
            let _within = runtime.enter();
            Instant::now()
        };
        Self { runtime, gate, origin }
    }

    fn elapsed(&self) -> Duration {
        let _within = self.runtime.enter();
        self.origin.elapsed()
    }

    /// Runs `until`, or to the moment at which the hook stops it.
    fn run(&self, holds: bool, until: impl Future<Output = ()>) {
        self.gate.idle.store(false, SeqCst);
        self.gate.holds.store(holds, SeqCst);
        self.runtime.block_on(async {
            tokio::pin!(until);
            let stopped = poll_fn(|context| {
                *self.gate.waker.lock().unwrap() = Some(context.waker().clone());
                if self.gate.idle.load(SeqCst) { Poll::Ready(()) } else { until.as_mut().poll(context) }
            });
            stopped.await;
        });
    }

    fn settle(&self) {
        self.run(true, std::future::pending());
    }

    fn move_by(&self, by: Duration) {
        self.runtime.block_on(advance(by));
        self.settle();
    }

    fn run_ahead(&self, to: Duration) {
        let at = self.origin + to;
        self.run(false, async move { sleep_until(at).await });
    }
}

/// Logs the times at which a task that sleeps for 100 ms at a time wakes, and stops the runtime at the third.
fn sleeper(paused: &Paused) -> Arc<Mutex<Vec<Duration>>> {
    let log: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let (gate, origin, kept) = (paused.gate.clone(), paused.origin, log.clone());
    paused.runtime.spawn(async move {
        for turn in 1..=6 {
            sleep(MS(100)).await;
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            kept.lock().unwrap().push(origin.elapsed());
            gate.stops.store(turn == 3, SeqCst);
        }
    });
    log
}

#[test]
fn time_stands_still_while_the_hook_holds_it() {
    let paused = Paused::new();
    let log = sleeper(&paused);
    for _ in 0..1_000 {
        paused.settle();
    }
    assert_eq!((paused.elapsed(), log.lock().unwrap().len()), (Duration::ZERO, 0));
    paused.move_by(Duration::from_micros(300));
    assert_eq!(paused.elapsed(), Duration::from_micros(300));
}

#[test]
fn the_clock_runs_ahead_from_timer_to_timer_and_stops_where_the_hook_says() {
    let paused = Paused::new();
    let log = sleeper(&paused);
    paused.run_ahead(MS(2_000));
    assert_eq!((paused.elapsed(), log.lock().unwrap().clone()), (MS(300), vec![MS(100), MS(200), MS(300)]));
    paused.gate.stops.store(false, SeqCst);
    paused.run_ahead(MS(2_000));
    assert_eq!((paused.elapsed(), log.lock().unwrap()[3..].to_vec()), (MS(2_000), vec![MS(400), MS(500), MS(600)]));
}

#[test]
fn timers_fire_on_whole_milliseconds_of_a_clock_that_begins_at_one() {
    let paused = Paused::new();
    let log = sleeper(&paused);
    paused.settle();
    paused.move_by(Duration::from_micros(300));
    paused.move_by(Duration::from_micros(700));
    paused.run_ahead(MS(2_000));
    // From a clock at 0.3 ms they would fire at 100.3 ms and so on.
    assert_eq!(log.lock().unwrap().clone(), [MS(100), MS(200), MS(300)]);
}
