//! All systems that the project covers, from one table.

use crate::registry;
use std::sync::LazyLock;

/// The table: one system a line, fields separated by tabs, the first line naming them.
const TABLE: &str = include_str!("../catalogue.tsv");

/// The families in the order of the table.
pub const FAMILIES: [&str; 12] = [
    "attack",
    "certify",
    "explain",
    "defend",
    "embed",
    "ssl",
    "generate",
    "personalize",
    "transfer",
    "science",
    "theory",
    "learn",
];

/// A published system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct System {
    /// Its name on the command line.
    pub slug: &'static str,
    /// One of [`FAMILIES`].
    pub family: &'static str,
    /// Year of its first publication, where known.
    pub year: Option<u16>,
    /// Title of the paper.
    pub title: &'static str,
    /// Where its method lives, or will: a path below the facade crate.
    pub module: &'static str,
    /// What the paper claims, in one line.
    pub claim: &'static str,
}

/// Whether a system can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its reproduction is not written yet.
    Planned,
    /// It has a reproduction.
    Built,
}

impl System {
    /// Built if a reproduction with this slug is registered.
    pub fn status(&self) -> Status {
        if registry::reproduction(self.slug).is_some() { Status::Built } else { Status::Planned }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Status::Planned => "planned",
            Status::Built => "built",
        })
    }
}

/// All systems, by family.
pub fn systems() -> &'static [System] {
    static SYSTEMS: LazyLock<Vec<System>> =
        LazyLock::new(|| TABLE.lines().skip(1).filter_map(|line| parse(line).ok()).collect());
    &SYSTEMS
}

/// The system with this slug.
pub fn system(slug: &str) -> Option<&'static System> {
    systems().iter().find(|s| s.slug == slug)
}

/// Up to three slugs that resemble `text`, the nearest first.
pub fn nearest(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let likeness = |slug: &str| {
        let part = if slug.contains(&text) || text.contains(slug) { 0.3 } else { 0.0 };
        strsim::normalized_damerau_levenshtein(slug, &text) + part
    };
    let mut ranked: Vec<(f64, &str)> = systems().iter().map(|s| (likeness(s.slug), s.slug)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    ranked.into_iter().filter(|(likeness, _)| *likeness >= 0.4).take(3).map(|(_, slug)| slug).collect()
}

fn parse(line: &'static str) -> Result<System, String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [slug, family, year, title, module, claim] = fields[..] else {
        return Err(format!("{} fields instead of 6 in '{line}'", fields.len()));
    };
    let year = if year.is_empty() { None } else { Some(year.parse().map_err(|_| format!("year '{year}' of {slug}"))?) };
    Ok(System { slug, family, year, title, module, claim })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_line_is_a_system() {
        assert_eq!(TABLE.lines().next(), Some("slug\tfamily\tyear\ttitle\tmodule\tclaim"));
        for line in TABLE.lines().skip(1) {
            let system = parse(line).unwrap();
            let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(!system.slug.is_empty() && system.slug.chars().all(valid), "{line}");
            assert!(FAMILIES.contains(&system.family), "{line}");
            assert!(system.year.is_none_or(|y| (1950..2100).contains(&y)), "{line}");
            assert!(system.module.split("::").next() == Some(system.family), "{line}");
            assert!(system.title.len() > 5 && system.claim.len() > 20 && system.claim.ends_with('.'), "{line}");
        }
        let slugs: BTreeSet<&str> = systems().iter().map(|s| s.slug).collect();
        assert_eq!((slugs.len(), systems().len()), (210, 210));
    }

    #[test]
    fn misspelt_names_find_their_neighbours() {
        assert_eq!(nearest("fgms")[0], "fgsm");
        assert_eq!(nearest("Integrated-Gradient")[0], "integrated-gradients");
        assert_eq!(nearest("poincaree")[0], "poincare");
        assert!(nearest("gradients").contains(&"integrated-gradients"));
        assert!(nearest("qqqqqqqqqqqqqq").is_empty());
    }
}
