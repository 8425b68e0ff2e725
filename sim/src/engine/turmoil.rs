//! The turmoil engine: a conservative parallel simulation on turmoil.
//!
//! Every node is a turmoil host, packets travel as datagrams of turmoil's UDP, stamped with their time of arrival. One
//! step of turmoil is one window of the lab's time, no longer than the smallest delay of any link: what is sent inside a
//! window arrives after it, so within a window each host may run through its own events at their exact times, and neither
//! the tick nor the order of hosts shows in the result.
//!
//! When no event and no datagram falls into the next window, the clock skips to the window of the next event. With
//! skipping switched off, turmoil's clock and the lab's are the same.
//!
//! What is turmoil's here: hosts, their runtimes, the network between them, the clock of the windows. What is not: its
//! latencies (set to zero; the stamp decides), its TCP (no retransmission) and its `fail_rate` (breaks links).

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use cardiogram_policies::Time;
use tokio::sync::Notify;
use turmoil::net::UdpSocket;

use super::RunError;
use crate::{
    nodes::{inbox::Flight, node::Host},
    wire::{layout::NodeId, packet::Packet},
};

/// Every host listens here.
const PORT: u16 = 9_000;
/// Datagrams that may wait at one host within a window: far more than any world sends. Turmoil would drop what exceeds it,
/// which shows only where the run is compared with the event engine's, as `auto` does.
const UDP_CAPACITY: usize = 1 << 20;
/// The longest datagram: arrival, number, sender, packet.
const DATAGRAM_MAX: usize = 20 + 65_535;

/// What driver and hosts share.
struct Shared {
    /// End of the window being run.
    until: Cell<Time>,
    /// Datagrams sent to each host and not received yet.
    in_flight: Vec<Cell<u64>>,
    /// The earliest arrival among those sent in this window.
    earliest_sent: Cell<Time>,
    bound: Cell<usize>,
}

/// Runs `hosts` until `end`, which is excluded, in windows of `tick`.
pub(super) fn run(
    hosts: Vec<Host>,
    end: Time,
    tick: Duration,
    skip_idle: bool,
    seed: u64,
) -> Result<Vec<Host>, RunError> {
    let mut builder = turmoil::Builder::new();
    builder
        .tick_duration(tick)
        .simulation_duration(Duration::MAX)
        .min_message_latency(Duration::ZERO)
        .max_message_latency(Duration::ZERO)
        .udp_capacity(UDP_CAPACITY)
        .rng_seed(seed);
    let mut sim = builder.build();

    let shared = Rc::new(Shared {
        until: Cell::new(Time::ZERO),
        in_flight: hosts.iter().map(|_| Cell::new(0)).collect(),
        earliest_sent: Cell::new(Time::MAX),
        bound: Cell::new(0),
    });
    let hosts: Vec<Rc<Station>> = hosts
        .into_iter()
        .enumerate()
        .map(|(index, host)| Rc::new(Station { index, host: RefCell::new(host), wake: Notify::new() }))
        .collect();
    for station in &hosts {
        let (station, shared) = (station.clone(), shared.clone());
        sim.host(name(station.index), move || live(station.clone(), shared.clone()));
    }
    // Nothing is sent before everyone can receive.
    while shared.bound.get() < hosts.len() {
        sim.step().map_err(|error| RunError::Turmoil(error.to_string()))?;
    }

    let mut window = Time::ZERO;
    let mut earliest_in_flight = Time::MAX;
    while let Some(next) = next_event(&hosts, earliest_in_flight).filter(|next| *next < end) {
        if skip_idle && next > window {
            window = align(next, tick);
        }
        let until = (window + tick).min(end);
        shared.until.set(until);
        shared.earliest_sent.set(Time::MAX);
        for station in &hosts {
            let has_event = station.host.borrow().next_event().is_some_and(|event| event < until);
            if has_event || shared.in_flight[station.index].get() > 0 {
                station.wake.notify_one();
            }
        }
        sim.step().map_err(|error| RunError::Turmoil(error.to_string()))?;
        earliest_in_flight = shared.earliest_sent.get();
        window = until;
    }
    // The hosts' tasks hold the other references.
    drop(sim);
    Ok(hosts.into_iter().map(|station| unwrap(station).host.into_inner()).collect())
}

