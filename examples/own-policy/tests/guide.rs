//! The guide against the program: what docs/own-policy.md says that commands print is what they print.

use std::{fs, path::Path, process::Command};

/// What the guide's commands begin with.
const COMMAND: &str = "$ cargo run -q -- ";

#[test]
fn every_command_of_the_guide_prints_what_the_guide_shows() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(package.join("../../docs/own-policy.md")).unwrap();
    // The commands write where they stand, so they stand in a copy.
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide");
    let _ = fs::remove_dir_all(&place);
    for folder in ["scenarios", "tests"] {
        fs::create_dir_all(place.join(folder)).unwrap();
    }
    for file in ["scenarios/pocket.toml", "tests/typo.toml"] {
        fs::copy(package.join(file), place.join(file)).unwrap();
    }

    let blocks: Vec<&str> =
        guide.split("\n```console\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let (command, shown) = block.split_once('\n').unwrap_or((block, ""));
        let arguments = command.strip_prefix(COMMAND).unwrap_or_else(|| panic!("{command}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_own-policy"));
        let output = command.args(arguments.split_whitespace()).current_dir(&place).output().unwrap();
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let printed: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
        assert_eq!(shown.lines().collect::<Vec<_>>(), printed, "{arguments}:\n{}", printed.join("\n"));
    }
}
