//! The example on this machine's own sockets: a client says something, its cable is pulled, and it comes back.

use std::time::Duration;

use cardiogram_policies::{GiveUp, StrategySpec, Time};
use cardiogram_tokio::{LinkEvent, News, WebSocketMessage};
use chat::{cable, client, server, tls::Tls};
use tokio::{net::TcpListener, sync::watch, time::timeout};

/// The committed strategy, twenty times as fast.
const STRATEGY: &str = r#"
name = "chat-push"
connect_timeout = "2s"
heartbeat.fixed = { interval = "500ms", timeout = "250ms" }
reconnect.exponential = { base = "50ms", cap = "500ms", jitter = "equal" }
"#;

#[tokio::test]
async fn a_client_that_is_unplugged_notices_and_comes_back() {
    let strategy: StrategySpec = toml::from_str(STRATEGY).unwrap();
    let tls = Tls::new().unwrap();
    let serving = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (far, address) = (serving.local_addr().unwrap(), near.local_addr().unwrap());
    let (plug, is_plugged) = watch::channel(true);
    tokio::spawn(server::run(serving, tls.acceptor));
    tokio::spawn(cable::run(near, far, is_plugged));
    let record = |_: Time, _: &LinkEvent| {};
    let mut link = client::link(&strategy, address, tls.connector, record).unwrap();
    let sender = link.sender();

    let mut next = async |wanted: News<WebSocketMessage>| {
        let found = timeout(Duration::from_secs(30), async {
            while let Some(news) = link.next().await {
                if news == wanted {
                    return true;
                }
            }
            false
        });
        assert!(found.await.unwrap_or(false), "no {wanted:?}");
    };
    let hears = |text: &'static str| News::Message(WebSocketMessage::text(text));
    next(hears("welcome")).await;
    sender.clone().send(WebSocketMessage::text("hello")).await.unwrap();
    next(hears("hello")).await;
    plug.send(false).unwrap();
    next(News::Event(LinkEvent::GivenUp { port: 1, reason: GiveUp::NoReply })).await;
    // It waits for the next session.
    sender.clone().send(WebSocketMessage::text("are you there")).await.unwrap();
    plug.send(true).unwrap();
    next(hears("welcome")).await;
    next(hears("are you there")).await;
}

#[test]
fn the_committed_strategy_can_run() {
    let strategy: StrategySpec = toml::from_str(include_str!("../push.toml")).unwrap();
    assert_eq!(strategy.problems(), []);
}
