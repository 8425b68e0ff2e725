//! Every file of `fuzz/corpus`, and everything built in, through the functions that the fuzz targets call: what a fuzzer once
//! found stays found, without any fuzzer. A panic in one of them fails the test; the file is named.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use kit::entries;

/// Returns the files of a folder of the repository, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Returns the files of a folder that make the function panic.
fn panics(folder: &str, entry: entries::Target) -> Vec<PathBuf> {
    let mut files = files(folder);
    assert!(!files.is_empty(), "{folder} has no files");
    files.retain(|file| {
        let content = fs::read(file).unwrap();
        catch_unwind(AssertUnwindSafe(|| entry(&content))).is_err()
    });
    files
}

#[test]
fn no_file_of_the_corpus_makes_anything_panic() {
    let found: Vec<_> =
        entries::ALL.iter().flat_map(|(name, entry)| panics(&format!("fuzz/corpus/{name}"), *entry)).collect();
    assert!(found.is_empty(), "these files make it panic: {found:#?}");
}

#[test]
fn every_fuzz_target_has_a_corpus_and_every_corpus_a_target() {
    let mut names: Vec<&str> = entries::ALL.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let corpora: Vec<PathBuf> = files("fuzz/corpus");
    assert!(corpora.iter().map(|folder| folder.file_name().unwrap()).eq(names.iter().copied()), "{corpora:?}");
    let targets: Vec<PathBuf> = files("fuzz/targets");
    assert!(targets.iter().map(|file| file.file_stem().unwrap()).eq(names.iter().copied()), "{targets:?}");
}

#[test]
fn what_is_built_in_goes_through_the_fuzz_targets_too() {
    let built_in: [(&str, entries::Target); 3] = [
        ("scenarios/library", entries::scenario),
        ("policies/presets", entries::strategy),
        ("examples/sweeps", entries::sweep),
    ];
    let found: Vec<_> = built_in.iter().flat_map(|(folder, entry)| panics(folder, *entry)).collect();
    assert!(found.is_empty(), "these files make it panic: {found:#?}");
}
