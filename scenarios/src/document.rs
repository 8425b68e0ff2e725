//! From the text of a TOML file to a value, or to everything that is wrong with the text.
//!
//! serde stops at the first error. To find the others too, the part of the file that an error points at is taken out
//! and the rest is read again, until it can be read or nothing is left to take out. Errors that come only from what was
//! taken out are not reported.
//!
//! Contradictions between values are found later, by the owner of the type; they name their key by a dotted path, which
//! is turned into a place in the file here.

use std::ops::Range;

use cardiogram_policies::{Problem, preset};
use cardiogram_sim::config::FaultKind;
use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer, Error},
};

use crate::diagnostic::Diagnostic;

/// The most problems that are looked for in one file: each costs reading the rest anew.
const PROBLEMS_MAX: usize = 200;

/// Reads `text`. `check` finds what contradicts itself in a value that could be read.
pub(crate) fn read<T: DeserializeOwned>(
    text: &str,
    check: impl FnOnce(&T) -> Vec<Problem>,
) -> Result<T, Vec<Diagnostic>> {
    read_and_complete(text, |_, _| Vec::new(), check)
}

/// As [`read`]; before the check, `complete` puts into the value what it needs to look at the text itself for.
pub(crate) fn read_and_complete<T: DeserializeOwned>(
    text: &str,
    complete: impl FnOnce(&mut T, &Spanned<DeTable<'_>>) -> Vec<Diagnostic>,
    check: impl FnOnce(&T) -> Vec<Problem>,
) -> Result<T, Vec<Diagnostic>> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    if let Some(error) = errors.first() {
        // One slip of the pen makes the parser stumble several times; the first time is the one that tells.
        let (message, help) = words(error.message());
        return Err(vec![Diagnostic { message, span: error.span(), help }]);
    }
    if tree.get_ref().is_empty() {
        return Err(vec![Diagnostic { message: "the file is empty".into(), span: None, help: None }]);
    }
    let mut value: T = deserialize(&tree, |input| T::deserialize(input))?;
    let found = complete(&mut value, &tree);
    if !found.is_empty() {
        return Err(found);
    }
    let problems = check(&value);
    if problems.is_empty() {
        return Ok(value);
    }
    Err(problems.into_iter().map(|problem| resolve(&tree, problem)).collect())
}

/// `problem` at its place in `text`, which is TOML.
pub(crate) fn place(text: &str, problem: Problem) -> Diagnostic {
    resolve(&DeTable::parse(text).expect("the text was read before"), problem)
}

/// Returns whether the top level of `text` has this key; false where the text is not TOML.
pub(crate) fn has_key(text: &str, key: &str) -> bool {
    DeTable::parse(text).is_ok_and(|tree| tree.get_ref().contains_key(key))
}

/// Returns the dotted path of the innermost key or value of `text` that lies at `span`, and whether it is the key.
#[cfg(feature = "runner")]
pub(crate) fn path_at(text: &str, span: &Range<usize>) -> Option<(String, bool)> {
    fn in_table(table: &DeTable<'_>, span: &Range<usize>, path: &str) -> Option<(String, bool)> {
        table.iter().find_map(|(key, value)| {
            let name = key.get_ref();
            let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            let here = || (key.span() == *span).then(|| (path.clone(), true));
            in_value(value, span, &path).or_else(here)
        })
    }
    fn in_value(value: &Spanned<DeValue<'_>>, span: &Range<usize>, path: &str) -> Option<(String, bool)> {
        let below = match value.get_ref() {
            DeValue::Table(table) => in_table(table, span, path),
            DeValue::Array(array) => {
                (0..).zip(array.iter()).find_map(|(at, it): (usize, _)| in_value(it, span, &format!("{path}[{at}]")))
            }
            _ => None,
        };
        below.or_else(|| (value.span() == *span).then(|| (path.to_owned(), false)))
    }
    in_table(DeTable::parse(text).ok()?.get_ref(), span, "")
}

