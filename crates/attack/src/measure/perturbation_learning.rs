//! What a network learns from perturbations alone.
//!
//! For orthogonal samples x_n with labels y_n = ±1, gradient descent on the logistic loss leads a network of one hidden
//! layer to the boundary ⟨q, z⟩ = 0 with `q = Σ y_n·x_n/‖x_n‖²`. Samples that are moved along q by a wrong label y′_n teach a
//! fresh network `Σ y′_n·x_n/‖x_n‖² + Nε·q/‖q‖`, in which the perturbations win if `ε√N/‖x‖` is large (Kumano, Kera and
//! Yamasaki 2024).

use crate::ascent::direction;
use crate::problem::require;
use crate::{AttackError, Ball, Classifier, Criterion, Loss};
use perturb_graph::Tensor;

/// The form of a perturbation along a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The direction itself, of ℓ2 length ε.
    Euclidean,
    /// Its signs, times ε.
    Signs,
    /// Its largest coordinates, so many, of ℓ2 length ε together.
    Sparse(usize),
}

/// `q = Σ y_n·x_n/‖x_n‖²` of `inputs [N, …]` with labels ±1: the direction of the boundary that orthogonal samples teach.
///
/// # Errors
/// If inputs are not in single precision, or there is not one label for each.
pub fn boundary(inputs: &Tensor, labels: &[f64]) -> Result<Vec<f64>, AttackError> {
    let (rows, width) = rows(inputs, labels.len())?;
    let mut q = vec![0.0; width];
    for (x, y) in rows.zip(labels) {
        let square = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().max(f64::MIN_POSITIVE);
        q.iter_mut().zip(x).for_each(|(q, &v)| *q += y * f64::from(v) / square);
    }
    Ok(q)
}

/// The perturbation η of a sample that is to be labelled +1, of size `epsilon` along `direction`; for −1 it is −η.
pub fn geometry_perturbation(direction: &[f64], form: Form, epsilon: f64) -> Vec<f64> {
    let mut eta = match form {
        Form::Euclidean | Form::Sparse(_) => direction.to_vec(),
        Form::Signs => return direction.iter().map(|&q| if q == 0.0 { 0.0 } else { epsilon * q.signum() }).collect(),
    };
    if let Form::Sparse(count) = form {
        let mut order: Vec<usize> = (0..eta.len()).collect();
        order.sort_by(|&i, &j| eta[j].abs().total_cmp(&eta[i].abs()));
        order.into_iter().skip(count).for_each(|i| eta[i] = 0.0);
    }
    let length = eta.iter().map(|v| v * v).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    eta.iter().map(|v| epsilon * v / length).collect()
}

/// `x_n + y′_n·η` for `inputs [N, …]` and their new labels ±1.
///
/// # Errors
/// See [`boundary`]; also if η does not have the size of an example.
pub fn relabel(inputs: &Tensor, eta: &[f64], labels: &[f64]) -> Result<Tensor, AttackError> {
    let (rows, width) = rows(inputs, labels.len())?;
    if eta.len() != width {
        return Err(unlike(inputs, eta.len()));
    }
    let moved = rows.zip(labels).flat_map(|(x, y)| x.iter().zip(eta).map(move |(&v, e)| (f64::from(v) + y * e) as f32));
    Ok(Tensor::new(inputs.shape(), moved.collect())?)
}

/// Cosine of the angle between two directions; 0 if one is zero.
pub fn boundary_cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths == 0.0 { 0.0 } else { dot(a, b) / lengths }
}

/// `N·max|⟨x_i, x_j⟩|/min‖x‖²` over `inputs [N, …]`: where it is not well below 1, samples are too correlated for the
/// theory of this module.
///
/// # Errors
/// If inputs are not in single precision.
pub fn correlation(inputs: &Tensor) -> Result<f64, AttackError> {
    let n = inputs.shape().first().copied().unwrap_or(0);
    let all: Vec<&[f32]> = rows(inputs, n)?.0.collect();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
    let largest = pairs.map(|(i, j)| dot(all[i], all[j]).abs()).fold(0.0, f64::max);
    let smallest = all.iter().map(|x| dot(x, x)).fold(f64::INFINITY, f64::min);
    Ok(if largest == 0.0 { 0.0 } else { n as f64 * largest / smallest })
}

