//! The command line: one file a subcommand. Each reads its arguments, calls the crate that does the work, and prints.
//!
//! Results go to the standard output, everything else to the standard error. Exit codes: 0 good, 1 a check failed, 2
//! bad input or usage, 130 interrupted.

mod baseline;
mod carry_out;
mod chart;
mod check;
mod completions;
mod gate;
mod list;
mod merge;
mod replay;
mod report;
mod run;
mod schema;
mod shard;
mod show;
mod sweep;
mod trace;

use std::{
    borrow::Cow,
    ffi::OsStr,
    fmt,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::OnceLock,
};

use cardiogram_policies::{Registry, StrategySpec};
use cardiogram_results::{
    Column as _, manifest,
    rows::{EpisodeColumn, RunColumn, SeriesColumn},
};
use cardiogram_scenarios::{
    cost::PlanCost,
    diagnostic::Invalid,
    load::{self, LoadError, Loaded},
    merge::MergeError,
    plan::{Contest, EngineChoice, PlanError},
    runner::RunnerError,
};
use cardiogram_sim::Engine;
use clap::{
    Arg, ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum, builder::StyledStr,
};
use serde_json::{Value, json};

/// The program's name; a custom program has its own.
const PROGRAM: &str = "cardiogram";

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
    /// Whether messages have colours [default: auto, on a terminal]
    #[arg(long, value_name = "WHEN", global = true, value_enum, default_value_t = Colours::Auto, hide_default_value = true)]
    color: Colours,
}

/// When messages have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colours {
    Auto,
    Always,
    Never,
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
    Chart(chart::Args),
    Replay(replay::Args),
    Report(report::Args),
    Merge(merge::Args),
    Baseline(baseline::Args),
    Gate(gate::Args),
    Completions(completions::Completions),
    Man(completions::Man),
}

/// Returns the command `cardiogram`: reads the process's arguments, does what they say, and returns its exit code.
///
/// With a registry, its policies and strategies stand beside those built in, in every subcommand: a custom program
/// whose `main` calls this is the whole command line with its own policies compiled in.
#[expect(clippy::needless_pass_by_value, reason = "a program makes its registry here and needs it nowhere else")]
pub fn main(registry: Registry) -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; where they cannot be printed there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    // The first and only one that sets it.
    let _ = COLOURS.set(cli.color);
    let mut out = Reader(Some(io::stdout().lock()));
    let done = match cli.command {
        Command::Run(args) => run::run(&args, &registry, cli.quiet, &mut out),
        Command::Sweep(args) => sweep::run(&args, &registry, cli.quiet, &mut out),
        Command::List(args) => list::run(&args, &registry, &mut out),
        Command::Show(args) => show::run(&args, &registry, &mut out),
        Command::Check(args) => check::run(&args, &registry, cli.quiet, &mut out),
        Command::Schema(args) => schema::run(&args, &mut out),
        Command::Trace(args) => trace::run(&args, &registry, &mut out),
        Command::Chart(args) => chart::run(&args, &mut out),
        Command::Replay(args) => replay::run(&args, &registry, cli.quiet, &mut out),
        Command::Report(args) => report::run(&args, cli.quiet, &mut out),
        Command::Merge(args) => merge::run(&args, &registry, cli.quiet, &mut out),
        Command::Baseline(args) => baseline::run(&args, cli.quiet, &mut out),
        Command::Gate(args) => gate::run(&args, cli.quiet, &mut out),
        Command::Completions(args) => completions::completions(&args, command(), &mut out),
        Command::Man(args) => completions::man(&args, command(), &mut out),
    };
    match done.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Returns what the process's arguments say.
fn parse() -> Result<Cli, clap::Error> {
    // What is wrong with the arguments is told in the colours that they ask for.
    let colours = match asked_colours().unwrap_or(Colours::Auto) {
        Colours::Auto => ColorChoice::Auto,
        Colours::Always => ColorChoice::Always,
        Colours::Never => ColorChoice::Never,
    };
    Cli::from_arg_matches(&command().color(colours).try_get_matches()?)
}

