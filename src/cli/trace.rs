//! `cardiogram trace`: everything that happens in one run, as a log to read, as JSON lines, or as packets for
//! Wireshark.

use std::{fs, io::Write, path::Path};

use cardiogram_policies::{AppState, Registry};
use cardiogram_scenarios::{
    load,
    plan::{Contest, EngineChoice, Plan, Shard},
};
use cardiogram_sim::{
    Engine, RunOptions, WorldConfig,
    config::MAIN,
    packet::Packet,
    pcap, run as simulate,
    trace::{DeviceEvent, Fate, NatEvent, NodeId, ServerEvent, Trace, What},
};

use super::Failure;

/// Show everything that happens in one run; a log to read unless a file is asked for
#[derive(clap::Args)]
pub(super) struct Args {
    /// A built-in scenario or the path of a scenario file
    scenario: String,
    /// A preset or the path of a strategy file
    #[arg(long, value_name = "S")]
    strategy: String,
    /// The seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write JSON lines to this file; `-`: to the standard output
    #[arg(long, value_name = "F")]
    json: Option<String>,
    /// Write the packets as pcapng to this file; `-`: to the standard output
    #[arg(long, value_name = "F")]
    pcap: Option<String>,
}

pub(super) fn run(args: &Args, registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    if args.json.as_deref() == Some("-") && args.pcap.as_deref() == Some("-") {
        return Err(Failure::Input("--json - and --pcap - would be mixed up; write one of them to a file".into()));
    }
    let scenario = load::scenario(&args.scenario)?;
    let strategy = load::strategy(&args.strategy, None, registry)?;
    let world = scenario.value.world(&strategy.value);
    // Finds what contradicts itself, with the same messages as `run`.
    let contest = Contest { origin: args.scenario.clone(), scenario, strategies: vec![strategy] };
    Plan::new(vec![contest], args.seed, 1, EngineChoice::Auto, Shard::WHOLE)?;

    let options = RunOptions { keep_trace: true, ..RunOptions::new(Engine::Event) };
    let outcome = simulate(&world, args.seed, &options).map_err(|error| Failure::Check(error.to_string()))?;
    let trace = outcome.trace.expect("it was asked for");
    if let Some(file) = &args.json {
        write(file, trace.json_lines().as_bytes(), out)?;
    }
    if let Some(file) = &args.pcap {
        write(file, &pcap::write(&trace), out)?;
    }
    if args.json.is_none() && args.pcap.is_none() {
        log(&trace, &world, out)?;
    }
    Ok(())
}

fn write(file: &str, content: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    if file == "-" {
        return Ok(out.write_all(content)?);
    }
    fs::write(Path::new(file), content).map_err(|error| Failure::Input(format!("cannot write {file}: {error}")))
}

/// One line an entry: when, where, what.
fn log(trace: &Trace, world: &WorldConfig, out: &mut dyn Write) -> Result<(), Failure> {
    let networks: Vec<&str> = std::iter::once(MAIN).chain(world.networks.keys().map(String::as_str)).collect();
    let width = trace.nodes.iter().map(String::len).max().unwrap_or(0);
    let node = |id: NodeId| trace.nodes[id.0 as usize].as_str();
    for entry in &trace.entries {
        let what = match &entry.what {
            What::Sent { packet, to, fate } => {
                format!("> {:width$}  {}{}", node(*to), headers(packet), fate_words(*fate))
            }
            What::Received { packet, from } => format!("< {:width$}  {}", node(*from), headers(packet)),
            What::Dropped { packet, reason } => format!("drops {} ({reason:?})", headers(packet)),
            What::Device { device, event } => format!("device {device} {}", device_words(event, &networks)),
            What::Nat { device, port, event, .. } => {
                format!("mapping of device {device} port {port} {}", nat_words(*event))
            }
            What::OuterNat { nat, port, server, event, .. } => {
                format!("mapping of port {port} of NAT {} to server {server} {}", nat - 1, nat_words(*event))
            }
            What::Server { server, event } => format!("server {server} {}", server_words(*event, &networks)),
            other => format!("{other:?}"),
        };
        writeln!(out, "{:>14}  {:width$}  {what}", entry.at.to_string(), node(entry.node))?;
    }
    Ok(())
}

/// A packet in tcpdump's manner.
fn headers(packet: &Packet) -> String {
    let Packet { src, dst, flags, seq, ack, .. } = packet;
    format!("{src} > {dst} [{flags:?}] seq {seq} ack {ack} length {}", packet.payload.len())
}

fn fate_words(fate: Fate) -> String {
    match fate {
        Fate::Arrives(at) => format!(", arrives {at}"),
        Fate::Cut => ", lost: the link is cut".into(),
        Fate::Lost => ", lost by chance".into(),
        Fate::ArrivesTwice { first, copy } => format!(", arrives {first}, and a copy of it {copy}"),
        Fate::QueueFull => ", lost: the queue is full".into(),
    }
}