/// Moves `inputs [N, …example]` within `ball` towards the given classes by steps of steepest descent of the cross-entropy,
/// each of `relative_step`·ε. Unlike attacks, which end when the class is reached, it uses the whole budget: what
/// networks learn from is the perturbation, not the success.
///
/// # Errors
/// If inputs or classes do not fit the model, or the ball has no finite radius.
pub fn imprint(
    model: &Classifier,
    inputs: &Tensor,
    classes: &[usize],
    ball: &Ball,
    steps: usize,
    relative_step: f64,
) -> Result<Tensor, AttackError> {
    const NAME: &str = "imprint";
    require(ball.epsilon().is_finite(), NAME, "epsilon", ball.epsilon(), "finite")?;
    Criterion::Targeted { classes: classes.to_vec() }.check(classes.len(), model.classes())?;
    let (centers, width) = (model.rows(inputs)?, model.width());
    let mut moved = inputs.clone();
    for _ in 0..steps {
        let (_, gradients) = model.loss_gradient(Loss::CrossEntropy, &moved, classes)?;
        let pairs =
            moved.as_mut_slice::<f32>().chunks_exact_mut(width).zip(gradients.as_slice::<f32>().chunks_exact(width));
        for ((x, gradient), center) in pairs.zip(centers.chunks_exact(width)) {
            let size = relative_step * ball.epsilon();
            direction(x, gradient, ball, 0.01, |v, d| *v = (f64::from(*v) - size * d) as f32);
            ball.project(center, x);
        }
    }
    Ok(moved)
}

fn rows(inputs: &Tensor, count: usize) -> Result<(impl Iterator<Item = &[f32]>, usize), AttackError> {
    let examples = inputs.shape().first().copied().unwrap_or(0);
    let values = inputs.try_as_slice::<f32>().ok_or_else(|| unlike(inputs, 0))?;
    if examples != count || values.is_empty() {
        return Err(AttackError::ClassCount { classes: count, examples });
    }
    let width = values.len() / examples;
    Ok((values.chunks_exact(width), width))
}

fn unlike(inputs: &Tensor, width: usize) -> AttackError {
    AttackError::Inputs { dtype: inputs.dtype(), shape: inputs.shape().clone(), expected: [width].into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_and_perturbations_by_hand() {
        let inputs = Tensor::new([2, 3], vec![2.0f32, 0.0, 0.0, 0.0, 0.0, -1.0]).unwrap();
        let q = boundary(&inputs, &[1.0, -1.0]).unwrap();
        assert_eq!(q, [0.5, 0.0, 1.0]);
        assert_eq!(geometry_perturbation(&q, Form::Signs, 0.2), [0.2, 0.0, 0.2]);
        assert_eq!(geometry_perturbation(&q, Form::Sparse(1), 0.2), [0.0, 0.0, 0.2]);
        let eta = geometry_perturbation(&q, Form::Euclidean, 2.5f64.sqrt());
        assert!((eta[0] - 0.5f64.sqrt()).abs() < 1e-12 && (eta[2] - 2f64.sqrt()).abs() < 1e-12);
        let moved = relabel(&inputs, &[1.0, 0.0, 0.5], &[-1.0, 1.0]).unwrap();
        assert_eq!(moved.as_slice::<f32>(), [1.0, 0.0, -0.5, 1.0, 0.0, -0.5]);
        assert!((boundary_cosine(&q, &[1.0, 0.0, 2.0]) - 1.0).abs() < 1e-12);
        assert_eq!(correlation(&inputs).unwrap(), 0.0);
        assert_eq!(correlation(&moved).unwrap(), 2.0 * 1.25 / 1.25);
    }

    #[test]
    fn mistakes_are_told() {
        let inputs = Tensor::new([2, 1], vec![1.0f32, 2.0]).unwrap();
        assert!(matches!(boundary(&inputs, &[1.0]), Err(AttackError::ClassCount { classes: 1, examples: 2 })));
        assert!(matches!(relabel(&inputs, &[1.0; 3], &[1.0; 2]), Err(AttackError::Inputs { .. })));
        assert!(matches!(correlation(&Tensor::full([2, 1], 1.0f64)), Err(AttackError::Inputs { .. })));
    }
}