/// Returns what `read` makes of the table `tree`, or everything that it finds wrong there.
pub(crate) fn deserialize<'de, T>(
    tree: &Spanned<DeTable<'de>>,
    read: impl Fn(Deserializer<'de>) -> Result<T, Error>,
) -> Result<T, Vec<Diagnostic>> {
    let mut rest = tree.clone();
    let mut found = Vec::new();
    // The tables that something was taken out of, by their spans.
    let mut incomplete: Vec<Range<usize>> = Vec::new();
    loop {
        let error = match read(Deserializer::from(rest.clone())) {
            Ok(value) if found.is_empty() => return Ok(value),
            Ok(_) => return Err(found),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_else(|| tree.span());
        if !(is_absence(&error) && incomplete.contains(&span)) {
            found.push(explain(&error, tree));
        }
        match take_out(rest.get_mut(), &span) {
            Some(Taken::Here) => incomplete.push(tree.span()),
            Some(Taken::Below(table)) => incomplete.push(table),
            None => return Err(found),
        }
        if found.len() >= PROBLEMS_MAX {
            return Err(found);
        }
    }
}

/// The table that a part was taken out of.
enum Taken {
    /// The table or array that was searched.
    Here,
    /// The table below it that has this span.
    Below(Range<usize>),
}

/// Removes the innermost key or value that lies at `span`.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<Taken> {
    let mut hit = None;
    for (key, value) in table.iter_mut() {
        let place = value.span();
        if let Some(from) = take_out_below(value.get_mut(), span) {
            return Some(match from {
                Taken::Here => Taken::Below(place),
                below @ Taken::Below(_) => below,
            });
        }
        if key.span() == *span || place == *span {
            hit = Some(key.clone());
            break;
        }
    }
    table.remove(&hit?);
    Some(Taken::Here)
}

fn take_out_below(value: &mut DeValue<'_>, span: &Range<usize>) -> Option<Taken> {
    match value {
        DeValue::Table(table) => take_out(table, span),
        DeValue::Array(array) => {
            let mut hit = None;
            for (index, element) in array.iter_mut().enumerate() {
                let place = element.span();
                match take_out_below(element.get_mut(), span) {
                    Some(Taken::Here) => return Some(Taken::Below(place)),
                    Some(below) => return Some(below),
                    None if place == *span => hit = Some(index),
                    None => {}
                }
            }
            let hit = hit?;
            let rest = array.iter().enumerate().filter(|(index, _)| *index != hit);
            *array = rest.map(|(_, element)| element.clone()).collect();
            Some(Taken::Here)
        }
        _ => None,
    }
}

/// toml's words for a table without a key where an enum's variant is expected.
const EMPTY_TABLE: &str = "wanted exactly 1 element, found 0 elements";
/// serde's words for the same, where a type looks at the table's content itself.
const EMPTY_TABLE_BEHIND_VISITOR: &str = "invalid type: map, expected enum";

/// Our words where a name stands alone that has parameters.
const NEEDS_PARAMETERS: &str = "this needs parameters";
/// Our words where a table has several keys and an enum's variant is expected.
pub(crate) const SEVERAL_KINDS: &str = "this table names more than one kind";

/// What a custom policy says where several keys stand for one policy.
const NO_POLICY: &str = "no policy is named here";

/// Errors that say that something is not there: taking things out brings them about.
fn is_absence(error: &Error) -> bool {
    let message = error.message();
    message.starts_with("missing field")
        || message.starts_with(NO_POLICY)
        || message == EMPTY_TABLE
        || message == EMPTY_TABLE_BEHIND_VISITOR
}

