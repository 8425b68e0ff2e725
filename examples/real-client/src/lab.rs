//! The client and its server in the lab.

use std::time::Duration;

use cardiogram::net::{Guests, Machine, Result};

use crate::{KeepAlive, serve, stay_connected};

/// The client on every device, with that time between its pings, and its server on every server.
pub fn guests(ping_every: Duration) -> Guests {
    let keep_alive = KeepAlive {
        ping_every,
        pong_within: Duration::from_secs(20),
        connect_within: Duration::from_secs(10),
        retry_after: Duration::from_secs(1),
    };
    let client = move |machine: Machine| async move {
        let dial = || async {
            let stream = machine.connect(machine.server(0)).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        stay_connected(dial, keep_alive).await;
        Ok(())
    };
    Guests::new().devices(client).servers(server).with_parameters(format!("{keep_alive:?}"))
}

/// The program of a server.
pub async fn server(machine: Machine) -> Result {
    let listener = machine.listen(443)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream));
    }
}
