//! Numbers as people read them: three digits that matter, and no more.

/// `value` with three significant digits: `0.0123`, `4.56`, `78.9`, `1230` is written `1230`.
pub(crate) fn short(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = match magnitude {
        // Rounding may carry into the next decade: 9.996 is 10.0, not 10.00.
        m if m >= 99.95 || m == 0.0 => 0,
        m if m >= 9.995 => 1,
        m if m >= 0.9995 => 2,
        m if m >= 0.09995 => 3,
        m if m >= 0.009_995 => 4,
        m if m >= 0.000_999_5 => 5,
        _ => return format!("{value:.2e}"),
    };
    format!("{value:.decimals$}")
}

/// Returns a share of one as percent, with as many digits as tell it from 100 %: `100 %`, `99.98 %`, `73.2 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        // Sums of many quotients miss 100 % by the last bit.
        p if p == 0.0 || p >= 100.0 - 1e-9 => format!("{p:.0} %"),
        p if p > 99.9995 => format!("{p:.6} %"),
        p if p > 99.0 => format!("{p:.3} %"),
        p => format!("{p:.1} %"),
    }
}

/// `count` with its noun: `1 seed`, `3 seeds`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_whatever_the_size() {
        let expected = [
            (0.0, "0"),
            (0.012_345, "0.0123"),
            (0.1, "0.100"),
            (0.999_9, "1.00"),
            (9.996, "10.0"),
            (12.34, "12.3"),
            (99.96, "100"),
            (1234.5, "1234"),
            (0.000_012_3, "1.23e-5"),
        ];
        for (value, text) in expected {
            assert_eq!(short(value), text, "{value}");
        }
    }

    #[test]
    fn almost_always_is_not_always() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_98), "99.998 %");
        assert_eq!(percent(0.999_999_9), "99.999990 %");
        assert_eq!(percent(0.732), "73.2 %");
        assert_eq!(percent(0.0), "0 %");
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(counted(1, "seed"), "1 seed");
        assert_eq!(counted(2, "seed"), "2 seeds");
    }
}