/// Returns what the arguments say about colours, whatever else is wrong with them.
fn asked_colours() -> Option<Colours> {
    let mut arguments = std::env::args_os().skip(1).map_while(|it| it.into_string().ok().filter(|it| it != "--"));
    let mut asked = None;
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--color") {
            Some("") => arguments.next(),
            Some(value) => value.strip_prefix('=').map(str::to_owned),
            None => None,
        };
        asked = value.and_then(|value| Colours::from_str(&value, false).ok()).or(asked);
    }
    asked
}

/// Returns the command line's definition, with the program's own name in help and version.
fn command() -> clap::Command {
    match program() {
        PROGRAM => Cli::command(),
        own => renamed(Cli::command()).name(own).version(concat!("with cardiogram ", env!("CARGO_PKG_VERSION"))),
    }
}

/// Returns a command whose help tells commands of the running program.
fn renamed(mut command: clap::Command) -> clap::Command {
    let own = |help: &StyledStr| StyledStr::from(in_own_name(&help.to_string()).into_owned());
    if let Some(about) = command.get_about().map(own) {
        command = command.about(about);
    }
    if let Some(about) = command.get_long_about().map(own) {
        command = command.long_about(about);
    }
    let argument = |mut argument: Arg| {
        if let Some(help) = argument.get_help().map(own) {
            argument = argument.help(help);
        }
        if let Some(help) = argument.get_long_help().map(own) {
            argument = argument.long_help(help);
        }
        argument
    };
    command.mut_args(argument).mut_subcommands(renamed)
}

/// The standard output as long as somebody reads it. That nobody does any more is the reader's right, and changes nothing
/// about what a command does and how it ends.
struct Reader<W>(Option<W>);

