//! `cardiogram show`: prints something built in, to read or to start from.

mod strategy;

use std::io::Write;

use cardiogram_policies::{Registry, preset};
use cardiogram_scenarios::{
    library,
    load::{self, nearest},
    network::{self, networks, servers},
};

use serde_json::json;

use super::Failure;

/// Print the file of something built in; of a strategy also what it does in words, and what it promises
#[derive(clap::Args)]
pub(super) struct Args {
    /// The name of a scenario, strategy, link, radio, NAT or server, as `cardiogram list` shows it, or the path of a strategy file
    name: String,
    /// The scenario in which a strategy's promises are told, a built-in one or the path of a file [default: healthy]
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<String>,
    /// As JSON: of a strategy its words, promises and what is unwise about it; of anything else its file
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    let name = args.name.as_str();
    if registry.preset(name).is_some() || load::is_path(name) {
        let spec = load::strategy(name, None, registry)?.value;
        let scenario = load::scenario(args.scenario.as_deref().unwrap_or("healthy"))?.value;
        if args.json {
            return Ok(writeln!(out, "{:#}", strategy::json(&spec, &scenario))?);
        }
        for former in preset::aliases().iter().filter(|alias| alias.now == spec.name) {
            writeln!(out, "# Formerly `{}`, a name that is still read. {}", former.name, former.why)?;
        }
        return Ok(out.write_all(strategy::in_full(&spec, &scenario).as_bytes())?);
    }
    let Some(text) = library::text(name).map(Into::into).or_else(|| network::text(name)) else {
        return Err(unknown(name, registry));
    };
    if args.scenario.is_some() {
        let message = format!("--scenario is where a strategy's promises are told, and `{name}` is no strategy");
        return Err(Failure::Input(message));
    }
    if args.json {
        return Ok(writeln!(out, "{:#}", json!({ "name": name, "text": text }))?);
    }
    Ok(out.write_all(text.as_bytes())?)
}

fn unknown(name: &str, registry: &Registry) -> Failure {
    let presets = networks();
    let networks = presets.link.keys().chain(presets.radio.keys()).chain(presets.nat.keys());
    let networks = networks.chain(presets.proxy.keys()).chain(servers().keys()).map(String::as_str);
    let known = library::names().chain(registry.presets().map(|preset| preset.name)).chain(networks);
    let hint = nearest(name, known).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    Failure::Input(format!(
        "nothing built in is named `{name}`{hint} (`cardiogram list scenarios|strategies|networks` shows what is)"
    ))
}
