//! A world small enough to be read: what the generator draws, what shrinking makes simpler, and the scenario file that says
//! it. The file is what is run, so that what a counterexample says and what happened cannot differ.
//!
//! Everything is given but jitter: faults come at times, links have constant delays, or each packet takes longer by up to
//! a jitter.

use std::{fmt::Write as _, time::Duration};

use cardiogram_policies::unit::{Delay, Span, format_duration};
use cardiogram_scenarios::replay::Replay;
use cardiogram_sim::config::{FaultConfig, NatClass, NatRefresh, When};
use serde::Deserialize as _;
use toml::{Table, Value};

/// What a NAT does that a file says nothing of: RFC 5382's 2 h 4 min.
const NAT_DEFAULT: Duration = Duration::from_secs(7_440);
/// Longer than most runs, and than all of them.
const NEVER: [Duration; 2] = [Duration::from_secs(86_400), Duration::from_secs(30 * 86_400)];

/// A world without its strategy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    /// How long the run lasts.
    pub(crate) duration: Duration,
    /// How many devices.
    pub(crate) devices: u32,
    /// The devices start within this time.
    pub(crate) start_within: Duration,
    /// One-way delay between device and NAT.
    pub(crate) access: Duration,
    /// How much longer than that a packet may take, each as likely as the other; `None`: all take the same time.
    pub(crate) jitter: Option<Duration>,
    /// One-way delay between NAT and server.
    pub(crate) core: Duration,
    /// Idle time after which the NAT forgets a mapping; `None`: never within the run.
    pub(crate) nat_timeout: Option<Duration>,
    /// What keeps a mapping.
    pub(crate) nat_refresh: NatRefresh,
    /// What follows its end.
    pub(crate) nat_class: NatClass,
    /// How many servers.
    pub(crate) servers: u32,
    /// Mean time between messages from a device; `None`: it sends none.
    pub(crate) up: Option<Duration>,
    /// Mean time between messages to a device; `None`: it gets none.
    pub(crate) down: Option<Duration>,
    /// Alarms in the background are put off to a multiple of this.
    pub(crate) alarm_grid: Option<Duration>,
    /// How long after the start the devices doze, for the rest of the run but for its maintenance windows.
    pub(crate) doze_after: Option<Duration>,
    /// What goes wrong.
    pub(crate) strikes: Vec<Strike>,
}

/// A fault at given times.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strike {
    /// What goes wrong; its own times and lengths count for nothing where these here say something.
    pub(crate) what: FaultConfig,
    /// When it begins, each time.
    pub(crate) at: Vec<Duration>,
    /// How long it lasts each time; `None`: as [`FaultConfig::struck`] has it.
    pub(crate) lasts: Option<Duration>,
}

/// What stands at the head of a file.
pub(crate) struct Heading<'a> {
    /// The scenario's name.
    pub(crate) name: &'a str,
    /// What it shows, in a sentence.
    pub(crate) about: &'a str,
    /// The strategy as the file names it: a preset, or a path.
    pub(crate) strategy: &'a str,
    /// Lines of comment above everything.
    pub(crate) comment: &'a str,
}

impl Draft {
    /// Takes out what makes timers late or ends a process.
    pub(crate) fn steady_the_host(&mut self) {
        (self.alarm_grid, self.doze_after) = (None, None);
        self.strikes.retain(|strike| !strike.what.kind().stops_devices());
    }

    /// Returns the scenario file of this world.
    pub(crate) fn to_toml(&self, heading: &Heading<'_>, replay: Option<&Replay>) -> String {
        let mut text = String::new();
        for line in heading.comment.lines() {
            push(&mut text, format!("# {line}").trim_end());
        }
        if !heading.comment.is_empty() {
            text.push('\n');
        }
        let word = |text: &str| Value::from(text).to_string();
        push(&mut text, &format!("name = {}", word(heading.name)));
        if !heading.about.is_empty() {
            push(&mut text, &format!("about = {}", word(heading.about)));
        }
        push(&mut text, &format!("strategies = [{}]", word(heading.strategy)));
        push(&mut text, &format!("duration = {}", quoted(self.duration)));
        let delay = self.jitter.map_or_else(
            || quoted(self.access),
            |jitter| {
                let (min, max) = (quoted(self.access), quoted(self.access + jitter));
                format!("{{ uniform = {{ min = {min}, max = {max} }} }}")
            },
        );
        push(&mut text, &format!("access = {{ delay = {delay} }}"));
        push(&mut text, &format!("core = {{ delay = {} }}", quoted(self.core)));
        let nat = self.nat();
        if !nat.is_empty() {
            push(&mut text, &format!("nat = {{ {nat} }}"));
        }
        if self.servers > 1 {
            push(&mut text, &format!("server = {{ count = {} }}", self.servers));
        }
        let traffic: Vec<String> = [("up", self.up), ("down", self.down)]
            .into_iter()
            .filter_map(|(way, mean)| Some(format!("{way} = {}", quoted(mean?))))
            .collect();
        if !traffic.is_empty() {
            push(&mut text, &format!("traffic = {{ {} }}", traffic.join(", ")));
        }
        let grid = self.alarm_grid.map(|grid| format!("alarm_grid = {}", quoted(grid)));
        let doze = self.doze_after.map(|after| format!("doze = {{ after = {} }}", quoted(after)));
        let life: Vec<String> = grid.into_iter().chain(doze).collect();
        if !life.is_empty() {
            push(&mut text, &format!("life = {{ {} }}", life.join(", ")));
        }
        let start = quoted(self.start_within);
        push(&mut text, &format!("devices = {{ count = {}, start_within = {start} }}", self.devices));
        for strike in &self.strikes {
            push(&mut text, &format!("\n[[faults]]\n{}", strike.to_toml()));
        }
        if let Some(replay) = replay {
            let promise = Value::try_from(&replay.promise).expect("a promise is plain data");
            // A seed may be larger than what the format calls an integer.
            push(&mut text, &format!("\n[replay]\nseed = {}", replay.seed));
            push(&mut text, &format!("trace_hash = {}", word(&replay.trace_hash)));
            push(&mut text, &format!("promise = {promise}"));
        }
        text
    }

