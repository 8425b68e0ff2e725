//! Two custom policies, and the registry that gives them names.
//!
//! The policies are sans-IO: a product can run them on its real connections, and cardiogram on simulated ones.

mod fibonacci;
mod two_speed;

use cardiogram_policies::Registry;

pub use crate::{fibonacci::Fibonacci, two_speed::TwoSpeed};

/// What this package adds to cardiogram. Under these names strategy files find the policies, as in
/// `heartbeat.custom.two-speed = { slow = "4m" }`; the strategy is compared wherever presets are.
pub fn registry() -> Registry {
    Registry::new()
        .heartbeat::<TwoSpeed>("two-speed")
        .reconnect::<Fibonacci>("fibonacci")
        .strategy("two-speed", include_str!("../strategies/two-speed.toml"))
}
