//! The presets as a whole: that each can run, names its source, and holds the numbers of that.

use std::time::Duration;

use super::*;
use crate::{
    Bounds, HeartbeatSpec, ReconnectRules, ReconnectSpec,
    heartbeat::{Adopt, Cassandra, DetectorSpec, SearchRule, Tail, TcpKeepalive, TestOn},
    testing::bounds,
    unit::Span,
};

#[test]
fn every_preset_parses_under_its_own_name_and_can_run() {
    for preset in all() {
        let spec = preset.spec();
        assert_eq!(spec.name, preset.name);
        assert_eq!(spec.problems(), Vec::new(), "{}", preset.name);
        assert_eq!(find(preset.name), Some(preset));
    }
    assert_eq!(find("netease"), None);
}

#[test]
fn every_file_of_presets_is_listed_once() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/presets")).unwrap();
    let mut files: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap().strip_suffix(".toml").unwrap().to_owned())
        .collect();
    let mut listed: Vec<&str> = all().iter().map(|preset| preset.name).collect();
    files.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, files);
}

#[test]
fn every_preset_names_its_source_and_what_it_assumes() {
    for preset in all() {
        let spec = preset.spec();
        assert!(!spec.about.is_empty() && !spec.source.is_empty(), "{}", preset.name);
        assert!(spec.assumptions.iter().any(|text| text.starts_with("Reconnect")), "{}", preset.name);
    }
}

/// But for the one of which a capture shows nothing but `NetEase`'s interval.
#[test]
fn no_preset_repeats_another() {
    let mut strategies: Vec<StrategySpec> = Vec::new();
    for preset in all().iter().filter(|preset| preset.name != "whatsapp-app-30") {
        let texts = || String::new();
        let bare =
            StrategySpec { name: texts(), about: texts(), source: texts(), assumptions: Vec::new(), ..preset.spec() };
        assert!(!strategies.contains(&bare), "{} repeats another preset", preset.name);
        strategies.push(bare);
    }
}

/// Presets of a product whose reconnect policy another preset is about.
const OF_PRODUCTS: &[(&str, &str)] = &[
    ("phoenix-30", "reconnect-phoenix"),
    ("engineio-v4", "reconnect-socketio"),
    ("engineio-v3", "reconnect-socketio"),
    ("signalr-15-30", "reconnect-signalr"),
    ("actioncable-6", "reconnect-actioncable"),
    ("actioncable-7", "reconnect-actioncable-7"),
    ("paho-java-ping", "reconnect-paho-java"),
    ("courier-paho-ping", "reconnect-courier"),
    ("courier-adaptive", "reconnect-courier"),
    ("mqttjs-ping", "reconnect-mqttjs"),
    ("smack-ping", "reconnect-smack"),
    ("nats-ping", "reconnect-nats"),
    ("kafka-session", "reconnect-kafka"),
    ("zookeeper-session", "reconnect-zookeeper"),
    ("grpc-core-1.85", "reconnect-grpc"),
    ("grpc-js", "reconnect-grpc-js"),
    ("grpc-too-many-pings", "reconnect-grpc"),
    ("grpc-race", "reconnect-grpc"),
    ("temporal-30-15", "reconnect-grpc"),
    ("sip-outbound", "reconnect-sip-outbound"),
];

#[test]
fn a_product_comes_back_as_the_preset_of_its_reconnect_policy() {
    for (product, reconnect) in OF_PRODUCTS {
        let [product, reconnect] = [product, reconnect].map(|name| find(name).expect("a preset").spec());
        assert_eq!(product.reconnect, reconnect.reconnect, "{}", product.name);
        assert_eq!(product.reconnect_rules, reconnect.reconnect_rules, "{}", product.name);
        // The connect timeout of a ZooKeeper client follows from its session, which that preset has not.
        if product.name != "zookeeper-session" {
            assert_eq!(product.connect_timeout, reconnect.connect_timeout, "{}", product.name);
        }
    }
}

/// Whoever compares heartbeats wants nothing else to differ; whoever compares reconnect policies neither.
#[test]
fn presets_have_the_shared_reconnect_policy_or_the_shared_heartbeat_unless_their_product_has_another() {
    let of_wechat = find("wechat-270").unwrap().spec().heartbeat;
    for spec in all().iter().map(Preset::spec) {
        let has_own = spec.reconnect != ReconnectSpec::default();
        if spec.name.starts_with("reconnect-") {
            assert_eq!(spec.heartbeat, of_wechat, "{}", spec.name);
            assert!(has_own, "{}", spec.name);
            continue;
        }
        let told = spec.assumptions.iter().find(|text| text.starts_with("Reconnect")).expect("it is told");
        let is_called = matches!(spec.reconnect, ReconnectSpec::OnCall(_));
        let is_shared = told.contains("all presets share") && !is_called;
        assert_eq!(has_own, !is_shared, "{}: {told}", spec.name);
        assert!(!is_shared || spec.reconnect_rules == ReconnectRules::default(), "{}", spec.name);
    }
}

