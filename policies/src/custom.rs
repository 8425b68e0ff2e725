//! Custom policies as data: what a strategy file says under `custom`, and what a type has to do to stand there.
//! Which types stand under which names is the business of the registry.

use std::{fmt, sync::Arc, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::{Map, Value};

use crate::{Bounds, Heartbeat, Mechanism, PolicyRng, Problem, Promises, Reconnect, ServerPolicy};

/// The parameters of a custom heartbeat policy: what `heartbeat.custom.NAME` says in a file.
///
/// It is a struct with named fields that serde reads and writes; `deny_unknown_fields` makes a misspelt key an error at
/// its place in the file, and so do the types of [`unit`](crate::unit).
pub trait CustomHeartbeat: Send + Sync + 'static {
    /// Returns a policy ready to run, with the only source of chance that it may use.
    fn build(&self, rng: PolicyRng) -> Box<dyn Heartbeat>;

    /// Returns what the policy guarantees within `bounds`. Default: nothing.
    fn promises(&self, _bounds: &Bounds) -> Promises {
        Promises::default()
    }

    /// Returns the longest gap between its beats while nothing else is sent: what the client announces to servers that ask for
    /// it, what a NAT has to outlast, and around which the checks of promises draw their worlds. Default: it is not known.
    fn longest_gap(&self) -> Option<Duration> {
        None
    }

    /// Returns what the policy asks of its host beyond reading, writing and a timer, so that one that cannot do it refuses to
    /// run it. Default: nothing.
    fn mechanisms(&self) -> Vec<Mechanism> {
        Vec::new()
    }

    /// Returns the contradictions between parameters; a path is the parameter's name. Default: there are none.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Returns the state machine in words, as [`HeartbeatSpec::describe`](crate::HeartbeatSpec::describe) has it.
    fn describe(&self) -> String;
}

/// The parameters of a custom reconnect policy: what `reconnect.custom.NAME` says in a file, in the form of
/// [`CustomHeartbeat`].
pub trait CustomReconnect: Send + Sync + 'static {
    /// Returns a policy ready to run, with the only source of chance that it may use.
    fn build(&self, rng: PolicyRng) -> Box<dyn Reconnect>;

    /// Returns what the policy guarantees within `bounds`, given that an attempt is abandoned after `connect_timeout`.
    /// Default: nothing.
    fn promises(&self, _bounds: &Bounds, _connect_timeout: Duration) -> Promises {
        Promises::default()
    }

    /// Returns the contradictions between parameters; a path is the parameter's name. Default: there are none.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Returns the state machine in words, as [`ReconnectSpec::describe`](crate::ReconnectSpec::describe) has it.
    fn describe(&self) -> String;
}

/// The parameters of a custom server policy: what `server.custom.NAME` says in a file, in the form of [`CustomHeartbeat`].
pub trait CustomServer: Send + Sync + 'static {
    /// Returns a policy ready to run.
    fn build(&self) -> Box<dyn ServerPolicy>;

    /// Returns within what time of its last frame a session is closed. Default: no promise.
    fn reaps_within(&self, _bounds: &Bounds) -> Option<Duration> {
        None
    }

    /// Returns the contradictions between parameters; a path is the parameter's name. Default: there are none.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Returns the state machine in words, as [`ServerSpec::describe`](crate::ServerSpec::describe) has it.
    fn describe(&self) -> String;
}

/// A custom policy in a strategy: `custom.NAME = { ... }` in a file, or `custom = "NAME"` where every parameter has
/// a default. `P` is one of [`CustomHeartbeat`], [`CustomReconnect`] and [`CustomServer`].
///
/// Read by serde alone it is *unresolved*, a name and parameters that nobody has looked at; it can be written again, but not
/// run. The reader of a strategy resolves it by a registry, once. Two are equal if their names and parameters are equal.
pub struct Custom<P: ?Sized> {
    name: String,
    parameters: Map<String, Value>,
    /// `None` while it is unresolved.
    policy: Option<Arc<P>>,
}

impl Custom<dyn CustomHeartbeat> {
    /// Returns the policy `spec`, resolved, under the name that it is registered by.
    pub fn new<T: CustomHeartbeat + Serialize>(name: impl Into<String>, spec: T) -> Self {
        Self { name: name.into(), parameters: parameters(&spec), policy: Some(Arc::new(spec)) }
    }
}

