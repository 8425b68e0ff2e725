//! Two commands at once on one directory: each comes to whole results or is refused with words that say who is there.
//!
//! Two plans take turns, whose rows would be seen in each other's results. 200 rounds of each pair go much faster where nothing
//! waits for a disk: `TMPDIR=/dev/shm CARDIOGRAM_ROUNDS=200 cargo test --test program together::`.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Child, Stdio},
};

use kit::{
    place,
    place::{Done, Place},
};

const SCENARIO: &str = r#"
name = "tiny"
strategies = ["netease-30-15"]
duration = "5m"
access = "lte-near"
core = "backbone"
"#;

const PLAN: &str = r#"
name = "swept"
about = "Two points."
scenario = "./tiny.toml"
strategies = ["netease-30-15"]

[[axis]]
strategy = "heartbeat.fixed.interval"
values = ["30s", "40s"]
"#;

/// The commands that write to `out`: the first and the third the one plan, the second the other, the last whichever is there.
const WRITERS: [&str; 4] = [
    "run tiny.toml --seeds 6 --engine event --out out --force -q",
    "sweep plan.toml --seeds 1 --engine event --out out --force -q",
    "merge 1 2 --out out --force -q",
    "report out -q",
];

/// The commands that read `out`.
const READERS: [&str; 3] = [
    "baseline out --out read.json -q",
    "gate out --baseline tiny.json --junit read.xml -q",
    "merge out --out read --force -q",
];

/// How a command that was refused may begin to say why.
const REFUSALS: [&str; 4] =
    ["another process is writing to ", "no finished results", "disagree", "another process is just writing it"];

/// Returns how often each pair of commands is tried: few here, 200 in a soak.
fn rounds() -> usize {
    std::env::var("CARDIOGRAM_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A place with two plans, and what each of them comes to.
struct Plans {
    place: Place,
    /// The files of the two results.
    wholes: [Files; 2],
    /// Their baselines.
    baselines: [Vec<u8>; 2],
    /// What the gate writes about the first.
    junit: Vec<u8>,
}

impl Plans {
    /// Makes the two results in `tiny` and `swept`, the shards of the first in `1` and `2`, and its results once more in `out`.
    fn new() -> Self {
        let place = place!();
        place.write("tiny.toml", SCENARIO);
        place.write("plan.toml", PLAN);
        for command in [
            "run tiny.toml --seeds 6 --engine event --shard 1/2 --out 1",
            "run tiny.toml --seeds 6 --engine event --shard 2/2 --out 2",
            "run tiny.toml --seeds 6 --engine event --out tiny",
            "run tiny.toml --seeds 6 --engine event --out out",
            "sweep plan.toml --seeds 1 --engine event --out swept",
            "baseline tiny --out tiny.json",
            "baseline swept --out swept.json",
            "gate tiny --baseline tiny.json --junit tiny.xml",
        ] {
            place.cardiogram(&format!("{command} -q")).good();
        }
        let wholes = ["tiny", "swept"].map(|folder| place.files(folder));
        let read = |name| fs::read(place.path(name)).unwrap();
        Self { wholes, baselines: ["tiny.json", "swept.json"].map(read), junit: read("tiny.xml"), place }
    }

    /// Starts two commands and returns what they came to, the first of which is told of first.
    fn both(&self, first: &str, second: &str) -> [Done; 2] {
        let children = [start(&self.place, first), start(&self.place, second)];
        children.map(|child| Done::from(child.wait_with_output().unwrap()))
    }

    #[track_caller]
    fn check_whole(&self, folder: &str, of: &str) {
        assert!(self.wholes.contains(&self.place.files(folder)), "{of}: {folder} has neither results");
    }

    /// Takes what a reader wrote away, which must be of whole results.
    fn check_read(&self, done: &Done, of: &str) {
        let read = ["read.json", "read.xml"].map(|name| {
            let content = fs::read(self.place.path(name)).ok();
            content.inspect(|_| fs::remove_file(self.place.path(name)).unwrap())
        });
        if done.code == Some(0) {
            match read {
                [Some(baseline), None] => assert!(self.baselines.contains(&baseline), "{of}"),
                [None, Some(junit)] => assert!(junit == self.junit, "{of}"),
                [None, None] => self.check_whole("read", of),
                [Some(_), Some(_)] => unreachable!("a reader writes one of them"),
            }
        } else {
            assert_eq!(read, [None, None], "{of}: what is refused writes nothing");
        }
    }
}

fn start(place: &Place, command: &str) -> Child {
    place.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Returns whether a command came to its end; else it must have been refused.
fn is_good(done: &Done, more_refusals: &[&str], of: &str) -> bool {
    let is_refused = || REFUSALS.iter().chain(more_refusals).any(|words| done.err.contains(words));
    match done.code {
        Some(0) => true,
        Some(2) if is_refused() => false,
        code => panic!("{of}: {code:?} {}", done.err),
    }
}

#[test]
fn two_writers_at_once_end_whole_or_refused() {
    let plans = Plans::new();
    for (place, first) in WRITERS.into_iter().enumerate() {
        for second in &WRITERS[place..] {
            let of = format!("{first} | {second}");
            for round in 0..rounds() {
                // Who comes first takes turns.
                let (a, b) = if round % 2 == 0 { (first, *second) } else { (*second, first) };
                let done = plans.both(a, b);
                let good = done.each_ref().map(|done| is_good(done, &[], &of));
                assert!(good.contains(&true), "{of}: {} {}", done[0].err, done[1].err);
                plans.check_whole("out", &of);
            }
        }
    }
}

#[test]
fn a_writer_and_a_reader_at_once_end_whole_or_refused() {
    let plans = Plans::new();
    for writer in WRITERS {
        for reader in READERS {
            let of = format!("{writer} | {reader}");
            for _ in 0..rounds() {
                let [wrote, read] = plans.both(writer, reader);
                assert!(is_good(&wrote, &[], &of), "{of}: a reader keeps no writer away: {}", wrote.err);
                plans.check_whole("out", &of);
                // The gate has the baseline of one plan, and may meet the results of the other.
                is_good(&read, &["the baseline has 6 seeds"], &of);
                plans.check_read(&read, &of);
            }
        }
    }
}

#[test]
fn two_plans_at_once_in_the_default_place_have_one_each_and_the_latest_is_one_of_them() {
    let plans = Plans::new();
    for _ in 0..rounds() {
        let done = plans
            .both("run tiny.toml --seeds 6 --engine event --force", "sweep plan.toml --seeds 1 --engine event --force");
        for done in done {
            assert_eq!(done.code, Some(0), "{}", done.err);
        }
        if cfg!(unix) {
            plans.check_whole("cardiogram-out/latest", "the latest");
        }
        let made = fs::read_dir(plans.place.path("cardiogram-out")).unwrap().count();
        assert_eq!(made, if cfg!(unix) { 3 } else { 2 });
    }
}

#[test]
fn two_that_write_one_file_leave_one_of_theirs() {
    let plans = Plans::new();
    for _ in 0..rounds() {
        let done = plans.both("baseline tiny --out both.json -q", "baseline swept --out both.json -q");
        let good = done.each_ref().map(|done| is_good(done, &[], "both.json"));
        assert!(good.contains(&true), "{}{}", done[0].err, done[1].err);
        assert!(plans.baselines.contains(&fs::read(plans.place.path("both.json")).unwrap()));
    }
    let names = plans.place.names();
    assert!(names.iter().all(|name| !name.contains("-new")), "{names:?}");
}
