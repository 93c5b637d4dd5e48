//! From latent variables to observations.

use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use faer::Mat;
use faer::prelude::SolveLstsq;
use rand::RngExt;
use rand_distr::StandardNormal;

/// A map ℝᵈ → ℝᵖ, p ≥ d, that can be inverted on its image.
#[derive(Clone, Debug)]
pub enum Mixing {
    /// x = A · φ(B z + b): B a random rotation scaled by axis with factors from [0.5, 2), b ~ N(0, ¼), φ(t) = max(t,
    /// 0.2 t), A with orthonormal columns.
    LeakyRelu {
        /// B, `[d, d]`.
        inner: Mat<f64>,
        /// b, `[d]`.
        bias: Vec<f64>,
        /// A, `[p, d]`.
        outer: Mat<f64>,
    },
    /// x = A · (z, zᵢzⱼ for i ≤ j): A with orthonormal columns.
    Quadratic {
        /// A, `[p, d + d(d + 1)/2]`.
        matrix: Mat<f64>,
        /// d.
        latents: usize,
    },
}

/// φ's slope below 0.
const LEAK: f64 = 0.2;

/// A matrix of independent standard normal entries.
fn normal(rows: usize, columns: usize, seed: u64, part: u64) -> Mat<f64> {
    let mut rng = stream("sem mixing", seed, part);
    Mat::from_fn(rows, columns, |_, _| rng.sample::<f64, _>(StandardNormal))
}

/// Random orthonormal columns.
fn orthonormal(rows: usize, columns: usize, seed: u64, part: u64) -> Mat<f64> {
    normal(rows, columns, seed, part).qr().compute_thin_Q()
}

impl Mixing {
    /// A random piecewise linear mixing.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for fewer observations than latent variables, or none.
    pub fn leaky_relu(latents: usize, observations: usize, seed: u64) -> Result<Mixing, WorldError> {
        enough(observations, latents)?;
        let mut inner = orthonormal(latents, latents, seed, 0);
        let mut rng = stream("sem mixing", seed, 1);
        for i in 0..latents {
            let factor = rng.random_range(0.5..2.0);
            (0..latents).for_each(|j| inner[(i, j)] *= factor);
        }
        let bias = (0..latents).map(|_| 0.5 * rng.sample::<f64, _>(StandardNormal)).collect();
        Ok(Mixing::LeakyRelu { inner, bias, outer: orthonormal(observations, latents, seed, 2) })
    }

    /// A random polynomial mixing of degree 2.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for fewer observations than monomials, d + d(d + 1)/2, or none.
    pub fn quadratic(latents: usize, observations: usize, seed: u64) -> Result<Mixing, WorldError> {
        let monomials = latents + latents * (latents + 1) / 2;
        enough(observations, monomials)?;
        Ok(Mixing::Quadratic { matrix: orthonormal(observations, monomials, seed, 3), latents })
    }

    /// x(z).
    pub fn apply(&self, z: &[f64]) -> Vec<f64> {
        let inside = match self {
            Mixing::LeakyRelu { inner, bias, .. } => {
                let rotated = product(inner, z);
                rotated.iter().zip(bias).map(|(v, b)| v + b).map(|v| if v < 0.0 { LEAK * v } else { v }).collect()
            }
            Mixing::Quadratic { .. } => {
                let pairs = (0..z.len()).flat_map(|i| (i..z.len()).map(move |j| z[i] * z[j]));
                z.iter().copied().chain(pairs).collect::<Vec<f64>>()
            }
        };
        match self {
            Mixing::LeakyRelu { outer, .. } => product(outer, &inside),
            Mixing::Quadratic { matrix, .. } => product(matrix, &inside),
        }
    }

    /// z(x), of the nearest point of the image (for quadratic mixing, of the span of the monomials).
    pub fn invert(&self, x: &[f64]) -> Vec<f64> {
        match self {
            Mixing::LeakyRelu { inner, bias, outer } => {
                let inside = product(&outer.transpose().to_owned(), x);
                let unbent = inside.iter().map(|&v| if v < 0.0 { v / LEAK } else { v });
                let right: Vec<f64> = unbent.zip(bias).map(|(v, b)| v - b).collect();
                let solution = inner.qr().solve_lstsq(Mat::from_fn(right.len(), 1, |i, _| right[i]));
                (0..right.len()).map(|i| solution[(i, 0)]).collect()
            }
            Mixing::Quadratic { matrix, latents } => product(&matrix.transpose().to_owned(), x)[..*latents].to_vec(),
        }
    }
}

fn enough(observations: usize, needed: usize) -> Result<(), WorldError> {
    if observations < needed || needed == 0 {
        let expected = format!("the mixing needs at least {} to be invertible", needed.max(1));
        return Err(WorldError::parameter("sem", "observations", observations, expected));
    }
    Ok(())
}

fn product(matrix: &Mat<f64>, v: &[f64]) -> Vec<f64> {
    (0..matrix.nrows()).map(|i| v.iter().enumerate().map(|(j, v)| matrix[(i, j)] * v).sum()).collect()
}
