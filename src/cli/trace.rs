//! `cardiogram trace`: everything that happens in one run, as a log to read, or as files for other programs and eyes.

mod log;

use std::{io::Write, path::Path, time::Duration};

use cardiogram_policies::{Registry, Time, unit};
use cardiogram_reports::strip;
use cardiogram_scenarios::{
    load,
    plan::{Contest, EngineChoice, Plan, Shard},
};
use cardiogram_sim::{Engine, Outcome, RunOptions, WorldConfig, pcap, perfetto, reading::Reading, run as simulate};
use clap::ValueEnum;

use super::{Failure, check_outputs};

/// Show everything that happens in one run: a log to read, unless files are asked for
///
/// The log leaves out heartbeats that went well; `--heartbeats show` shows them. FILE may be `-`, the standard output.
#[derive(clap::Args)]
pub(super) struct Args {
    /// A built-in scenario or the path of a scenario file
    scenario: String,
    /// A preset or the path of a strategy file
    #[arg(long, value_name = "S")]
    strategy: String,
    /// The seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write every packet as pcapng, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<String>,
    /// Draw the strip chart of a device; FILE ends in .svg or .png (`-`: SVG)
    #[arg(long, value_name = "FILE")]
    timeline: Option<String>,
    /// Write a timeline for ui.perfetto.dev
    #[arg(long, value_name = "FILE")]
    perfetto: Option<String>,
    /// Write JSON lines
    #[arg(long, value_name = "FILE")]
    json: Option<String>,
    /// Which device the strip chart shows [default: 0], and the log and the JSON lines [default: all]
    #[arg(long, value_name = "N")]
    device: Option<u32>,
    /// Where the log, the JSON lines and the strip chart begin, as "1h52m" into the run [default: its start]
    #[arg(long, value_name = "T", value_parser = unit::parse_duration)]
    from: Option<Duration>,
    /// Where they end [default: the end of the run]
    #[arg(long, value_name = "T", value_parser = unit::parse_duration)]
    to: Option<Duration>,
    /// Whether heartbeats that went well are shown, by the log [default: hide] and the JSON lines [default: show]
    #[arg(long, value_name = "WHETHER")]
    heartbeats: Option<Heartbeats>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Heartbeats {
    /// Every line
    Show,
    /// Without heartbeats that were answered, and the packets that carry only these and their acknowledgements
    Hide,
}

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Pcap,
    Svg,
    Png,
    Perfetto,
    Json,
}

pub(super) fn run(args: &Args, registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    let files = files(args)?;
    let scenario = load::scenario(&args.scenario)?;
    let strategy = load::strategy(&args.strategy, None, registry)?;
    let names = (scenario.value.name.clone(), strategy.value.name.clone());
    let world = scenario.value.world(&strategy.value);
    // Finds what contradicts itself, with the same messages as `run`.
    let contest = Contest { origin: args.scenario.clone(), scenario, strategies: vec![strategy] };
    Plan::new(vec![contest], args.seed, 1, EngineChoice::Auto, Shard::WHOLE)?;
    let view = view(args, &world, (&names.0, &names.1))?;

    let options = RunOptions { keep_trace: true, ..RunOptions::new(Engine::Event) };
    let outcome = simulate(&world, args.seed, &options).map_err(|error| Failure::Check(error.to_string()))?;
    let mut written = Vec::new();
    for (form, file) in &files {
        let content = form.content(args, &outcome, &view);
        match *file {
            "-" => out.write_all(&content)?,
            file => written.push((Path::new(file), content)),
        }
    }
    cardiogram_results::write_files(&written)?;
    if files.is_empty() {
        let shown = log::Shown {
            device: args.device,
            from: view.from,
            to: view.to,
            heartbeats: args.heartbeats == Some(Heartbeats::Show),
        };
        log::write(outcome.trace.as_ref().expect("it was asked for"), &shown, out)?;
    }
    Ok(())
}

