//! Sparse universal perturbations: generalised singular vectors of a hidden layer.

use super::{Universal, fooling};
use crate::problem::require;
use crate::{AttackError, Ball, Classifier, Seed};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Shape, Tensor, try_jvp, vjp};
use rand_distr::{Distribution, StandardNormal};

/// Truncated power iteration for sparse singular vectors (Kuvshinova et al. 2024, algorithm 1, after Khrulkov and Oseledets
/// 2018 for dense ones): the v that excites a hidden layer most over samples xᵢ, `max Σᵢ ‖J(xᵢ)·v‖_q^q` with `‖v‖_p = 1` on
/// at most k pixels.
///
/// With `ψᵣ(z) = sign(z)·|z|^{r−1}` and 1/p + 1/p′ = 1, an iteration computes `s = Σᵢ J(xᵢ)ᵀ·ψ_q(J(xᵢ)·v)`, keeps the k pixels
/// of the largest `‖s‖_{p′}` over channels, and sets v to `ψ_{p′}(s)` there, of length 1. It starts with all pixels, and k
/// falls to its value in the first half of the iterations, because a start with few pixels stays where it began.
///
/// Each J is applied as a forward and a reverse derivative of the layer, and is never formed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TPower {
    /// p, at least 1; infinite: all values of the perturbation are equal up to their signs.
    pub p: f64,
    /// q, at least 1 and finite.
    pub q: f64,
    /// Share of pixels that may change, in (0, 1]; at least one does.
    pub pixels: f64,
    /// Most iterations; they end when v stays as it is.
    pub iterations: usize,
    /// Samples in a run.
    pub batch: usize,
}

const NAME: &str = "TPower";

impl Default for TPower {
    /// p = ∞, q = 5, 5 % of pixels, 40 iterations.
    fn default() -> Self {
        TPower { p: f64::INFINITY, q: 5.0, pixels: 0.05, iterations: 40, batch: 64 }
    }
}

/// A perturbation of length 1 that excites a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Singular {
    /// v, row-major, of the size of one example.
    pub direction: Vec<f64>,
    /// `(Σᵢ ‖J(xᵢ)·v‖_q^q)^{1/q}`, at the iteration before the last.
    pub gain: f64,
}

impl TPower {
    /// The direction for `layer`, a graph from one example to what a hidden layer makes of it, at samples
    /// `inputs [N, …example]`. Where examples have three axes or more, a pixel is a place in the last two, with all its
    /// channels; else it is a single value.
    ///
    /// # Errors
    /// If the layer has not one input and one output in single precision, the inputs do not fit, the layer does not react
    /// to its input, or a hyperparameter is out of its range.
    pub fn direction(&self, layer: &Graph, inputs: &Tensor, seed: &Seed) -> Result<Singular, AttackError> {
        self.check()?;
        let excitation = Excitation::compile(layer, self.q, self.batch, inputs)?;
        let pixels = Pixels::of(&excitation.example);
        let kept = ((self.pixels * pixels.count as f64).round() as usize).clamp(1, pixels.count);
        let mut rng = seed.stream(0);
        let start = (0..excitation.example.count()).map(|_| StandardNormal.sample(&mut rng)).collect();
        let mut found = Singular { direction: unit(start, self.p)?, gain: 0.0 };
        for iteration in 0..self.iterations {
            let share = (2.0 * (iteration + 1) as f64 / self.iterations as f64).min(1.0);
            let budget = pixels.count as f64 * (kept as f64 / pixels.count as f64).powf(share);
            let (raised, gain) = excitation.raise(&found.direction, inputs)?;
            let next = self.truncated(raised, &pixels, budget.round() as usize)?;
            let change = next.iter().zip(&found.direction).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            found = Singular { direction: next, gain };
            if share == 1.0 && change < 1e-7 {
                break;
            }
        }
        Ok(found)
    }

