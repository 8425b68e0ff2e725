//! What differs between operating systems, and what their knobs change: schedules, bounds, the timer wheel, Nagle.

use super::*;
use crate::{
    config::{TcpSettings, TcpTimers},
    wire::tcp::Failure,
};

fn hosts(settings: TcpSettings) -> [Arc<TcpConfig>; 2] {
    [Arc::new(TcpConfig::of(&settings)), Arc::new(TcpConfig::preset(TcpStack::LinuxNew))]
}

fn established(settings: TcpSettings, delay: Duration) -> Lab {
    let mut lab = Lab::new(delay);
    lab.configs = hosts(settings);
    lab.connect(0xffff_fff0);
    lab.run_for(1.0);
    lab.sent.clear();
    lab
}

/// When SYNs into the void leave, and when the application is told.
fn syns(settings: TcpSettings) -> (Vec<f64>, f64) {
    let mut lab = Lab::new(NEAR);
    lab.configs = hosts(settings);
    lab.cut_both();
    let start = lab.now;
    lab.connect(7);
    let end = fails_after(&mut lab, CLIENT, start);
    assert_eq!(lab.end(CLIENT).failure(), Some(Failure::ConnectTimeout));
    (lab.times(CLIENT, start), end)
}

/// When data into the void leaves, and when the application is told.
fn data(settings: TcpSettings) -> (Vec<f64>, f64) {
    let mut lab = established(settings, NEAR);
    lab.cut_both();
    let start = lab.now;
    lab.write(CLIENT, b"hello");
    let end = fails_after(&mut lab, CLIENT, start);
    assert_eq!(lab.end(CLIENT).failure(), Some(Failure::RetransmissionTimeout));
    (lab.times(CLIENT, start), end)
}

#[test]
fn darwin_gives_up_connecting_after_75_s_and_data_at_the_thirteenth_timeout() {
    let (times, end) = syns(TcpStack::Darwin.into());
    assert_times(&times, &[0., 1., 2., 3., 4., 5., 7., 11., 19., 35., 67.]);
    assert_times(&[end], &[75.]);
    // Timeouts of 0.23 s, doubled to 58.88 s at the ninth and 64 s from then on, behind a tail-loss probe after 0.2 s.
    let (times, end) = data(TcpStack::Darwin.into());
    assert_eq!(times.len(), 14, "the first time, the probe and twelve retransmissions: {times:?}");
    assert!((end - (0.2 + 0.23 * 511. + 4. * 64.)).abs() < 0.5, "{end}");
}

#[test]
fn windows_retries_a_syn_four_times_and_data_five_times() {
    let (times, end) = syns(TcpStack::Windows.into());
    assert_times(&times, &[0., 1., 3., 7., 15.]);
    assert_times(&[end], &[31.]);
    // Behind the tail-loss probe after 0.2 s: timeouts of 0.3 s and its doublings.
    let (times, end) = data(TcpStack::Windows.into());
    assert_times(&times, &[0., 0.2, 0.5, 1.1, 2.3, 4.7, 9.5]);
    assert_times(&[end], &[19.1]);
}

#[test]
fn windows_offers_no_timestamps_and_answers_who_does() {
    let mut lab = Lab::new(NEAR);
    lab.configs = hosts(TcpStack::Windows.into());
    lab.connect(7);
    lab.run_for(1.0);
    assert!(lab.sent.iter().all(|sent| sent.packet.options.timestamps.is_none()));
    let mut lab = Lab::new(NEAR);
    lab.configs = hosts(TcpStack::Windows.into());
    lab.configs.reverse();
    lab.connect(7);
    lab.run_for(1.0);
    assert!(lab.sent.iter().all(|sent| sent.packet.options.timestamps.is_some()));
}

/// `tcp_retries2` 8 is what RFC 1122 asks for at least, and what services set that cannot wait 15 minutes.
#[test]
fn sysctls_shorten_both_schedules() {
    let settings =
        TcpSettings { retries2: Some(8), syn_retries: Some(2), syn_linear_timeouts: Some(1), ..TcpSettings::default() };
    let (times, end) = syns(settings);
    assert_times(&times, &[0., 1., 2., 4.]);
    assert_times(&[end], &[8.]);
    let (times, end) = data(settings);
    assert_eq!(times.len(), 10);
    assert_times(&[end], &[102.4]);
}

/// Linux 6.18 at 250 Hz, measured: 0, 1, 2, 3, 4, 5.1, 7.1, 11.3, 19.5, 35.6, 68.4 and 133.9 s. The first wait ends at a
/// moment of its own; those behind it begin where a slot ended.
#[test]
fn on_the_wheel_a_syn_follows_the_schedule_of_a_real_kernel() {
    let (mut times, end) = syns(TcpSettings { timers: TcpTimers::LinuxWheel, ..TcpSettings::default() });
    times.push(end);
    let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((1.0..1.036).contains(&gaps[0]), "{gaps:?}");
    assert_times(&gaps[1..6], &[1.024, 1.024, 1.024, 1.024, 2.016]);
    assert!((4.0..4.26).contains(&gaps[6]), "{gaps:?}");
    assert_times(&gaps[7..9], &[8.192, 16.128]);
    assert!((32.0..34.1).contains(&gaps[9]), "{gaps:?}");
    assert_times(&gaps[10..], &[65.536]);
}

/// Measured: 17 transmissions, every 120.8 s in the end, and the error after 938.6 s.
#[test]
fn on_the_wheel_data_is_given_up_when_a_real_kernel_does() {
    let (times, end) = data(TcpSettings { timers: TcpTimers::LinuxWheel, ..TcpSettings::default() });
    assert_eq!(times.len(), 17, "{times:?}");
    assert!((end - 938.6).abs() < 3.0, "{end}");
    assert_times(&times[times.len() - 2..].windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>(), &[120.832]);
}

/// Two small writes in a row: with Nagle's algorithm the second one waits for the acknowledgement of the first.
#[test]
fn without_nodelay_a_small_segment_waits_for_the_acknowledgement_of_another_one() {
    for (nodelay, sent) in [(true, &["c P. 5", "c P. 5"][..]), (false, &["c P. 5"])] {
        let mut lab = established(TcpSettings { nodelay, ..TcpSettings::default() }, Duration::from_millis(50));
        lab.write(CLIENT, b"first");
        lab.write(CLIENT, b"other");
        assert_eq!(lab.summary(), sent, "{nodelay}");
        // The acknowledgement is back after a round trip, and what waited leaves as one segment.
        lab.write(CLIENT, b"third");
        lab.sent.clear();
        lab.run_for(0.101);
        let later: &[&str] = if nodelay { &["s . 0", "s . 0", "s . 0"] } else { &["s . 0", "c P. 10"] };
        assert_eq!(lab.summary(), later, "{nodelay}");
    }
}

/// As Minshall has it (`tcp_minshall_check`): behind full segments a small one need not wait; and the end of everything does
/// not wait at all.
#[test]
fn without_nodelay_the_tail_of_full_segments_and_what_a_fin_follows_leave_at_once() {
    let mut lab = established(TcpSettings { nodelay: false, ..TcpSettings::default() }, NEAR);
    lab.write(CLIENT, &[b'x'; 1_448 + 5]);
    assert_eq!(lab.summary(), ["c . 1448", "c P. 5"]);
    lab.run_for(1.0);
    lab.sent.clear();
    lab.write(CLIENT, b"first");
    lab.write(CLIENT, b"other");
    lab.act(CLIENT, Connection::close);
    assert_eq!(lab.summary(), ["c P. 5", "c FP. 5"]);
}