#[test]
fn every_preset_has_a_family_and_a_kind_of_evidence() {
    let mut met: Vec<&str> = Vec::new();
    for preset in all() {
        let spec = preset.spec();
        let family = FAMILIES.iter().find(|family| spec.family.as_deref() == Some(family.name));
        let family = family.unwrap_or_else(|| panic!("{} has no family", preset.name));
        assert_eq!(preset.family().as_deref(), Some(family.name));
        assert_eq!(family.name == "reconnect", preset.name.starts_with("reconnect-"), "{}", preset.name);
        assert!(spec.evidence.is_some(), "{}", preset.name);
        if met.last() != Some(&family.name) {
            met.push(family.name);
        }
    }
    assert_eq!(met, FAMILIES.iter().map(|family| family.name).collect::<Vec<_>>(), "each in one place");
}

#[test]
fn an_old_name_names_what_has_taken_its_place() {
    for alias in aliases() {
        assert!(all().iter().all(|preset| preset.name != alias.name), "{}", alias.name);
        assert_eq!(find(alias.name).map(|preset| preset.name), Some(alias.now));
        assert!(alias.why.ends_with('.'), "{}", alias.name);
    }
    assert!(alias("wechat-270").is_none());
}

#[test]
fn presets_survive_a_round_trip_through_toml() {
    for spec in all().iter().map(Preset::spec) {
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(toml::from_str::<StrategySpec>(&text).unwrap(), spec, "{text}");
    }
}

#[test]
fn presets_hold_the_numbers_of_their_sources() {
    let fixed = [
        ("netease-30-15", 30, 15, 1),
        ("qq-fixed-45", 45, 15, 1),
        ("whatsapp-app-30", 30, 15, 1),
        ("whatsapp-app-60", 60, 15, 1),
        ("weibo-120", 120, 15, 1),
        ("four-minute-fixed", 240, 15, 1),
        ("wechat-270", 270, 15, 1),
        ("error-accumulation-2", 30, 15, 2),
        ("error-accumulation-5", 240, 15, 5),
        ("okhttp", 30, 30, 1),
        ("engineio-v3", 25, 20, 1),
    ];
    for (name, interval, timeout, misses) in fixed {
        let HeartbeatSpec::Fixed(fixed) = find(name).unwrap().spec().heartbeat else { panic!("{name}") };
        let numbers = (fixed.interval.get().as_secs(), fixed.timeout.get().as_secs(), fixed.misses);
        assert_eq!(numbers, (interval, timeout, misses), "{name}");
    }

    let keepalives = [
        ("linux-keepalive", 7_200_000, 75, 9, None),
        ("whatsapp-tcp-10s", 10_000, 75, 9, None),
        ("tcp-keepalive-windows", 7_200, 10, 10, None),
        ("tcp-user-timeout", 60_000, 10, 3, Some(Span::secs(90))),
    ];
    for (name, idle_ms, interval, count, user_timeout) in keepalives {
        let HeartbeatSpec::TcpKeepalive(spec) = find(name).unwrap().spec().heartbeat else { panic!("{name}") };
        let expected =
            TcpKeepalive { idle: Span::millis(idle_ms), interval: Span::secs(interval), count, user_timeout };
        assert_eq!(spec, expected, "{name}");
    }

    let detector = |name: &str| match find(name).unwrap().spec().heartbeat {
        HeartbeatSpec::Composed(parts) => parts.judge.freshness.unwrap(),
        other => panic!("{name} is no composition: {other:?}"),
    };
    let phi = |name: &str| match detector(name).detector {
        DetectorSpec::Phi(phi) => (phi.threshold, phi.window, phi.pause.get().as_secs(), phi.tail),
        other => panic!("{name} is not by phi: {other:?}"),
    };
    assert_eq!(phi("phi-accrual-akka"), (8.0, 1000, 3, Tail::Logistic));
    assert_eq!(phi("phi-accrual-akka-remote"), (10.0, 200, 10, Tail::Logistic));
    let cassandra = detector("phi-accrual-cassandra");
    assert_eq!(cassandra.detector, DetectorSpec::Cassandra(Cassandra { threshold: 8.0, window: 1000 }));
    assert_eq!(cassandra.local_pause, Some(Span::secs(5)));
}

