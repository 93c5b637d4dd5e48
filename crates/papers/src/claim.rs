//! Claims: the rules of a reproduction, and the verdict over them.

use crate::RunError;
use crate::measurement::Measurements;
use crate::rule::{Outcome, Rule};
use serde::{Deserialize, Serialize};

/// What a reproduction sets out to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The method's arm.
    pub method: &'static str,
    /// The arms that it is compared with.
    pub baselines: &'static [&'static str],
    /// How many seeds the verdict takes, at least two.
    pub seeds: usize,
    /// What must hold for the experiment to say anything; if one does not, the verdict is *inconclusive*.
    pub preconditions: Vec<Rule>,
    /// What the paper claims. The first rule is the headline: without it nothing is reproduced.
    pub rules: Vec<Rule>,
}

/// Why a claim is refused before anything runs: it is no test, because nothing that could be measured would refute it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nothing is compared.
    #[error("no rule compares the method with a baseline in a way that equal results would fail; add one")]
    NoBaseline,
    /// A spread over seeds cannot be seen.
    #[error("{seeds} seed(s) show no spread; use at least 2")]
    TooFewSeeds {
        /// How many were asked for.
        seeds: usize,
    },
    /// All seeds measured the very same values: they are not measured, or the seed is not used.
    #[error("all seeds gave exactly the same values; derive what is random from the seed")]
    SeedIgnored,
    /// There is nothing to check.
    #[error("there is no rule; state what must hold")]
    NoRules,
    /// No possible measurement breaks the rule.
    #[error("the rule '{rule}' cannot fail, whatever is measured")]
    CannotFail {
        /// The rule.
        rule: String,
    },
    /// No possible measurement meets the rule.
    #[error("the rule '{rule}' cannot hold, whatever is measured")]
    CannotHold {
        /// The rule.
        rule: String,
    },
    /// A measurement is compared with itself.
    #[error("the rule '{rule}' compares a measurement with itself")]
    SameSides {
        /// The rule.
        rule: String,
    },
    /// A rule speaks of an arm that the claim does not name.
    #[error("the rule '{rule}' speaks of '{arm}', which is neither the method nor a baseline")]
    UnknownArm {
        /// The rule.
        rule: String,
        /// The arm.
        arm: String,
    },
}

/// The verdict on a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every rule holds.
    #[serde(rename = "reproduced")]
    Reproduced,
    /// The headline holds, something else does not.
    #[serde(rename = "partly")]
    Partly,
    /// The headline fails.
    #[serde(rename = "not reproduced")]
    NotReproduced,
    /// A precondition does not hold, or the headline's interval includes "no difference".
    #[serde(rename = "inconclusive")]
    Inconclusive,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Reproduced => "reproduced",
            Verdict::Partly => "partly",
            Verdict::NotReproduced => "not reproduced",
            Verdict::Inconclusive => "inconclusive",
        })
    }
}

/// A rule with what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was estimated.
    pub estimated: String,
    /// The rule in words.
    pub rule: String,
    /// The estimate.
    pub value: f64,
    /// Its interval.
    pub interval: [f64; 2],
    /// Whether the rule holds.
    pub outcome: Outcome,
    /// Whether it is a precondition.
    pub precondition: bool,
}

impl Claim {
    /// Checks that the claim can fail when run with so many seeds.
    ///
    /// # Errors
    /// The [`Rejection`] that says why it cannot.
    pub fn check(&self, seeds: usize) -> Result<(), Rejection> {
        if seeds < 2 {
            return Err(Rejection::TooFewSeeds { seeds });
        }
        if self.rules.is_empty() {
            return Err(Rejection::NoRules);
        }
        for rule in self.rules.iter().chain(&self.preconditions) {
            rule.check()?;
            let known = |arm: &str| arm == self.method || self.baselines.contains(&arm);
            if let Some(arm) = rule.arms().into_iter().find(|arm| !known(arm)) {
                return Err(Rejection::UnknownArm { rule: rule.to_string(), arm: arm.into() });
            }
        }
        if self.baselines.contains(&self.method) || !self.rules.iter().any(|r| r.compares(self.method, self.baselines))
        {
            return Err(Rejection::NoBaseline);
        }
        Ok(())
    }

