//! What one device did, read back from JSON lines: those of a link in a product (`cardiogram-tokio` writes them), or of a run.
//! Packets, faults and the truth are not read: a product's record has none.

use std::ops::Range;

use cardiogram_policies::Time;
use serde::Deserialize;
use serde_json::Value;

use crate::record::trace::{DeviceEvent, Entry, Fact, Trace, What};
use crate::wire::layout::DEVICES;

/// The most entries that are read: a week of a beat a second, and its reply.
const MOST_ENTRIES: usize = 1_500_000;

/// A line that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Which bytes of the text are to blame.
    pub span: Range<usize>,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
}

#[derive(Deserialize)]
struct Line {
    t_s: String,
    what: String,
    #[serde(default)]
    device: u32,
    event: Option<Value>,
}

impl Trace {
    /// Returns what happened to devices by a record's JSON lines; it ends with its last line. Lines about anything else are passed
    /// over.
    ///
    /// # Errors
    ///
    /// The first line that is none of a record.
    pub fn of_json_lines(text: &str) -> Result<Self, BadLine> {
        let mut trace = Self { nodes: vec!["devices".into()], ..Self::default() };
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let span = at..at + line.trim_end().len();
            at += line.len();
            if line.trim().is_empty() {
                continue;
            }
            let bad = |message: String| BadLine {
                span: span.clone(),
                message,
                help: "give it a record of `cardiogram-tokio`, or what `trace --json` wrote",
            };
            let line: Line =
                serde_json::from_str(line).map_err(|error| bad(format!("this is no line of a record: {error}")))?;
            let time = time(&line.t_s).ok_or_else(|| bad(format!("`{}` is no time in seconds", line.t_s)))?;
            if time < trace.end {
                return Err(bad(format!("{time} is before {}, the line above", trace.end)));
            }
            trace.end = time;
            let Some(event) = line.event.filter(|_| line.what == "device") else { continue };
            let event: DeviceEvent =
                serde_json::from_value(event).map_err(|error| bad(format!("this is no event of a device: {error}")))?;
            if trace.entries.len() == MOST_ENTRIES {
                return Err(bad(format!("the record has more than {MOST_ENTRIES} events of devices")));
            }
            let what = What::Fact(Fact::Device { device: line.device, event });
            trace.entries.push(Entry { at: time, node: DEVICES, what });
        }
        Ok(trace)
    }
}

/// Returns a time as records have it: seconds with six decimals.
fn time(text: &str) -> Option<Time> {
    let (seconds, micros) = text.split_once('.').filter(|(_, micros)| micros.len() == 6)?;
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(seconds) || !is_number(micros) {
        return None;
    }
    let (seconds, micros): (u64, u64) = (seconds.parse().ok()?, micros.parse().ok()?);
    seconds.checked_mul(1_000_000)?.checked_add(micros).map(Time::from_micros)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_devices_did_is_read_back_as_it_was_written() {
        let events = [
            DeviceEvent::AttemptStarted { port: 1, server: 0 },
            DeviceEvent::HeartbeatAnswered { id: 3, rtt: Duration::from_micros(40_001) },
            DeviceEvent::Stopped,
        ];
        let entry = |(at, event): (usize, &DeviceEvent)| Entry {
            at: Time::from_millis(at as u64 * 1_500),
            node: DEVICES,
            what: What::Fact(Fact::Device { device: 0, event: *event }),
        };
        let entries: Vec<Entry> = events.iter().enumerate().map(entry).collect();
        let written = Trace { nodes: vec!["devices".into()], end: Time::from_secs(3), entries, ..Trace::default() };
        let link = "{\"t_s\":\"3.000000\",\"what\":\"link\",\"event\":\"forgotten\"}\n\n";
        assert_eq!(Trace::of_json_lines(&(written.json_lines() + link)), Ok(written));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let bad = |text: &str| Trace::of_json_lines(text).unwrap_err();
        let good = "{\"t_s\":\"3.000000\",\"what\":\"device\",\"device\":0,\"event\":\"suspect\"}\n";
        let of_second = bad(&format!("{good}no JSON\n{good}"));
        assert_eq!(of_second.span, good.len()..good.len() + 7);
        assert!(of_second.message.starts_with("this is no line of a record"), "{}", of_second.message);
        let earlier = good.replace("3.0", "2.0");
        assert_eq!(bad(&format!("{good}{earlier}")).message, "2.000000 is before 3.000000, the line above");
        for time in ["3", "3.0", "-3.000000", "3.00000a", "99999999999999999999.000000"] {
            assert!(bad(&good.replace("3.000000", time)).message.ends_with("is no time in seconds"), "{time}");
        }
        assert!(bad(&good.replace("suspect", "dance")).message.starts_with("this is no event of a device"));
    }
}
