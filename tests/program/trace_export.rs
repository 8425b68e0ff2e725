//! `cardiogram trace` as its users run it: the log and its switches, and every file read back by somebody else's eyes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use kit::{
    place,
    place::{Done, Place},
};
use serde::Deserialize;

/// Something of everything: a cut, a NAT that forgets, a server that stalls, messages, two devices.
const EVENTFUL: &str = r#"
name = "eventful"
strategies = ["netease-30-15"]
duration = "40m"
access = "lte-near"
core = "backbone"
devices = { count = 2, start_within = "1s" }
traffic = { up = "5m", down = "5m" }

[[faults]]
cut = { when.at = ["5m"], lasts = "90s" }
[[faults]]
nat-flush = { when.at = ["15m"] }
[[faults]]
server-stall = { when.at = ["25m"], lasts = "2m" }
"#;

fn place() -> Place {
    let place = place!();
    place.write("eventful.toml", EVENTFUL);
    place
}

fn trace(place: &Place, arguments: &str) -> Done {
    place.cardiogram(&format!("trace eventful.toml --strategy netease-30-15 {arguments}"))
}

#[test]
fn the_log_leaves_out_heartbeats_that_went_well_and_keeps_those_that_did_not() {
    let place = place();
    let hidden = trace(&place, "").good();
    let shown = trace(&place, "--heartbeats show").good();
    assert_eq!(hidden, trace(&place, "--heartbeats hide").good());
    let all: BTreeSet<&str> = shown.lines().collect();
    assert!(hidden.lines().all(|line| all.contains(line)), "hiding only leaves out");
    let count = |log: &str, words: &str| log.lines().filter(|line| line.contains(words)).count();
    assert!(count(&shown, "sends heartbeat") > 100);
    // One each for cut, flush and stall, on each device, and what was under way at the end at most.
    let unanswered = count(&hidden, "sends heartbeat");
    assert!((6..=8).contains(&unanswered), "{unanswered}\n{hidden}");
    assert!(count(&hidden, "gets the reply") <= 2, "{hidden}");
    for words in
        ["gives up the connection", "is welcomed by", "gets message", "fault begins: cut of the access link, device 1"]
    {
        assert_eq!(count(&hidden, words), count(&shown, words), "{words}");
        assert!(count(&hidden, words) > 0, "{words}");
    }
    assert!(count(&hidden, "fault: nat-flush of nat") == 1, "{hidden}");
    assert!(hidden.len() * 2 < shown.len());
}

#[test]
fn keepalive_probes_and_server_pings_are_heartbeats_too() {
    let place = place!();
    let count = |strategy: &str, switch: &str| {
        let log = place.cardiogram(&format!("trace small.toml --strategy {strategy} --to 9m {switch}")).good();
        log.lines().count()
    };
    for strategy in ["whatsapp-tcp-10s", "python-websockets-20-20"] {
        let (hidden, shown) = (count(strategy, ""), count(strategy, "--heartbeats show"));
        assert!(hidden * 2 < shown, "{strategy}: {hidden} of {shown}");
    }
}

#[test]
fn the_log_is_narrowed_to_a_device_and_a_part_of_the_run() {
    let place = place();
    let log = trace(&place, "--device 1 --from 5m --to 6m").good();
    assert!(log.contains("device 1 gives up the connection"), "{log}");
    assert!(!log.contains("device 0 ") && !log.contains("10.0.0.1:"), "{log}");
    let within =
        |line: &str| (300.0..=360.0).contains(&line.split_whitespace().next().unwrap().parse::<f64>().unwrap());
    assert!(log.lines().all(within), "{log}");
}

