//! The answer in the words and the format of VNN-COMP.

use super::Verdict;
use perturb::certify::verify::Outcome;
use std::fmt::{Display, Formatter, Result};

/// What a search found, and how long everything took.
pub struct Answer {
    pub outcome: Outcome,
    /// Seconds, loading included.
    pub seconds: f64,
}

impl Answer {
    /// The first line of a results file.
    pub fn word(&self) -> &'static str {
        match self.outcome.verdict {
            Verdict::Unsat => "unsat",
            Verdict::Sat(_) => "sat",
            Verdict::Timeout => "timeout",
            Verdict::Unknown(_) => "unknown",
        }
    }

    /// What to tell a person.
    pub fn summary(&self) -> String {
        let detail = match &self.outcome.verdict {
            Verdict::Unsat => "the property holds".to_string(),
            Verdict::Sat(w) => format!("counterexample found (case {}, alternative {})", w.case, w.conjunction),
            Verdict::Timeout => "the time is over".to_string(),
            Verdict::Unknown(reason) => reason.clone(),
        };
        let (word, outcome) = (self.word(), &self.outcome);
        format!("{word}: {detail}; {} subdomains, {:.2} s\n", outcome.subdomains, self.seconds)
    }
}

impl Display for Answer {
    // Shortest decimals that read back as the same f32.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "{}", self.word())?;
        let Verdict::Sat(witness) = &self.outcome.verdict else { return Ok(()) };
        let values = |name: char, values: &[f32]| -> Vec<String> {
            values.iter().enumerate().map(|(i, v)| format!("({name}_{i} {v:?})")).collect()
        };
        let all = [values('X', &witness.inputs), values('Y', &witness.outputs)].concat();
        writeln!(f, "({})", all.join("\n "))
    }
}
