//! A strategy: one heartbeat, one reconnect and one server policy under a name, as data.

use serde::{Deserialize, Serialize};

use crate::{
    Bounds, Frames, HeartbeatSpec, Mechanism, Need, PolicyRng, Problem, Promises, Reconnect, ReconnectRules,
    ReconnectSpec, ServerSpec, unit::Span,
};

/// What a client and its server do to keep a long-lived connection alive.
///
/// In a file, a TOML table; what is left out takes its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StrategySpec {
    /// The name it goes by in tables and on the command line: lower case, digits, `-`.
    pub name: String,
    /// What it is, in a sentence or two.
    #[serde(default)]
    pub about: String,
    /// Where the algorithm and its numbers come from.
    #[serde(default)]
    pub source: String,
    /// Parameters that the source does not give and that were chosen here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// The family of those that it is compared with, as in `"mqtt"`: lower case, digits, `-`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// How it is known that the product does this. Default: not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// How long an attempt may take, from SYN to the server's welcome. Default 10 s: what mobile applications commonly
    /// use.
    #[serde(default = "connect_timeout")]
    pub connect_timeout: Span,
    /// The sizes of its own frames. Default: those of the scenario.
    #[serde(default, skip_serializing_if = "is_default")]
    pub frames: Frames,
    /// The heartbeat policy.
    pub heartbeat: HeartbeatSpec,
    /// The reconnect policy. Default: `exponential` with its defaults.
    #[serde(default)]
    pub reconnect: ReconnectSpec,
    /// The rules around the reconnect policy. Default: none, but for the one that a server's word holds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reconnect_rules: ReconnectRules,
    /// The server's policy. Default: `none`.
    #[serde(default)]
    pub server: ServerSpec,
}

/// How it is known that a product does what its strategy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Evidence {
    /// The product was run, and its times compared with those of the strategy.
    Measured,
    /// Its source, its documentation or a report on it was read.
    Read,
    /// The numbers were chosen here, or are known from memory.
    Assumed,
}

impl Evidence {
    /// Returns it as files have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Read => "read",
            Self::Assumed => "assumed",
        }
    }
}

fn connect_timeout() -> Span {
    Span::secs(10)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a name may be, in words for whoever wrote another.
pub const NAME_RULE: &str = "use 1 to 64 lower-case letters, digits and `-`, a letter or digit first, and no name that Windows has for a device";

/// Returns whether `text` can be a name that tables, files and command lines take without quoting: of a scenario, a sweep, a
/// network, a family, a custom policy. See [`NAME_RULE`].
pub fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_port = |ports: &str| {
        text.strip_prefix(ports).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    let is_device = ["con", "prn", "aux", "nul"].contains(&text) || is_port("com") || is_port("lpt");
    (1..=64).contains(&text.len()) && text.bytes().all(is_part) && !text.starts_with('-') && !is_device
}

/// Returns whether `text` can be the name of a strategy: between digits it may have points, as versions have.
fn is_strategy_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_of_version = |place: usize| {
        let is_digit = |place: Option<usize>| place.and_then(|it| bytes.get(it)).is_some_and(u8::is_ascii_digit);
        is_digit(place.checked_sub(1)) && is_digit(Some(place + 1))
    };
    let points = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'.');
    is_name(&text.replace('.', "-")) && points.map(|(place, _)| place).all(is_of_version)
}

impl StrategySpec {
    /// Returns a strategy with this heartbeat and the defaults that files have. It is changed by `with_...`, or field by field.
    pub fn new(name: impl Into<String>, heartbeat: HeartbeatSpec) -> Self {
        Self {
            name: name.into(),
            about: String::new(),
            source: String::new(),
            assumptions: Vec::new(),
            family: None,
            evidence: None,
            connect_timeout: connect_timeout(),
            frames: Frames::default(),
            heartbeat,
            reconnect: ReconnectSpec::default(),
            reconnect_rules: ReconnectRules::default(),
            server: ServerSpec::default(),
        }
    }

    /// Sets how long an attempt may take.
    #[must_use]
    pub fn with_connect_timeout(self, connect_timeout: Span) -> Self {
        Self { connect_timeout, ..self }
    }

    /// Sets the sizes of its own frames.
    #[must_use]
    pub fn with_frames(self, frames: Frames) -> Self {
        Self { frames, ..self }
    }

    /// Sets the heartbeat policy.
    #[must_use]
    pub fn with_heartbeat(self, heartbeat: HeartbeatSpec) -> Self {
        Self { heartbeat, ..self }
    }

    /// Sets the reconnect policy.
    #[must_use]
    pub fn with_reconnect(self, reconnect: ReconnectSpec) -> Self {
        Self { reconnect, ..self }
    }

    /// Sets the rules around the reconnect policy.
    #[must_use]
    pub fn with_reconnect_rules(self, reconnect_rules: ReconnectRules) -> Self {
        Self { reconnect_rules, ..self }
    }

    /// Sets the server's policy.
    #[must_use]
    pub fn with_server(self, server: ServerSpec) -> Self {
        Self { server, ..self }
    }

