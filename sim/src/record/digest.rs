//! The bytes of a record entry that go into the trace hash: every field, little endian, behind a tag. The form is part of
//! the determinism contract, since golden hashes are committed; a new kind of entry takes a new tag.

use std::time::Duration;

use cardiogram_policies::{AppState, AttemptFailure, CloseReason, GiveUp, LossReason};

use crate::{
    record::trace::{Cause, DeviceEvent, DropReason, Fact, Fate, NatEvent, ServerEvent},
    wire::{frame::GoodbyeReason, layout::NodeId, packet::Packet},
};

/// A packet was put on a link.
pub(crate) fn sent(out: &mut Vec<u8>, packet: &Packet, to: NodeId, fate: Fate) {
    out.push(1);
    long(out, to.0);
    match fate {
        Fate::Arrives(at) => {
            out.push(0);
            out.extend(at.as_micros().to_le_bytes());
        }
        Fate::Cut => out.push(1),
        Fate::Lost => out.push(2),
        Fate::ArrivesTwice { first, copy } => {
            out.push(3);
            out.extend(first.as_micros().to_le_bytes());
            out.extend(copy.as_micros().to_le_bytes());
        }
        Fate::QueueFull => out.push(4),
    }
    write_packet(out, packet);
}

/// A packet came off a link.
pub(crate) fn received(out: &mut Vec<u8>, packet: &Packet, from: NodeId) {
    out.push(2);
    long(out, from.0);
    write_packet(out, packet);
}

/// A node threw a packet away.
pub(crate) fn dropped(out: &mut Vec<u8>, packet: &Packet, reason: DropReason) {
    out.push(3);
    out.push(match reason {
        DropReason::NoMapping => 0,
        DropReason::HostDown => 1,
        DropReason::Backlog => 2,
        DropReason::NoRoute => 3,
        DropReason::NoPort => 4,
        DropReason::NetworkLeft => 5,
    });
    write_packet(out, packet);
}

/// Something happened that is a fact of the run.
pub(crate) fn fact(out: &mut Vec<u8>, fact: &Fact) {
    match fact {
        Fact::Device { device, event } => {
            out.push(4);
            long(out, *device);
            write_device(out, event);
        }
        Fact::Nat { network, device, port, event, .. } => {
            out.push(5);
            further(out, *network);
            long(out, *device);
            word(out, *port);
            write_nat(out, *event);
        }
        Fact::OuterNat { network, nat, port, server, event } => {
            out.push(7);
            further(out, *network);
            long(out, *nat);
            word(out, *port);
            long(out, *server);
            write_nat(out, *event);
        }
        Fact::Server { server, event } => {
            out.push(6);
            long(out, *server);
            write_server(out, *event);
        }
    }
}

fn write_packet(out: &mut Vec<u8>, packet: &Packet) {
    for end in [packet.src, packet.dst] {
        out.extend(end.ip().octets());
        word(out, end.port());
    }
    long(out, packet.seq);
    long(out, packet.ack);
    out.push(packet.flags.0);
    word(out, packet.window);
    if let Some((value, echo)) = packet.options.timestamps {
        long(out, value);
        long(out, echo);
    }
    word(out, packet.options.len() as u16);
    word(out, packet.payload.len() as u16);
    out.extend(&packet.payload);
}

fn write_nat(out: &mut Vec<u8>, event: NatEvent) {
    match event {
        NatEvent::Created { outside } => {
            out.push(0);
            word(out, outside);
        }
        NatEvent::Expired => out.push(1),
        NatEvent::Flushed => out.push(2),
        NatEvent::Evicted => out.push(3),
    }
}

