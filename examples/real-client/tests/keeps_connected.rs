//! The client as tests of one's own have it: in the worlds that it has to live in.

use std::time::Duration;

use cardiogram::{
    net::Machine,
    sim::outcome::{Cause, Outcome},
};
use futures_util::{SinkExt as _, StreamExt as _};
use real_client::lab::{guests, server};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Error, Message},
};

#[cardiogram::test(scenario = "silent-nat", seeds = 3, guests = guests(Duration::from_secs(240)))]
fn a_client_that_pings_every_four_minutes_outlives_a_nat_that_forgets_after_five(outcome: &Outcome) {
    assert!(outcome.episodes.is_empty() && outcome.false_alarms.is_empty());
}

/// It notices 60 s after the NAT has forgotten it, plus the 20 s that a pong may take.
#[cardiogram::test(scenario = "silent-nat", seeds = 3, guests = guests(Duration::from_secs(360)))]
fn a_client_that_pings_every_six_minutes_is_dead_for_80_s_at_a_time(outcome: &Outcome) {
    for episode in &outcome.episodes {
        assert_eq!(episode.cause, Cause::NatExpiry);
        let Some(detection) = episode.detection else { continue };
        let dead = detection.at.since(episode.begin);
        assert!((79..=81).contains(&dead.as_secs()), "{dead:?}");
    }
}

#[cardiogram::test(scenario = "silent-nat", seeds = 3, servers = server)]
async fn a_ping_after_299_s_is_answered_and_one_after_301_s_is_not(machine: Machine) -> Result<(), Error> {
    let stream = machine.connect(machine.server(0)).await?;
    let (mut socket, _) = client_async("ws://example.com/", stream).await?;
    sleep(Duration::from_secs(299)).await;
    socket.send(Message::Ping(Vec::new().into())).await?;
    let pong = timeout(Duration::from_secs(1), socket.next()).await;
    assert!(matches!(pong, Ok(Some(Ok(Message::Pong(_))))), "{pong:?}");

    sleep(Duration::from_secs(301)).await;
    socket.send(Message::Ping(Vec::new().into())).await?;
    let pong = timeout(Duration::from_secs(600), socket.next()).await;
    assert!(pong.is_err(), "{pong:?}");
    Ok(())
}
