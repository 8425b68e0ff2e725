//! Keepalive and user timeout, as docs/model.md has them; the cases are those measured on Linux.

use cardiogram_policies::heartbeat::Keepalive;

use super::*;
use crate::wire::tcp::Failure;

fn keepalive(idle: u64, interval: u64, count: u32) -> Keepalive {
    Keepalive { idle: Duration::from_secs(idle), interval: Duration::from_secs(interval), count }
}

/// One exchange at time 0, then silence; the path is cut at once.
fn cut_after_exchange(keepalive: Option<Keepalive>, user_timeout: Option<u64>) -> (Lab, Time) {
    let mut lab = Lab::established(NEAR);
    lab.act(CLIENT, |tcp, now, _| {
        tcp.set_keepalive(now, keepalive);
        tcp.set_user_timeout(user_timeout.map(Duration::from_secs));
    });
    let start = lab.now;
    lab.write(CLIENT, b"ping!");
    lab.run_for(0.001);
    lab.read(SERVER);
    lab.write(SERVER, b"ping!");
    lab.run_for(0.001);
    lab.read(CLIENT);
    lab.cut_both();
    lab.sent.clear();
    (lab, start)
}

#[test]
fn probes_and_death_follow_idle_interval_count_and_user_timeout() {
    type Row = ((u64, u64, u32), Option<u64>, &'static [f64], f64, Failure);
    let rows: [Row; 7] = [
        ((5, 5, 3), None, &[5., 10., 15.], 20., Failure::KeepaliveTimeout),
        ((5, 5, 3), Some(8), &[5.], 10., Failure::UserTimeout),
        ((5, 5, 3), Some(12), &[5., 10.], 15., Failure::UserTimeout),
        ((5, 5, 3), Some(40), &[5., 10., 15., 20., 25., 30., 35.], 40., Failure::UserTimeout),
        ((20, 5, 3), Some(12), &[20.], 25., Failure::UserTimeout),
        ((10, 5, 3), Some(30), &[10., 15., 20., 25.], 30., Failure::UserTimeout),
        (
            (7_200, 75, 9),
            None,
            &[7_200., 7_275., 7_350., 7_425., 7_500., 7_575., 7_650., 7_725., 7_800.],
            7_875.,
            Failure::KeepaliveTimeout,
        ),
    ];
    for ((idle, interval, count), user_timeout, probes, death, failure) in rows {
        let (mut lab, start) = cut_after_exchange(Some(keepalive(idle, interval, count)), user_timeout);
        assert_times(&[fails_after(&mut lab, CLIENT, start)], &[death]);
        let mut times = lab.times(CLIENT, start);
        assert_times(&[times.pop().unwrap()], &[death]);
        assert_times(&times, probes);
        assert_eq!(lab.sent.last().unwrap().packet.flags, Flags::RST | Flags::ACK, "death is told with RST");
        assert_eq!(lab.end(CLIENT).failure(), Some(failure));
    }
}

#[test]
fn keepalive_is_inert_while_data_is_unacknowledged() {
    let (mut lab, _) = cut_after_exchange(Some(keepalive(5, 5, 3)), None);
    let start = lab.now;
    lab.write(CLIENT, b"hello");
    assert_times(&[fails_after(&mut lab, CLIENT, start)], &[924.8]);
    assert!(lab.sent.iter().all(|sent| sent.packet.payload == b"hello"), "not a single probe");
    assert_eq!(lab.end(CLIENT).failure(), Some(Failure::RetransmissionTimeout));
}

#[test]
fn the_user_timeout_of_data_counts_from_the_first_retransmission_after_the_probe() {
    for (user_timeout, death) in [(10, 10.4), (3, 3.4)] {
        let (mut lab, _) = cut_after_exchange(None, Some(user_timeout));
        let start = lab.now;
        lab.write(CLIENT, b"hello");
        assert_times(&[fails_after(&mut lab, CLIENT, start)], &[death]);
        assert_eq!(lab.end(CLIENT).failure(), Some(Failure::UserTimeout));
    }
}

#[test]
fn the_user_timeout_ends_a_connection_that_nobody_owns_any_more() {
    let (mut lab, _) = cut_after_exchange(None, Some(10));
    let start = lab.now;
    lab.write(CLIENT, b"hello");
    lab.act(CLIENT, Connection::close);
    // Data and FIN are two segments in flight: the tail-loss probe leaves at once, the first timeout is at 0.2 s.
    assert_times(&[fails_after(&mut lab, CLIENT, start)], &[10.2]);
}

#[test]
fn a_user_timeout_alone_never_ends_an_idle_connection() {
    let (mut lab, _) = cut_after_exchange(None, Some(3));
    lab.run_for(100_000.0);
    assert!(lab.sent.is_empty());
    assert_eq!(lab.end(CLIENT).state(), State::Established);
}

#[test]
fn the_user_timeout_ends_a_connection_attempt_after_at_least_one_retry() {
    for (user_timeout, death, syns) in [(5_500, 5.5, 6), (10_000, 10., 7), (300, 1.004, 2)] {
        let mut lab = Lab::new(NEAR);
        lab.cut_both();
        let start = lab.now;
        lab.connect(7);
        lab.act(CLIENT, |tcp, _, _| tcp.set_user_timeout(Some(Duration::from_millis(user_timeout))));
        assert_times(&[fails_after(&mut lab, CLIENT, start)], &[death]);
        assert_eq!(lab.sent.len(), syns);
        assert_eq!(lab.end(CLIENT).failure(), Some(Failure::ConnectTimeout));
    }
}

#[test]
fn answered_probes_go_on_for_ever_and_the_idle_time_runs_from_the_answer() {
    let mut lab = Lab::established(NEAR);
    lab.act(CLIENT, |tcp, now, _| tcp.set_keepalive(now, Some(keepalive(5, 2, 3))));
    let start = lab.now - Duration::from_secs(1);
    lab.run_for(1_000.0);
    // Two packets a probe, a probe every 5 s of silence.
    let times = lab.times(CLIENT, start);
    let expected: Vec<f64> = (1..=200).map(|n| 5. * f64::from(n)).collect();
    assert_times(&times, &expected);
    assert_eq!(lab.sent.len(), 400);
}

#[test]
fn after_a_short_cut_the_next_probe_waits_the_whole_idle_time() {
    let (mut lab, start) = cut_after_exchange(Some(keepalive(10, 5, 3)), None);
    lab.run_for(16.0);
    lab.heal();
    lab.run_for(30.0);
    assert_times(&lab.times(CLIENT, start), &[10., 15., 20., 30., 40.]);
    assert_eq!(lab.end(CLIENT).state(), State::Established);
}

#[test]
fn the_peers_probes_are_no_sign_of_life() {
    // Linux counts from the last acknowledgement and the last data; a probe is neither.
    let mut lab = Lab::established(NEAR);
    lab.act(CLIENT, |tcp, now, _| tcp.set_keepalive(now, Some(keepalive(4, 5, 3))));
    lab.act(SERVER, |tcp, now, _| tcp.set_keepalive(now, Some(keepalive(10, 5, 3))));
    lab.run_for(9.5);
    let probes = lab.sent.iter().filter(|sent| sent.from == SERVER && sent.packet.seq == 0x7fff_fffa).count();
    assert_eq!(probes, 1, "the server probes after its own 10 s: {:?}", lab.summary());
}

#[test]
fn keepalive_begins_when_the_connection_is_established() {
    let mut lab = Lab::new(NEAR);
    lab.connect(7);
    lab.act(CLIENT, |tcp, now, _| tcp.set_keepalive(now, Some(keepalive(5, 5, 3))));
    let start = lab.now;
    lab.run_for(6.0);
    assert_times(&lab.times(CLIENT, start), &[0., 0., 5.]);
}

#[test]
fn keepalive_that_is_switched_on_late_counts_from_the_last_segment() {
    let probes = |after: f64| {
        let (mut lab, start) = cut_after_exchange(None, None);
        lab.run_for(after);
        lab.act(CLIENT, |tcp, now, _| tcp.set_keepalive(now, Some(keepalive(50, 5, 3))));
        lab.run_for(59.0 - after);
        lab.times(CLIENT, start)
    };
    assert_times(&probes(30.0), &[50., 55.]);
    // The idle time is over already.
    assert_times(&probes(57.0), &[57.]);
}

#[test]
fn keepalive_can_be_switched_off() {
    let (mut lab, _) = cut_after_exchange(Some(keepalive(5, 5, 3)), None);
    lab.run_for(6.0);
    lab.act(CLIENT, |tcp, now, _| tcp.set_keepalive(now, None));
    lab.run_for(100.0);
    assert_eq!(lab.sent.len(), 1);
}
