//! A bare heap of events, nine of them an exchange, as many as the lab has for it: no packets, no TCP, nothing that could be wrong. The
//! limit of what a loop over events can do.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use peers::{ACCESS, CORE, INTERVAL, Work};

/// What follows after how long: beat, NAT, server, its work, NAT, device, its acknowledgement, NAT, server.
const STEPS: [Duration; 9] =
    [ACCESS, CORE, Duration::ZERO, CORE, ACCESS, Duration::from_millis(40), ACCESS, CORE, Duration::ZERO];

#[derive(Clone, Copy, Default)]
struct Device {
    mapped_until: u64,
    beats: u64,
    replies: u64,
}

fn main() {
    Work::asked().measure("a bare heap of events", |work| {
        let micros = |span: Duration| span.as_micros() as u64;
        let mut devices = vec![Device::default(); work.devices as usize];
        let mut heap: BinaryHeap<Reverse<(u64, u64, u32, u8)>> = BinaryHeap::new();
        let mut number = 0;
        for device in 0..work.devices {
            number += 1;
            heap.push(Reverse((micros(work.start(device) + INTERVAL), number, device, 0)));
        }
        while let Some(Reverse((now, _, index, step))) =
            heap.pop().filter(|Reverse(event)| event.0 < micros(work.duration))
        {
            let device = &mut devices[index as usize];
            match step {
                0 => {
                    device.beats += 1;
                    number += 1;
                    heap.push(Reverse((now + micros(INTERVAL), number, index, 0)));
                }
                1 | 4 | 7 => device.mapped_until = now + micros(INTERVAL),
                5 => device.replies += 1,
                _ => {}
            }
            if usize::from(step) + 1 < STEPS.len() {
                number += 1;
                heap.push(Reverse((now + micros(STEPS[usize::from(step)]), number, index, step + 1)));
            }
        }
        std::hint::black_box(devices.iter().map(|device| device.mapped_until + device.beats).max());
        devices.iter().map(|device| device.replies).sum()
    });
}
