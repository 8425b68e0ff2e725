//! What is done with bytes that nobody has checked, one function for each kind of input. A function returns where the input
//! was used or refused with words; a panic in it is a bug.
//!
//! The fuzz targets call these, and `tests/program/fuzz_corpus.rs` calls them with every file of `fuzz/corpus`, without any fuzzer.
//! What they are not: judges of what an input means; other tests are.

use std::{fmt::Write as _, fs, net::SocketAddrV4, path::Path, str, time::Duration};

use cardiogram_policies::{
    Action, AppState, Event, Heartbeat, LossReason, Network, Registry, StrategySpec, Time, preset,
    unit::{Delay, parse_duration},
};
use cardiogram_reports::gate::{self, Bands, Baseline, Strictness};
use cardiogram_results::{Claim, Reader, cells_in};
use cardiogram_scenarios::{load, sweep};
use cardiogram_sim::{
    Engine, RunOptions, WorldConfig,
    packet::{Flags, Options, Packet},
    pcap,
    trace::{DeviceEvent, DropReason, Entry, Fact, Fate, NatEvent, NodeId, Trace, What},
};
use pcap_file::pcapng::{Block, PcapNgReader};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};

/// What takes any bytes.
pub type Target = fn(&[u8]);

/// Every function here, by the name of its corpus.
pub const ALL: [(&str, Target); 11] = [
    ("scenario", scenario),
    ("strategy", strategy),
    ("sweep", sweep),
    ("packet", packet),
    ("capture", capture),
    ("baseline", baseline),
    ("bands", bands),
    ("results", results),
    ("manifest", manifest),
    ("journal", journal),
    ("memory", memory),
];

/// A scenario file; where it can be used, two hours of its world with a simple strategy, if that is little work.
pub fn scenario(data: &[u8]) {
    let Some(text) = text(data) else { return };
    match load::parse_scenario("file.toml", text) {
        Ok(scenario) => {
            let strategy = preset::find("netease-30-15").expect("a preset").spec();
            run_a_moment(&scenario.world(&strategy), text);
        }
        Err(invalid) => assert!(!invalid.render(true).is_empty()),
    }
}

/// A strategy file; where it can be used, everything that is said of it, and two hours of a world with a fault of each kind
/// of break.
pub fn strategy(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let registry = Registry::new();
    match load::parse_strategy("file.toml", text, &registry) {
        Ok(spec) => {
            let loaded = load::Loaded { value: spec, text: text.to_owned(), built_in: false, folder: None };
            if let Some(warnings) = load::warnings("file.toml", &loaded) {
                assert!(!warnings.render_as_warnings(false).is_empty());
            }
            let spec = loaded.value;
            let spelt = load::strategy_text(&spec);
            let again = load::parse_strategy("again.toml", &spelt, &registry);
            assert_eq!(again.as_ref(), Ok(&spec), "what is written of it is not what was read:\n{spelt}");
            let words = [spec.heartbeat.describe(), spec.describe_reconnect(), spec.server.describe()];
            assert!(words.iter().all(|words| !words.is_empty()));
            let world = load::parse_scenario("world", WORLD).expect("the world is good").world(&spec);
            let _ = world.promises();
            run_a_moment(&world, text);
        }
        Err(invalid) => assert!(!invalid.render(true).is_empty()),
    }
}

/// Where strategies of files have to live: a session is lost by the NAT, by a cut, by a crash.
const WORLD: &str = r#"
name = "world"
strategies = ["none"]
duration = "2h"
access = "lte-drive"
nat = { established = "4m" }
core = { delay = "12ms" }
traffic = { down = "10m" }
[[faults]]
cut = { when.at = ["50m"], lasts = "7m" }
[[faults]]
server-crash = { when.at = ["80m"], lasts = "1m" }
[[faults]]
server-stall = { when.at = ["100m"], lasts = "5m" }
"#;

