//! What people see when a file is wrong: every kind of mistake once, as a snapshot of the message.

mod file;
mod life;
mod links;
mod networks;
mod parties;
mod proxies;

use std::fs;

use cardiogram_policies::Registry;
use cardiogram_scenarios::load;

/// A second network that has everything it needs.
const WIFI: &str = "[networks.wifi]\naccess = \"wifi\"\n";

/// Returns the message for a scenario of `lines` on top of what every scenario needs.
fn scenario(lines: &str) -> String {
    let head = r#"name = "test"
strategies = ["none"]
duration = "1h"
access = "lte-near"
"#;
    let core = if lines.starts_with("core") { "" } else { "core = \"backbone\"\n" };
    whole_scenario(&format!("{head}{core}{lines}\n"))
}

/// Returns the message for a scenario file of this text.
fn whole_scenario(text: &str) -> String {
    load::parse_scenario("test.toml", text).expect_err("the scenario is wrong").to_string()
}

/// Returns the message for a strategy file of this text.
fn strategy(text: &str) -> String {
    load::parse_strategy("test.toml", text, &Registry::new()).expect_err("the strategy is wrong").to_string()
}

/// Returns the message for a scenario file of these bytes, with the name of its folder left out.
fn file(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.toml");
    fs::write(&path, bytes).unwrap();
    let error = load::scenario_file(&path).expect_err("the file is wrong").to_string();
    error.replace(&dir.path().display().to_string(), "DIR")
}
