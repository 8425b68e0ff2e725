//! The page on shipping: its code is the example's, its commands work, its refusal is the driver's.

use cardiogram::policies::preset;
use cardiogram_tokio::{Link, LinkEvent, Plain, Protocol};
use kit::place;

use super::{check_guide, page};

#[test]
fn the_page_on_shipping_shows_the_code_of_the_example() {
    assert_eq!(check_guide("docs/shipping.md"), 4);
}

#[test]
fn the_commands_of_the_page_on_shipping_work() {
    let place = place!();
    place.write("push.toml", page("examples/chat/push.toml"));
    let events = [
        (0, LinkEvent::AttemptStarted { port: 1, server: 0 }),
        (1, LinkEvent::Connected { port: 1, server: 0 }),
        (11, LinkEvent::HeartbeatSent { id: 0 }),
        (16, LinkEvent::Suspect),
        (16, LinkEvent::GivenUp { port: 1, reason: cardiogram::policies::GiveUp::NoReply }),
        (17, LinkEvent::Forgotten),
    ];
    let line = |(at, event): &(u32, LinkEvent)| {
        let what = if *event == LinkEvent::Forgotten { "link" } else { "device" };
        let event = serde_json::to_value(event).unwrap();
        let line = serde_json::json!({ "t_s": format!("{at}.000000"), "what": what, "device": 0, "event": event });
        format!("{line}\n")
    };
    place.write("chat.jsonl", events.iter().map(line).collect::<String>());
    let shipping = page("docs/shipping.md");
    let commands: Vec<&str> = shipping.lines().filter_map(|line| line.strip_prefix("    cardiogram ")).collect();
    assert_eq!(commands.len(), 4);
    for command in commands {
        // What takes long is done once, and without the other engine.
        place.cardiogram(&command.replace("--seeds 2", "--seeds 1 --engine event")).good();
    }
    let chart = std::fs::read_to_string(place.path("chat.svg")).unwrap();
    assert!(
        chart.contains("gives up: no reply") && chart.contains(">session<") && !chart.contains(">truth<"),
        "{chart}"
    );
    assert!(std::fs::read_to_string(place.path("lab.svg")).unwrap().contains(">truth<"));
}

/// What the page shows is what a program gets whose transport carries bytes and can do nothing else.
#[test]
fn the_refusal_of_the_page_on_shipping_is_the_drivers() {
    #[derive(Clone)]
    struct Nothing;

    impl Protocol for Nothing {
        type Message = ();

        fn heartbeat(&mut self, _: u32, _: &mut bytes::BytesMut) {}

        fn notice(&mut self, _: &mut bytes::BytesMut) {}

        fn encode(&mut self, (): (), _: &mut bytes::BytesMut) -> std::io::Result<()> {
            Ok(())
        }

        fn decode(
            &mut self,
            _: &mut bytes::BytesMut,
            _: &mut bytes::BytesMut,
        ) -> std::io::Result<Option<cardiogram_tokio::Incoming<()>>> {
            Ok(None)
        }
    }

    let strategy = preset::find("linux-keepalive").expect("a preset").spec();
    let link = Link::builder(&strategy).dial(|_| async { Ok(Plain(tokio::io::empty())) }).protocol(Nothing);
    let refusal = link.drive().err().expect("an empty stream has no keepalive").to_string();
    assert!(page("docs/shipping.md").contains(&refusal), "{refusal}");
}