    /// The perturbation in `ball` around zero (whose bounds are those of the inputs), of length ε: the direction, with the
    /// sign that changes more of the model's decisions on `inputs`.
    ///
    /// # Errors
    /// As for [`TPower::direction`], and if the inputs do not fit the model or the ball has no radius.
    pub fn fit(
        &self,
        layer: &Graph,
        model: &Classifier,
        inputs: &Tensor,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Universal, AttackError> {
        if ball.epsilon().is_infinite() {
            return Err(AttackError::NoBudget { attack: NAME });
        }
        let direction = self.direction(layer, inputs, seed)?.direction;
        let values: Vec<f32> = direction.iter().map(|&v| v as f32).collect();
        let length = ball.distance(&vec![0.0; values.len()], &values);
        let scaled = |sign: f64| {
            let scaled = direction.iter().map(|v| (sign * ball.epsilon() / length * v) as f32).collect();
            Universal::new(Tensor::new(model.example_shape().clone(), scaled)?, *ball)
        };
        let (plus, minus) = (scaled(1.0)?, scaled(-1.0)?);
        let clean = fooling(model, inputs)?;
        let rates = [&plus, &minus].map(|u| u.success_rate(model, inputs, &clean));
        let [a, b] = rates;
        Ok(if a? >= b? { plus } else { minus })
    }

    fn check(&self) -> Result<(), AttackError> {
        require(self.p >= 1.0, NAME, "p", self.p, "at least 1")?;
        require(self.q >= 1.0 && self.q.is_finite(), NAME, "q", self.q, "at least 1 and finite")?;
        require(self.pixels > 0.0 && self.pixels <= 1.0, NAME, "pixels", self.pixels, "in (0, 1]")?;
        require(self.iterations > 0, NAME, "iterations", 0.0, "1 or more")?;
        if self.batch == 0 { Err(AttackError::EmptyBatch) } else { Ok(()) }
    }

    /// The vector of length 1 on `budget` pixels that is best along `s`: `‖s_S‖_{p′}` is the largest inner product with s.
    fn truncated(&self, s: Vec<f64>, pixels: &Pixels, budget: usize) -> Result<Vec<f64>, AttackError> {
        let dual = dual(self.p);
        let scale = s.iter().fold(0.0f64, |m, v| m.max(v.abs())).max(f64::MIN_POSITIVE);
        let mut order: Vec<(f64, usize)> = (0..pixels.count)
            .map(|pixel| {
                let channels = pixels.values(pixel).map(|i| (s[i] / scale).abs());
                let weight = match dual.is_infinite() {
                    true => channels.fold(0.0, f64::max),
                    false => channels.map(|v| v.powf(dual)).sum(),
                };
                (weight, pixel)
            })
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut kept = vec![0.0; s.len()];
        for (_, pixel) in order.iter().take(budget.max(1)) {
            pixels.values(*pixel).for_each(|i| kept[i] = s[i] / scale);
        }
        unit(steepest(&kept, self.p), self.p)
    }
}

/// p′ with 1/p + 1/p′ = 1.
fn dual(p: f64) -> f64 {
    match p {
        1.0 => f64::INFINITY,
        _ if p.is_infinite() => 1.0,
        _ => p / (p - 1.0),
    }
}

/// `ψ_{p′}(s)`; for p = 1 its limit, the largest coordinate alone.
fn steepest(s: &[f64], p: f64) -> Vec<f64> {
    let dual = dual(p);
    if dual.is_infinite() {
        let largest = (0..s.len()).fold(0, |best, i| if s[i].abs() > s[best].abs() { i } else { best });
        return (0..s.len()).map(|i| if i == largest { s[i].signum() } else { 0.0 }).collect();
    }
    // `signum` is 1 at zero.
    s.iter().map(|&v| if v == 0.0 { 0.0 } else { v.signum() * v.abs().powf(dual - 1.0) }).collect()
}

fn unit(v: Vec<f64>, p: f64) -> Result<Vec<f64>, AttackError> {
    let largest = v.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 || !largest.is_finite() {
        let reason = "the layer does not react to its input, or without bounds".into();
        return Err(AttackError::Model { reason });
    }
    let length = match p.is_infinite() {
        true => largest,
        false => largest * v.iter().map(|v| (v / largest).abs().powf(p)).sum::<f64>().powf(1.0 / p),
    };
    Ok(v.into_iter().map(|v| v / length).collect())
}

/// Which values of an example are one pixel.
struct Pixels {
    count: usize,
    channels: usize,
}

impl Pixels {
    fn of(example: &Shape) -> Pixels {
        let count = if example.len() >= 3 { example[example.len() - 2..].iter().product() } else { example.count() };
        Pixels { count, channels: example.count() / count }
    }

