//! Rules: what the measurements must show for a claim to hold.
//!
//! Rules are data, not code: what a rule says is a range for an estimate that the harness computes from the seeds. So it
//! can be checked before anything runs that there are measurements that would break it.

use crate::measurement::{Measure, Measurements};
use crate::{Rejection, RunError};
use perturb_metrics::bootstrap::PAIRED_RESAMPLES;
use perturb_metrics::{Interval, bootstrap};

/// What is estimated from the seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Estimator {
    /// The mean.
    Level(Measure),
    /// The mean of `first − second` over paired seeds.
    Difference(Measure, Measure),
    /// The mean of the first over the mean of the second.
    Ratio(Measure, Measure),
    /// The mean slope of a curve in log–log coordinates, by least squares.
    Slope(&'static str),
    /// The largest value of any seed.
    Largest(Measure),
}

/// An estimate and the range in which it must lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// What is estimated.
    pub estimator: Estimator,
    /// Lower end of the range.
    pub lower: f64,
    /// Upper end of the range.
    pub upper: f64,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The estimate lies in the range, and a comparison excludes "no difference".
    Holds,
    /// The estimate lies outside.
    Fails,
    /// The estimate lies in the range, but the interval of a comparison includes "no difference".
    Uncertain,
}

/// An estimate with its 95 % percentile interval over [`PAIRED_RESAMPLES`] resamples of the seeds; for
/// [`Estimator::Largest`] the range over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its interval.
    pub interval: Interval,
}

impl Estimator {
    /// The rule that the estimate is at least this.
    pub const fn at_least(self, threshold: f64) -> Rule {
        Rule { estimator: self, lower: threshold, upper: f64::INFINITY }
    }

    /// The rule that the estimate is at most this.
    pub const fn at_most(self, threshold: f64) -> Rule {
        Rule { estimator: self, lower: f64::NEG_INFINITY, upper: threshold }
    }

    /// The rule that the estimate lies in this range.
    pub const fn within(self, lower: f64, upper: f64) -> Rule {
        Rule { estimator: self, lower, upper }
    }

    /// The values that the estimate can take.
    fn possible(self) -> (f64, f64) {
        match self {
            Estimator::Level(m) | Estimator::Largest(m) => (m.quantity.lowest, m.quantity.highest),
            Estimator::Difference(a, b) => {
                (a.quantity.lowest - b.quantity.highest, a.quantity.highest - b.quantity.lowest)
            }
            Estimator::Ratio(..) => (0.0, f64::INFINITY),
            Estimator::Slope(_) => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// The estimate if both sides of a comparison are alike.
    fn neutral(self) -> Option<f64> {
        match self {
            Estimator::Difference(..) => Some(0.0),
            Estimator::Ratio(..) => Some(1.0),
            _ => None,
        }
    }

    /// What the rule looks at.
    fn measures(self) -> Vec<Measure> {
        match self {
            Estimator::Level(m) | Estimator::Largest(m) => vec![m],
            Estimator::Difference(a, b) | Estimator::Ratio(a, b) => vec![a, b],
            Estimator::Slope(_) => Vec::new(),
        }
    }

    /// The estimate over paired seeds, in the order in which they are given.
    ///
    /// # Errors
    /// If a seed did not measure what the estimator needs, or the estimate does not exist (a ratio to zero, a logarithm
    /// of a value that is not positive).
    pub fn estimate(self, seeds: &[Measurements]) -> Result<Estimate, RunError> {
        match self {
            Estimator::Level(m) => over_seeds(&values(m, seeds)?, mean),
            Estimator::Difference(a, b) => over_seeds(&paired(a, b, seeds)?, |p| mean_of(p, |p| p.0 - p.1)),
            Estimator::Ratio(a, b) => {
                let pairs = paired(a, b, seeds)?;
                if pairs.iter().any(|p| p.1 <= 0.0 || p.0 < 0.0) {
                    let what = format!("a ratio of {} needs a positive {}", a.quantity.name, b.arm);
                    return Err(RunError::Measurement(what));
                }
                over_seeds(&pairs, |p| mean_of(p, |p| p.0) / mean_of(p, |p| p.1))
            }
            Estimator::Slope(curve) => {
                let slopes: Result<Vec<f64>, RunError> = seeds.iter().map(|s| slope(curve, s)).collect();
                over_seeds(&slopes?, mean)
            }
            Estimator::Largest(m) => {
                let values = values(m, seeds)?;
                let lower = values.iter().copied().fold(f64::INFINITY, f64::min);
                let upper = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                Ok(Estimate { value: upper, interval: Interval { lower, upper } })
            }
        }
    }
}

impl Rule {
    /// Fails if no possible measurement breaks this rule, or none meets it, or both sides are one measurement.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        if let [a, b] = self.estimator.measures()[..]
            && a == b
        {
            return Err(Rejection::SameSides { rule: self.to_string() });
        }
        let (lowest, highest) = self.estimator.possible();
        if self.lower.is_nan() || self.upper.is_nan() || self.lower <= lowest && self.upper >= highest {
            return Err(Rejection::CannotFail { rule: self.to_string() });
        }
        if self.lower > self.upper || self.lower > highest || self.upper < lowest {
            return Err(Rejection::CannotHold { rule: self.to_string() });
        }
        Ok(())
    }

    /// Whether the rule compares `method` with another arm and asks for a difference between them.
    pub(crate) fn compares(&self, method: &str, baselines: &[&str]) -> bool {
        let [a, b] = self.estimator.measures()[..] else { return false };
        let sides = (a.arm == method && baselines.contains(&b.arm)) || (b.arm == method && baselines.contains(&a.arm));
        sides && !self.allows_no_difference()
    }

    /// The arms that the rule looks at.
    pub(crate) fn arms(&self) -> Vec<&'static str> {
        self.estimator.measures().iter().map(|m| m.arm).collect()
    }

