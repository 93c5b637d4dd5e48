//! Attacks on a network's weights.

mod room;

pub use room::Room;

use crate::problem::require;
use crate::{AttackError, Ball, Norm};
use perturb_graph::{DType, Expr, Graph, Tensor, grad, substitute};
use perturb_nn::{
    Adam, Callback, Control, Cosine, Evaluator, Examples, Parameters, Shuffled, Step, TrainError, Trainer, losses,
};
use std::sync::Arc;

/// The adversarial parameter attack (Yu, Wang and Gao 2023): weights that are nearly those of a network, and classify
/// nearly as well, but are robust no more. Adam minimises `CE(F(x), y) + β·CE(F(x + η), ŷ)`, where η, of the ball around x,
/// is found anew at every step by descent on the second term, and ŷ is the class that the network ranks first after the
/// true one. After every step the weights are brought back into their [`Room`].
///
/// Of the weights after each epoch, those with the lowest accuracy under perturbations are kept, provided that the clean
/// accuracy has not fallen by more than `max_drop`; both are measured on a validation split. Where it has fallen by more,
/// β becomes a quarter smaller for the next epoch, else a quarter larger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdversarialParameters {
    /// How far weights may move.
    pub room: Room,
    /// β at the start.
    pub weight: f64,
    /// Steps of the descent that finds η, each of `2.5·ε/ascents`.
    pub ascents: usize,
    /// By how much the clean accuracy may fall.
    pub max_drop: f64,
    /// Passes over the data.
    pub epochs: usize,
    /// Examples of a step.
    pub batch: usize,
    /// Adam's rate at the start; it falls to nothing along a cosine, for the accuracy is low while weights move fast.
    pub rate: f64,
}

const NAME: &str = "adversarial parameters";
/// Name of the variable that holds β.
const WEIGHT: &str = "weight of misleading";

impl Default for AdversarialParameters {
    /// A tenth of each weight, β = 1, five ascents, a fall of 0.02; ten epochs in batches of 50 at a rate of 2e-4.
    fn default() -> Self {
        AdversarialParameters {
            room: Room::Relative(0.1),
            weight: 1.0,
            ascents: 5,
            max_drop: 0.02,
            epochs: 10,
            batch: 50,
            rate: 2e-4,
        }
    }
}

/// Labelled examples: `inputs [N, …example]` and a class of each.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// The inputs.
    pub inputs: &'a Tensor,
    /// The classes.
    pub labels: &'a [usize],
}

/// A network whose weights were changed.
#[derive(Clone, Debug)]
pub struct Tampered {
    /// The network with its new weights: those it had if none were found that keep the accuracy.
    pub graph: Graph,
    /// The epoch after which it had them, from 1; 0 for those it had.
    pub epoch: u64,
    /// Accuracy on the validation split before and after.
    pub clean: [f64; 2],
    /// Accuracy on the validation split under perturbations, before and after.
    pub robust: [f64; 2],
}

impl AdversarialParameters {
    /// The attack on `model`, a classifier of one example (`[1, …] → [1, classes]`), with perturbations of the ℓ∞ `ball`.
    ///
    /// # Errors
    /// If the ball is not one of ℓ∞ with a radius, the data do not fit the model, a hyperparameter is out of its range, or
    /// the training fails.
    pub fn fit(
        &self,
        model: &Graph,
        training: Labelled,
        validation: Labelled,
        ball: &Ball,
        seed: u64,
    ) -> Result<Tampered, AttackError> {
        self.check(ball)?;
        let mut step = Step::classifier(model, self.batch)?;
        let classes = step.named("logits")?.shape()[1];
        let examples =
            |data: Labelled| Examples::labelled(data.inputs.clone(), data.labels, classes).map_err(AttackError::from);
        let mut watch = Watch::new(self, model, examples(validation)?, ball)?;
        step.apply(&|step: &mut Step| self.mislead(step, ball))?;
        step.apply(&self.room)?;
        let trainer = Trainer {
            epochs: self.epochs,
            seed,
            schedule: Arc::new(Cosine::default()),
            ..Trainer::with(Adam { learning_rate: self.rate, ..Adam::default() })
        };
        trainer.fit(step, &Shuffled::new(examples(training)?, self.batch)?, &mut [&mut watch])?;
        let best = watch.best;
        Ok(Tampered {
            graph: best.parameters.bind(model)?,
            epoch: best.epoch,
            clean: [watch.first[0], best.scores[0]],
            robust: [watch.first[1], best.scores[1]],
        })
    }

