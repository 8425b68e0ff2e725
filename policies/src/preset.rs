//! Strategies by name, as TOML files, and those of real products, compiled in (feature `presets`).
//!
//! A preset says in its file where its numbers come from, how it is known that its product does this, and which of them are
//! assumptions. All presets share one reconnect policy, [`ReconnectSpec`](crate::ReconnectSpec)'s default, unless their
//! product has another, as most have: comparing the others compares heartbeats. Those named `reconnect-...` share one heartbeat
//! instead, that of `wechat-270`, which has the default reconnect policy: comparing them with it compares reconnect
//! policies. Those that leave their connection on purpose have a reconnect policy of their own, since when to come back
//! is what they are about. What this is not: a registry of users' own strategies, which is `registry`.

mod alias;
mod catalogue;
mod family;
#[cfg(all(test, feature = "presets"))]
mod tests;

use self::catalogue::PRESETS;
pub use self::{
    alias::{Alias, alias, aliases, name_today},
    family::{FAMILIES, Family, YARDSTICKS},
};
use crate::StrategySpec;

/// A named strategy: one that comes with the crate, or one that a program adds to its registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The strategy's name.
    pub name: &'static str,
    /// The text of the TOML file that defines it.
    pub toml: &'static str,
}

impl Preset {
    /// Returns the name of its family, if its file names one; the rest of the file is not looked at.
    pub fn family(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct OfFamily {
            family: Option<String>,
        }
        toml::from_str::<OfFamily>(self.toml).ok()?.family
    }

    /// Returns the strategy that the file defines.
    pub fn spec(&self) -> StrategySpec {
        toml::from_str(self.toml).unwrap_or_else(|error| panic!("preset {} does not parse: {error}", self.name))
    }
}

/// Returns all presets, in the order in which tables list them; without the feature `presets` there are none.
pub fn all() -> &'static [Preset] {
    PRESETS
}

/// Returns the preset of that name, or of the one that has taken its place.
pub fn find(name: &str) -> Option<&'static Preset> {
    let name = name_today(name);
    PRESETS.iter().find(|preset| preset.name == name)
}