impl Form {
    fn content(self, args: &Args, outcome: &Outcome, view: &strip::View<'_>) -> Vec<u8> {
        let trace = outcome.trace.as_ref().expect("it was asked for");
        let about = format!("cardiogram: scenario {}, strategy {}, seed {}", view.scenario, view.strategy, view.seed);
        match self {
            Self::Pcap => pcap::write(trace, &about),
            Self::Svg => strip::svg(outcome, view).into_bytes(),
            Self::Png => strip::png(outcome, view),
            Self::Perfetto => perfetto::write(outcome, &about).into_bytes(),
            Self::Json => {
                let shown = |at: Time, of: &Reading| {
                    let is_about = args.device.is_none() || of.device.is_none() || of.device == args.device;
                    let is_news = args.heartbeats != Some(Heartbeats::Hide) || !of.routine;
                    is_about && is_news && (view.from..=view.to).contains(&at)
                };
                trace.json_lines_where(shown).into_bytes()
            }
        }
    }
}

/// Returns the files that are asked for; refuses what would get in each other's way, or have no effect.
fn files(args: &Args) -> Result<Vec<(Form, &str)>, Failure> {
    let asked = [
        ("--pcap", &args.pcap),
        ("--timeline", &args.timeline),
        ("--perfetto", &args.perfetto),
        ("--json", &args.json),
    ];
    let asked: Vec<(&str, &str)> =
        asked.into_iter().filter_map(|(option, file)| Some((option, file.as_deref()?))).collect();
    // `-` is the standard output.
    let path = |file| if file == "-" { Path::new("/dev/stdout") } else { Path::new(file) };
    let outputs: Vec<_> = asked.iter().map(|(option, file)| (*option, path(*file))).collect();
    let inputs = [("the scenario", &args.scenario), ("the strategy", &args.strategy)];
    let inputs = inputs.into_iter().filter(|(_, name)| load::is_path(name));
    check_outputs(&outputs, &inputs.map(|(words, name)| (words, Path::new(name))).collect::<Vec<_>>(), None)?;
    let is_log = asked.is_empty();
    if !is_log && args.json.is_none() && args.heartbeats.is_some() {
        let others = asked.iter().map(|(option, _)| *option).collect::<Vec<_>>().join(" and ");
        return Err(Failure::Input(format!(
            "--heartbeats says what the log and --json show, and {others} stands in their place; leave one of them out"
        )));
    }
    let narrowed = [("--device", args.device.is_some()), ("--from", args.from.is_some()), ("--to", args.to.is_some())];
    if let Some((option, _)) = narrowed.iter().find(|(_, given)| *given)
        && !is_log
        && args.timeline.is_none()
        && args.json.is_none()
    {
        return Err(Failure::Input(format!(
            "{option} narrows the log, --json and --timeline; the other files hold the whole run, so leave it out"
        )));
    }
    asked.into_iter().map(|(option, file)| Ok((form(option, file)?, file))).collect()
}

fn form(option: &str, file: &str) -> Result<Form, Failure> {
    let ends_in = |extension: &str| file.to_ascii_lowercase().ends_with(extension);
    Ok(match option {
        "--pcap" => Form::Pcap,
        "--perfetto" => Form::Perfetto,
        "--json" => Form::Json,
        _ if ends_in(".svg") || file == "-" => Form::Svg,
        _ if ends_in(".png") => Form::Png,
        _ => {
            return Err(Failure::Input(format!(
                "--timeline {file}: the name says what it will be; let it end in .svg or .png"
            )));
        }
    })
}

/// Returns which part of the run is to be shown.
fn view<'a>(
    args: &Args,
    world: &WorldConfig,
    (scenario, strategy): (&'a str, &'a str),
) -> Result<strip::View<'a>, Failure> {
    let duration = unit::format_duration(world.duration);
    let device = args.device.unwrap_or(0);
    if device >= world.devices.count {
        let count = world.devices.count;
        return Err(Failure::Input(format!(
            "--device {device}: {scenario} has {count} of them, numbered from 0 to {}",
            count - 1
        )));
    }
    let from = args.from.unwrap_or(Duration::ZERO);
    let to = args.to.unwrap_or(world.duration).min(world.duration);
    if from >= world.duration {
        return Err(Failure::Input(format!(
            "--from {}: the run is over after {duration}; name an earlier time",
            unit::format_duration(from)
        )));
    }
    if from >= to {
        let (from, to) = (unit::format_duration(from), unit::format_duration(to));
        return Err(Failure::Input(format!("--from {from} --to {to} leaves nothing to show; --to must be later")));
    }
    let (from, to) = (Time::ZERO + from, Time::ZERO + to);
    Ok(strip::View { scenario, strategy, seed: args.seed, device, from, to })
}