/// Returns a problem found by the owner of the type, with its path turned into a place.
fn resolve(tree: &Spanned<DeTable<'_>>, problem: Problem) -> Diagnostic {
    let mut table = Some(tree.get_ref());
    let mut span = None;
    // As far down as the file goes: a key that has its default is not there.
    'path: for step in problem.path.split('.') {
        let (key, indices) = step.split_once('[').map_or((step, ""), |(key, rest)| (key, rest));
        let named = |name: &str| table.and_then(|table| table.get(name));
        let Some(mut value) = named(key).or_else(|| former_names(key).find_map(named)) else { break };
        span = Some(value.span());
        for index in indices.split('[').filter_map(|index| index.trim_end_matches(']').parse::<usize>().ok()) {
            let Some(element) = value.get_ref().as_array().and_then(|array| array.get(index)) else { break 'path };
            value = element;
            span = Some(value.span());
        }
        table = value.get_ref().as_table();
    }
    // A path that begins with a key which is not in the file still has to be named.
    let message = if span.is_some() { problem.message } else { format!("{}: {}", problem.path, problem.message) };
    Diagnostic { message, span, help: (!problem.help.is_empty()).then_some(problem.help) }
}

/// Returns the names that files of earlier versions have for a kind of fault, or for a heartbeat.
fn former_names(name: &str) -> impl Iterator<Item = &'static str> {
    let kind = FaultKind::ALL.iter().find(|kind| kind.name() == name);
    let of_kind = kind.into_iter().flat_map(|kind| kind.former_names()).copied();
    of_kind.chain(preset::aliases().iter().filter(move |alias| alias.now == name).map(|alias| alias.name))
}

/// serde's words as a sentence for the person who wrote the file.
fn explain(error: &Error, tree: &Spanned<DeTable<'_>>) -> Diagnostic {
    let (message, help) = words(error.message());
    // An error at no place is one of the whole file.
    let span = error.span().filter(|span| !span.is_empty());
    let at = span.as_ref().and_then(|span| value_at(tree.get_ref(), span));
    let is_server = tree.get_ref().get("server").is_some_and(|value| Some(value.span()) == span);
    let better = match (message.as_str(), at) {
        (NEEDS_PARAMETERS, Some((_, DeValue::String(name)))) => Some(format!(
            "write a table, as in {{ {name} = {{ ... }} }}, or {{ {name} = {{}} }} where every parameter has a default"
        )),
        // Its parts have parameters, and only to have none is said by a name.
        (_, Some(("server", DeValue::String(name)))) if message.starts_with("unknown name") && is_server => {
            Some(format!("write it as a table, as in server.{name} = {{ ... }}; alone in quotes there is only `none`"))
        }
        // Of faults there may be several, of a heartbeat there is one.
        (SEVERAL_KINDS, Some((key, DeValue::Table(table)))) if key != "faults" => {
            let names: Vec<String> = table.iter().map(|(name, _)| format!("`{}`", name.get_ref())).collect();
            Some(format!("there is one `{key}`: keep one of {}", names.join(", ")))
        }
        _ => None,
    };
    Diagnostic { message, span, help: better.or(help) }
}

/// Returns the value at a place, and the key at the top of the file that it is below.
fn value_at<'a>(table: &'a DeTable<'_>, span: &Range<usize>) -> Option<(&'a str, &'a DeValue<'a>)> {
    fn below<'a>(value: &'a Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<&'a DeValue<'a>> {
        let inner = match value.get_ref() {
            DeValue::Table(table) => table.iter().find_map(|(_, value)| below(value, span)),
            DeValue::Array(array) => array.iter().find_map(|value| below(value, span)),
            _ => None,
        };
        inner.or_else(|| (value.span() == *span).then(|| value.get_ref()))
    }
    table.iter().find_map(|(key, value)| Some((&**key.get_ref(), below(value, span)?)))
}

