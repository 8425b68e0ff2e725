//! The command `cardiogram`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cardiogram::cli::main()
}
