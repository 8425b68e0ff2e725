//! Guests: real asynchronous programs on the hosts of a world, in its time.
//!
//! A guest is a future that uses tokio: its tasks, timers, channels, and any crate over `AsyncRead` and `AsyncWrite`. In place
//! of `tokio::net` it has the sockets of its [`Machine`], which are the lab's own TCP. What is sent is packets of the world:
//! NATs forget them, links lose them, and records, captures and the truth have them, as those of the lab's own devices.
//!
//! What is exact: packets and the timers of TCP, to the microsecond. The guests' timers are tokio's, which fire on whole
//! milliseconds. What a guest computes takes no time.
//!
//! - `runtime`: the one runtime of all guests, and its clock.
//! - `kernel`, `socket`: the sockets of a host.
//! - `owner`: whose a host is.
//! - `process`: how its process and its power end and come back.
//! - `sleep`, `waits`: when the device lets the program run, and what waits until then.
//! - `life`: what happens to a device.
//! - `sessions`: which connection of a device is its session.
//! - `net`: what a guest sees of all that.
//! - `system`: what can stand between it and the operating system.
//! - `program`: what runs on it, and how that ends.
//! - `node`: hosts as parts of the world.
//!
//! What the lab calls a session of a guest: a device has one from the moment at which its connection is established, and a server
//! from the moment at which it accepts it. A device that drops a connection, or shuts its own direction of it down, has given the
//! session up; one whose connection ends with RST, FIN or a timeout of TCP has lost it.

mod kernel;
mod life;
mod net;
mod node;
mod owner;
mod process;
mod program;
mod runtime;
mod sessions;
mod sleep;
mod socket;
mod system;
#[cfg(test)]
mod tests;
mod waits;

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use cardiogram_policies::{Problem, Time};
use rand_core::Rng as _;

pub use self::{
    net::{Machine, TcpListener, TcpStream},
    program::Result,
    system::{RunClock, System},
};
use self::{
    node::GuestNode,
    program::{Program, Starter},
    runtime::Runtime,
    system::OnThread,
};
use crate::{
    config::{Cost, DeviceEffect, OnWaking, SecondSession, ServerEffect, Target, WorldConfig},
    engine::{Engine, RunError, RunOptions, event},
    fate::random,
    nodes::{
        inbox::Flight,
        node::{Host, Node},
        world::{self, Others},
    },
    run::Judged,
    verdict::outcome::Outcome,
};

/// The programs of a world: one for its devices, and one for each of its servers.
#[derive(Clone)]
pub struct Guests {
    devices: Option<Program>,
    /// On all servers that have none of their own.
    servers: Option<Program>,
    of_server: BTreeMap<u32, Program>,
    patience: Duration,
    parameters: String,
    system: Option<Arc<dyn System>>,
    /// They speak the lab's own protocol, so that the lab's own hosts understand them.
    #[cfg(test)]
    speak_as_the_lab: bool,
}

impl Default for Guests {
    fn default() -> Self {
        Self {
            devices: None,
            servers: None,
            of_server: BTreeMap::new(),
            patience: Duration::from_secs(30),
            parameters: String::new(),
            system: None,
            #[cfg(test)]
            speak_as_the_lab: false,
        }
    }
}

