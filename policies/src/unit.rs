//! Numbers with a unit and a range, as people write them in a file: `"4m30s"`, `0.25`.
//!
//! The range is part of the type, so that a value that was read is a value that can be used, and so that the reader's
//! error points at the value itself.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The longest span that any input may name: ten years of 365.25 days, as the parser of durations has them.
pub(crate) const LONGEST: Duration = Duration::from_hours(10 * 365 * 24 + 60);

/// A span of time longer than zero: `"90s"`, `"4m30s"`, `"24h"`, `"40ms"`; at most ten years, whole microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

/// A span of time that may be zero: `"0s"`, `"35ms"`; at most ten years, whole microseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delay(Duration);

/// A share of one: a number from 0 to 1, both included. Probabilities and jitter fractions.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Fraction(f64);

impl Span {
    /// Returns a span of `secs` seconds. Panics where it is zero: for constants.
    pub const fn secs(secs: u64) -> Self {
        assert!(secs > 0, "a Span is longer than zero");
        Self(Duration::from_secs(secs))
    }

    /// Returns a span of `millis` milliseconds. Panics where it is zero: for constants.
    pub const fn millis(millis: u64) -> Self {
        assert!(millis > 0, "a Span is longer than zero");
        Self(Duration::from_millis(millis))
    }

    /// `span`, if it is longer than zero and at most ten years.
    pub fn new(span: Duration) -> Option<Self> {
        (span > Duration::ZERO && span <= LONGEST && span.subsec_nanos().is_multiple_of(1_000)).then_some(Self(span))
    }

    /// The shortest span that is at least `span`: rounded up to a microsecond, at most ten years.
    pub fn at_least(span: Duration) -> Self {
        let micros = span.min(LONGEST).as_nanos().div_ceil(1_000).max(1);
        Self(Duration::from_micros(u64::try_from(micros).expect("ten years in microseconds fit in 64 bits")))
    }

    /// Returns the span as the standard library has it.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Delay {
    /// A delay of zero.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// Returns a delay of `millis` milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// `span`, if it is at most ten years.
    pub fn new(span: Duration) -> Option<Self> {
        (span <= LONGEST && span.subsec_nanos().is_multiple_of(1_000)).then_some(Self(span))
    }

    /// Returns the delay as the standard library has it.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Fraction {
    /// The fraction 0.
    pub const ZERO: Self = Self(0.0);
    /// The fraction 1.
    pub const ONE: Self = Self(1.0);

    /// `value`, if it lies within 0 to 1.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// Returns the number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Reads a duration such as `4m30s`. The error is a sentence for the person who wrote the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text.trim_start().starts_with('-') {
        return Err(format!("`{text}` is negative; a duration runs forward, as in \"90s\""));
    }
    let span = humantime::parse_duration(text).map_err(|error| {
        format!("`{text}` is not a duration ({error}); write it as \"90s\", \"4m30s\", \"24h\" or \"40ms\"")
    })?;
    if span > LONGEST {
        return Err(format!("`{text}` is longer than ten years, the longest span there is here"));
    }
    if !span.subsec_nanos().is_multiple_of(1_000) {
        return Err(format!("`{text}` is finer than a microsecond, the smallest step of time here"));
    }
    Ok(span)
}

/// Writes `4m30s`, the form that [`parse_duration`] reads.
pub fn format_duration(span: Duration) -> String {
    // humantime counts months of 30.44 days and years; days, hours, minutes and seconds are what people compare.
    let (secs, micros) = (span.as_secs(), span.subsec_micros());
    let mut text = String::new();
    for (size, unit) in [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")] {
        let count = match size {
            86_400 => secs / size,
            3_600 => secs % 86_400 / size,
            60 => secs % 3_600 / size,
            _ => secs % 60,
        };
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
        }
    }
    for (count, unit) in [(micros / 1_000, "ms"), (micros % 1_000, "us")] {
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

macro_rules! duration_unit {
    ($name:ident, $reject:expr, $expected:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = Duration;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
                        parse_duration(text).map_err(E::custom)
                    }
                }
                let span = input.deserialize_str(Text)?;
                let reject: fn(Duration) -> Option<&'static str> = $reject;
                match reject(span) {
                    Some(why) => Err(D::Error::custom(why)),
                    None => Ok(Self(span)),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
                output.serialize_str(&format_duration(self.0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&format_duration(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": $expected,
                    "pattern": r"^\s*([0-9]+\s*[a-zA-Z]+\s*)+$",
                })
            }
        }
    };
}

duration_unit!(
    Span,
    |span| span.is_zero().then_some("this span must be longer than zero, as in \"90s\""),
    "a duration longer than zero such as \"90s\", \"4m30s\" or \"24h\""
);
duration_unit!(Delay, |_| None, "a duration such as \"0s\", \"35ms\" or \"4m30s\"");

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(input)?;
        Self::new(value).ok_or_else(|| D::Error::custom(format!("{value} is outside 0 to 1; 5 % is written 0.05")))
    }
}

impl Serialize for Fraction {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_f64(self.0)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Fraction {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fraction".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_written() {
        for text in ["90s", "4m30s", "24h", "40ms", "1us", "1d1h1m1s1ms1us"] {
            let span = parse_duration(text).unwrap();
            assert_eq!(parse_duration(&format_duration(span)).unwrap(), span, "{text}");
        }
        assert_eq!(format_duration(Duration::from_secs(270)), "4m30s");
        assert_eq!(format_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn wrong_durations_say_what_to_write() {
        for text in ["-5s", "5", "5 parsecs", "", "11years", "1ns"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_duration("-5s").unwrap_err().contains("negative"));
    }
}
