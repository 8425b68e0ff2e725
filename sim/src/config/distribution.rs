//! Distributions of a span of time, as files name them. Drawing is by inverse transform from one uniform number, with
//! software floating point, so that a draw is the same on every platform.

use std::{fmt, time::Duration};

use cardiogram_policies::unit::{Span, parse_duration};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// How a span of time is drawn. In a file, a plain duration is a constant: `delay = "25ms"`; the others are tables:
/// `delay = { log-normal = { median = "35ms", sigma = 0.4, min = "12ms" } }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Every value between the two is equally likely.
    Uniform(Uniform),
    /// A normal distribution, drawn again below `min` (truncated).
    Normal(Normal),
    /// A log-normal distribution by its median; values outside `min` and `max` are set to the limit.
    LogNormal(LogNormal),
    /// An exponential distribution; values below `min` are set to it.
    Exponential(Exponential),
    /// Several distributions, one of which is drawn from: a population, or values with their frequencies.
    Mixture(Vec<Part>),
    /// Always the same.
    #[serde(untagged)]
    Constant(Span),
}

impl From<Span> for Distribution {
    fn from(span: Span) -> Self {
        Self::Constant(span)
    }
}

/// See [`Distribution::Mixture`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// How often this one is drawn from, relative to the others; above 0.
    pub weight: f64,
    /// What is drawn from.
    pub of: Distribution,
}

/// See [`Distribution::Uniform`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uniform {
    /// The shortest span.
    pub min: Span,
    /// The longest span.
    pub max: Span,
}

/// See [`Distribution::Normal`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Normal {
    /// The mean before truncation.
    pub mean: Span,
    /// The standard deviation before truncation.
    pub sd: Span,
    /// The shortest span; at most the mean.
    pub min: Span,
}

/// See [`Distribution::LogNormal`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogNormal {
    /// Half of all draws are shorter.
    pub median: Span,
    /// Standard deviation of the logarithm, above 0 and at most 3.
    pub sigma: f64,
    /// The shortest span.
    pub min: Span,
    /// The longest span. Default: the median times exp(4 sigma).
    #[serde(default)]
    pub max: Option<Span>,
}

/// See [`Distribution::Exponential`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// The mean.
    pub mean: Span,
    /// The shortest span. Default 1 us.
    #[serde(default)]
    pub min: Option<Span>,
}

/// The table forms, for serde and for the schema.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Table {
    Constant(Span),
    Uniform(Uniform),
    Normal(Normal),
    LogNormal(LogNormal),
    Exponential(Exponential),
    Mixture(Vec<Part>),
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Distribution;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a duration such as \"25ms\", or a table such as { uniform = { min = \"20ms\", max = \"40ms\" } }",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Distribution, E> {
                let span = parse_duration(text).map_err(E::custom)?;
                let span =
                    Span::new(span).ok_or_else(|| E::custom("this span must be longer than zero, as in \"25ms\""))?;
                Ok(Distribution::Constant(span))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Distribution, A::Error> {
                Ok(match Table::deserialize(MapAccessDeserializer::new(map))? {
                    Table::Constant(span) => Distribution::Constant(span),
                    Table::Uniform(spec) => Distribution::Uniform(spec),
                    Table::Normal(spec) => Distribution::Normal(spec),
                    Table::LogNormal(spec) => Distribution::LogNormal(spec),
                    Table::Exponential(spec) => Distribution::Exponential(spec),
                    Table::Mixture(parts) => Distribution::Mixture(parts),
                })
            }
        }
        input.deserialize_any(Either)
    }
}

impl JsonSchema for Distribution {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Distribution".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let constant = generator.subschema_for::<Span>();
        let table = generator.subschema_for::<Table>();
        json_schema!({ "anyOf": [constant, table] })
    }
}

impl Distribution {
    /// Returns the shortest span that can be drawn.
    pub fn min(&self) -> Duration {
        match self {
            Self::Constant(span) => span.get(),
            Self::Uniform(spec) => spec.min.get(),
            Self::Normal(spec) => spec.min.get(),
            Self::LogNormal(spec) => spec.min.get(),
            Self::Exponential(spec) => spec.min.map_or(Duration::from_micros(1), Span::get),
            Self::Mixture(parts) => parts.iter().map(|part| part.of.min()).min().unwrap_or_default(),
        }
    }

