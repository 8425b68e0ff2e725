//! Real sockets on this machine: the options of TCP, and a client and a server that talk.

use std::time::Duration;

use cardiogram_policies::{GiveUp, StrategySpec, heartbeat::Keepalive, preset};
use cardiogram_tokio::{Lines, Link, LinkEvent, News, Socket, Transport, network_carries};
use socket2::SockRef;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_millis(119_500), interval: Duration::from_secs(10), count: 4 };

fn check_keepalive(transport: &impl Transport, socket: &SockRef<'_>) {
    transport.set_keepalive(Some(KEEPALIVE)).unwrap();
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(120));
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
    transport.set_keepalive(None).unwrap();
    assert!(!socket.keepalive().unwrap());
}

#[tokio::test]
async fn the_kernels_keepalive_has_the_policys_times() {
    let (client, _server) = pair().await;
    check_keepalive(&client, &SockRef::from(&client));
    let (other, _server) = pair().await;
    let socket = Socket::of(&client).unwrap();
    // The stream may be any; the options are the socket's.
    check_keepalive(&socket.under(other), &SockRef::from(&client));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn linux_knows_its_user_timeout_and_when_it_heard_from_the_peer() {
    let (client, mut server) = pair().await;
    client.set_user_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(SockRef::from(&client).tcp_user_timeout().unwrap(), Some(Duration::from_secs(20)));
    client.set_user_timeout(None).unwrap();
    assert_eq!(SockRef::from(&client).tcp_user_timeout().unwrap(), None);

    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = client.last_heard().unwrap();
    assert!(before >= Duration::from_millis(240), "{before:?}");
    server.write_all(b"x").await.unwrap();
    client.readable().await.unwrap();
    let after = client.last_heard().unwrap();
    assert!(after < before, "{after:?} after {before:?}");
    assert_eq!(TcpStream::OFFERS.len(), 3);
}

#[tokio::test]
async fn a_host_that_refuses_shows_that_the_network_carries_something() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    assert!(network_carries(address).await);
    drop(listener);
    assert!(network_carries(address).await);
}

/// The server answers pings, sends a line, and then closes; the client comes back.
#[tokio::test]
async fn a_client_beats_over_tcp_and_comes_back_when_its_server_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            for _ in 0..2 {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                assert_eq!(line, "PING\n");
                stream.write_all(b"PONG\nhello\n").await.unwrap();
            }
        }
    });
    let text = "name = \"quick\"\nheartbeat.fixed = { interval = \"50ms\", timeout = \"50ms\" }\n\
                reconnect.fixed-delay = { delay = \"20ms\" }";
    let strategy: StrategySpec = toml::from_str(text).unwrap();
    let mut link =
        Link::builder(&strategy).dial(move |_| TcpStream::connect(address)).protocol(Lines::new()).spawn().unwrap();
    let (mut sessions, mut replies, mut messages) = (0, 0, 0);
    while sessions < 3 {
        let news = timeout(Duration::from_secs(20), link.next()).await.expect("something happens");
        match news.expect("it goes on") {
            News::Message(line) => {
                assert_eq!(line, "hello");
                messages += 1;
            }
            News::Event(LinkEvent::Connected { .. }) => sessions += 1,
            News::Event(LinkEvent::HeartbeatAnswered { .. }) => replies += 1,
            News::Event(_) => {}
        }
    }
    assert!(replies >= 2 && messages >= 2, "{replies} replies, {messages} messages");
}

#[tokio::test]
async fn a_strategy_of_the_kernels_keepalive_runs_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let strategy = preset::find("linux-keepalive").unwrap().spec();
    let built = Link::builder(&strategy).dial(move |_| TcpStream::connect(address)).protocol(Lines::new()).spawn();
    let mut link = built.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    while link.next().await != Some(News::Event(LinkEvent::Connected { port: 1, server: 0 })) {}
    drop(stream);
    while !matches!(link.next().await, Some(News::Event(LinkEvent::Lost { .. }))) {}
}

/// The server's kernel acknowledges, and the server itself says nothing: it is the service that is dead, not the network.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_hangs_is_told_from_a_network_that_is_dead() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let text = "name = \"quick\"\nreconnect.fixed-delay = { delay = \"1h\" }\n[heartbeat.composed]\n\
                schedule.grid = { interval = \"300ms\" }\njudge.reply = { timeout = \"200ms\" }\nwhen_dead = \"diagnose\"";
    let strategy: StrategySpec = toml::from_str(text).unwrap();
    let built = Link::builder(&strategy).dial(move |_| TcpStream::connect(address)).protocol(Lines::new()).spawn();
    let mut link = built.unwrap();
    let (_deaf, _) = listener.accept().await.unwrap();
    let reason = loop {
        let news = timeout(Duration::from_secs(20), link.next()).await.expect("something happens");
        if let Some(News::Event(LinkEvent::GivenUp { reason, .. })) = news {
            break reason;
        }
    };
    assert_eq!(reason, GiveUp::ServiceDead);
}

/// The socket always has more to read.
#[tokio::test]
async fn a_flood_of_messages_holds_up_no_beat() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let lines = "and another one\n".repeat(4_096);
        while stream.write_all(lines.as_bytes()).await.is_ok() {}
    });
    let text = "name = \"quick\"\nheartbeat.composed = { schedule.grid = { interval = \"100ms\" } }";
    let strategy: StrategySpec = toml::from_str(text).unwrap();
    let built = Link::builder(&strategy).dial(move |_| TcpStream::connect(address)).protocol(Lines::new()).spawn();
    let mut link = built.unwrap();
    let (mut beats, mut messages) = (0, 0);
    let in_time = timeout(Duration::from_secs(20), async {
        while beats < 10 {
            match link.next().await.expect("it goes on") {
                News::Message(_) => messages += 1,
                News::Event(LinkEvent::HeartbeatSent { .. }) => beats += 1,
                News::Event(_) => {}
            }
        }
    });
    assert!(in_time.await.is_ok() && messages > 1_000, "{beats} beats, {messages} messages");
}
