//! What happens to the device of a guest, as its program sees it. That the packets are those of the lab's own device is in `driver`.

use cardiogram_policies::{AppState, Network, NetworkKind};

use super::*;
use crate::config::NetworkConfig;

/// Half a minute, with a Wi-Fi beside the first network, and these faults.
fn with(faults: &[&str]) -> WorldConfig {
    let fault = |text: &&str| toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut world = WorldConfig { duration: SECS(30), ..world(MS(30)) };
    world.faults = faults.iter().map(fault).collect();
    let wifi = NetworkConfig::new(LinkConfig::of_delay(Distribution::Constant(Span::new(MS(15)).expect("a delay"))));
    world.networks.insert("wifi".into(), NetworkConfig { kind: NetworkKind::Wifi, ..wifi });
    world
}

fn run_device<F: Future<Output = Result> + Send + 'static>(
    world: &WorldConfig,
    program: impl Fn(Machine) -> F + Send + Sync + 'static,
) -> Outcome {
    run_with(world, &Guests::new().devices(program).servers(server))
}

/// Wi-Fi from 10 s to 20 s, with half a second of nothing at the begin.
#[test]
fn a_connection_ends_with_its_network_and_the_program_is_told_of_the_next() {
    let world = with(&["network-switch = { when.at = ['10s'], to = 'wifi', gap = '500ms', lasts = '10s' }"]);
    let outcome = run_device(&world, async |machine| {
        let mut networks = machine.networks();
        assert_eq!(*networks.borrow_and_update(), Some(Network::cellular(0)));
        let mut stream = machine.connect(machine.server(0)).await?;
        let error = stream.write_u8(0).await.and(stream.read_u8().await).expect_err("it ends with its network");
        assert_eq!((error.kind(), machine.elapsed()), (io::ErrorKind::ConnectionAborted, SECS(10)));
        assert!(stream.write_u8(0).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionAborted));
        assert_eq!(*networks.borrow_and_update(), None);
        let nowhere = machine.connect(machine.server(0)).await.expect_err("there is no network");
        assert_eq!(nowhere.kind(), io::ErrorKind::NetworkUnreachable);
        networks.changed().await?;
        assert_eq!((*networks.borrow_and_update(), machine.elapsed()), (Some(Network::wifi(1)), MS(10_500)));
        let stream = machine.connect(machine.server(0)).await?;
        // 15 ms and 5 ms, there and back, with a handshake's three packets.
        assert_eq!((machine.elapsed(), stream.local_addr()?.ip().to_string()), (MS(10_540), "10.32.0.1".into()));
        for (network, at) in [(None, SECS(20)), (Some(Network::cellular(0)), MS(20_500))] {
            networks.changed().await?;
            assert_eq!((*networks.borrow_and_update(), machine.elapsed()), (network, at));
        }
        Ok(())
    });
    let causes: Vec<Cause> = outcome.episodes.iter().map(|episode| episode.cause).collect();
    assert_eq!(causes, [Cause::NetworkSwitch; 2]);
    assert!(packets(&outcome).iter().all(|(.., packet)| !packet.flags.has(Flags::FIN)), "nothing goes out any more");
}

#[test]
fn a_connection_that_rots_is_told_nothing_and_one_that_lingers_works_on() {
    for (old_sockets, arrives) in [("rot", false), ("linger", true)] {
        let fault = format!(
            "network-switch = {{ when.at = ['10s'], to = 'wifi', lasts = '1h', old_sockets = '{old_sockets}' }}"
        );
        run_device(&with(&[&fault]), move |machine| async move {
            let mut stream = machine.connect(machine.server(0)).await?;
            sleep(SECS(12)).await;
            stream.set_nodelay(true)?;
            send(&mut stream, Frame::Hello { device: 0, expects: 0, announces: None, resumes: false }).await?;
            let answer = timeout(SECS(5), receive(&mut stream, &mut Vec::new())).await;
            assert_eq!(answer.is_ok_and(|answer| answer.is_ok()), arrives);
            Ok(())
        });
    }
}

#[test]
fn a_program_is_told_whether_it_is_on_the_screen_where_the_scenario_says() {
    let mut world = with(&[]);
    run_device(&world, async |machine| {
        assert!(machine.app_states().is_none());
        Ok(())
    });
    world.life = toml::from_str("foreground = { when.at = ['10s'], lasts = '5s' }").expect("a life");
    let outcome = run_device(&world, async |machine| {
        let mut states = machine.app_states().expect("the scenario says");
        for (state, at) in [(AppState::Foreground, SECS(10)), (AppState::Background, SECS(15))] {
            states.changed().await?;
            assert_eq!((*states.borrow_and_update(), machine.elapsed()), (state, at));
        }
        Ok(())
    });
    let told = device_events(&outcome).into_iter().filter(|(_, event)| matches!(event, DeviceEvent::AppState(_)));
    assert_eq!(told.count(), 3);
}

/// From 10 s to 20 s. What is due meanwhile happens at 20 s, when the answer has long been there.
#[test]
fn a_process_that_stands_still_does_nothing_and_finds_its_input_before_its_timeouts() {
    let outcome = run_device(&with(&["device-stall = { when.at = ['10s'], lasts = '10s' }"]), async |machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        stream.set_nodelay(true)?;
        // A task of its own is no part of the program that stands still, but its sockets are.
        let beside = machine.clone();
        tokio::spawn(async move {
            let stream = beside.connect(beside.server(0)).await?;
            sleep(SECS(11)).await;
            drop(stream);
            beside.connect(beside.server(0)).await?;
            assert_eq!(beside.elapsed(), MS(20_070));
            io::Result::Ok(())
        });
        sleep(MS(9_900)).await;
        send(&mut stream, Frame::Hello { device: 0, expects: 0, announces: None, resumes: false }).await?;
        let answer = timeout(SECS(5), receive(&mut stream, &mut Vec::new())).await;
        assert_eq!(machine.elapsed(), SECS(20));
        assert!(matches!(answer, Ok(Ok(Frame::Welcome { .. }))), "{answer:?}");
        Ok(())
    });
    let still = |at: &Time| (Time::from_millis(10_100)..Time::from_secs(20)).contains(at);
    assert!(!packets(&outcome).iter().any(|(at, ..)| still(at)), "nothing is sent meanwhile");
}

/// A device that freezes from 10 s to 20 s gets nothing, and its kernel's clock stands still: the segment of 9.98 s, whose
/// acknowledgement is lost, is sent again 270 ms later by that clock.
#[test]
fn a_device_that_freezes_takes_its_kernel_with_it() {
    let outcome = run_device(&with(&["device-freeze = { when.at = ['10s'], lasts = '10s' }"]), async |machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        stream.set_nodelay(true)?;
        sleep(MS(9_910)).await;
        send(&mut stream, Frame::Hello { device: 0, expects: 0, announces: None, resumes: false }).await?;
        let answer = receive(&mut stream, &mut Vec::new()).await?;
        assert!(matches!(answer, Frame::Welcome { .. }), "{answer:?}");
        Ok(())
    });
    let sent: Vec<Time> = packets(&outcome)
        .iter()
        .filter(|(_, sent, packet)| *sent && !packet.payload.is_empty())
        .map(|(at, ..)| *at)
        .collect();
    assert_eq!(sent, [9_980, 20_250].map(Time::from_millis));
}
