//! Numbers with exactly six decimals: what result files hold. Integers inside, so that a number that was written, read
//! and written again is the same bytes.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A number of 0 or more in millionths. Spans of time in seconds are the usual case: a millionth is a microsecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(u64);

impl Decimal {
    /// The number `millionths` / 1,000,000.
    pub const fn from_millionths(millionths: u64) -> Self {
        Self(millionths)
    }

    /// A span in seconds.
    pub fn seconds(span: Duration) -> Self {
        Self(u64::try_from(span.as_micros()).expect("a run ends before 584,000 years have passed"))
    }

    /// `part / whole`, rounded down; `None` where the whole is zero.
    pub fn ratio(part: u128, whole: u128) -> Option<Self> {
        let millionths = (part * 1_000_000).checked_div(whole)?;
        Some(Self(u64::try_from(millionths).expect("ratios of measures are small")))
    }

    /// Returns the number in millionths.
    pub const fn millionths(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl FromStr for Decimal {
    type Err = String;

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
        text.split_once('.')
            .filter(|(_, decimals)| decimals.len() == 6)
            .and_then(|(whole, decimals)| digits(whole)?.checked_mul(1_000_000)?.checked_add(digits(decimals)?))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a number with six decimals"))
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_reads_back() {
        for millionths in [0, 1, 999_999, 1_000_000, 271_250_000, u64::MAX] {
            let number = Decimal::from_millionths(millionths);
            assert_eq!(number.to_string().parse(), Ok(number));
        }
        assert_eq!(Decimal::seconds(Duration::from_millis(1_500)).to_string(), "1.500000");
        for text in ["", "1", "1.5", "-1.000000", "1.+00000", "18446744073709551616.000000"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    #[test]
    fn ratios_of_nothing_are_absent() {
        assert_eq!(Decimal::ratio(1, 0), None);
        assert_eq!(Decimal::ratio(1, 3).unwrap().to_string(), "0.333333");
    }
}
