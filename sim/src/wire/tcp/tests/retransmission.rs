//! Schedules of retransmission and when they end, as docs/model.md has them.

use super::*;
use crate::wire::tcp::Failure;

fn preset(lab: &mut Lab, preset: TcpStack) {
    lab.configs = [Arc::new(TcpConfig::preset(preset)), Arc::new(TcpConfig::preset(preset))];
}

#[test]
fn syn_schedules_are_those_of_new_and_old_kernels() {
    let new = (TcpStack::LinuxNew, &[0., 1., 2., 3., 4., 5., 7., 11., 19., 35., 67.][..], 131.);
    let old = (TcpStack::LinuxOld, &[0., 1., 3., 7., 15., 31., 63.][..], 127.);
    for (kernel, times, end) in [new, old] {
        let mut lab = Lab::new(NEAR);
        preset(&mut lab, kernel);
        lab.cut_both();
        let start = lab.now;
        lab.connect(7);
        assert_times(&[fails_after(&mut lab, CLIENT, start)], &[end]);
        assert_times(&lab.times(CLIENT, start), times);
        assert_eq!(lab.end(CLIENT).failure(), Some(Failure::ConnectTimeout));
    }
}

#[test]
fn syn_ack_is_sent_six_times() {
    let mut lab = Lab::new(NEAR);
    lab.connect(7);
    lab.cut_both();
    let start = lab.now;
    lab.run_for(0.001);
    assert_times(&[fails_after(&mut lab, SERVER, start)], &[63.]);
    assert_times(&lab.times(SERVER, start), &[0., 1., 3., 7., 15., 31.]);
}

#[test]
fn a_repeated_syn_is_answered_at_once_and_the_syn_ack_timer_starts_anew() {
    let mut lab = Lab::new(NEAR);
    let start = lab.now;
    // The first SYN-ACK is lost.
    lab.cut = Box::new(move |now, from| from == SERVER && now.since(start) < Duration::from_millis(500));
    lab.connect(7);
    lab.run_for(10.0);
    assert_eq!(lab.summary(), ["c S 0", "s S. 0", "c S 0", "s S. 0", "c . 0"]);
    assert_eq!(lab.end(SERVER).state(), State::Established);
}

#[test]
fn unacknowledged_data_is_sent_17_times_and_given_up_after_924_8_s() {
    let mut lab = Lab::established(NEAR);
    lab.cut_both();
    let start = lab.now;
    lab.write(CLIENT, b"hello");
    // Later writes queue behind it, never leave, and do not restart the clock.
    lab.run_for(50.0);
    lab.write(CLIENT, b"later");
    assert_times(&[fails_after(&mut lab, CLIENT, start)], &[924.8]);
    let doubling = (1..=11).map(|n| 0.1 * f64::from(1 << n));
    let capped = (1..=5).map(|n| 204.8 + 120. * f64::from(n));
    let expected: Vec<f64> = [0.].into_iter().chain(doubling).chain(capped).collect();
    assert_eq!(expected.len(), 17);
    assert_times(&lab.times(CLIENT, start), &expected);
    assert!(lab.sent.iter().all(|sent| sent.packet.payload == b"hello"), "no RST, nothing else");
    assert_eq!(lab.end(CLIENT).failure(), Some(Failure::RetransmissionTimeout));
}

#[test]
fn with_100_ms_the_timeout_is_the_round_trip_plus_200_ms() {
    let mut lab = Lab::established(Duration::from_millis(50));
    for _ in 0..40 {
        lab.write(CLIENT, b"hello");
        lab.run_for(1.0);
        lab.read(SERVER);
    }
    lab.sent.clear();
    lab.cut_both();
    let start = lab.now;
    lab.write(CLIENT, b"hello");
    lab.run_for(20.0);
    // Two round trips and 200 ms are more than the timeout, so the tail-loss probe leaves with it.
    assert_times(&lab.times(CLIENT, start), &[0., 0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 19.2]);
}

