//! bach: datagrams between real asynchronous programs, a group a device. It has no TCP: UDP only, and no NAT.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bach::{
    environment::{default::Runtime, net::queue::Fixed},
    ext::*,
    net::UdpSocket,
};
use peers::{ACCESS, BEAT, CORE, INTERVAL, Work};

const SERVER: &str = "server:443";

async fn serve() {
    let socket = UdpSocket::bind(SERVER).await.expect("a name of its own");
    let mut beat = [0; BEAT.len()];
    while let Ok((len, from)) = socket.recv_from(&mut beat).await {
        socket.send_to(&beat[..len], from).await.expect("a peer");
    }
}

async fn live(start: Duration, replies: Arc<AtomicU64>) {
    start.sleep().await;
    let socket = UdpSocket::bind("0.0.0.0:0").await.expect("a port");
    let mut beat = [0; BEAT.len()];
    loop {
        INTERVAL.sleep().await;
        socket.send_to(BEAT, SERVER).await.expect("a server");
        socket.recv_from(&mut beat).await.expect("a reply");
        replies.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() {
    Work::asked().measure("bach", |work| {
        let queue = Fixed::default()
            .with_net_latency(ACCESS + CORE)
            .with_rx_packet_limit(None)
            .with_tx_packet_limit(None)
            .with_inflight_limit(None);
        let mut runtime = Runtime::new().with_seed(1).with_net_queues(Some(Box::new(queue)));
        let replies = Arc::new(AtomicU64::new(0));
        runtime.run(|| {
            serve().group("server").spawn();
            for device in 0..work.devices {
                live(work.start(device), replies.clone()).group(format!("device-{device}")).spawn();
            }
            async move { work.duration.sleep().await }.primary().spawn();
        });
        replies.load(Ordering::Relaxed)
    });
    // To take all groups down is no part of the work.
    std::process::exit(0);
}
