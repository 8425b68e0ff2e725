//! `cardiogram chart`: the strip chart of a link in a product, from the record that it wrote.

use std::{io::Read as _, io::Write, path::Path, time::Duration};

use cardiogram_policies::{Time, unit};
use cardiogram_reports::strip;
use cardiogram_scenarios::{
    diagnostic::{Diagnostic, Invalid},
    load::LoadError,
};
use cardiogram_sim::trace::Trace;

use super::{Failure, check_outputs};

/// Larger records are not read.
const LARGEST: u64 = 256 << 20;

/// Draw the strip chart of a link in a product, from the record that it wrote
///
/// `cardiogram-tokio` writes such records. Beside `cardiogram trace --timeline` it shows whether the product does what was
/// measured.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The record: JSON lines
    record: String,
    /// Where the chart goes; FILE ends in .svg or .png (`-`: SVG)
    #[arg(long, short, value_name = "FILE")]
    out: String,
    /// Which device, in a record of several
    #[arg(long, value_name = "N", default_value_t = 0)]
    device: u32,
    /// Where the chart begins, as "1h52m" into the record [default: its start]
    #[arg(long, value_name = "T", value_parser = unit::parse_duration)]
    from: Option<Duration>,
    /// Where it ends [default: the end of the record]
    #[arg(long, value_name = "T", value_parser = unit::parse_duration)]
    to: Option<Duration>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let is_png = match Path::new(&args.out).extension().and_then(|it| it.to_str()) {
        _ if args.out == "-" => false,
        Some(end) if end.eq_ignore_ascii_case("svg") => false,
        Some(end) if end.eq_ignore_ascii_case("png") => true,
        _ => {
            let message = format!("--out {}: the name says what it will be; let it end in .svg or .png", args.out);
            return Err(Failure::Input(message));
        }
    };
    check_outputs(&[("--out", Path::new(&args.out))], &[("the record", Path::new(&args.record))], None)?;
    let record = read(&args.record)?;
    let end = record.end.since(Time::ZERO);
    let (from, to) = (args.from.unwrap_or_default(), args.to.unwrap_or(end).min(end));
    if from >= to {
        let (from, to) = (unit::format_duration(from), unit::format_duration(to));
        return Err(Failure::Input(format!("from {from} to {to} there is nothing to show of {}", args.record)));
    }
    let view =
        strip::RecordView { name: &args.record, device: args.device, from: Time::ZERO + from, to: Time::ZERO + to };
    let chart = if is_png { strip::record_png(&record, &view) } else { strip::record_svg(&record, &view).into_bytes() };
    if args.out == "-" {
        return Ok(out.write_all(&chart)?);
    }
    Ok(cardiogram_results::write_files(&[(Path::new(&args.out), chart)])?)
}

fn read(path: &str) -> Result<Trace, Failure> {
    let unreadable = |error: std::io::Error| Failure::Input(format!("cannot read {path}: {error}"));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    let size = file.take(LARGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
    if size as u64 > LARGEST {
        return Err(Failure::Input(format!("{path} has more than {} MiB; cut it into shorter records", LARGEST >> 20)));
    }
    Trace::of_json_lines(&text).map_err(|bad| {
        let diagnostic = Diagnostic { message: bad.message, span: Some(bad.span), help: Some(bad.help.into()) };
        LoadError::Invalid(Invalid::new(path, text, vec![diagnostic])).into()
    })
}
