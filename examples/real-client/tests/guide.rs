//! The guide against the program: what docs/real-clients.md says that commands print is what they print.

use std::{fs, path::Path, process::Command};

/// What the guide's commands begin with.
const COMMAND: &str = "$ cargo run -q -- ";

#[test]
fn every_command_of_the_guide_prints_what_the_guide_shows() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(package.join("../../docs/real-clients.md")).unwrap();
    // The commands write where they stand, so they stand in a folder of their own.
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide");
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).unwrap();

    let blocks: Vec<&str> =
        guide.split("\n```console\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert_eq!(blocks.len(), 5);
    for block in blocks {
        let (command, shown) = block.split_once('\n').unwrap_or((block, ""));
        // `$ PING_S=360 cargo run ...` sets it for one command.
        let (variable, command) = match command.strip_prefix("$ PING_S=") {
            Some(rest) => rest.split_once(' ').map(|(value, rest)| (Some(value), format!("$ {rest}"))).unwrap(),
            None => (None, command.to_owned()),
        };
        let arguments = command.strip_prefix(COMMAND).unwrap_or_else(|| panic!("{command}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_real-client"));
        command.args(arguments.split_whitespace()).current_dir(&place).envs(variable.map(|value| ("PING_S", value)));
        let output = command.output().unwrap();
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let printed: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
        assert_eq!(shown.lines().collect::<Vec<_>>(), printed, "{arguments}:\n{}", printed.join("\n"));
    }
}
