//! rumqttc's event loop with its keep-alive, against a broker that knows no more than to welcome and to answer pings.

use std::time::Duration;

use cardiogram::net::{Guests, Machine, TcpStream};
use rumqttc::{AsyncClient, MqttOptions};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::sleep,
};

use crate::{RETRY_AFTER, dial, serve};

/// The types of packets, in the first byte of each (MQTT 3.1.1, 2.2.1).
const CONNECT: u8 = 0x10;
const PINGREQ: u8 = 0xc0;
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
const PINGRESP: [u8; 2] = [0xd0, 0];

/// A client with this keep-alive that publishes nothing, and its broker.
pub fn guests(keep_alive: Duration) -> Guests {
    let client = move |machine: Machine| async move {
        let mut options = MqttOptions::new("lab", "broker.example.com");
        options.set_keep_alive(keep_alive.as_secs() as u16);
        options.set_socket_connector(move |_, _| {
            let machine = machine.clone();
            async move { dial(&machine).await }
        });
        let (_client, mut events) = AsyncClient::builder(options).capacity(10).build();
        loop {
            if events.poll().await.is_err() {
                sleep(RETRY_AFTER).await;
            }
        }
    };
    Guests::new().devices(client).servers(|machine| serve(machine, answer))
}

/// Answers one client. Its packets are short and come one by one, so that each read has one.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut space = [0; 1_024];
    loop {
        let count = stream.read(&mut space).await?;
        match space[..count].first() {
            None => return Ok(()),
            Some(&CONNECT) => stream.write_all(&CONNACK).await?,
            Some(&PINGREQ) => stream.write_all(&PINGRESP).await?,
            Some(_) => {}
        }
    }
}