#[test]
fn a_short_cut_is_survived_and_its_data_arrives_at_the_next_timeout() {
    let mut lab = Lab::established(NEAR);
    let start = lab.now;
    lab.cut_both();
    lab.write(CLIENT, b"hello");
    lab.run_for(5.0);
    lab.write(CLIENT, b"more");
    lab.write(CLIENT, b"again");
    lab.run_for(5.0);
    lab.heal();
    lab.run_for(2.7);
    assert_eq!(lab.end(SERVER).readable(), 0, "the path is well, and the data still waits");
    lab.run_for(0.2);
    assert_eq!(lab.read(SERVER), b"hellomoreagain");
    let times = lab.times(CLIENT, start);
    // What queued meanwhile follows at once, as one segment.
    assert_times(&times[times.len() - 2..], &[12.8, 12.8]);
    assert_eq!(lab.sent.iter().rfind(|sent| sent.from == CLIENT).unwrap().packet.payload, b"moreagain");
}

#[test]
fn segments_in_flight_are_merged_when_the_timeout_sends_them_again() {
    let mut lab = Lab::established(NEAR);
    lab.cut_both();
    for part in [&b"one"[..], b"two", b"three"] {
        lab.write(CLIENT, part);
    }
    lab.run_for(3.0);
    let last = lab.sent.last().unwrap();
    assert_eq!(last.packet.payload, b"onetwothree");
    lab.heal();
    lab.run_for(5.0);
    assert_eq!(lab.read(SERVER), b"onetwothree");
    assert_eq!(lab.end(CLIENT).unacknowledged(), 0);
}

#[test]
fn segments_are_merged_as_long_as_they_fit_into_one() {
    let repeated = |lengths: [usize; 2]| {
        let mut lab = Lab::established(NEAR);
        lab.cut_both();
        for length in lengths {
            lab.write(CLIENT, &vec![1; length]);
        }
        lab.run_for(1.0);
        lab.sent.last().expect("it is sent again").packet.payload.len()
    };
    assert_eq!(repeated([100, 100]), 200);
    assert_eq!(repeated([724, 724]), 1_448);
    assert_eq!(repeated([724, 725]), 724);
}

#[test]
fn with_two_segments_in_flight_the_probe_does_not_wait_for_a_delayed_acknowledgement() {
    let mut lab = Lab::established(NEAR);
    lab.cut_both();
    let start = lab.now;
    lab.write(CLIENT, b"one");
    lab.write(CLIENT, b"two");
    lab.run_for(0.3);
    // The probe is the last segment; the timeout, from then on, sends the first.
    let sent: Vec<_> = lab.sent.iter().map(|sent| &sent.packet.payload[..]).collect();
    assert_eq!(sent, [&b"one"[..], b"two", b"two", b"onetwo"]);
    assert_times(&lab.times(CLIENT, start), &[0., 0., 0.002, 0.202]);
}

#[test]
fn a_timeout_starts_a_slow_start_of_one_segment() {
    let mut lab = Lab::established(Duration::from_millis(10));
    lab.cut_both();
    lab.write(CLIENT, &[7; 1_448 * 6]);
    lab.run_for(1.0);
    lab.heal();
    lab.sent.clear();
    lab.run_for(5.0);
    let start = lab.sent[0].at;
    let rounds: Vec<u128> =
        lab.sent.iter().filter(|sent| sent.from == CLIENT).map(|sent| sent.at.since(start).as_millis()).collect();
    assert_eq!(rounds, [0, 20, 20, 40, 40, 40]);
    assert_eq!(lab.read(SERVER).len(), 1_448 * 6);
}

#[test]
fn after_a_timeout_there_is_no_tail_probe_until_all_is_well() {
    let mut lab = Lab::established(Duration::from_millis(10));
    lab.cut_both();
    lab.write(CLIENT, &[7; 1_448 * 6]);
    lab.run_for(1.0);
    // One segment gets through; the two that its acknowledgement lets go do not.
    let passed = std::cell::Cell::new(false);
    lab.cut = Box::new(move |_, from| from == CLIENT && passed.replace(true));
    lab.sent.clear();
    lab.run_for(1.5);
    let start = lab.sent[0].at;
    let times = lab.times(CLIENT, start);
    assert_times(&times[..3], &[0., 0.02, 0.02]);
    assert!(times[3] > 0.22, "a timeout is next: {times:?}");
}

