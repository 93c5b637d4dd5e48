//! Training a classifier: one compiled step, fed with parameters and batches.

use crate::Adam;
use perturb_engine::{EngineError, Executable, Options, Session};
use perturb_graph::{DType, Expr, Graph, GraphError, Interval, Rounding, Tensor, grad, interval, substitute};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Why training fails.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The graph cannot be differentiated or batched.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The step cannot be compiled or run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The data do not fit.
    #[error("{0}")]
    Data(String),
}

/// Trains with Adam on shuffled batches; the same seed gives the same weights, for any number of threads.
#[derive(Clone, Debug)]
pub struct Trainer {
    /// The optimizer.
    pub adam: Adam,
    /// Examples in a batch.
    pub batch: usize,
    /// Passes over the data.
    pub epochs: usize,
    /// Seed of the shuffling.
    pub seed: u64,
    /// What is added to the loss so that the model can be certified, if anything.
    pub certified: Option<IntervalLoss>,
}

/// Interval bound propagation as a loss (Gowal et al. 2018, eq. 11–13): the cross-entropy of the worst logits that
/// intervals allow in the ℓ∞ ball around each input. Inputs of the ball are limited to [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IntervalLoss {
    /// Radius at the end of the ramp, in units of the input.
    pub epsilon: f64,
    /// Share of this loss at the end of the ramp; the rest is the ordinary cross-entropy.
    pub weight: f64,
    /// Share of the steps over which radius and weight grow from 0.
    pub ramp: f64,
}

impl Default for Trainer {
    fn default() -> Self {
        Trainer { adam: Adam::default(), batch: 64, epochs: 1, seed: 0, certified: None }
    }
}

/// Fits a classifier graph (one example, `[1, …] → [1, classes]`) to `inputs [N, 1, …]` and `labels` by cross-entropy,
/// and returns it with the trained parameters. `progress` sees the number of finished and of all steps and the loss.
///
/// # Errors
/// If there is less than one batch of data, a label is out of range, or the graph cannot be differentiated.
pub fn fit_classifier(
    graph: &Graph,
    inputs: &Tensor,
    labels: &[usize],
    trainer: &Trainer,
    mut progress: impl FnMut(usize, usize, f32),
) -> Result<Graph, TrainError> {
    let mut step = Step::compile(graph, trainer)?;
    let n = labels.len();
    if n < trainer.batch || inputs.shape().first() != Some(&n) {
        let message = format!("{n} labels for inputs of {}, in batches of {}", inputs.shape(), trainer.batch);
        return Err(TrainError::Data(message));
    }
    if let Some(bad) = labels.iter().find(|&&l| l >= step.classes) {
        return Err(TrainError::Data(format!("label {bad} for a model of {} classes", step.classes)));
    }
    let mut order: Vec<usize> = (0..n).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(trainer.seed);
    let per_epoch = n / trainer.batch;
    for epoch in 0..trainer.epochs {
        order.shuffle(&mut rng);
        for (k, rows) in order.chunks_exact(trainer.batch).enumerate() {
            let t = epoch * per_epoch + k + 1;
            let scalars = scalars(trainer, t, per_epoch * trainer.epochs);
            let loss = step.run(inputs, labels, rows, &scalars)?;
            progress(t, per_epoch * trainer.epochs, loss);
        }
    }
    let trained = step.params.iter().enumerate().map(|(i, p)| {
        let value = step.session.variable(3 * i);
        (p.clone(), Expr::param(p.name().unwrap_or("weight"), value))
    });
    let outputs = substitute(&graph.output_exprs(), &trained.collect::<Vec<_>>())?;
    let names = graph.outputs.iter().map(|(name, _)| name.clone());
    Ok(Graph::new(graph.inputs.clone(), names.zip(outputs).collect())?)
}

// What changes from step to step beside the batch: radius and weight of the interval loss.
fn scalars(trainer: &Trainer, step: usize, steps: usize) -> [Tensor; 2] {
    let (epsilon, weight) = trainer.certified.map_or((0.0, 0.0), |c| {
        let grown = (step as f64 / (c.ramp * steps as f64).max(1.0)).min(1.0);
        (c.epsilon * grown, c.weight * grown)
    });
    [epsilon, weight].map(|v| Tensor::scalar(v as f32))
}

// The cross-entropy of the logits that are worst for each target within intervals of the given radius.
fn interval_loss(x: &Expr, logits: &Expr, targets: &Expr, epsilon: &Expr) -> Expr {
    let radius = epsilon.broadcast_to(x.shape());
    let (zero, one) = (x.like(0.0), x.like(1.0));
    let ball = Interval { lo: x.sub(&radius).maximum(&zero), hi: x.add(&radius).minimum(&one) };
    let bounds = interval(std::slice::from_ref(logits), &[(x.clone(), ball)], Rounding::Nearest).remove(0);
    Expr::select(targets, &bounds.lo, &bounds.hi).cross_entropy(targets)
}

// One step as an executable with the parameters and moments in it: (images, one-hot labels, two scalars) → loss.
struct Step {
    session: Session,
    params: Vec<Expr>,
    input: Vec<usize>,
    classes: usize,
    batch: usize,
}

impl Step {
    fn compile(graph: &Graph, trainer: &Trainer) -> Result<Step, TrainError> {
        let batched = graph.vmap(trainer.batch)?;
        let logits = batched.outputs[0].1.clone();
        let classes = logits.shape().last().copied().unwrap_or(0);
        let logits = logits.try_reshape([trainer.batch, classes])?;
        let targets = Expr::input("targets", [trainer.batch, classes], DType::F32);
        let [epsilon, weight] = ["epsilon", "weight"].map(|n| Expr::input(n, [], DType::F32));
        let plain = logits.cross_entropy(&targets);
        let loss = match trainer.certified {
            None => plain,
            Some(_) => {
                let worst = interval_loss(&batched.inputs[0], &logits, &targets, &epsilon);
                plain.add(&worst.sub(&plain).mul(&weight))
            }
        };
        let loss = loss.reduce_mean(&[0], false);
        let params = graph.params();
        let state = trainer.adam.updates(&params, &grad(&loss, &params)?);
        let inputs = [batched.inputs[0].clone(), targets, epsilon, weight];
        let executable = Executable::compile_with_state(&[loss], &inputs, &state, &Options::default())?;
        let initial: Vec<Tensor> = state.iter().filter_map(|(v, _)| v.value().cloned()).collect();
        let input = batched.inputs[0].shape().to_vec();
        Ok(Step { session: executable.session(&initial)?, params, input, classes, batch: trainer.batch })
    }

    fn run(
        &mut self,
        inputs: &Tensor,
        labels: &[usize],
        rows: &[usize],
        scalars: &[Tensor; 2],
    ) -> Result<f32, TrainError> {
        let width = inputs.count() / labels.len();
        let source = inputs.as_slice::<f32>();
        let images: Vec<f32> = rows.iter().flat_map(|&r| source[r * width..(r + 1) * width].iter().copied()).collect();
        let images = Tensor::new(self.input.clone(), images)?;
        let mut one_hot = vec![0.0f32; self.batch * self.classes];
        rows.iter().enumerate().for_each(|(i, &r)| one_hot[i * self.classes + labels[r]] = 1.0);
        let targets = Tensor::new([self.batch, self.classes], one_hot)?;
        let results = self.session.run(&[&images, &targets, &scalars[0], &scalars[1]])?;
        Ok(results[0].as_slice::<f32>()[0])
    }
}
