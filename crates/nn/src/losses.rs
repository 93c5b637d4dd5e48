//! Losses: one value for each example, so that weights, masks and perturbations can tell examples apart; a
//! [`Step`](crate::Step) takes their mean.
//!
//! Predictions and targets are `[batch, …]` of one shape unless said otherwise; results are `[batch]`, means over all
//! other axes (PyTorch's `reduction="mean"` is their mean).

use perturb_graph::{DType, Expr};

// Mean over all axes but the first.
fn per_example(x: &Expr) -> Expr {
    if x.rank() <= 1 { x.clone() } else { x.reduce_mean(&(1..x.rank()).collect::<Vec<_>>(), false) }
}

/// Squared error.
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn mse(prediction: &Expr, target: &Expr) -> Expr {
    per_example(&prediction.sub(target).square())
}

/// Absolute error.
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn l1(prediction: &Expr, target: &Expr) -> Expr {
    per_example(&prediction.sub(target).abs())
}

/// Huber's loss (1964): half the squared error within `delta`, and `delta·(|error| − delta/2)` beyond.
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn huber(prediction: &Expr, target: &Expr, delta: f64) -> Expr {
    let error = prediction.sub(target).abs();
    let within = error.minimum(&error.like(delta));
    // w²/2 + δ·(e − w), w the part within: both branches at once, smooth where they meet.
    per_example(&within.square().scale(0.5).add(&error.sub(&within).scale(delta)))
}

/// Cross-entropy of `logits [batch, …, classes]` with distributions of the same shape, which are smoothed: a share
/// `smoothing` of each is spread evenly over the classes (Szegedy et al. 2016, §7).
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn cross_entropy(logits: &Expr, targets: &Expr, smoothing: f64) -> Expr {
    let classes = logits.shape()[logits.rank() - 1] as f64;
    let targets = targets.scale(1.0 - smoothing).offset(smoothing / classes);
    per_example(&logits.cross_entropy(&targets))
}

/// Cross-entropy of `logits [batch, …, classes]` with classes `labels [batch, …]` (i64).
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn cross_entropy_of_labels(logits: &Expr, labels: &Expr) -> Expr {
    nll(&logits.log_softmax(logits.rank() - 1), labels)
}

/// Negative logarithm of the probability of classes `labels [batch, …]` (i64), given logarithms of all probabilities
/// `[batch, …, classes]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn nll(log_probabilities: &Expr, labels: &Expr) -> Expr {
    let last = log_probabilities.rank() - 1;
    let one_hot = labels.one_hot(log_probabilities.shape()[last], log_probabilities.dtype());
    per_example(&log_probabilities.mul(&one_hot).reduce_sum(&[last], false).neg())
}

/// Cross-entropy of independent logits with probabilities `targets`, without overflow: `softplus(z) − z·t`.
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn binary_cross_entropy(logits: &Expr, targets: &Expr) -> Expr {
    per_example(&logits.softplus().sub(&logits.mul(targets)))
}

/// Kullback–Leibler divergence KL(p ‖ q) of the distributions over the last axis with logits `p` and `q`: for `[batch,
/// …, classes]`, one value for each example, a mean over the axes between.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn kl_divergence(p: &Expr, q: &Expr) -> Expr {
    let last = p.rank() - 1;
    let (log_p, log_q) = (p.log_softmax(last), q.log_softmax(last));
    per_example(&log_p.exp().mul(&log_p.sub(&log_q)).reduce_sum(&[last], false))
}

/// Hinge loss of scores with targets ±1: `max(0, 1 − t·z)` (Cortes and Vapnik 1995).
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn hinge(scores: &Expr, targets: &Expr) -> Expr {
    per_example(&scores.mul(targets).neg().offset(1.0).relu())
}

/// Multi-class margin loss of `logits [batch, classes]` with one-hot `targets`: the mean over the other classes, and the
/// right one as 0, of `max(0, margin − z_target + z_class)` (Weston and Watkins 1999; PyTorch's `multi_margin_loss`).
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn multi_margin(logits: &Expr, targets: &Expr, margin: f64) -> Expr {
    let last = logits.rank() - 1;
    let right = logits.mul(targets).reduce_sum(&[last], true);
    let excess = logits.sub(&right).offset(margin).relu();
    per_example(&excess.mul(&targets.neg().offset(1.0)))
}

/// Margin ranking of pairs: `max(0, margin − (positive − negative))`.
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn margin_ranking(positive: &Expr, negative: &Expr, margin: f64) -> Expr {
    per_example(&negative.sub(positive).offset(margin).relu())
}

/// Triplet loss of embeddings `[batch, d]` by Euclidean distances (Schroff et al. 2015, eq. 3, without the squares):
/// `max(0, |a − p| − |a − n| + margin)`.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn triplet(anchor: &Expr, positive: &Expr, negative: &Expr, margin: f64) -> Expr {
    // The root has no derivative at 0.
    let distance = |other: &Expr| anchor.sub(other).square().reduce_sum(&[1], false).offset(1e-12).sqrt();
    distance(positive).sub(&distance(negative)).offset(margin).relu()
}

/// Cosine of the angle between rows `[batch, …, d]`: `[batch, …]`; 0 where a row is 0.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn cosine_similarity(a: &Expr, b: &Expr) -> Expr {
    const EPSILON: f64 = 1e-8;
    let axes = [a.rank() - 1];
    let length = |x: &Expr| x.square().reduce_sum(&axes, false);
    let product = a.mul(b).reduce_sum(&axes, false);
    product.div(&length(a).mul(&length(b)).maximum(&product.like(EPSILON * EPSILON)).sqrt())
}

/// 1 where the largest of the `logits [batch, classes]` is that of the class in `labels [batch]` (i64), else 0.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn accuracy(logits: &Expr, labels: &Expr) -> Expr {
    logits.argmax(logits.rank() - 1).equal(labels).cast(if logits.dtype().is_float() {
        logits.dtype()
    } else {
        DType::F32
    })
}