    fn allows_no_difference(&self) -> bool {
        self.estimator.neutral().is_some_and(|n| self.lower <= n && n <= self.upper)
    }

    /// What became of the rule, given its estimate.
    pub fn outcome(&self, estimate: &Estimate) -> Outcome {
        if estimate.value < self.lower || estimate.value > self.upper {
            return Outcome::Fails;
        }
        let Interval { lower, upper } = estimate.interval;
        match self.estimator.neutral() {
            Some(neutral) if !self.allows_no_difference() && lower <= neutral && neutral <= upper => Outcome::Uncertain,
            _ => Outcome::Holds,
        }
    }
}

impl std::fmt::Display for Estimator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let both = |a: &Measure, b: &Measure, sign: &str| {
            if a.quantity.name == b.quantity.name {
                return format!("{}: {} {sign} {}", a.quantity.name, a.arm, b.arm);
            }
            format!("{} of {} {sign} {} of {}", a.quantity.name, a.arm, b.quantity.name, b.arm)
        };
        match self {
            Estimator::Level(m) => write!(f, "{}: {}", m.quantity.name, m.arm),
            Estimator::Difference(a, b) => f.write_str(&both(a, b, "−")),
            Estimator::Ratio(a, b) => f.write_str(&both(a, b, "÷")),
            Estimator::Slope(curve) => write!(f, "log–log slope of {curve}"),
            Estimator::Largest(m) => {
                write!(f, "largest {} of any seed: {}", m.quantity.name.trim_start_matches("largest "), m.arm)
            }
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.lower.is_finite(), self.upper.is_finite()) {
            (true, true) => write!(f, "{} between {} and {}", self.estimator, self.lower, self.upper),
            (true, false) => write!(f, "{} ≥ {}", self.estimator, self.lower),
            _ => write!(f, "{} ≤ {}", self.estimator, self.upper),
        }
    }
}

fn values(measure: Measure, seeds: &[Measurements]) -> Result<Vec<f64>, RunError> {
    let missing = || RunError::Measurement(format!("{} of {} was not measured", measure.quantity.name, measure.arm));
    seeds.iter().map(|s| s.value(measure).ok_or_else(missing)).collect()
}

fn paired(a: Measure, b: Measure, seeds: &[Measurements]) -> Result<Vec<(f64, f64)>, RunError> {
    Ok(values(a, seeds)?.into_iter().zip(values(b, seeds)?).collect())
}

fn mean(values: &[f64]) -> f64 {
    mean_of(values, |v| *v)
}

fn mean_of<T>(items: &[T], value: impl Fn(&T) -> f64) -> f64 {
    items.iter().map(value).sum::<f64>() / items.len() as f64
}

fn over_seeds<T: Clone>(items: &[T], statistic: impl Fn(&[T]) -> f64) -> Result<Estimate, RunError> {
    let interval = bootstrap(items, &statistic, PAIRED_RESAMPLES, 0.05, 0)?;
    Ok(Estimate { value: statistic(items), interval })
}

