//! Universal perturbations without data: whatever excites all layers.

use super::{Universal, fooling};
use crate::adam::Adam;
use crate::problem::require;
use crate::seed::Key;
use crate::{AttackError, Ball, Classifier, Norm, Seed};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, GraphError, Tensor, eval, grad, substitute};
use rand::RngExt;

/// GD-UAP (Mopuri, Ganeshan and Babu 2018): the perturbation under which the activations of all chosen layers are largest,
/// by Adam on `−Σᵢ log ‖ℓᵢ(d + δ)‖₂` (eq. 3) in an ℓ∞ ball. No data are needed: what the perturbation is added to, d, is a
/// [`Prior`].
///
/// A perturbation that has reached the ball's corners stops moving, however wrong the corner. So δ is halved when the
/// share of values at ±ε has stopped growing.
#[derive(Clone, Debug, PartialEq)]
pub struct GdUap {
    /// What the perturbation is added to.
    pub prior: Prior,
    /// Adam's rate, in proportion to ε.
    pub rate: f64,
    /// Most steps.
    pub steps: usize,
    /// Steps between two looks at the share of values at ±ε, and at the fooling rate.
    pub check: usize,
    /// Growth of that share from one look to the next below which δ is halved.
    pub growth: f64,
    /// Looks without a higher fooling rate after which it ends.
    pub patience: usize,
    /// Inputs d of a step, where they are drawn.
    pub batch: usize,
}

/// What is known of the data.
#[derive(Clone, Debug, PartialEq)]
pub enum Prior {
    /// Nothing: all inputs have this one value everywhere, that of a blank image. What the model normalises to zero is
    /// best, so that only the perturbation is seen.
    Blank(f64),
    /// Their mean and standard deviation: values are drawn independently from a Gaussian, within the bounds.
    Range {
        /// Mean of a value.
        mean: f64,
        /// Standard deviation.
        deviation: f64,
    },
    /// Some of them, `[N, …example]`.
    Data(Tensor),
}

const NAME: &str = "GD-UAP";
/// The square of what the norm of a layer's activations is floored at, because a dead layer has no logarithm.
const FLOOR: f64 = 1e-24;
/// Share of values at ±ε from which on δ is halved: at the start it does not grow either.
const SATURATED: f64 = 0.5;
/// Proxy images on which fooling is looked at.
const PROXIES: usize = 100;

impl Default for GdUap {
    /// Around images of value 0; rate 0.01 (0.1 for ε = 10), at most 2000 steps with a look every 50, growth 1e-5, five
    /// looks of patience.
    fn default() -> Self {
        GdUap { prior: Prior::Blank(0.0), rate: 0.01, steps: 2000, check: 50, growth: 1e-5, patience: 5, batch: 8 }
    }
}