fn write_device(out: &mut Vec<u8>, event: &DeviceEvent) {
    match *event {
        DeviceEvent::AttemptStarted { port, server } => {
            out.push(0);
            word(out, port);
            long(out, server);
        }
        DeviceEvent::AttemptFailed(failure) => {
            out.push(1);
            out.push(match failure {
                AttemptFailure::Refused => 0,
                AttemptFailure::Timeout => 1,
                AttemptFailure::Dropped => 2,
                AttemptFailure::NoNetwork => 3,
                _ => unreachable!("an attempt failure without a tag: {failure:?}"),
            });
        }
        DeviceEvent::RetryAfter(wait) => {
            out.push(2);
            span(out, wait);
        }
        DeviceEvent::Stopped => out.push(3),
        DeviceEvent::Connected { port, server } => {
            out.push(4);
            word(out, port);
            long(out, server);
        }
        DeviceEvent::HeartbeatSent { id } => {
            out.push(5);
            long(out, id);
        }
        DeviceEvent::HeartbeatAnswered { id, rtt } => {
            out.push(6);
            long(out, id);
            span(out, rtt);
        }
        DeviceEvent::MessageSent { id } => {
            out.push(7);
            long(out, id);
        }
        DeviceEvent::MessageDelivered { id, delay } => {
            out.push(8);
            long(out, id);
            span(out, delay);
        }
        DeviceEvent::Suspect => out.push(9),
        DeviceEvent::Trust => out.push(10),
        DeviceEvent::GivenUp { port, reason } => {
            out.push(11);
            word(out, port);
            out.push(match reason {
                GiveUp::NoReply => 0,
                GiveUp::Silence => 1,
                GiveUp::Done => 2,
                GiveUp::ServiceDead => 3,
                GiveUp::NetworkDead => 4,
                _ => unreachable!("a reason without a tag: {reason:?}"),
            });
        }
        DeviceEvent::Lost { port, reason } => {
            out.push(12);
            word(out, port);
            out.push(match reason {
                LossReason::Reset => 0,
                LossReason::Closed => 1,
                LossReason::KeepaliveTimeout => 2,
                LossReason::RetransmissionTimeout => 3,
                LossReason::UserTimeout => 4,
                LossReason::Aborted => 5,
                LossReason::TooManyPings => 6,
                _ => unreachable!("a reason without a tag: {reason:?}"),
            });
        }
        DeviceEvent::RadioUp { waited } => {
            out.push(13);
            span(out, waited);
        }
        DeviceEvent::Attached { network, lease } => {
            out.push(14);
            long(out, network);
            long(out, lease);
        }
        DeviceEvent::Detached { network, lease, cause } => {
            out.push(15);
            long(out, network);
            long(out, lease);
            out.push(cause_tag(cause));
        }
        DeviceEvent::Killed => out.push(16),
        DeviceEvent::Started => out.push(17),
        DeviceEvent::AppState(state) => {
            out.push(18);
            out.push(match state {
                AppState::Foreground => 0,
                AppState::Background => 1,
                AppState::Doze => 2,
            });
        }
        DeviceEvent::Woken => out.push(19),
        DeviceEvent::PingAnswered => out.push(20),
        DeviceEvent::NoticeReceived => out.push(21),
        DeviceEvent::Directed { interval } => {
            out.push(22);
            span(out, interval);
        }
        DeviceEvent::GoodbyeReceived { reason, retry_after } => {
            out.push(23);
            out.push(match reason {
                GoodbyeReason::TooManyPings => 0,
                GoodbyeReason::Busy => 1,
            });
            span(out, retry_after.unwrap_or_default());
        }
        DeviceEvent::MalformedSent => out.push(24),
        DeviceEvent::NoticeSent => out.push(25),
        DeviceEvent::ProbeStarted { port, server } => {
            out.push(26);
            word(out, port);
            long(out, server);
        }
        DeviceEvent::ProbeConnected => out.push(27),
        DeviceEvent::ProbeSent { id } => {
            out.push(28);
            long(out, id);
        }
        DeviceEvent::ProbeAnswered { id, rtt } => {
            out.push(29);
            long(out, id);
            span(out, rtt);
        }
        DeviceEvent::ProbeLost => out.extend([30, 0]),
        DeviceEvent::ProbeClosed => out.extend([30, 1]),
        DeviceEvent::RaceStarted { port, server } => {
            out.push(31);
            word(out, port);
            long(out, server);
        }
        DeviceEvent::RaceLost { port } => {
            out.push(32);
            word(out, port);
        }
        DeviceEvent::CheckAfter(wait) => {
            out.push(33);
            span(out, wait);
        }
        DeviceEvent::NetworkChecked(carries) => out.extend([34, u8::from(carries)]),
    }
}

