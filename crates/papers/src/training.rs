//! Training of the classifiers that reproductions examine.

use crate::RunError;
use perturb_graph::{Expr, Graph, Tensor};
use perturb_nn::{Adam, Control, Examples, Hook, Initializer, Layers, Shuffled, Step, Trainer, flatten};

/// How a classifier is trained.
pub(crate) struct Fit<'a> {
    /// Examples in a batch.
    pub batch: usize,
    /// Number of classes.
    pub classes: usize,
    /// Passes over the data.
    pub epochs: usize,
    /// Seed of the order of the examples.
    pub seed: u64,
    /// What changes the step, if anything.
    pub hook: Option<&'a dyn Hook>,
}

impl Fit<'_> {
    /// Fits a classifier of one example, `[1, …] → [1, classes]`, to `images [N, 1, …]` by Adam with its default settings.
    /// `progress` sees the share of steps that are done.
    pub fn run(
        &self,
        graph: &Graph,
        images: &Tensor,
        labels: &[usize],
        progress: impl Fn(f64),
    ) -> Result<Graph, RunError> {
        let mut step = Step::classifier(graph, self.batch)?;
        if let Some(hook) = self.hook {
            step.apply(hook)?;
        }
        let batches = Shuffled::new(Examples::labelled(images.clone(), labels, self.classes)?, self.batch)?;
        let steps = (self.epochs * (labels.len() / self.batch)).max(1) as f64;
        let trainer = Trainer { epochs: self.epochs, seed: self.seed, ..Trainer::with(Adam::default()) };
        let mut watch = |run: &mut perturb_nn::Run| {
            progress(run.step() as f64 / steps);
            Control::Continue
        };
        let trained = trainer.fit(step, &batches, &mut [&mut watch])?;
        Ok(trained.parameters.bind(graph)?)
    }
}

/// Layers of these widths with `relu` between them, on `x` flattened, and logits; weights after He et al. 2015.
pub(crate) fn perceptron(x: &Expr, widths: &[usize], classes: usize, seed: u64) -> Expr {
    let layers = Layers::new(Initializer::he(seed));
    let widths: Vec<usize> = widths.iter().copied().chain([classes]).collect();
    layers.mlp(&flatten(x), &widths, Expr::relu)
}
