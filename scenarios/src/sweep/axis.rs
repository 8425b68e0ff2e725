//! The values of an axis: a list as it is written, equal steps, or steps of equal ratio.
//!
//! Durations are counted in whole microseconds, so that a grid hits what it should. Steps of equal ratio are rounded to what
//! people would write: three significant digits; durations from 10 s up to whole seconds, and where both ends are whole
//! numbers, to whole numbers; the ends stay as they are.

use std::time::Duration;

use cardiogram_policies::{
    Problem,
    unit::{format_duration, parse_duration},
};
use toml::Value;

use super::file::AxisTable;

/// The most values of an axis.
pub(super) const VALUES_MAX: usize = 200;
/// Numbers up to here, in either direction, are told apart in every file.
const NUMBER_MAX: f64 = 1e15;
/// How many significant digits a computed number has.
const DIGITS: i32 = 12;
/// How many a step of equal ratio has.
const LOG_DIGITS: i32 = 3;

/// The values of an axis in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Values {
    /// What `number` counts in: `s` for durations.
    pub(super) unit: Option<&'static str>,
    pub(super) list: Vec<AxisValue>,
}

/// A value of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AxisValue {
    /// What the file of the point says.
    pub(super) toml: Value,
    /// How tables and plots write it.
    pub(super) text: String,
    /// The number to draw it at, on a numerical axis.
    pub(super) number: Option<f64>,
    /// The key of the axis' table that it comes from: `values[2]`.
    pub(super) place: String,
}

/// A value by what it measures.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quantity {
    /// A duration in microseconds.
    Duration(u64),
    Whole(i64),
    Number(f64),
}

impl Quantity {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Duration(parse_duration(text).ok()?.as_micros() as u64)),
            Value::Integer(whole) => Some(Self::Whole(*whole)),
            Value::Float(number) => Some(Self::Number(*number)),
            _ => None,
        }
    }

    /// Returns a float for every kind: durations in seconds.
    fn number(self) -> f64 {
        match self {
            Self::Duration(micros) => micros as f64 / 1e6,
            Self::Whole(whole) => whole as f64,
            Self::Number(number) => number,
        }
    }

    const fn is_duration(self) -> bool {
        matches!(self, Self::Duration(_))
    }

    fn value(self, place: &str) -> AxisValue {
        let (toml, text) = match self {
            Self::Duration(micros) => {
                let text = format_duration(Duration::from_micros(micros));
                (Value::from(text.clone()), text)
            }
            Self::Whole(whole) => (Value::from(whole), whole.to_string()),
            Self::Number(number) => (Value::from(number), number.to_string()),
        };
        AxisValue { toml, text, number: Some(rounded(self.number(), DIGITS)), place: place.into() }
    }
}