/// A lab host inside a turmoil host.
struct Station {
    index: usize,
    host: RefCell<Host>,
    wake: Notify,
}

fn unwrap(station: Rc<Station>) -> Station {
    Rc::into_inner(station).expect("turmoil has ended and dropped its hosts")
}

fn name(index: usize) -> String {
    format!("node-{index}")
}

/// Returns the software of a turmoil host: one window of its lab host each time it is woken.
async fn live(station: Rc<Station>, shared: Rc<Shared>) -> turmoil::Result {
    let socket = UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let peers: Vec<_> = (0..shared.in_flight.len()).map(|index| (turmoil::lookup(name(index)), PORT)).collect();
    shared.bound.set(shared.bound.get() + 1);

    let mut buffer = vec![0; DATAGRAM_MAX];
    let mut sent: Vec<Flight> = Vec::new();
    loop {
        station.wake.notified().await;
        let mut host = station.host.borrow_mut();
        // Turmoil delivers a datagram in the next step at the latest, to a host that is stepped later in this one at
        // once, and in no order between senders: so everything there is is taken, and the stamps put it in order.
        let in_flight = &shared.in_flight[station.index];
        while let Ok((len, _)) = socket.try_recv_from(&mut buffer) {
            in_flight.set(in_flight.get() - 1);
            host.deliver(decode(&buffer[..len], NodeId(station.index as u32)));
        }
        host.run_before(shared.until.get(), &mut sent);
        for flight in sent.drain(..) {
            let to = flight.to.0 as usize;
            shared.earliest_sent.set(shared.earliest_sent.get().min(flight.arrival));
            socket.try_send_to(&encode(&flight), peers[to])?;
            shared.in_flight[to].set(shared.in_flight[to].get() + 1);
        }
    }
}

/// Returns the earliest thing that will happen: an event of a host, or the arrival of a datagram that no host has taken yet.
fn next_event(hosts: &[Rc<Station>], in_flight: Time) -> Option<Time> {
    let events = hosts.iter().filter_map(|station| station.host.borrow().next_event());
    events.chain((in_flight < Time::MAX).then_some(in_flight)).min()
}

/// Returns the begin of the window that `at` lies in.
fn align(at: Time, tick: Duration) -> Time {
    let tick = tick.as_micros() as u64;
    Time::from_micros(at.as_micros() / tick * tick)
}

/// Arrival (8 bytes), number of sending (8), sender (4), whose packet it is (4; all bits set: nobody's), then the packet as it
/// is on the wire.
fn encode(flight: &Flight) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24 + flight.packet.wire_len());
    bytes.extend(flight.arrival.as_micros().to_be_bytes());
    bytes.extend(flight.number.to_be_bytes());
    bytes.extend(flight.from.0.to_be_bytes());
    bytes.extend(flight.packet.device.unwrap_or(u32::MAX).to_be_bytes());
    flight.packet.encode(&mut bytes);
    bytes
}

fn decode(bytes: &[u8], to: NodeId) -> Flight {
    let (arrival, rest) = bytes.split_first_chunk().expect("a stamped datagram");
    let (number, rest) = rest.split_first_chunk().expect("a stamped datagram");
    let (from, rest) = rest.split_first_chunk().expect("a stamped datagram");
    let (device, packet) = rest.split_first_chunk().expect("a stamped datagram");
    let device = Some(u32::from_be_bytes(*device)).filter(|device| *device != u32::MAX);
    let packet = Packet::decode(packet).expect("a packet decodes from the bytes it was encoded to");
    Flight {
        arrival: Time::from_micros(u64::from_be_bytes(*arrival)),
        from: NodeId(u32::from_be_bytes(*from)),
        number: u64::from_be_bytes(*number),
        to,
        packet: Packet { device, ..packet },
    }
}
