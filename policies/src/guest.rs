//! Guests as data: what a strategy file says under `heartbeat.guest`. A guest is a real program that keeps its connection by
//! itself. What it is made of, and who can run it, is not known here: a laboratory that runs real programs looks inside.

use std::{any::Any, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Problem;

/// A real program in a strategy, in place of all its policies: `heartbeat.guest = "NAME"` in a file.
///
/// Read by serde alone it is a name that nobody has looked up. The reader of a strategy resolves it by a registry, once. Two
/// are equal if their names are.
#[derive(Clone)]
pub struct Guest {
    name: String,
    /// `None` while it is unresolved.
    program: Option<Arc<dyn Any + Send + Sync>>,
}

impl Guest {
    /// Returns the guest that a program has registered under that name.
    #[cfg(feature = "registry")]
    pub(crate) fn new(name: &str, program: Arc<dyn Any + Send + Sync>) -> Self {
        Self { name: name.into(), program: Some(program) }
    }

    /// Returns the name that it is registered by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what is registered under the name; `None` where nobody has looked it up, or it is of another type.
    pub fn program<T: Any>(&self) -> Option<&T> {
        self.program.as_ref()?.downcast_ref()
    }

    pub(crate) fn describe(&self) -> String {
        format!(
            "The program `{}`, as it is: it connects, beats, gives up and comes back by its own rules, and its server answers by \
             its own. No policy of the lab takes part.",
            self.name
        )
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        let unknown = self.program.is_none().then(|| {
            let message = format!("the guest `{}` has not been looked up in a registry", self.name);
            Problem::new("heartbeat.guest", message, "use the program that the guest is compiled into")
        });
        unknown.into_iter().collect()
    }
}

impl PartialEq for Guest {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Serialize for Guest {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Guest {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(Self { name: String::deserialize(input)?, program: None })
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Guest {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Guest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}
