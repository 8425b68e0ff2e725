//! Guests on devices that put their timers off: a grid of alarms, a doze. The server is 35 ms away. That the packets are those of the
//! lab's own device under every preset is in `driver`.

use super::*;

/// Three hours with this life of the device.
fn living(life: &str) -> WorldConfig {
    let mut world = WorldConfig { duration: SECS(10_800), ..world(MS(30)) };
    world.nat[0] = NatConfig::default();
    world.life = toml::from_str(life).unwrap_or_else(|error| panic!("{life}: {error}"));
    world
}

fn run_device<F: Future<Output = Result> + Send + 'static>(
    life: &str,
    program: impl Fn(Machine) -> F + Send + Sync + 'static,
) -> Outcome {
    run_with(&living(life), &Guests::new().device_tests(program).servers(server))
}

async fn greet(machine: &Machine) -> io::Result<TcpStream> {
    let mut stream = machine.connect(machine.server(0)).await?;
    stream.set_nodelay(true)?;
    send(&mut stream, Frame::Hello { device: 0, expects: 0, announces: None, resumes: false }).await?;
    receive(&mut stream, &mut Vec::new()).await?;
    Ok(stream)
}

/// Its own timers wait for multiples of five minutes, but not those of an attempt.
#[test]
fn a_timer_of_a_program_waits_for_the_grid_of_alarms() {
    run_device("alarm_grid = '5m'", async |machine| {
        sleep(SECS(1)).await;
        assert_eq!(machine.elapsed(), SECS(300));
        greet(&machine).await?;
        assert_eq!(machine.elapsed(), MS(300_140), "what arrives is no timer");
        sleep(SECS(299)).await;
        assert_eq!(machine.elapsed(), SECS(600));
        let nobody = timeout(SECS(7), machine.connect(SocketAddr::new(machine.server(0).ip(), 9))).await?;
        assert!(nobody.is_err(), "refused");
        Ok(())
    });
}

/// From 3,000 s on the link is cut: the attempt of then ends after its 7 s, exactly, and what waits for a reply until 3,020 s waits
/// until 3,300 s.
#[test]
fn an_attempt_under_way_keeps_the_device_awake_and_a_reply_that_is_waited_for_does_not() {
    let mut world = living("alarm_grid = '5m'");
    world.faults = vec![toml::from_str("cut = { link = 'access', when.at = ['3000s'], lasts = '2h' }").expect("a cut")];
    let program = async |machine: Machine| {
        let mut stream = greet(&machine).await?;
        tokio::time::sleep_until(Instant::now() + SECS(2_999)).await;
        assert_eq!(machine.elapsed(), SECS(3_000));
        assert!(timeout(SECS(7), machine.connect(machine.server(0))).await.is_err());
        assert_eq!(machine.elapsed(), SECS(3_007));
        send(&mut stream, Frame::Heartbeat { id: 0 }).await?;
        assert!(timeout(SECS(13), receive(&mut stream, &mut Vec::new())).await.is_err());
        assert_eq!(machine.elapsed(), SECS(3_300));
        Ok(())
    };
    run_with(&world, &Guests::new().device_tests(program).servers(server));
}

/// What arrives lets the program run, and its overdue timers with it. The server answers after 100 s, at 300.035 s + 100 s.
#[test]
fn what_arrives_lets_overdue_timers_fire() {
    let late = async |machine: Machine| {
        let (mut stream, _) = machine.listen(443)?.accept().await?;
        stream.read_u8().await?;
        sleep(SECS(100)).await;
        stream.write_u8(1).await?;
        sleep(SECS(10_000)).await;
        Ok(())
    };
    let asks = async |machine: Machine| {
        let mut stream = machine.connect(machine.server(0)).await?;
        sleep(SECS(1)).await;
        stream.write_u8(0).await?;
        let (first, second) = (sleep(SECS(50)), sleep(SECS(150)));
        tokio::pin!(first, second);
        assert_eq!((stream.read_u8().await?, machine.elapsed()), (1, MS(400_070)));
        first.await;
        assert_eq!(machine.elapsed(), MS(400_070), "due at 350 s");
        second.await;
        assert_eq!(machine.elapsed(), SECS(600), "due at 450 s");
        Ok(())
    };
    run_with(&living("alarm_grid = '5m'"), &Guests::new().device_tests(asks).servers(late));
}

