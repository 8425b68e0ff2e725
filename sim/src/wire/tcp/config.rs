//! The timers and limits of a host's TCP. Presets follow Linux; every number names the kernel's constant or sysctl.

use std::time::Duration;

use crate::config::TcpPreset;

/// Timers and limits of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpConfig {
    /// First retransmission timeout of a SYN, and of data before any round trip was measured: 1 s (`TCP_TIMEOUT_INIT`).
    pub rto_initial: Duration,
    /// Floor of the variance term of the retransmission timeout: 200 ms (`TCP_RTO_MIN`).
    pub rto_min: Duration,
    /// Longest retransmission timeout: 120 s (`TCP_RTO_MAX`).
    pub rto_max: Duration,
    /// SYN retransmissions that do not double the timeout: 4 since Linux 6.5, 0 before (`tcp_syn_linear_timeouts`).
    pub syn_linear_timeouts: u32,
    /// SYN retransmissions after the linear ones: 6 (`tcp_syn_retries`).
    pub syn_retries: u32,
    /// SYN-ACK retransmissions: 5 (`tcp_synack_retries`).
    pub synack_retries: u32,
    /// Bound on retransmissions of data, as a number of doublings of `rto_min`: 15 (`tcp_retries2`).
    pub retries: u32,
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
}

impl TcpConfig {
    /// The kernel of a preset.
    pub const fn preset(preset: TcpPreset) -> Self {
        let syn_linear_timeouts = match preset {
            TcpPreset::LinuxNew => 4,
            TcpPreset::LinuxOld => 0,
        };
        Self {
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            syn_linear_timeouts,
            syn_retries: 6,
            synack_retries: 5,
            retries: 15,
            orphan_retries: 8,
            ack_delay_min: Duration::from_millis(40),
            ack_delay_max: Duration::from_millis(200),
            fin_timeout: Duration::from_secs(60),
            time_wait: Duration::from_secs(60),
            mss: 1_460,
            receive_buffer: 65_535,
            send_buffer: 4 << 20,
        }
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
        let config = TcpConfig::preset(TcpPreset::LinuxNew);
        for (retries, millis) in [(5, 12_600), (6, 25_400), (8, 102_200), (10, 324_600), (15, 924_600)] {
            assert_eq!(config.retransmission_bound(retries), Duration::from_millis(millis), "{retries}");
        }
    }
}