impl GdUap {
    /// The perturbation in `ball` around zero (whose bounds are those of the inputs) for `layers`, a graph from one example
    /// to each of the chosen layers. With a `judge`, the one that changes most of its decisions on the prior's inputs
    /// (uniform noise for blank ones) is returned, without one, the last.
    ///
    /// # Errors
    /// If the ball is not one of ℓ∞ with a radius and bounds, the layers do not react to what the prior gives, the prior's
    /// data do not fit, or a hyperparameter is out of its range.
    pub fn fit(
        &self,
        layers: &Graph,
        judge: Option<&Classifier>,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Universal, AttackError> {
        self.check(ball)?;
        let activation = Activation::compile(layers, self, ball)?;
        let (epsilon, mut rng) = (ball.epsilon(), seed.stream(0));
        let mut delta: Vec<f64> = (0..activation.width).map(|_| rng.random_range(-epsilon..=epsilon)).collect();
        let mut judged = judge.map(|model| Judged::new(model, self, &activation, ball, seed)).transpose()?;
        let (mut adam, mut saturated) = (Adam::default(), 0.0);
        for step in 1..=self.steps {
            let gradient = activation.gradient(&delta, seed.key(0, step as u64))?;
            if gradient.iter().all(|g| *g == 0.0) || gradient.iter().any(|g| !g.is_finite()) {
                let reason = "the layers do not react to the inputs, or without bounds".into();
                return Err(AttackError::Model { reason });
            }
            adam.descend(&mut delta, &gradient, self.rate * epsilon);
            delta.iter_mut().for_each(|d| *d = d.clamp(-epsilon, epsilon));
            if step % self.check != 0 {
                continue;
            }
            if judged.as_mut().map_or(Ok(false), |j| j.look(&activation.universal(&delta, ball)?, self.patience))? {
                break;
            }
            let share = delta.iter().filter(|d| d.abs() == epsilon).count() as f64 / delta.len() as f64;
            if share >= SATURATED && share - saturated < self.growth {
                delta.iter_mut().for_each(|d| *d *= 0.5);
            }
            saturated = share;
        }
        match judged.and_then(|j| j.best) {
            Some((_, best)) => Ok(best),
            None => activation.universal(&delta, ball),
        }
    }

    fn check(&self, ball: &Ball) -> Result<(), AttackError> {
        if ball.norm() != Norm::Linf {
            return Err(AttackError::Norm { attack: NAME, norm: ball.norm() });
        }
        if ball.epsilon().is_infinite() {
            return Err(AttackError::NoBudget { attack: NAME });
        }
        let (lo, hi) = ball.bounds();
        if !(lo.is_finite() && hi.is_finite()) {
            return Err(AttackError::NoBounds { attack: NAME });
        }
        require(self.rate > 0.0, NAME, "rate", self.rate, "positive")?;
        require(self.steps > 0, NAME, "steps", 0.0, "1 or more")?;
        require(self.check > 0, NAME, "check", 0.0, "1 or more")?;
        if let Prior::Range { deviation, .. } = self.prior {
            require(deviation >= 0.0, NAME, "deviation", deviation, "0 or more")?;
        }
        if self.batch == 0 { Err(AttackError::EmptyBatch) } else { Ok(()) }
    }
}

impl Prior {
    /// `count` inputs of the shape of one `example`, in a graph, where `key` draws them.
    fn inputs(&self, count: usize, example: &Expr, key: &Expr, ball: &Ball) -> Result<Expr, AttackError> {
        let (shape, (lo, hi)) = (example.shape().prepend(count), ball.bounds());
        Ok(match self {
            Prior::Blank(value) => Expr::full(shape, *value, DType::F32),
            Prior::Range { mean, deviation } => {
                key.try_random_normal(shape, DType::F32)?.scale(*deviation).offset(*mean).clip(lo, hi)
            }
            Prior::Data(data) => {
                let n = data.shape().first().copied().unwrap_or(0);
                if n == 0 || n * example.shape().count() != data.count() || data.dtype() != DType::F32 {
                    let (reason, shapes) = ("needs examples in f32".to_string(), vec![data.shape().clone()]);
                    return Err(GraphError::Shape { op: "prior".into(), reason, shapes }.into());
                }
                let rows = key.try_random_bits([count])?.rem(&Expr::constant(Tensor::full([count], n as i64)));
                Expr::constant(data.clone()).try_gather(0, &rows)?.try_reshape(shape)?
            }
        })
    }

    fn batch(&self, batch: usize) -> usize {
        if matches!(self, Prior::Blank(_)) { 1 } else { batch }
    }
}

/// The objective's gradient, compiled.
struct Activation {
    exe: Executable,
    example: Expr,
    width: usize,
}

impl Activation {
    fn compile(layers: &Graph, attack: &GdUap, ball: &Ball) -> Result<Activation, AttackError> {
        let [example] = &layers.inputs[..] else {
            let reason = format!("the layers have {} inputs, not one", layers.inputs.len());
            return Err(AttackError::Model { reason });
        };
        if example.dtype() != DType::F32 {
            return Err(AttackError::Model { reason: format!("the layers take {}, not f32", example.dtype()) });
        }
        let count = attack.prior.batch(attack.batch);
        let batched = layers.vmap(count)?;
        let delta = Expr::input("delta", example.shape(), DType::F32);
        let key = Expr::input("key", [2], DType::I64);
        let inputs = attack.prior.inputs(count, example, &key, ball)?;
        let moved = inputs.add(&delta.try_broadcast_to(inputs.shape())?);
        let outputs = substitute(&batched.output_exprs(), &[(batched.inputs[0].clone(), moved)])?;
        let norms = outputs.iter().map(|layer| {
            let axes: Vec<usize> = (1..layer.rank()).collect();
            layer.square().reduce_sum(&axes, false).offset(FLOOR).log().scale(-0.5).reduce_mean(&[0], false)
        });
        let none = || AttackError::Model { reason: "there are no layers to excite".into() };
        let loss = norms.reduce(|a, b| a.add(&b)).ok_or_else(none)?;
        let gradient = grad(&loss, std::slice::from_ref(&delta))?;
        let exe = Executable::compile(&gradient, &[delta, key], &Options::default())?;
        Ok(Activation { exe, width: example.shape().count(), example: example.clone() })
    }