/// The doze begins after half an hour, and lets an alarm through every nine minutes, but for the window from 5,400 s to 5,700 s.
#[test]
fn in_a_doze_alarms_are_nine_minutes_apart_and_exact_in_a_window() {
    run_device("[doze]", async |machine| {
        let mut seen = Vec::new();
        while machine.elapsed() < SECS(5_700) {
            sleep(SECS(100)).await;
            seen.push(machine.elapsed().as_secs());
        }
        let before: Vec<u64> = (1..=17).map(|turn| turn * 100).collect();
        assert_eq!(seen[..17], before, "nothing waits while it does not doze");
        // The begin of the doze, which the program is told, is no alarm.
        assert_eq!(seen[17..25], [1_800, 1_900, 2_440, 2_980, 3_520, 4_060, 4_600, 5_140]);
        assert_eq!(seen[25..], [5_400, 5_500, 5_600, 5_700]);
        Ok(())
    });
}

/// The processor sleeps from 1,802 s, two seconds after the program was told of the doze, to the window at 5,400 s, and the kernel's
/// clock with it. A segment of 1,799.9 s is lost, again and again; what would be sent at 1,802.06 s is sent 60 ms into the window.
#[test]
fn a_dozing_processor_takes_the_kernels_clock_with_it() {
    let mut world = living("[doze]\nalarms = 'never'");
    world.faults =
        vec![toml::from_str("cut = { link = 'access', when.at = ['1799s'], lasts = '10s' }").expect("a cut")];
    let program = async |machine: Machine| {
        let mut stream = greet(&machine).await?;
        tokio::time::sleep_until(Instant::now() + MS(1_799_760)).await;
        assert_eq!(machine.elapsed(), MS(1_799_900));
        send(&mut stream, Frame::Heartbeat { id: 0 }).await?;
        let answer = receive(&mut stream, &mut Vec::new()).await?;
        assert_eq!((answer, machine.elapsed()), (Frame::Reply { id: 0 }, MS(5_400_130)));
        Ok(())
    };
    let outcome = run_with(&world, &Guests::new().device_tests(program).servers(server));
    let sent: Vec<Time> = packets(&outcome)
        .iter()
        .filter(|(at, sent, packet)| *sent && *at > Time::from_secs(1_000) && !packet.payload.is_empty())
        .map(|(at, ..)| *at)
        .collect();
    assert_eq!(sent, [1_799_900, 1_800_170, 1_800_440, 1_800_980, 5_400_060].map(Time::from_millis));
}

/// A task that the program has spawned gets through to no socket before the program may run.
#[test]
fn what_a_spawned_task_writes_and_drops_waits_for_the_alarm() {
    let outcome = run_device("alarm_grid = '5m'", async |machine| {
        let (mut one, two) = (greet(&machine).await?, greet(&machine).await?);
        let beside = machine.clone();
        let task = tokio::spawn(async move {
            sleep(SECS(10)).await;
            assert_eq!(beside.elapsed(), MS(10_280), "its timers fire");
            drop(two);
            send(&mut one, Frame::Heartbeat { id: 0 }).await?;
            assert_eq!(beside.elapsed(), SECS(300));
            io::Result::Ok(())
        });
        task.await??;
        sleep(SECS(1)).await;
        Ok(())
    });
    let after = packets(&outcome).iter().map(|(at, ..)| *at).find(|at| *at > Time::from_secs(5));
    assert_eq!(after, Some(Time::from_secs(300)));
}
