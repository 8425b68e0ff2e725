//! The timers and limits of a host's TCP. They follow Linux, and every number names the kernel's constant or sysctl; what
//! Darwin and Windows document of theirs takes its place there, with its source.

use std::{net::Ipv4Addr, time::Duration};

use cardiogram_policies::Time;

use super::wheel::{Clock, Wheel};
use crate::config::{TcpSettings, TcpStack, TcpTimers};

/// How long a cookie is good for, at least: its clock counts in minutes, and the last two count (`MAX_SYNCOOKIE_AGE`).
const COOKIE_AGE: Duration = Duration::from_secs(60);

/// Timers and limits of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of a kernel's by itself")]
pub struct TcpConfig {
    /// First retransmission timeout of a SYN, and of data before any round trip was measured: 1 s (`TCP_TIMEOUT_INIT`).
    pub rto_initial: Duration,
    /// What the bound on retransmissions doubles from, and what a tail-loss probe allows for a delayed acknowledgement: 200 ms
    /// (`TCP_RTO_MIN`).
    pub rto_min: Duration,
    /// Floor of the variance term of the retransmission timeout: on Linux 200 ms, too (`TCP_RTO_MIN`); elsewhere none.
    pub variance_min: Duration,
    /// Floor of the whole timeout. None on Linux; Darwin 30 ms (`TCPTV_REXMTMIN`); Windows 300 ms (`MinRto`).
    pub rto_floor: Duration,
    /// What is added to the timeout. None on Linux and Windows; Darwin 200 ms (`TCPTV_REXMTSLOP`).
    pub rto_slop: Duration,
    /// Longest retransmission timeout: 120 s (`TCP_RTO_MAX`).
    pub rto_max: Duration,
    /// SYN retransmissions that do not double the timeout: 4 since Linux 6.5, 0 before (`tcp_syn_linear_timeouts`).
    pub syn_linear_timeouts: u32,
    /// SYN retransmissions after the linear ones: 6 (`tcp_syn_retries`).
    pub syn_retries: u32,
    /// The longest that connecting takes. None on Linux and Windows, where SYN retries end it; Darwin 75 s
    /// (`TCPTV_KEEP_INIT`).
    pub connect_max: Option<Duration>,
    /// SYN-ACK retransmissions: 5 (`tcp_synack_retries`).
    pub synack_retries: u32,
    /// Bound on retransmissions of data, as a number of doublings of `rto_min`: 15 (`tcp_retries2`).
    pub retries: u32,
    /// Whether `retries` is the number of retransmissions itself: on Darwin, 12 (`TCP_MAXRXTSHIFT`), and on Windows, 5
    /// (`TcpMaxDataRetransmissions`).
    pub retries_are_counted: bool,
    /// Bound on retransmissions of data of connections that no process owns, as a number of doublings of `rto_min`: 8
    /// (`tcp_orphan_retries` 0 acts as 8).
    pub orphan_retries: u32,
    /// Smallest delay of an acknowledgement: 40 ms (`TCP_ATO_MIN`).
    pub ack_delay_min: Duration,
    /// Largest delay of an acknowledgement: 200 ms (`TCP_DELACK_MAX`).
    pub ack_delay_max: Duration,
    /// How long an abandoned connection waits for the peer's FIN: 60 s (`tcp_fin_timeout`).
    pub fin_timeout: Duration,
    /// 60 s (`TCP_TIMEWAIT_LEN`).
    pub time_wait: Duration,
    /// Largest segment offered to the peer: 1460 bytes, Ethernet's.
    pub mss: u16,
    /// Bytes the kernel keeps for a process that does not read: 65,535 (no window scaling; see `docs/limits.md`).
    pub receive_buffer: u16,
    /// Bytes the kernel takes from a process ahead of what was acknowledged: 4 MiB (`tcp_wmem`, largest).
    pub send_buffer: usize,
    /// Whether a SYN offers timestamps (RFC 7323): not on Windows.
    pub offers_timestamps: bool,
    /// Whether an ICMP error of a host or network that cannot be reached takes back the last doubling of the timeout
    /// (RFC 6069): on Linux.
    pub undoes_backoff: bool,
    /// Whether processes set `TCP_NODELAY`; if not, Nagle's algorithm decides, as Minshall changed it (`tcp_nagle_test`).
    pub nodelay: bool,
    /// The wheel that makes timers late; `None`: they fire when they are due.
    pub wheel: Option<Wheel>,
}

impl TcpConfig {
    /// The kernel of a system as it comes.
    pub fn preset(stack: TcpStack) -> Self {
        Self::of(&stack.into())
    }