    fn nat(&self) -> String {
        // What is not said lasts longer than most runs.
        let never = NEVER.into_iter().find(|never| *never > self.duration).filter(|_| self.duration >= NAT_DEFAULT);
        let mut keys: Vec<String> = self
            .nat_timeout
            .or(never)
            .map(|timeout| format!("established = {}", quoted(timeout)))
            .into_iter()
            .collect();
        if self.nat_refresh != NatRefresh::Both {
            keys.push(format!("refresh = {}", Value::try_from(self.nat_refresh).expect("a word")));
        }
        if self.nat_class != NatClass::DropSilent {
            keys.push(format!("after_expiry = {}", Value::try_from(self.nat_class).expect("a word")));
        }
        keys.join(", ")
    }
}

impl Strike {
    /// Returns the fault as a world has it.
    pub(crate) fn fault(&self) -> FaultConfig {
        let delay = |at: &Duration| Delay::new(*at).expect("a draft's times are those of files");
        self.what.clone().struck(When::At(self.at.iter().map(delay).collect()), self.lasts.map(Span::at_least))
    }

    /// Returns the fault as files have it: its kind, and its keys but for those that have their default.
    pub(crate) fn keys(&self) -> (&'static str, Table) {
        let fault = self.fault();
        let kind = fault.kind().name();
        let Ok(Value::Table(mut table)) = Value::try_from(&fault).map(brief) else {
            unreachable!("a fault is a table")
        };
        let Some(Value::Table(mut keys)) = table.remove(kind) else { unreachable!("with a table for its kind") };
        for key in keys.clone().keys() {
            let mut fewer = keys.clone();
            fewer.remove(key);
            if read(kind, fewer.clone()).as_ref() == Some(&fault) {
                keys = fewer;
            }
        }
        (kind, keys)
    }

    fn to_toml(&self) -> String {
        let (kind, mut keys) = self.keys();
        let when = keys.remove("when").expect("every fault strikes at some time");
        let mut text = format!("{kind} = {{ when = {when}");
        for (key, value) in keys {
            write!(text, ", {key} = {value}").expect("strings take everything");
        }
        text + " }"
    }
}

/// Returns the fault of these keys; `None` where there is none.
pub(crate) fn read(kind: &str, keys: Table) -> Option<FaultConfig> {
    FaultConfig::deserialize(Value::from(Table::from_iter([(kind.to_owned(), Value::Table(keys))]))).ok()
}

/// Returns the value with constants as people write them, rather than as tables.
fn brief(value: Value) -> Value {
    match value {
        Value::Table(mut table) => match table.remove("constant") {
            Some(constant) => constant,
            None => Value::Table(table.into_iter().map(|(key, value)| (key, brief(value))).collect()),
        },
        other => other,
    }
}

fn push(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("strings take everything");
}

/// Returns a duration as files have it.
fn quoted(span: Duration) -> String {
    format!("\"{}\"", format_duration(span))
}

#[cfg(test)]
mod tests {
    use cardiogram_scenarios::{load, replay::Promised};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    pub(crate) fn draft() -> Draft {
        let strike =
            |what: &FaultConfig| Strike { what: what.clone(), at: vec![MINUTE, 5 * MINUTE], lasts: Some(MINUTE) };
        Draft {
            duration: 30 * MINUTE,
            devices: 3,
            start_within: Duration::from_secs(2),
            access: Duration::from_millis(20),
            jitter: Some(Duration::from_millis(10)),
            core: Duration::from_millis(30),
            nat_timeout: Some(5 * MINUTE),
            nat_refresh: NatRefresh::Outbound,
            nat_class: NatClass::RstEitherOnSend,
            servers: 2,
            up: Some(MINUTE),
            down: Some(2 * MINUTE),
            alarm_grid: Some(MINUTE),
            doze_after: Some(3 * MINUTE),
            strikes: crate::worlds::tests::one_of_each_kind().iter().map(strike).collect(),
        }
    }

    #[test]
    fn every_kind_of_fault_and_every_key_can_be_read_back() {
        let heading = Heading { name: "w", about: "A \"world\".", strategy: "none", comment: "One line.\n\nAnother." };
        let replay = Replay { seed: 7, trace_hash: "0".repeat(32), promise: Promised::NoFalseAlarm };
        let text = draft().to_toml(&heading, Some(&replay));
        let scenario = load::parse_scenario("w", &text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let written: Vec<FaultConfig> = draft().strikes.iter().map(Strike::fault).collect();
        assert_eq!(scenario.faults, written, "{text}");
        assert_eq!((scenario.devices.count, scenario.server.count), (3, 2));
        let delay = &scenario.access.delay;
        assert_eq!((delay.min(), delay.practical_max()), (Duration::from_millis(20), Duration::from_millis(30)));
        assert_eq!(scenario.replay, Some(replay));
        assert!(text.starts_with("# One line.\n#\n# Another.\n\nname = \"w\"\n"), "{text}");
    }
}