impl<W: Write> Reader<W> {
    /// Does something with the output, unless that is closed.
    fn with<T>(&mut self, unread: T, act: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        let Some(out) = &mut self.0 else { return Ok(unread) };
        match act(out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.0 = None;
                Ok(unread)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for Reader<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(bytes.len(), |out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with((), Write::flush)
    }
}

/// Refuses a command that would write one file twice, or over what it reads: its inputs, and the results in `dir`.
fn check_outputs(outputs: &[(&str, &Path)], inputs: &[(&str, &Path)], dir: Option<&Path>) -> Result<(), Failure> {
    let files = [RunColumn::FILE, EpisodeColumn::FILE, SeriesColumn::FILE, manifest::FILE_NAME];
    let results: Vec<PathBuf> = dir.into_iter().flat_map(|dir| files.map(|name| dir.join(name))).collect();
    let results = results.iter().map(|path| ("a file of the results", path.as_path()));
    let inputs: Vec<_> = inputs.iter().copied().chain(results).collect();
    Ok(cardiogram_results::check_distinct(outputs, &inputs)?)
}

/// Returns the command line of this process, as a shell takes it.
fn command_line() -> String {
    let arguments = std::env::args_os().skip(1).map(|it| quoted(&it.to_string_lossy()));
    [program().to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Returns the name of the running program: `cardiogram`, or that of a custom program.
fn program() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let path = std::env::args_os().next().map(PathBuf::from);
        let name = path.as_deref().and_then(Path::file_stem).and_then(OsStr::to_str).filter(|name| !name.is_empty());
        name.unwrap_or(PROGRAM).into()
    })
}

/// Returns a message with the name of the running program in the commands that it tells.
fn in_own_name(message: &str) -> Cow<'_, str> {
    if program() == PROGRAM {
        return message.into();
    }
    message.replace(&format!("`{PROGRAM} "), &format!("`{} ", program())).into()
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "/._-+=:@%".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
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
        }
    }

    /// Returns what is said of it, and what to do about it.
    fn words(&self) -> (String, Option<String>) {
        match self {
            Self::Load(error) => (error.to_string(), error.help()),
            Self::Input(message) | Self::Check(message) | Self::Interrupted(message) => {
                match message.split_once("\n  = help: ") {
                    Some((message, help)) => (message.into(), Some(help.into())),
                    None => (message.clone(), None),
                }
            }
            Self::Printed => (String::new(), None),
        }
    }

    fn print(&self) {
        match self {
            Self::Input(message) | Self::Check(message) => print_error(message),
            Self::Load(LoadError::Invalid(invalid)) => print_line(&invalid.render(style())),
            Self::Load(error) => {
                print_error(error);
                if let Some(help) = error.help() {
                    print_line(&format!("  = help: {help}"));
                }
            }
            Self::Interrupted(message) => print_line(message),
            Self::Printed => {}
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
            PlanError::TooDear { problem, help } => Self::with_help(&problem, &help),
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

impl From<cardiogram_reports::OptionError> for Failure {
    fn from(error: cardiogram_reports::OptionError) -> Self {
        match error {
            cardiogram_reports::OptionError::Results(error) => error.into(),
            cardiogram_reports::OptionError::Plots(error) => error.into(),
            cardiogram_reports::OptionError::UnknownReference { ref known, .. } => {
                Self::with_help(&error, &format!("use one of {}", known.join(", ")))
            }
            other => Self::Input(other.to_string()),
        }
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
        Self::Input(format!("cannot write to the standard output: {error}"))
    }
}

/// Which engine runs the cells.
#[derive(Clone, Copy, ValueEnum)]
enum EngineArg {
    /// The event engine; one run of each scenario also on turmoil, and both must agree
    Auto,
    /// The event engine; the first seed of each strategy in each scenario also on turmoil, and both must agree
    Both,
    /// Every node a turmoil host
    Turmoil,
    /// One queue of events, no runtime
    Event,
}

impl From<EngineArg> for EngineChoice {
    fn from(arg: EngineArg) -> Self {
        match arg {
            EngineArg::Auto => Self::Auto,
            EngineArg::Both => Self::Both,
            EngineArg::Turmoil => Self::Only(Engine::Turmoil),
            EngineArg::Event => Self::Only(Engine::Event),
        }
    }
}

/// Prints an error in the form of the diagnostics.
fn print_error(message: impl fmt::Display) {
    let label = if style() { "\x1b[1m\x1b[91merror\x1b[0m" } else { "error" };
    print_line(&format!("{label}: {message}"));
}

/// Prints what is unwise about a strategy that can be used.
fn warn(name: &str, strategy: &Loaded<StrategySpec>) {
    if let Some(warnings) = load::warnings(name, strategy) {
        print_line(&warnings.render_as_warnings(style()));
    }
}

/// Tells what is unwise about the strategies of a scenario.
fn warn_of_contest(contest: &Contest) {
    for warning in warnings_of(contest) {
        print_line(&warning.render_as_warnings(style()));
    }
}

/// Returns what is unwise about the strategies of a scenario, those that come with the program apart, and which of all nobody
/// calls back there.
fn warnings_of(contest: &Contest) -> Vec<Invalid> {
    let of = |strategy: &Loaded<StrategySpec>| {
        let name = &strategy.value.name;
        let own = if strategy.built_in { None } else { load::warnings(name, strategy) };
        own.into_iter().chain(load::warning_in(&contest.scenario.value, name, strategy))
    };
    contest.strategies.iter().flat_map(of).collect()
}

/// Tells that nobody calls a strategy back in a scenario, where that is so.
fn warn_in(contest: &Contest, strategy: &Loaded<StrategySpec>) {
    if let Some(warning) = load::warning_in(&contest.scenario.value, &strategy.value.name, strategy) {
        print_line(&warning.render_as_warnings(style()));
    }
}

/// Prints to the standard error. Where that fails there is nobody left to tell.
fn print_line(line: &str) {
    let _ = writeln!(io::stderr(), "{}", in_own_name(line));
}

/// What the command line says about colours.
static COLOURS: OnceLock<Colours> = OnceLock::new();

/// Returns whether the standard error shows colours: as asked for, else a terminal, and no objection in `NO_COLOR`
/// (no-color.org).
fn style() -> bool {
    match COLOURS.get() {
        Some(Colours::Always) => true,
        Some(Colours::Never) => false,
        Some(Colours::Auto) | None => {
            io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

/// Returns how many runs go at a time unless something else is said.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns an estimate of costs for programs.
fn json_of_cost(cost: &PlanCost) -> Value {
    json!({
        "runs": cost.runs,
        "device_days": cost.device_time.as_secs_f64() / 86_400.0,
        "strikes_of_a_run": cost.strikes,
        "mappings_of_a_run": cost.mappings,
        "cpu_s": cost.cpu.as_secs(),
        "memory_bytes": cost.memory_bytes,
    })
}
