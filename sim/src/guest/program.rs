//! The programs of guests: what one is, how it is started, and how it ends.

use std::{
    any::Any,
    error::Error,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use tokio::{runtime::Handle, task::AbortHandle, time::Instant};

use super::{
    kernel::Kernel,
    net::Machine,
    runtime::{Gate, Runtime},
};

/// How a guest's program ends. An error ends the run, as a panic does.
pub type Result = std::result::Result<(), Box<dyn Error + Send + Sync>>;

pub(super) type Task = Pin<Box<dyn Future<Output = Result> + Send>>;
pub(super) type Program = Arc<dyn Fn(Machine) -> Task + Send + Sync>;

/// Returns a program that has to come to its end before the run does.
pub(super) fn ending(program: Program) -> Program {
    Arc::new(move |machine| {
        let program = program.clone();
        let mut under_way = UnderWay { machine: machine.clone(), has_ended: false };
        Box::pin(async move {
            let ended = program(machine).await;
            under_way.end();
            ended
        })
    })
}

/// A program on its way to its end.
struct UnderWay {
    machine: Machine,
    has_ended: bool,
}

impl UnderWay {
    const fn end(&mut self) {
        self.has_ended = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.has_ended {
            self.machine.note_unfinished();
        }
    }
}

/// What starts programs.
#[derive(Clone)]
pub(super) struct Starter {
    handle: Handle,
    gate: Arc<Gate>,
    origin: Instant,
}

impl Starter {
    pub(super) fn new(runtime: &Runtime) -> Self {
        Self { handle: runtime.handle(), gate: runtime.gate().clone(), origin: runtime.origin() }
    }

    pub(super) const fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Starts a program; its end is an end of the run where it is a failure.
    pub(super) fn start(&self, program: Program, kernel: &Arc<Mutex<Kernel>>) -> AbortHandle {
        let gate = self.gate.clone();
        let machine = Machine::new(kernel.clone(), gate.clone(), self.origin);
        let task = self.handle.spawn(async move {
            let whose = machine.owner();
            let own = machine.clone();
            let Err(how) = carry_out(move || program(own), &machine, &gate).await else { return };
            gate.fail(format!("the program of {whose} {how}, {} s into the run", machine.now().as_secs_f64()));
        });
        self.gate.has_work();
        task.abort_handle()
    }

    /// Ends a program where it stands.
    pub(super) fn kill(&self, task: &AbortHandle) {
        task.abort();
        self.gate.has_work();
    }
}

/// Runs a program to its end, but for when its process stands still. The error says how it failed.
async fn carry_out(program: impl FnOnce() -> Task, machine: &Machine, gate: &Gate) -> std::result::Result<(), String> {
    let panicked = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        format!("panicked (\"{}\")", text.as_deref().unwrap_or("with no text"))
    };
    let owner = machine.owner();
    gate.set_running(Some(owner));
    let task = catch_unwind(AssertUnwindSafe(program));
    gate.set_running(None);
    let mut task = task.map_err(panicked)?;
    let done = poll_fn(|context| {
        if machine.poll_goes_on(context).is_pending() {
            return Poll::Pending;
        }
        gate.set_running(Some(owner));
        let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context)));
        gate.set_running(None);
        match polled {
            Ok(poll) => poll.map(|done| done.map_err(|error| format!("ended with an error (\"{error}\")"))),
            Err(panic) => Poll::Ready(Err(panicked(panic))),
        }
    });
    done.await
}