    /// The kernel of a host.
    pub fn of(settings: &TcpSettings) -> Self {
        let system = Self::system(settings.stack);
        Self {
            retries: settings.retries2.unwrap_or(system.retries),
            syn_retries: settings.syn_retries.unwrap_or(system.syn_retries),
            syn_linear_timeouts: settings.syn_linear_timeouts.unwrap_or(system.syn_linear_timeouts),
            nodelay: settings.nodelay,
            wheel: match settings.timers {
                TcpTimers::Ideal => None,
                TcpTimers::LinuxWheel => Some(Wheel { hz: settings.hz.unwrap_or(TcpSettings::HZ_DEFAULT) }),
            },
            ..system
        }
    }

    fn system(stack: TcpStack) -> Self {
        let linux = Self {
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_millis(200),
            variance_min: Duration::from_millis(200),
            rto_floor: Duration::ZERO,
            rto_slop: Duration::ZERO,
            rto_max: Duration::from_secs(120),
            syn_linear_timeouts: 4,
            syn_retries: 6,
            connect_max: None,
            synack_retries: 5,
            retries: 15,
            retries_are_counted: false,
            orphan_retries: 8,
            ack_delay_min: Duration::from_millis(40),
            ack_delay_max: Duration::from_millis(200),
            fin_timeout: Duration::from_secs(60),
            time_wait: Duration::from_secs(60),
            mss: 1_460,
            receive_buffer: 65_535,
            send_buffer: 4 << 20,
            offers_timestamps: true,
            undoes_backoff: true,
            nodelay: true,
            wheel: None,
        };
        match stack {
            TcpStack::LinuxNew => linux,
            TcpStack::LinuxOld => Self { syn_linear_timeouts: 0, ..linux },
            // xnu, bsd/netinet/tcp_timer.{h,c}: `tcp_syn_backoff` is 1, 1, 1, 1, 1, 2, 4, ... seconds, as the linear
            // timeouts of Linux have it, and `tcp_backoff` doubles to the longest timeout.
            TcpStack::Darwin => Self {
                variance_min: Duration::ZERO,
                rto_floor: Duration::from_millis(30),
                rto_slop: Duration::from_millis(200),
                rto_max: Duration::from_secs(64),
                syn_retries: 8,
                connect_max: Some(Duration::from_secs(75)),
                retries: 12,
                retries_are_counted: true,
                // `tcp_delack`: a tenth of a second.
                ack_delay_min: Duration::from_millis(100),
                ack_delay_max: Duration::from_millis(100),
                // Twice `TCPTV_MSL`.
                time_wait: Duration::from_secs(30),
                undoes_backoff: false,
                ..linux
            },
            // Microsoft, "Get-NetTCPSetting" (template `Internet` of Windows Server 2022) and "TcpMaxDataRetransmissions".
            TcpStack::Windows => Self {
                variance_min: Duration::ZERO,
                rto_floor: Duration::from_millis(300),
                syn_linear_timeouts: 0,
                syn_retries: 4,
                retries: 5,
                retries_are_counted: true,
                ack_delay_min: Duration::from_millis(40),
                ack_delay_max: Duration::from_millis(40),
                offers_timestamps: false,
                undoes_backoff: false,
                ..linux
            },
        }
    }

    /// Returns when a timer of `host` fires that is due after `wait`.
    pub(crate) fn timer(&self, now: Time, host: Ipv4Addr, wait: Duration) -> Time {
        Clock { now, host, wheel: self.wheel }.after(wait)
    }

    /// The kernel that remembers nothing of a handshake: its SYN-ACK is sent once, with a cookie.
    pub(crate) fn with_cookies(self) -> Self {
        Self { synack_retries: 0, rto_initial: COOKIE_AGE, ..self }
    }

    /// Returns the timeout of these estimates.
    pub(super) fn rto(&self, estimated: Option<Duration>) -> Duration {
        let rto = estimated.map_or(self.rto_initial, |rto| (rto.max(self.rto_floor) + self.rto_slop).min(self.rto_max));
        self.wheel.map_or(rto, |wheel| wheel.whole_ticks(rto))
    }

    /// Returns how long data may stay unacknowledged for `retries`: the sum of `rto_min` doubling to `rto_max`
    /// (`tcp_model_timeout`). 924.6 s for 15, 102.2 s for 8, whatever the connection's own timeout.
    pub fn retransmission_bound(&self, retries: u32) -> Duration {
        (0..=retries).map(|step| self.backed_off(self.rto_min, step)).sum()
    }

    /// `rto` doubled `times` times, at most `rto_max`.
    pub(super) fn backed_off(&self, rto: Duration, times: u32) -> Duration {
        rto.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).min(self.rto_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retransmission_bounds_are_the_kernels() {
        let config = TcpConfig::preset(TcpStack::LinuxNew);
        for (retries, millis) in [(5, 12_600), (6, 25_400), (8, 102_200), (10, 324_600), (15, 924_600)] {
            assert_eq!(config.retransmission_bound(retries), Duration::from_millis(millis), "{retries}");
        }
    }
}
