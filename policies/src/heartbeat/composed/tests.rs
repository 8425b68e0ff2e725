//! Compositions at work, product by product: what each does step by step, the corners that its documents spell out included.

use std::time::Duration;

use super::*;
use crate::{
    Network,
    testing::{CONNECTED, LOST, Step, beat, play, reply, rng},
};

const TX: Event = Event::BytesWritten;
const RX: Event = Event::BytesReceived;
const PING: Event = Event::PeerPing;
const NO_REPLY: Action = Action::GiveUp(GiveUp::NoReply);
const SILENCE: Action = Action::GiveUp(GiveUp::Silence);

fn spec(text: &str) -> Composed {
    let spec: Composed = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(spec.problems(), Vec::new());
    spec
}

fn policy(text: &str) -> ComposedHeartbeat {
    ComposedHeartbeat::new(spec(text), rng(1))
}

fn plays(text: &str, script: &[Step]) {
    play(&mut policy(text), script);
}

#[test]
fn phoenix_beats_an_interval_after_the_reply_and_only_the_reply_counts() {
    plays(
        r#"schedule.idle = { threshold = "30s", anchor = "reply" }
           judge.reply = { timeout = "30s" }"#,
        &[
            (0, Some(CONNECTED), &[]),
            (20_000, Some(RX), &[]),
            (30_000, None, &[beat(0)]),
            (30_200, Some(reply(0)), &[]),
            (59_000, Some(TX), &[]),
            (60_200, None, &[beat(1)]),
            (61_000, Some(RX), &[]),
            (90_200, None, &[Action::Suspect, NO_REPLY]),
        ],
    );
}

#[test]
fn discord_finds_the_zombie_when_the_next_beat_is_due_and_beats_on_request() {
    plays(
        r#"schedule.grid = { interval = "41250ms" }
           judge.reply = { timeout = "41250ms" }
           beat_on = ["request"]"#,
        &[
            (0, Some(CONNECTED), &[]),
            (10_000, Some(PING), &[beat(0)]),
            (10_100, Some(reply(0)), &[]),
            (41_250, None, &[beat(1)]),
            // One is out already.
            (42_000, Some(PING), &[]),
            (82_500, None, &[Action::Suspect, NO_REPLY]),
        ],
    );
}

#[test]
fn nats_is_stale_at_the_third_tick_after_the_last_pong() {
    plays(
        r#"schedule.grid = { interval = "2m" }
           judge.reply = { timeout = "2m", misses = 2 }"#,
        &[
            (0, Some(CONNECTED), &[]),
            (120_000, None, &[beat(0)]),
            (240_000, None, &[Action::Suspect, beat(1)]),
            // A late pong clears the count like any other, and the second ping still waits for its own.
            (240_500, Some(reply(0)), &[Action::Trust]),
            (240_600, Some(reply(1)), &[]),
            (360_000, None, &[beat(2)]),
            (480_000, None, &[Action::Suspect, beat(3)]),
            (600_000, None, &[NO_REPLY]),
        ],
    );
}

#[test]
fn engine_io_feeds_its_watchdog_with_pings_only() {
    plays(
        r#"schedule = "peer-sends"
           judge.silence = { limit = "45s", fed_by = "pings" }"#,
        &[
            (0, Some(CONNECTED), &[]),
            (25_000, Some(PING), &[]),
            (60_000, Some(RX), &[]),
            (70_000, None, &[Action::Suspect, SILENCE]),
        ],
    );
}

#[test]
fn signalr_pings_no_more_often_than_the_server_talks() {
    plays(
        r#"schedule.idle = { threshold = "15s", anchor = "tx-once-heard" }
           answered = false
           judge.silence = { limit = "30s" }"#,
        &[
            (0, Some(CONNECTED), &[]),
            (10_000, Some(RX), &[]),
            (15_000, None, &[Action::SendNotice]),
            (15_000, Some(TX), &[]),
            // 15 s after the send nothing has been received: the timer is not armed.
            (32_000, Some(PING), &[Action::SendNotice]),
            (32_000, Some(TX), &[]),
            (62_000, None, &[Action::Suspect, SILENCE]),
        ],
    );
}