    fn gradient(&self, delta: &[f64], key: Key) -> Result<Vec<f64>, AttackError> {
        let delta = Tensor::from_f64(self.example.shape(), DType::F32, delta.to_vec())?;
        Ok(self.exe.run(&[&delta, &Tensor::new([2], key.to_vec())?])?.remove(0).to_f64_vec())
    }

    fn universal(&self, delta: &[f64], ball: &Ball) -> Result<Universal, AttackError> {
        let shape = match self.example.shape().split_first() {
            Some((1, rest)) if !rest.is_empty() => rest,
            _ => &self.example.shape()[..],
        };
        Universal::new(Tensor::new(shape, delta.iter().map(|&d| d as f32).collect())?, *ball)
    }
}

/// The best perturbation so far, by what it does on proxies.
struct Judged<'a> {
    model: &'a Classifier,
    proxies: Tensor,
    clean: crate::Criterion,
    best: Option<(f64, Universal)>,
    waited: usize,
}

impl<'a> Judged<'a> {
    fn new(
        model: &'a Classifier,
        attack: &GdUap,
        activation: &Activation,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Judged<'a>, AttackError> {
        let key = Expr::constant(Tensor::new([2], seed.key(0, 0).to_vec())?);
        let (lo, hi) = ball.bounds();
        let proxies = match attack.prior {
            Prior::Blank(_) => {
                let shape = activation.example.shape().prepend(PROXIES);
                key.try_random_uniform(shape, DType::F32)?.scale(hi - lo).offset(lo)
            }
            _ => attack.prior.inputs(PROXIES, &activation.example, &key, ball)?,
        };
        let Ok(mut proxies) = eval(&[proxies], &[]) else {
            return Err(AttackError::Model { reason: "the prior's inputs cannot be drawn".into() });
        };
        let proxies = proxies.remove(0);
        Ok(Judged { model, clean: fooling(model, &proxies)?, proxies, best: None, waited: 0 })
    }

