//! Guests behind a proxy that knows nothing of their protocol. The proxy is 35 ms from the device and 1 ms from its server.

use super::*;
use crate::record::trace::{Parting, ProxyEvent};

fn behind(proxy: &str, faults: &[&str]) -> WorldConfig {
    let mut world = world(MS(30));
    world.nat[0] = NatConfig::default();
    world.proxy = Some(toml::from_str(proxy).unwrap_or_else(|error| panic!("{proxy}: {error}")));
    world.faults = faults.iter().map(|fault| toml::from_str(fault).unwrap_or_else(|error| panic!("{error}"))).collect();
    world
}

fn proxy_events(outcome: &Outcome) -> Vec<(Time, ProxyEvent)> {
    let entries = &outcome.trace.as_ref().expect("it is kept").entries;
    let event = |what: &What| match what {
        What::Fact(Fact::Proxy { event, .. }) => Some(*event),
        _ => None,
    };
    entries.iter().filter_map(|entry| Some((entry.at, event(&entry.what)?))).collect()
}

/// Guests that speak the lab's own protocol send, through the proxy, what the lab's own hosts do, and break as they do.
#[test]
fn a_proxy_ends_guests_as_it_ends_the_labs_own() {
    for (proxy, fault, cause) in [
        ("idle = '60s'", None, Cause::ProxyTimeout),
        ("idle = '60s'\nends_with = 'rst'", None, Cause::ProxyTimeout),
        ("max_age = { constant = '100s' }", None, Cause::MaxAge),
        ("", Some("proxy-restart.when.at = ['100s']"), Cause::ProxyRestart),
        ("", Some("proxy-drain = { when.at = ['100s'], over = '10s' }"), Cause::ProxyDrain),
    ] {
        let world = behind(proxy, fault.as_slice());
        let lab = run(&world, 1, &options()).expect("a run");
        let guest = run_with(&world, &Guests::new().devices(client).servers(server));
        let theirs = packets(&lab);
        for (place, (ours, theirs)) in packets(&guest).iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "{proxy} {fault:?}: packet {place}");
        }
        assert_eq!(packets(&guest).len(), theirs.len(), "{proxy} {fault:?}");
        assert_eq!(proxy_events(&guest), proxy_events(&lab), "{proxy} {fault:?}");
        let of = |outcome: &Outcome| outcome.episodes.iter().map(|it| (it.cause, it.begin)).collect::<Vec<_>>();
        assert_eq!(of(&guest), of(&lab), "{proxy} {fault:?}");
        assert_eq!(guest.episodes.first().map(|it| it.cause), Some(cause), "{proxy} {fault:?}");
    }
}

/// It knows nothing but that the client has said something. The first byte leaves with TCP's third packet, at 0.07 s, and is at the
/// proxy at 0.105 s, which takes 2 ms to connect; so the byte is at the server at 0.108 s, and back at the device at 0.144 s.
#[test]
fn a_proxy_connects_to_the_server_with_the_first_byte_of_a_client() {
    let asks = async |machine: Machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        stream.write_u8(7).await?;
        assert_eq!((stream.read_u8().await?, machine.elapsed()), (7, MS(144)));
        sleep(SECS(1_000)).await;
        Ok(())
    };
    let echoes = async |machine: Machine| {
        let (mut stream, peer) = machine.listen(443)?.accept().await?;
        assert_eq!((machine.elapsed(), peer.ip().to_string()), (MS(108), "192.0.2.64".into()));
        let byte = stream.read_u8().await?;
        stream.write_u8(byte).await?;
        stream.read_u8().await?;
        Ok(())
    };
    let outcome = run_with(&behind("", &[]), &Guests::new().devices(asks).servers(echoes));
    let joined = proxy_events(&outcome);
    assert!(matches!(joined[..], [(at, ProxyEvent::Joined { .. })] if at == Time::from_millis(107)), "{joined:?}");
    assert!(outcome.episodes.is_empty() && outcome.usable_time > SECS(899));
}

/// A client that waits for the server to speak is never passed on, and ends by the proxy's timer for its silence.
#[test]
fn a_client_that_says_nothing_reaches_nobody() {
    let listens = async |machine: Machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        assert_eq!((stream.read(&mut [0]).await?, machine.elapsed()), (0, MS(35 + 60_000 + 35)));
        Ok(())
    };
    let speaks = async |machine: Machine| {
        machine.listen(443)?.accept().await?;
        Err("nobody comes".into())
    };
    let outcome = run_with(&behind("client_idle = '60s'", &[]), &Guests::new().devices(listens).servers(speaks));
    assert_eq!(proxy_events(&outcome), []);
}

/// The host has no process when the proxy's SYN is there, at 0.106 s: its kernel refuses, and the proxy closes at 0.107 s, without
/// the word that the lab's own devices would be sent.
#[test]
fn a_proxy_without_a_way_to_the_server_closes_without_a_word() {
    let asks = async |machine: Machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        stream.write_u8(7).await?;
        assert_eq!((stream.read(&mut [0]).await?, machine.elapsed()), (0, MS(142)));
        Ok(())
    };
    let world = behind("", &["server-crash = { when.at = ['50ms'], lasts = '10s' }"]);
    let outcome = run_with(&world, &Guests::new().devices(asks).servers(server));
    assert_eq!(proxy_events(&outcome), [(Time::from_millis(107), ProxyEvent::BadGateway)]);
    let events = device_events(&outcome);
    assert!(events.iter().any(|(at, event)| {
        *at == Time::from_millis(142) && matches!(event, DeviceEvent::Lost { reason: LossReason::Closed, .. })
    }));
    assert_eq!(outcome.usable_time, Duration::ZERO);
}

/// What one end closes is closed at the other, with what was on its way.
#[test]
fn what_a_server_closes_is_closed_to_the_client() {
    let reads = async |machine: Machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        stream.write_u8(7).await?;
        let mut all = String::new();
        stream.read_to_string(&mut all).await?;
        assert_eq!((all.as_str(), machine.elapsed()), ("goodbye", MS(1_144)));
        Ok(())
    };
    let parts = async |machine: Machine| {
        let (mut stream, _) = machine.listen(443)?.accept().await?;
        stream.read_u8().await?;
        sleep(SECS(1)).await;
        stream.write_all(b"goodbye").await?;
        Ok(())
    };
    let outcome = run_with(&behind("", &[]), &Guests::new().devices(reads).servers(parts));
    let last = proxy_events(&outcome).last().copied();
    assert_eq!(last, Some((Time::from_millis(1_109), ProxyEvent::Parted { why: Parting::ServerGone })));
    assert_eq!(outcome.episodes.first().map(|it| it.cause), Some(Cause::ServerClosed));
}