    /// Returns the span, where every draw gives the same one.
    pub(crate) const fn constant(&self) -> Option<Span> {
        match self {
            Self::Constant(span) => Some(*span),
            Self::Uniform(_) | Self::Normal(_) | Self::LogNormal(_) | Self::Exponential(_) | Self::Mixture(_) => None,
        }
    }

    /// Returns a span that a draw exceeds at most about once in 30,000 times, and never where the distribution is bounded.
    pub fn practical_max(&self) -> Duration {
        match self {
            Self::Constant(span) => span.get(),
            Self::Uniform(spec) => spec.max.get(),
            Self::Normal(spec) => spec.mean.get() + 4 * spec.sd.get(),
            Self::LogNormal(spec) => spec.max(),
            Self::Exponential(spec) => spec.mean.get() * 11,
            Self::Mixture(parts) => parts.iter().map(|part| part.of.practical_max()).max().unwrap_or_default(),
        }
    }

    /// Returns the span at `u`, a number in (0, 1): the inverse of the distribution function; of a mixture, the parts one after
    /// the other.
    pub fn at(&self, u: f64) -> Duration {
        self.sampler().at(u)
    }

    /// Returns what draws from it.
    pub(crate) fn sampler(&self) -> Sampler {
        match self {
            Self::Constant(span) => Sampler::Constant(span.get()),
            Self::Uniform(spec) => {
                Sampler::Uniform { min: spec.min.get(), width: spec.max.get().saturating_sub(spec.min.get()) }
            }
            Self::Normal(spec) => {
                let (mean, sd, min) = (micros(spec.mean.get()), micros(spec.sd.get()), spec.min.get());
                Sampler::Normal { mean, sd, below: normal_cdf((micros(min) - mean) / sd), min }
            }
            Self::LogNormal(spec) => Sampler::LogNormal {
                median: micros(spec.median.get()),
                sigma: spec.sigma,
                min: spec.min.get(),
                max: spec.max(),
            },
            Self::Exponential(spec) => Sampler::Exponential { mean: micros(spec.mean.get()), min: self.min() },
            Self::Mixture(parts) => {
                Sampler::Mixture(parts.iter().map(|part| (part.weight, part.of.sampler())).collect())
            }
        }
    }

    /// Returns what contradicts itself: the key below this one, what is wrong, what to write.
    pub fn problem(&self) -> Option<(String, String, String)> {
        let found = |key: &str, message: String, help: String| Some((key.to_owned(), message, help));
        match self {
            Self::Uniform(spec) if spec.min > spec.max => found(
                "uniform.max",
                format!("max ({}) is shorter than min ({})", spec.max, spec.min),
                "swap them".into(),
            ),
            Self::Normal(spec) if spec.min > spec.mean => found(
                "normal.min",
                format!("min ({}) is longer than the mean ({})", spec.min, spec.mean),
                format!("use at most {}", spec.mean),
            ),
            Self::LogNormal(spec) if !(spec.sigma > 0.0 && spec.sigma <= 3.0) => found(
                "log-normal.sigma",
                format!("sigma is {}, not above 0 and at most 3", spec.sigma),
                "sigma = ln(p95 / median) / 1.645; values of links lie around 0.3 to 1.2".into(),
            ),
            Self::LogNormal(spec) if spec.max() < spec.min.get() => found(
                "log-normal.max",
                format!("max is shorter than min ({})", spec.min),
                "let max be longer than min".into(),
            ),
            Self::Mixture(parts) => {
                let weights = weights_problem(parts.iter().map(|part| part.weight));
                let weights = weights.map(|(key, message, help)| (format!("mixture{key}"), message, help));
                weights.or_else(|| {
                    parts.iter().enumerate().find_map(|(place, part)| {
                        let (key, message, help) = part.of.problem()?;
                        Some((format!("mixture[{place}].of.{key}"), message, help))
                    })
                })
            }
            _ => None,
        }
    }
}