    fn values(&self, pixel: usize) -> impl Iterator<Item = usize> {
        let count = self.count;
        (0..self.channels).map(move |channel| channel * count + pixel)
    }
}

/// An iteration's derivatives for a batch of samples, compiled.
struct Excitation {
    exe: Executable,
    /// Of one sample, and of a batch, as the layer takes them.
    input: Shape,
    batched: Shape,
    example: Shape,
    q: f64,
    batch: usize,
}

impl Excitation {
    fn compile(layer: &Graph, q: f64, batch: usize, inputs: &Tensor) -> Result<Excitation, AttackError> {
        let model = |reason: String| AttackError::Model { reason };
        let ([input], [(_, output)]) = (&layer.inputs[..], &layer.outputs[..]) else {
            let (i, o) = (layer.inputs.len(), layer.outputs.len());
            return Err(model(format!("the layer has {i} inputs and {o} outputs, not one of each")));
        };
        if [input.dtype(), output.dtype()] != [DType::F32; 2] {
            return Err(model(format!("the layer maps {} to {}, not f32 to f32", input.dtype(), output.dtype())));
        }
        let rows = inputs.shape().first().copied().unwrap_or(0);
        if inputs.count() == 0 || rows * input.shape().count() != inputs.count() || inputs.dtype() != DType::F32 {
            let (dtype, shape, expected) = (inputs.dtype(), inputs.shape().clone(), input.shape().clone());
            return Err(AttackError::Inputs { dtype, shape, expected });
        }
        let batch = batch.min(rows);
        let batched = layer.vmap(batch)?;
        let (x, z) = (&batched.inputs[..], std::slice::from_ref(&batched.outputs[0].1));
        let direction = Expr::input("direction", input.shape(), DType::F32);
        // 0 for rows that fill up the last batch.
        let counted = Expr::input("counted", [batch], DType::F32);
        let tangent = direction.try_broadcast_to(x[0].shape())?;
        let still = || model("the layer does not depend on its input".into());
        let moved = try_jvp(z, x, &[Some(tangent)])?.remove(0).ok_or_else(still)?;
        let column: Vec<usize> = std::iter::once(batch).chain(vec![1; moved.rank() - 1]).collect();
        let moved = moved.mul(&counted.try_reshape(column)?);
        // Powers of what is at most 1 do not overflow.
        let largest = moved.abs().reduce_max(&(0..moved.rank()).collect::<Vec<_>>(), false);
        let relative = moved.div(&largest.offset(f64::from(f32::MIN_POSITIVE)));
        let magnitude = relative.abs().try_pow(&relative.like(q - 1.0))?;
        let covector = relative.sign().mul(&magnitude);
        let raised = vjp(z, x, &[covector])?.remove(0).reduce_sum(&[0], false);
        let power = magnitude.mul(&relative.abs()).sum();
        let exe =
            Executable::compile(&[raised, power, largest], &[x[0].clone(), direction, counted], &Options::default())?;
        let example = match input.shape().split_first() {
            Some((1, rest)) if !rest.is_empty() => Shape::from(rest),
            _ => input.shape().clone(),
        };
        Ok(Excitation { exe, input: input.shape().clone(), batched: x[0].shape().clone(), example, q, batch })
    }