    /// Whether the fooling rate has not risen for so many looks.
    fn look(&mut self, universal: &Universal, patience: usize) -> Result<bool, AttackError> {
        let rate = universal.success_rate(self.model, &self.proxies, &self.clean)?;
        let best = self.best.as_ref().map_or(f64::NEG_INFINITY, |(best, _)| *best);
        self.waited = if rate > best { 0 } else { self.waited + 1 };
        // Of equals the last, which has climbed further.
        if rate >= best {
            self.best = Some((rate, universal.clone()));
        }
        Ok(self.waited >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Layers W·x and V·(W·x), linear: at a corner, the objective is a function of signs, of which all 64 can be tried.
    const W: [f32; 12] = [1.0, -0.5, 0.3, 0.2, 0.8, -0.9, 0.1, 0.4, -0.7, 0.6, 0.5, -0.2];
    const V: [f32; 4] = [0.7, -0.4, 0.9, 0.2];

    fn layers() -> Graph {
        let x = Expr::input("x", [1, 6], DType::F32);
        let first = x.matmul(&Expr::constant(Tensor::new([6, 2], W.to_vec()).unwrap()));
        let second = first.matmul(&Expr::constant(Tensor::new([2, 2], V.to_vec()).unwrap()));
        Graph::new(vec![x], vec![("first".into(), first), ("second".into(), second)]).unwrap()
    }

    fn objective(d: &[f32]) -> f64 {
        let first: Vec<f64> = (0..2).map(|j| (0..6).map(|i| f64::from(d[i] * W[2 * i + j])).sum()).collect();
        let second: Vec<f64> = (0..2).map(|j| (0..2).map(|i| first[i] * f64::from(V[2 * i + j])).sum()).collect();
        let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt().ln();
        norm(&first) + norm(&second)
    }

    #[test]
    fn activations_are_as_large_as_at_the_best_corner() {
        let ball = Ball::new(Norm::Linf, 0.1, (0.0, 1.0)).unwrap();
        let corner = |bits: usize| (0..6).map(|i| if bits >> i & 1 == 1 { 0.1 } else { -0.1 }).collect::<Vec<f32>>();
        let corners: Vec<f64> = (0..64).map(|bits| objective(&corner(bits))).collect();
        let best = corners.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mean = corners.iter().sum::<f64>() / 64.0;
        let mut reached = Vec::new();
        for seed in 0..5 {
            // It ends before a halving.
            let attack = GdUap { steps: 299, check: 300, ..GdUap::default() };
            let found = attack.fit(&layers(), None, &ball, &Seed::new(seed, 0)).unwrap();
            reached.push(objective(found.delta.as_slice::<f32>()));
        }
        let highest = reached.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!((highest - best).abs() < 1e-4, "{reached:?}, best corner {best}");
        assert!(reached.iter().all(|r| *r > mean), "{reached:?}, mean corner {mean}");
    }

    // With data, the layers see them, too: x + δ is largest where δ has their signs.
    #[test]
    fn priors_are_added_to() {
        let x = Expr::input("x", [1, 3], DType::F32);
        let graph = Graph::new(vec![x.clone()], vec![("x".into(), x)]).unwrap();
        let ball = Ball::new(Norm::Linf, 0.1, (-1.0, 1.0)).unwrap();
        let data = Tensor::new([2, 3], vec![0.8f32, -0.7, 0.5, 0.4, -0.9, 0.6]).unwrap();
        let attack = GdUap { prior: Prior::Data(data), steps: 399, check: 400, ..GdUap::default() };
        let found = attack.fit(&graph, None, &ball, &Seed::new(1, 0)).unwrap();
        assert_eq!(found.delta.as_slice::<f32>(), [0.1, -0.1, 0.1]);
        let attack = GdUap { prior: Prior::Range { mean: -0.5, deviation: 0.1 }, ..attack };
        let found = attack.fit(&graph, None, &ball, &Seed::new(1, 0)).unwrap();
        assert_eq!(found.delta.as_slice::<f32>(), [-0.1, -0.1, -0.1]);
    }

    // A judge keeps the best: a model that changes its mind for small perturbations only.
    #[test]
    fn the_best_perturbation_seen_is_returned() {
        let x = Expr::input("x", [1, 2], DType::F32);
        let size = x.slice_axis(1, 0, 1);
        let logits = Expr::concat(&[size.scale(1.0), size.like(0.5)], 1);
        let model = Classifier::new(&Graph::new(vec![x.clone()], vec![("z".into(), logits)]).unwrap(), 10).unwrap();
        let graph = Graph::new(vec![x.clone()], vec![("x".into(), x)]).unwrap();
        let ball = Ball::new(Norm::Linf, 0.2, (0.0, 1.0)).unwrap();
        let size = |u: Universal| u.delta.as_slice::<f32>()[0].abs();
        let mut halved = 0;
        for steps in (300..400).step_by(10) {
            let attack = GdUap { steps, check: 10, patience: 50, ..GdUap::default() };
            let fit = |judge| size(attack.fit(&graph, judge, &ball, &Seed::new(4, 0)).unwrap());
            assert!((fit(Some(&model)) - 0.2).abs() < 1e-6, "{steps} steps");
            halved += usize::from(fit(None) < 0.15);
        }
        assert!(halved > 0, "no run ends with a perturbation that was halved");
    }

    #[test]
    fn mistakes_are_told() {
        let fit = |attack: GdUap, ball: &Ball| attack.fit(&layers(), None, ball, &Seed::new(0, 0)).unwrap_err();
        let round = Ball::new(Norm::L2, 0.1, (0.0, 1.0)).unwrap();
        assert!(matches!(fit(GdUap::default(), &round), AttackError::Norm { .. }));
        let ball = Ball::new(Norm::Linf, 0.1, (0.0, 1.0)).unwrap();
        let error = fit(GdUap { prior: Prior::Data(Tensor::full([2, 5], 0.5f32)), ..GdUap::default() }, &ball);
        assert!(matches!(error, AttackError::Graph(_)), "{error}");
        let error = fit(GdUap { rate: 0.0, ..GdUap::default() }, &ball);
        assert!(matches!(error, AttackError::Hyperparameter { name: "rate", .. }));
    }
}
