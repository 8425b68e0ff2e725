//! Captures of a real kernel replayed with our TCP: the same packets in the same order at the same times, the same errors
//! at the application. `docs/kernel-replay.md` says what is compared and how exactly. The captures with a NAT that forgets
//! are replayed beside it, in `nodes/nat/captures.rs`.

pub(crate) mod replay;
pub(crate) mod timeline;

use std::{net::SocketAddrV4, time::Duration};

use cardiogram_policies::{Time, heartbeat::Keepalive};

use self::{
    replay::{Path, Setup, compared, replay},
    timeline::Place,
};
use crate::{
    config::{TcpSettings, TcpTimers},
    nodes::neighbour::{Neighbour, Question},
    wire::{
        packet::{Flags, Obstacle, Packet},
        tcp::{Connection, Failure, State, TcpConfig, reset_for},
    },
};

/// One way in the captures with a round trip of 100 ms, `tc netem delay 50ms` on both sides, as measured.
const DELAY_50_MS: Duration = Duration::from_micros(50_200);
/// What the first packet of `E2a_default_rtt100` waited for address resolution beyond the wire: it makes the first
/// round trip 201 ms, and so the timeout 604 ms.
const ADDRESS_RESOLUTION: Duration = Duration::from_micros(100_600);
/// By how much the first round trip of `E7a_cut10_rtt100` was longer than the others.
const SLOW_HANDSHAKE: Duration = Duration::from_micros(2_500);
/// In `E7a_cut10_rtt100` the seventh transmission leaves the kernel 0.32 s after the path is back. Ours leaves on ideal
/// timers, which over this series are 0.45 s ahead of the kernel's wheel, and would just miss the path. So the path
/// comes back as much earlier.
const IDEAL_TIMERS_ARE_AHEAD_S: f64 = 0.45;

/// How many times that a kernel may have been up are tried: a 32nd of the slots of two seconds.
const UPTIMES: u8 = 64;

/// A path that changes nothing. These captures were taken through a NAT whose mapping held.
struct Direct;

impl Path for Direct {
    fn pass(&mut self, _: Time, from: Place, packet: Packet) -> Vec<(Place, Packet)> {
        vec![(from.other(), packet)]
    }
}

/// With both kinds of timers. How long the kernel of a capture had been up, and so where the slots of its wheel ended, is not
/// known: an address stands for a time here, and one of these times has to fit. Nothing has to be moved then.
fn direct(setup: &Setup) {
    replay(setup, |_| Box::new(Direct));
    // The kernel of another machine may have other ticks.
    if timeline::are_of_this_machine() {
        return;
    }
    let on_the_wheel = |host: u8| {
        let client = SocketAddrV4::new([10, 0, 0, host].into(), setup.client.port());
        let tcp = TcpSettings { timers: TcpTimers::LinuxWheel, ..setup.tcp };
        let setup = Setup { client, tcp, heals_earlier: 0.0, ..setup.clone() };
        compared(&setup, |_| Box::new(Direct))
    };
    let differences: Vec<String> = (1..=UPTIMES).map_while(|host| on_the_wheel(host).err()).collect();
    assert!(differences.len() < usize::from(UPTIMES), "on the wheel: {}", differences[0]);
}

#[test]
fn e1_keepalive_gives_up_after_its_count() {
    direct(&Setup { keepalive: Some((10, 5, 3)), ..Setup::new("E1_10_5_3_drop") });
}

#[test]
fn e1_the_user_timeout_replaces_the_count() {
    let user_timeout = Some(Duration::from_secs(30));
    direct(&Setup { keepalive: Some((10, 5, 3)), user_timeout, ..Setup::new("E1_10_5_3_drop_ut30000") });
}

#[test]
fn e2_unacknowledged_data() {
    direct(&Setup::new("E2a_default"));
}

#[test]
fn e2_unacknowledged_data_with_100_ms() {
    direct(&Setup { delay: DELAY_50_MS, first_delay: ADDRESS_RESOLUTION, ..Setup::new("E2a_default_rtt100") });
}

#[test]
fn e3_syn_into_the_void() {
    direct(&Setup::new("E3b_default6"));
}

#[test]
fn e5_a_stopped_process_answers_keepalive() {
    direct(&Setup { keepalive: Some((5, 2, 3)), ..Setup::new("E5a_stop_keepalive_only") });
}

#[test]
fn e5_a_stopped_process_acknowledges_heartbeats() {
    direct(&Setup::new("E5b_stop_hb5_app15"));
}

#[test]
fn e6_a_killed_process() {
    direct(&Setup::new("E6a_kill9_idle"));
}

#[test]
fn e7_a_short_cut() {
    direct(&Setup::new("E7a_cut10"));
}

#[test]
fn e7_a_short_cut_with_100_ms() {
    let heals_earlier = IDEAL_TIMERS_ARE_AHEAD_S;
    direct(&Setup { delay: DELAY_50_MS, first_delay: SLOW_HANDSHAKE, heals_earlier, ..Setup::new("E7a_cut10_rtt100") });
}

#[test]
fn e7_a_cut_that_keepalive_survives() {
    direct(&Setup { keepalive: Some((10, 5, 3)), ..Setup::new("E7f_ka10_5_3_cut16_idle") });
}

