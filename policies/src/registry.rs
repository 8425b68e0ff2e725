//! Custom policies under the names that strategy files call them by, and strategies made of them.
//!
//! A program that brings its own policies fills a [`Registry`] and hands it to what reads strategies, such as cardiogram's
//! command line. There is no global table: where no registry is passed, no name is known.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    custom::{Custom, CustomHeartbeat, CustomReconnect, CustomServer},
    guest::Guest,
    preset::{self, Preset},
    strategy::{NAME_RULE, is_name},
};

/// What a program adds to what is built in. Empty to begin with.
#[derive(Clone, Default)]
pub struct Registry {
    heartbeats: Registered<dyn CustomHeartbeat>,
    reconnects: Registered<dyn CustomReconnect>,
    servers: Registered<dyn CustomServer>,
    guests: BTreeMap<&'static str, Arc<dyn Any + Send + Sync>>,
    strategies: Vec<Preset>,
}

/// Registered policies of one kind, by name.
pub struct Registered<P: ?Sized>(BTreeMap<&'static str, Read<P>>);

/// Reads a policy's parameters. The type of the deserializer is named, not abstracted, so that errors keep their places.
type Read<P> = fn(&str, toml::Deserializer<'_>) -> Result<Custom<P>, toml::de::Error>;

/// Names are the program's own text: a bad one is a bug in it, so these functions panic where a name is not made of 1 to 64
/// lower-case letters, digits and `-`, or is taken.
impl Registry {
    /// Returns a registry with nothing in it.
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

    /// Adds a guest, a real program, in files `heartbeat.guest = "NAME"`. What it has to be is said by whoever runs it: with
    /// `cardiogram` it is a `cardiogram::net::Guests`.
    #[must_use]
    pub fn guest(mut self, name: &'static str, program: impl Any + Send + Sync) -> Self {
        check_name(name);
        assert!(self.guests.insert(name, Arc::new(program)).is_none(), "two guests are registered as `{name}`");
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

    /// Returns the heartbeat policies.
    pub const fn heartbeats(&self) -> &Registered<dyn CustomHeartbeat> {
        &self.heartbeats
    }

    /// Returns the reconnect policies.
    pub const fn reconnects(&self) -> &Registered<dyn CustomReconnect> {
        &self.reconnects
    }

    /// Returns the server policies.
    pub const fn servers(&self) -> &Registered<dyn CustomServer> {
        &self.servers
    }

    /// Returns the names of the guests, in the alphabet's order.
    pub fn guests(&self) -> impl Iterator<Item = &'static str> {
        self.guests.keys().copied()
    }

    /// Returns the guest of that name, for a strategy.
    pub fn find_guest(&self, name: &str) -> Option<Guest> {
        self.guests.get(name).map(|program| Guest::new(name, program.clone()))
    }

    /// Returns the strategies that were added, in their order.
    pub fn strategies(&self) -> &[Preset] {
        &self.strategies
    }

    /// Returns all strategies there are by name: those built in, then those added.
    pub fn presets(&self) -> impl Iterator<Item = &Preset> {
        preset::all().iter().chain(&self.strategies)
    }

    /// Returns the strategy of that name, or of the preset that has taken its place.
    pub fn preset(&self, name: &str) -> Option<&Preset> {
        self.presets().find(|preset| preset.name == name).or_else(|| preset::find(name))
    }

    /// Returns the members of a family, in the order of all strategies.
    pub fn family<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Preset> {
        self.presets().filter(move |preset| preset.family().is_some_and(|family| family == name))
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
    assert!(is_name(name), "`{name}` is not a name: {NAME_RULE}");
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{
        Bounds, Heartbeat, HeartbeatSpec, PolicyRng, Problem, Promises, StrategySpec,
        testing::{self, CONNECTED, beat, play, rng},
        unit::Span,
    };

    /// A heartbeat as somebody might bring it: one of this crate's, with one parameter of its own.
    #[derive(Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Calm {
        every: Span,
        #[serde(skip_deserializing)]
        absent: Option<u32>,
    }

    impl Default for Calm {
        fn default() -> Self {
            Self { every: Span::secs(60), absent: None }
        }
    }

    impl CustomHeartbeat for Calm {
        fn build(&self, rng: PolicyRng) -> Box<dyn Heartbeat> {
            let text = format!("fixed = {{ interval = \"{0}\", timeout = \"{0}\" }}", self.every);
            toml::from_str::<HeartbeatSpec>(&text).unwrap().build(rng)
        }

        fn promises(&self, _: &Bounds) -> Promises {
            Promises { detects_within: Some(self.every.get() * 2), ..Promises::default() }
        }

        fn problems(&self) -> Vec<Problem> {
            let hasty = self.every < Span::secs(1);
            hasty.then(|| Problem::new("every", "that is not calm", "use at least \"1s\"")).into_iter().collect()
        }

        fn describe(&self) -> String {
            format!("Beats calmly, every {}.", self.every)
        }
    }

    fn registry() -> Registry {
        Registry::new().heartbeat::<Calm>("calm").strategy("own", "name = \"own\"\nheartbeat.custom = \"calm\"")
    }

    /// Returns the heartbeat of that text, resolved as a reader of files does it.
    fn resolved(parameters: &str) -> HeartbeatSpec {
        let parameters = toml::Deserializer::parse(parameters).unwrap();
        HeartbeatSpec::Custom(registry().heartbeats().read("calm", parameters).unwrap().unwrap())
    }

    fn unresolved(text: &str) -> HeartbeatSpec {
        toml::from_str::<StrategySpec>(&format!("name = \"a\"\nheartbeat.{text}")).unwrap().heartbeat
    }

    #[test]
    fn a_registered_policy_is_asked_for_everything() {
        let spec = resolved("every = \"20s\"");
        play(&mut *spec.build(rng(1)), &[(0, Some(CONNECTED), &[]), (20_000, None, &[beat(0)])]);
        assert_eq!(spec.promises(&testing::bounds()).detects_within, Some(Duration::from_secs(40)));
        assert_eq!(spec.describe(), "Beats calmly, every 20s.");
        assert_eq!(spec.problems(), []);
        let paths: Vec<String> = resolved("every = \"20ms\"").problems().into_iter().map(|it| it.path).collect();
        assert_eq!(paths, ["heartbeat.custom.calm.every"]);
    }

    #[test]
    fn a_spec_carries_every_parameter_through_a_file_and_compares_by_them() {
        let spec = resolved("");
        assert_eq!(toml::to_string(&spec).unwrap(), "[custom.calm]\nevery = \"1m\"\n");
        assert_eq!(spec, unresolved("custom.calm.every = \"1m\""));
        assert_ne!(spec, resolved("every = \"61s\""));
        assert_eq!(unresolved("custom = \"calm\""), unresolved("custom = { calm = {} }"));
        assert_eq!(spec.clone(), spec);
        assert_eq!(format!("{spec:?}"), r#"Custom(calm {"every":"1m"})"#);
    }

    #[test]
    fn what_no_registry_has_looked_at_can_be_told_from_what_can_run() {
        let spec = unresolved("custom.calm.every = \"1m\"");
        let paths: Vec<String> = spec.problems().into_iter().map(|it| it.path).collect();
        assert_eq!(paths, ["heartbeat.custom.calm"]);
        assert_eq!(spec.promises(&testing::bounds()), Promises::default());
        assert_eq!(spec.describe(), "The policy `calm`, not looked up in a registry.");
    }

    #[test]
    #[should_panic(expected = "the policy `calm` was not resolved by a registry")]
    fn what_no_registry_has_looked_at_cannot_run() {
        unresolved("custom = \"calm\"").build(rng(1));
    }

    #[test]
    fn a_custom_policy_is_one_name_with_a_table() {
        for (text, words) in [
            ("custom = {}", "no policy is named here"),
            ("custom = { a = {}, b = {} }", "more than one policy"),
            ("custom = { a = 3 }", "invalid type: integer `3`, expected a map"),
            ("custom = 3", "invalid type: integer `3`, expected the name of a custom policy"),
        ] {
            let error = toml::from_str::<StrategySpec>(&format!("name = \"a\"\nheartbeat.{text}")).unwrap_err();
            assert!(error.message().contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn strategies_of_ones_own_stand_behind_the_presets() {
        let registry = registry();
        assert_eq!(registry.presets().count(), preset::all().len() + 1);
        assert_eq!(registry.presets().last(), registry.preset("own"));
        assert_eq!(registry.preset("wechat-270"), preset::find("wechat-270"));
        assert_eq!(Registry::new().preset("own"), None);
        assert_eq!(registry.preset("grpc-keepalive").map(|preset| preset.name), Some("grpc-core-1.85"));
    }

    #[test]
    fn a_family_has_presets_and_strategies_of_ones_own() {
        let registry = registry().strategy("mine", "name = \"mine\"\nfamily = \"mqtt\"\nheartbeat = \"none\"");
        let members: Vec<&str> = registry.family("mqtt").map(|preset| preset.name).collect();
        assert!(members.len() > 5 && members[0] == "mqtt-keepalive" && members.last() == Some(&"mine"), "{members:?}");
        assert_eq!(registry.family("nobody").count(), 0);
    }

    #[test]
    fn names_that_are_bad_or_taken_are_refused_at_once() {
        let refused = |make: fn() -> Registry| std::panic::catch_unwind(make).is_err();
        assert!(refused(|| registry().heartbeat::<Calm>("calm")));
        assert!(refused(|| registry().heartbeat::<Calm>("Calm!")));
        assert!(refused(|| registry().strategy("own", "")));
        assert!(refused(|| registry().strategy("wechat-270", "")));
        assert!(!refused(|| registry().heartbeat::<Calm>("calm-2")));
    }

    #[test]
    fn a_guest_is_what_was_registered_under_its_name() {
        let registry = registry().guest("my-client", 7_u32).guest("another", "text");
        assert_eq!(registry.guests().collect::<Vec<_>>(), ["another", "my-client"]);
        let guest = registry.find_guest("my-client").unwrap();
        assert_eq!((guest.program::<u32>(), guest.program::<u64>()), (Some(&7), None));
        assert_eq!(HeartbeatSpec::Guest(guest).problems(), []);
        assert!(registry.find_guest("nobody").is_none());
        assert!(std::panic::catch_unwind(|| Registry::new().guest("a", 1).guest("a", 2)).is_err());
    }

    #[test]
    fn specs_and_registries_travel_between_threads() {
        fn travels<T: Send + Sync + Clone>() {}
        travels::<StrategySpec>();
        travels::<Registry>();
    }
}
