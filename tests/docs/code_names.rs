//! Names of code in docs/architecture.md: files and folders that are there, methods and variants that the sources have.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{code, page, root};

/// Every file and folder of the tree below `folder`, without what is built and what is hidden.
fn tree(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            tree(&path, paths);
        }
        paths.push(path);
    }
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`.
fn expand(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else { return vec![name.to_owned()] };
    let (choices, after) = rest.split_once('}').expect("a brace is closed");
    choices.split(',').flat_map(|choice| expand(&format!("{before}{choice}{after}"))).collect()
}

fn is_path(name: &str) -> bool {
    let file = [".rs", ".toml", ".md"].iter().any(|end| name.ends_with(end));
    !name.contains(' ') && (file || name.ends_with('/') || (name.contains('/') && !name.contains("::")))
}

/// In the tables of a section "Inside `folder`" a path is one in that folder, or one from the root.
#[test]
fn every_file_that_is_named_is_there() {
    let mut paths = Vec::new();
    tree(root(), &mut paths);
    let page = page("docs/architecture.md");
    let mut missing = Vec::new();
    for section in page.split("\n#") {
        let heading = section.lines().next().unwrap_or_default();
        let inside = heading.split_once("Inside `").and_then(|(_, rest)| rest.split('`').next());
        for line in section.lines() {
            let folder = root().join(inside.filter(|_| line.starts_with('|')).unwrap_or_default());
            let is_there = |name: &String| {
                let end = name.trim_end_matches('/');
                let is_it = |path: &PathBuf| path.ends_with(end) && path.starts_with(&folder);
                name.contains("NAME") || root().join(end).exists() || paths.iter().any(is_it)
            };
            let names = code(line).filter(|name| is_path(name)).flat_map(expand);
            missing.extend(names.filter(|name| !is_there(name)).map(|name| format!("{name} ({heading})")));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// `Type::name`, without what follows the name.
fn member(code: &str) -> Option<(&str, &str)> {
    let (owner, rest) = code.split_once("::")?;
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    (owner.starts_with(char::is_uppercase) && is_word(owner) && is_word(name)).then_some((owner, name))
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|it| it == word)
}

/// Returns a method stands in a file with an `impl` or the trait of its type, a variant in the file of its enum.
fn has_member(source: &str, owner: &str, name: &str) -> bool {
    let heads = if name.starts_with(char::is_uppercase) { &["enum "][..] } else { &["impl", "trait "] };
    let is_head = |line: &str| heads.iter().any(|head| line.trim_start_matches("pub ").starts_with(head));
    let declares = |line: &str| {
        let line = line.trim_start();
        has_word(line, name) && (line.contains(&format!("fn {name}")) || line.starts_with(name))
    };
    let plain = || source.lines().map(|line| line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) "));
    plain().any(|line| is_head(line) && has_word(line, owner)) && plain().any(declares)
}

#[test]
fn every_method_and_variant_that_is_named_is_in_the_sources() {
    let mut paths = Vec::new();
    tree(root(), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|it| it == "rs") && !path.starts_with(root().join("tests")));
    let sources: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let page = page("docs/architecture.md");
    let named: Vec<_> = code(&page).filter_map(member).collect();
    assert!(named.len() > 15, "{named:?}");
    let missing: Vec<_> = named
        .into_iter()
        .filter(|(owner, name)| !sources.iter().any(|source| has_member(source, owner, name)))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