    /// Evaluates all rules, preconditions first, over the seeds' measurements.
    ///
    /// # Errors
    /// If a seed lacks a measurement that a rule needs.
    pub fn evaluate(&self, seeds: &[Measurements]) -> Result<(Verdict, Vec<Finding>), RunError> {
        let find = |(rule, precondition): (&Rule, bool)| -> Result<Finding, RunError> {
            let estimate = rule.estimator.estimate(seeds)?;
            Ok(Finding {
                estimated: rule.estimator.to_string(),
                rule: rule.to_string(),
                value: estimate.value,
                interval: [estimate.interval.lower, estimate.interval.upper],
                outcome: rule.outcome(&estimate),
                precondition,
            })
        };
        let preconditions = self.preconditions.iter().map(|r| (r, true));
        let findings: Result<Vec<Finding>, RunError> =
            preconditions.chain(self.rules.iter().map(|r| (r, false))).map(find).collect();
        let findings = findings?;
        Ok((verdict(&findings), findings))
    }
}

fn verdict(findings: &[Finding]) -> Verdict {
    let (preconditions, rules): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|f| f.precondition);
    let holds = |f: &&Finding| f.outcome == Outcome::Holds;
    if !preconditions.iter().all(holds) {
        return Verdict::Inconclusive;
    }
    match rules.first().map(|f| f.outcome) {
        Some(Outcome::Holds) if rules.iter().all(holds) => Verdict::Reproduced,
        Some(Outcome::Holds) => Verdict::Partly,
        Some(Outcome::Fails) => Verdict::NotReproduced,
        Some(Outcome::Uncertain) | None => Verdict::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Quantity;
    use crate::rule::Estimator;

    const ERROR: Quantity = Quantity::share("error");

    fn effect() -> Estimator {
        Estimator::Difference(ERROR.of("method"), ERROR.of("baseline"))
    }

    fn claim(rules: Vec<Rule>) -> Claim {
        Claim { method: "method", baselines: &["baseline"], seeds: 3, preconditions: Vec::new(), rules }
    }

    #[test]
    fn a_check_that_cannot_fail_is_rejected() {
        let level = Estimator::Level(ERROR.of("method")).at_least(0.5);
        assert_eq!(claim(vec![level]).check(3), Err(Rejection::NoBaseline), "nothing is compared");
        let equivalence = effect().within(-0.1, 0.1);
        assert_eq!(claim(vec![equivalence]).check(3), Err(Rejection::NoBaseline), "equal results would pass");
        let alone = Claim { baselines: &[], ..claim(vec![level]) };
        assert_eq!(alone.check(3), Err(Rejection::NoBaseline));
        let good = claim(vec![effect().at_least(0.1)]);
        assert_eq!(good.check(1), Err(Rejection::TooFewSeeds { seeds: 1 }));
        assert_eq!(good.check(0), Err(Rejection::TooFewSeeds { seeds: 0 }));
        assert_eq!(good.check(2), Ok(()));
        assert_eq!(claim(Vec::new()).check(3), Err(Rejection::NoRules));
        let trivial = claim(vec![effect().at_least(0.1), Estimator::Level(ERROR.of("method")).at_most(1.0)]);
        assert!(matches!(trivial.check(3), Err(Rejection::CannotFail { .. })));
        let precondition = Claim { preconditions: vec![effect().at_most(1.0)], ..good.clone() };
        assert!(matches!(precondition.check(3), Err(Rejection::CannotFail { .. })));
        let stranger = claim(vec![effect().at_least(0.1), Estimator::Level(ERROR.of("other")).at_most(0.5)]);
        assert!(matches!(stranger.check(3), Err(Rejection::UnknownArm { .. })));
    }

    fn seeds(pairs: &[(f64, f64)]) -> Vec<Measurements> {
        let seed = |&(a, b): &(f64, f64)| {
            let mut m = Measurements::new();
            m.record(ERROR.of("method"), a).unwrap();
            m.record(ERROR.of("baseline"), b).unwrap();
            m
        };
        pairs.iter().map(seed).collect()
    }

    #[test]
    fn verdicts() {
        let rules = vec![effect().at_least(0.3), Estimator::Level(ERROR.of("baseline")).at_most(0.2)];
        let full = Claim { preconditions: vec![Estimator::Level(ERROR.of("method")).at_least(0.4)], ..claim(rules) };
        let verdict = |pairs: &[(f64, f64)]| full.evaluate(&seeds(pairs)).unwrap().0;
        assert_eq!(verdict(&[(0.9, 0.1), (0.8, 0.1)]), Verdict::Reproduced);
        assert_eq!(verdict(&[(0.9, 0.3), (0.8, 0.3)]), Verdict::Partly);
        assert_eq!(verdict(&[(0.5, 0.3), (0.5, 0.4)]), Verdict::NotReproduced);
        assert_eq!(verdict(&[(1.0, 0.1), (0.1, 0.2)]), Verdict::Inconclusive, "the interval includes 0");
        assert_eq!(verdict(&[(0.35, 0.0), (0.35, 0.0)]), Verdict::Inconclusive, "the precondition fails");
    }
}