/// What the sources' numbers come to on a path without delay: the longest gap between beats, the time to notice a break
/// and that in which the server closes who is silent, in seconds.
#[test]
fn protocols_notice_a_break_within_the_time_of_their_sources() {
    const NEVER: Option<f64> = None;
    let s = Some::<f64>;
    let rows = [
        // Articles on messengers.
        ("last-recv-timer", s(30.0), s(45.0), NEVER),
        ("fg-bg-split-5m", s(300.0), s(315.0), NEVER),
        ("fg-bg-split-10m", s(600.0), s(615.0), NEVER),
        ("line-200-420", s(420.0), s(435.0), NEVER),
        ("whatsapp-285x5", s(285.0), NEVER, NEVER),
        ("line-us-gcm-420", s(420.0), NEVER, NEVER),
        ("combined-tcp-app", s(30.0), s(45.0), NEVER),
        // The limit, and a scan.
        ("server-idle-reaper", s(45.0), NEVER, s(100.0)),
        ("piggyback-business-data", s(45.0), s(60.0), NEVER),
        // The broker waits one and a half times the keepalive.
        ("mqtt-keepalive", s(60.0), s(90.0), s(90.0)),
        ("paho-java-ping", s(60.0), s(120.0), s(90.0)),
        ("courier-paho-ping", s(55.0), s(115.0), s(90.0)),
        ("mqttjs-ping", s(60.0), s(90.0), s(90.0)),
        // Where nobody is sure to answer, nothing is promised.
        ("rabbitmq-java", s(30.0), NEVER, s(180.0)),
        ("pika", s(30.0), NEVER, s(180.0)),
        ("amqplib", s(60.0), NEVER, s(180.0)),
        ("stomp-heartbeat", s(10.0), NEVER, s(30.0)),
        ("signalr-15-30", s(15.0), NEVER, s(30.0)),
        ("bfd-async", s(10.0), NEVER, s(30.0)),
        // The third tick after the last pong.
        ("nats-ping", s(120.0), s(360.0), s(360.0)),
        ("kafka-session", s(3.0), s(45.0), s(45.0)),
        ("smack-ping", s(1_800.0), s(1_805.0), NEVER),
        ("discord-js", NEVER, NEVER, s(45.0)),
        ("phoenix-30", s(30.0), s(60.0), s(60.0)),
        // Cut one way only, the server pings on until it gives up, and the watchdog runs from its last ping.
        ("engineio-v4", NEVER, s(90.0), s(45.0)),
        ("engineio-v3", s(25.0), s(45.0), s(45.0)),
        ("actioncable-6", NEVER, NEVER, NEVER),
        ("azure-web-pubsub", s(20.0), s(160.0), NEVER),
        ("gorilla", NEVER, NEVER, s(60.0)),
        ("centrifugo", NEVER, s(68.0), s(33.0)),
        // And ten seconds for the close, on either side.
        ("python-websockets-20-20", s(20.0), s(50.0), s(50.0)),
        // A hung peer; a dead path is noticed 45 s earlier.
        ("temporal-30-15", s(30.0), s(90.0), NEVER),
        ("grpc-race", s(60.0), NEVER, NEVER),
        // Blocked after two pings without data; the server pings after 2 h.
        ("grpc-core-1.62", NEVER, NEVER, s(7_220.0)),
        ("http2-ping-envoy", s(34.5), s(49.5), NEVER),
        ("netty-idle-handler", s(30.0), s(60.0), s(60.0)),
        ("ssh-server-alive", s(15.0), s(60.0), NEVER),
        // Two thirds of the session; the session, rounded up to a tick.
        ("zookeeper-session", s(10.0), s(20.0), s(33.0)),
        ("quic-keepalive-20", s(20.0), s(50.0), NEVER),
        ("quic-keepalive-30", s(30.0), s(90.0), NEVER),
        ("sctp-heartbeat", s(31.5), s(219.0), NEVER),
        ("ike-natt-keepalive", s(20.0), NEVER, NEVER),
        ("wireguard-persistent", s(25.0), NEVER, NEVER),
        ("ice-consent", s(6.0), s(30.0), s(35.0)),
        ("sip-outbound", s(120.0), s(130.0), NEVER),
    ];
    for (name, interval, detects, reaps) in rows {
        let spec = find(name).unwrap().spec();
        let server_pings = spec.server.pings.as_ref().map(|pings| pings.expected(Duration::ZERO));
        let bounds = Bounds { rtt_max: Duration::ZERO, server_pings, ..bounds() };
        let announced = spec.heartbeat.announced_interval();
        let numbers = [announced, spec.promises(&bounds).detects_within, spec.server.reaps_within(announced, &bounds)];
        assert_eq!(numbers.map(|it| it.map(|it| it.as_secs_f64())), [interval, detects, reaps], "{name}");
    }
}

