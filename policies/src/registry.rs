//! Policies of one's own under the names that strategy files call them by, and strategies made of them.
//!
//! A program that brings its own policies fills a [`Registry`] and hands it to what reads strategies, such as cardiogram's
//! command line. There is no global table: where no registry is passed, no name is known.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    custom::{Custom, CustomHeartbeat, CustomReconnect, CustomServer},
    preset::{self, Preset},
    strategy::is_name,
};

/// What a program adds to what is built in. Empty to begin with.
#[derive(Clone, Default)]
pub struct Registry {
    heartbeats: Registered<dyn CustomHeartbeat>,
    reconnects: Registered<dyn CustomReconnect>,
    servers: Registered<dyn CustomServer>,
    strategies: Vec<Preset>,
}

/// Registered policies of one kind, by name.
pub struct Registered<P: ?Sized>(BTreeMap<&'static str, Read<P>>);

/// Reads a policy's parameters. The type of the deserializer is named, not abstracted, so that errors keep their places.
type Read<P> = fn(&str, toml::Deserializer<'_>) -> Result<Custom<P>, toml::de::Error>;

/// Names are the program's own text: a bad one is a bug in it, so these functions panic where a name is not made of 1 to 64
/// lower-case letters, digits and `-`, or is taken.
impl Registry {
    /// A registry with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a heartbeat policy, in files `heartbeat.custom.NAME`.
    #[must_use]
    pub fn heartbeat<T: CustomHeartbeat + Serialize + DeserializeOwned>(mut self, name: &'static str) -> Self {
        self.heartbeats
            .add(name, |name, input| T::deserialize(input).map(|spec| Custom::<dyn CustomHeartbeat>::new(name, spec)));
        self
    }

    /// Adds a reconnect policy, in files `reconnect.custom.NAME`.
    #[must_use]
    pub fn reconnect<T: CustomReconnect + Serialize + DeserializeOwned>(mut self, name: &'static str) -> Self {
        self.reconnects
            .add(name, |name, input| T::deserialize(input).map(|spec| Custom::<dyn CustomReconnect>::new(name, spec)));
        self
    }

    /// Adds a server policy, in files `server.custom.NAME`.
    #[must_use]
    pub fn server<T: CustomServer + Serialize + DeserializeOwned>(mut self, name: &'static str) -> Self {
        self.servers
            .add(name, |name, input| T::deserialize(input).map(|spec| Custom::<dyn CustomServer>::new(name, spec)));
        self
    }

    /// Adds a strategy, as the text of its file, in which it has the same `name`. It stands beside the presets, and may use
    /// what is registered before or after it.
    #[must_use]
    pub fn strategy(mut self, name: &'static str, toml: &'static str) -> Self {
        check_name(name);
        assert!(self.preset(name).is_none(), "there is a strategy named `{name}` already");
        self.strategies.push(Preset { name, toml });
        self
    }

    /// The heartbeat policies.
    pub const fn heartbeats(&self) -> &Registered<dyn CustomHeartbeat> {
        &self.heartbeats
    }

    /// The reconnect policies.
    pub const fn reconnects(&self) -> &Registered<dyn CustomReconnect> {
        &self.reconnects
    }

    /// The server policies.
    pub const fn servers(&self) -> &Registered<dyn CustomServer> {
        &self.servers
    }

    /// The strategies that were added, in their order.
    pub fn strategies(&self) -> &[Preset] {
        &self.strategies
    }

    /// All strategies there are by name: those built in, then those added.
    pub fn presets(&self) -> impl Iterator<Item = &Preset> {
        preset::all().iter().chain(&self.strategies)
    }

    /// The strategy of that name.
    pub fn preset(&self, name: &str) -> Option<&Preset> {
        self.presets().find(|preset| preset.name == name)
    }
}

impl<P: ?Sized> Registered<P> {
    /// Their names, in the alphabet's order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// Reads the parameters of the policy `name`; `None` where none is registered by that name.
    pub fn read(&self, name: &str, parameters: toml::Deserializer<'_>) -> Option<Result<Custom<P>, toml::de::Error>> {
        self.0.get(name).map(|read| read(name, parameters))
    }

    fn add(&mut self, name: &'static str, read: Read<P>) {
        check_name(name);
        assert!(self.0.insert(name, read).is_none(), "two policies of one kind are registered as `{name}`");
    }
}

fn check_name(name: &str) {
    assert!(is_name(name), "`{name}` is not a name: use 1 to 64 lower-case letters, digits and `-`");
}

impl<P: ?Sized> Default for Registered<P> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<P: ?Sized> Clone for Registered<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
