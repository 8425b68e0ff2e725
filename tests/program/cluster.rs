//! A plan shared out over a real Slurm, one node on this machine: the script of `examples/cluster`, an array of which one task is
//! killed and run again alone, and the bytes of a run on one machine in the end.

#![cfg(unix)]

use std::{path::Path, process::Command};

use kit::{
    place,
    place::{Done, SCENARIO},
};

/// What is done on the cluster: an array whose second task is killed in the middle, that task again, and the merge.
const ON_CLUSTER: &str = r#"
set -eu
script=$ROOT/examples/cluster/slurm.sh
# The second task ends before its last change but some, as if its node had died.
sbatch --wait --array=1-4 --output=%a.log --export=ALL,KILLED=2 "$script" small.toml --seeds 4 --engine event || true
SHARDS=4 sbatch --wait --array=2 --output=again.log "$script" small.toml --seeds 4 --engine event
"$CARDIOGRAM" merge out-1 out-2 out-3 out-4 --out merged -q
"#;

/// The program, which dies in the task that is named.
const DIES: &str = r#"#!/bin/sh
if [ "${KILLED:-none}" = "${SLURM_ARRAY_TASK_ID:-}" ]; then export CARDIOGRAM_FAULT=kill:16; fi
exec "$PROGRAM" "$@"
"#;

#[test]
fn an_array_of_which_a_task_is_killed_ends_in_the_bytes_of_one_machine() {
    let is_there = |program: &str| {
        Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output()
            .is_ok_and(|found| found.status.success())
    };
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !(is_root && ["slurmctld", "slurmd", "sbatch", "munged"].into_iter().all(is_there)) {
        eprintln!("skipped: there is no Slurm here, or no root (Debian: slurm-wlm, munge)");
        return;
    }
    let place = place!();
    place.write("small.toml", SCENARIO);
    place.write("dies.sh", DIES);
    place.write("on-cluster.sh", ON_CLUSTER);
    Command::new("chmod").arg("+x").arg(place.path("dies.sh")).status().unwrap();
    place.cardiogram("run small.toml --seeds 4 --engine event --out whole -q").good();

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cluster = Command::new(root.join("tests/program/slurm/one-node.sh"));
    cluster.arg(place.path("slurm")).args(["sh", "on-cluster.sh"]).current_dir(place.path(""));
    cluster.env("ROOT", root).env("CARDIOGRAM", place.path("dies.sh")).env("PROGRAM", env!("CARGO_BIN_EXE_cardiogram"));
    let done = Done::from(cluster.output().unwrap());
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    let log = |name: &str| std::fs::read_to_string(place.path(name)).unwrap_or_default();
    assert!(!cfg!(debug_assertions) || log("2.log").contains("fault: killed"), "{}", log("2.log"));
    assert!(place.files("merged") == place.files("whole"));
}