#[test]
fn mqtt_js_pings_after_k_and_gives_up_half_of_k_later_and_no_publish_helps() {
    plays(
        r#"schedule.idle = { threshold = "60s", anchor = "acknowledged" }
           judge.reply = { timeout = "30s", evidence = "acknowledged" }"#,
        &[
            (0, Some(CONNECTED), &[]),
            (20_000, Some(Event::Acknowledged), &[]),
            (50_000, Some(RX), &[]),
            (80_000, None, &[beat(0)]),
            (81_000, Some(reply(0)), &[]),
            (141_000, None, &[beat(1)]),
            (142_000, Some(RX), &[]),
            (171_000, None, &[Action::Suspect, NO_REPLY]),
        ],
    );
}

/// The pitfall of clients that count received publishes as activity (MQTT.js issue 1861): the broker hears nothing.
#[test]
fn a_ping_timer_that_receptions_rearm_is_starved_by_them() {
    let mut policy = policy(
        r#"schedule.idle = { threshold = "60s", anchor = "rx" }
           judge.reply = { timeout = "30s" }"#,
    );
    policy.on_event(Time::ZERO, &CONNECTED);
    for minute in 0..60 {
        for second in [15, 45] {
            let now = Time::from_secs(60 * minute + second);
            policy.on_event(now, &RX);
            assert_eq!(policy.poll(now), None);
        }
    }
}

#[test]
fn paho_pings_when_either_direction_is_idle_and_judges_reception_while_a_ping_is_out() {
    plays(
        r#"schedule.idle = { threshold = "60s", anchor = "each" }
           judge.silence = { limit = "60s", while_awaiting = true }"#,
        &[
            (0, Some(CONNECTED), &[]),
            (30_000, Some(TX), &[]),
            // Nothing received for 60 s, though something was sent.
            (60_000, None, &[beat(0)]),
            (60_000, Some(TX), &[]),
            (120_000, None, &[Action::Suspect, SILENCE]),
            (200_000, Some(CONNECTED), &[]),
            (230_000, Some(RX), &[]),
            // Nothing sent for 60 s, though something was received.
            (260_000, None, &[beat(0)]),
            (260_000, Some(TX), &[]),
            (270_000, Some(reply(0)), &[]),
            (320_000, None, &[beat(1)]),
            (320_000, Some(TX), &[]),
            (325_000, Some(RX), &[]),
            // Nothing sent again, and the ping is still out.
            (380_000, None, &[beat(2)]),
            (380_000, Some(TX), &[]),
            (385_000, None, &[Action::Suspect, SILENCE]),
        ],
    );
}

#[test]
fn zookeeper_pings_by_what_it_sends_and_dies_by_what_it_receives() {
    // A session of 30 s: pings after a third, less the second that the client subtracts; dead after two thirds.
    plays(
        r#"schedule.idle = { threshold = "9s", anchor = "tx" }
           judge.silence = { limit = "20s" }"#,
        &[
            (0, Some(CONNECTED), &[]),
            (9_000, None, &[beat(0)]),
            (9_000, Some(TX), &[]),
            (9_100, Some(reply(0)), &[]),
            (15_000, Some(TX), &[]),
            (24_000, None, &[beat(1)]),
            (24_000, Some(TX), &[]),
            (29_100, None, &[Action::Suspect, SILENCE]),
        ],
    );
}