    /// `Σᵢ J(xᵢ)ᵀ·ψ_q(J(xᵢ)·v)` up to a factor, and `(Σᵢ ‖J(xᵢ)·v‖_q^q)^{1/q}`.
    fn raise(&self, v: &[f64], inputs: &Tensor) -> Result<(Vec<f64>, f64), AttackError> {
        let direction = Tensor::new(&self.input, v.iter().map(|&v| v as f32).collect())?;
        let (width, mut parts) = (v.len(), Vec::new());
        for rows in inputs.as_slice::<f32>().chunks(self.batch * width) {
            let mut values = rows.to_vec();
            let mut counted = vec![1.0f32; rows.len() / width];
            counted.resize(self.batch, 0.0);
            values.resize(self.batch * width, 0.0);
            let (values, counted) = (Tensor::new(&self.batched, values)?, Tensor::new([self.batch], counted)?);
            let found = self.exe.run(&[&values, &direction, &counted])?;
            let numbers = [1, 2].map(|i| f64::from(found[i].as_slice::<f32>()[0]));
            parts.push((found[0].to_f64_vec(), numbers));
        }
        let largest = parts.iter().fold(0.0f64, |m, (_, [_, largest])| m.max(*largest)).max(f64::MIN_POSITIVE);
        let (mut raised, mut power) = (vec![0.0; width], 0.0);
        for (part, [share, scale]) in parts {
            let factor = (scale / largest).powf(self.q - 1.0);
            raised.iter_mut().zip(part).for_each(|(r, p)| *r += factor * p);
            power += share * (scale / largest).powf(self.q);
        }
        Ok((raised, largest * power.powf(1.0 / self.q)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const N: usize = 8;

    fn matrix(seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..N * N).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    // x ↦ A·x; the Jacobian is A at all samples.
    fn layer(a: &[f64]) -> Graph {
        let x = Expr::input("x", [1, N], DType::F32);
        let weights = Expr::constant(Tensor::from_f64([N, N], DType::F32, a.to_vec()).unwrap());
        let z = x.matmul(&weights.transpose(&[1, 0]));
        Graph::new(vec![x], vec![("z".into(), z)]).unwrap()
    }

    fn power(a: &[f64], v: &[f64], q: f64) -> f64 {
        a.chunks(N).map(|row| row.iter().zip(v).map(|(a, v)| a * v).sum::<f64>().abs().powf(q)).sum()
    }

    // Largest singular value of A on some columns, by the power method.
    fn singular(a: &[f64], columns: &[usize]) -> f64 {
        let mut v = vec![0.0; N];
        columns.iter().for_each(|&c| v[c] = 1.0 + 0.1 * c as f64);
        for _ in 0..500 {
            let z: Vec<f64> = a.chunks(N).map(|row| row.iter().zip(&v).map(|(a, v)| a * v).sum()).collect();
            let s: Vec<f64> = (0..N).map(|j| (0..N).map(|i| a[i * N + j] * z[i]).sum()).collect();
            let kept: Vec<f64> = (0..N).map(|j| if columns.contains(&j) { s[j] } else { 0.0 }).collect();
            v = unit(kept, 2.0).unwrap();
        }
        power(a, &v, 2.0).sqrt()
    }

    #[test]
    fn dense_vectors_are_singular_vectors() {
        let a = matrix(1);
        let attack = TPower { p: 2.0, q: 2.0, pixels: 1.0, iterations: 500, batch: 2 };
        // Five samples: the last batch is not full.
        let inputs = Tensor::full([5, 1, N], 0.5f32);
        let found = attack.direction(&layer(&a), &inputs, &Seed::new(0, 0)).unwrap();
        let all: Vec<usize> = (0..N).collect();
        let best = singular(&a, &all);
        assert!((power(&a, &found.direction, 2.0).sqrt() / best - 1.0).abs() < 1e-5);
        assert!((found.gain / (5f64.sqrt() * best) - 1.0).abs() < 1e-5, "{} {best}", found.gain);
    }

    #[test]
    fn sparse_vectors_are_nearly_the_best() {
        let mut shares = Vec::new();
        for seed in 0..100 {
            let a = matrix(seed);
            let attack = TPower { p: 2.0, q: 2.0, pixels: 3.0 / N as f64, iterations: 30, batch: 1 };
            let found = attack.direction(&layer(&a), &Tensor::full([1, 1, N], 0.5f32), &Seed::new(seed, 0)).unwrap();
            assert!(found.direction.iter().filter(|v| **v != 0.0).count() <= 3);
            let triples = (0..N).flat_map(|i| (i + 1..N).flat_map(move |j| (j + 1..N).map(move |k| [i, j, k])));
            let best = triples.map(|t| singular(&a, &t)).fold(0.0, f64::max);
            shares.push(power(&a, &found.direction, 2.0).sqrt() / best);
        }
        let mean = shares.iter().sum::<f64>() / 100.0;
        let good = shares.iter().filter(|s| **s >= 0.95).count();
        assert!(mean >= 0.95 && good >= 80, "mean {mean}, {good} of 100 above 0.95");
    }

    // For p = ∞ all sign patterns can be tried: each that is found is its own next iterate, and of ten starts one finds
    // the best.
    #[test]
    fn sign_patterns_are_fixed_points() {
        let (a, q) = (matrix(7), 3.0);
        let attack = TPower { q, pixels: 1.0, iterations: 100, ..TPower::default() };
        let mut reached = 0.0f64;
        for seed in 0..10 {
            let found = attack.direction(&layer(&a), &Tensor::full([1, 1, N], 0.5f32), &Seed::new(seed, 0)).unwrap();
            let v = &found.direction;
            assert!(v.iter().all(|v| v.abs() == 1.0));
            let z: Vec<f64> = a.chunks(N).map(|row| row.iter().zip(v).map(|(a, v)| a * v).sum()).collect();
            for (j, v) in v.iter().enumerate() {
                let slope: f64 = (0..N).map(|i| a[i * N + j] * z[i].signum() * z[i].abs().powf(q - 1.0)).sum();
                assert!(slope * v > 0.0);
            }
            reached = reached.max(power(&a, v, q));
        }
        let pattern = |bits: usize| (0..N).map(|i| if bits >> i & 1 == 1 { 1.0 } else { -1.0 }).collect::<Vec<f64>>();
        let best = (0..1 << N).map(|bits| power(&a, &pattern(bits), q)).fold(0.0, f64::max);
        assert!((reached / best - 1.0).abs() < 1e-6, "{reached} of {best}");
    }

    // The limits of the exponents: one coordinate for p = 1, and signs in the layer for q = 1.
    #[test]
    fn limits_of_the_exponents() {
        let a = matrix(3);
        let attack = TPower { p: 1.0, q: 1.0, pixels: 1.0, iterations: 50, batch: 4 };
        let found = attack.direction(&layer(&a), &Tensor::full([1, 1, N], 0.5f32), &Seed::new(0, 0)).unwrap();
        assert_eq!(found.direction.iter().filter(|v| **v != 0.0).count(), 1);
        assert!(found.direction.iter().any(|v| v.abs() == 1.0));
        let error =
            TPower { q: 0.5, ..attack }.direction(&layer(&a), &Tensor::full([1, 1, N], 0.5f32), &Seed::new(0, 0));
        assert!(matches!(error, Err(AttackError::Hyperparameter { name: "q", .. })));
    }

    // Channels of a pixel stay together.
    #[test]
    fn pixels_are_kept_with_all_their_channels() {
        let x = Expr::input("x", [1, 3, 4, 4], DType::F32);
        let z = x.reshape([1, 48]).square();
        let graph = Graph::new(vec![x], vec![("z".into(), z)]).unwrap();
        let inputs = Tensor::new([2, 3, 4, 4], (0..96).map(|i| ((i * 37) % 41) as f32 / 41.0 + 0.1).collect()).unwrap();
        let attack = TPower { pixels: 0.25, ..TPower::default() };
        let found = attack.direction(&graph, &inputs, &Seed::new(0, 0)).unwrap();
        let used: Vec<usize> = (0..48).filter(|&i| found.direction[i] != 0.0).map(|i| i % 16).collect();
        let places: std::collections::BTreeSet<usize> = used.iter().copied().collect();
        assert_eq!((used.len(), places.len()), (12, 4));
    }
}
