//! Random perturbation sets whose points can be drawn and climbed over.

use perturb_graph::{DType, Domain, Expr, Norm, Tensor};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A ball (or, without a norm, just the box) around a random centre.
pub struct Set {
    pub norm: Option<Norm>,
    pub center: Vec<f64>,
    pub radius: f64,
    /// Limits of the elements: the box itself, or what a ball is intersected with.
    pub limits: Option<(Vec<f64>, Vec<f64>)>,
    shape: Vec<usize>,
    dtype: DType,
}

pub const NORMS: [Option<Norm>; 4] = [None, Some(Norm::Linf), Some(Norm::L2), Some(Norm::L1)];

impl Set {
    /// All numbers are representable in `f32`, whatever the type.
    pub fn random(rng: &mut ChaCha8Rng, shape: &[usize], norm: Option<Norm>, within: bool, dtype: DType) -> Set {
        let n = shape.iter().product();
        let single = |v: f64| f64::from(v as f32);
        let radius = single([1e-3, 0.05, 0.3, 1.0][rng.random_range(0..4)]);
        let center: Vec<f64> = (0..n).map(|_| single(rng.random_range(-1.0..1.0))).collect();
        let mut corner = |side: f64| -> Vec<f64> {
            center.iter().map(|c| single(c + side * radius * rng.random_range(0.0..1.5))).collect()
        };
        let limits = (within || norm.is_none()).then(|| (corner(-1.0), corner(1.0)));
        Set { norm, center, radius, limits, shape: shape.to_vec(), dtype }
    }

    pub fn tensor(&self, values: &[f64]) -> Tensor {
        Tensor::from_f64(self.shape.as_slice(), self.dtype, values.to_vec()).unwrap()
    }

    pub fn domain(&self) -> Domain {
        let constant = |v: &[f64]| Expr::constant(self.tensor(v));
        let limits = self.limits.as_ref().map(|(lo, hi)| (constant(lo), constant(hi)));
        match (self.norm, limits) {
            (None, limits) => limits.map(|(lo, hi)| Domain::Box { lo, hi }).unwrap(),
            (Some(norm), within) => {
                let radius = Expr::scalar(self.radius, self.dtype);
                Domain::Ball { center: constant(&self.center), radius, norm, within }
            }
        }
    }

    fn length(&self, x: &[f64]) -> f64 {
        let apart = x.iter().zip(&self.center).map(|(x, c)| (x - c).abs());
        match self.norm {
            None => 0.0,
            Some(Norm::Linf) => apart.fold(0.0, f64::max),
            Some(Norm::L2) => apart.map(|d| d * d).sum::<f64>().sqrt(),
            Some(Norm::L1) => apart.sum(),
        }
    }

    /// Moves a point towards the centre until it is a member, rounded to `f32`.
    pub fn admit(&self, mut x: Vec<f64>) -> Vec<f64> {
        if let Some((lo, hi)) = &self.limits {
            x.iter_mut().zip(lo.iter().zip(hi)).for_each(|(x, (&lo, &hi))| *x = x.clamp(lo, hi));
        }
        let scale = if self.length(&x) > self.radius { self.radius / self.length(&x) } else { 1.0 };
        let mut shrink = scale;
        loop {
            let move_in = |(x, c): (&f64, &f64)| f64::from((c + shrink * (x - c)) as f32);
            let candidate: Vec<f64> = x.iter().zip(&self.center).map(move_in).collect();
            if self.length(&candidate) <= self.radius {
                return candidate;
            }
            shrink -= 1e-3 * scale;
        }
    }

    /// A member: often at the boundary, often at a vertex.
    pub fn point(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let n = self.center.len();
        let reach = self.radius * if rng.random::<bool>() { 1.0 } else { rng.random::<f64>() };
        let offset: Vec<f64> = match self.norm {
            Some(Norm::L1) if rng.random::<bool>() => {
                let at = rng.random_range(0..n);
                (0..n).map(|i| if i == at { reach * [-1.0, 1.0][rng.random_range(0..2)] } else { 0.0 }).collect()
            }
            None | Some(Norm::Linf) if rng.random::<bool>() => {
                (0..n).map(|_| 2.0 * self.radius * [-1.0, 1.0][rng.random_range(0..2)]).collect()
            }
            _ => (0..n).map(|_| reach * rng.random_range(-1.0..1.0)).collect(),
        };
        self.admit(self.center.iter().zip(offset).map(|(c, d)| c + d).collect())
    }

    /// One step of ascent along a gradient, back into the set: towards a corner, along the gradient, or towards the
    /// best vertex.
    pub fn climb(&self, x: &[f64], gradient: &[f64], step: f64) -> Vec<f64> {
        let size = gradient.iter().map(|g| g * g).sum::<f64>().sqrt().max(1e-300);
        let largest = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        let direction = |g: f64| match self.norm {
            Some(Norm::L2) => g / size,
            Some(Norm::L1) => f64::from(u8::from(g.abs() == largest)) * g.signum(),
            _ => {
                if g == 0.0 {
                    0.0
                } else {
                    g.signum()
                }
            }
        };
        self.admit(x.iter().zip(gradient).map(|(x, &g)| x + step * self.radius * direction(g)).collect())
    }
}
