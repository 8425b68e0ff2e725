//! The examples of `examples/cluster`, each of which ends in the bytes of a run on one machine. The Slurm script runs on a real
//! Slurm, one node on this machine: an array of which one task is killed and run again alone. There is no Kubernetes and no GitHub
//! here: their files are read, and what they say is carried out as these would, a process a shard.

#![cfg(unix)]

use std::{fs, path::Path, process::Command};

use kit::{
    place,
    place::{Done, Place, SCENARIO},
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
    let log = |name: &str| fs::read_to_string(place.path(name)).unwrap_or_default();
    assert!(!cfg!(debug_assertions) || log("2.log").contains("fault: killed"), "{}", log("2.log"));
    assert!(place.files("merged") == place.files("whole"));
}

fn example(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/cluster").join(name)).unwrap()
}

/// Returns what stands behind the only line that begins with `key`, blanks and `- ` aside.
#[track_caller]
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let lines = text.lines().filter_map(|line| line.trim_start_matches([' ', '-', '#']).strip_prefix(key));
    let found: Vec<&str> = lines.map(str::trim).collect();
    assert_eq!(found.len(), 1, "{key}: {found:?}");
    found[0]
}

/// Returns a place with the results of a run on one machine in `whole`, in which `cardiogram` is a command of the shell.
fn place_with_whole() -> Place {
    let place = place!();
    fs::create_dir(place.path("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_cardiogram"), place.path("bin/cardiogram")).unwrap();
    place.cardiogram("run small.toml --seeds 3 --engine event --out whole -q").good();
    place
}

/// Carries out a command of an example, with a smaller plan, as an engine does that sets these variables.
#[track_caller]
fn carry_out(place: &Place, command: &str, variables: &[(&str, String)]) {
    let command = command.replace("nat-reboot --seeds 1000", "small.toml --seeds 3 --engine event");
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).current_dir(place.path("")).envs(variables.iter().map(|(name, value)| (name, value)));
    let path = [vec![place.path("bin")], std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect()].concat();
    let done = Done::from(shell.env("PATH", std::env::join_paths(path).unwrap()).output().unwrap());
    assert_eq!(done.code, Some(0), "{command}: {}", done.err);
}

#[test]
fn the_pods_of_the_kubernetes_job_are_the_shards_of_a_whole() {
    let manifest = example("kubernetes.yaml");
    assert_eq!(value(&manifest, "completionMode:"), "Indexed");
    let pods: u32 = value(&manifest, "completions:").parse().unwrap();
    let place = place_with_whole();
    let here = |command: &str| command.replace("/results/", &format!("{}/", place.path("results").display()));
    for index in 0..pods {
        let command = here(&format!("cardiogram run {}", value(&manifest, "cardiogram run")));
        carry_out(&place, &command, &[("JOB_COMPLETION_INDEX", index.to_string())]);
    }
    assert_eq!(fs::read_dir(place.path("results")).unwrap().count(), pods as usize);
    carry_out(&place, &here(&format!("cardiogram merge {}", value(&manifest, "cardiogram merge"))), &[]);
    assert!(place.files("results/whole") == place.files("whole"));
}

#[test]
fn the_jobs_of_the_github_matrix_are_the_shards_of_a_whole() {
    let workflow = example("github.yml");
    let parts: Vec<&str> = value(&workflow, "part:").trim_matches(['[', ']']).split(',').map(str::trim).collect();
    let place = place_with_whole();
    for (index, part) in parts.iter().enumerate() {
        let said = |variable: &str| {
            let expression = value(&workflow, variable);
            match expression.trim_start_matches("${{").trim_end_matches("}}").trim() {
                "strategy.job-index" => index.to_string(),
                "strategy.job-total" => parts.len().to_string(),
                other => panic!("{variable}: {other}"),
            }
        };
        let variables = ["CARDIOGRAM_SHARD_INDEX", "CARDIOGRAM_SHARD_TOTAL"];
        let variables = variables.map(|name| (name, said(&format!("{name}:"))));
        carry_out(&place, &format!("cardiogram run {}", value(&workflow, "run: cardiogram run")), &variables);
        // As an artifact of that name, which is loaded into a folder of its own.
        assert_eq!(value(&workflow, "name: out-"), "${{ matrix.part }}");
        assert_eq!(value(&workflow, "include-hidden-files:"), "true");
        fs::rename(place.path("out"), place.path(&format!("out-{part}"))).unwrap();
    }
    let merge = format!("cardiogram merge {}", value(&workflow, "run: cardiogram merge"));
    carry_out(&place, &merge.replace("--out whole", "--out merged"), &[]);
    assert!(place.files("merged") == place.files("whole"));
}
