//! The whole command line of cardiogram, with the client in it.

use std::{process::ExitCode, time::Duration};

use cardiogram::policies::Registry;
use real_client::lab::guests;

fn main() -> ExitCode {
    // In a product this is a constant, which somebody changes; here the guide changes it.
    let ping_s = std::env::var("PING_S").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(240);
    let registry = Registry::new()
        .guest("our-client", guests(Duration::from_secs(ping_s)))
        .strategy("our-client", include_str!("../our-client.toml"));
    cardiogram::cli::main(registry)
}
