//! The arrows of `docs/architecture.md`: which crate may depend on which, which folder of the simulator may use which, and
//! that its files do not use each other in a circle. What a file uses is read off its `use` lines and its paths; tests
//! inside of it may use what they like.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// What each crate may depend on. One that is not published serves tests only, and none of these may depend on it.
const CRATES: [(&str, &[&str]); 10] = [
    ("cardiogram-policies", &[]),
    ("cardiogram-tokio", &["policies"]),
    ("cardiogram-results", &[]),
    ("cardiogram-macros", &[]),
    ("cardiogram-sim", &["policies"]),
    ("cardiogram-interpose", &["sim"]),
    ("cardiogram-scenarios", &["policies", "sim", "results"]),
    ("cardiogram-check", &["policies", "sim", "scenarios"]),
    ("cardiogram-reports", &["policies", "sim", "scenarios", "results"]),
    ("cardiogram", &["policies", "sim", "scenarios", "check", "results", "reports", "macros"]),
];

/// The folders of `sim/src` and the files above them: each may use those before it.
const LAYERS: [&str; 12] =
    ["config", "wire", "record", "fate", "nodes", "engine", "verdict", "show", "run", "guest", "simulate", "frozen"];

/// A module by its path from the crate's root, which is empty.
type Module = Vec<String>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn crates_depend_on_those_to_their_left() {
    let workspace: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let manifest: toml::Table = read(&root().join(member.as_str().unwrap()).join("Cargo.toml")).parse().unwrap();
        let package = &manifest["package"];
        if package.get("publish").and_then(toml::Value::as_bool) == Some(false) {
            continue;
        }
        let name = package["name"].as_str().unwrap();
        let (_, may) =
            CRATES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} is not known here"));
        let of_all = manifest.get("dependencies").and_then(toml::Value::as_table);
        let of_platforms =
            manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
        let of_platforms = of_platforms.filter_map(|target| target.get("dependencies")?.as_table());
        let used = of_all.into_iter().chain(of_platforms).flat_map(toml::Table::keys);
        for used in used.filter_map(|used| used.strip_prefix("cardiogram-")) {
            assert!(may.contains(&used), "{name} depends on cardiogram-{used}");
        }
    }
}

/// Returns the files of the simulator, but for those that are compiled for tests only, with the modules that each uses.
fn uses() -> BTreeMap<Module, BTreeSet<Module>> {
    let mut files = BTreeMap::new();
    collect(&root().join("sim/src"), &[], &mut files);
    let tests: Vec<Module> = files.iter().flat_map(|(module, text)| test_modules(module, text)).collect();
    files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
    let used = |module: &Module, text: &str| {
        let found = paths(text).into_iter().filter_map(|path| resolve(module, &path));
        let known = |path: Module| {
            (0..=path.len()).rev().map(|len| &path[..len]).find(|at| files.contains_key(*at)).map(<[_]>::to_vec)
        };
        found.filter_map(known).filter(|used| used != module).collect()
    };
    files.iter().map(|(module, text)| (module.clone(), used(module, text))).collect()
}

/// Adds the modules of a folder with their text, without comments and without what is compiled for tests only.
fn collect(folder: &Path, at: &[String], files: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = if ["mod", "lib"].contains(&stem.as_str()) { at.to_vec() } else { [at, &[stem]].concat() };
        if path.is_dir() {
            collect(&path, &module, files);
            continue;
        }
        let text = read(&path);
        let code: Vec<&str> = text.lines().map(|line| line.split("//").next().expect("a first part")).collect();
        let code = code.join("\n");
        files.insert(module, code.split("#[cfg(test)]\nmod tests {").next().expect("a first part").to_owned());
    }
}

/// Returns the modules that a file declares for tests only.
fn test_modules(module: &Module, text: &str) -> Vec<Module> {
    let declared = text.split("#[cfg(test)]\nmod ").skip(1).filter_map(|rest| rest.split(';').next());
    declared.map(|name| [&module[..], &[name.to_owned()]].concat()).collect()
}

/// Returns the paths that a text names from `crate`, `self` or `super` on, those of its `use` lines one by one.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "self::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let is_inside = text[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before));
            if !is_inside {
                branch(&mut &text[at..], &mut Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads one branch of a tree of paths, `a::b::{c, d::e}`, and adds its paths behind `before`.
fn branch(text: &mut &str, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let depth = before.len();
    loop {
        *text = text.trim_start();
        if let Some(rest) = text.strip_prefix('{') {
            *text = rest;
            while !text.trim_start().starts_with('}') {
                branch(text, before, found);
                *text = text.trim_start().trim_start_matches(',');
            }
            *text = text.trim_start().strip_prefix('}').expect("the brace that ends the loop");
            break;
        }
        let end = text.find(|sign: char| !sign.is_alphanumeric() && sign != '_').unwrap_or(text.len());
        before.push(text[..end].to_owned());
        *text = &text[end..];
        let Some(rest) = text.strip_prefix("::") else {
            found.push(before.clone());
            // Another name for it, or whatever an expression goes on with, up to the next branch.
            *text = &text[text.find([',', '}', ';', '\n']).unwrap_or(text.len())..];
            break;
        };
        *text = rest;
    }
    before.truncate(depth);
}

/// Returns a path from the crate's root.
fn resolve(module: &Module, path: &[String]) -> Option<Module> {
    let mut at = if path[0] == "crate" { Vec::new() } else { module.clone() };
    for step in path {
        match step.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()?),
            name => at.push(name.to_owned()),
        }
    }
    Some(at)
}

#[test]
fn folders_of_the_simulator_use_those_above_them() {
    let layer = |module: &Module| {
        let name = module.first().map_or("", String::as_str);
        LAYERS.iter().position(|layer| *layer == name).unwrap_or_else(|| panic!("{module:?} is in no known folder"))
    };
    let uses = uses();
    assert!(uses.len() > 80, "{} files", uses.len());
    for (module, used) in uses.iter().filter(|(module, _)| !module.is_empty()) {
        for used in used {
            assert!(!used.is_empty(), "{module:?} uses the crate's root: name the folder");
            assert!(layer(used) <= layer(module), "{module:?} uses {used:?}, which is above it");
        }
    }
}

#[test]
fn files_of_the_simulator_use_each_other_in_no_circle() {
    let mut left = uses();
    for (module, used) in &mut left {
        used.retain(|used| !used.starts_with(module) && !module.starts_with(used));
    }
    // What uses nothing that is left is in no circle.
    loop {
        let free: Vec<Module> =
            left.iter().filter(|(_, used)| used.is_empty()).map(|(module, _)| module.clone()).collect();
        if free.is_empty() {
            break;
        }
        for module in free {
            left.remove(&module);
            for used in left.values_mut() {
                used.remove(&module);
            }
        }
    }
    assert!(left.is_empty(), "in a circle, or on the way to one: {left:#?}");
}