/// The plan file of a sweep. One with paths in it is left alone, since it would read files.
pub fn sweep(data: &[u8]) {
    let Some(text) = text(data).filter(|text| !text.contains(['/', '\\'])) else { return };
    match sweep::parse("sweep.toml", text, Some(Path::new("no-such-folder")), &Registry::new()) {
        Ok(sweep) => assert_eq!(
            sweep.manifest.points.len(),
            sweep.contests.iter().map(|contest| contest.strategies.len()).sum::<usize>()
        ),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn text(data: &[u8]) -> Option<&str> {
    str::from_utf8(data).ok()
}

/// The bytes of a packet: what decodes encodes to bytes that decode to the same.
pub fn packet(data: &[u8]) {
    for bytes in [data, &sealed(data)] {
        let Ok(packet) = Packet::decode(bytes) else { continue };
        let wire = encoded(&packet);
        assert_eq!(wire.len(), packet.wire_len());
        assert_eq!(Packet::decode(&wire), Ok(packet));
    }
}

/// Returns the bytes with length and checksums made right, which no fuzzer would guess.
fn sealed(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    let Ok(len) = u16::try_from(bytes.len()) else { return bytes };
    if len < 40 {
        return bytes;
    }
    bytes[..4].copy_from_slice(&[0x45, 0, (len >> 8) as u8, len as u8]);
    bytes[6..8].fill(0);
    bytes[9] = 6;
    let sum = |bytes: &[u8], before: u32| {
        let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
        let sum = words.fold(before, |sum, word| sum + word);
        let sum = (sum & 0xffff) + (sum >> 16);
        !((sum & 0xffff) + (sum >> 16)) as u16
    };
    bytes[10..12].fill(0);
    let ip = sum(&bytes[..20], 0);
    bytes[10..12].copy_from_slice(&ip.to_be_bytes());
    bytes[36..38].fill(0);
    let addresses = u32::from(!sum(&bytes[12..20], 0));
    let tcp = sum(&bytes[20..], addresses + 6 + u32::from(len) - 20);
    bytes[36..38].copy_from_slice(&tcp.to_be_bytes());
    bytes
}

fn encoded(packet: &Packet) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes);
    bytes
}

/// A record made of the bytes, written as pcapng and read back by a reader that is not ours (there is none of ours: the
/// project only writes captures).
pub fn capture(data: &[u8]) {
    let mut bytes = Bytes(data);
    let nodes = ["devices", "nat", "server-0"].map(str::to_owned).to_vec();
    let about = "x".repeat(usize::from(bytes.u16()));
    let mut entries = Vec::new();
    let mut at = Time::ZERO;
    // The reader takes microseconds for nanoseconds and cannot hold those of more than 584 years; a run has one year.
    while !bytes.0.is_empty() && entries.len() < 1_000 {
        at += Duration::from_micros(u64::from(bytes.u32()));
        let node = NodeId(u32::from(bytes.u8() % 3));
        entries.push(Entry { at, node, what: what(&mut bytes, at) });
    }
    let trace = Trace { nodes, entries, end: at, ..Trace::default() };
    let file = pcap::write(&trace, &about);
    let mut reader = PcapNgReader::new(&file[..]).expect("a section header");
    let mut expected = trace.entries.iter().filter_map(|entry| match &entry.what {
        What::Sent { packet, .. } | What::Received { packet, .. } => Some((entry, packet)),
        _ => None,
    });
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(block) = block.expect("a block") else { continue };
        let (entry, packet) = expected.next().expect("no more packets than in the record");
        assert_eq!(block.interface_id, entry.node.0);
        assert_eq!(block.timestamp.as_nanos(), u128::from(entry.at.as_micros()));
        assert_eq!(Packet::decode(&block.data).as_ref(), Ok(packet));
    }
    assert!(expected.next().is_none(), "a packet is missing");
}

