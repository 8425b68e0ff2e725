//! redis's multiplexed connection, kept by PINGs with its own time for responses, as whoever holds one writes it: the crate has no
//! keep-alive. Against a server that knows no more than to agree and to answer pings.

use std::{error::Error, time::Duration};

use cardiogram::net::{Guests, Machine, TcpStream};
use redis::{
    AsyncConnectionConfig, RedisConnectionInfo,
    aio::{ConnectionLike as _, MultiplexedConnection},
    cmd,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, interval_at, sleep},
};

use crate::{RETRY_AFTER, dial, serve};

/// A client with these times, and its server.
pub fn guests(ping_every: Duration, reply_within: Duration) -> Guests {
    let client = move |machine: Machine| async move {
        loop {
            // Whatever ended it, the client comes back.
            let _ = session(&machine, ping_every, reply_within).await;
            sleep(RETRY_AFTER).await;
        }
    };
    Guests::new().devices(client).servers(|machine| serve(machine, answer))
}

async fn session(
    machine: &Machine,
    ping_every: Duration,
    reply_within: Duration,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stream = dial(machine).await?;
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(reply_within));
    let (mut connection, work) =
        MultiplexedConnection::new_with_config(&RedisConnectionInfo::default(), stream, config).await?;
    let pings = async {
        let mut beats = interval_at(Instant::now() + ping_every, ping_every);
        loop {
            beats.tick().await;
            if let Err(error) = connection.req_packed_command(&cmd("PING")).await {
                return error;
            }
        }
    };
    tokio::select! {
        biased;
        () = work => Ok(()),
        error = pings => Err(error.into()),
    }
}

/// Answers one client. A command is an array, which begins with an asterisk; what is read are whole ones, as they are short.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut space = [0; 1_024];
    loop {
        let count = stream.read(&mut space).await?;
        if count == 0 {
            return Ok(());
        }
        let commands = String::from_utf8_lossy(&space[..count]).into_owned();
        let answers =
            commands.split('*').skip(1).map(|command| if command.contains("PING") { "+PONG\r\n" } else { "+OK\r\n" });
        stream.write_all(answers.collect::<String>().as_bytes()).await?;
    }
}
