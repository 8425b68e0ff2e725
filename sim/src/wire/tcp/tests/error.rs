//! What ICMP errors change, and what they do not.

use super::*;
use crate::wire::{packet::Obstacle, tcp::Failure};

const HOST: Obstacle = Obstacle::HostUnreachable;

/// Tells an end that the last packet it sent could not be delivered.
fn tell(lab: &mut Lab, end: usize, why: Obstacle) {
    let last = lab.sent.iter().rfind(|sent| sent.from == end).expect("it has sent something");
    let error = last.packet.undelivered(why).expect("it is a segment");
    lab.inject(end, &error);
}

/// A connection whose data goes into a silent cut from now on.
fn cut_with_data() -> (Lab, Time) {
    let mut lab = Lab::established(NEAR);
    lab.cut_both();
    let start = lab.now;
    lab.write(CLIENT, b"hello");
    (lab, start)
}

#[test]
fn an_attempt_ends_at_the_first_error_whatever_it_says() {
    for (why, failure) in [
        (Obstacle::NetUnreachable, Failure::NetworkUnreachable),
        (HOST, Failure::HostUnreachable),
        (Obstacle::Prohibited, Failure::HostUnreachable),
    ] {
        let mut lab = Lab::new(NEAR);
        lab.cut_both();
        lab.connect(7);
        tell(&mut lab, CLIENT, why);
        assert_eq!((lab.end(CLIENT).state(), lab.end(CLIENT).failure()), (State::Closed, Some(failure)), "{why:?}");
    }
}

#[test]
fn one_error_undoes_one_doubling_counted_from_the_last_transmission() {
    let (mut lab, start) = cut_with_data();
    // Out at 1.6 s, and due again at 3.2 s; then at 2.4 s, and from there doubled again.
    lab.run_for(1.7);
    tell(&mut lab, CLIENT, HOST);
    lab.run_for(3.0);
    assert_times(&lab.times(CLIENT, start), &[0., 0.2, 0.4, 0.8, 1.6, 2.4, 4.0]);
}

#[test]
fn an_error_after_the_shorter_timeout_sends_at_once() {
    let (mut lab, start) = cut_with_data();
    lab.run_for(2.9);
    tell(&mut lab, CLIENT, HOST);
    lab.run_for(2.0);
    assert_times(&lab.times(CLIENT, start), &[0., 0.2, 0.4, 0.8, 1.6, 2.9, 4.5]);
}

#[test]
fn nothing_is_undone_before_the_first_timeout_by_a_prohibition_or_by_other_systems() {
    let silent = &[0., 0.2, 0.4, 0.8, 1.6, 3.2];
    // The tail-loss probe at 0.2 s has not doubled anything.
    let (mut lab, start) = cut_with_data();
    lab.run_for(0.3);
    tell(&mut lab, CLIENT, HOST);
    lab.run_for(3.0);
    assert_times(&lab.times(CLIENT, start), silent);

    let (mut lab, start) = cut_with_data();
    lab.run_for(1.7);
    tell(&mut lab, CLIENT, Obstacle::Prohibited);
    lab.run_for(1.6);
    assert_times(&lab.times(CLIENT, start), silent);

    for system in [TcpStack::Darwin, TcpStack::Windows] {
        assert!(!TcpConfig::preset(system).undoes_backoff);
    }
}

#[test]
fn an_error_is_the_word_at_the_end_unless_something_was_acknowledged_since() {
    let (mut lab, start) = cut_with_data();
    tell(&mut lab, CLIENT, Obstacle::Prohibited);
    assert_times(&[fails_after(&mut lab, CLIENT, start)], &[924.8]);
    assert_eq!(lab.end(CLIENT).failure(), Some(Failure::HostUnreachable));

    let (mut lab, start) = cut_with_data();
    tell(&mut lab, CLIENT, Obstacle::Prohibited);
    lab.cut = Box::new(|_, _| false);
    lab.run_for(1.0);
    lab.cut_both();
    lab.write(CLIENT, b"again");
    fails_after(&mut lab, CLIENT, start);
    assert_eq!(lab.end(CLIENT).failure(), Some(Failure::RetransmissionTimeout));
}

#[test]
fn an_error_about_something_that_is_not_outstanding_is_about_nothing() {
    let (mut lab, start) = cut_with_data();
    lab.run_for(1.7);
    let mut error = lab.sent.last().expect("it was sent again").packet.undelivered(HOST).expect("a segment");
    error.seq = error.seq.wrapping_sub(1);
    lab.inject(CLIENT, &error);
    fails_after(&mut lab, CLIENT, start);
    assert_eq!(lab.end(CLIENT).failure(), Some(Failure::RetransmissionTimeout));
}

#[test]
fn a_server_forgets_a_handshake_whose_answer_cannot_be_delivered() {
    for (why, state) in [(HOST, State::Closed), (Obstacle::Prohibited, State::SynReceived)] {
        let mut lab = Lab::new(NEAR);
        lab.connect(7);
        lab.cut_both();
        lab.run_for(0.001);
        tell(&mut lab, SERVER, why);
        assert_eq!((lab.end(SERVER).state(), lab.end(SERVER).failure()), (state, None), "{why:?}");
    }
}

#[test]
fn no_error_answers_an_error_and_no_reset() {
    let (lab, _) = cut_with_data();
    let error = lab.sent[0].packet.undelivered(HOST).expect("a segment");
    assert_eq!((error.undelivered(HOST), reset_for(&error)), (None, None));
}
