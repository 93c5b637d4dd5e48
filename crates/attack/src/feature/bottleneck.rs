//! Features that a decision needs, and features that it does not, told apart by noise.

use super::Cut;
use crate::adam::Adam;
use crate::problem::require;
use crate::{AttackError, Criterion, Seed};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, GraphError, Tensor, grad, substitute};

/// The information bottleneck of Kim, Lee and Ro (2021) at a hidden layer: how much noise each channel of an example's
/// features bears before the decision suffers.
///
/// Noise `λ_c·ε`, one standard normal ε for each channel, is added to features z, and Adam minimises over λ
/// `CE(head(z + λ·ε), y) + β·mean_c ½·(σ²_c/λ²_c + log(λ²_c/σ²_c) − 1)`, where σ²_c is the variance of the channel over its
/// places: λ grows to σ, where nothing is left of a channel, unless the decision needs it.
///
/// λ is the softplus of a free number, in units of the largest σ of an example, and starts at 1 of these: the scale of the
/// layer does not matter. The authors call a channel robust if λ²_c exceeds the largest σ²; here channels are ranked by
/// `λ_c/σ_c` ([`Distilled::non_robust`]), so that no part is empty. Cut after a rectifier: before one, noise has a mean
/// effect, which the bottleneck uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bottleneck {
    /// β.
    pub beta: f64,
    /// Adam's rate.
    pub rate: f64,
    /// Steps.
    pub steps: usize,
    /// Examples in a run.
    pub batch: usize,
}

impl Default for Bottleneck {
    /// β = 0.3, 200 steps at a rate of 0.1, 50 examples.
    fn default() -> Self {
        Bottleneck { beta: 0.3, rate: 0.1, steps: 200, batch: 50 }
    }
}

/// Features, channel by channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Distilled {
    /// The features `[N, C, …]`.
    pub features: Tensor,
    /// λ `[N, C]`.
    pub noise: Tensor,
    /// σ `[N, C]`.
    pub deviations: Tensor,
}

const NAME: &str = "bottleneck";
/// Floor of σ² in units of its largest: channels without variance have no logarithm.
const FLOOR: f64 = 1e-6;
/// softplus⁻¹(1) = ln(e − 1).
const START: f64 = 0.541_324_854_612_918_1;

impl Bottleneck {
    /// Tells channels apart at the cut of a model, for `inputs [N, …example]` and the decisions `labels` that are to be
    /// explained.
    ///
    /// # Errors
    /// If features are not `[1, C, …]` in single precision, inputs or labels do not fit, or a hyperparameter is out of its
    /// range.
    pub fn distill(
        &self,
        model: &Cut,
        inputs: &Tensor,
        labels: &[usize],
        seed: &Seed,
    ) -> Result<Distilled, AttackError> {
        require(self.beta >= 0.0, NAME, "beta", self.beta, "0 or more")?;
        require(self.rate > 0.0, NAME, "rate", self.rate, "positive")?;
        if self.batch == 0 {
            return Err(AttackError::EmptyBatch);
        }
        let (channels, places) = model.channels()?;
        let features = rows(&model.body, inputs, self.batch)?;
        let (count, width) = (features.shape()[0], channels * places);
        let noisy = Noisy::compile(model, self)?;
        Criterion::Misclassify { labels: labels.to_vec() }.check(count, noisy.classes)?;
        let values = features.as_slice::<f32>();
        let sigma: Vec<f32> = values.chunks_exact(places).map(deviation).collect();
        let mut lambda = Vec::with_capacity(count * channels);
        for (part, first) in values.chunks(self.batch * width).zip((0..count).step_by(self.batch)) {
            let examples = part.len() / width;
            let sigma = &sigma[first * channels..(first + examples) * channels];
            lambda.extend(self.search(&noisy, part, sigma, &labels[first..first + examples], seed, first)?);
        }
        let table = |values: Vec<f32>| Tensor::new([count, channels], values);
        Ok(Distilled { noise: table(lambda)?, deviations: table(sigma)?, features })
    }

