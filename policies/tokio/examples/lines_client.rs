//! A client that speaks lines, for as long as it is told, and writes down what its link did.
//!
//!     cargo run --example lines_client -- STRATEGY ADDRESS SECONDS
//!
//! STRATEGY is a strategy file or the name of a preset; the server is `lines_server`, or any that answers `HELLO` with
//! `WELCOME` and `PING` with `PONG`. The record goes to the standard output as JSON lines, each as it happens, with times since the
//! client's start.

use std::{error::Error, io, time::Duration};

use bytes::BytesMut;
use cardiogram_policies::{StrategySpec, preset};
use cardiogram_tokio::{Hello, Incoming, JsonLines, Lines, Link, Protocol, Welcome};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// Lines after a greeting: a server whose kernel accepts connections, and whose process does not answer, is no session.
#[derive(Clone)]
struct Greeted(Lines);

impl Protocol for Greeted {
    type Message = String;

    fn hello(&mut self, _: &Hello, out: &mut BytesMut) -> Welcome {
        out.extend_from_slice(b"HELLO\n");
        Welcome::Awaited
    }

    fn heartbeat(&mut self, id: u32, out: &mut BytesMut) {
        self.0.heartbeat(id, out);
    }

    fn notice(&mut self, out: &mut BytesMut) {
        self.0.notice(out);
    }

    fn encode(&mut self, message: String, out: &mut BytesMut) -> io::Result<()> {
        self.0.encode(message, out)
    }

    fn decode(&mut self, input: &mut BytesMut, answer: &mut BytesMut) -> io::Result<Option<Incoming<String>>> {
        Ok(self.0.decode(input, answer)?.map(|incoming| match incoming {
            Incoming::Message(line) if line == "WELCOME" => Incoming::Welcome { interval: None },
            other => other,
        }))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [strategy, address, seconds] = words.as_slice() else { return Err("STRATEGY ADDRESS SECONDS".into()) };
    let strategy: StrategySpec = match preset::find(strategy) {
        Some(preset) => preset.spec(),
        None => toml::from_str(&std::fs::read_to_string(strategy)?)?,
    };
    let (address, end) = (address.clone(), Instant::now() + Duration::from_secs_f64(seconds.parse()?));
    let mut link = Link::builder(&strategy)
        .dial(move |_| {
            let address = address.clone();
            async move {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(stream)
            }
        })
        .protocol(Greeted(Lines::new()))
        .record(JsonLines::new(io::stdout()))
        .spawn()?;
    while timeout_at(end, link.next()).await.is_ok_and(|news| news.is_some()) {}
    Ok(())
}