#[test]
fn what_would_have_no_effect_is_refused_and_nothing_is_written() {
    let place = place();
    let before = place.names();
    let failed = |arguments| trace(&place, arguments).failed(2);
    let texts = [
        ("--timeline strip.pdf", ".svg or .png"),
        (
            "--pcap t.json --heartbeats hide",
            "--heartbeats says what the log and --json show, and --pcap stands in their place",
        ),
        ("--pcap t.pcapng --device 1", "--device narrows the log, --json and --timeline"),
        ("--perfetto t.json --from 1m", "--from narrows the log, --json and --timeline"),
        ("--device 2", "numbered from 0 to 1"),
        ("--from 1h", "the run is over after 40m"),
        ("--from 10m --to 10m", "leaves nothing to show"),
        ("--from soon", "is not a duration"),
        ("--perfetto - --timeline -", "--timeline and --perfetto would be mixed up on the standard output"),
        ("--perfetto t.json --json t.json", "would both write t.json"),
        ("--json no/t.json", "cannot write to no/t.json: "),
    ];
    for (arguments, text) in texts {
        let error = failed(arguments);
        assert!(error.contains(text), "{arguments}: {error}");
    }
    assert_eq!(place.names(), before);
}

#[test]
fn every_form_is_the_same_bytes_each_time_and_leaves_nothing_beside_it() {
    let place = place();
    let forms = "--pcap t.pcapng --perfetto t.perfetto.json --json t.json --timeline";
    let written = |picture: &str| {
        trace(&place, &format!("{forms} {picture}")).good();
        let names = ["t.pcapng", "t.perfetto.json", "t.json", picture];
        names.map(|name| fs::read(place.path(name)).unwrap())
    };
    for picture in ["t.svg", "t.png"] {
        let first = written(picture);
        assert!(first.iter().all(|content| content.len() > 1_000));
        assert!(first == written(picture), "{picture}");
    }
    assert!(place.names().iter().all(|name| !name.contains("-new")), "{:?}", place.names());
    let [to_file, to_output] = ["--json t.json", "--json -"].map(|form| trace(&place, form).good());
    assert_eq!(to_file, "");
    assert_eq!(to_output, fs::read_to_string(place.path("t.json")).unwrap());
}

#[test]
fn json_lines_are_narrowed_as_the_log_is() {
    let place = place();
    let lines = |arguments: &str| -> Vec<String> {
        trace(&place, &format!("--json - {arguments}")).good().lines().map(str::to_owned).collect()
    };
    let all = lines("");
    let narrow = lines("--device 1 --from 5m --to 15m --heartbeats hide");
    assert!(!narrow.is_empty() && narrow.len() < all.len() / 4, "{} of {}", narrow.len(), all.len());
    assert!(narrow.iter().all(|line| all.contains(line)), "no line is another one");
    for line in &narrow {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let at: f64 = entry["t_s"].as_str().unwrap().parse().unwrap();
        assert!((300.0..=900.0).contains(&at), "{line}");
        assert!(entry["device"].as_u64().is_none_or(|device| device == 1), "{line}");
    }
    assert_eq!(lines("--heartbeats show"), all);
}

/// Programs that read captures open ours, and see as many packets in it as each other.
#[test]
fn other_peoples_programs_open_a_capture() {
    let place = place();
    trace(&place, "--pcap t.pcapng").good();
    let counted = |program: &str, arguments: &[&str]| -> Option<usize> {
        let read = Command::new(program).args(arguments).arg(place.path("t.pcapng")).output();
        let Ok(read) = read else {
            eprintln!("skipped: there is no {program} here");
            return None;
        };
        assert!(read.status.success(), "{program}: {}", String::from_utf8_lossy(&read.stderr));
        Some(String::from_utf8_lossy(&read.stdout).lines().count())
    };
    let packets = [counted("tcpdump", &["-n", "-r"]), counted("tshark", &["-n", "-r"])];
    let packets: Vec<usize> = packets.into_iter().flatten().collect();
    assert!(packets.iter().all(|count| *count > 100 && *count == packets[0]), "{packets:?}");
}

