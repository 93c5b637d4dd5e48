//! Layers, optimizers, losses and training against closed forms and PyTorch.

mod checkpoints;
mod hooks;
mod layers;
mod losses;
mod optimizers;
mod training;

use perturb_graph::{Expr, Tensor};
use perturb_nn::Step;

/// A tensor of f64.
fn tensor(shape: &[usize], values: &[f64]) -> Tensor {
    Tensor::new(shape, values.to_vec()).unwrap()
}

/// A parameter of f64.
fn param(name: &str, shape: &[usize], values: &[f64]) -> Expr {
    Expr::param(name, tensor(shape, values))
}

/// Fails unless both are within `tolerance` of one another, relative to the larger of the expected value and 1.
#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "numbers of values");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "value {i}: {f} instead of {e}");
    }
}

/// Takes `steps` steps without a batch, and returns the losses and the variables by name.
fn run(
    step: Step,
    optimizer: impl perturb_nn::Optimizer + 'static,
    steps: usize,
) -> (Vec<f64>, perturb_nn::Parameters) {
    let mut run = perturb_nn::Trainer::with(optimizer).start(step, steps).unwrap();
    let batch = run.batch();
    let losses = (0..steps).map(|_| run.advance(&batch).unwrap()).collect();
    (losses, run.variables())
}