#[test]
fn e8_heartbeats() {
    direct(&Setup::new("E8_iv5_think0"));
}

#[test]
fn e8_heartbeats_with_100_ms() {
    direct(&Setup { delay: DELAY_50_MS, ..Setup::new("E8_iv30_think0_rtt100") });
}

// What `tests/kernel/record.py` recorded, on Linux 6.18 at 250 Hz, and records anew on other machines.

#[test]
fn k1_the_user_timeout_is_looked_at_when_a_probe_is_due() {
    let user_timeout = Some(Duration::from_secs(8));
    direct(&Setup { keepalive: Some((5, 2, 3)), user_timeout, ..Setup::new("K1_keepalive_under_user_timeout") });
}

#[test]
fn k2_data_is_given_up_by_tcp_retries2() {
    let tcp = TcpSettings { retries2: Some(5), ..TcpSettings::default() };
    direct(&Setup { tcp, ..Setup::new("K2_retries2_5") });
}

#[test]
fn k3_a_syn_is_given_up_by_its_two_sysctls() {
    let tcp = TcpSettings { syn_retries: Some(2), syn_linear_timeouts: Some(1), ..TcpSettings::default() };
    direct(&Setup { tcp, ..Setup::new("K3_syn_retries_2") });
}

#[test]
fn k4_small_segments_wait_without_nodelay() {
    let tcp = TcpSettings { nodelay: false, ..TcpSettings::default() };
    direct(&Setup { tcp, delay: DELAY_50_MS, ..Setup::new("K4_nagle_rtt100") });
}

/// No RST answers what comes after the FIN: somebody still reads.
#[test]
fn k17_who_closes_its_direction_reads_the_answer() {
    direct(&Setup { delay: DELAY_50_MS, ..Setup::new("K17_half_close_rtt100") });
}

/// The SYN is answered by a challenge, that by an RST, and the SYN follows 15 ms later.
#[test]
fn k5_a_client_comes_back_on_the_port_of_a_connection_that_the_server_still_has() {
    direct(&Setup { same_port: true, ..Setup::new("K5_conflict") });
}

/// The last packet of the handshake is lost. A SYN-ACK with a cookie is sent once, any other again after a second; either way the
/// client's data ends the handshake.
#[test]
fn k21_a_syn_ack_with_a_cookie_is_not_sent_again() {
    direct(&Setup { delay: DELAY_50_MS, cookies: true, ..Setup::new("K21_cookie_rtt100") });
    direct(&Setup { delay: DELAY_50_MS, ..Setup::new("K22_no_cookie_rtt100") });
}

/// The server's side is gone: what comes after the RST is answered by one.
#[test]
fn k23_a_reset_with_the_number_of_the_fin_is_taken() {
    direct(&Setup::new("K23_reset_behind_fin"));
}

// With a router between the wire and the server. When it answers is the router's own business, and what it answers is put where
// it was in the capture.

fn giving_up_early(name: &'static str) -> Setup {
    Setup { tcp: TcpSettings { retries2: Some(5), ..TcpSettings::default() }, ..Setup::new(name) }
}

#[test]
fn k6_host_unreachable_undoes_doublings_and_is_the_last_word() {
    direct(&giving_up_early("K6_error_host"));
}

#[test]
fn k7_net_unreachable_does_so_too() {
    direct(&giving_up_early("K7_error_net"));
}

#[test]
fn k8_prohibited_undoes_nothing() {
    direct(&giving_up_early("K8_error_prohibited"));
}

#[test]
fn k9_an_error_lets_data_be_delivered_sooner_after_a_cut() {
    direct(&giving_up_early("K9_error_heals"));
}

#[test]
fn k10_an_error_about_a_probe_is_about_nothing() {
    direct(&Setup { keepalive: Some((4, 2, 3)), ..giving_up_early("K10_error_keepalive") });
}

#[test]
fn k11_an_attempt_ends_at_the_first_error() {
    direct(&Setup::new("K11_error_syn_host"));
    direct(&Setup { delay: DELAY_50_MS, ..Setup::new("K12_error_syn_net") });
    direct(&Setup::new("K13_error_syn_prohibited"));
}

/// The last router asks for three seconds whether the host is there, says so of each segment that has waited, and asks again.
#[test]
fn k18_a_host_that_is_gone_is_told_of_in_batches() {
    let tcp = TcpSettings { retries2: Some(6), ..TcpSettings::default() };
    direct(&Setup { tcp, ..Setup::new("K18_error_vanished_unknown") });
    direct(&Setup { tcp, ..Setup::new("K19_error_vanished_stale") });
}

// A client that has to ask for its next hop's hardware.

#[test]
fn k14_data_without_a_carrier_waits_for_the_next_question() {
    direct(&Setup::new("K14_asks_unplugged"));
}

#[test]
fn k15_an_attempt_ends_after_three_questions() {
    direct(&Setup::new("K15_asks_unplugged_syn"));
    direct(&Setup::new("K16_asks_nobody"));
}

#[test]
fn k20_who_is_back_after_the_last_question_is_back_too_late() {
    direct(&Setup::new("K20_asks_plugged_in_too_late"));
}
