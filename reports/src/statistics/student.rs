//! Student's t distribution: how far a mean of few values may be from the truth. Nothing else is needed of it here, so
//! there is no density and no lower tail.

/// Continued fractions end here at the latest; they need some dozens of steps.
const STEPS_MAX: u32 = 10_000;
/// What stands for zero where Lentz's method would divide by it.
const TINY: f64 = 1e-300;

/// P(T > `t`) for a `t` of zero or more and so many degrees of freedom. Exact in relative terms far into the tail, where
/// one minus a distribution function would have no digits left.
///
/// P(T > t) = I(v / (v + t^2); v/2, 1/2) / 2 (Abramowitz, Stegun, 26.7.1; DLMF 8.17).
pub(crate) fn upper_tail(t: f64, degrees: f64) -> f64 {
    assert!(t >= 0.0 && degrees > 0.0, "the upper tail of t = {t} with {degrees} degrees of freedom");
    let square = t * t;
    if square == f64::INFINITY {
        return 0.0;
    }
    0.5 * incomplete_beta(degrees / (degrees + square), square / (degrees + square), 0.5 * degrees, 0.5)
}

/// Returns the t with P(T > t) = `tail`, for a tail above 0 and of at most 0.5, to the last bit that [`upper_tail`] tells
/// apart.
pub(crate) fn upper_quantile(tail: f64, degrees: f64) -> f64 {
    assert!(tail > 0.0 && tail <= 0.5, "a tail of {tail}");
    let mut high = 1.0;
    while upper_tail(high, degrees) > tail {
        high *= 2.0;
    }
    let mut low = 0.0;
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return high;
        }
        if upper_tail(middle, degrees) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Returns the regularised incomplete beta function I(x; a, b), with `rest` = 1 - x given apart, so that neither end loses
/// digits.
fn incomplete_beta(x: f64, rest: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if rest <= 0.0 {
        return 1.0;
    }
    // The fraction converges fast below the mean; above it, the function's symmetry helps.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(rest, x, b, a);
    }
    let logarithm = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log(rest);
    libm::exp(logarithm) / a * fraction(x, a, b)
}

/// Returns the continued fraction of DLMF 8.17.22 by Lentz's method (Press et al., Numerical Recipes, 6.4).
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let safe = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut above = 1.0;
    let mut below = 1.0 / safe(1.0 - (a + b) * x / (a + 1.0));
    let mut value = below;
    for step in 1..=STEPS_MAX {
        let step = f64::from(step);
        let twice = a + 2.0 * step;
        let even = step * (b - step) * x / ((twice - 1.0) * twice);
        let odd = -(a + step) * (a + b + step) * x / (twice * (twice + 1.0));
        for term in [even, odd] {
            below = 1.0 / safe(1.0 + term * below);
            above = safe(1.0 + term / above);
            value *= above * below;
        }
        if (above * below - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF as _, StudentsT};

    use super::*;

    #[track_caller]
    fn close(ours: f64, theirs: f64, relative: f64) {
        assert!((ours - theirs).abs() <= relative * theirs.abs(), "{ours} instead of {theirs}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
        for (tail, degrees, t) in
            [(0.025, 1.0, 12.706), (0.025, 9.0, 2.262), (0.001, 9.0, 4.297), (0.05, 4.0, 2.132), (0.01, 100.0, 2.364)]
        {
            close(upper_quantile(tail, degrees), t, 5e-4);
        }
    }

    #[test]
    fn one_and_two_degrees_have_closed_forms_far_into_the_tail() {
        for t in [0.0, 1e-9, 0.1, 1.0, 7.0, 1e3, 1e6] {
            let one = libm::atan2(1.0, t) / std::f64::consts::PI;
            close(upper_tail(t, 1.0), one, 1e-12);
            let root = (2.0 + t * t).sqrt();
            let two = 1.0 / (root * (root + t));
            close(upper_tail(t, 2.0), two, 1e-12);
        }
    }

    #[test]
    fn an_independent_library_agrees() {
        for degrees in [1.0, 3.0, 4.0, 9.0, 29.0, 400.0] {
            let theirs = StudentsT::new(0.0, 1.0, degrees).unwrap();
            for t in [0.0, 0.01, 0.5, 1.0, 2.3, 5.0, 12.0] {
                close(upper_tail(t, degrees), theirs.sf(t), 1e-9);
            }
            for tail in [0.4, 0.1, 0.025, 1e-3, 1e-6] {
                close(upper_quantile(tail, degrees), -theirs.inverse_cdf(tail), 1e-4);
            }
        }
    }

    #[test]
    fn the_quantile_undoes_the_tail() {
        for degrees in [1.0, 2.0, 9.0, 99.0] {
            for tail in [0.5, 0.3, 1e-3, 1e-8, 1e-12] {
                close(upper_tail(upper_quantile(tail, degrees), degrees), tail, 1e-9);
            }
        }
        assert!(upper_quantile(0.5, 9.0) < 1e-9);
    }
}
