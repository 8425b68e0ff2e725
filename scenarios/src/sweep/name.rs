//! Names of points: what they start from, then the label and the value of each axis, as far as a name can hold them.

use std::collections::BTreeSet;

use cardiogram_results::manifest::hash;

/// The longest name of a scenario or strategy.
const LENGTH_MAX: usize = 64;
/// How many hexadecimal digits tell names apart that are too long, or alike.
const DIGITS: usize = 10;

/// Gives names, each once.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// Returns the name of what starts from `base` and has these values by their labels.
    pub(super) fn of(&mut self, base: &str, values: &[(String, String)]) -> String {
        let parts = values.iter().flat_map(|(label, value)| [label, value]);
        let full = parts.fold(base.to_owned(), |name, part| name + "-" + &slug(part));
        let full = full.trim_end_matches('-').to_owned();
        let name = if full.len() > LENGTH_MAX || self.0.contains(&full) {
            // Labels and values themselves, for two of them may look alike in a name.
            let digits = hash(&format!("{base} {values:?}"));
            let head = full[..full.len().min(LENGTH_MAX - DIGITS - 1)].trim_end_matches('-');
            format!("{head}-{}", &digits[..DIGITS])
        } else {
            full
        };
        self.0.insert(name.clone());
        name
    }
}

/// Lower-case letters and digits, with one `-` in the place of everything else.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').into()
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::is_name;

    use super::*;

    fn of(names: &mut Names, base: &str, values: &[(&str, &str)]) -> String {
        let values: Vec<_> = values.iter().map(|(label, value)| ((*label).into(), (*value).into())).collect();
        let name = names.of(base, &values);
        assert!(is_name(&name), "{name}");
        name
    }

    #[test]
    fn a_name_has_the_base_the_labels_and_the_values() {
        let names = &mut Names::default();
        assert_eq!(of(names, "nat-sweep", &[("NAT timeout", "5m")]), "nat-sweep-nat-timeout-5m");
        assert_eq!(of(names, "s", &[("Loss (%)", "0.25"), ("interval", "1m30s")]), "s-loss-0-25-interval-1m30s");
        assert_eq!(of(names, "s", &[]), "s");
        assert_eq!(of(names, "s", &[("Übung", "§")]), "s-bung");
    }

    #[test]
    fn names_that_are_too_long_or_alike_end_in_a_hash_of_the_whole() {
        let names = &mut Names::default();
        let long = "x".repeat(60);
        let [a, b] = ["5m", "6m"].map(|value| of(names, &long, &[("NAT timeout", value)]));
        assert_eq!((a.len(), b.len(), a == b), (64, 64, false));
        assert_eq!(of(&mut Names::default(), &long, &[("NAT timeout", "5m")]), a, "always the same");
        let [c, d] = ["0.5", "0-5"].map(|value| of(names, "s", &[("x", value)]));
        assert_eq!(c, "s-x-0-5");
        assert!(d.starts_with("s-x-0-5-"), "{d}");
    }
}
