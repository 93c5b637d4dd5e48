//! A smooth classifier of MNIST at half its size, and the gradients that its attributions are, for reproductions of bounds of
//! attributions.

use crate::{Run, RunError};
use perturb_data::{LoadOptions, load};
use perturb_graph::{DType, Expr, Graph, Tensor, grad};
use perturb_nn::{Adam, Evaluator, Examples, Hook, Initializer, Layers, Parameters, Shuffled, Step, Trainer};

pub(super) const PIXELS: usize = 196;
pub(super) const CLASSES: usize = 10;
const BATCH: usize = 100;

/// Images `[N, 1, 196]` in [0, 1], the means of blocks of 2×2 pixels.
pub(super) struct Digits {
    pub train: Tensor,
    pub train_labels: Vec<usize>,
    pub test: Tensor,
    pub test_labels: Vec<usize>,
}

impl Digits {
    pub fn load(run: &Run) -> Result<Digits, RunError> {
        let folder = run.data("mnist")?;
        let part = |name: &str, limit| -> Result<(Tensor, Vec<usize>), RunError> {
            let options = LoadOptions { limit: Some(limit), ..LoadOptions::default() };
            let data = load(&folder.join(name), &options)?;
            let labels = data.labels.ok_or_else(|| RunError::Measurement(format!("{name} has no labels")))?;
            Ok((halved(&data.inputs)?, labels))
        };
        let (train, train_labels) = part("train-images-idx3-ubyte.gz", run.scaled(4000, 60_000))?;
        let (test, test_labels) = part("t10k-images-idx3-ubyte.gz", 1000)?;
        Ok(Digits { train, train_labels, test, test_labels })
    }
}

/// A network with one hidden layer and a smooth activation: one of ReLU would have no second derivative.
#[derive(Clone, Copy)]
pub(super) struct Smooth {
    pub width: usize,
    pub activation: fn(&Expr) -> Expr,
    pub seed: u64,
}

impl Smooth {
    fn logits(&self, x: &Expr) -> Expr {
        Layers::new(Initializer::he(self.seed)).mlp(x, &[self.width, CLASSES], self.activation)
    }

    /// The trained model of one image.
    pub fn fit(&self, run: &Run, data: &Digits, hook: &dyn Hook) -> Result<Graph, RunError> {
        let x = Expr::input("image", [1, PIXELS], DType::F32);
        let graph = Graph::new(vec![x.clone()], vec![("logits".into(), self.logits(&x))])?;
        let mut step = Step::classifier(&graph, BATCH)?;
        step.apply(hook)?;
        let examples = Examples::labelled(data.train.clone(), &data.train_labels, CLASSES)?;
        let trainer = Trainer { epochs: run.scaled(5, 10), seed: run.seed, ..Trainer::with(Adam::default()) };
        Ok(trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?.parameters.bind(&graph)?)
    }

    /// Logits and gradients `[N, 196]` of the logits that the one-hot `targets [N, 10]` name.
    pub fn gradients(&self, x: &Expr, targets: &Expr) -> Result<(Expr, Expr), RunError> {
        let logits = self.logits(x);
        let gradient = grad(&logits.mul(targets), std::slice::from_ref(x))?.remove(0);
        Ok((logits, gradient))
    }
}

/// The rows divided by their lengths.
pub(super) fn unit(rows: &Expr) -> Expr {
    rows.div(&length(rows))
}

/// Lengths of the rows, `[N, 1]`, a little more than 0.
pub(super) fn length(rows: &Expr) -> Expr {
    rows.square().reduce_sum(&[1], true).offset(1e-20).sqrt()
}

/// The largest logit of each image, as one-hot rows.
pub(super) fn predicted(model: &Graph, images: &Tensor) -> Result<(Vec<usize>, Tensor), RunError> {
    let n = images.shape()[0];
    let batched = model.vmap(n)?;
    let logits = Evaluator::new(&batched.inputs, &batched.output_exprs())?;
    let examples = Examples::new(batched.inputs[0].name().unwrap_or("image"), images.reshape([n, 1, PIXELS])?)?;
    let logits = logits.outputs(&Parameters::of(model), &examples)?.remove(0).to_f64_vec();
    let classes: Vec<usize> = logits.chunks_exact(CLASSES).map(largest).collect();
    let rows = classes.iter().flat_map(|&c| (0..CLASSES).map(move |j| if j == c { 1.0f32 } else { 0.0 })).collect();
    Ok((classes, Tensor::new([n, CLASSES], rows)?))
}

pub(super) fn largest(row: &[f64]) -> usize {
    (0..row.len()).fold(0, |best, j| if row[j] > row[best] { j } else { best })
}

fn halved(images: &Tensor) -> Result<Tensor, RunError> {
    const SIDE: usize = 14;
    let n = images.shape()[0];
    let mut rows = Vec::with_capacity(n * PIXELS);
    for image in images.as_slice::<f32>().chunks_exact(4 * PIXELS) {
        for (i, j) in (0..SIDE).flat_map(|i| (0..SIDE).map(move |j| (i, j))) {
            let at = |di: usize, dj: usize| image[(2 * i + di) * 2 * SIDE + 2 * j + dj];
            rows.push((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0);
        }
    }
    Ok(Tensor::new([n, 1, PIXELS], rows)?)
}
