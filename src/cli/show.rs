//! `cardiogram show`: prints the file of something built in, to read or to start from.

use std::io::Write;

use cardiogram_policies::preset;
use cardiogram_scenarios::{
    library,
    load::nearest,
    network::{self, networks, servers},
};

use super::Failure;

/// Print the file of a built-in scenario, strategy, link, radio, NAT or server
#[derive(clap::Args)]
pub(super) struct Args {
    /// Its name, as `cardiogram list` shows it
    name: String,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let name = args.name.as_str();
    let text: Option<String> = library::text(name)
        .or_else(|| preset::find(name).map(|preset| preset.toml))
        .map(Into::into)
        .or_else(|| network::text(name));
    if let Some(text) = text {
        return Ok(out.write_all(text.as_bytes())?);
    }
    let presets = networks();
    let networks = presets.link.keys().chain(presets.radio.keys()).chain(presets.nat.keys()).chain(servers().keys());
    let networks = networks.map(String::as_str);
    let known = library::names().chain(preset::all().iter().map(|preset| preset.name)).chain(networks);
    let hint = nearest(name, known).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    Err(Failure::Input(format!(
        "nothing built in is named `{name}`{hint} (`cardiogram list scenarios|strategies|networks` shows what is)"
    )))
}
