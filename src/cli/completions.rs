//! `cardiogram completions` and `cardiogram man`: what a shell and a reader of manuals want to know of the command line. Both are
//! made from the definitions of the arguments, so that they cannot go stale.

use std::io::{self, Write};

use clap::Command;
use clap_complete::Shell;

use super::{Failure, program};

/// Print the completions of a shell, to be put where it looks for them
#[derive(clap::Args)]
pub(super) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, in roff: `cardiogram man | man -l -`
#[derive(clap::Args)]
pub(super) struct Man {
    /// The page of this subcommand [default: that of the program]
    subcommand: Option<String>,
}

pub(super) fn completions(args: &Completions, mut command: Command, out: &mut dyn Write) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, program(), &mut text);
    Ok(out.write_all(&text)?)
}

pub(super) fn man(args: &Man, mut command: Command, out: &mut dyn Write) -> Result<(), Failure> {
    command.build();
    let page = match &args.subcommand {
        None => command,
        Some(name) => {
            let found = command.find_subcommand(name).cloned();
            let found = found.ok_or_else(|| Failure::Input(format!("there is no subcommand `{name}`")))?;
            found.name(format!("{}-{name}", program()))
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).map_err(io::Error::other)?;
    Ok(out.write_all(&text)?)
}
