//! cardiogram's whole command line, with the policies of this package among the built-in ones.

fn main() -> std::process::ExitCode {
    cardiogram::cli::main(own_policy::registry())
}