/// A distribution to draw from many times: what does not depend on the draw is worked out already.
#[derive(Clone, Debug)]
pub(crate) enum Sampler {
    Constant(Duration),
    Uniform {
        min: Duration,
        width: Duration,
    },
    /// In microseconds, with the share of the normal distribution that lies below the minimum.
    Normal {
        mean: f64,
        sd: f64,
        below: f64,
        min: Duration,
    },
    LogNormal {
        median: f64,
        sigma: f64,
        min: Duration,
        max: Duration,
    },
    Exponential {
        mean: f64,
        min: Duration,
    },
    /// Each with its weight.
    Mixture(Box<[(f64, Self)]>),
}

impl Sampler {
    /// Returns the span at `u`, as [`Distribution::at`] does.
    pub(crate) fn at(&self, u: f64) -> Duration {
        self.drawn(|| u)
    }

    /// Returns a span drawn with a number in (0, 1), which is not asked for where there is nothing to draw.
    pub(crate) fn drawn(&self, u: impl FnOnce() -> f64) -> Duration {
        match self {
            Self::Constant(span) => *span,
            Self::Uniform { min, width } => *min + scale(*width, u()),
            // Conditioned on being above the minimum: the inverse at a quantile inside the upper part.
            Self::Normal { mean, sd, below, min } => {
                from_micros(mean + sd * normal_quantile(below + (1.0 - below) * u())).max(*min)
            }
            Self::LogNormal { median, sigma, min, max } => {
                from_micros(median * libm::exp(sigma * normal_quantile(u()))).clamp(*min, *max)
            }
            Self::Exponential { mean, min } => from_micros(-mean * libm::log1p(-u())).max(*min),
            Self::Mixture(parts) => {
                let ((_, part), rest) = pick(parts, |(weight, _)| *weight, u());
                part.at(rest)
            }
        }
    }
}

/// The most parts of a mixture or a mix.
const PARTS_MAX: usize = 100;

/// Returns what is wrong with the weights of a list: the key below the list's, what is wrong, what to write.
pub(crate) fn weights_problem(weights: impl ExactSizeIterator<Item = f64>) -> Option<(String, String, String)> {
    /// Far above any sensible weight, far below where sums lose the small ones.
    const WEIGHT_MAX: f64 = 1e6;
    let count = weights.len();
    if count == 0 || count > PARTS_MAX {
        let help = format!("name 1 to {PARTS_MAX}, each with its `weight`");
        return Some((String::new(), format!("a mixture of {count} parts"), help));
    }
    let (place, weight) = weights.enumerate().find(|(_, weight)| !(*weight > 0.0 && *weight <= WEIGHT_MAX))?;
    let message = format!("a weight of {weight}, not above 0 and at most {WEIGHT_MAX}");
    Some((format!("[{place}].weight"), message, "weights count relative to each other, as in 0.25 and 0.75".into()))
}

/// Returns the part of a weighted list in which `u` lies, a number in (0, 1), and where in the part, again in (0, 1).
pub(crate) fn pick<T>(parts: &[T], weight: impl Fn(&T) -> f64, u: f64) -> (&T, f64) {
    let mut rest = u * parts.iter().map(&weight).sum::<f64>();
    let (last, others) = parts.split_last().expect("checked before the run: there is a part");
    for part in others {
        if rest < weight(part) {
            return (part, inside(rest / weight(part)));
        }
        rest -= weight(part);
    }
    (last, inside(rest / weight(last)))
}

/// Keeps what rounding has moved within (0, 1).
fn inside(u: f64) -> f64 {
    u.clamp(f64::EPSILON, 1.0 - f64::EPSILON)
}

impl LogNormal {
    fn max(&self) -> Duration {
        self.max.map_or_else(|| from_micros(micros(self.median.get()) * libm::exp(4.0 * self.sigma)), Span::get)
    }
}

fn micros(span: Duration) -> f64 {
    span.as_micros() as f64
}

fn from_micros(micros: f64) -> Duration {
    // Far above any span that can be read, far below overflow.
    Duration::from_micros(micros.clamp(0.0, 1e15) as u64)
}

fn scale(span: Duration, u: f64) -> Duration {
    from_micros(micros(span) * u)
}