impl Guests {
    /// No guests.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the program of every device. It is started when the device is.
    #[must_use]
    pub fn devices<F: Future<Output = Result> + Send + 'static>(
        self,
        program: impl Fn(Machine) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { devices: Some(boxed(program)), ..self }
    }

    /// Sets a program of every device that has to come to its end before the run does, as a test has to: one that is still under way
    /// then has tested nothing, and ends the run with an error.
    #[must_use]
    pub fn device_tests<F: Future<Output = Result> + Send + 'static>(
        self,
        program: impl Fn(Machine) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { devices: Some(program::ending(boxed(program))), ..self }
    }

    /// Sets the program of every server. It is started at the begin of the run.
    #[must_use]
    pub fn servers<F: Future<Output = Result> + Send + 'static>(
        self,
        program: impl Fn(Machine) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { servers: Some(boxed(program)), ..self }
    }

    /// Sets the program of one server, counted from 0.
    #[must_use]
    pub fn server<F: Future<Output = Result> + Send + 'static>(
        mut self,
        number: u32,
        program: impl Fn(Machine) -> F + Send + Sync + 'static,
    ) -> Self {
        self.of_server.insert(number, boxed(program));
        self
    }

    /// Sets how long guests may go on at one moment of the run without waiting for anything, in the time of this machine. Default
    /// 30 s. A guest that takes longer is taken for one that is never done, and ends the run with an error.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sets in words what the programs were told that is not in their code, by arguments or the environment of the process. Results
    /// are kept for a program and what it was told: under other words everything is run anew. Default: nothing.
    #[must_use]
    pub fn with_parameters(self, parameters: impl Into<String>) -> Self {
        Self { parameters: parameters.into(), ..self }
    }

    /// Sets what stands between the programs and the operating system, `cardiogram_interpose::Interposed` for instance. Default: nothing;
    /// a program that asks the system for the time, or for random bytes, finds those of the machine.
    #[must_use]
    pub fn with_system(self, system: impl System + 'static) -> Self {
        Self { system: Some(Arc::new(system)), ..self }
    }

    /// Returns what [`with_parameters`](Self::with_parameters) has set.
    pub(crate) fn parameters(&self) -> &str {
        &self.parameters
    }

    fn of_server(&self, server: u32) -> Option<&Program> {
        self.of_server.get(&server).or(self.servers.as_ref())
    }

    /// Returns what of a world guests do not know, with paths as in a scenario file; empty where they can run in it.
    pub fn problems(&self, world: &WorldConfig) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |is_there: bool, path: &str, what: &str| {
            if is_there {
                let help = "use a scenario without it, or the lab's own devices and servers";
                found.push(Problem::new(path, format!("{what}, which guests do not have"), help));
            }
        };
        let server = &world.server;
        add(world.traffic.has_up() || world.traffic.has_down(), "traffic", "these are messages of the lab's own");
        add(world.wakeup.is_some(), "wakeup", "this is a push service for the lab's own devices");
        if self.devices.is_some() {
            let first = world.devices.on_waking != OnWaking::InputFirst;
            add(first, "devices.on_waking", "these are runtimes of the lab's own devices");
        }
        if (0..server.count).any(|number| self.of_server(number).is_some()) {
            let costs = [&server.accept_cost, &server.heartbeat_cost, &server.message_cost];
            add(costs.iter().any(|cost| **cost != Cost::ZERO), "server", "these are costs of the lab's own servers");
            add(server.login.is_some(), "server.login", "this is the login of the lab's own servers");
            add(server.logins_per_s.is_some(), "server.logins_per_s", "this is the login of the lab's own servers");
            add(server.keepalive.is_some(), "server.keepalive", "the lab's own servers ask for it");
            add(server.max_age.is_some(), "server.max_age", "the lab's own servers see to it");
            let refuses = server.second_session == SecondSession::Refused;
            add(refuses, "server.second_session", "the lab's own servers see to it");
            let first = server.on_waking != OnWaking::InputFirst;
            add(first, "server.on_waking", "these are runtimes of the lab's own servers");
        }
        for (place, fault) in world.faults.iter().enumerate() {
            let fault = fault.facts();
            let on_guest = |server: Option<u32>| {
                let mut servers = 0..world.server.count;
                servers.any(|number| server.is_none_or(|of| of == number) && self.of_server(number).is_some())
            };
            let what = match fault.target {
                Target::Server {
                    effect: ServerEffect::Stops | ServerEffect::Dies | ServerEffect::Silences(_), ..
                } if fault.whom.is_none() => {
                    continue;
                }
                Target::Server { server, .. } if on_guest(server) => "this happens to the lab's own servers",
                Target::Device(DeviceEffect::SendsMalformed) if self.devices.is_some() => {
                    "this is what the lab's own devices send"
                }
                _ => continue,
            };
            add(true, &format!("faults[{place}]"), what);
        }
        let lacks = (0..server.count).find(|number| self.of_server(*number).is_none());
        let lacks = lacks.map(|number| format!("server {number}"));
        let lacks = lacks.or_else(|| self.devices.is_none().then(|| "devices".into()));
        if let Some(lacks) = lacks.filter(|_| !self.speak_as_the_lab()) {
            let message =
                format!("there is no program for {lacks}, and the lab's own do not speak the guests' protocol");
            found.push(Problem::new("heartbeat.guest", message, "give all hosts one, by `devices` and `servers`"));
        }
        for number in self.of_server.keys().filter(|number| **number >= server.count) {
            let message = format!("a guest is meant for server {number}, and there are {}", server.count);
            found.push(Problem::new("server.count", message, "servers are counted from 0"));
        }
        found
    }
}

#[cfg(test)]
impl Guests {
    fn speaking_as_the_lab(self) -> Self {
        Self { speak_as_the_lab: true, ..self }
    }

    const fn speak_as_the_lab(&self) -> bool {
        self.speak_as_the_lab
    }
}

#[cfg(not(test))]
impl Guests {
    #[expect(clippy::unused_self, reason = "tests of the lab have guests of which it depends")]
    const fn speak_as_the_lab(&self) -> bool {
        false
    }
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guests").field("devices", &self.devices.is_some()).finish_non_exhaustive()
    }
}

fn boxed<F: Future<Output = Result> + Send + 'static>(
    program: impl Fn(Machine) -> F + Send + Sync + 'static,
) -> Program {
    Arc::new(move |machine| Box::pin(program(machine)))
}

