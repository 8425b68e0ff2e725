//! Two smoltcp ends for each device on a heap of events: TCP at both ends, to the byte, and a hop in the middle that passes packets on. No
//! NAT that forgets, no server with a process, no truth, no record.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use peers::{ACCESS, BEAT, CORE, INTERVAL, Work};
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::{self, DeviceCapabilities, Medium},
    socket::tcp,
    time::Instant,
    wire::{HardwareAddress, IpAddress, IpCidr},
};

const SERVER: IpAddress = IpAddress::v4(203, 0, 113, 10);
const PORT: u16 = 443;

/// A network card: packets in, packets out.
#[derive(Default)]
struct Card {
    arrived: Vec<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Arrival(Vec<u8>);
struct Departure<'a>(&'a mut Vec<Vec<u8>>);

impl phy::RxToken for Arrival {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl phy::TxToken for Departure<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut packet = vec![0; len];
        let result = write(&mut packet);
        self.0.push(packet);
        result
    }
}

impl phy::Device for Card {
    type RxToken<'a> = Arrival;
    type TxToken<'a> = Departure<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrival, Departure<'_>)> {
        Some((Arrival(self.arrived.pop()?), Departure(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Departure<'_>> {
        Some(Departure(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        (capabilities.max_transmission_unit, capabilities.medium) = (1_500, Medium::Ip);
        capabilities
    }
}

/// One end of a connection.
struct End {
    card: Card,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    /// When it wants to be polled, as the heap has it.
    due: Option<i64>,
}

impl End {
    fn new(address: IpAddress, seed: u32) -> Self {
        let mut card = Card::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed.into();
        let mut interface = Interface::new(config, &mut card, Instant::ZERO);
        interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(address, 0)).expect("room for one"));
        let buffer = || tcp::SocketBuffer::new(vec![0; 256]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(Some(smoltcp::time::Duration::from_millis(40)));
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        Self { card, interface, sockets, handle, due: None }
    }

    fn poll(&mut self, now: Instant) {
        self.interface.poll(now, &mut self.card, &mut self.sockets);
    }

    fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }
}

enum What {
    Start,
    Beat,
    /// A packet at the hop in the middle.
    Hop(Vec<u8>),
    Arrival(Vec<u8>),
    Timer,
}

/// At whose end, the device's (0) or the server's (1), what happens.
struct Event {
    device: u32,
    end: usize,
    what: What,
}

/// Events in order, each in a slot, so that the heap moves keys alone.
#[derive(Default)]
struct Queue {
    order: BinaryHeap<Reverse<(i64, u64, usize)>>,
    slots: Vec<Option<Event>>,
    free: Vec<usize>,
    number: u64,
}

impl Queue {
    fn push(&mut self, at: i64, device: u32, end: usize, what: What) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(Event { device, end, what });
        self.number += 1;
        self.order.push(Reverse((at, self.number, slot)));
    }

    fn pop(&mut self) -> Option<(i64, Event)> {
        let Reverse((at, _, slot)) = self.order.pop()?;
        self.free.push(slot);
        Some((at, self.slots[slot].take()?))
    }
}

fn main() {
    Work::asked().measure("two smoltcp ends", |work| {
        let micros = |span: Duration| span.as_micros() as i64;
        let end_of = |device: u32| {
            let [_, b, c, d] = device.to_be_bytes();
            [End::new(IpAddress::v4(10, b, c, d), device), End::new(SERVER, device + 1)]
        };
        let mut ends: Vec<[End; 2]> = (0..work.devices).map(end_of).collect();
        let mut queue = Queue::default();
        for device in 0..work.devices {
            queue.push(micros(work.start(device)), device, 0, What::Start);
        }
        let mut replies = 0;
        while let Some((at, Event { device, end, what })) = queue.pop().filter(|(at, _)| *at < micros(work.duration)) {
            let now = Instant::from_micros(at);
            let pair = &mut ends[device as usize];
            match what {
                What::Start => {
                    pair[1].socket().listen(PORT).expect("a port");
                    let End { interface, sockets, handle, .. } = &mut pair[0];
                    let socket: &mut tcp::Socket = sockets.get_mut(*handle);
                    socket.connect(interface.context(), (SERVER, PORT), 40_000).expect("a fresh socket");
                    queue.push(at + micros(INTERVAL), device, 0, What::Beat);
                }
                What::Beat => {
                    pair[0].socket().send_slice(BEAT).expect("a connection");
                    queue.push(at + micros(INTERVAL), device, 0, What::Beat);
                }
                What::Hop(packet) => {
                    queue.push(at + micros(if end == 0 { ACCESS } else { CORE }), device, end, What::Arrival(packet));
                    continue;
                }
                What::Arrival(packet) => pair[end].card.arrived.push(packet),
                What::Timer if pair[end].due == Some(at) => pair[end].due = None,
                // It has been set to another time since.
                What::Timer => continue,
            }
            let own = &mut pair[end];
            own.poll(now);
            if own.socket().can_recv() {
                let mut data = [0; 64];
                let len = own.socket().recv_slice(&mut data).expect("data");
                if end == 0 {
                    replies += 1;
                } else {
                    own.socket().send_slice(&data[..len]).expect("a connection");
                }
                own.poll(now);
            }
            for packet in own.card.sent.drain(..) {
                queue.push(at + micros(if end == 0 { ACCESS } else { CORE }), device, 1 - end, What::Hop(packet));
            }
            let due = own.interface.poll_at(now, &own.sockets).map(|due| due.total_micros().max(at));
            if due != own.due {
                own.due = due;
                if let Some(due) = due {
                    queue.push(due, device, end, What::Timer);
                }
            }
        }
        replies
    });
}