#[test]
fn ssh_asks_after_silence_and_counts_silence_after_asking() {
    plays(
        r#"schedule.idle = { threshold = "15s", anchor = "rx" }
           judge.reply = { timeout = "15s", misses = 3, evidence = "any" }"#,
        &[
            (0, Some(CONNECTED), &[]),
            (10_000, Some(RX), &[]),
            (25_000, None, &[beat(0)]),
            (40_000, None, &[Action::Suspect, beat(1)]),
            (41_000, Some(RX), &[Action::Trust]),
            (56_000, None, &[beat(2)]),
            (71_000, None, &[Action::Suspect, beat(3)]),
            (86_000, None, &[beat(4)]),
            (101_000, None, &[SILENCE]),
        ],
    );
}

#[test]
fn grpc_is_blocked_after_two_pings_without_data_and_any_byte_answers_a_ping() {
    plays(
        r#"schedule.idle = { threshold = "10s", anchor = "rx" }
           judge.reply = { timeout = "5s", evidence = "any" }
           most_without_data = 2"#,
        &[
            (0, Some(CONNECTED), &[]),
            (10_000, None, &[beat(0)]),
            (10_000, Some(TX), &[]),
            (10_100, Some(RX), &[]),
            (20_100, None, &[beat(1)]),
            (20_100, Some(TX), &[]),
            (20_200, Some(reply(1)), &[]),
            // Data unblocks.
            (300_000, Some(TX), &[beat(2)]),
            (300_000, Some(TX), &[]),
            (305_000, None, &[Action::Suspect, SILENCE]),
        ],
    );
}

#[test]
fn grpc_doubles_its_keepalive_time_after_too_many_pings() {
    plays(
        r#"schedule.idle = { threshold = "10s", anchor = "rx" }
           judge.reply = { timeout = "10s", evidence = "any" }
           pace.doubles = true"#,
        &[
            (0, Some(CONNECTED), &[]),
            (10_000, None, &[beat(0)]),
            (10_100, Some(Event::Lost(LossReason::TooManyPings)), &[]),
            (20_000, Some(CONNECTED), &[]),
            (40_000, None, &[beat(0)]),
            (40_100, Some(LOST), &[]),
            (50_000, Some(CONNECTED), &[]),
            (70_000, None, &[beat(0)]),
            (70_100, Some(Event::Lost(LossReason::TooManyPings)), &[]),
            (80_000, Some(CONNECTED), &[]),
            (120_000, None, &[beat(0)]),
        ],
    );
}

#[test]
fn courier_s_inactivity_check_judges_by_the_oldest_thing_sent_with_nothing_after_it() {
    plays(
        r#"schedule.idle = { threshold = "4m", anchor = "tx" }
           judge.unanswered = { limit = "60s" }"#,
        &[
            (0, Some(CONNECTED), &[]),
            (10_000, Some(TX), &[]),
            (40_000, Some(TX), &[]),
            (50_000, Some(RX), &[]),
            (100_000, Some(TX), &[]),
            (130_000, Some(TX), &[]),
            (160_000, None, &[Action::Suspect, NO_REPLY]),
        ],
    );
}

#[test]
fn the_interval_in_force_follows_the_screen_the_network_and_the_server() {
    let wifi = Event::Connected { network: Network::wifi(1), server: 0 };
    plays(
        r#"schedule.grid = { interval = "30s" }
           judge.reply = { timeout = "10s" }
           pace = { background = "5m", doze = "10m", wifi = "1m", directed = true }"#,
        &[
            (0, Some(wifi), &[]),
            (60_000, None, &[beat(0)]),
            (60_100, Some(reply(0)), &[]),
            // From the last beat on.
            (70_000, Some(Event::AppState(AppState::Background)), &[]),
            (360_000, None, &[beat(1)]),
            (360_100, Some(reply(1)), &[]),
            (400_000, Some(Event::AppState(AppState::Doze)), &[]),
            (960_000, None, &[beat(2)]),
            (960_100, Some(reply(2)), &[]),
            // What is overdue by the shorter interval comes at once.
            (1_100_000, Some(Event::AppState(AppState::Foreground)), &[beat(3)]),
            (1_100_100, Some(reply(3)), &[]),
            (1_110_000, Some(Event::DirectedInterval(Duration::from_secs(20))), &[]),
            (1_120_000, None, &[beat(4)]),
            (1_121_000, Some(LOST), &[]),
            // The server's word holds for its own connection.
            (1_200_000, Some(CONNECTED), &[]),
            (1_230_000, None, &[beat(0)]),
        ],
    );
}

