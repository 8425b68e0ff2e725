//! The log of a run: one line an entry, when, where, what, and the faults of the schedule that no node tells of.

use std::io::{self, Write};

use cardiogram_policies::Time;
use cardiogram_sim::{
    faults::{FaultPlace, FaultSpan},
    reading,
    trace::{NodeId, Trace},
};

/// Which lines.
pub(super) struct Shown {
    /// Those about this device, and those about nobody in particular; `None`: all.
    pub(super) device: Option<u32>,
    pub(super) from: Time,
    /// Included.
    pub(super) to: Time,
    /// Those of heartbeats that went well, too.
    pub(super) heartbeats: bool,
}

impl Shown {
    fn has(&self, at: Time, device: Option<u32>) -> bool {
        let is_about = match (self.device, device) {
            (Some(asked), Some(about)) => asked == about,
            _ => true,
        };
        is_about && (self.from..=self.to).contains(&at)
    }
}

/// Writes the lines that are to be shown.
pub(super) fn write(trace: &Trace, shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let width = trace.name_width();
    let mut line = |at: Time, node: NodeId, words: &str| {
        writeln!(out, "{:>14}  {:width$}  {words}", at.to_string(), trace.nodes[node.0 as usize])
    };
    let faults = trace.fault_lines();
    let mut faults = faults.iter().filter(|(at, fault, _)| is_news(fault) && shown.has(*at, fault.device)).peekable();
    for (entry, reading) in trace.entries.iter().zip(reading::read(trace)) {
        while let Some((at, fault, words)) = faults.next_if(|(at, ..)| *at <= entry.at) {
            line(*at, fault.node, words)?;
        }
        if shown.has(entry.at, reading.device) && (shown.heartbeats || !reading.routine) {
            line(entry.at, entry.node, &trace.words(entry))?;
        }
    }
    faults.try_for_each(|(at, fault, words)| line(*at, fault.node, words))
}

/// Returns whether the log would be silent about a fault: servers and devices tell of their own, but for an address that is
/// dead without its device's knowledge.
fn is_news(fault: &FaultSpan) -> bool {
    match fault.place {
        FaultPlace::Device => fault.kind == "lease-expiry",
        FaultPlace::Server { .. } => false,
        _ => true,
    }
}
