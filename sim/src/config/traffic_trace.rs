//! A trace of an application's messages, as rows of CSV: when, which way, how long. Where the file is read is the business of the
//! scenarios crate; here is what may stand in it.

use std::{fmt, sync::Arc, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use super::FrameSizes;

/// The first line of a trace.
const HEADER: &str = "time_s,direction,bytes";

/// Messages that every device sends and gets at these times from its start on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficTrace(Arc<[TraceRow]>);

/// A message of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceRow {
    /// When it is created, from the device's start on.
    pub at: Duration,
    /// Which way it goes.
    pub direction: TrafficDirection,
    /// The length of its frame.
    pub bytes: u16,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficDirection {
    /// From the device to the server.
    Up,
    /// From the server to the device.
    Down,
}

impl TrafficTrace {
    /// The most rows of a trace.
    pub const ROWS_MAX: usize = 10_000;

    /// Reads rows of CSV: `time_s,direction,bytes`, with these names in the first line. Times are seconds from the device's start
    /// on, with at most six decimals, in order; the direction is `up` or `down`; a message has 15 to 16,384 bytes. An error is the
    /// number of the line, what is wrong there, and what to write.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
        match lines.next() {
            Some((HEADER, _)) => {}
            Some((other, line)) => return Err((line, format!("`{other}` is not the first line; write `{HEADER}`"))),
            None => return Err((1, format!("there is nothing in it; begin with `{HEADER}`"))),
        }
        let mut rows: Vec<TraceRow> = Vec::new();
        for (text, line) in lines {
            let row = row(text).map_err(|message| (line, message))?;
            if rows.last().is_some_and(|before| before.at > row.at) {
                return Err((line, "it comes before the row above; write the rows in the order of time".to_owned()));
            }
            if rows.len() == Self::ROWS_MAX {
                return Err((line, format!("this is one row too many; use at most {}", Self::ROWS_MAX)));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err((1, "it has no rows; write at least one, as in `1.5,up,120`".to_owned()));
        }
        Ok(Self(rows.into()))
    }

    /// Returns the messages, in order.
    pub fn rows(&self) -> &[TraceRow] {
        &self.0
    }

    pub(super) fn has(&self, direction: TrafficDirection) -> bool {
        self.0.iter().any(|row| row.direction == direction)
    }
}

fn row(text: &str) -> Result<TraceRow, String> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let [time, direction, bytes] = fields[..] else {
        return Err(format!("it has {} fields; write a time, a direction and a number of bytes", fields.len()));
    };
    let at = seconds(time).ok_or_else(|| {
        format!("`{time}` is no time; write seconds with at most six decimals, as in 90.25, up to 31622400")
    })?;
    let direction = match direction {
        "up" => TrafficDirection::Up,
        "down" => TrafficDirection::Down,
        other => return Err(format!("`{other}` is no direction; write `up` or `down`")),
    };
    let (least, most) = (FrameSizes::MIN.message, FrameSizes::MAX);
    let fits = bytes.parse().ok().filter(|bytes| (least..=most).contains(bytes));
    let bytes = fits.ok_or_else(|| format!("`{bytes}` bytes are no message; write {least} to {most}"))?;
    Ok(TraceRow { at, direction, bytes })
}

/// Reads seconds with decimals, exactly; at most the longest run.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 8 || decimals.len() > 6 || !digits(whole) || !digits(decimals) {
        return None;
    }
    let micros: u64 = format!("{whole}{decimals:0<6}").parse().ok()?;
    Some(Duration::from_micros(micros)).filter(|at| *at <= super::DURATION_MAX)
}

impl fmt::Display for TrafficTrace {
    /// As CSV that reads back as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        for TraceRow { at, direction, bytes } in &*self.0 {
            let direction = if *direction == TrafficDirection::Up { "up" } else { "down" };
            writeln!(f, "{}.{:06},{direction},{bytes}", at.as_secs(), at.subsec_micros())?;
        }
        Ok(())
    }
}

impl Serialize for TrafficTrace {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TrafficTrace {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Rows;
        impl Visitor<'_> for Rows {
            type Value = TrafficTrace;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a CSV file such as \"office.csv\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TrafficTrace, E> {
                if !text.contains('\n') {
                    return Err(E::custom(format!(
                        "`{text}` is a file's name; it is read where the scenario is a file, too"
                    )));
                }
                TrafficTrace::parse(text)
                    .map_err(|(line, message)| E::custom(format!("line {line} of the trace: {message}")))
            }
        }
        input.deserialize_str(Rows)
    }
}

impl JsonSchema for TrafficTrace {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TrafficTrace".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The name of a CSV file with the columns time_s, direction and bytes, or its rows.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_exactly_and_written_as_they_were_read() {
        let text = "time_s,direction,bytes\n0,up,120\n1.5,down,16384\n\n31622400,up,15\n";
        let trace = TrafficTrace::parse(text).unwrap();
        let up = |at, bytes| TraceRow { at, direction: TrafficDirection::Up, bytes };
        let down = TraceRow { at: Duration::from_millis(1_500), direction: TrafficDirection::Down, bytes: 16_384 };
        assert_eq!(trace.rows(), [up(Duration::ZERO, 120), down, up(Duration::from_secs(31_622_400), 15)]);
        assert_eq!(TrafficTrace::parse(&trace.to_string()), Ok(trace));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (rows, line, what) in [
            ("", 1, "no rows"),
            ("1,up\n", 2, "2 fields"),
            ("1,up,120\n0.5,up,120\n", 3, "order of time"),
            ("-1,up,120\n", 2, "no time"),
            ("1.1234567,up,120\n", 2, "six decimals"),
            ("31622401,up,120\n", 2, "no time"),
            ("1,sideways,120\n", 2, "no direction"),
            ("1,up,14\n", 2, "15 to 16384"),
            ("1,up,16385\n", 2, "15 to 16384"),
        ] {
            let error = TrafficTrace::parse(&format!("time_s,direction,bytes\n{rows}")).unwrap_err();
            assert!(error.0 == line && error.1.contains(what), "{rows}: {error:?}");
        }
        assert!(TrafficTrace::parse("t,d,b\n1,up,120\n").unwrap_err().1.contains("first line"));
        let long = format!("time_s,direction,bytes\n{}", "1,up,120\n".repeat(TrafficTrace::ROWS_MAX + 1));
        assert_eq!(TrafficTrace::parse(&long).unwrap_err().0, TrafficTrace::ROWS_MAX + 2);
    }
}