    /// λ `[examples, C]` of a batch of features.
    fn search(
        &self,
        noisy: &Noisy,
        features: &[f32],
        sigma: &[f32],
        labels: &[usize],
        seed: &Seed,
        first: usize,
    ) -> Result<Vec<f32>, AttackError> {
        let channels = noisy.channels;
        let scales: Vec<f32> = sigma.chunks_exact(channels).map(|s| s.iter().copied().fold(1e-12, f32::max)).collect();
        let fixed = noisy.feeds(features, sigma, &scales, labels)?;
        let mut adams = vec![Adam::default(); scales.len()];
        let mut free = vec![START; scales.len() * channels];
        for step in 0..self.steps {
            let gradient = noisy.gradient(&free, &fixed, seed.key(first, step as u64 + 1))?;
            let moved = free.chunks_exact_mut(channels).zip(gradient.chunks_exact(channels)).zip(&mut adams);
            moved.for_each(|((x, g), adam)| adam.descend(x, g, self.rate));
        }
        let units = free.chunks_exact(channels).zip(&scales);
        Ok(units.flat_map(|(free, scale)| free.iter().map(move |f| (softplus(*f) as f32) * scale)).collect())
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn deviation(channel: &[f32]) -> f32 {
    let n = channel.len() as f64;
    let mean = channel.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    (channel.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt() as f32
}

/// What a graph of one example makes of `inputs [N, …]`: `[N, …output]`, without its leading axis of size 1.
fn rows(graph: &Graph, inputs: &Tensor, batch: usize) -> Result<Tensor, AttackError> {
    let (input, output) = (&graph.inputs[0], &graph.outputs[0].1);
    let (count, width) = (inputs.shape().first().copied().unwrap_or(0), input.shape().count());
    if count == 0 || count * width != inputs.count() || inputs.dtype() != DType::F32 || input.dtype() != DType::F32 {
        let (dtype, shape, expected) = (inputs.dtype(), inputs.shape().clone(), input.shape().clone());
        return Err(AttackError::Inputs { dtype, shape, expected });
    }
    let batch = batch.min(count);
    let exe = Executable::of(&graph.vmap(batch)?, &Options::default())?;
    let mut found = Vec::with_capacity(count * output.shape().count());
    for part in inputs.as_slice::<f32>().chunks(batch * width) {
        let mut values = part.to_vec();
        values.resize(batch * width, 0.0);
        let result = exe.run(&[&Tensor::new(input.shape().prepend(batch), values)?])?.remove(0);
        found.extend_from_slice(&result.as_slice::<f32>()[..part.len() / width * output.shape().count()]);
    }
    Ok(Tensor::new([&[count], &output.shape()[1..]].concat(), found)?)
}

/// The objective's gradient for a batch, compiled.
struct Noisy {
    exe: Executable,
    batch: usize,
    channels: usize,
    classes: usize,
}

impl Noisy {
    fn compile(model: &Cut, attack: &Bottleneck) -> Result<Noisy, AttackError> {
        let (batch, (channels, _)) = (attack.batch, model.channels()?);
        let batched = model.head.vmap(batch)?;
        let classes = batched.outputs[0].1.shape().count() / batch;
        let z = Expr::input("features", batched.inputs[0].shape(), DType::F32);
        let table = |name: &str, columns| Expr::input(name, [batch, columns], DType::F32);
        let (free, sigma, scale, targets) =
            (table("free", channels), table("sigma", channels), table("scale", 1), table("targets", classes));
        let key = Expr::input("key", [2], DType::I64);
        let lambda = free.softplus();
        let noise = lambda.mul(&key.try_random_normal([batch, channels], DType::F32)?).mul(&scale);
        let column: Vec<usize> = [batch, 1, channels].into_iter().chain(vec![1; z.rank() - 3]).collect();
        let moved = z.add(&noise.try_reshape(column)?);
        let logits = substitute(&batched.output_exprs(), &[(batched.inputs[0].clone(), moved)])?.remove(0);
        let variance = sigma.div(&scale).square().offset(FLOOR);
        let ratio = lambda.square().offset(FLOOR).div(&variance);
        let information = ratio.like(1.0).div(&ratio).add(&ratio.log()).offset(-1.0).scale(0.5);
        let loss = logits.try_reshape([batch, classes])?.cross_entropy(&targets);
        let total = loss.add(&information.reduce_mean(&[1], false).scale(attack.beta)).sum();
        let gradient = grad(&total, std::slice::from_ref(&free))?;
        let exe = Executable::compile(&gradient, &[free, z, sigma, scale, targets, key], &Options::default())?;
        Ok(Noisy { exe, batch, channels, classes })
    }

    /// What does not change from step to step; missing examples are zero.
    fn feeds(
        &self,
        features: &[f32],
        sigma: &[f32],
        scales: &[f32],
        labels: &[usize],
    ) -> Result<[Tensor; 4], AttackError> {
        let shape = self.exe.input_shapes().nth(1).cloned().unwrap_or_default();
        let mut targets = vec![0.0f32; self.batch * self.classes];
        labels.iter().enumerate().for_each(|(row, &label)| targets[row * self.classes + label] = 1.0);
        let filled = |values: &[f32], with: f32, count: usize| {
            let mut values = values.to_vec();
            values.resize(count, with);
            values
        };
        Ok([
            Tensor::new(shape.clone(), filled(features, 0.0, shape.count()))?,
            Tensor::new([self.batch, self.channels], filled(sigma, 1.0, self.batch * self.channels))?,
            Tensor::new([self.batch, 1], filled(scales, 1.0, self.batch))?,
            Tensor::new([self.batch, self.classes], targets)?,
        ])
    }

    fn gradient(&self, free: &[f64], fixed: &[Tensor; 4], key: [i64; 2]) -> Result<Vec<f64>, AttackError> {
        let mut values = free.to_vec();
        values.resize(self.batch * self.channels, START);
        let free = Tensor::from_f64([self.batch, self.channels], DType::F32, values)?;
        let key = Tensor::new([2], key.to_vec())?;
        let [z, sigma, scale, targets] = fixed;
        Ok(self.exe.run(&[&free, z, sigma, scale, targets, &key])?.remove(0).to_f64_vec())
    }
}

impl Distilled {
    /// The channels that bear least noise in proportion to their deviation, this share of them, of each example:
    /// `[N, C]`, 1 or 0.
    pub fn non_robust(&self, share: f64) -> Tensor {
        let channels = self.noise.shape()[1];
        let kept = (share * channels as f64).round() as usize;
        let mut mask = Tensor::full(self.noise.shape(), 0.0f32);
        let tables = self
            .noise
            .as_slice::<f32>()
            .chunks_exact(channels)
            .zip(self.deviations.as_slice::<f32>().chunks_exact(channels));
        for ((noise, deviations), mask) in tables.zip(mask.as_mut_slice::<f32>().chunks_exact_mut(channels)) {
            let mut order: Vec<usize> = (0..channels).collect();
            // Cross-multiplied, because a deviation may be zero.
            order.sort_by(|&a, &b| (noise[a] * deviations[b]).total_cmp(&(noise[b] * deviations[a])).then(a.cmp(&b)));
            order.iter().take(kept).for_each(|&channel| mask[channel] = 1.0);
        }
        mask
    }

    /// The features of some channels, the others set to zero: those for which `mask [N, C]` is 1.
    ///
    /// # Errors
    /// If the mask is of another size.
    pub fn part(&self, mask: &Tensor) -> Result<Tensor, AttackError> {
        if mask.shape() != self.noise.shape() || mask.dtype() != DType::F32 {
            let (reason, shapes) = ("needs a number for each channel".into(), vec![mask.shape().clone()]);
            return Err(GraphError::Shape { op: "part of features".into(), reason, shapes }.into());
        }
        let places = self.features.count() / mask.count().max(1);
        let channels = self.features.as_slice::<f32>().chunks_exact(places.max(1)).zip(mask.as_slice::<f32>());
        let kept = channels.flat_map(|(values, &m)| values.iter().map(move |v| v * m)).collect();
        Ok(Tensor::new(self.features.shape(), kept)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Two channels of four places; the logits are ±40 times the mean of the first. The second is not needed: its noise grows
    // to where the information is least, λ = σ.
    #[test]
    fn noise_is_borne_where_the_decision_does_not_look() {
        let x = Expr::input("x", [1, 2, 2, 2], DType::F32);
        let z = x.scale(2.0);
        let mean = z.reduce_mean(&[2, 3], false).slice_axis(1, 0, 1);
        let logits = Expr::concat(&[mean.scale(40.0), mean.scale(-40.0)], 1);
        let model = Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap();
        let cut = Cut::at(&model, &z).unwrap();
        let row = [-0.1f32, 0.2, -0.05, 0.15, 0.8, 0.2, 0.3, 0.9];
        let inputs = Tensor::new([5, 2, 2, 2], [row; 5].concat()).unwrap();
        let attack = Bottleneck { batch: 2, steps: 400, rate: 0.05, ..Bottleneck::default() };
        let found = attack.distill(&cut, &inputs, &[0; 5], &Seed::new(1, 0)).unwrap();
        assert_eq!(found.features.shape()[..], [5, 2, 2, 2]);
        let pairs = found.noise.as_slice::<f32>().chunks(2).zip(found.deviations.as_slice::<f32>().chunks(2));
        for (noise, deviations) in pairs {
            assert!((deviations[0] - 2.0 * 0.01625f32.sqrt()).abs() < 1e-5, "{deviations:?}");
            assert!((noise[1] / deviations[1] - 1.0).abs() < 0.02, "{noise:?} {deviations:?}");
            assert!(noise[0] < 0.8 * deviations[0], "{noise:?} {deviations:?}");
        }
        assert_eq!(found.non_robust(0.5).as_slice::<f32>(), [1.0, 0.0].repeat(5));
        let part = found.part(&found.non_robust(0.5)).unwrap();
        assert_eq!(part.as_slice::<f32>()[..8], [-0.2, 0.4, -0.1, 0.3, 0.0, 0.0, 0.0, 0.0]);
        assert!(found.part(&Tensor::full([5, 3], 1.0f32)).is_err());
        let error = attack.distill(&cut, &inputs, &[0, 1, 2, 0, 0], &Seed::new(1, 0)).unwrap_err();
        assert!(matches!(error, AttackError::ClassRange { .. }), "{error}");
    }
}
