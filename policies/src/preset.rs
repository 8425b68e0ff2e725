//! Strategies of real products, as TOML files compiled in.
//!
//! A preset says in its file where its numbers come from, and which of them are assumptions. All presets share one
//! reconnect policy, [`ReconnectSpec`](crate::ReconnectSpec)'s default, unless their source names another, as those of
//! most protocols do: comparing the others compares heartbeats. Those named `reconnect-...` share one heartbeat instead, that of `wechat-270`, which has the
//! default reconnect policy: comparing them with it compares reconnect policies. Those that leave their connection on
//! purpose have a reconnect policy of their own, since when to come back is what they are about. What this is not: a
//! registry of users' own strategies, which is `registry`.

use crate::StrategySpec;

/// A named strategy that comes with the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The strategy's name.
    pub name: &'static str,
    /// The file that defines it.
    pub toml: &'static str,
}

impl Preset {
    /// What lists gather it under: what it is compared for. Those named `reconnect-...` share a heartbeat; of the others it
    /// is the heartbeat that tells them apart.
    pub fn family(&self, spec: &StrategySpec) -> &'static str {
        if self.name.starts_with("reconnect-") {
            "reconnect policies under one heartbeat"
        } else {
            spec.heartbeat.family()
        }
    }

    /// The strategy itself.
    pub fn spec(&self) -> StrategySpec {
        toml::from_str(self.toml).unwrap_or_else(|error| panic!("preset {} does not parse: {error}", self.name))
    }
}

/// All presets, in the order in which tables list them.
pub fn all() -> &'static [Preset] {
    PRESETS
}

/// The preset of that name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        &[$(Preset { name: $name, toml: include_str!(concat!("../presets/", $name, ".toml")) }),*]
    };
}

