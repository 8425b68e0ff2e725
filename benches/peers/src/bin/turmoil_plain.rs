//! turmoil as its users write for it: real asynchronous programs with tokio, a host a device, turmoil's own TCP, and time in steps of
//! its default and of ten times that. No retransmissions, no NAT. Half an hour of one device; an exchange that does not come to its end in
//! steps costs what the steps cost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use peers::{ACCESS, BEAT, CORE, INTERVAL, Work};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::sleep,
};
use turmoil::net::{TcpListener, TcpStream};

async fn serve() -> turmoil::Result {
    let listener = TcpListener::bind("0.0.0.0:443").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut beat = [0; BEAT.len()];
            while stream.read_exact(&mut beat).await.is_ok() && stream.write_all(&beat).await.is_ok() {}
        });
    }
}

async fn live(start: Duration, replies: Arc<AtomicU64>) -> turmoil::Result {
    sleep(start).await;
    let mut stream = TcpStream::connect("server:443").await?;
    let mut beat = [0; BEAT.len()];
    loop {
        sleep(INTERVAL).await;
        stream.write_all(BEAT).await?;
        stream.read_exact(&mut beat).await?;
        replies.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() {
    for (name, step) in [("turmoil, steps of 10 ms", 10), ("turmoil, steps of 1 ms", 1)] {
        let work = Work { duration: Duration::from_secs(1_800), ..Work::asked() };
        work.measure(name, |work| {
            let step = Duration::from_millis(step);
            let mut sim = turmoil::Builder::new()
                .rng_seed(1)
                .tick_duration(step)
                .simulation_duration(work.duration + step)
                .min_message_latency(ACCESS + CORE)
                .max_message_latency(ACCESS + CORE)
                .build();
            sim.host("server", serve);
            let replies = Arc::new(AtomicU64::new(0));
            for device in 0..work.devices {
                let (start, replies) = (work.start(device), replies.clone());
                sim.host(format!("device-{device}"), move || live(start, replies.clone()));
            }
            while sim.elapsed() < work.duration {
                sim.step().expect("programs that go on");
            }
            replies.load(Ordering::Relaxed)
        });
    }
}
