//! An oracle for the truth about sessions: in random worlds, at random moments, every device that has a session is made to
//! beat once more, and the reply arrives exactly where the truth calls the session usable.
//!
//! The world is run again from its seed up to the moment, and then frozen: `sim/src/frozen.rs` says what that means. Then
//! whether "an exchange begun at t could complete" has an answer, and enough time gives it.
//!
//! All devices are asked in one go. Where that fails for one that should succeed, it is asked again alone: of several that
//! hope for a NAT's last port, each could have it.
//!
//! The same is done for downtime: every device that has begun opens a new connection, to one server
//! after the other, and beats on the session that it becomes; that works exactly where the truth does not call a time
//! without a session unavoidable. Excused is a newcomer for whom a NAT has no port left. Load only makes him wait.
//!
//! What is not asked of sessions: devices without a session, which the truth cannot call usable, and devices in a race: which
//! of two connections is the session is about to be decided, and a frozen world decides it another way.
//!
//! Where the two may differ: the truth says usable, and something is under way already that will break the session, up to
//! a flight later. It is told apart by what the frozen world shows.
//! - A NAT that answers the server for a connection it has forgotten resets the server's session for something that was
//!   sent before. The frozen server closes the session, though it never does so by itself.
//! - A server that does dead work comes to the hello of a connection that the device has given up, and takes it for the
//!   device's latest. The frozen server opens a session, though the frozen device asks for none.
//! - A SYN of someone else gets the last port that a NAT had for a connection it has forgotten. The frozen NAT makes a
//!   mapping, and then has none for a packet that opens nothing.

use cardiogram_policies::Time;
use cardiogram_sim::{
    WorldConfig,
    config::{FromInside, FromOutside, NatClass},
    frozen::{Question, Truth, ask, edges, truth},
    packet::Flags,
    trace::{DropReason, Entry, Fact, NatEvent, ServerEvent, What},
};
use kit::{script, worlds};
use proptest::prelude::*;

/// Returns whether the exchange of a device failed for others that were asked, or for something that was under way.
fn is_excused(config: &WorldConfig, seed: u64, at: Time, device: u32) -> bool {
    let (answers, entries) = ask(config, seed, at, Question::Beat, Some(device));
    let happens = |is_such: fn(&ServerEvent) -> bool| {
        entries.iter().any(|entry| {
            let What::Fact(Fact::Server { event, .. }) = &entry.what else { return false };
            is_such(event) && event.device() == Some(device)
        })
    };
    let is_closed = happens(|event| matches!(event, ServerEvent::SessionClosed { .. }));
    let is_replaced = happens(|event| matches!(event, ServerEvent::SessionOpened { .. }));
    let is_made = |entry: &Entry| {
        let What::Fact(Fact::Nat { event, .. } | Fact::OuterNat { event, .. }) = &entry.what else {
            return false;
        };
        matches!(event, NatEvent::Created { .. })
    };
    let comes_back = |class: NatClass| class.from_inside() == FromInside::SamePort;
    let resets_outside = |class: NatClass| class.from_outside() == FromOutside::Reset;
    let is_left_out = |entry: &Entry| {
        let What::Dropped { packet, reason: DropReason::NoPort } = &entry.what else { return false };
        !packet.flags.has(Flags::SYN)
    };
    let port_is_gone = entries.iter().any(|made| {
        is_made(made) && entries.iter().any(|it| it.node == made.node && it.at >= made.at && is_left_out(it))
    });
    answers == [(device, true)]
        || is_closed && (is_replaced || has_class(config, |class| comes_back(class) && resets_outside(class)))
        || port_is_gone && has_class(config, comes_back)
}

/// Returns whether a newcomer failed for others that came with it, or for want of a port.
fn is_newcomer_excused(config: &WorldConfig, seed: u64, at: Time, device: u32) -> bool {
    let (answers, entries) = ask(config, seed, at, Question::ComeAnew, Some(device));
    let has_no_port = |entry: &Entry| matches!(entry.what, What::Dropped { reason: DropReason::NoPort, .. });
    answers == [(device, true)] || entries.iter().any(has_no_port)
}

