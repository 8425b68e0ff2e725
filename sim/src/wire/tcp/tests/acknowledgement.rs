//! When acknowledgements leave: the captures E8, E5 and E6 of sim/tests/data/linux.

use super::*;

/// Returns the client sends, the server thinks and answers, both read; then a pause. Returns the packets it cost.
fn exchange(lab: &mut Lab, think: f64) -> Vec<String> {
    lab.sent.clear();
    lab.write(CLIENT, b"ping!");
    lab.run_for(0.0005);
    lab.read(SERVER);
    lab.run_for(think);
    lab.write(SERVER, b"pong!");
    lab.run_for(0.0005);
    lab.read(CLIENT);
    lab.run_for(5.0);
    lab.summary()
}

#[test]
fn a_heartbeat_costs_three_packets_and_the_first_four() {
    let mut lab = Lab::established(NEAR);
    assert_eq!(exchange(&mut lab, 0.0), ["c P. 5", "s . 0", "s P. 5", "c . 0"]);
    for _ in 0..40 {
        assert_eq!(exchange(&mut lab, 0.0), ["c P. 5", "s P. 5", "c . 0"]);
    }
}

#[test]
fn a_heartbeat_whose_answer_takes_longer_than_40_ms_costs_four_packets() {
    let mut lab = Lab::established(NEAR);
    exchange(&mut lab, 0.0);
    assert_eq!(exchange(&mut lab, 0.035), ["c P. 5", "s P. 5", "c . 0"]);
    let start = lab.now;
    assert_eq!(exchange(&mut lab, 0.045), ["c P. 5", "s . 0", "s P. 5", "c . 0"]);
    assert_times(&lab.times(SERVER, start), &[0.040, 0.045]);
    // The server is no longer trusted to answer: its kernel acknowledges at once.
    let start = lab.now;
    assert_eq!(exchange(&mut lab, 0.045), ["c P. 5", "s . 0", "s P. 5", "c . 0"]);
    assert_times(&lab.times(SERVER, start), &[0.0, 0.045]);
}

#[test]
fn a_stopped_process_is_acknowledged_for_and_probes_are_answered() {
    let mut lab = Lab::established(NEAR);
    exchange(&mut lab, 0.0);
    lab.sent.clear();
    let start = lab.now;
    for _ in 0..3 {
        lab.write(CLIENT, b"ping!");
        lab.run_for(5.0);
    }
    // After the reply the first acknowledgement is late, the others are not.
    assert_times(&lab.times(SERVER, start), &[0.040, 5.0, 10.0]);
    assert_eq!(lab.end(SERVER).readable(), 15);
}

#[test]
fn a_reader_that_does_not_answer_acknowledges_when_it_reads() {
    // Segments in quick succession use up the first acknowledgements; then it is reading that acknowledges.
    let mut lab = Lab::established(NEAR);
    for round in 0..60 {
        lab.sent.clear();
        lab.write(CLIENT, b"data");
        lab.run_for(0.001);
        lab.read(SERVER);
        lab.run_for(0.1);
        assert_eq!(lab.summary(), ["c P. 4", "s . 0"], "round {round}");
        assert!(lab.times(SERVER, lab.sent[0].at)[0] < 0.0015, "round {round}: not left to the timer");
    }
}

#[test]
fn more_than_a_segment_is_acknowledged_at_once() {
    let mut lab = Lab::established(NEAR);
    exchange(&mut lab, 0.0);
    lab.sent.clear();
    lab.write(CLIENT, &[1; 1_448 * 4]);
    lab.run_for(0.001);
    assert!(lab.summary().iter().filter(|line| *line == "s . 0").count() >= 2, "{:?}", lab.summary());
}

#[test]
fn a_fin_is_acknowledged_late_or_on_the_back_of_the_own_fin() {
    let mut lab = Lab::established(NEAR);
    exchange(&mut lab, 0.0);
    lab.sent.clear();
    let start = lab.now;
    lab.act(SERVER, Connection::close);
    lab.run_for(1.0);
    assert_eq!(lab.summary(), ["s F. 0", "c . 0"]);
    assert_times(&lab.times(CLIENT, start), &[0.040]);

    let mut lab = Lab::established(NEAR);
    exchange(&mut lab, 0.0);
    lab.sent.clear();
    lab.act(SERVER, Connection::close);
    lab.run_for(0.001);
    lab.act(CLIENT, Connection::close);
    lab.run_for(1.0);
    assert_eq!(lab.summary(), ["s F. 0", "c F. 0", "s . 0"]);
}

#[test]
fn an_acknowledgement_that_releases_queued_data_rides_on_it() {
    let mut lab = Lab::established(NEAR);
    exchange(&mut lab, 0.0);
    lab.cut_both();
    lab.write(SERVER, b"push!");
    lab.run_for(1.0);
    lab.write(SERVER, b"more!");
    lab.heal();
    lab.sent.clear();
    lab.write(CLIENT, b"ping!");
    lab.run_for(0.03);
    assert_eq!(lab.summary(), ["c P. 5"], "the push waits for its timeout, the acknowledgement for the answer");
    lab.run_for(2.0);
    assert_eq!(lab.summary(), ["c P. 5", "s . 0", "s P. 5", "c . 0", "s P. 5", "c . 0"]);
}

#[test]
fn a_gap_and_its_filling_are_told_at_once() {
    let mut lab = Lab::established(NEAR);
    exchange(&mut lab, 0.0);
    lab.cut_both();
    lab.write(CLIENT, b"one");
    lab.write(CLIENT, b"two");
    lab.write(CLIENT, b"six");
    lab.heal();
    let [one, two, six] = [1, 2, 3].map(|back| lab.sent[lab.sent.len() - 4 + back].packet.clone());
    lab.sent.clear();
    for packet in [&six, &two, &one] {
        lab.inject(SERVER, packet);
    }
    let acks: Vec<u32> = lab.sent.iter().map(|sent| sent.packet.ack.wrapping_sub(one.seq)).collect();
    assert_eq!(acks, [0, 0, 9]);
    assert_eq!(lab.read(SERVER), b"onetwosix");
}

#[test]
fn what_is_known_already_is_acknowledged_at_once() {
    let mut lab = Lab::established(NEAR);
    exchange(&mut lab, 0.0);
    let again = lab.sent[0].packet.clone();
    lab.sent.clear();
    for _ in 0..3 {
        lab.inject(SERVER, &again);
    }
    assert_eq!(lab.summary(), ["s . 0"; 3]);
    assert_eq!(lab.read(SERVER), b"");
}

#[test]
fn answers_to_pure_segments_out_of_the_window_are_half_a_second_apart() {
    let mut lab = Lab::established(NEAR);
    exchange(&mut lab, 0.0);
    let mut stray = lab.sent.last().unwrap().packet.clone();
    stray.seq = stray.seq.wrapping_sub(1_000);
    lab.sent.clear();
    for _ in 0..10 {
        lab.inject(SERVER, &stray);
        lab.run_for(0.1);
    }
    assert_eq!(lab.sent.len(), 2);
}