/// Runs the world of `seed` with guests on its hosts, on the event engine. The world's strategy decides nothing.
///
/// It fails on a world with problems, those of [`Guests::problems`] included, on another engine, and where a guest does not do
/// what a guest has to: it ends with an error or a panic, is never done, or has its work done on other threads. One that blocks
/// its thread for ever leaves that thread behind until the process ends.
pub fn run_guests(
    config: &WorldConfig,
    seed: u64,
    options: &RunOptions,
    guests: &Guests,
) -> std::result::Result<Outcome, RunError> {
    let mut problems = config.problems();
    problems.extend(guests.problems(config));
    if !problems.is_empty() {
        return Err(RunError::World(problems));
    }
    if options.engine != Engine::Event {
        return Err(RunError::Guest("guests run on the event engine, and on no other".into()));
    }
    // On a thread of its own, which a guest that blocks it can keep.
    let (tell, told) = mpsc::channel();
    let (config, options, guests, blocked) = (config.clone(), *options, guests.clone(), tell.clone());
    let run = move || {
        let blocked = move |words| drop(blocked.send(Told::Blocked(words)));
        let result = run_here(&config, seed, &options, &guests, blocked);
        // Whoever listens no more has been told that this thread is blocked.
        let _ = tell.send(Told::Ended(result.map(Box::new)));
    };
    let thread = thread::Builder::new()
        .name("guests".into())
        .stack_size(STACK)
        .spawn(run)
        .map_err(|error| RunError::Guest(format!("no thread to run guests on: {error}")))?;
    match told.recv() {
        Ok(Told::Blocked(words)) => Err(RunError::Guest(words)),
        Ok(Told::Ended(result)) => {
            let _ = thread.join();
            result.map(|outcome| *outcome)
        }
        // A bug of the lab.
        Err(_) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("a thread that ends has told how"),
        },
    }
}

/// How large a stack guests have: as large as that of a program's first thread usually is.
const STACK: usize = 8 << 20;

/// What is told of the thread on which guests run.
enum Told {
    Ended(std::result::Result<Box<Outcome>, RunError>),
    Blocked(String),
}

/// Runs a world without problems on this thread.
fn run_here(
    config: &WorldConfig,
    seed: u64,
    options: &RunOptions,
    guests: &Guests,
    blocked: impl FnOnce(String) + Send + 'static,
) -> std::result::Result<Outcome, RunError> {
    // Before the runtime is made, which draws, too.
    let clock = RunClock::default();
    let _on_thread = OnThread::begin(guests.system.clone(), random::stream(seed, "guest/system", 0).next_u64(), &clock);
    let mut runtime = Runtime::new(guests.patience, blocked).map_err(RunError::Guest)?;
    clock.follow(&runtime);
    let starter = Starter::new(&runtime);
    let judged = Judged::new(config, seed, options.keep_trace);
    let schedule = judged.schedule.clone();
    let node = |node: GuestNode| Box::new(node) as Box<dyn Node>;
    let devices = guests.devices.clone();
    let devices = devices.map(|program| node(GuestNode::devices(config, &schedule, seed, program, &starter)));
    let of_server = |server| {
        let program = guests.of_server(server)?.clone();
        Some((server, node(GuestNode::server(config, &schedule, seed, server, program, &starter))))
    };
    let servers = (0..config.server.count).filter_map(of_server).collect();
    let mut hosts = world::hosts_with(config, seed, &schedule, &judged.uses(), Others { devices, servers });
    drive(&mut hosts, Time::ZERO + config.duration, &mut runtime).map_err(RunError::Guest)?;
    let finished = hosts.into_iter().map(Host::finish).collect();
    runtime.end().map_err(RunError::Guest)?;
    Ok(judged.outcome(config, seed, finished))
}

/// Runs `hosts` until `end`, which is excluded, and the guests on them. At every moment the world comes first: guests go on when
/// everything has arrived that arrives then.
fn drive(hosts: &mut [Host], end: Time, runtime: &mut Runtime) -> std::result::Result<(), String> {
    let mut flights: Vec<Flight> = Vec::new();
    let mut now = Time::ZERO;
    loop {
        let next = event::earliest(hosts).filter(|(at, _)| *at < end);
        let until = next.map_or(end, |(at, _)| at);
        if runtime.is_woken() && until > now {
            runtime.settle(now)?;
            continue;
        }
        if !runtime.is_woken() && runtime.clock() < until && runtime.run_ahead(until)? {
            continue;
        }
        let Some((at, host)) = next else { return Ok(()) };
        now = at;
        hosts[host].run_next(now, &mut flights);
        for flight in flights.drain(..) {
            hosts[flight.to.0 as usize].deliver(flight);
        }
    }
}
