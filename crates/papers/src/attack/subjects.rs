//! Images and small networks that reproductions of attacks examine.

use crate::training::{Fit, Split};
use crate::{Run, RunError};
use perturb_attack::Classifier;
use perturb_data::{LoadOptions, load};
use perturb_graph::{Conv, DType, Expr, Graph, Tensor};
use perturb_nn::{Hook, Initializer, Layers, flatten};

pub(super) const BATCH: usize = 50;
pub(super) const CLASSES: usize = 10;

/// The first images of MNIST, `[N, 1, 1, 28, 28]`.
pub(super) fn mnist(run: &Run, sizes: [usize; 2]) -> Result<Split, RunError> {
    Split::load(run, "mnist", sizes)?.map(|x| Ok(x.reshape([x.shape()[0], 1, 1, 28, 28])?))
}

/// The first images of the subset of CIFAR-10, `[N, 1, 3, 32, 32]`.
pub(super) fn cifar(run: &Run, [train, test]: [usize; 2]) -> Result<Split, RunError> {
    let folder = run.data("cifar10")?;
    let part = |file: &str, limit| -> Result<(Tensor, Vec<usize>), RunError> {
        let options = LoadOptions { limit: Some(limit), ..LoadOptions::default() };
        let data = load(&folder.join(file), &options)?;
        let labels = data.labels.ok_or_else(|| RunError::Measurement(format!("{file} has no labels")))?;
        Ok((data.inputs.reshape([labels.len(), 1, 3, 32, 32])?, labels))
    };
    let (train, train_labels) = part("train_10k.bin.gz", train)?;
    let (test, test_labels) = part("test_2k.bin.gz", test)?;
    Ok(Split { train, train_labels, test, test_labels })
}

/// Two convolutions with stride 2, of `channels` and twice as many channels, and a layer of logits, for one image of
/// `[channels, height, width]`.
pub(super) fn cnn([c, h, w]: [usize; 3], channels: usize, seed: u64) -> Result<Graph, RunError> {
    let layers = Layers::new(Initializer::he(seed));
    let x = Expr::input("image", [1, c, h, w], DType::F32);
    let first = layers.at("conv1").conv2d(&x, channels, 3, Conv::same().stride(2)).relu();
    let second = layers.at("conv2").conv2d(&first, 2 * channels, 3, Conv::same().stride(2)).relu();
    let logits = layers.at("fc").linear(&flatten(&second), CLASSES);
    Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
}

/// The graph, trained on the split's images by Adam with its default settings.
pub(super) fn trained(
    graph: &Graph,
    data: &Split,
    run: &Run,
    epochs: usize,
    hook: Option<&dyn Hook>,
) -> Result<Graph, RunError> {
    let fit = Fit { batch: BATCH, classes: CLASSES, epochs, seed: run.seed, hook };
    fit.run(graph, &data.train, &data.train_labels, |_| ())
}

/// Share of images that are classified as their labels say.
pub(super) fn accuracy(model: &Classifier, images: &Tensor, labels: &[usize]) -> Result<f64, RunError> {
    let right = model.predictions(images)?.into_iter().zip(labels).filter(|(p, l)| *p == Some(**l)).count();
    Ok(right as f64 / labels.len() as f64)
}

/// The first `count` of the split's test images that are classified rightly, with their labels.
pub(super) fn right(model: &Classifier, data: &Split, count: usize) -> Result<(Tensor, Vec<usize>), RunError> {
    let predictions = model.predictions(&data.test)?;
    let rows = predictions.iter().zip(&data.test_labels).enumerate().filter(|(_, (p, l))| **p == Some(**l));
    let rows: Vec<usize> = rows.map(|(i, _)| i).take(count).collect();
    if rows.len() < count {
        let message = format!("only {} of {count} images that are needed are classified rightly", rows.len());
        return Err(RunError::Measurement(message));
    }
    Ok((gather(&data.test, &rows)?, rows.iter().map(|&i| data.test_labels[i]).collect()))
}

/// Some rows of `values [N, …]`.
pub(super) fn gather(values: &Tensor, rows: &[usize]) -> Result<Tensor, RunError> {
    let width: usize = values.shape()[1..].iter().product();
    let all = values.as_slice::<f32>();
    let chosen = rows.iter().flat_map(|&row| &all[row * width..(row + 1) * width]).copied().collect();
    Ok(Tensor::new([&[rows.len()], &values.shape()[1..]].concat(), chosen)?)
}

/// The middle one of some values; infinite ones count.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 { f64::NAN } else { 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]) }
}
