//! Rules for integrals over [0, 1].

use crate::Result;
use crate::sweep::check_draws;
use std::f64::consts::PI;

/// Where the integrand is evaluated, and with which weight. The weights always sum to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quadrature {
    /// The roots of the Legendre polynomial of degree n: exact for polynomials of degree up to 2n − 1. The default here
    /// and in Captum 0.9 (`method="gausslegendre"`).
    #[default]
    GaussLegendre,
    /// k/n for k from 0 to n − 1.
    Left,
    /// k/n for k from 1 to n: the sum in the paper on integrated gradients (Sundararajan et al. 2017, eq. 3).
    Right,
    /// (k + 1/2)/n for k from 0 to n − 1.
    Middle,
    /// k/(n − 1) for k from 0 to n − 1, with half weight at both ends; needs two steps. (Captum's `riemann_trapezoid` has
    /// weights that sum to 1 − 1/n, and so is smaller by that factor.)
    Trapezoid,
}

impl Quadrature {
    /// The rule with `steps` points: pairs of point and weight.
    ///
    /// # Errors
    /// [`ExplainError::Setting`](crate::ExplainError::Setting) if there are too few or too many steps.
    pub fn rule(self, steps: usize) -> Result<Vec<(f64, f64)>> {
        check_draws("integration steps", if self == Quadrature::Trapezoid { 2 } else { 1 }, steps)?;
        let n = steps as f64;
        let even = |shift: f64| (0..steps).map(|k| ((k as f64 + shift) / n, 1.0 / n)).collect();
        Ok(match self {
            Quadrature::GaussLegendre => gauss_legendre(steps),
            Quadrature::Left => even(0.0),
            Quadrature::Middle => even(0.5),
            Quadrature::Right => even(1.0),
            Quadrature::Trapezoid => {
                let end = |k: usize| k == 0 || k + 1 == steps;
                let weight = |k: usize| if end(k) { 0.5 } else { 1.0 } / (n - 1.0);
                (0..steps).map(|k| (k as f64 / (n - 1.0), weight(k))).collect()
            }
        })
    }
}

// Newton's method from the asymptotic roots cos(π(k + 3/4)/(n + 1/2)), on the three-term recurrence; the weights on
// [−1, 1] are 2/((1 − x²)·P'(x)²). (Abramowitz and Stegun 25.4.29 and 22.16.6.)
fn gauss_legendre(steps: usize) -> Vec<(f64, f64)> {
    let n = steps as f64;
    let point = |k: usize| {
        let mut x = (PI * (k as f64 + 0.75) / (n + 0.5)).cos();
        // Quadratic convergence from four digits: three steps reach f64's precision, two more do no harm.
        for _ in 0..5 {
            let (value, slope) = legendre(steps, x);
            x -= value / slope;
        }
        let (_, slope) = legendre(steps, x);
        (0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..steps).map(point).collect()
}

// P_n(x) and its derivative, for |x| < 1.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=degree {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, degree as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Quadrature; 5] =
        [Quadrature::GaussLegendre, Quadrature::Left, Quadrature::Right, Quadrature::Middle, Quadrature::Trapezoid];

    fn integral(rule: Quadrature, steps: usize, f: impl Fn(f64) -> f64) -> f64 {
        rule.rule(steps).unwrap().into_iter().map(|(t, w)| w * f(t)).sum()
    }

    /// ∫₀¹ t^d dt = 1/(d + 1), exact up to degree 2n − 1 and not beyond.
    #[test]
    fn gauss_legendre_is_exact_for_polynomials() {
        for steps in [1, 2, 5, 20, 50] {
            for degree in 0..2 * steps as i32 {
                let got = integral(Quadrature::GaussLegendre, steps, |t| t.powi(degree));
                assert!((got - 1.0 / f64::from(degree + 1)).abs() < 1e-14, "{steps} steps, degree {degree}");
            }
        }
        assert!((integral(Quadrature::GaussLegendre, 2, |t| t.powi(4)) - 0.2).abs() > 1e-3);
    }

    /// Abramowitz and Stegun, table 25.4, n = 5, moved from [−1, 1] to [0, 1].
    #[test]
    fn published_points() {
        let rule = Quadrature::GaussLegendre.rule(5).unwrap();
        let published = [(0.906179845938664, 0.236926885056189), (0.538469310105683, 0.478628670499366)];
        for (k, (x, w)) in published.into_iter().enumerate() {
            assert!((rule[k].0 - 0.5 * (1.0 - x)).abs() < 1e-15 && (rule[k].1 - 0.5 * w).abs() < 1e-15);
            assert!((rule[4 - k].0 - 0.5 * (1.0 + x)).abs() < 1e-15);
        }
        assert!((rule[2].0 - 0.5).abs() < 1e-15 && (rule[2].1 - 0.5 * 0.568888888888889).abs() < 1e-15);
    }

    /// The leading errors of the rules for ∫₀¹ eᵗ dt: ∓(e − 1)/2n, −(e − 1)/24n², (e − 1)/12(n − 1)².
    #[test]
    fn leading_errors_of_the_riemann_rules() {
        let (n, gain) = (1000.0, 1f64.exp() - 1.0);
        for (rule, error) in [
            (Quadrature::Left, -gain / (2.0 * n)),
            (Quadrature::Right, gain / (2.0 * n)),
            (Quadrature::Middle, -gain / (24.0 * n * n)),
            (Quadrature::Trapezoid, gain / (12.0 * 999.0 * 999.0)),
        ] {
            let got = integral(rule, 1000, f64::exp) - gain;
            assert!((got / error - 1.0).abs() < 2e-3, "{rule:?}: {got} instead of {error}");
        }
    }

    #[test]
    fn weights_sum_to_one_and_too_few_steps_are_refused() {
        for rule in ALL {
            assert!((integral(rule, 37, |_| 1.0) - 1.0).abs() < 1e-13, "{rule:?}");
            assert!(rule.rule(0).is_err() && rule.rule(usize::MAX).is_err());
        }
        assert!(Quadrature::Trapezoid.rule(1).is_err() && Quadrature::Middle.rule(1).is_ok());
    }
}
