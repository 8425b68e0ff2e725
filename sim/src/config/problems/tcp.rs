//! The rules for the TCP of a host.

use super::Found;
use crate::config::{TcpSettings, TcpTimers};

/// More is not what the sysctl is for: 15 doublings are 15 minutes already, and a SYN that is sent more often takes hours.
const RETRIES_MAX: u32 = 15;
const HZ: [u32; 3] = [250, 300, 1_000];

impl Found {
    pub(super) fn tcp(&mut self, path: &str, tcp: &TcpSettings) {
        let counts = [
            ("retries2", tcp.retries2, 1),
            ("syn_retries", tcp.syn_retries, 1),
            ("syn_linear_timeouts", tcp.syn_linear_timeouts, 0),
        ];
        for (key, count, least) in counts {
            let Some(count) = count else { continue };
            if !tcp.stack.is_linux() {
                let message = format!("`{key}` is a sysctl of Linux, which this host does not run");
                self.add(format!("{path}.{key}"), message, "leave it out, or use `stack = \"linux-new\"`");
            } else if !(least..=RETRIES_MAX).contains(&count) {
                self.add(format!("{path}.{key}"), format!("{count} retries"), format!("use {least} to {RETRIES_MAX}"));
            }
        }
        if tcp.timers == TcpTimers::LinuxWheel && !tcp.stack.is_linux() {
            let message = "the timer wheel is that of Linux, which this host does not run";
            self.add(format!("{path}.timers"), message, "leave it out, or use `stack = \"linux-new\"`");
        }
        if let Some(hz) = tcp.hz {
            if tcp.timers == TcpTimers::Ideal {
                let message = "ideal timers have no ticks";
                self.add(format!("{path}.hz"), message, "leave it out, or add `timers = \"linux-wheel\"`");
            } else if !HZ.contains(&hz) {
                self.add(format!("{path}.hz"), format!("a kernel of {hz} Hz"), "use 250, 300 or 1000");
            }
        }
    }
}
