//! What a run costs grows with its devices and no faster, in whatever they do; and a connection takes so much memory. Both are
//! counted, allocation by allocation, so that no clock is needed: an engine that looks at everybody for each event would show in
//! `cargo bench`, one that copies or gathers everybody shows here.

use cardiogram::sim::{Engine, RunOptions, run};
use rayon::prelude::*;

use crate::memory;

/// What a world is about, and its lines in a scenario: nothing, moves between networks, NATs that forget everybody at once, few
/// ports, messages, kills.
const WORLDS: [(&str, &str); 6] = [
    ("plain", ""),
    ("switching", "faults = [{ network-switch = { when.every = \"2m\" } }]"),
    ("flushed", "faults = [{ nat-flush = { when.every = \"2m\" } }]"),
    ("crowded", "nat = { established = \"5m\", ports = 4 }\nfaults = [{ nat-flush = { when.every = \"3m\" } }]"),
    ("background", "traffic = { up = \"1m\", down = \"1m\" }"),
    ("killed", "faults = [{ process-killed = { when.every = \"2m\", lasts = \"1s\" } }]"),
];

/// What a run of so many devices for ten minutes allocates: how often, and how many bytes at most at a time.
#[derive(Clone, Copy, Debug)]
struct Taken {
    allocations: u64,
    peak_bytes: u64,
}

fn taken(lines: &str, devices: u32) -> Taken {
    let lines = format!("devices.count = {devices}\ndevices.start_within = \"1m\"\n{lines}");
    let world = memory::world("netease-30-15", &lines);
    let counted = allocation_counter::measure(|| {
        run(&world, 1, &RunOptions::new(Engine::Event)).unwrap();
    });
    Taken { allocations: counted.count_total, peak_bytes: counted.bytes_max }
}

/// Ten times the devices, and by how much more the logarithm of their number grows.
const TEN_TIMES: f64 = 10.0 * 1.5;

#[test]
fn ten_times_the_devices_allocate_at_most_ten_times_as_much_times_the_logarithm() {
    WORLDS.par_iter().for_each(|(name, lines)| {
        let taken = [100, 1_000, 5_000].map(|devices| taken(lines, devices));
        println!("{name}: {taken:?}");
        for (few, many, times) in [(taken[0], taken[1], TEN_TIMES), (taken[1], taken[2], TEN_TIMES / 2.0)] {
            assert!(many.allocations as f64 <= few.allocations as f64 * times, "{name}: {taken:?}");
            assert!(many.peak_bytes as f64 <= few.peak_bytes as f64 * times, "{name}: {taken:?}");
        }
    });
}

/// Both ends' TCP, the device with its policies, the server's session, the NAT's mapping, timers, and what is kept of it all for
/// the verdict, with the room to grow that tables have. docs/benchmarks.md has what of it is really used.
const CONNECTION_BYTES: u64 = 4_480;

#[test]
fn a_connection_takes_at_most_4_480_bytes() {
    let [few, many] = [1_000, 3_000].map(|devices| taken("", devices).peak_bytes);
    println!("{} bytes a connection", (many - few) / 2_000);
    assert!((many - few) / 2_000 <= CONNECTION_BYTES, "{} bytes", (many - few) / 2_000);
}

/// What a break of a session may leave behind until its run is over: its row in the results, in a list with room to grow, and its
/// strike as it was drawn.
const BREAK_BYTES: u64 = 256;

#[test]
fn of_what_is_past_nothing_is_kept_but_rows_and_what_was_drawn() {
    const DEVICES: u64 = 300;
    let faults =
        ["cut = { when.every = \"5m\", lasts = \"30s\" }", "process-killed = { when.every = \"5m\", lasts = \"1s\" }"];
    faults.par_iter().for_each(|fault| {
        let [(short, few), (long, many)] = [4, 16].map(|hours| {
            let lines = format!("devices.count = {DEVICES}\nduration = \"{hours}h\"\nfaults = [{{ {fault} }}]");
            let world = memory::world("netease-30-15", &lines);
            let mut breaks = 0;
            let counted = allocation_counter::measure(|| {
                breaks = run(&world, 1, &RunOptions::new(Engine::Event)).unwrap().episodes.len() as u64;
            });
            (counted.bytes_max, breaks)
        });
        let each = (long - short) / (many - few);
        println!("{fault}: {each} bytes a break, {} a device after 16 h", long / DEVICES);
        assert!(many > 150 * DEVICES && each <= BREAK_BYTES, "{fault}: {each} bytes a break");
    });
}

/// More devices than an address has ports, and than 10.0.0.0/8 has addresses for: each has its session all the same.
#[test]
fn a_crowd_beyond_the_ports_of_an_address_has_its_sessions() {
    let lines = "devices.count = 66000\ndevices.start_within = \"30s\"\nduration = \"40s\"\nserver.backlog = 65535\n";
    let world = memory::world("none", &format!("{lines}access = \"wifi\"\nnat.outside_addresses = 2"));
    let outcome = run(&world, 1, &RunOptions::new(Engine::Event)).unwrap();
    assert_eq!((outcome.peaks.sessions, outcome.episodes.len()), (66_000, 0));
}