fn write_server(out: &mut Vec<u8>, event: ServerEvent) {
    match event {
        ServerEvent::SessionOpened { device, network, outside } => write_session(out, 0, device, network, outside),
        ServerEvent::SessionClosed { device, network, outside } => write_session(out, 1, device, network, outside),
        ServerEvent::Reaped { device, network, outside } => write_session(out, 2, device, network, outside),
        ServerEvent::FaultBegan(cause) => out.extend([3, cause_tag(cause)]),
        ServerEvent::FaultEnded(cause) => out.extend([4, cause_tag(cause)]),
        ServerEvent::TurnedUnhealthy => out.push(5),
        ServerEvent::TurnedHealthy => out.push(6),
        ServerEvent::WakeupSent { device } => {
            out.push(7);
            long(out, device);
        }
        ServerEvent::PingSent { device, wants_answer } => {
            out.extend([8, u8::from(wants_answer)]);
            long(out, device);
        }
        ServerEvent::PongReceived { device } => {
            out.push(9);
            long(out, device);
        }
        ServerEvent::Directed { device, interval } => {
            out.push(10);
            long(out, device);
            span(out, interval);
        }
        ServerEvent::TurnedAway { device, retry_after } => {
            out.push(11);
            long(out, device);
            span(out, retry_after);
        }
        ServerEvent::Expelled { device, network, outside, reason } => {
            write_session(out, 12, device, network, outside);
            out.push(match reason {
                CloseReason::Silence => 0,
                CloseReason::NoPong => 1,
                CloseReason::TooManyPings => 2,
                CloseReason::Malformed => 3,
                _ => unreachable!("a reason without a tag: {reason:?}"),
            });
        }
        ServerEvent::Resumed { device } => {
            out.push(13);
            long(out, device);
        }
        ServerEvent::MalformedReceived { device } => {
            out.push(14);
            long(out, device);
        }
    }
}

fn write_session(out: &mut Vec<u8>, tag: u8, device: u32, network: u32, outside: u16) {
    out.push(tag);
    further(out, network);
    long(out, device);
    word(out, outside);
}

fn cause_tag(cause: Cause) -> u8 {
    match cause {
        Cause::ServerVanish => 0,
        Cause::ServerCrash => 1,
        Cause::ServerRestart => 2,
        Cause::ServerStall => 3,
        Cause::Cut => 4,
        Cause::CutUp => 5,
        Cause::CutDown => 6,
        Cause::NatExpiry => 7,
        Cause::NatFlush => 8,
        Cause::ServerClosed => 9,
        Cause::ServerPause => 10,
        Cause::ServerDrain => 11,
        Cause::ServerOverload => 12,
        Cause::NatEvicted => 13,
        Cause::NetworkSwitch => 14,
        Cause::NoNetwork => 15,
        Cause::LeaseExpiry => 16,
        Cause::ProcessKilled => 17,
    }
}

/// A network's number. The first one leaves no trace: worlds that have no other are as they were.
fn further(out: &mut Vec<u8>, network: u32) {
    if network > 0 {
        out.push(0xff);
        long(out, network);
    }
}

fn word(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_le_bytes());
}

fn long(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}

fn span(out: &mut Vec<u8>, span: Duration) {
    out.extend((span.as_micros() as u64).to_le_bytes());
}