/// Returns the standard normal distribution function.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// Returns the inverse of [`normal_cdf`]: Acklam's rational approximation (relative error below 1.2e-9), P. J. Acklam 2003.
#[allow(clippy::excessive_precision, clippy::unreadable_literal)] // the published coefficients, digit by digit
pub(crate) fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e+01,
        2.209460984245205e+02,
        -2.759285104469687e+02,
        1.383577518672690e+02,
        -3.066479806614716e+01,
        2.506628277459239e+00,
    ];
    const B: [f64; 5] = [
        -5.447609879822406e+01,
        1.615858368580409e+02,
        -1.556989798598866e+02,
        6.680131188771972e+01,
        -1.328068155288572e+01,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-03,
        -3.223964580411365e-01,
        -2.400758277161838e+00,
        -2.549732539343734e+00,
        4.374664141464968e+00,
        2.938163982698783e+00,
    ];
    const D: [f64; 4] = [7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00];
    let tail = |p: f64| {
        let q = libm::sqrt(-2.0 * libm::log(p));
        (((((C[0] * q + C[1]) * q + C[2]) * q + C[3]) * q + C[4]) * q + C[5])
            / ((((D[0] * q + D[1]) * q + D[2]) * q + D[3]) * q + 1.0)
    };
    let p = p.clamp(1e-300, 1.0 - 1e-16);
    if p < 0.02425 {
        tail(p)
    } else if p > 1.0 - 0.02425 {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        (((((A[0] * r + A[1]) * r + A[2]) * r + A[3]) * r + A[4]) * r + A[5]) * q
            / (((((B[0] * r + B[1]) * r + B[2]) * r + B[3]) * r + B[4]) * r + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (p, x) in [(0.5, 0.0), (0.975, 1.959_963_984_5), (0.001, -3.090_232_306_2), (0.2, -0.841_621_233_6)] {
            assert!((normal_quantile(p) - x).abs() < 1e-7, "{p}");
            assert!((normal_cdf(x) - p).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn every_draw_keeps_the_minimum() {
        let ms = Span::millis;
        let all = [
            Distribution::Constant(ms(20)),
            Distribution::Uniform(Uniform { min: ms(20), max: ms(30) }),
            Distribution::Normal(Normal { mean: ms(25), sd: ms(10), min: ms(20) }),
            Distribution::LogNormal(LogNormal { median: ms(35), sigma: 1.0, min: ms(20), max: None }),
            Distribution::Exponential(Exponential { mean: ms(30), min: Some(ms(20)) }),
        ];
        for distribution in all {
            for u in [1e-12, 0.01, 0.3, 0.5, 0.9, 1.0 - 1e-12] {
                let span = distribution.at(u);
                assert!(span >= distribution.min(), "{distribution:?} at {u}: {span:?}");
            }
            assert!(distribution.at(0.1) <= distribution.at(0.9), "{distribution:?} rises");
        }
    }

    #[test]
    fn a_mixture_is_drawn_from_by_weight() {
        let uniform = Distribution::Uniform(Uniform { min: Span::secs(60), max: Span::secs(300) });
        let mixture = Distribution::Mixture(vec![
            Part { weight: 1.0, of: Span::secs(10).into() },
            Part { weight: 2.0, of: uniform },
            Part { weight: 1.0, of: Span::secs(500).into() },
        ]);
        for (u, secs) in [(0.001, 10), (0.249, 10), (0.25, 60), (0.5, 180), (0.7499, 299), (0.751, 500), (0.999, 500)] {
            assert_eq!(mixture.at(u).as_secs(), secs, "{u}");
        }
        assert_eq!((mixture.min(), mixture.practical_max()), (Duration::from_secs(10), Duration::from_secs(500)));
    }

    #[test]
    fn a_mixture_names_the_part_that_is_wrong() {
        let reversed = Distribution::Uniform(Uniform { min: Span::secs(2), max: Span::secs(1) });
        let part = |weight, of| Part { weight, of };
        for (parts, key) in [
            (vec![], "mixture"),
            (vec![part(1.0, Span::secs(1).into()), part(0.0, Span::secs(1).into())], "mixture[1].weight"),
            (vec![part(f64::NAN, Span::secs(1).into())], "mixture[0].weight"),
            (vec![part(1.0, Span::secs(1).into()), part(1.0, reversed)], "mixture[1].of.uniform.max"),
        ] {
            assert_eq!(Distribution::Mixture(parts).problem().expect("a problem").0, key);
        }
    }
}
