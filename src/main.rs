//! The command `cardiogram`.

use std::process::ExitCode;

use cardiogram::policies::Registry;

fn main() -> ExitCode {
    cardiogram::cli::main(Registry::new())
}