const PRESETS: &[Preset] = presets![
    // Without a heartbeat of the application, and the yardstick.
    "none",
    "tcp-retransmit-only",
    "oracle",
    // The kernel's keepalive.
    "linux-keepalive",
    "whatsapp-tcp-10s",
    "tcp-keepalive-windows",
    "tcp-user-timeout",
    // Products as the source documents have them: fixed intervals.
    "netease-30-15",
    "qq-fixed-45",
    "whatsapp-app-30",
    "whatsapp-app-60",
    "weibo-120",
    "four-minute-fixed",
    "wechat-270",
    "line-200-420",
    "error-accumulation-2",
    "error-accumulation-5",
    // The question of source document 004, which traffic spares a heartbeat, and its server.
    "idle-45-tx",
    "idle-45-rx",
    "idle-45-either",
    "idle-45-004",
    "last-recv-timer",
    "server-idle-reaper",
    "server-idle-reaper-heartbeats",
    // What source documents add to a heartbeat.
    "fg-bg-split-5m",
    "fg-bg-split-10m",
    "combined-tcp-app",
    "server-directed-interval",
    "piggyback-business-data",
    // Connections left on purpose: polling and push services.
    "whatsapp-285x5",
    "polling-90s",
    "polling-10m",
    "line-polling",
    "whatsapp-gcm-wake",
    "line-us-gcm-420",
    // Messaging protocols.
    "mqtt-keepalive",
    "mqtt-starved",
    "paho-java-ping",
    "courier-paho-ping",
    "mqttjs-ping",
    "rabbitmq-amqp",
    "rabbitmq-amqp-pre-3-7-11",
    "stomp-heartbeat",
    "nats-ping",
    "kafka-session",
    "smack-ping",
    "discord-gateway",
    // WebSocket stacks.
    "phoenix-30",
    "engineio-v4",
    "engineio-v3",
    "signalr-15-30",
    "actioncable-3-6",
    "python-websockets-20-20",
    "azure-web-pubsub",
    "gorilla",
    "okhttp",
    "centrifugo",
    // Remote calls, shells, coordination.
    "grpc-keepalive",
    "grpc-too-many-pings",
    "grpc-race",
    "temporal-30-15",
    "http2-ping-envoy",
    "netty-idle-handler",
    "ssh-server-alive",
    "zookeeper-session",
    // Transports' own schedules, as heartbeats of an application.
    "quic-keepalive-20",
    "quic-keepalive-30",
    "sctp-heartbeat",
    "bfd-async",
    "ike-natt-keepalive",
    "wireguard-persistent",
    "ice-consent",
    "sip-outbound",
    // Failure detectors of the literature.
    "phi-accrual",
    "phi-accrual-akka",
    "phi-accrual-akka-remote",
    "phi-accrual-cassandra",
    "chen-nfd-e",
    "bertier",
    "two-window",
    "jacobson-rfc6298",
    // Intervals that are learnt: products.
    "mars-smart-heartbeat",
    "mars-alarm-never-fires",
    "wechat-smart-2013",
    "androidpn-heartmanager",
    "androidpn-in-use",
    "chromium-gcm",
    "microg-mcs-aimd",
    "carson-adaptive-5",
    "thread783-halfrost",
    "courier-adaptive",
    // Intervals that are learnt: searches of the literature.
    "linear-search",
    "rahman-binary",
    "rahman-exponential",
    "rahman-composite",
    "ms-test-connection",
    // Reconnect policies, under the heartbeat of `wechat-270`.
    "reconnect-no-jitter",
    "reconnect-fixed-5s",
    "reconnect-immediate",
    "reconnect-linear",
    "reconnect-exp-none-jitter",
    "reconnect-exp-full-jitter",
    "reconnect-exp-equal-jitter",
    "reconnect-exp-decorrelated",
    "reconnect-grpc",
    "reconnect-signalr",
    "reconnect-socketio",
    "reconnect-phoenix",
    "reconnect-actioncable",
    "reconnect-rws-pladaria",
    "reconnect-nats",
    "reconnect-kafka",
    "reconnect-zookeeper",
    "reconnect-paho-java",
    "reconnect-mqttjs",
    "reconnect-smack",
    "reconnect-smack-fixed",
    "reconnect-courier",
    "reconnect-realm",
    "reconnect-lightstreamer",
    "reconnect-microg",
    "reconnect-chromium-gcm",
    "reconnect-mars",
    "reconnect-mars-ip-ban",
    "reconnect-sip-outbound",
    "reconnect-retry-budget",
    "reconnect-retry-quota",
    "reconnect-grpc-retry-throttle",
    "reconnect-circuit-breaker",
    "reconnect-network-change",
    "reconnect-network-validity-probe",
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        HeartbeatSpec, ReconnectRules, ReconnectSpec,
        heartbeat::{Cassandra, DetectorSpec, Tail},
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
    fn every_preset_names_its_source_and_what_it_assumes() {
        for preset in all() {
            let spec = preset.spec();
            assert!(!spec.about.is_empty() && !spec.source.is_empty(), "{}", preset.name);
            assert!(spec.assumptions.iter().any(|text| text.starts_with("Reconnect")), "{}", preset.name);
        }
    }

    /// But for those that compare reconnect policies, which share the heartbeat of `wechat-270`, and those that leave on
    /// purpose, which are about when to come back.
    #[test]
    fn presets_differ_in_their_heartbeats_alone() {
        let mut heartbeats: Vec<HeartbeatSpec> = Vec::new();
        let mut of_reconnect = Vec::new();
        let of_wechat = find("wechat-270").unwrap().spec().heartbeat;
        for spec in all().iter().map(Preset::spec) {
            if spec.name.starts_with("reconnect-") {
                assert_eq!(spec.heartbeat, of_wechat, "{}", spec.name);
                assert_ne!(spec.reconnect, ReconnectSpec::default(), "{}", spec.name);
                let reconnects = (spec.connect_timeout, spec.reconnect, spec.reconnect_rules);
                assert!(!of_reconnect.contains(&reconnects), "{} repeats another preset", spec.name);
                of_reconnect.push(reconnects);
                continue;
            }
            assert_eq!(spec.reconnect_rules, ReconnectRules::default(), "{}", spec.name);
            if let HeartbeatSpec::LeaveWhenQuiet(_) = spec.heartbeat {
                assert_ne!(spec.reconnect, ReconnectSpec::default(), "{}", spec.name);
                continue;
            }
            assert_eq!(spec.reconnect, ReconnectSpec::default(), "{}", spec.name);
            assert!(!heartbeats.contains(&spec.heartbeat), "{} repeats another preset", spec.name);
            heartbeats.push(spec.heartbeat);
        }
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
        let fixed = |name: &str| match find(name).unwrap().spec().heartbeat {
            HeartbeatSpec::Fixed(fixed) => {
                (fixed.interval.get().as_secs(), fixed.timeout.get().as_secs(), fixed.misses)
            }
            other => panic!("{name} is no fixed heartbeat: {other:?}"),
        };
        assert_eq!(fixed("netease-30-15"), (30, 15, 1));
        assert_eq!(fixed("qq-fixed-45"), (45, 15, 1));
        assert_eq!(fixed("weibo-120"), (120, 15, 1));
        assert_eq!(fixed("wechat-270"), (270, 15, 1));

        let keepalive = |name: &str| match find(name).unwrap().spec().heartbeat {
            HeartbeatSpec::TcpKeepalive(spec) => (spec.idle.get(), spec.interval.get(), spec.count, spec.user_timeout),
            other => panic!("{name} is no keepalive: {other:?}"),
        };
        let (linux_idle, interval) = (Duration::from_hours(2), Duration::from_secs(75));
        assert_eq!(keepalive("linux-keepalive"), (linux_idle, interval, 9, None));
        assert_eq!(keepalive("whatsapp-tcp-10s"), (Duration::from_secs(10), interval, 9, None));

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

    /// The defaults are the sources' numbers, and the presets spell them out.
    #[test]
    fn adaptive_presets_are_the_defaults_of_their_policies() {
        use crate::heartbeat::{
            Androidpn, CarsonAdaptive5, ChromiumGcm, MarsSmartHeartbeat, MicrogMcsAimd, Thread783, WechatSmart2013,
        };
        let expected = [
            ("mars-smart-heartbeat", HeartbeatSpec::MarsSmartHeartbeat(MarsSmartHeartbeat::default())),
            ("wechat-smart-2013", HeartbeatSpec::WechatSmart2013(WechatSmart2013::default())),
            ("androidpn-heartmanager", HeartbeatSpec::Androidpn(Androidpn::default())),
            ("chromium-gcm", HeartbeatSpec::ChromiumGcm(ChromiumGcm::default())),
            ("microg-mcs-aimd", HeartbeatSpec::MicrogMcsAimd(MicrogMcsAimd::default())),
            ("carson-adaptive-5", HeartbeatSpec::CarsonAdaptive5(CarsonAdaptive5::default())),
            ("thread783-halfrost", HeartbeatSpec::Thread783(Thread783::default())),
        ];
        for (name, heartbeat) in expected {
            assert_eq!(find(name).unwrap().spec().heartbeat, heartbeat, "{name}");
        }
    }
}
