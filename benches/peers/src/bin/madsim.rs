//! madsim: streams of bytes between real asynchronous programs, a node a device. No acknowledgements, no timeouts, no NAT.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use madsim::{
    Config,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task,
    time::sleep,
};
use peers::{ACCESS, BEAT, CORE, INTERVAL, Work};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn address() -> SocketAddr {
    (SERVER, 443).into()
}

async fn serve() {
    let listener = TcpListener::bind(address()).await.expect("an address of its own");
    while let Ok((mut stream, _)) = listener.accept().await {
        task::spawn(async move {
            let mut beat = [0; BEAT.len()];
            while stream.read_exact(&mut beat).await.is_ok() {
                stream.write_all(&beat).await.expect("a peer");
                stream.flush().await.expect("a peer");
            }
        });
    }
}

async fn live(start: Duration, replies: Arc<AtomicU64>) {
    sleep(start).await;
    let mut stream = TcpStream::connect(address()).await.expect("a server");
    let mut beat = [0; BEAT.len()];
    loop {
        sleep(INTERVAL).await;
        stream.write_all(BEAT).await.expect("a server");
        stream.flush().await.expect("a server");
        stream.read_exact(&mut beat).await.expect("a reply");
        replies.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() {
    Work::asked().measure("madsim", |work| {
        let mut config = Config::default();
        config.net.send_latency = ACCESS + CORE..ACCESS + CORE + Duration::from_micros(1);
        let runtime = Runtime::with_seed_and_config(1, config);
        runtime.create_node().name("server").ip(SERVER.into()).build().spawn(serve());
        let replies = Arc::new(AtomicU64::new(0));
        for device in 0..work.devices {
            let ip = Ipv4Addr::from_bits(FIRST.to_bits() + device);
            let node = runtime.create_node().name(format!("device-{device}")).ip(ip.into()).build();
            node.spawn(live(work.start(device), replies.clone()));
        }
        // Whatever waits has to be made within the runtime.
        runtime.block_on(async move { sleep(work.duration).await });
        replies.load(Ordering::Relaxed)
    });
    // To take all nodes down is no part of the work.
    std::process::exit(0);
}