fn what(bytes: &mut Bytes<'_>, at: Time) -> What {
    let kind = bytes.u8();
    match kind % 8 {
        0 => {
            let (device, port) = (u32::from(bytes.u8()), bytes.u16());
            What::Fact(Fact::Nat { network: 0, device, port, server: 0, event: NatEvent::Expired })
        }
        1 => What::Fact(Fact::Device { device: u32::from(bytes.u8()), event: DeviceEvent::Suspect }),
        2 => What::Dropped { packet: any_packet(bytes), reason: DropReason::NoMapping },
        3 => What::Received { packet: any_packet(bytes), from: NodeId(1) },
        4 => What::Sent { packet: any_packet(bytes), to: NodeId(1), fate: Fate::ArrivesTwice { first: at, copy: at } },
        5 => What::Sent { packet: any_packet(bytes), to: NodeId(1), fate: Fate::Arrives(at) },
        _ => What::Sent { packet: any_packet(bytes), to: NodeId(1), fate: Fate::Lost },
    }
}

fn any_packet(bytes: &mut Bytes<'_>) -> Packet {
    let has = bytes.u8();
    let options = Options {
        mss: (has & 1 != 0).then(|| bytes.u16()),
        window_scale: (has & 2 != 0).then(|| bytes.u8()),
        sack_permitted: has & 4 != 0,
        timestamps: (has & 8 != 0).then(|| (bytes.u32(), bytes.u32())),
    };
    let payload = vec![has; usize::from(bytes.u16() % 1_500)];
    let mut address = || SocketAddrV4::new(bytes.u32().into(), bytes.u16());
    let (src, dst) = (address(), address());
    Packet {
        src,
        dst,
        seq: bytes.u32(),
        ack: bytes.u32(),
        flags: Flags(bytes.u8()),
        window: bytes.u16(),
        options,
        payload,
        unreachable: None,
        device: None,
    }
}

/// Numbers off the front of the bytes; zeros when there are no more.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_at(self.0.len().min(N));
        self.0 = rest;
        let mut bytes = [0; N];
        bytes[..taken.len()].copy_from_slice(taken);
        bytes
    }

    fn u8(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
}