/// Returns the values of an axis, or what is wrong with them; `path` is the axis' place in the file.
pub(super) fn expand(axis: &AxisTable, path: &str) -> Result<Values, Vec<Problem>> {
    let problem = |key: &str, message: String, help: &str| Problem::new(format!("{path}.{key}"), message, help);
    let values = match axis {
        AxisTable { values: Some(values), from: None, to: None, step: None, log_steps: None, .. } => list(values),
        AxisTable { values: None, from: Some(from), to: Some(to), step: Some(step), log_steps: None, .. } => {
            grid(from, to, step)
        }
        AxisTable { values: None, from: Some(from), to: Some(to), step: None, log_steps: Some(steps), .. } => {
            logarithmic(from, to, *steps)
        }
        _ => {
            let help = "write values = [...], or `from`, `to` and `step`, or `from`, `to` and `log_steps`";
            return Err(vec![Problem::new(path, "this axis does not say in one way which values it has", help)]);
        }
    };
    let list = values.map_err(|wrong| vec![problem(&wrong.key, wrong.message, wrong.help)])?;
    let mut problems = Vec::new();
    for (at, value) in list.iter().enumerate() {
        let twice = list[..at].iter().any(|other| match (other.number, value.number) {
            (Some(a), Some(b)) => a.total_cmp(&b).is_eq(),
            _ => other.text == value.text,
        });
        if twice {
            let message = format!("{} is there twice", value.text);
            let help =
                if axis.values.is_some() { "remove one of the two" } else { "take fewer steps: they are rounded" };
            problems.push(problem(&value.place, message, help));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let is_duration = list.iter().all(|value| Quantity::of(&value.toml).is_some_and(Quantity::is_duration));
    Ok(Values { unit: is_duration.then_some("s"), list })
}

/// What is wrong with a key of the axis.
struct Wrong {
    key: String,
    message: String,
    help: &'static str,
}

fn wrong<T>(key: impl Into<String>, message: impl Into<String>, help: &'static str) -> Result<T, Wrong> {
    Err(Wrong { key: key.into(), message: message.into(), help })
}

fn list(values: &[Value]) -> Result<Vec<AxisValue>, Wrong> {
    if values.is_empty() || values.len() > VALUES_MAX {
        let message = format!("an axis has 1 to {VALUES_MAX} values, not {}", values.len());
        return wrong("values", message, "name some, as in [\"30s\", \"1m\", \"2m\"]");
    }
    // Strings that are not all durations are names of something.
    let are_words = values.iter().all(Value::is_str) && values.iter().any(|value| Quantity::of(value).is_none());
    let is_duration = values[0].is_str();
    let mut list = Vec::new();
    for (at, value) in values.iter().enumerate() {
        let place = format!("values[{at}]");
        let quantity = Quantity::of(value).filter(|_| !are_words);
        list.push(match (quantity, value) {
            (Some(quantity), _) if quantity.is_duration() == is_duration => {
                in_range(&place, quantity)?;
                quantity.value(&place)
            }
            (None, Value::String(text)) if are_words => {
                AxisValue { toml: value.clone(), text: text.clone(), number: None, place }
            }
            (None, Value::Boolean(flag)) if values.iter().all(Value::is_bool) => {
                AxisValue { toml: value.clone(), text: flag.to_string(), number: None, place }
            }
            _ => {
                let help = "write durations such as \"90s\", or numbers, or words, and one kind only";
                return wrong(place, format!("{value} is not of the kind of the other values"), help);
            }
        });
    }
    Ok(list)
}

fn grid(from: &Value, to: &Value, step: &Value) -> Result<Vec<AxisValue>, Wrong> {
    let (first, last) = ends(from, to)?;
    let step = match Quantity::of(step) {
        Some(step) if step.is_duration() == first.is_duration() && step.number() > 0.0 => step,
        _ => {
            return wrong(
                "step",
                format!("a step of {step} leads nowhere"),
                "write one above zero, of the kind of `from`",
            );
        }
    };
    // In microseconds and whole numbers exactly; else with a tolerance for what decimal fractions lose.
    let steps = match (first, last, step) {
        (Quantity::Duration(a), Quantity::Duration(b), Quantity::Duration(by)) => ((b - a) / by) as f64,
        _ => ((last.number() - first.number()) / step.number() + 1e-9).floor(),
    };
    if steps >= VALUES_MAX as f64 {
        let message = format!("these are {} values; an axis has at most {VALUES_MAX}", steps + 1.0);
        return wrong("step", message, "take a longer step");
    }
    let at = |n: u64| match (first, step) {
        (Quantity::Duration(from), Quantity::Duration(step)) => Quantity::Duration(from + n * step),
        (Quantity::Whole(from), Quantity::Whole(step)) => Quantity::Whole(from + n as i64 * step),
        _ => Quantity::Number(rounded(first.number() + n as f64 * step.number(), DIGITS)),
    };
    Ok((0..=steps as u64).map(|n| at(n).value(if n == 0 { "from" } else { "step" })).collect())
}

fn logarithmic(from: &Value, to: &Value, steps: u32) -> Result<Vec<AxisValue>, Wrong> {
    let (first, last) = ends(from, to)?;
    if first.number() <= 0.0 {
        return wrong("from", format!("{from} has no logarithm"), "begin above zero");
    }
    if !(2..=VALUES_MAX as u32).contains(&steps) {
        return wrong("log_steps", format!("{steps} values"), "take 2 to 200, `from` and `to` included");
    }
    let ratio = last.number() / first.number();
    let at = |n: u32| {
        let number = first.number() * libm::pow(ratio, f64::from(n) / f64::from(steps - 1));
        let short = rounded(number, LOG_DIGITS);
        // In one step: 52.46 is 52, though 52.5 would be 53.
        let whole = if number < 100.0 { number.round() } else { short };
        match (first, last) {
            (Quantity::Duration(_), _) if number >= 10.0 => Quantity::Duration(whole as u64 * 1_000_000),
            (Quantity::Duration(_), _) => Quantity::Duration((short * 1e6).round() as u64),
            (Quantity::Whole(_), Quantity::Whole(_)) => Quantity::Whole(whole as i64),
            _ => Quantity::Number(short),
        }
    };
    let between = (1..steps - 1).map(|n| at(n).value("log_steps"));
    Ok(std::iter::once(first.value("from")).chain(between).chain([last.value("to")]).collect())
}

/// Returns the ends of a range: both of one kind, the first below the last.
fn ends(from: &Value, to: &Value) -> Result<(Quantity, Quantity), Wrong> {
    let quantity = |key: &str, value: &Value| {
        let help = "write a duration such as \"90s\", or a number";
        let Some(quantity) = Quantity::of(value) else {
            return wrong(key, format!("{value} is neither a duration nor a number"), help);
        };
        in_range(key, quantity)?;
        Ok(quantity)
    };
    let (first, last) = (quantity("from", from)?, quantity("to", to)?);
    if first.is_duration() != last.is_duration() {
        return wrong("to", format!("{to} is not of the kind of `from`"), "write two durations, or two numbers");
    }
    if first.number() >= last.number() {
        return wrong("to", format!("{to} is not above `from`, {from}"), "let `from` be less than `to`");
    }
    Ok((first, last))
}

fn in_range(key: &str, quantity: Quantity) -> Result<(), Wrong> {
    if quantity.number().abs() <= NUMBER_MAX {
        return Ok(());
    }
    wrong(key, format!("{} is too large a number", quantity.number()), "use at most 1000000000000000")
}

/// Returns a number rounded to `digits` significant digits.
fn rounded(number: f64, digits: i32) -> f64 {
    let text = format!("{number:.*e}", usize::try_from(digits - 1).expect("at least one digit"));
    text.parse().expect("it was written as a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(text: &str) -> Result<Values, Vec<Problem>> {
        let table: AxisTable = toml::from_str(&format!("scenario = \"duration\"\n{text}")).unwrap();
        expand(&table, "axis[0]")
    }

    fn texts(text: &str) -> Vec<String> {
        axis(text).unwrap().list.into_iter().map(|value| value.text).collect()
    }

    fn numbers(text: &str) -> Vec<f64> {
        axis(text).unwrap().list.into_iter().map(|value| value.number.unwrap()).collect()
    }

    #[test]
    fn a_list_is_taken_as_it_is() {
        assert_eq!(texts("values = [\"90s\", \"15s\", \"2h\"]"), ["1m30s", "15s", "2h"]);
        assert_eq!(numbers("values = [\"90s\", \"15s\", \"40ms\"]"), [90.0, 15.0, 0.04]);
        assert_eq!(axis("values = [\"90s\"]").unwrap().unit, Some("s"));
        assert_eq!(texts("values = [1, 0.5, 20]"), ["1", "0.5", "20"]);
        assert_eq!(axis("values = [1, 0.5]").unwrap().unit, None);
        let words = axis("values = [\"lte-near\", \"wifi\"]").unwrap();
        assert_eq!((words.unit, words.list[1].number, words.list[1].text.as_str()), (None, None, "wifi"));
        assert_eq!(texts("values = [true, false]"), ["true", "false"]);
    }

    #[test]
    fn a_grid_has_equal_steps_and_ends_where_it_is_told() {
        assert_eq!(texts("from = \"30s\"\nto = \"2m\"\nstep = \"30s\""), ["30s", "1m", "1m30s", "2m"]);
        assert_eq!(texts("from = \"30s\"\nto = \"119s\"\nstep = \"30s\""), ["30s", "1m", "1m30s"]);
        assert_eq!(texts("from = 1\nto = 9\nstep = 4"), ["1", "5", "9"]);
        assert_eq!(texts("from = 0.0\nto = 0.3\nstep = 0.1"), ["0", "0.1", "0.2", "0.3"]);
        assert_eq!(texts("from = -1\nto = 1\nstep = 1"), ["-1", "0", "1"]);
        assert!(axis("from = 1\nto = 9\nstep = 4").unwrap().list.iter().all(|value| value.toml.is_integer()));
    }

    #[test]
    fn steps_of_equal_ratio_are_rounded_and_their_ends_are_not() {
        let expected = ["15s", "28s", "52s", "1m38s", "3m3s", "5m43s", "10m42s", "20m"];
        assert_eq!(texts("from = \"15s\"\nto = \"20m\"\nlog_steps = 8"), expected);
        assert_eq!(texts("from = \"100ms\"\nto = \"10s\"\nlog_steps = 4"), ["100ms", "464ms", "2s150ms", "10s"]);
        assert_eq!(texts("from = 1\nto = 1000\nlog_steps = 5"), ["1", "6", "32", "178", "1000"]);
        assert_eq!(texts("from = 0.001\nto = 0.1\nlog_steps = 4"), ["0.001", "0.00464", "0.0215", "0.1"]);
        assert_eq!(texts("from = \"12345678us\"\nto = \"20s\"\nlog_steps = 2"), ["12s345ms678us", "20s"]);
    }

    #[test]
    fn values_that_lead_nowhere_are_refused_where_they_stand() {
        for (text, place) in [
            ("values = []", "axis[0].values"),
            ("values = [\"1m\", 2]", "axis[0].values[1]"),
            ("values = [\"1m\", \"60s\"]", "axis[0].values[1]"),
            ("values = [1, 1.0]", "axis[0].values[1]"),
            ("values = [[1]]", "axis[0].values[0]"),
            ("values = [nan]", "axis[0].values[0]"),
            ("values = [1]\nstep = 2", "axis[0]"),
            ("from = 1", "axis[0]"),
            ("from = 1\nto = 2\nstep = 1\nlog_steps = 2", "axis[0]"),
            ("from = 2\nto = 1\nstep = 1", "axis[0].to"),
            ("from = 1\nto = \"2s\"\nstep = 1", "axis[0].to"),
            ("from = true\nto = 2\nstep = 1", "axis[0].from"),
            ("from = 1\nto = 2\nstep = 0", "axis[0].step"),
            ("from = 1\nto = 2\nstep = \"1s\"", "axis[0].step"),
            ("from = 0\nto = 200\nstep = 1", "axis[0].step"),
            ("from = 0\nto = 2\nlog_steps = 3", "axis[0].from"),
            ("from = 1\nto = 2\nlog_steps = 1", "axis[0].log_steps"),
            ("from = 1\nto = 2\nlog_steps = 201", "axis[0].log_steps"),
            ("from = 1\nto = 3\nlog_steps = 9", "axis[0].log_steps"),
            ("from = 1\nto = 1e30\nlog_steps = 9", "axis[0].to"),
        ] {
            let problems = axis(text).expect_err(text);
            assert_eq!(problems[0].path, place, "{text}: {}", problems[0].message);
        }
    }
}