/// The two numbers of protocols in which one side listens to what the other says without being asked: the client's
/// patience, and the server's interval.
#[test]
fn who_only_listens_is_more_patient_than_the_other_side_is_quiet() {
    let rows = [
        ("rabbitmq-java", 135, 30),
        ("rabbitmq-amqp-pre-3-7-11", 60, 30),
        ("stomp-heartbeat", 30, 10),
        ("signalr-15-30", 30, 15),
        ("bfd-async", 30, 10),
        ("actioncable-6", 6, 3),
        ("engineio-v4", 45, 25),
        ("centrifugo", 35, 25),
    ];
    for (name, patience, quiet) in rows {
        let spec = find(name).unwrap().spec();
        let HeartbeatSpec::Composed(parts) = spec.heartbeat else { panic!("{name}") };
        let limit = parts.judge.silence.expect("a watchdog").limit;
        assert_eq!((limit, spec.server.pings.expect("pings").interval), (Span::secs(patience), Span::secs(quiet)));
        assert!(patience > quiet, "{name}: invariant 15");
    }
}

#[test]
fn searches_have_the_limits_of_their_sources() {
    let minutes = |count: u64| Span::secs(60 * count);
    let rows = [
        ("courier-adaptive", SearchRule::Halving, TestOn::Probe, [1, 9, 2]),
        ("ms-test-connection", SearchRule::Linear, TestOn::Probe, [1, 30, 1]),
        ("linear-search", SearchRule::Linear, TestOn::Session, [1, 60, 1]),
        ("rahman-binary", SearchRule::Binary, TestOn::Session, [1, 60, 1]),
        ("rahman-exponential", SearchRule::Exponential, TestOn::Session, [1, 60, 1]),
        ("rahman-composite", SearchRule::Composite, TestOn::Session, [1, 60, 1]),
    ];
    for (name, rule, on, limits) in rows {
        let HeartbeatSpec::Composed(parts) = find(name).unwrap().spec().heartbeat else { panic!("{name}") };
        let search = parts.search.expect("a search");
        assert_eq!((search.rule, search.on), (rule, on), "{name}");
        let [min, max, step] = limits.map(minutes);
        let granularity = minutes(1);
        assert_eq!((search.min, search.max, search.step.unwrap_or(granularity)), (min, max, step), "{name}");
    }
    let HeartbeatSpec::Composed(courier) = find("courier-adaptive").unwrap().spec().heartbeat else { unreachable!() };
    let search = courier.search.unwrap();
    assert_eq!((search.adopt, search.relearn_after, search.failures_add_up), (Adopt::WhenFound, Some(10), true));
}

/// The defaults are the sources' numbers, and the presets spell them out.
#[test]
fn adaptive_presets_are_the_defaults_of_their_policies() {
    use crate::heartbeat::{
        Androidpn, CarsonAdaptive5, ChromiumGcm, HalfrostSearch, MarsSmartHeartbeat, MicrogMcsAimd, WechatSmart2013,
    };
    let expected = [
        ("mars-smart-heartbeat", HeartbeatSpec::MarsSmartHeartbeat(MarsSmartHeartbeat::default())),
        ("wechat-smart-2013", HeartbeatSpec::WechatSmart2013(WechatSmart2013::default())),
        ("androidpn-heartmanager", HeartbeatSpec::Androidpn(Androidpn::default())),
        ("chromium-gcm", HeartbeatSpec::ChromiumGcm(ChromiumGcm::default())),
        ("microg-mcs-aimd", HeartbeatSpec::MicrogMcsAimd(MicrogMcsAimd::default())),
        ("carson-adaptive-5", HeartbeatSpec::CarsonAdaptive5(CarsonAdaptive5::default())),
        ("thread783-halfrost", HeartbeatSpec::HalfrostSearch(HalfrostSearch::default())),
    ];
    for (name, heartbeat) in expected {
        assert_eq!(find(name).unwrap().spec().heartbeat, heartbeat, "{name}");
    }
}
