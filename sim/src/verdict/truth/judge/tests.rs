//! Sessions of one device, told by hand.

use std::time::Duration;

use super::*;

/// Returns the verdict on these changes, which is the same whether the judge hears of them at once or one moment at a time.
fn judged(changes: &[(Time, Change)], end: Time) -> Verdict {
    let in_pieces = |pieces: &mut dyn Iterator<Item = &[(Time, Change)]>| {
        let mut verdict = Verdict::default();
        let mut judge = Judge::new(0, 1, Rc::new(vec![vec![vec![NatClass::DropSilent]]]));
        pieces.for_each(|piece| judge.judge(piece, &|_, _, _| None, &mut verdict));
        judge.end(end, &mut verdict);
        verdict
    };
    let verdict = in_pieces(&mut std::iter::once(changes));
    assert_eq!(verdict, in_pieces(&mut changes.chunk_by(|a, b| a.0 == b.0)));
    verdict
}

/// A device that has made tens of thousands of attempts comes back to a port whose mapping never closed.
#[test]
fn a_port_used_again_over_its_old_mapping_is_judged_like_any_other() {
    let (port, outside, server) = (40_000, 50_000, 0);
    let key = Key { network: 0, nat: 0, port, server };
    let attempt = Change::Turn(Turn::AttemptBegins { port, server, beside: false });
    let connected = Change::Turn(Turn::SessionBegins { port });
    let given_up = Turn::GivenUp(GiveUp::NoReply);
    let changes = [
        (10, attempt),
        (10, Change::Nat { mapping: key, happens: MappingEvent::Made { outside } }),
        (11, Change::SessionOpened { server, outside: (0, outside) }),
        (11, connected),
        (20, Change::Turn(given_up)),
        (21, Change::SessionClosed { server, outside: (0, outside) }),
        (30, attempt),
        (31, Change::SessionOpened { server, outside: (0, outside) }),
        (31, connected),
        (40, Change::Nat { mapping: key, happens: MappingEvent::Ended(Cause::NatExpiry) }),
    ];
    let changes = changes.map(|(secs, change)| (Time::from_secs(secs), change));
    let verdict = judged(&changes, Time::from_secs(50));
    assert_eq!(verdict.usable_time, Duration::from_secs(9 + 9));
    assert_eq!(verdict.zombie_time, Duration::from_secs(1));
    assert_eq!(verdict.false_alarms.len(), 1);
    let [episode] = verdict.episodes[..] else { panic!("the expiry is an episode: {:?}", verdict.episodes) };
    assert_eq!((episode.cause, episode.begin), (Cause::NatExpiry, Time::from_secs(40)));
}

/// In a race the server closes the session for the next one before the device hears of it.
#[test]
fn a_session_that_is_handed_over_was_never_broken_and_one_that_was_closed_before_stays_so() {
    let (port, rival, server, secs) = (40_000, 40_001, 0, Time::from_secs);
    let made = |port, outside| {
        let mapping = Key { network: 0, nat: 0, port, server };
        Change::Nat { mapping, happens: MappingEvent::Made { outside } }
    };
    let opened = |outside| Change::SessionOpened { server, outside: (0, outside) };
    let closed = Change::SessionClosed { server, outside: (0, 50_000) };
    let turn = |turn| Change::Turn(turn);
    let given_up = turn(Turn::GivenUp(GiveUp::NoReply));
    let judge = |closed_at| {
        let mut changes = vec![
            (secs(10), turn(Turn::AttemptBegins { port, server, beside: false })),
            (secs(10), made(port, 50_000)),
            (secs(11), opened(50_000)),
            (secs(11), turn(Turn::SessionBegins { port })),
            (secs(closed_at), closed),
            (secs(20), turn(Turn::AttemptBegins { port: rival, server, beside: true })),
            (secs(20), made(rival, 50_001)),
            (secs(21), opened(50_001)),
            (secs(23), given_up),
            (secs(23), turn(Turn::SessionBegins { port: rival })),
        ];
        changes.sort_by_key(|(at, _)| *at);
        judged(&changes, secs(30))
    };
    let handed_over = judge(21);
    assert_eq!((handed_over.episodes.len(), handed_over.false_alarms.len()), (0, 1));
    assert_eq!((handed_over.usable_time, handed_over.zombie_time), (Duration::from_secs(19), Duration::ZERO));
    let reaped = judge(15);
    assert_eq!((reaped.usable_time, reaped.false_alarms.len()), (Duration::from_secs(4 + 7), 0));
    let [episode] = reaped.episodes[..] else { panic!("the server closed it: {:?}", reaped.episodes) };
    assert_eq!((episode.cause, episode.begin, episode.end), (Cause::ServerClosed, secs(15), Some(secs(23))));
}

/// The mapping of the first SYN is gone before the connection is up, and another SYN gets another port: the session is
/// on that one. Found by the oracle.
#[test]
fn a_session_is_on_the_port_that_its_server_saw() {
    let (port, server) = (40_000, 0);
    let mapping = Key { network: 0, nat: 0, port, server };
    let changes = [
        (10, Change::Turn(Turn::AttemptBegins { port, server, beside: false })),
        (10, Change::Nat { mapping, happens: MappingEvent::Made { outside: 50_000 } }),
        (12, Change::Nat { mapping, happens: MappingEvent::Ended(Cause::NatEvicted) }),
        (13, Change::Nat { mapping, happens: MappingEvent::Made { outside: 50_001 } }),
        (14, Change::SessionOpened { server, outside: (0, 50_001) }),
        (15, Change::Turn(Turn::SessionBegins { port })),
        (20, Change::Nat { mapping, happens: MappingEvent::Ended(Cause::NatEvicted) }),
        (25, Change::Nat { mapping, happens: MappingEvent::Made { outside: 50_001 } }),
        (30, Change::Nat { mapping, happens: MappingEvent::Made { outside: 50_002 } }),
    ];
    // Where `returns`, its NAT says at once that a forgotten connection would get its port back.
    let usable = |returns: bool| {
        let turn = |(secs, change): (u64, Change)| {
            let ends = matches!(change, Change::Nat { happens: MappingEvent::Ended(_), .. });
            let turn = Change::Nat { mapping, happens: MappingEvent::Returns(true) };
            [Some(change), (returns && ends).then_some(turn)].map(|it| Some((Time::from_secs(secs), it?)))
        };
        let changes: Vec<_> = changes.into_iter().flat_map(turn).flatten().collect();
        let verdict = judged(&changes, Time::from_secs(50));
        (verdict.usable_time.as_secs(), verdict.zombie_time.as_secs())
    };
    // The session's port is its own once it is open. For a second it is held by the server alone: no zombie.
    assert_eq!(usable(false), (5 + 5, 0));
    assert_eq!(usable(true), (15, 0));
}
