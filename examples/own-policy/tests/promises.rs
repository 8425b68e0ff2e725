//! What the strategy promises, against random worlds in which somebody tries to break it.

use cardiogram::{prelude::*, sim::trace::DeviceEvent};

fn two_speed() -> StrategySpec {
    load::strategy("two-speed", None, &own_policy::registry()).unwrap().value
}

keeps_promises!(two_speed_keeps_what_it_promises, two_speed(), 2_000);

#[test]
fn after_a_message_the_next_beat_comes_within_ten_seconds() {
    let lively = |evidence: &Evidence<'_>| {
        let mut tested = false;
        for device in 0..evidence.world().devices.count {
            let mut message: Option<Time> = None;
            for (at, event) in evidence.events_of(device) {
                match event {
                    DeviceEvent::MessageDelivered { .. } => message = message.or(Some(at)),
                    // A session that is over owes nothing.
                    DeviceEvent::Lost { .. } | DeviceEvent::GivenUp { .. } => message = None,
                    DeviceEvent::HeartbeatSent { .. } => {
                        let Some(since) = message.take() else { continue };
                        tested = true;
                        if at.since(since).as_secs() > 10 {
                            let promised = "a message is followed by a beat within 10 s";
                            let happened = format!("a message came at {since} s, and a beat at {at} s");
                            return Judgement::broken(at, device, promised, happened);
                        }
                    }
                    _ => {}
                }
            }
        }
        if tested { Judgement::Kept } else { Judgement::NotTested }
    };
    Check::of(two_speed())
        .own("lively", Aim::Heals, lively)
        .on_a_steady_host()
        .cases(1_000)
        .named("lively")
        .run()
        .unwrap();
}