#[test]
fn a_dead_service_on_a_live_network_is_told_from_a_dead_network() {
    let text = r#"schedule.grid = { interval = "60s" }
                  judge.reply = { timeout = "10s" }
                  keepalive = { idle = "10s", interval = "5s", count = 3 }
                  when_dead = "diagnose""#;
    for (ago_s, verdict) in [(8, GiveUp::ServiceDead), (12, GiveUp::NetworkDead)] {
        let mut policy = policy(text);
        policy.on_event(Time::ZERO, &CONNECTED);
        assert!(matches!(policy.poll(Time::ZERO), Some(Action::SetKeepalive(Some(_)))));
        assert_eq!(policy.poll(Time::ZERO), None);
        let (sent, judged) = (Time::from_secs(60), Time::from_secs(70));
        assert_eq!(policy.poll(sent), Some(beat(0)));
        assert_eq!(policy.poll(judged), Some(Action::Suspect));
        assert_eq!(policy.poll(judged), Some(Action::AskTransport));
        policy.on_event(judged, &Event::TransportHeard { ago: Duration::from_secs(ago_s) });
        assert_eq!(policy.poll(judged), Some(Action::GiveUp(verdict)), "heard {ago_s} s ago");
        assert_eq!(policy.deadline(), None);
    }
}

#[test]
fn a_race_gives_the_old_connection_one_more_patience() {
    let text = r#"schedule.idle = { threshold = "60s", anchor = "rx" }
                  judge.reply = { timeout = "10s", evidence = "any" }
                  when_dead = "race""#;
    // The old one answers.
    plays(
        text,
        &[
            (0, Some(CONNECTED), &[]),
            (60_000, None, &[beat(0)]),
            (70_000, None, &[Action::Suspect, Action::Race]),
            (71_000, Some(reply(0)), &[Action::Trust]),
            (131_000, None, &[beat(1)]),
            // A second race can follow.
            (141_000, None, &[Action::Suspect, Action::Race]),
            // The new one wins.
            (142_000, Some(CONNECTED), &[]),
            (202_000, None, &[beat(0)]),
            // Nobody wins.
            (212_000, None, &[Action::Suspect, Action::Race]),
            (222_000, None, &[SILENCE]),
        ],
    );
}

