//! The images and the training of the classifiers that reproductions examine.

use crate::{Run, RunError};
use perturb_data::{LoadOptions, load};
use perturb_graph::{Expr, Graph, Tensor};
use perturb_nn::{Adam, Control, Examples, Hook, Initializer, Layers, Shuffled, Step, Trainer, flatten};

/// Labelled images to train on and to test with.
pub(crate) struct Split {
    /// `[N, 1, 28, 28]`, from 0 to 1.
    pub train: Tensor,
    /// Classes of the training images.
    pub train_labels: Vec<usize>,
    /// Like `train`.
    pub test: Tensor,
    /// Classes of the test images.
    pub test_labels: Vec<usize>,
}

impl Split {
    /// The first `train` training and the first `test` test images of `name`, a data set in the files of MNIST.
    pub fn load(run: &Run, name: &str, [train, test]: [usize; 2]) -> Result<Split, RunError> {
        let folder = run.data(name)?;
        let part = |file: &str, limit| -> Result<(Tensor, Vec<usize>), RunError> {
            let options = LoadOptions { limit: Some(limit), ..LoadOptions::default() };
            let data = load(&folder.join(file), &options)?;
            let labels = data.labels.ok_or_else(|| RunError::Measurement(format!("{file} has no labels")))?;
            Ok((data.inputs, labels))
        };
        let (train, train_labels) = part("train-images-idx3-ubyte.gz", train)?;
        let (test, test_labels) = part("t10k-images-idx3-ubyte.gz", test)?;
        Ok(Split { train, train_labels, test, test_labels })
    }

    /// The same with changed images, such as of another size.
    pub fn map(self, change: impl Fn(&Tensor) -> Result<Tensor, RunError>) -> Result<Split, RunError> {
        Ok(Split { train: change(&self.train)?, test: change(&self.test)?, ..self })
    }
}

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
