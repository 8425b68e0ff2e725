//! The server of `lines_client`: answers `HELLO` with `WELCOME` and `PING` with `PONG`, until it is killed.
//!
//!     cargo run --example lines_server -- ADDRESS

use std::{
    error::Error,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
};

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(std::env::args().nth(1).ok_or("ADDRESS")?)?;
    println!("listening");
    for stream in listener.incoming() {
        let stream = stream?;
        // One client's end is nobody else's.
        thread::spawn(move || serve(&stream));
    }
    Ok(())
}

fn serve(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    for line in BufReader::new(stream).lines() {
        match line?.as_str() {
            "HELLO" => stream.write_all(b"WELCOME\n")?,
            "PING" => stream.write_all(b"PONG\n")?,
            _ => {}
        }
    }
    Ok(())
}