fn device_words(event: &DeviceEvent, networks: &[&str]) -> String {
    match event {
        DeviceEvent::AttemptStarted { port, server } => format!("connects from port {port} to server {server}"),
        DeviceEvent::AttemptFailed(why) => format!("fails to connect ({why:?})"),
        DeviceEvent::RetryAfter(wait) => format!("tries again after {wait:?}"),
        DeviceEvent::Stopped => "tries no more".into(),
        DeviceEvent::Connected { port, server } => format!("is welcomed by server {server} on port {port}"),
        DeviceEvent::HeartbeatSent { id } => format!("sends heartbeat {id}"),
        DeviceEvent::HeartbeatAnswered { id, rtt } => format!("gets the reply to heartbeat {id} after {rtt:?}"),
        DeviceEvent::MessageSent { id } => format!("sends message {id}"),
        DeviceEvent::MessageDelivered { id, delay } => format!("gets message {id}, {delay:?} old"),
        DeviceEvent::Suspect => "suspects the connection".into(),
        DeviceEvent::Trust => "trusts the connection again".into(),
        DeviceEvent::GivenUp { port, reason } => format!("gives up the connection of port {port} ({reason:?})"),
        DeviceEvent::Woken => "is woken by the push service".into(),
        DeviceEvent::NoticeSent => "sends a heartbeat that wants no answer".into(),
        DeviceEvent::ProbeStarted { port, server } => {
            format!("opens a probe connection from port {port} to server {server}")
        }
        DeviceEvent::ProbeConnected => "is welcomed on the probe connection".into(),
        DeviceEvent::ProbeSent { id } => format!("sends heartbeat {id} of the probe connection"),
        DeviceEvent::ProbeAnswered { id, rtt } => {
            format!("gets the reply to heartbeat {id} of the probe connection after {rtt:?}")
        }
        DeviceEvent::ProbeLost => "loses the probe connection".into(),
        DeviceEvent::ProbeClosed => "closes the probe connection".into(),
        DeviceEvent::RaceStarted { port, server } => {
            format!("connects from port {port} to server {server} beside its session")
        }
        DeviceEvent::RaceLost { port } => format!("stays with its session and drops the attempt from port {port}"),
        DeviceEvent::CheckAfter(wait) => format!("looks whether the network carries anything after {wait:?}"),
        DeviceEvent::NetworkChecked(true) => "finds that the network carries something".into(),
        DeviceEvent::NetworkChecked(false) => "finds that the network carries nothing".into(),
        DeviceEvent::Lost { port, reason } => format!("loses the connection of port {port} ({reason:?})"),
        DeviceEvent::RadioUp { waited } => format!("has its radio up, {waited:?} after it was asked for"),
        DeviceEvent::Attached { network, lease } => {
            format!("is on the network {} (lease {lease})", networks[*network as usize])
        }
        DeviceEvent::Detached { network, lease, cause } => {
            format!("loses its address on {} (lease {lease}): {}", networks[*network as usize], cause.name())
        }
        DeviceEvent::Killed => "has its process killed".into(),
        DeviceEvent::Started => "has its process started again".into(),
        DeviceEvent::AppState(AppState::Foreground) => "has the application on its screen".into(),
        DeviceEvent::AppState(AppState::Background) => "has the application in the background".into(),
        DeviceEvent::AppState(AppState::Doze) => "dozes".into(),
        DeviceEvent::PingAnswered => "answers the server's ping".into(),
        DeviceEvent::NoticeReceived => "hears that the server is alive".into(),
        DeviceEvent::Directed { interval } => format!("is told to beat every {interval:?}"),
        DeviceEvent::GoodbyeReceived { reason, retry_after } => {
            let when = retry_after.map_or_else(String::new, |wait| format!(", and not to come back for {wait:?}"));
            format!("is told goodbye ({reason:?}){when}")
        }
        DeviceEvent::MalformedSent => "sends a frame that makes no sense".into(),
        other => format!("{other:?}"),
    }
}

fn nat_words(event: NatEvent) -> String {
    match event {
        NatEvent::Created { outside } => format!("is made, outside port {outside}"),
        NatEvent::Expired => "expires".into(),
        NatEvent::Flushed => "is lost with the whole table".into(),
        NatEvent::Evicted => "is pushed out of the full table".into(),
    }
}

fn server_words(event: ServerEvent, networks: &[&str]) -> String {
    let client = |network: u32, outside: u16| match network {
        0 => format!("(port {outside})"),
        _ => format!("(port {outside} of {})", networks[network as usize]),
    };
    match event {
        ServerEvent::SessionOpened { device, network, outside } => {
            format!("opens the session of device {device} {}", client(network, outside))
        }
        ServerEvent::SessionClosed { device, network, outside } => {
            format!("ends the session of device {device} {}", client(network, outside))
        }
        ServerEvent::Reaped { device, network, outside } => {
            format!("reaps the session of device {device} {}", client(network, outside))
        }
        ServerEvent::FaultBegan(cause) => format!("fault begins: {}", cause.name()),
        ServerEvent::FaultEnded(cause) => format!("fault ends: {}", cause.name()),
        ServerEvent::TurnedUnhealthy => "is unhealthy to the balancer".into(),
        ServerEvent::TurnedHealthy => "is healthy again to the balancer".into(),
        ServerEvent::WakeupSent { device } => format!("has device {device} woken"),
        ServerEvent::PingSent { device, wants_answer: true } => format!("pings device {device}"),
        ServerEvent::PingSent { device, wants_answer: false } => format!("lets device {device} hear that it is alive"),
        ServerEvent::PongReceived { device } => format!("gets the answer of device {device} to its ping"),
        ServerEvent::Directed { device, interval } => format!("tells device {device} to beat every {interval:?}"),
        ServerEvent::TurnedAway { device, retry_after } => {
            format!("is busy and turns device {device} away for {retry_after:?}")
        }
        ServerEvent::Expelled { device, network, outside, reason } => {
            format!("closes the session of device {device} {} ({reason:?})", client(network, outside))
        }
        ServerEvent::Resumed { device } => format!("lets device {device} go on with its last session"),
        ServerEvent::MalformedReceived { device } => format!("gets a frame of device {device} that makes no sense"),
        other => format!("{other:?}"),
    }
}