    fn check(&self, ball: &Ball) -> Result<(), AttackError> {
        if ball.norm() != Norm::Linf {
            return Err(AttackError::Norm { attack: NAME, norm: ball.norm() });
        }
        if ball.epsilon().is_infinite() {
            return Err(AttackError::NoBudget { attack: NAME });
        }
        require(self.weight >= 0.0, NAME, "weight", self.weight, "0 or more")?;
        require(self.ascents > 0, NAME, "ascents", 0.0, "1 or more")?;
        require(self.max_drop >= 0.0, NAME, "max_drop", self.max_drop, "0 or more")?;
        if self.batch == 0 { Err(AttackError::EmptyBatch) } else { Ok(()) }
    }

    /// Adds the second term to the step of a classifier.
    fn mislead(&self, step: &mut Step, ball: &Ball) -> Result<(), TrainError> {
        let (x, logits, targets) = (step.named("input")?, step.named("logits")?, step.named("targets")?);
        // The true class last.
        let others = logits.sub(&targets.scale(1e9));
        let wrong = others.argmax(1).try_one_hot(logits.shape()[1], logits.dtype())?.stop_gradient();
        let at = |x_moved: &Expr| substitute(std::slice::from_ref(&logits), &[(x.clone(), x_moved.clone())]);
        let misled = |x_moved: &Expr| Ok(at(x_moved)?.remove(0).cross_entropy(&wrong));
        let moved = descend(&x, &misled, ball, self.ascents)?;
        let weight = step.variable(WEIGHT, Tensor::full([], self.weight as f32));
        step.add_term(&misled(&moved.stop_gradient())?.mul(&weight))
    }
}

/// The inputs x moved within the ball, by steps along the sign of the gradient, to where the losses are small. No
/// derivative passes through the descent.
fn descend(
    x: &Expr,
    losses: &dyn Fn(&Expr) -> Result<Expr, TrainError>,
    ball: &Ball,
    steps: usize,
) -> Result<Expr, TrainError> {
    let (epsilon, (lo, hi)) = (ball.epsilon(), ball.bounds());
    let mut at = x.clone();
    for _ in 0..steps {
        // The point is named, so that the gradient is taken there and not through how it was found.
        let here = Expr::input("moved", x.shape(), x.dtype());
        let slope = grad(&losses(&here)?.sum(), std::slice::from_ref(&here))?;
        let slope = substitute(&slope, &[(here, at.clone())])?.remove(0);
        let moved = at.sub(&slope.sign().scale(2.5 * epsilon / steps as f64));
        at = moved.sub(x).clip(-epsilon, epsilon).add(x).clip(lo, hi);
    }
    Ok(at)
}

/// Scores the weights after each epoch, and keeps the best.
struct Watch {
    evaluator: Evaluator,
    validation: Examples,
    max_drop: f64,
    first: [f64; 2],
    best: Kept,
}

struct Kept {
    parameters: Parameters,
    epoch: u64,
    scores: [f64; 2],
}

impl Watch {
    fn new(
        attack: &AdversarialParameters,
        model: &Graph,
        validation: Examples,
        ball: &Ball,
    ) -> Result<Watch, AttackError> {
        let batched = model.vmap(attack.batch)?;
        let x = Expr::input("input", batched.inputs[0].shape(), batched.inputs[0].dtype());
        let label = Expr::input("label", [attack.batch], DType::I64);
        let logits = |x: &Expr| -> Result<Expr, TrainError> {
            let output = &batched.outputs[0].1;
            let found = substitute(std::slice::from_ref(output), &[(batched.inputs[0].clone(), x.clone())])?.remove(0);
            let classes = output.shape().count() / attack.batch;
            Ok(found.try_reshape([attack.batch, classes])?)
        };
        let loss = |x: &Expr| Ok(losses::cross_entropy_of_labels(&logits(x)?, &label).neg());
        let moved = descend(&x, &loss, ball, attack.ascents)?;
        let right = [losses::accuracy(&logits(&x)?, &label), losses::accuracy(&logits(&moved)?, &label)];
        let evaluator = Evaluator::new(&[x, label], &right)?;
        let parameters = Parameters::of(model);
        let first = scores(&evaluator, &parameters, &validation)?;
        let best = Kept { parameters, epoch: 0, scores: first };
        Ok(Watch { evaluator, validation, max_drop: attack.max_drop, first, best })
    }
}

/// Accuracies on clean and on moved examples.
fn scores(evaluator: &Evaluator, parameters: &Parameters, examples: &Examples) -> Result<[f64; 2], TrainError> {
    let found = evaluator.outputs(parameters, examples)?;
    Ok([0, 1].map(|i| found[i].to_f64_vec().iter().sum::<f64>() / examples.len() as f64))
}

