//! Files that the code makes and that are committed: a test compares them, `cargo xtask bless` writes them.

use std::{fs, path::Path};

/// Holds a committed file (its path from the root) to what the code makes of it now.
#[track_caller]
pub fn assert_committed(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    if std::env::var_os("CARDIOGRAM_BLESS").is_some() {
        fs::write(&path, made).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let committed = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let changed: Vec<_> = committed.lines().zip(made.lines()).filter(|(committed, made)| committed != made).collect();
    assert!(
        committed == made,
        "{file} is not what the code makes now; where that is meant, `cargo xtask bless` writes it anew. {} lines \
         committed, {} now; (committed, now): {changed:#?}",
        committed.lines().count(),
        made.lines().count(),
    );
}
