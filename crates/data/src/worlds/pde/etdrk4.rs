//! Exponential time differencing, fourth order (Cox & Matthews 2002; Kassam & Trefethen 2005).

use super::spectral::{Coefficient, Spectral};
use super::trajectory::{Trajectory, check};
use crate::worlds::error::WorldError;
use std::f64::consts::TAU;

/// Points on the contour around each h·λ on which the φ functions are averaged.
const CONTOUR: usize = 32;

/// Coefficients of one step of û_t = λ û + N(û) for every mode.
struct Stepper {
    step: f64,
    /// exp(h λ) and exp(h λ / 2).
    whole: Vec<Coefficient>,
    half: Vec<Coefficient>,
    /// h·(e^{hλ/2} − 1)/(hλ), and the three weights of the stages.
    stage: Vec<Coefficient>,
    weights: [Vec<Coefficient>; 3],
}

impl Stepper {
    fn new(linear: &[Coefficient], step: f64) -> Stepper {
        let mean = |f: &dyn Fn(Coefficient) -> Coefficient| -> Vec<Coefficient> {
            let around = |z: Coefficient| {
                let point = |j: usize| z + Coefficient::cis(TAU * (j as f64 + 0.5) / CONTOUR as f64);
                (0..CONTOUR).map(|j| f(point(j))).sum::<Coefficient>() * (step / CONTOUR as f64)
            };
            linear.iter().map(|l| around(l * step)).collect()
        };
        Stepper {
            step,
            whole: linear.iter().map(|l| (l * step).exp()).collect(),
            half: linear.iter().map(|l| (l * (0.5 * step)).exp()).collect(),
            stage: mean(&|z| ((z * 0.5).exp() - 1.0) / z),
            weights: [
                mean(&|z| (-4.0 - z + z.exp() * (4.0 - 3.0 * z + z * z)) / (z * z * z)),
                mean(&|z| (2.0 + z + z.exp() * (z - 2.0)) / (z * z * z)),
                mean(&|z| (-4.0 - 3.0 * z - z * z + z.exp() * (4.0 - z)) / (z * z * z)),
            ],
        }
    }

    fn advance(&self, u: &mut [Coefficient], nonlinear: &mut impl FnMut(&[Coefficient]) -> Vec<Coefficient>) {
        let blend = |base: &[Coefficient], slope: &dyn Fn(usize) -> Coefficient| -> Vec<Coefficient> {
            (0..base.len()).map(|i| self.half[i] * base[i] + self.stage[i] * slope(i)).collect()
        };
        let nu = nonlinear(u);
        let a = blend(u, &|i| nu[i]);
        let na = nonlinear(&a);
        let b = blend(u, &|i| na[i]);
        let nb = nonlinear(&b);
        let c = blend(&a, &|i| 2.0 * nb[i] - nu[i]);
        let nc = nonlinear(&c);
        let [first, middle, last] = &self.weights;
        for (i, u) in u.iter_mut().enumerate() {
            *u = self.whole[i] * *u + first[i] * nu[i] + 2.0 * middle[i] * (na[i] + nb[i]) + last[i] * nc[i];
        }
    }
}

/// Solves û_t = λ û + N(û) with steps of at most `step`. States hold the equation's fields one after the other; λ and N
/// are given for all coefficients of all fields.
pub(super) fn solve(
    spectral: &Spectral,
    shape: &[usize],
    linear: &[Coefficient],
    mut nonlinear: impl FnMut(&[Coefficient]) -> Vec<Coefficient>,
    initial: &[f64],
    times: &[f64],
    step: f64,
) -> Result<Trajectory, WorldError> {
    check(initial, linear.len(), times)?;
    let mut u: Vec<Coefficient> =
        initial.chunks(spectral.count()).flat_map(|field| spectral.transform(field)).collect();
    let (mut states, mut now) = (Vec::with_capacity(times.len() * u.len()), 0.0);
    let mut stepper: Option<Stepper> = None;
    for &t in times {
        let steps = ((t - now) / step - 1e-9).ceil().max(0.0) as usize;
        if steps > 0 {
            let h = (t - now) / steps as f64;
            // Equal intervals up to rounding share their coefficients.
            let fitting = stepper.take().filter(|s| (s.step / h - 1.0).abs() < 1e-12);
            let stepper = stepper.insert(fitting.unwrap_or_else(|| Stepper::new(linear, h)));
            (0..steps).for_each(|_| stepper.advance(&mut u, &mut nonlinear));
        }
        now = t;
        states.extend(u.chunks(spectral.count()).flat_map(|u| spectral.field(u)));
        if let Some(value) = states[states.len() - u.len()..].iter().find(|v| !v.is_finite()) {
            let expected =
                format!("the solution has left the range of numbers by time {t}: take smaller steps than {step}");
            return Err(WorldError::parameter("pde", "a value", value, expected));
        }
    }
    Ok(Trajectory::new(times, shape, states))
}

/// −½ c ∂ₓ(u²), free of aliases: the nonlinearity of Burgers, Korteweg–de Vries and Kuramoto–Sivashinsky.
pub(super) fn convection(spectral: &Spectral, factor: f64) -> impl FnMut(&[Coefficient]) -> Vec<Coefficient> + '_ {
    let kept = spectral.kept(2.0 / 3.0);
    let multiplier: Vec<Coefficient> =
        spectral.wavenumbers().map(|[k, _]| Coefficient::new(0.0, -0.5 * factor * k)).collect();
    move |u| {
        let low: Vec<Coefficient> = u.iter().zip(&kept).map(|(u, &k)| if k { *u } else { Coefficient::ZERO }).collect();
        let square: Vec<f64> = spectral.field(&low).into_iter().map(|u| u * u).collect();
        let product = spectral.transform(&square).into_iter().zip(&kept).zip(&multiplier);
        product.map(|((p, &k), m)| if k { p * m } else { Coefficient::ZERO }).collect()
    }
}
