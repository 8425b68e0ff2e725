//! A key in a scenario or strategy as a dotted path, and setting it in the file's text.
//!
//! Where a path goes on below the name of a link, a radio, a NAT or a server, the name gives way to the table that it stands
//! for.

use std::fmt;

use toml::{Table, Value};

use crate::network;

/// The file that a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Scenario,
    Strategy,
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scenario => "scenario",
            Self::Strategy => "strategy",
        })
    }
}

/// A step down the path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// A path from the top of a file: `nat.established`, `faults[0].cut.lasts`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Key(Vec<Step>);

/// What is wrong, and what to write instead.
pub(super) type Wrong = (String, String);

impl Key {
    /// Reads a path.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_word) {
                return Err(not_a_path(text));
            }
            steps.push(Step::Name(name.into()));
            for index in indices.split_terminator(']') {
                let index = index.strip_prefix('[').and_then(|index| index.parse().ok());
                steps.push(Step::Index(index.ok_or_else(|| not_a_path(text))?));
            }
        }
        let key = Self(steps);
        if key.to_string() == text { Ok(key) } else { Err(not_a_path(text)) }
    }

    /// The path through tables of these names.
    pub(super) fn of_names(names: &[&str]) -> Self {
        Self(names.iter().map(|name| Step::Name((*name).into())).collect())
    }

    /// Returns the key, if a sweep may set it there.
    pub(super) fn of(self, of: Of) -> Result<Self, Wrong> {
        let is = |name: &str| matches!(self.0.first(), Some(Step::Name(first)) if first == name);
        if is("name") || is("about") {
            return Err(("every point has a name and a description of its own".into(), "take another key".into()));
        }
        if is("strategies") && of == Of::Scenario {
            let help = "name strategies at the top of this file".into();
            return Err(("the sweep says which strategies there are".into(), help));
        }
        Ok(self)
    }

    /// Returns the last name on the path.
    pub(super) fn last_name(&self) -> &str {
        let name = |step: &'_ Step| matches!(step, Step::Name(_));
        match self.0.iter().rfind(|step| name(step)) {
            Some(Step::Name(name)) => name,
            _ => "",
        }
    }

    /// Returns how many steps two paths have in common from the top.
    pub(super) fn common(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).take_while(|(a, b)| a == b).count()
    }

    /// Returns how many steps it has.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Sets the key in the table of a scenario or strategy. Tables on the way that are not there are made.
    pub(super) fn set(&self, file: &mut Table, of: Of, value: Value) -> Result<(), Wrong> {
        let mut steps = self.0.iter();
        let Some(Step::Name(first)) = steps.next() else { return Err(not_a_path("")) };
        let mut name = first;
        let mut here = file.entry(name).or_insert_with(|| Value::Table(Table::new()));
        for step in steps {
            match step {
                Step::Name(next) => {
                    if let Value::Array(elements) = here {
                        let message = format!("`{name}` is an array here");
                        let last = elements.len().saturating_sub(1);
                        return Err((message, format!("name one of its elements, `{name}[0]` to `{name}[{last}]`")));
                    }
                    if let Some(preset) = here.as_str().filter(|_| of == Of::Scenario)
                        && let Some(table) = network::table(name, preset)
                    {
                        *here = table;
                    }
                    if !here.is_table() {
                        *here = Value::Table(Table::new());
                    }
                    let table = here.as_table_mut().expect("it is one now");
                    here = table.entry(next).or_insert_with(|| Value::Table(Table::new()));
                    name = next;
                }
                Step::Index(index) => {
                    if here.as_table().is_some_and(Table::is_empty) {
                        let help = format!("let the {of}'s file have it, or give it whole in [set]");
                        return Err((format!("there is no `{name}` here"), help));
                    }
                    let Some(elements) = here.as_array_mut() else {
                        return Err((
                            format!("`{name}` is no array here"),
                            format!("write `{name}` without [{index}]"),
                        ));
                    };
                    let count = elements.len();
                    here = elements.get_mut(*index).ok_or_else(|| {
                        let message = format!("`{name}` has no element {index}: there are {count}");
                        (message, "elements are counted from 0".into())
                    })?;
                }
            }
        }
        *here = value;
        Ok(())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if at == 0 => write!(f, "{name}")?,
                Step::Name(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn not_a_path(text: &str) -> Wrong {
    (
        format!("`{text}` is not the path of a key"),
        "write it as in \"nat.established\" or \"faults[0].cut.lasts\"".into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(file: &str, key: &str, value: &str) -> Result<Table, Wrong> {
        let mut table: Table = toml::from_str(file).unwrap();
        Key::parse(key)?.set(&mut table, Of::Scenario, Value::from(value))?;
        Ok(table)
    }

    #[test]
    fn paths_are_read_as_they_are_written() {
        for text in ["duration", "nat.established", "faults[0].cut.lasts", "a[1][2].b-c_d"] {
            assert_eq!(Key::parse(text).unwrap().to_string(), text);
        }
        for text in ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[1", "a]", "[0]", "a[01]", "a b", "a[0]b"] {
            assert!(Key::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_set_where_it_is_and_where_it_is_not() {
        let expected: Table = toml::from_str("a = { b = \"new\", c = 1 }").unwrap();
        assert_eq!(set("a = { b = 2, c = 1 }", "a.b", "new").unwrap(), expected);
        assert_eq!(set("a.c = 1", "a.b", "new").unwrap(), expected);
        assert_eq!(set("", "x.y.z", "new").unwrap(), toml::from_str("x.y.z = \"new\"").unwrap());
        assert_eq!(
            set("a = [{ b = 1 }, {}]", "a[1].b", "new").unwrap(),
            toml::from_str("a = [{ b = 1 }, { b = \"new\" }]").unwrap()
        );
    }

    #[test]
    fn the_name_of_a_part_gives_way_to_its_table() {
        for (file, key, preset) in [
            ("nat = \"cn-mobile-2g3g\"", "nat.established", &["nat"][..]),
            ("nat = [\"home-median\", \"cn-mobile-2g3g\"]", "nat[1].established", &["nat"]),
            ("access = \"umts\"", "access.delay", &["access"]),
            ("core = \"backbone\"", "core.delay", &["core"]),
            ("radio = \"lte-2012\"", "radio.promotion", &["radio"]),
            ("server = \"gw-std\"", "server.heartbeat_cost", &["server"]),
            ("networks.wifi.nat = \"home-median\"", "networks.wifi.nat.established", &["networks", "wifi", "nat"]),
        ] {
            let table = set(file, key, "77s").unwrap();
            let part = preset.iter().fold(&Value::Table(table), |at, name| &at[*name]).clone();
            let part = part.as_array().map_or_else(|| part.clone(), |row| row[1].clone());
            let name = key.rsplit('.').next().unwrap();
            assert_eq!(part[name].as_str(), Some("77s"), "{key}");
            assert!(part.as_table().unwrap().len() > 1 || name == "delay", "the rest of the preset is there: {key}");
        }
    }

    #[test]
    fn arrays_need_an_index_that_there_is() {
        let message = |file: &str, key: &str| set(file, key, "x").unwrap_err().0;
        assert_eq!(message("nat = [\"home-median\"]", "nat.established"), "`nat` is an array here");
        assert_eq!(message("nat = \"home-median\"", "nat[0].established"), "`nat` is no array here");
        assert_eq!(message("nat = [\"home-median\"]", "nat[1].established"), "`nat` has no element 1: there are 1");
    }
}
