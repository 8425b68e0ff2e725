//! What a policy has learnt, one record for each network or kind of network, and its form as the text that a host stores.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Records by network. Their text is JSON with the policy's name in front; fields that a record of another version has too
/// many are ignored, those that it lacks take their default.
#[derive(Debug)]
pub(super) struct Notebook<K, R> {
    policy: &'static str,
    pub(super) records: BTreeMap<K, R>,
}

#[derive(Serialize)]
struct Written<'a, K: Ord, R> {
    policy: &'a str,
    networks: &'a BTreeMap<K, R>,
}

#[derive(Deserialize)]
#[serde(bound = "K: Ord + Deserialize<'de>, R: Deserialize<'de>")]
struct Read<K, R> {
    policy: String,
    networks: BTreeMap<K, R>,
}

impl<K: Ord + Serialize + DeserializeOwned, R: Serialize + DeserializeOwned> Notebook<K, R> {
    /// Returns an empty notebook of `policy`.
    pub(super) fn new(policy: &'static str) -> Self {
        Self { policy, records: BTreeMap::new() }
    }

    /// Returns the record of a network that has one: it was connected over.
    pub(super) fn page(&mut self, network: &K) -> &mut R {
        self.records.get_mut(network).expect("a network gets its record when a connection comes up over it")
    }

    /// Returns all records as text.
    pub(super) fn text(&self) -> String {
        let written = Written { policy: self.policy, networks: &self.records };
        serde_json::to_string(&written).expect("records of plain numbers have a JSON form")
    }

    /// Takes over what [`text`](Self::text) said. A text that is not understood, or is another policy's, counts as none.
    pub(super) fn take_over(&mut self, text: &str) {
        match serde_json::from_str::<Read<K, R>>(text) {
            Ok(read) if read.policy == self.policy => self.records = read.networks,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Record {
        count: u32,
        stable: bool,
    }

    fn read(text: &str) -> BTreeMap<u32, Record> {
        let mut notebook = Notebook::new("a");
        notebook.take_over(text);
        notebook.records
    }

    #[test]
    fn what_was_written_is_read_again() {
        let mut notebook = Notebook::new("a");
        notebook.records.insert(7, Record { count: 3, stable: true });
        assert_eq!(notebook.text(), r#"{"policy":"a","networks":{"7":{"count":3,"stable":true}}}"#);
        assert_eq!(read(&notebook.text()), notebook.records);
    }

    #[test]
    fn records_of_another_version_are_read_as_far_as_they_go() {
        let records = read(r#"{"policy":"a","mood":1,"networks":{"7":{"count":3,"colour":"red"}}}"#);
        assert_eq!(records, BTreeMap::from([(7, Record { count: 3, stable: false })]));
    }

    #[test]
    fn what_is_not_understood_counts_as_none() {
        let texts =
            ["", "nonsense", r#"{"policy":"b","networks":{"7":{"count":3}}}"#, r#"{"policy":"a","networks":[]}"#];
        for text in texts {
            assert!(read(text).is_empty(), "{text}");
        }
    }
}
