//! Flow control: the receive window and zero-window probes.

use super::*;
use crate::wire::{packet::Options, tcp::Failure};

/// Returns a server that does not read, and a client that has filled its window and has more.
fn full() -> Lab {
    let mut lab = Lab::established(NEAR);
    lab.write(CLIENT, &vec![1; 70_000]);
    lab.run_for(0.1);
    assert_eq!(lab.end(SERVER).readable(), 65_535);
    assert_eq!(lab.end(CLIENT).unacknowledged(), 70_000 - 65_535);
    lab.sent.clear();
    lab
}

#[test]
fn the_window_never_shrinks_and_nothing_is_sent_beyond_it() {
    let mut lab = Lab::established(Duration::from_millis(1));
    lab.write(CLIENT, &vec![1; 200_000]);
    for _ in 0..300 {
        lab.run_for(0.05);
        lab.read(SERVER);
    }
    let mut edge = 0;
    for sent in &lab.sent {
        // Relative to the client's first byte.
        let relative = |seq: u32| u64::from(seq.wrapping_sub(0xffff_fff1));
        if sent.from == SERVER {
            let offered = relative(sent.packet.ack) + u64::from(sent.packet.window);
            assert!(offered >= edge, "the right edge went back");
            edge = offered;
        } else if edge > 0 {
            assert!(relative(sent.packet.seq) + sent.packet.payload.len() as u64 <= edge);
        }
    }
    assert!(edge > 200_000);
}

#[test]
fn a_shut_window_is_probed_for_ever_while_the_peer_answers() {
    let mut lab = full();
    let start = lab.now;
    lab.run_for(3_000.0);
    let times = lab.times(CLIENT, start);
    let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_times(&gaps[..8], &[0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2]);
    assert!(gaps[10..].iter().all(|gap| (gap - 120.).abs() < 0.1), "{gaps:?}");
    assert_eq!(lab.end(CLIENT).state(), State::Established);
}

#[test]
fn reading_opens_the_window_and_the_data_flows() {
    let mut lab = full();
    lab.run_for(100.0);
    lab.sent.clear();
    assert_eq!(lab.read(SERVER).len(), 65_535);
    lab.run_for(0.01);
    assert_eq!(lab.read(SERVER).len(), 70_000 - 65_535);
    // The timeout is the measured one: probing did not double it.
    lab.cut_both();
    lab.sent.clear();
    let start = lab.now;
    lab.write(CLIENT, b"hello");
    lab.run_for(1.0);
    assert_times(&lab.times(CLIENT, start), &[0., 0.2, 0.4, 0.8]);
}

#[test]
fn window_probes_without_an_answer_end_after_15() {
    let mut lab = full();
    lab.cut_both();
    let start = lab.now;
    assert!(fails_after(&mut lab, CLIENT, start) > 900.0);
    assert_eq!(lab.sent.len(), 15);
    assert_eq!(lab.end(CLIENT).failure(), Some(Failure::RetransmissionTimeout));
}

#[test]
fn the_user_timeout_ends_a_shut_window_even_while_the_peer_answers() {
    let mut lab = full();
    let start = lab.now;
    lab.act(CLIENT, |tcp, _, _| tcp.set_user_timeout(Some(Duration::from_secs(20))));
    let death = fails_after(&mut lab, CLIENT, start);
    assert!((20.0..21.0).contains(&death), "{death}");
    assert_eq!(lab.end(CLIENT).failure(), Some(Failure::UserTimeout));
}

#[test]
fn a_window_full_of_data_under_way_is_no_shut_window() {
    let mut lab = Lab::established(NEAR);
    lab.cut_both();
    lab.write(CLIENT, &vec![1; 70_000]);
    lab.run_for(1.0);
    let repeated: Vec<_> = lab.sent.iter().skip_while(|sent| sent.at == lab.sent[0].at).collect();
    assert!(repeated.len() > 2 && repeated.iter().all(|sent| !sent.packet.payload.is_empty()), "{:?}", lab.summary());
}

/// Returns what a client sends at once of 10,000 bytes to a server of these options and then this window.
fn sent_to(options: impl Fn(&mut Options), window: u16) -> Vec<usize> {
    let mut lab = Lab::new(NEAR);
    lab.connect(7);
    lab.run_for(0.000_005);
    let (_, _, mut welcome) = lab.wire.pop_front().expect("SYN and ACK");
    options(&mut welcome.options);
    lab.inject(CLIENT, &welcome);
    lab.cut_both();
    lab.sent.clear();
    let mut update = Packet { seq: welcome.seq.wrapping_add(1), flags: Flags::ACK, window, ..welcome };
    (update.options.window_scale, update.options.mss) = (None, None);
    lab.inject(CLIENT, &update);
    lab.write(CLIENT, &[1; 10_000]);
    lab.sent.iter().map(|sent| sent.packet.payload.len()).collect()
}

#[test]
fn the_peers_window_is_scaled_as_its_syn_says() {
    let sent = |shift| sent_to(|options| options.window_scale = Some(shift), 300).iter().sum::<usize>();
    assert_eq!([sent(0), sent(2), sent(4)], [300, 1_200, 4_800]);
}

#[test]
fn segments_are_no_longer_than_either_end_allows() {
    let longest = |mss| sent_to(|options| options.mss = mss, 60_000).into_iter().max();
    // 12 bytes of timestamps are part of it; 536 where nothing is said.
    assert_eq!([Some(9_000), Some(1_000), None].map(longest), [Some(1_448), Some(988), Some(524)]);
}

#[test]
fn a_fin_waits_for_the_window() {
    let mut lab = full();
    lab.act(CLIENT, Connection::close);
    lab.run_for(1.0);
    assert!(lab.sent.iter().all(|sent| !sent.packet.flags.has(Flags::FIN)));
    lab.read(SERVER);
    lab.run_for(1.0);
    lab.read(SERVER);
    assert!(lab.end(SERVER).peer_closed());
}

#[test]
fn data_beyond_the_window_is_cut_off() {
    let mut lab = Lab::established(NEAR);
    lab.write(CLIENT, b"x");
    let mut giant = lab.sent[0].packet.clone();
    giant.payload = vec![0; 80_000];
    lab.inject(SERVER, &giant);
    assert_eq!(lab.end(SERVER).readable(), 65_535);
}

/// The window of a process that reads piece by piece opens piece by piece.
#[test]
fn what_is_read_in_part_leaves_the_rest_in_the_buffer() {
    let mut lab = Lab::established(NEAR);
    lab.write(CLIENT, b"in two parts");
    lab.run_for(1.0);
    let mut part = Vec::new();
    lab.act(SERVER, |tcp, now, out| tcp.read_some(now, 6, &mut part, out));
    assert_eq!((&part[..], lab.end(SERVER).readable()), (&b"in two"[..], 6));
    assert_eq!(lab.read(SERVER), b" parts");
}