impl Callback for Watch {
    fn epoch(&mut self, run: &mut perturb_nn::Run) -> Result<Control, TrainError> {
        let parameters = run.parameters();
        let scores = scores(&self.evaluator, &parameters, &self.validation)?;
        let keeps = scores[0] >= self.first[0] - self.max_drop;
        if keeps && scores[1] < self.best.scores[1] {
            self.best = Kept { parameters, epoch: run.epoch(), scores };
        }
        let weight = run.variable(WEIGHT).map_or(0.0, |weight| weight.to_f64_vec()[0]);
        let next = if keeps { 1.25 * weight } else { 0.75 * weight };
        run.set_variable(WEIGHT, &Tensor::full([], next as f32))?;
        Ok(Control::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_nn::{Initializer, Layers};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    // Points of two strips, x₀ between 0.3 and 0.38 or between 0.62 and 0.7, and a network that tells them apart: where its
    // boundary moves to one of the strips, that one is robust no more.
    fn square() -> (Graph, Tensor, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let labels: Vec<usize> = (0..400).map(|i| i % 2).collect();
        let point = |&label: &usize| {
            let x = rng.random_range(0.3..0.38f32) + if label == 1 { 0.32 } else { 0.0 };
            [x, rng.random_range(0.0..1.0)]
        };
        let inputs = Tensor::new([400, 1, 2], labels.iter().flat_map(point).collect()).unwrap();
        let x = Expr::input("x", [1, 2], DType::F32);
        let logits = Layers::new(Initializer::he(0)).mlp(&x.offset(-0.5), &[32, 2], Expr::relu);
        let graph = Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap();
        let step = Step::classifier(&graph, 40).unwrap();
        let batches = Shuffled::new(Examples::labelled(inputs.clone(), &labels, 2).unwrap(), 40).unwrap();
        let trainer = Trainer { epochs: 60, ..Trainer::with(Adam { learning_rate: 1e-2, ..Adam::default() }) };
        let trained = trainer.fit(step, &batches, &mut []).unwrap();
        (trained.parameters.bind(&graph).unwrap(), inputs, labels)
    }

    #[test]
    fn robustness_falls_and_accuracy_stays() {
        let (graph, inputs, labels) = square();
        let data = Labelled { inputs: &inputs, labels: &labels };
        let ball = Ball::new(Norm::Linf, 0.1, (0.0, 1.0)).unwrap();
        let attack = AdversarialParameters {
            room: Room::Relative(0.5),
            batch: 40,
            rate: 1e-2,
            epochs: 20,
            ..AdversarialParameters::default()
        };
        let found = attack.fit(&graph, data, data, &ball, 0).unwrap();
        assert!(found.epoch > 0 && found.clean[1] >= found.clean[0] - 0.02, "{found:?}");
        assert!(found.robust[0] > 0.9 && found.robust[1] < 0.7, "{:?}", found.robust);
        let (before, after) = (Parameters::of(&graph), Parameters::of(&found.graph));
        for ((_, a), (_, b)) in before.iter().zip(after.iter()) {
            let pairs = a.as_slice::<f32>().iter().zip(b.as_slice::<f32>());
            assert!(pairs.clone().all(|(a, b)| (a - b).abs() <= 0.5 * a.abs() * (1.0 + 1e-5)), "{pairs:?}");
        }
        // Without room nothing is found, and the network is what it was.
        let still = AdversarialParameters { room: Room::Relative(0.0), epochs: 1, ..attack };
        let same = still.fit(&graph, data, data, &ball, 0).unwrap();
        assert_eq!((same.epoch, same.robust[0]), (0, same.robust[1]));
        assert!(Parameters::of(&same.graph).iter().zip(before.iter()).all(|(a, b)| a == b));
    }

    #[test]
    fn mistakes_are_told() {
        let (graph, inputs, labels) = square();
        let data = Labelled { inputs: &inputs, labels: &labels };
        let ball = Ball::new(Norm::L2, 0.1, (0.0, 1.0)).unwrap();
        let fit = |attack: AdversarialParameters, ball: &Ball| attack.fit(&graph, data, data, ball, 0).unwrap_err();
        assert!(matches!(fit(AdversarialParameters::default(), &ball), AttackError::Norm { .. }));
        let ball = Ball::new(Norm::Linf, 0.1, (0.0, 1.0)).unwrap();
        let error =
            fit(AdversarialParameters { room: Room::Relative(-1.0), ..AdversarialParameters::default() }, &ball);
        assert!(matches!(error, AttackError::Training { .. }), "{error}");
    }
}