#[test]
fn part_of_a_segment_can_be_acknowledged() {
    let mut lab = Lab::established(NEAR);
    lab.cut_both();
    lab.write(CLIENT, b"hello");
    let mut ack = lab.sent[0].packet.clone();
    (ack.src, ack.dst) = (ack.dst, ack.src);
    (ack.seq, ack.ack) = (ack.ack, ack.seq.wrapping_add(2));
    ack.flags = Flags::ACK;
    ack.payload.clear();
    lab.inject(CLIENT, &ack);
    assert_eq!(lab.end(CLIENT).unacknowledged(), 3);
    lab.run_for(0.5);
    let Packet { payload, seq, .. } = &lab.sent[1].packet;
    assert_eq!((&payload[..], *seq), (&b"llo"[..], ack.ack), "the rest is sent again, in one");
    // All of it, and no more, is left to be acknowledged.
    ack.ack = ack.ack.wrapping_add(3);
    lab.inject(CLIENT, &ack);
    assert_eq!(lab.end(CLIENT).unacknowledged(), 0);
}

#[test]
fn the_retransmission_bound_of_few_retries_is_kept() {
    let mut lab = Lab::new(NEAR);
    let config = TcpConfig { retries: 5, ..TcpConfig::preset(TcpStack::LinuxNew) };
    lab.configs = [Arc::new(config.clone()), Arc::new(config)];
    lab.connect(7);
    lab.run_for(1.0);
    lab.cut_both();
    let start = lab.now;
    lab.write(CLIENT, b"hello");
    assert_times(&[fails_after(&mut lab, CLIENT, start)], &[12.8]);
}

#[test]
fn without_timestamps_a_retransmission_leaves_the_timeout_doubled() {
    // Karn: the acknowledgement of something sent twice measures nothing.
    let mut lab = Lab::new(NEAR);
    lab.connect(7);
    lab.wire[0].2.options.timestamps = None;
    lab.run_for(1.0);
    lab.cut_both();
    lab.write(CLIENT, b"hello");
    lab.run_for(1.0);
    lab.heal();
    lab.run_for(5.0);
    assert_eq!(lab.read(SERVER), b"hello");
    lab.cut_both();
    lab.sent.clear();
    let start = lab.now;
    lab.write(CLIENT, b"again");
    lab.run_for(4.0);
    // Transmissions before were at 0, .2, .4, .8 and 1.6 s: the timeout in force is 1.6 s.
    assert_times(&lab.times(CLIENT, start), &[0., 0.2, 1.8]);
}

#[test]
fn the_echo_of_a_repetition_measures_it_and_ends_the_backoff() {
    /// Returns when something is sent and sent again after an acknowledgement of what had to be sent four times.
    fn times(echo: impl Fn(u32) -> u32) -> Vec<f64> {
        let mut lab = Lab::established(NEAR);
        lab.cut_both();
        lab.write(CLIENT, b"hello");
        lab.run_for(1.0);
        let last = &lab.sent.last().expect("the last repetition").packet;
        let (value, _) = last.options.timestamps.expect("they were agreed on");
        let mut ack = last.clone();
        (ack.src, ack.dst, ack.flags) = (last.dst, last.src, Flags::ACK);
        (ack.seq, ack.ack) = (last.ack, last.seq.wrapping_add(5));
        ack.options.timestamps = Some((value, echo(value)));
        ack.payload.clear();
        lab.inject(CLIENT, &ack);
        assert_eq!(lab.end(CLIENT).unacknowledged(), 0);
        lab.sent.clear();
        let start = lab.now;
        lab.write(CLIENT, b"again");
        lab.run_for(4.0);
        lab.times(CLIENT, start)
    }
    // No echo, and one from the future, measure nothing: the timeout in force is that after .8 s.
    assert_times(&times(|_| 0), &[0., 0.2, 1., 2.6]);
    assert_times(&times(|value| value + 60_000), &[0., 0.2, 1., 2.6]);
    // Repeated at .8 s, acknowledged at 1 s: .2 s after round trips of next to nothing are 25 ms, and 200 ms of deviation.
    assert_times(&times(|value| value), &[0., 0.225, 0.45, 0.9, 1.8, 3.6]);
}

#[test]
fn progress_restarts_the_bound() {
    let mut lab = Lab::established(NEAR);
    lab.cut_both();
    let start = lab.now;
    lab.write(CLIENT, &[1; 1_448 * 3]);
    lab.run_for(800.0);
    // One segment gets through, and nothing after it.
    let passed = std::cell::Cell::new(false);
    lab.cut = Box::new(move |_, from| from == CLIENT && passed.replace(true));
    lab.run_for(20.0);
    assert_eq!(lab.end(CLIENT).unacknowledged(), 1_448 * 2);
    assert!(fails_after(&mut lab, CLIENT, start) > 804.0 + 924.6);
}