fn words(message: &str) -> (String, Option<String>) {
    if let Some((unknown, known)) = message.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", ")) {
        let known = quoted(known);
        return (
            format!("unknown key {unknown}"),
            Some(choose(unknown.trim_matches('`'), &known, "the keys here are")),
        );
    }
    if let Some((unknown, known)) = message.strip_prefix("unknown variant ").and_then(|rest| rest.split_once(", ")) {
        let mut known = quoted(known);
        // Names of before are read, and not recommended.
        let former: Vec<&str> = known.iter().flat_map(|name| former_names(name)).collect();
        known.retain(|name| !former.contains(name));
        return (
            format!("unknown name {unknown}"),
            Some(choose(unknown.trim_matches('`'), &known, "possible here are")),
        );
    }
    let unexpected = message.strip_prefix("unexpected keys in table: ");
    if let Some((unknown, known)) = unexpected.and_then(|rest| rest.split_once(", available keys: ")) {
        let known: Vec<&str> = known.split(", ").collect();
        let first = unknown.split(", ").next().unwrap_or(unknown);
        return (format!("unknown key `{first}`"), Some(choose(first, &known, "the keys here are")));
    }
    if let Some(key) = message.strip_prefix("missing field ") {
        return (format!("the key {key} is missing"), None);
    }
    match message {
        EMPTY_TABLE | EMPTY_TABLE_BEHIND_VISITOR => {
            return ("this table is empty".into(), Some("name one kind in it, as in { kind = ... }".into()));
        }
        "wanted exactly 1 element, more than 1 element" => {
            return (SEVERAL_KINDS.into(), Some("give each a table of its own".into()));
        }
        "expected empty table" => {
            return ("this has no parameters".into(), Some("write its name alone, in quotes".into()));
        }
        "wanted string or table" => {
            return ("this is neither a name nor a table".into(), Some("write a name in quotes".into()));
        }
        "duplicate key" => return ("this key is there twice".into(), Some("remove one of the two".into())),
        _ => {}
    }
    let found_and_expected =
        |prefix| message.strip_prefix(prefix).and_then(|rest: &str| rest.split_once(", expected "));
    if let Some((found, expected)) = found_and_expected("invalid type: ") {
        return match found {
            "unit variant" => (
                NEEDS_PARAMETERS.into(),
                Some(
                    "write a table, as in { name = { ... } }, or { name = {} } where every parameter has a default"
                        .into(),
                ),
            ),
            "map" => ("a table does not belong here".into(), Some(format!("write {}", plain(expected)))),
            "sequence" => ("an array does not belong here".into(), Some(format!("write {}", plain(expected)))),
            // The parser's own type for numbers that it has none for.
            _ => (
                format!("{} does not belong here", found.trim_end_matches(" as i128")),
                Some(format!("write {}", plain(expected))),
            ),
        };
    }
    if let Some((found, expected)) = found_and_expected("invalid value: ") {
        return (format!("{found} is not possible here"), Some(format!("write {}", plain(expected))));
    }
    // Our own types write for the reader already: what is wrong; what to write.
    match message.split_once("; ") {
        Some((wrong, instead)) => (wrong.into(), Some(instead.into())),
        None => (message.into(), None),
    }
}

/// Returns the names in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// serde's name for a type as a person would say it.
fn plain(expected: &str) -> &str {
    match expected {
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "f64" => "a number",
        "a sequence" => "an array: [ ... ]",
        "a map" | "newtype variant" | "struct variant" => "a table: { ... }",
        _ if expected.starts_with("struct ") => "a table: { ... }",
        _ => expected,
    }
}

/// "did you mean", and what there is to choose from.
pub(crate) fn choose(unknown: &str, known: &[&str], lead: &str) -> String {
    if known.is_empty() {
        return "remove it: there is nothing to set here".into();
    }
    let list = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match nearest(unknown, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? {lead}: {list}"),
        None => format!("{lead}: {list}"),
    }
}

/// Returns the name most like `unknown`, if one is like it at all: it begins alike, or is a slip of the finger away.
pub fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |name: &str| strsim::jaro_winkler(unknown, name);
    let slip = |name: &str| strsim::normalized_damerau_levenshtein(unknown, name);
    known.filter(|name| alike(name) > 0.75 || slip(name) > 0.65).max_by(|a, b| alike(a).total_cmp(&alike(b)))
}