impl Custom<dyn CustomReconnect> {
    /// Returns the policy `spec`, resolved, under the name that it is registered by.
    pub fn new<T: CustomReconnect + Serialize>(name: impl Into<String>, spec: T) -> Self {
        Self { name: name.into(), parameters: parameters(&spec), policy: Some(Arc::new(spec)) }
    }
}

impl Custom<dyn CustomServer> {
    /// Returns the policy `spec`, resolved, under the name that it is registered by.
    pub fn new<T: CustomServer + Serialize>(name: impl Into<String>, spec: T) -> Self {
        Self { name: name.into(), parameters: parameters(&spec), policy: Some(Arc::new(spec)) }
    }
}

/// Returns every parameter of `spec`, those with their defaults too.
fn parameters(spec: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(spec).map(without_nulls) {
        Ok(Value::Object(parameters)) => parameters,
        other => panic!("the parameters of a policy are a struct with named fields, not {other:?}"),
    }
}

/// Returns the value without what is absent in it, for which TOML has no word.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(table) => {
            let there = table.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(there.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Array(array) => Value::Array(array.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

impl<P: ?Sized> Custom<P> {
    /// Returns the name that the policy is registered by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the policy; `None` where it is unresolved.
    pub fn policy(&self) -> Option<&P> {
        self.policy.as_deref()
    }

    /// Returns the policy, which is about to be run.
    pub(crate) fn resolved(&self) -> &P {
        let name = &self.name;
        self.policy().unwrap_or_else(|| panic!("the policy `{name}` was not resolved by a registry before it was run"))
    }

    /// Returns what is wrong with the policy, which stands in the strategy's `part`: `of` it, or that it is unresolved.
    pub(crate) fn problems(&self, part: &str, of: impl FnOnce(&P) -> Vec<Problem>) -> Vec<Problem> {
        let path = format!("{part}.custom.{}", self.name);
        match self.policy() {
            None => vec![Problem::new(
                path,
                format!("the policy `{}` has not been looked up in a registry", self.name),
                "a custom policy stands for a whole heartbeat, reconnect or server policy",
            )],
            Some(policy) => {
                let problems = of(policy).into_iter();
                problems.map(|it| Problem::new(format!("{path}.{}", it.path), it.message, it.help)).collect()
            }
        }
    }

    /// Returns the policy's own description, or that there is none to be had.
    pub(crate) fn describe(&self, of: impl FnOnce(&P) -> String) -> String {
        self.policy().map_or_else(|| format!("The policy `{}`, not looked up in a registry.", self.name), of)
    }
}

impl<P: ?Sized> Clone for Custom<P> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), parameters: self.parameters.clone(), policy: self.policy.clone() }
    }
}

impl<P: ?Sized> PartialEq for Custom<P> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.parameters == other.parameters
    }
}

impl<P: ?Sized> fmt::Debug for Custom<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, Value::Object(self.parameters.clone()))
    }
}

impl<P: ?Sized> Serialize for Custom<P> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        let mut map = output.serialize_map(Some(1))?;
        map.serialize_entry(&self.name, &self.parameters)?;
        map.end()
    }
}

impl<'de, P: ?Sized> Deserialize<'de> for Custom<P> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct NameAndParameters;

        impl<'de> Visitor<'de> for NameAndParameters {
            type Value = (String, Map<String, Value>);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a custom policy with its parameters: { name = { ... } }")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok((name.into(), Map::new()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let entry = map.next_entry()?;
                let entry =
                    entry.ok_or_else(|| A::Error::custom("no policy is named here; write { name = { ... } }"))?;
                match map.next_key::<String>()? {
                    None => Ok(entry),
                    Some(_) => Err(A::Error::custom("this table names more than one policy; name one")),
                }
            }
        }

        let (name, parameters) = input.deserialize_any(NameAndParameters)?;
        Ok(Self { name, parameters, policy: None })
    }
}

#[cfg(feature = "schema")]
impl<P: ?Sized> schemars::JsonSchema for Custom<P> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Custom".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = r"^[a-z0-9-]{1,64}$";
        schemars::json_schema!({
            "description": "The name of a registered policy, alone or with a table of its parameters.",
            "anyOf": [
                { "type": "string", "pattern": name },
                {
                    "type": "object",
                    "propertyNames": { "pattern": name },
                    "additionalProperties": { "type": "object" },
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ],
        })
    }
}