    /// Returns every contradiction in the strategy; empty when it can run.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !is_strategy_name(&self.name) {
            problems.push(Problem::new(
                "name",
                format!("`{}` is not a strategy's name", self.name),
                format!("{NAME_RULE}, as in \"netease-30-15\""),
            ));
        }
        if let Some(family) = self.family.as_ref().filter(|family| !is_name(family)) {
            problems.push(Problem::new(
                "family",
                format!("`{family}` is not a family's name"),
                "use 1 to 64 lower-case letters, digits and `-`, as in \"mqtt\"",
            ));
        }
        problems.extend(self.frames.problems());
        problems.extend(self.heartbeat.problems());
        problems.extend(self.reconnect.problems());
        problems.extend(self.reconnect_rules.problems());
        problems.extend(self.server.problems());
        problems.extend(self.mixed_with_guest());
        problems
    }

    /// Returns the rules that stand beside a guest, which has its own.
    fn mixed_with_guest(&self) -> Vec<Problem> {
        let HeartbeatSpec::Guest(guest) = &self.heartbeat else { return Vec::new() };
        let rules = [
            ("connect_timeout", self.connect_timeout != connect_timeout()),
            ("frames", self.frames != Frames::default()),
            ("reconnect", self.reconnect != ReconnectSpec::default()),
            ("reconnect_rules", self.reconnect_rules != ReconnectRules::default()),
            ("server", self.server != ServerSpec::default()),
        ];
        let mixed = |(key, _): (&str, bool)| {
            let message = format!(
                "the guest `{}` is a program with rules of its own, and does not follow this one",
                guest.name()
            );
            Problem::new(key, message, "leave it out, or name a heartbeat policy in place of the guest")
        };
        rules.into_iter().filter(|(_, is_set)| *is_set).map(mixed).collect()
    }

    /// Returns what a client's side of the strategy asks of its host beyond reading, writing and a timer, with the keys that
    /// ask for it.
    pub fn needs(&self) -> Vec<Need> {
        let check = self.reconnect_rules.network_check;
        let check = check.map(|_| Need::new(Mechanism::NetworkCheck, "reconnect_rules.network_check"));
        self.heartbeat.needs().into_iter().chain(check).collect()
    }

    /// Returns the reconnect policy under its rules, ready to run, for a client that knows `servers` servers. The waits
    /// draw from the first generator, the rules from the second.
    pub fn build_reconnect(&self, servers: u32, waits: PolicyRng, rules: PolicyRng) -> Box<dyn Reconnect> {
        self.reconnect_rules.wrap(self.reconnect.build(waits), self.reconnect.reset(), servers, rules)
    }

    /// Returns the reconnect policy and its rules in words.
    pub fn describe_reconnect(&self) -> String {
        if let HeartbeatSpec::Guest(_) = self.heartbeat {
            return "Its own.".into();
        }
        let (waits, rules) = (self.reconnect.describe(), self.reconnect_rules.describe());
        if rules.is_empty() { waits } else { format!("{waits} {rules}") }
    }

    /// Returns what the reconnect policy under its rules guarantees within `bounds`, once the connection is known to be
    /// gone.
    pub fn reconnect_promises(&self, bounds: &Bounds) -> Promises {
        if let HeartbeatSpec::Guest(_) = self.heartbeat {
            return Promises::default();
        }
        let connect_timeout = self.connect_timeout.get();
        if self.reconnect_rules == ReconnectRules::default() {
            return self.reconnect.promises(bounds, connect_timeout);
        }
        let pace = self.reconnect.pace().map(|pace| self.reconnect_rules.pace(pace, bounds.servers));
        pace.map_or_else(Promises::default, |pace| pace.promises(bounds, connect_timeout))
    }

    /// Returns what the strategy as a whole guarantees within `bounds`.
    pub fn promises(&self, bounds: &Bounds) -> Promises {
        let mut heartbeat = self.heartbeat.promises(bounds);
        heartbeat.no_false_alarm &= bounds.patient_kernels;
        if !bounds.steady_host {
            // Late timers make everything late and crowd together, and a policy that begins anew has forgotten what it did.
            return Promises { no_false_alarm: heartbeat.no_false_alarm, ..Promises::default() };
        }
        let reconnect = self.reconnect_promises(bounds);
        // When the network comes back, the client may still hold a dead connection that it has to notice first.
        // Whom a busy server turns away, and how often, is the others' doing.
        let reconnects_within = heartbeat
            .detects_within
            .zip(reconnect.reconnects_within)
            .filter(|_| self.server.busy.is_none())
            .map(|(detect, reconnect)| detect + reconnect);
        Promises { attempts: reconnect.attempts, reconnects_within, ..heartbeat }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::bounds;

    fn read(text: &str) -> StrategySpec {
        toml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn paths(text: &str) -> Vec<String> {
        read(text).problems().into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn a_name_may_have_a_version_with_points() {
        for name in ["a", "grpc-core-1.85", "grpc-1.62.2-core"] {
            assert!(is_strategy_name(name), "{name}");
        }
        for name in ["", ".", "a.b", "a.toml", "1.", ".1", "1..2", "Grpc-1.62", "a/b"] {
            assert!(!is_strategy_name(name), "{name}");
        }
    }

    #[test]
    fn a_guest_stands_alone_and_promises_nothing() {
        let guest = "name = \"a\"\nheartbeat.guest = \"my-client\"";
        let spec = read(guest);
        assert_eq!(toml::from_str::<StrategySpec>(&toml::to_string(&spec).unwrap()).unwrap(), spec);
        assert_eq!(paths(guest), ["heartbeat.guest"], "nobody has looked it up");
        let mixed = "reconnect = \"immediate\"\nconnect_timeout = \"5s\"\nserver.idle-reaper = { idle = \"90s\", scan = \"5s\" }";
        assert_eq!(paths(&format!("{guest}\n{mixed}")), ["heartbeat.guest", "connect_timeout", "reconnect", "server"]);
        assert_eq!(spec.promises(&bounds()), Promises::default());
        assert_eq!(spec.needs(), []);
    }

    #[test]
    fn what_is_left_out_takes_its_default() {
        let spec = read("name = \"a\"\nheartbeat.fixed = { interval = \"30s\", timeout = \"15s\" }");
        assert_eq!(spec.connect_timeout, Span::secs(10));
        assert_eq!(spec.reconnect, ReconnectSpec::default());
        assert_eq!(spec.server, ServerSpec::default());
        let HeartbeatSpec::Fixed(fixed) = spec.heartbeat else { panic!("{:?}", spec.heartbeat) };
        assert_eq!(fixed.misses, 1);
    }

    #[test]
    fn what_a_strategy_needs_of_its_host_is_named_by_its_key() {
        let needs = |heartbeat: &str| {
            let rule = "reconnect_rules.network_check = {}";
            let needs = read(&format!("name = \"a\"\nheartbeat.{heartbeat}\n{rule}")).needs();
            needs.into_iter().map(|need| (need.mechanism, need.path)).collect::<Vec<_>>()
        };
        let own = |mechanism, path: &str| (mechanism, path.to_owned());
        let check = own(Mechanism::NetworkCheck, "reconnect_rules.network_check");
        assert_eq!(needs("fixed = { interval = \"30s\", timeout = \"15s\" }"), std::slice::from_ref(&check));
        let keepalive = "tcp-keepalive = { idle = \"2m\", interval = \"10s\", count = 4, user_timeout = \"30s\" }";
        let of_keepalive = [
            own(Mechanism::Keepalive, "heartbeat.tcp-keepalive"),
            own(Mechanism::UserTimeout, "heartbeat.tcp-keepalive.user_timeout"),
            check.clone(),
        ];
        assert_eq!(needs(keepalive), of_keepalive);
        let grid = "composed = { schedule.grid = { interval = \"30s\" }, judge.reply = { timeout = \"9s\" }";
        let of_race = [own(Mechanism::Race, "heartbeat.composed.when_dead"), check.clone()];
        assert_eq!(needs(&format!("{grid}, when_dead = \"race\" }}")), of_race);
        let of_diagnosis = [own(Mechanism::LastHeard, "heartbeat.composed.when_dead"), check];
        assert_eq!(needs(&format!("{grid}, when_dead = \"diagnose\" }}")), of_diagnosis);
    }

    #[test]
    fn every_policy_reads_every_key_and_survives_a_round_trip() {
        let heartbeats = [
            r#"heartbeat = "none""#,
            r#"heartbeat.fixed = { interval = "30s", timeout = "15s", misses = 2, first_beat = "random-phase", late_reply = "ignored" }"#,
            r#"heartbeat.idle = { threshold = "45s", anchor = "either", timeout = "15s", misses = 3 }"#,
            r#"heartbeat.tcp-keepalive = { idle = "2m", interval = "10s", count = 4, user_timeout = "30s" }"#,
            r#"heartbeat.known-nat-timeout = { margin = "2s", max_interval = "10m", misses = 2 }"#,
            r#"heartbeat.leave-when-quiet = { after = "2s" }"#,
            r#"heartbeat.composed = { schedule.grid = { interval = "30s" }, judge.reply = { timeout = { first = "1s", floor = "200ms", cap = "30s", granularity = "4ms" }, misses = 3 } }"#,
            r#"heartbeat.composed = { schedule.grid = { interval = "30s" }, judge.freshness = { detector.chen = { margin = "5s", window = 32 }, give_up_after = "10s", local_pause = "5s" } }"#,
            r#"heartbeat.composed = { schedule = "peer-sends", judge.freshness = { detector.two-window = { margin = "5s", short = 1, long = 1000 }, fed_by = { pings = "25s" } } }"#,
            r#"heartbeat.composed = { schedule.grid = { interval = "30s" }, judge.freshness = { detector.bertier = { window = 100, gamma = 0.1, beta = 1.0, phi = 4.0, first_margin = "2s" } } }"#,
            r#"heartbeat.composed = { schedule.grid = { interval = "30s" }, judge.freshness = { detector.phi = { threshold = 8.0, window = 100, min_deviation = "0s", pause = "3s", tail = "logistic", learns_mistakes = false } } }"#,
            r#"heartbeat.composed = { schedule.grid = { interval = "30s" }, judge.freshness = { detector.cassandra = { threshold = 12.0, window = 100 } } }"#,
            r#"heartbeat.composed = { schedule.grid = { interval = "30s" }, judge.freshness = { detector.weibull = { threshold = 8.0, shape = 2.0, window = 100 } } }"#,
            r#"heartbeat.composed = { schedule.checks = { every = "60s" }, judge.silence = { limit = "60s", while_awaiting = true }, user_timeout = "20s", close_timeout = "10s" }"#,
            r#"heartbeat.composed = { schedule.grid = { interval = "30s", unless_sent = true }, judge.looks = { every = "60s", silent = 2 }, most_without_data = 2, throttled_without_data = "1m" }"#,
            r#"heartbeat.composed = { schedule = "peer-sends", judge.silence = { limit = "6s", look = { every = "6s", longest = "12s" } }, beat_on = ["connected"] }"#,
            r#"heartbeat.mars-smart-heartbeat = { min = "200s", max = "500s", step = "50s", success_step = "10s", base_successes = 4, max_failures = 3, short_beats = 2, reprobe_after = "6d", records = 10, timeout = "7s", late_timeout = "4s", late_after = "10m", inactive_after = "5m", doze_slack = "10s", fixed = "100s", until_told = "active", alarm_never_fires = true }"#,
            r#"heartbeat.wechat-smart-2013 = { min = "200s", max = "500s", step = "50s", margin = "10s", short_beats = 2, search_failures = 3, stable_tests = 4, timeout = "7s", inactive_after = "5m", research_on = "friday", time_zero = "sunday", until_told = "active" }"#,
            r#"heartbeat.androidpn = { min = "6s", cellular_max = "4m", wifi_max = "6m", step = "6s", margin = "3s", threshold = 4, foreground = "30s", background = "250s", timeout = "5s" }"#,
            r#"heartbeat.chromium-gcm = { cellular = "20m", wifi = "10m", client = "5m", ack_timeout = "30s", resume_after = "20s" }"#,
            r#"heartbeat.microg-mcs-aimd = { min = "200s", max = "800s", growth = 1.1, shrink = 0.9, ack_timeout = "60s", fixed = "5m" }"#,
            r#"heartbeat.carson-adaptive-5 = { start = "3m", step = "30s", failures = 4, timeout = "10s", reconnect_each_failure = false, when = "background" }"#,
            r#"heartbeat.thread783 = { start = "120s", step = "20s", drop = "15s", restart_after = 4, grow_after_drop = true, timeout = "10s" }"#,
        ];
        let reconnects = [
            r#"reconnect = "immediate""#,
            r#"reconnect.fixed-delay = { delay = "5s" }"#,
            r#"reconnect.exponential = { base = "1s", factor = 1.6, cap = "2m", jitter = { proportional = 0.2 }, delay_from = "attempt-start", reset = { uptime = "10s" } }"#,
            r#"reconnect.exponential = { jitter = "decorrelated", delay_from = "failure", reset = "connected" }"#,
            r#"reconnect.on-call = { base = "2s" }"#,
            r#"reconnect.exponential = { cap_at = "both", jitter = { added = "1s" }, first_exact = true, scale = { least = 1.5, most = 3.0 }, reset = "established", after_loss = "1s" }"#,
            r#"reconnect.linear = { base = "1s", cap = "30s", jitter = { below = 0.25 }, delay_from = "failure", reset = "connected", after_loss = "0s" }"#,
            r#"reconnect.steps = { waits = ["0s", "2s"], then = "give-up", jitter = { backo2 = 0.5 }, scale = { least = 2, most = 14, whole = true }, delay_from = "attempt-start", reset = "connected", after_loss = "100ms" }"#,
            r#"reconnect.courier-retry = { fixed = "5s", random = "15s", threshold = 10, cap = "3m", reset = { uptime = "5m" } }"#,
            r#"reconnect.actioncable-poll = { least = "3s", most = "30s", stale = "6s", last_ping = "3s", reopen = "0s", backoff = { rate = 0.2, attempts_most = 5, first_jitter = 0.5 } }"#,
            r#"reconnect.exponential = { flat_for = 11, compounds = true, minimum = "500ms", first_added = "2m", first_at_once = true }"#,
            r#"reconnect.steps = { waits = ["1s"], first_added = "2m" }"#,
            r#"reconnect.mars-longlink-monitor = { inactive_after = "10m" }"#,
        ];
        let servers = [r#"server = "none""#, r#"server.idle-reaper = { idle = "10m", scan = "5s" }"#];
        for heartbeat in heartbeats {
            for reconnect in reconnects {
                for server in servers {
                    let spec = read(&format!("name = \"a\"\n{heartbeat}\n{reconnect}\n{server}\n"));
                    assert_eq!(spec.problems(), Vec::new());
                    assert_eq!(read(&toml::to_string(&spec).unwrap()), spec);
                }
            }
        }
    }

    #[test]
    fn every_rule_reads_every_key_and_survives_a_round_trip() {
        for rules in [
            r#"{ network_change = "at-once", rotation = "stay", when_hidden = "pause" }"#,
            r#"{ network_change = "canary", rotation = { full-pass = { between = "1s" } } }"#,
            r#"{ rotation = "from-first", give_up = { attempts = 10, attempts_per_server = 60, time = "10m" } }"#,
            r#"{ retry_limit = { by = { budget = { ttl = "10s", reserve_per_s = 0.5, ratio = 0.2 } }, denied = "stop" } }"#,
            r"{ retry_limit = { by = { quota = { capacity = 500, cost = 5, timeout_cost = 10 } } } }",
            r#"{ retry_limit = { by = { throttle = { max_tokens = 10, token_ratio = 0.1 } }, denied = { fresh-after = "1m" } } }"#,
            r"{ circuit_breaker = { trip = { consecutive = 5 } } }",
            r#"{ circuit_breaker = { trip = { window = { attempts = 10, at_least = 5, failures = 0.5 } }, open = "1m", trials = 3 } }"#,
            r#"{ server_ban = { failures = 3, ban = "6m", longest = "30m" } }"#,
            r#"{ network_check = { first = "3s", every = "10s", successes = 3 } }"#,
            "{}",
        ] {
            let spec = read(&format!("name = \"a\"\nheartbeat = \"none\"\nreconnect_rules = {rules}\n"));
            assert_eq!(spec.problems(), Vec::new());
            assert_eq!(read(&toml::to_string(&spec).unwrap()), spec);
        }
    }

    #[test]
    fn the_state_machine_in_words_has_every_number_that_the_file_gave() {
        let heartbeats = [
            ("fixed = { interval = \"31s\", timeout = \"17s\", misses = 3 }", vec!["31s", "17s", "3 in a row"]),
            ("fixed = { interval = \"31s\", timeout = \"17s\" }", vec!["31s", "17s", "first miss"]),
            (
                "idle = { threshold = \"31s\", anchor = \"rx\", timeout = \"17s\", misses = 3 }",
                vec!["received for 31s", "17s", "3 in a row"],
            ),
            ("idle = { threshold = \"31s\", anchor = \"tx\" }", vec!["sent for 31s", "never gives"]),
            ("tcp-keepalive = { idle = \"2m\", interval = \"11s\", count = 4 }", vec!["2m", "11s", "4 probes"]),
            ("tcp-keepalive = { idle = \"2m\", interval = \"11s\", user_timeout = \"31s\" }", vec!["2m", "11s", "31s"]),
            (
                "known-nat-timeout = { margin = \"3s\", max_interval = \"11m\", misses = 4 }",
                vec!["3s", "11m", "4 in a row"],
            ),
            ("leave-when-quiet = { after = \"7s\" }", vec!["7s"]),
        ];
        for (text, words) in heartbeats {
            let told = read(&format!("name = \"a\"\nheartbeat.{text}")).heartbeat.describe();
            for word in words {
                assert!(told.contains(word), "{word}: {told}");
            }
        }
        let reconnects = [
            ("\"immediate\"", vec!["at once"]),
            ("{ fixed-delay = { delay = \"7s\" } }", vec!["7s"]),
            (
                "{ exponential = { base = \"3s\", factor = 1.5, cap = \"70s\" } }",
                vec!["3s", "1.5 times", "1m10s", "zero and that"],
            ),
            ("{ exponential = { jitter = { proportional = 0.2 }, reset = { uptime = \"9s\" } } }", vec!["20 %", "9s"]),
            (
                "{ exponential = { base = \"3s\", jitter = \"decorrelated\", delay_from = \"attempt-start\" } }",
                vec!["3s", "three times", "from the start of the attempt"],
            ),
            ("{ on-call = { base = \"3s\" } }", vec!["3s", "on purpose"]),
        ];
        for (text, words) in reconnects {
            let told = read(&format!("name = \"a\"\nheartbeat = \"none\"\nreconnect = {text}")).reconnect.describe();
            for word in words {
                assert!(told.contains(word), "{word}: {told}");
            }
        }
        let waits = [
            ("linear = { base = \"3s\", cap = \"70s\" }", vec!["3s longer", "1m10s", "exactly"]),
            ("steps = { waits = [\"3s\", \"7s\"], then = \"give-up\" }", vec!["3s, 7s", "gives up"]),
            ("steps = { waits = [\"3s\"], jitter = { added = \"1s\" }, after_loss = \"9ms\" }", vec!["1s more", "9ms"]),
            (
                "exponential = { scale = { least = 2, most = 14, whole = true }, first_exact = true }",
                vec!["2 to 14", "exact"],
            ),
            ("exponential = { jitter = { below = 0.25 }, cap_at = \"both\" }", vec!["25 % less", "cut off too"]),
            (
                "exponential = { jitter = { backo2 = 0.5 }, cap_at = \"after-jitter\" }",
                vec!["50 %", "only what is drawn"],
            ),
            ("courier-retry = { threshold = 11 }", vec!["11 retries", "15s", "3m", "5m"]),
            ("actioncable-poll = { stale = \"7s\" }", vec!["3s", "30s", "7s"]),
            ("mars-longlink-monitor = { inactive_after = \"11m\" }", vec!["11m", "15 s"]),
        ]
        .map(|(text, words)| (format!("reconnect.{text}"), words));
        let rules = [
            ("network_change = \"at-once\"", vec!["anew"]),
            ("network_change = \"canary\"", vec!["one attempt"]),
            ("rotation = \"stay\"", vec!["same server"]),
            ("rotation = \"from-first\"", vec!["first server"]),
            ("rotation.full-pass = { between = \"7s\" }", vec!["7s", "each has been tried"]),
            ("give_up = { attempts = 7, time = \"9m\" }", vec!["7 attempts or 9m"]),
            ("when_hidden = \"pause\"", vec!["foreground"]),
            (
                "retry_limit = { by = { budget = { ttl = \"7s\" } }, denied = { fresh-after = \"9m\" } }",
                vec!["7s", "9m"],
            ),
            ("retry_limit.by.quota = { capacity = 70 }", vec!["70", "5 each", "stops"]),
            ("retry_limit.by.throttle = { max_tokens = 7 }", vec!["7 tokens", "0.1"]),
            ("circuit_breaker = { trip = { consecutive = 7 }, open = \"9m\" }", vec!["7 failures", "9m", "1 on trial"]),
            ("circuit_breaker.trip.window = { attempts = 170 }", vec!["0.5", "100 to 170"]),
            ("server_ban = { failures = 4 }", vec!["4 failures", "6m", "30m"]),
            ("network_check = { successes = 7 }", vec!["7 checks", "10s"]),
        ]
        .map(|(text, words)| (format!("[reconnect_rules]\n{text}"), words));
        for (text, words) in waits.into_iter().chain(rules) {
            let told = read(&format!("name = \"a\"\nheartbeat = \"none\"\n{text}")).describe_reconnect();
            for word in words {
                assert!(told.contains(word), "{word}: {told}");
            }
        }
        let told = read("name = \"a\"\nheartbeat = \"none\"\nserver.idle-reaper = { idle = \"9m\", scan = \"7s\" }")
            .server
            .describe();
        assert!(told.contains("9m") && told.contains("7s"), "{told}");
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        for line in [
            "hart = 1",
            r#"heartbeat.fixed = { interval = "30s", timeout = "15s", hart = 1 }"#,
            r#"heartbeat.idle = { threshold = "45s", anchor = "tx", hart = 1 }"#,
            "heartbeat.tcp-keepalive = { hart = 1 }",
            "heartbeat.known-nat-timeout = { hart = 1 }",
            r#"heartbeat.leave-when-quiet = { after = "2s", hart = 1 }"#,
            r#"heartbeat.composed = { schedule = "peer-sends", judge.reply.timeout = { hart = 1 } }"#,
            r#"heartbeat.composed = { schedule = "peer-sends", judge.freshness = { hart = 1 } }"#,
            r#"heartbeat.composed = { schedule = "peer-sends", judge.freshness.detector.chen = { hart = 1 } }"#,
            r#"heartbeat.composed = { schedule = "peer-sends", judge.freshness.detector.two-window = { hart = 1 } }"#,
            r#"heartbeat.composed = { schedule = "peer-sends", judge.freshness.detector.bertier = { hart = 1 } }"#,
            r#"heartbeat.composed = { schedule = "peer-sends", judge.freshness.detector.phi = { hart = 1 } }"#,
            r#"heartbeat.composed = { schedule = "peer-sends", judge.freshness.detector.cassandra = { hart = 1 } }"#,
            r#"heartbeat.composed = { schedule = "peer-sends", judge.freshness.detector.weibull = { hart = 1 } }"#,
            "heartbeat.mars-smart-heartbeat = { hart = 1 }",
            "heartbeat.wechat-smart-2013 = { hart = 1 }",
            "heartbeat.androidpn = { hart = 1 }",
            "heartbeat.chromium-gcm = { hart = 1 }",
            "heartbeat.microg-mcs-aimd = { hart = 1 }",
            "heartbeat.carson-adaptive-5 = { hart = 1 }",
            "heartbeat.thread783 = { hart = 1 }",
            r#"reconnect.fixed-delay = { delay = "1s", hart = 1 }"#,
            "reconnect.exponential = { hart = 1 }",
            "reconnect.on-call = { hart = 1 }",
            "reconnect.exponential = { scale = { least = 1.0, most = 2.0, hart = 1 } }",
            "reconnect.linear = { hart = 1 }",
            r#"reconnect.steps = { waits = ["1s"], hart = 1 }"#,
            "reconnect.courier-retry = { hart = 1 }",
            "reconnect.actioncable-poll = { hart = 1 }",
            "reconnect.mars-longlink-monitor = { hart = 1 }",
            "reconnect_rules = { hart = 1 }",
            "reconnect_rules.rotation.full-pass = { hart = 1 }",
            "reconnect_rules.give_up = { hart = 1 }",
            "reconnect_rules.retry_limit = { by = { quota = {} }, hart = 1 }",
            "reconnect_rules.retry_limit.by.budget = { hart = 1 }",
            "reconnect_rules.retry_limit.by.quota = { hart = 1 }",
            "reconnect_rules.retry_limit.by.throttle = { hart = 1 }",
            "reconnect_rules.circuit_breaker = { trip = { consecutive = 5 }, hart = 1 }",
            "reconnect_rules.circuit_breaker.trip.window = { hart = 1 }",
            "reconnect_rules.server_ban = { hart = 1 }",
            "reconnect_rules.network_check = { hart = 1 }",
            r#"server.idle-reaper = { idle = "1m", hart = 1 }"#,
        ] {
            let heartbeat = if line.starts_with("heartbeat") { "" } else { "heartbeat = \"none\"" };
            let error = toml::from_str::<StrategySpec>(&format!("name = \"a\"\n{heartbeat}\n{line}\n")).unwrap_err();
            assert!(error.to_string().contains("unknown field `hart`"), "{error}");
        }
    }

    #[test]
    fn contradictions_point_at_the_key_to_change() {
        let cases = [
            (r#"heartbeat.fixed = { interval = "30s", timeout = "31s" }"#, "heartbeat.fixed.timeout"),
            (r#"heartbeat.fixed = { interval = "30s", timeout = "15s", misses = 0 }"#, "heartbeat.fixed.misses"),
            (r#"heartbeat.fixed = { interval = "30s", timeout = "15s", misses = 1001 }"#, "heartbeat.fixed.misses"),
            (r#"heartbeat.idle = { threshold = "30s", anchor = "rx", timeout = "31s" }"#, "heartbeat.idle.timeout"),
            (r#"heartbeat.idle = { threshold = "30s", anchor = "rx", misses = 0 }"#, "heartbeat.idle.misses"),
            ("heartbeat.tcp-keepalive = { count = 128 }", "heartbeat.tcp-keepalive.count"),
            (r#"heartbeat.tcp-keepalive = { idle = "10h" }"#, "heartbeat.tcp-keepalive.idle"),
            (r#"heartbeat.tcp-keepalive = { interval = "10h" }"#, "heartbeat.tcp-keepalive.interval"),
            ("heartbeat.known-nat-timeout = { misses = 0 }", "heartbeat.known-nat-timeout.misses"),
            ("heartbeat = \"none\"\nreconnect.exponential = { factor = 0.5 }", "reconnect.exponential.factor"),
            ("heartbeat = \"none\"\nreconnect.exponential = { factor = nan }", "reconnect.exponential.factor"),
            ("heartbeat = \"none\"\nreconnect.exponential = { cap = \"500ms\" }", "reconnect.exponential.cap"),
            (r#"heartbeat.mars-smart-heartbeat = { min = "10m" }"#, "heartbeat.mars-smart-heartbeat.max"),
            (r#"heartbeat.wechat-smart-2013 = { min = "10m" }"#, "heartbeat.wechat-smart-2013.max"),
            (r#"heartbeat.wechat-smart-2013 = { timeout = "5m" }"#, "heartbeat.wechat-smart-2013.timeout"),
            ("heartbeat.wechat-smart-2013 = { search_failures = 0 }", "heartbeat.wechat-smart-2013.search_failures"),
            ("heartbeat.androidpn = { threshold = 1001 }", "heartbeat.androidpn.threshold"),
            (r#"heartbeat.chromium-gcm = { client = "1h" }"#, "heartbeat.chromium-gcm.client"),
            (r#"heartbeat.microg-mcs-aimd = { min = "20m" }"#, "heartbeat.microg-mcs-aimd.max"),
            (r#"heartbeat.carson-adaptive-5 = { timeout = "5m" }"#, "heartbeat.carson-adaptive-5.timeout"),
            ("heartbeat.carson-adaptive-5 = { failures = 0 }", "heartbeat.carson-adaptive-5.failures"),
            ("heartbeat.thread783 = { restart_after = 0 }", "heartbeat.thread783.restart_after"),
            (
                "heartbeat.fixed = { interval = \"30s\", timeout = \"15s\" }\n[server.idle-reaper]\nidle = \"9s\"\n\
                 times_announced = 1.0",
                "server.idle-reaper.times_announced",
            ),
        ];
        for (text, path) in cases {
            assert_eq!(paths(&format!("name = \"a\"\n{text}\n")), [path], "{text}");
        }
        assert_eq!(paths("name = \"Nope!\"\nheartbeat = \"none\""), ["name"]);
    }

    #[test]
    fn contradictions_of_reconnect_policies_name_the_key_and_a_valid_value() {
        let cases = [
            ("reconnect.linear = { base = \"2m\" }", "linear.cap", "\"2m\""),
            ("reconnect.linear = { jitter = \"decorrelated\" }", "linear.jitter", "\"full\""),
            ("reconnect.steps = { waits = [] }", "steps.waits", "[\"1s\"]"),
            ("reconnect.steps = { waits = [\"2s\", \"0s\"] }", "steps.waits", "\"1ms\""),
            ("reconnect.steps = { waits = [\"2s\"], jitter = \"decorrelated\" }", "steps.jitter", "\"full\""),
            ("reconnect.steps = { waits = [\"1s\"], scale = { least = 0, most = 2 } }", "steps.scale", "1.0"),
            ("reconnect.exponential = { scale = { least = 5.0, most = 2.0 } }", "exponential.scale", "5 to 1000"),
            (
                "reconnect.exponential = { scale = { least = 1.5, most = 2.5, whole = true } }",
                "exponential.scale",
                "2 and 3",
            ),
            ("reconnect.exponential = { scale = { least = 1.0, most = 200.0 } }", "exponential.cap", "\"3m20s\""),
            ("reconnect.courier-retry = { cap = \"4s\" }", "courier-retry.cap", "\"5s\""),
            ("reconnect.courier-retry = { random = \"1500ms\" }", "courier-retry.random", "\"2s\""),
            ("reconnect.actioncable-poll = { most = \"1s\" }", "actioncable-poll.most", "\"3s\""),
        ];
        let rules = [
            ("give_up = {}", "give_up", "attempts = 10"),
            ("give_up.attempts = 0", "give_up.attempts", "1 or more"),
            ("give_up.attempts_per_server = 0", "give_up.attempts_per_server", "1 or more"),
            ("retry_limit.by.budget.reserve_per_s = -1.0", "retry_limit.by.budget.reserve_per_s", "10.0"),
            ("retry_limit.by.quota.capacity = 7", "retry_limit.by.quota.capacity", "10 or more"),
            ("retry_limit.by.throttle.max_tokens = 0", "retry_limit.by.throttle.max_tokens", "use 1"),
            ("retry_limit.by.throttle.token_ratio = 0.0", "retry_limit.by.throttle.token_ratio", "0.1"),
            ("circuit_breaker.trip.consecutive = 0", "circuit_breaker.trip.consecutive", "use 5"),
            ("circuit_breaker = { trip = { consecutive = 5 }, trials = 0 }", "circuit_breaker.trials", "use 1"),
            ("circuit_breaker.trip.window = { attempts = 0 }", "circuit_breaker.trip.window.attempts", "use 1"),
            ("circuit_breaker.trip.window = { attempts = 50 }", "circuit_breaker.trip.window.at_least", "1 to 50"),
            ("circuit_breaker.trip.window = { failures = 0 }", "circuit_breaker.trip.window.failures", "0.5"),
            ("server_ban.failures = 9", "server_ban.failures", "use 8"),
            ("server_ban.longest = \"1m\"", "server_ban.longest", "\"6m\""),
            ("network_check.successes = 0", "network_check.successes", "use 1"),
        ];
        let reconnects = cases.map(|(text, path, help)| (text.to_owned(), format!("reconnect.{path}"), help));
        let of_rules = rules
            .map(|(text, path, help)| (format!("[reconnect_rules]\n{text}"), format!("reconnect_rules.{path}"), help));
        for (text, path, help) in reconnects.into_iter().chain(of_rules) {
            let problems = read(&format!("name = \"a\"\nheartbeat = \"none\"\n{text}\n")).problems();
            let [problem] = &problems[..] else { panic!("{text}: {problems:?}") };
            assert_eq!(problem.path, path, "{text}");
            assert!(problem.help.contains(help), "{problem:?}");
        }
    }

    #[test]
    fn jitter_above_one_is_no_jitter() {
        for jitter in ["proportional", "below", "backo2"] {
            let text = format!("name = \"a\"\nheartbeat = \"none\"\nreconnect.exponential.jitter.{jitter} = 1.5");
            let error = toml::from_str::<StrategySpec>(&text).unwrap_err();
            assert!(error.to_string().contains("1.5 is outside 0 to 1"), "{error}");
        }
    }

    #[test]
    fn a_dead_connection_has_to_be_noticed_before_it_is_replaced() {
        let bounds = bounds();
        let beating = read("name = \"a\"\nheartbeat.fixed = { interval = \"30s\", timeout = \"15s\" }");
        // 45 s to notice, 10 s for an attempt that fails, 120 s of backoff, 1 s to connect.
        assert_eq!(beating.promises(&bounds).reconnects_within, Some(Duration::from_secs(45 + 10 + 120 + 1)));
        let mute = read("name = \"a\"\nheartbeat = \"none\"");
        assert_eq!(mute.promises(&bounds).reconnects_within, None);
    }
}