#[test]
fn gaps_between_shortest_and_interval_are_drawn_anew() {
    let mut policy = policy(r#"schedule.grid = { interval = "120s", shortest = "95s" }"#);
    policy.on_event(Time::ZERO, &CONNECTED);
    let (mut last, mut low, mut high) = (Time::ZERO, Duration::MAX, Duration::ZERO);
    for id in 0..200 {
        let due = policy.deadline().unwrap();
        let gap = due.since(last);
        assert!((95..=120).contains(&gap.as_secs()), "{gap:?}");
        (low, high, last) = (low.min(gap), high.max(gap), due);
        assert_eq!(policy.poll(due), Some(beat(id)));
    }
    assert!(low < Duration::from_secs(97) && high > Duration::from_secs(118), "{low:?} {high:?}");
}

/// Returns a search on the session, behind a NAT that forgets after `nat_s` of idle time, for `days`: what it settles
/// on, and how many sessions it cost.
fn settles(text: &str, nat_s: u64, days: u64) -> (Duration, u32) {
    let mut policy = policy(text);
    let (rtt, end) = (Duration::from_millis(100), Time::from_secs(86_400 * days));
    let (mut now, mut lost, mut last_traffic, mut last_beat) = (Time::ZERO, 0, Time::ZERO, Time::ZERO);
    let mut gap = Duration::ZERO;
    policy.on_event(now, &CONNECTED);
    let mut answer: Option<(Time, u32)> = None;
    while now < end {
        match policy.poll(now) {
            Some(Action::SendHeartbeat { id }) => {
                gap = now.since(last_beat);
                let alive = now.since(last_traffic) <= Duration::from_secs(nat_s);
                (last_traffic, last_beat) = (now, now);
                policy.on_event(now, &TX);
                answer = alive.then_some((now + rtt, id));
            }
            Some(Action::GiveUp(_)) => {
                lost += 1;
                now += Duration::from_secs(1);
                (last_traffic, last_beat, answer) = (now, now, None);
                policy.on_event(now, &CONNECTED);
            }
            Some(_) => {}
            None => {
                let reply_at = answer.map(|(at, _)| at);
                let next = policy.deadline().into_iter().chain(reply_at).min().expect("it goes on");
                assert!(next > now);
                now = next;
                if let Some((_, id)) = answer.take_if(|(at, _)| *at == now) {
                    last_traffic = now;
                    policy.on_event(now, &reply(id));
                }
            }
        }
    }
    (gap, lost)
}

const SEARCH: &str = r#"schedule.idle = { threshold = "1m", anchor = "either" }
                        judge.reply = { timeout = "10s" }
                        search = { min = "2m", max = "60m", rule = "#;

#[test]
fn a_search_settles_just_below_the_nat_s_timeout_and_stays() {
    for (rule, most_lost) in [("linear", 1), ("binary", 6), ("exponential", 6), ("composite", 6), ("halving", 2)] {
        for nat in [300, 330, 1_000, 1_700, 3_599] {
            let (interval, lost) = settles(&format!("{SEARCH}\"{rule}\" }}"), nat, 3);
            // The gap between beats is the idle time and the round trip before it.
            let minutes = interval.as_secs() / 60;
            assert_eq!(minutes, nat / 60, "{rule} behind {nat} s");
            assert!(lost <= most_lost, "{rule} behind {nat} s lost {lost}");
        }
    }
}

#[test]
fn a_margin_stays_below_what_was_found() {
    let (interval, _) = settles(&format!("{SEARCH}\"composite\", margin = \"30s\" }}"), 1_000, 2);
    assert_eq!(interval.as_secs(), 16 * 60 - 30);
}

#[test]
fn what_was_learnt_is_remembered_by_network_and_survives_a_restart() {
    let text = format!("{SEARCH}\"linear\" }}");
    let mut old = policy(&text);
    let (cellular, wifi) = (CONNECTED, Event::Connected { network: Network::wifi(7), server: 0 });
    old.on_event(Time::ZERO, &cellular);
    let mut now = Time::ZERO;
    for id in 0..3 {
        now = old.deadline().unwrap();
        assert_eq!(old.poll(now), Some(beat(id)));
        old.on_event(now, &TX);
        old.on_event(now, &reply(id));
        assert_eq!(old.poll(now), Some(Action::Remember));
        assert_eq!(old.poll(now), None);
    }
    // 2, 3 and 4 minutes have survived.
    assert_eq!(old.deadline().unwrap().since(now), Duration::from_secs(300));
    let memory = old.memory().unwrap();

    let mut new = policy(&text);
    new.recall(&memory);
    new.on_event(now, &cellular);
    assert_eq!(new.deadline().unwrap().since(now), Duration::from_secs(300));
    new.on_event(now, &LOST);
    new.on_event(now, &wifi);
    assert_eq!(new.deadline().unwrap().since(now), Duration::from_secs(120), "nothing is known of another network");

    // A record that could be, but for numbers that lead nowhere.
    let spent = memory.replace("\"step_ms\":60000", "\"step_ms\":18446744073709551615");
    assert_ne!(spent, memory);
    for nonsense in ["", "{", "[]", r#"{"0":{"good_ms":1}}"#, &spent] {
        let mut new = policy(&text);
        new.recall(nonsense);
        new.on_event(now, &cellular);
        assert_eq!(new.deadline().unwrap().since(now), Duration::from_secs(120), "{nonsense:?}");
    }
}

/// A count of failures at its end stays there; a policy that learns must not be what ends a product's process.
#[test]
fn failures_that_were_counted_to_the_end_are_counted_no_further() {
    let text = format!("{SEARCH}\"linear\" }}");
    let mut old = policy(&text);
    old.on_event(Time::ZERO, &CONNECTED);
    let beat_at = old.deadline().unwrap();
    assert_eq!(old.poll(beat_at), Some(beat(0)));
    old.on_event(beat_at, &TX);
    old.on_event(beat_at, &reply(0));
    let memory = old.memory().unwrap().replace("\"failures\":0", "\"failures\":4294967295");
    let mut new = policy(&text);
    new.recall(&memory);
    new.on_event(Time::ZERO, &CONNECTED);
    let before = new.deadline().unwrap();
    assert_eq!(new.poll(before), Some(beat(0)));
    new.on_event(before, &TX);
    new.on_event(before, &LOST);
    new.on_event(before, &CONNECTED);
    assert!(new.deadline().unwrap() > before, "the interval that failed is not tried again");
}

/// Courier: L = 1 min, U = 9 min, S = 2 min, on a connection of its own, behind a NAT of 5.5 min.
#[test]
fn courier_searches_on_a_probe_connection_while_the_session_keeps_its_interval() {
    let mut policy = policy(
        r#"schedule.idle = { threshold = "4m", anchor = "tx" }
           judge.reply = { timeout = "30s" }
           search = { rule = "halving", min = "1m", max = "9m", step = "2m", on = "probe", adopt = "when-found" }"#,
    );
    let nat = Duration::from_secs(330);
    let (mut now, mut last_probe, mut probed) = (Time::ZERO, Time::ZERO, Vec::new());
    let mut beats = Vec::new();
    policy.on_event(now, &CONNECTED);
    loop {
        match policy.poll(now) {
            Some(Action::OpenProbe) => {
                last_probe = now;
                policy.on_event(now, &Event::ProbeConnected);
            }
            Some(Action::SendProbe { id }) => {
                let gap = now.since(last_probe);
                probed.push((gap.as_secs() / 60, gap <= nat));
                last_probe = now;
                if gap <= nat {
                    policy.on_event(now, &Event::ProbeReply { id, rtt: Duration::ZERO });
                }
            }
            Some(Action::SendHeartbeat { id }) => {
                beats.push(now);
                policy.on_event(now, &TX);
                policy.on_event(now, &reply(id));
            }
            Some(Action::GiveUp(_)) => panic!("the session is never at risk"),
            Some(_) => {}
            None if now > Time::from_secs(7_200) => break,
            None => now = policy.deadline().unwrap(),
        }
    }
    assert_eq!(probed, [(1, true), (3, true), (5, true), (7, false), (6, false)]);
    let gaps: Vec<u64> = beats.windows(2).map(|pair| pair[1].since(pair[0]).as_secs() / 60).collect();
    let (searching, found) = gaps.split_at(gaps.iter().position(|gap| *gap == 5).unwrap());
    assert!(searching.iter().all(|gap| *gap == 4) && found.iter().all(|gap| *gap == 5), "{gaps:?}");
}

#[test]
fn a_failure_of_the_test_connection_counts_only_if_the_data_connection_lives() {
    let text = r#"schedule.idle = { threshold = "1m", anchor = "tx" }
                  judge.reply = { timeout = "10s" }
                  search = { rule = "linear", min = "1m", max = "9m", on = "probe", confirm = true }"#;
    for session_lives in [true, false] {
        let mut policy = policy(text);
        let mut now = Time::ZERO;
        let (mut opened, mut probes) = (0, 0);
        policy.on_event(now, &CONNECTED);
        while now < Time::from_secs(400) {
            match policy.poll(now) {
                Some(Action::OpenProbe) => {
                    opened += 1;
                    policy.on_event(now, &Event::ProbeConnected);
                }
                // The first probe of all is answered, no other.
                Some(Action::SendProbe { id }) => {
                    probes += 1;
                    if probes == 1 {
                        policy.on_event(now, &Event::ProbeReply { id, rtt: Duration::ZERO });
                    }
                }
                Some(Action::SendHeartbeat { id }) if session_lives || probes < 2 => {
                    policy.on_event(now, &reply(id));
                }
                // The network has failed, not the interval.
                Some(Action::GiveUp(_)) => policy.on_event(now, &CONNECTED),
                Some(_) => {}
                None => now = policy.deadline().unwrap_or(Time::from_secs(400)),
            }
        }
        let found = policy.searcher.as_ref().unwrap().is_done();
        assert_eq!(found, session_lives, "{opened} probe connections, {probes} probes");
    }
}

#[test]
fn contradictions_name_the_key_and_the_nearest_good_value() {
    let problems = |text: &str| -> Vec<String> {
        let spec: Composed = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
        spec.problems().into_iter().map(|it| format!("{}: {}; {}", it.path, it.message, it.help)).collect()
    };
    let idle = r#"schedule.idle = { threshold = "1m", anchor = "either" }"#;
    let reply = r#"judge.reply = { timeout = "10s" }"#;
    let cases = [
        "schedule.grid = { interval = \"1m\", shortest = \"2m\" }".to_owned(),
        "schedule.grid = { interval = \"1m\" }\njudge.reply = { timeout = \"61s\" }".to_owned(),
        format!("schedule.grid = {{ interval = \"1m\" }}\n{reply}\npace.wifi = \"5s\""),
        format!("schedule.grid = {{ interval = \"1m\" }}\n{reply}\nanswered = false"),
        format!("{idle}\njudge.reply = {{ timeout = \"10s\", misses = 0 }}"),
        format!("{idle}\nleave = {{}}"),
        format!("{idle}\nleave = {{ beats = 0 }}"),
        format!("{idle}\nmost_without_data = 0"),
        format!("{idle}\nwhen_dead = \"race\""),
        format!("{idle}\nkeepalive = {{ count = 0 }}"),
        format!("{idle}\nsearch = {{ rule = \"linear\", min = \"1m\", max = \"9m\" }}"),
        format!("{idle}\n{reply}\nsearch = {{ rule = \"linear\", min = \"9m\", max = \"1m\" }}"),
        format!("{idle}\n{reply}\nsearch = {{ rule = \"linear\", min = \"1m\", max = \"9m\", step = \"10m\" }}"),
        format!("{idle}\n{reply}\nsearch = {{ rule = \"binary\", min = \"1m\", max = \"9m\", failures = 0 }}"),
        format!("{idle}\n{reply}\nsearch = {{ rule = \"binary\", min = \"1m\", max = \"9m\", confirm = true }}"),
        format!("{idle}\n{reply}\nsearch = {{ rule = \"binary\", min = \"1m\", max = \"9m\", relearn_after = 0 }}"),
        format!("{idle}\n{reply}\nsearch = {{ rule = \"binary\", min = \"60000100us\", max = \"9m\" }}"),
        format!(
            "schedule.grid = {{ interval = \"1m\" }}\n{reply}\nsearch = {{ rule = \"linear\", min = \"1m\", max = \"9m\" }}"
        ),
    ];
    let all: Vec<String> = cases
        .iter()
        .flat_map(|case| {
            let found = problems(case);
            assert_eq!(found.len(), 1, "{case}: {found:?}");
            found
        })
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}
