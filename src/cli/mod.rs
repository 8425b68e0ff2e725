//! The command line: one file a subcommand. Each reads its arguments, calls the crate that does the work, and prints.
//!
//! Results go to the standard output, everything else to the standard error. Exit codes: 0 good, 1 a check failed, 2
//! bad input or usage, 130 interrupted.

mod baseline;
mod carry_out;
mod check;
mod gate;
mod list;
mod merge;
mod replay;
mod report;
mod run;
mod schema;
mod show;
mod sweep;
mod trace;

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use cardiogram_policies::{Registry, StrategySpec};
use cardiogram_scenarios::{
    load::{self, LoadError, Loaded},
    merge::MergeError,
    plan::{EngineChoice, PlanError},
    runner::RunnerError,
};
use cardiogram_sim::Engine;
use clap::{Parser, Subcommand, ValueEnum};

/// A deterministic laboratory for heartbeat and reconnect policies.
///
/// Exit codes: 0 good; 1 a check failed; 2 bad input or usage; 130 interrupted.
#[derive(Parser)]
#[command(name = "cardiogram", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// No progress, no notes, no summary: only what was asked for, and errors
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Sweep(sweep::Args),
    List(list::Args),
    Show(show::Args),
    Check(check::Args),
    Schema(schema::Args),
    Trace(trace::Args),
    Replay(replay::Args),
    Report(report::Args),
    Merge(merge::Args),
    Baseline(baseline::Args),
    Gate(gate::Args),
}

/// The command `cardiogram`: reads the process's arguments, does what they say, and returns its exit code.
///
/// With a registry, its policies and strategies stand beside those built in, in every subcommand: a custom program
/// whose `main` calls this is the whole command line with its own policies compiled in.
#[expect(clippy::needless_pass_by_value, reason = "a program makes its registry here and needs it nowhere else")]
pub fn main(registry: Registry) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; where they cannot be printed there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let mut out = io::stdout().lock();
    let done = match cli.command {
        Command::Run(args) => run::run(&args, &registry, cli.quiet, &mut out),
        Command::Sweep(args) => sweep::run(&args, &registry, cli.quiet, &mut out),
        Command::List(args) => list::run(&args, &registry, &mut out),
        Command::Show(args) => show::run(&args, &registry, &mut out),
        Command::Check(args) => check::run(&args, &registry, cli.quiet, &mut out),
        Command::Schema(args) => schema::run(&args, &mut out),
        Command::Trace(args) => trace::run(&args, &registry, &mut out),
        Command::Replay(args) => replay::run(&args, &registry, cli.quiet, &mut out),
        Command::Report(args) => report::run(&args, cli.quiet, &mut out),
        Command::Merge(args) => merge::run(&args, &registry, cli.quiet, &mut out),
        Command::Baseline(args) => baseline::run(&args, cli.quiet, &mut out),
        Command::Gate(args) => gate::run(&args, cli.quiet, &mut out),
    };
    match done.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Why a command did not end well.
enum Failure {
    /// Bad input or usage, or a file that cannot be read or written: exit code 2.
    Input(String),
    /// A scenario or strategy that cannot be used: exit code 2.
    Load(LoadError),
    /// Several of them; they are printed already: exit code 2.
    Printed,
    /// Something that must hold does not: exit code 1.
    Check(String),
    /// Stopped by the user: exit code 130, as shells have it for an interrupt.
    Interrupted(String),
    /// Nobody reads the standard output any more, which is the reader's right: exit code 0.
    BrokenPipe,
}

impl Failure {
    fn with_help(message: &dyn fmt::Display, help: &str) -> Self {
        Self::Input(format!("{message}\n  = help: {help}"))
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::Load(_) | Self::Printed => 2,
            Self::Check(_) => 1,
            Self::Interrupted(_) => 130,
            Self::BrokenPipe => 0,
        }
    }

    fn print(&self) {
        match self {
            Self::Input(message) | Self::Check(message) => print_error(message),
            Self::Load(LoadError::Invalid(invalid)) => print_line(&invalid.render(colours())),
            Self::Load(error) => {
                print_error(error);
                if let Some(help) = error.help() {
                    print_line(&format!("  = help: {help}"));
                }
            }
            Self::Interrupted(message) => print_line(message),
            Self::Printed | Self::BrokenPipe => {}
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Invalid(invalid) => Self::Load(invalid.into()),
            other => Self::Input(other.to_string()),
        }
    }
}

impl From<RunnerError> for Failure {
    fn from(error: RunnerError) -> Self {
        match error {
            RunnerError::Results(error) => error.into(),
            RunnerError::Threads { .. } => Self::Input(error.to_string()),
            _ => Self::Check(error.to_string()),
        }
    }
}

impl From<MergeError> for Failure {
    fn from(error: MergeError) -> Self {
        match error {
            MergeError::Results(error) => error.into(),
            other => Self::Input(other.to_string()),
        }
    }
}

impl From<cardiogram_results::Error> for Failure {
    fn from(error: cardiogram_results::Error) -> Self {
        Self::with_help(&error, error.help())
    }
}

impl From<cardiogram_reports::gate::Error> for Failure {
    fn from(error: cardiogram_reports::gate::Error) -> Self {
        Self::with_help(&error, error.help())
    }
}

/// Errors of the standard output; errors of files are turned into messages where their names are known.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Input(format!("cannot write to the standard output: {error}")),
        }
    }
}

/// Which engine runs the cells.
#[derive(Clone, Copy, ValueEnum)]
enum EngineArg {
    /// The event engine; the first seed of each strategy in each scenario also on turmoil, and both must agree
    Auto,
    /// Every node a turmoil host
    Turmoil,
    /// One queue of events, no runtime
    Event,
}

impl From<EngineArg> for EngineChoice {
    fn from(arg: EngineArg) -> Self {
        match arg {
            EngineArg::Auto => Self::Auto,
            EngineArg::Turmoil => Self::Only(Engine::Turmoil),
            EngineArg::Event => Self::Only(Engine::Event),
        }
    }
}

/// Prints an error in the form of the diagnostics.
fn print_error(message: impl fmt::Display) {
    let label = if colours() { "\x1b[1m\x1b[91merror\x1b[0m" } else { "error" };
    print_line(&format!("{label}: {message}"));
}

/// Prints what is unwise about a strategy that can be used.
fn warn(name: &str, strategy: &Loaded<StrategySpec>) {
    if let Some(warnings) = load::warnings(name, strategy) {
        print_line(&warnings.render_as_warnings(colours()));
    }
}

/// Prints to the standard error. Where that fails there is nobody left to tell.
fn print_line(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether the standard error shows colours: a terminal, and no objection in `NO_COLOR` (no-color.org).
fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
