//! Runs the chat in one process: a server, a client, and a cable between them. What is typed is said; `/unplug` pulls the
//! cable, `/plug` puts it back, `/quit` ends.
//!
//!     cargo run -- [STRATEGY.toml]
//!
//! What happens to the link is written to `chat.jsonl`, which `cardiogram chart chat.jsonl` draws.

use std::{error::Error, fs, io::BufWriter};

use cardiogram_policies::StrategySpec;
use cardiogram_tokio::{JsonLines, News, WebSocketMessage};
use chat::{cable, client, server, tls::Tls};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    net::TcpListener,
    select,
    sync::watch,
    time::Instant,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let text =
        std::env::args().nth(1).map_or_else(|| Ok(include_str!("../push.toml").to_owned()), fs::read_to_string)?;
    let strategy: StrategySpec = toml::from_str(&text)?;

    let tls = Tls::new()?;
    let (serving, near) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let (far, address) = (serving.local_addr()?, near.local_addr()?);
    let (plug, is_plugged) = watch::channel(true);
    tokio::spawn(server::run(serving, tls.acceptor));
    tokio::spawn(cable::run(near, far, is_plugged));

    let record = JsonLines::new(BufWriter::with_capacity(0, fs::File::create("chat.jsonl")?));
    let mut link = client::link(&strategy, address, tls.connector, record)?;
    println!("Say something; /unplug pulls the cable, /plug puts it back, /quit ends.");
    let (begin, mut lines) = (Instant::now(), BufReader::new(stdin()).lines());
    loop {
        select! {
            news = link.next() => match news {
                Some(News::Message(text)) => println!("> {text}"),
                Some(News::Event(event)) => println!("{:9.3} it {event}", begin.elapsed().as_secs_f64()),
                None => return Ok(()),
            },
            line = lines.next_line() => match line?.as_deref() {
                Some("/unplug") => plug.send(false)?,
                Some("/plug") => plug.send(true)?,
                Some("/quit") | None => return Ok(()),
                Some(text) => link.send(WebSocketMessage::text(text)).await?,
            },
        }
    }
}