/// Returns whether a NAT is, or may be, of such a class.
fn has_class(config: &WorldConfig, is_such: impl Fn(NatClass) -> bool) -> bool {
    let beside = config.networks.values().flat_map(|network| &network.nat);
    config.nat.iter().chain(beside).any(|nat| nat.after_expiry.classes().any(&is_such))
}

/// Returns what the truth says of a device at `at`, by the turns of what is asked for.
fn is_so(turns: &[(u32, Time, bool)], device: u32, at: Time) -> bool {
    let latest = turns.iter().rfind(|(of, since, _)| *of == device && *since <= at);
    latest.is_some_and(|(.., is_so)| *is_so)
}

/// Which moment to ask at.
#[derive(Clone, Copy, Debug)]
enum Pick {
    /// This share of the run.
    Anywhere(f64),
    /// So many microseconds from one of the truth's turns: this share of them.
    Turn(f64, i64),
    /// The same of the faults' edges.
    Edge(f64, i64),
}

fn picks() -> impl Strategy<Value = Vec<Pick>> {
    let shift = || prop_oneof![Just(0), Just(-1), Just(1), -200_000..200_000_i64, -20_000_000..20_000_000_i64];
    let pick = prop_oneof![
        (0.0..1.0).prop_map(Pick::Anywhere),
        (0.0..1.0, shift()).prop_map(|(share, shift)| Pick::Turn(share, shift)),
        (0.0..1.0, shift()).prop_map(|(share, shift)| Pick::Edge(share, shift)),
    ];
    prop::collection::vec(pick, 4)
}

impl Pick {
    fn moment(self, config: &WorldConfig, turns: &[(u32, Time, bool)], edges: &[Time]) -> Time {
        let of = |count: usize, share: f64| (share * count as f64) as usize;
        let end = config.duration.as_micros() as u64 - 1;
        let (near, shift) = match self {
            Self::Turn(share, shift) => (turns.get(of(turns.len(), share)).map(|(_, at, _)| *at), shift),
            Self::Edge(share, shift) => (edges.get(of(edges.len(), share)).copied(), shift),
            Self::Anywhere(share) => (Some(Time::from_micros((share * end as f64) as u64)), 0),
        };
        Time::from_micros(near.unwrap_or(Time::ZERO).as_micros().saturating_add_signed(shift).min(end))
    }
}

/// Asks at every pick, first whether sessions are usable, then whether new ones could be.
fn ask_at(world: &WorldConfig, seed: u64, picks: &[Pick]) -> Result<(), TestCaseError> {
    let (Truth { turns, kept_out }, edges) = (truth(world, seed), edges(world, seed));
    for pick in picks {
        let at = pick.moment(world, &turns, &edges);
        for (device, answered) in ask(world, seed, at, Question::Beat, None).0 {
            let usable = is_so(&turns, device, at);
            let excused = usable && !answered && is_excused(world, seed, at, device);
            prop_assert!(answered == usable || excused, "device {device} at {at}: truth {usable}, probe {answered}");
        }
        for (device, answered) in ask(world, seed, at, Question::ComeAnew, None).0 {
            let possible = !is_so(&kept_out, device, at);
            let excused = possible && !answered && is_newcomer_excused(world, seed, at, device);
            prop_assert!(
                answered == possible || excused,
                "device {device} at {at}: a new session is possible by the truth: {possible}, came to one: {answered}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 256, ..ProptestConfig::default() })]

    #[test]
    fn an_exchange_completes_exactly_where_the_truth_says_usable(world in worlds::world(), seed: u64, picks in picks()) {
        ask_at(&world, seed, &picks)?;
    }

    #[test]
    fn the_same_holds_beside_second_connections(
        world in worlds::world(),
        script in script::script(1_800),
        seed: u64,
        picks in picks(),
    ) {
        let mut world = world;
        script.direct(&mut world.strategy);
        ask_at(&world, seed, &picks)?;
    }
}
