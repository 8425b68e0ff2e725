//! Chores of this project's developers, as `cargo xtask`: [`bless`] writes the committed files that the code makes,
//! [`licences`] checks what dependencies may be used under, [`soak`] runs tests for a night. It tests nothing itself and is not published.

mod bless;
mod licences;
mod soak;

use std::{
    path::Path,
    process::{Command, ExitCode},
};

const USAGE: &str = "\
usage: cargo xtask bless [WHAT...]   write the committed files that the code makes; without WHAT, all but the findings
       cargo xtask licences          check the licences of all dependencies against deny.toml
       cargo xtask soak MINUTES      run all tests deeper and with fresh seeds for so long; tell the seed of every failure
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["bless", what @ ..] => bless::bless(what),
        ["licences"] => licences::check(),
        ["soak", minutes] => soak::soak(minutes),
        _ => Err(format!("{USAGE}\n{}", bless::list())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the folder of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// This toolchain's cargo, in the folder of the workspace.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}