/// The least-squares slope of ln y against ln x.
fn slope(curve: &str, seed: &Measurements) -> Result<f64, RunError> {
    let wrong = |what: &str| RunError::Measurement(format!("the curve '{curve}' {what}"));
    let points = seed.points(curve).ok_or_else(|| wrong("was not measured"))?;
    if points.iter().any(|p| !(p.0 > 0.0 && p.1 > 0.0 && p.0.is_finite() && p.1.is_finite())) {
        return Err(wrong("has points without a logarithm"));
    }
    let logs: Vec<(f64, f64)> = points.iter().map(|p| (p.0.ln(), p.1.ln())).collect();
    let (mx, my) = (mean_of(&logs, |p| p.0), mean_of(&logs, |p| p.1));
    let variance: f64 = logs.iter().map(|p| (p.0 - mx).powi(2)).sum();
    if variance == 0.0 || logs.is_empty() {
        return Err(wrong("needs two different positions"));
    }
    Ok(logs.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>() / variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Quantity;

    const ERROR: Quantity = Quantity::share("error");

    fn seeds(pairs: &[(f64, f64)]) -> Vec<Measurements> {
        let seed = |&(a, b): &(f64, f64)| {
            let mut m = Measurements::new();
            m.record(ERROR.of("method"), a).unwrap();
            m.record(ERROR.of("baseline"), b).unwrap();
            m.curve("power", (1..6).map(|x| (f64::from(x), 3.0 * f64::from(x).powf(-a))).collect());
            m
        };
        pairs.iter().map(seed).collect()
    }

    #[test]
    fn differences_need_size_and_certainty() {
        let rule = Estimator::Difference(ERROR.of("method"), ERROR.of("baseline")).at_least(0.3);
        let outcome = |pairs: &[(f64, f64)]| rule.outcome(&rule.estimator.estimate(&seeds(pairs)).unwrap());
        assert_eq!(outcome(&[(0.9, 0.4), (0.8, 0.5), (0.9, 0.5)]), Outcome::Holds);
        assert_eq!(outcome(&[(0.9, 0.7), (0.8, 0.6), (0.9, 0.6)]), Outcome::Fails);
        assert_eq!(outcome(&[(1.0, 0.0), (0.3, 0.4), (0.8, 0.4)]), Outcome::Uncertain);
    }

    #[test]
    fn equivalence_needs_no_difference() {
        let rule = Estimator::Difference(ERROR.of("method"), ERROR.of("baseline")).within(-0.1, 0.1);
        let estimate = rule.estimator.estimate(&seeds(&[(0.5, 0.5), (0.6, 0.55), (0.5, 0.52)])).unwrap();
        assert_eq!(rule.outcome(&estimate), Outcome::Holds);
    }

    #[test]
    fn ratios_slopes_and_largest_values() {
        let seeds = seeds(&[(0.5, 0.25), (0.25, 0.75)]);
        let ratio = Estimator::Ratio(ERROR.of("method"), ERROR.of("baseline")).estimate(&seeds).unwrap();
        assert_eq!(ratio.value, 0.75);
        assert!((ratio.interval.lower - 1.0 / 3.0).abs() < 1e-12 && ratio.interval.upper == 2.0);
        let slope = Estimator::Slope("power").estimate(&seeds).unwrap();
        assert!((slope.value + 0.375).abs() < 1e-12);
        let largest = Estimator::Largest(ERROR.of("baseline"));
        let estimate = largest.estimate(&seeds).unwrap();
        assert_eq!((estimate.value, estimate.interval.lower), (0.75, 0.25));
        assert_eq!(largest.at_most(0.7).outcome(&estimate), Outcome::Fails);
        assert_eq!(largest.at_most(0.8).outcome(&estimate), Outcome::Holds);
    }

    #[test]
    fn what_was_not_measured_is_an_error() {
        let seeds = seeds(&[(0.5, 0.0), (0.5, 0.1)]);
        assert!(Estimator::Level(ERROR.of("other")).estimate(&seeds).is_err());
        assert!(Estimator::Slope("none").estimate(&seeds).is_err());
        assert!(Estimator::Ratio(ERROR.of("method"), ERROR.of("baseline")).estimate(&seeds).is_err());
    }

    #[test]
    fn rules_that_cannot_fail_or_hold_are_rejected() {
        let (method, baseline) = (ERROR.of("method"), ERROR.of("baseline"));
        for rule in [
            Estimator::Level(method).at_least(0.0),
            Estimator::Level(method).at_most(1.0),
            Estimator::Largest(method).within(-5.0, 5.0),
            Estimator::Difference(method, baseline).at_least(-1.0),
            Estimator::Ratio(method, baseline).at_least(0.0),
            Estimator::Slope("power").at_least(f64::NEG_INFINITY),
            Estimator::Slope("power").at_least(f64::NAN),
        ] {
            assert!(matches!(rule.check(), Err(Rejection::CannotFail { .. })), "{rule}");
        }
        for rule in [
            Estimator::Level(method).at_least(1.5),
            Estimator::Difference(method, baseline).at_most(-1.5),
            Estimator::Slope("power").within(1.0, -1.0),
        ] {
            assert!(matches!(rule.check(), Err(Rejection::CannotHold { .. })), "{rule}");
        }
        let same = Estimator::Difference(method, method).at_least(0.1);
        assert!(matches!(same.check(), Err(Rejection::SameSides { .. })));
        assert!(Estimator::Difference(method, baseline).at_least(0.1).check().is_ok());
        assert!(Estimator::Slope("power").within(-1.05, -0.95).check().is_ok());
    }
}