#[test]
fn a_full_device_is_an_error_that_names_it() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: there is no /dev/full here");
        return;
    }
    let place = place();
    for form in ["--pcap", "--timeline", "--perfetto", "--json"] {
        // A picture's name says what it is, so a link stands for the device.
        let file = if form == "--timeline" {
            std::os::unix::fs::symlink("/dev/full", place.path("full.svg")).unwrap();
            "full.svg"
        } else {
            "/dev/full"
        };
        let error = trace(&place, &format!("{form} {file}")).failed(2);
        assert!(error.contains(&format!("cannot write to {file}: ")), "{error}");
    }
    assert!(Path::new("/dev/full").exists(), "a device is written to and not replaced");
}

#[test]
fn a_file_that_cannot_be_finished_leaves_the_earlier_one() {
    let place = place();
    place.write("t.json", "earlier");
    // The unfinished file has no place.
    fs::create_dir(place.path(".t.json.cardiogram-new")).unwrap();
    assert!(trace(&place, "--json t.json").failed(2).contains("cannot write to t.json: "));
    assert_eq!(fs::read_to_string(place.path("t.json")).unwrap(), "earlier");
}

#[test]
fn json_lines_tell_the_faults_and_the_truth_between_the_entries() {
    let place = place();
    let lines: Vec<serde_json::Value> = trace(&place, "--json -")
        .good()
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let times: Vec<f64> = lines.iter().map(|line| line["t_s"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted());
    let of = |what: &str| lines.iter().filter(|line| line["what"] == what).collect::<Vec<_>>();
    let faults: Vec<String> = of("fault")
        .iter()
        .map(|line| format!("{} {} {} {}", line["t_s"], line["fault"], line["device"], line["until_s"]))
        .collect();
    let expected = [
        r#""300.000000" "cut" 0 "390.000000""#,
        r#""300.000000" "cut" 1 "390.000000""#,
        r#""900.000000" "nat-flush" null "900.000000""#,
        r#""1500.000000" "server-stall" null "1620.000000""#,
    ];
    assert_eq!(faults, expected);
    let usable = of("usable");
    // After the start, the cut, the flush and the stall, on two devices; the last to the end.
    assert_eq!(usable.len(), 8);
    assert_eq!(usable.iter().filter(|line| line["until_s"].is_null()).count(), 2);
}

#[test]
fn tshark_opens_the_capture_and_shows_its_comments_and_nodes() {
    if Command::new("tshark").arg("--version").output().is_err() {
        eprintln!("skipped: there is no tshark here");
        return;
    }
    let place = place();
    trace(&place, "--pcap t.pcapng").good();
    let fields = |filter: &str| {
        let done = Command::new("tshark")
            .args(["-r", "t.pcapng", "-Y", filter, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.comment"])
            .current_dir(place.path(""))
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let comments = fields("frame.comment");
    for text in [
        "devices\t",
        "lost: the link is cut",
        "300.000000 fault begins: cut of the access link, device 0",
        "390.000000 fault ends: cut of the access link, device 0",
        "gives up the connection of port 39120 (no reply)",
        "900.000000 fault: nat-flush of nat",
        "dropped: no mapping",
        "1500.000000 fault begins: server-stall of server-0",
    ] {
        assert!(comments.contains(text), "{text}\n{comments}");
    }
    // Nothing that tshark takes for damaged.
    assert_eq!(fields("_ws.malformed"), "");
    assert!(!fields("frame.interface_name == \"server-0\"").is_empty());
}

/// The JSON object form of the Trace Event Format.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Timeline {
    trace_events: Vec<TimelineEvent>,
    display_time_unit: String,
    other_data: BTreeMap<String, String>,
}

/// An event with what its phase requires.
#[derive(Deserialize)]
#[serde(tag = "ph", deny_unknown_fields)]
enum TimelineEvent {
    #[serde(rename = "M")]
    Metadata { name: String, ts: u64, pid: u32, tid: u32, args: BTreeMap<String, serde_json::Value> },
    #[serde(rename = "X")]
    Complete { name: String, cat: String, ts: u64, dur: u64, pid: u32, tid: u32 },
    #[serde(rename = "i")]
    Instant {
        name: String,
        cat: String,
        ts: u64,
        pid: u32,
        tid: u32,
        s: String,
        args: Option<BTreeMap<String, String>>,
    },
    #[serde(rename = "C")]
    Counter { name: String, ts: u64, pid: u32, tid: u32, args: BTreeMap<String, u64> },
}

#[test]
fn the_perfetto_timeline_keeps_to_its_format() {
    let place = place();
    let json = trace(&place, "--perfetto -").good();
    let timeline: Timeline = serde_json::from_str(&json).expect("every event has what its phase requires, and no more");
    assert_eq!(timeline.display_time_unit, "ms");
    assert_eq!(timeline.other_data["run"], "cardiogram: scenario eventful, strategy netease-30-15, seed 1");
    let (mut processes, mut threads) = (BTreeMap::new(), BTreeMap::new());
    let mut seen = BTreeSet::new();
    let mut open: BTreeMap<(u32, u32), Vec<u64>> = BTreeMap::new();
    let mut last = 0;
    for event in timeline.trace_events {
        let (pid, tid, ts) = match event {
            TimelineEvent::Metadata { name, ts, pid, tid, args } => {
                assert_eq!((ts, last), (0, 0), "names come first");
                match name.as_str() {
                    "process_name" => _ = processes.insert(pid, args["name"].as_str().unwrap().to_owned()),
                    "thread_name" => _ = threads.insert((pid, tid), args["name"].as_str().unwrap().to_owned()),
                    "process_sort_index" | "thread_sort_index" => assert!(args["sort_index"].is_u64()),
                    other => panic!("{other}"),
                }
                continue;
            }
            TimelineEvent::Complete { name, cat, ts, dur, pid, tid } => {
                seen.insert(format!("{cat}: {}", name.split(',').next().unwrap()));
                assert!(ts + dur <= 2_400_000_000, "{name} ends within the run");
                let open = open.entry((pid, tid)).or_default();
                while open.pop_if(|end| *end <= ts).is_some() {}
                assert!(open.last().is_none_or(|end| ts + dur <= *end), "{name} overlaps another span of its thread");
                open.push(ts + dur);
                (pid, tid, ts)
            }
            TimelineEvent::Instant { name, cat, ts, pid, tid, s, args } => {
                assert_eq!(s, "t");
                assert!(args.is_none_or(|args| args.contains_key("about")));
                seen.insert(format!("{cat}: {name}"));
                (pid, tid, ts)
            }
            TimelineEvent::Counter { name, ts, pid, tid, args } => {
                assert_eq!((name.as_str(), args.len()), ("sessions", 1));
                assert!(args["sessions"] <= 4);
                (pid, tid, ts)
            }
        };
        assert!(ts >= last, "events are in order");
        last = ts;
        assert!(processes.contains_key(&pid) && threads.contains_key(&(pid, tid)), "{pid} {tid} has a name");
    }
    let processes: Vec<&str> = processes.values().map(String::as_str).collect();
    assert_eq!(processes, ["links", "devices", "nat", "server-0"]);
    for (row, name) in [
        ("fault: cut of the access link", "the fault of a link"),
        ("fault: server-stall of server-0", "that of a server"),
        ("fault: nat-flush of nat", "that of a moment"),
        ("truth: usable session", "the truth"),
        ("truth: broken: nat-flush", "a break"),
        ("session: session", "what the device believes"),
        ("heartbeat: heartbeat", "heartbeats"),
        ("heartbeat: reply", "replies"),
        ("giving-up: gives up", "the end"),
        ("packet: up, retransmission", "retransmissions"),
    ] {
        assert!(seen.iter().any(|found| found.starts_with(row)), "{name}: {row} of {seen:?}");
    }
}

#[test]
fn a_strip_chart_says_what_happened_in_its_window() {
    let place = place();
    let svg = trace(&place, "--timeline - --device 1 --from 14m --to 16m").good();
    for text in
        ["eventful · netease-30-15 · seed 1 · device 1", "0:14:00 to 0:16:00 (2m)", "gives up: no reply", "nat-flush"]
    {
        assert!(svg.contains(text), "{text}");
    }
    assert!(svg.contains("At 0:15:00 the session broke (nat-flush); noticed after"), "{svg}");
    let quiet = trace(&place, "--timeline - --from 10m --to 10m10s").good();
    assert!(quiet.contains("No session broke. A usable session for 100 % of the time shown."), "{quiet}");
}

#[test]
fn a_strip_chart_of_a_long_run_has_bars_in_place_of_thousands_of_ticks() {
    let place = place!();
    let svg = place.cardiogram("trace quiet-night --strategy netease-30-15 --timeline -").good();
    assert!(svg.contains("full height: "), "{svg}");
    let shapes = svg.matches("<rect").count() + svg.matches("<line").count() + svg.matches("<polyline").count();
    assert!(shapes < 2_000, "{shapes}");
}

/// Behind NATs a packet has other addresses at each node; it stays its device's.
#[test]
fn a_device_is_followed_through_several_nats() {
    let place = place!();
    place.write("nats.toml", EVENTFUL.replace("access =", "nat = [\"firewall\", \"cn-mobile-2g3g\"]\naccess ="));
    let of = |device: &str| {
        let arguments = format!("trace nats.toml --strategy netease-30-15 --heartbeats show --to 4m {device}");
        place.cardiogram(&arguments).good()
    };
    let (all, first, second) = (of(""), of("--device 0"), of("--device 1"));
    let received = |log: &str| log.lines().filter(|line| line.contains("server-0  < nat-1")).count();
    assert!(received(&first) > 10 && received(&second) > 10);
    assert_eq!(received(&all), received(&first) + received(&second));
    let mappings = |log: &str| log.lines().filter(|line| line.contains("nat-1     mapping of port")).count();
    assert_eq!((mappings(&first), mappings(&second)), (1, 1), "{first}");
}

#[test]
fn what_a_run_wrote_as_json_is_drawn_as_a_record_is() {
    let place = place();
    trace(&place, "--json run.jsonl").good();
    place.cardiogram("chart run.jsonl --out run.svg --device 1 --from 4m --to 8m").good();
    place.cardiogram("chart run.jsonl -o run.PNG").good();
    let chart = fs::read_to_string(place.path("run.svg")).unwrap();
    assert!(chart.contains("gives up: no reply") && !chart.contains(">truth<"), "{chart}");
    assert!(place.cardiogram("chart run.jsonl --out -").good().starts_with("<svg"));
    assert!(fs::read(place.path("run.PNG")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn a_record_that_makes_no_sense_is_refused_with_its_place() {
    let place = place!();
    let good = "{\"t_s\":\"3.000000\",\"what\":\"device\",\"device\":0,\"event\":\"suspect\"}\n";
    place.write("bad.jsonl", format!("{good}{}", good.replace("suspect", "dance")));
    let message = place.cardiogram("chart bad.jsonl --out chart.svg").failed(2);
    assert!(message.contains("bad.jsonl:2:1") && message.contains("unknown variant `dance`"), "{message}");
    place.write("empty.jsonl", "");
    let message = place.cardiogram("chart empty.jsonl --out chart.svg").failed(2);
    assert!(message.contains("there is nothing to show of empty.jsonl"), "{message}");
    assert!(place.cardiogram("chart nowhere.jsonl --out chart.svg").failed(2).contains("cannot read nowhere.jsonl"));
    assert!(place.cardiogram("chart bad.jsonl --out chart.gif").failed(2).contains("let it end in .svg or .png"));
    assert!(place.cardiogram("chart bad.jsonl --out bad.jsonl").failed(2).contains(".svg or .png"));
    assert!(!place.path("chart.svg").exists());
}