/// A baseline of the gate: what is read is written, read again, and compared with itself.
pub fn baseline(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("baseline.json");
    let read = |content: &[u8]| {
        fs::write(&path, content).expect("a file");
        Baseline::read(&path)
    };
    match read(data) {
        Ok(baseline) => {
            let text = baseline.to_json();
            let again =
                read(text.as_bytes()).unwrap_or_else(|error| panic!("what was written is not read: {error}\n{text}"));
            assert_eq!(again.to_json(), text, "what was written is read as something else");
            let comparison = gate::compare(&baseline, &again, &Bands::default());
            assert!(comparison.passes(Strictness::Strict), "a baseline is not equal to itself");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The bands of the gate.
pub fn bands(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("bands.toml");
    fs::write(&path, data).expect("a file");
    if let Err(error) = Bands::read(&path) {
        assert!(!error.to_string().is_empty());
    }
}

/// A manifest alone: it names a plan, and what is written of it names the same.
pub fn manifest(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("manifest.json"), data).expect("a file");
    match Reader::open(dir.path()) {
        Ok(reader) => {
            fs::write(dir.path().join("manifest.json"), reader.manifest.to_json()).expect("a file");
            let again = Reader::open(dir.path()).expect("what is written can be read");
            assert_eq!(again.manifest.fingerprint(), reader.manifest.fingerprint());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A journal of three runs, as it is and with checksums made right, which no fuzzer would guess: any bytes tell of some of them,
/// or of none.
pub fn journal(data: &[u8]) {
    for sealed in [false, true] {
        assert!(cells_in(data, sealed) <= 3);
    }
}

/// A results directory: its files one after another, each after a line `=== NAME`.
pub fn results(data: &[u8]) {
    const FILES: [&str; 4] = ["manifest.json", "runs.csv", "episodes.csv", "series.csv"];
    let Some(text) = text(data) else { return };
    let dir = tempfile::tempdir().expect("a folder");
    drop(Claim::take(dir.path(), "a test").expect("it is empty"));
    for part in text.split("=== ").skip(1) {
        let (name, content) = part.split_once('\n').unwrap_or((part, ""));
        if FILES.contains(&name) {
            fs::write(dir.path().join(name), content).expect("a file");
        }
    }
    let report = Claim::take(dir.path(), "a test").and_then(|claim| cardiogram_reports::write(&claim));
    match report {
        Ok(report) => assert!(report.index.is_file()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match gate::read(dir.path()) {
        Ok(results) => {
            let comparison = gate::compare(results.baseline(), results.baseline(), &Bands::default());
            assert!(comparison.passes(Strictness::Strict), "results are not equal to themselves");
            let mut said = comparison.table(&results);
            let _ = write!(
                said,
                "{}{}",
                comparison.markdown(&results, Strictness::Strict),
                comparison.junit(Strictness::Strict)
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The memory of a policy that learns: the preset's name in the first line, then the text; and a day with it.
pub fn memory(data: &[u8]) {
    let Some((name, memory)) = text(data).and_then(|text| text.split_once('\n')) else { return };
    let Some(preset) = preset::find(name) else { return };
    let spec: StrategySpec = preset.spec();
    let mut heartbeat = spec.heartbeat.build(Box::new(ChaCha8Rng::seed_from_u64(1)));
    heartbeat.recall(memory);
    if let Some(text) = heartbeat.memory() {
        heartbeat.recall(&text);
    }
    live(&mut *heartbeat);
}

/// A day on three networks, on which every fourth heartbeat goes unanswered and connections are lost now and then.
fn live(heartbeat: &mut dyn Heartbeat) {
    let mut now = Time::ZERO;
    let rtt = Duration::from_millis(100);
    for round in 0_u32..200 {
        let networks = [Network::cellular(0), Network::wifi(1), Network::cellular(7)];
        heartbeat
            .on_event(now, &Event::AppState(if round % 5 == 0 { AppState::Background } else { AppState::Foreground }));
        heartbeat.on_event(now, &Event::Connected { network: networks[round as usize % 3], server: 0 });
        for step in 0_u32..40 {
            // Which policies ask for what to do at one moment without end is another test's business.
            for _ in 0..100 {
                let Some(action) = heartbeat.poll(now) else { break };
                match action {
                    Action::SendHeartbeat { id } if step % 4 != 3 => {
                        now += rtt;
                        heartbeat.on_event(now, &Event::HeartbeatReply { id, rtt });
                    }
                    Action::OpenProbe => heartbeat.on_event(now, &Event::ProbeConnected),
                    Action::SendProbe { id } if step % 4 != 3 => {
                        heartbeat.on_event(now, &Event::ProbeReply { id, rtt });
                    }
                    Action::AskTransport => heartbeat.on_event(now, &Event::TransportHeard { ago: rtt }),
                    Action::Remember => drop(heartbeat.memory()),
                    _ => {}
                }
            }
            let Some(deadline) = heartbeat.deadline() else { break };
            now = now.max(deadline);
            if now > Time::from_secs(400 * 86_400) {
                return;
            }
        }
        heartbeat.on_event(now, &Event::Lost(LossReason::Reset));
        now += Duration::from_secs(1);
    }
}

/// Runs a world on the event engine for two hours, or for what is little work: nobody promises that worlds are, and one in
/// which something happens every microsecond is its author's to wait for. `text` is what it was read from.
pub fn run_a_moment(world: &WorldConfig, text: &str) {
    assert!(world.problems().is_empty(), "what was read without problems has some");
    let mut world = world.clone();
    world.devices.count = world.devices.count.min(20);
    world.faults.truncate(20);
    world.duration = world.duration.min(Duration::from_hours(2)).min(shortest(text) * 5_000);
    if !world.problems().is_empty() {
        // Some faults, and what devices do, would begin after the new end.
        world.faults.clear();
        world.devices.start_within = Delay::ZERO;
    }
    if world.problems().is_empty() {
        let outcome = cardiogram_sim::run(&world, 1, &RunOptions::new(Engine::Event));
        assert!(outcome.is_ok(), "the event engine has no errors");
    }
}

/// Returns the shortest time that a text names between quotes.
fn shortest(text: &str) -> Duration {
    let named = text.split(['"', '\'']).filter_map(|word| parse_duration(word).ok());
    named.filter(|span| !span.is_zero()).min().unwrap_or(Duration::MAX / 5_000)
}
