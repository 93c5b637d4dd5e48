//! Attacks that see nothing but the predicted class.

mod boundary;
mod hop_skip_jump;
mod start;

pub use boundary::Boundary;
pub use hop_skip_jump::HopSkipJump;

use crate::problem::Problem;
use crate::{AttackError, Norm};

/// Whether each of the points `x`, one for each of `rows`, is adversarial.
fn decisions(problem: &mut Problem, rows: &[usize], x: &[f32]) -> Result<Vec<bool>, AttackError> {
    let logits = problem.logits(rows, x)?;
    let pairs = rows.iter().zip(logits.chunks_exact(problem.model.classes()));
    Ok(pairs.map(|(&row, z)| problem.criterion.is_adversarial(row, z)).collect())
}

/// The point at a share of the way from the example to `x`: in ℓ2 along the line between them; in ℓ∞ `x` projected onto
/// the ball of that share of its distance.
fn blend(norm: Norm, center: &[f32], x: &[f32], share: f64) -> Vec<f32> {
    let reach = if norm == Norm::Linf { share * perturb_threat::distance(norm, center, x) } else { 0.0 };
    let moved = |(&c, &v): (&f32, &f32)| {
        let offset = f64::from(v) - f64::from(c);
        match norm {
            Norm::Linf => (f64::from(c) + offset.clamp(-reach, reach)) as f32,
            _ => (f64::from(c) + share * offset) as f32,
        }
    };
    center.iter().zip(x).map(moved).collect()
}

/// Moves adversarial points towards their examples by bisection, until the adversarial point and one that is not are
/// within `tolerance` of the whole way; the points stay adversarial.
fn bisect(problem: &mut Problem, rows: &[usize], points: &mut [Vec<f32>], tolerance: f64) -> Result<(), AttackError> {
    let norm = problem.ball.norm();
    let (mut low, mut high) = (vec![0.0; rows.len()], vec![1.0; rows.len()]);
    let whole = points.to_vec();
    while high.iter().zip(&low).any(|(h, l)| h - l > tolerance) {
        let middle: Vec<f64> = low.iter().zip(&high).map(|(l, h)| 0.5 * (l + h)).collect();
        let parts = rows.iter().zip(&whole).zip(&middle);
        let tried: Vec<Vec<f32>> = parts.map(|((&row, x), &m)| blend(norm, problem.center(row), x, m)).collect();
        let verdicts = decisions(problem, rows, &tried.concat())?;
        for (i, (tried, adversarial)) in tried.into_iter().zip(verdicts).enumerate() {
            if adversarial {
                (high[i], points[i]) = (middle[i], tried);
            } else {
                low[i] = middle[i];
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blends_have_their_share_of_the_distance() {
        let (center, x) = ([0.0, 0.5, 0.25], [1.0, 0.25, 0.25]);
        assert_eq!(blend(Norm::L2, &center, &x, 0.5), [0.5, 0.375, 0.25]);
        assert_eq!(blend(Norm::Linf, &center, &x, 0.5), [0.5, 0.25, 0.25]);
        assert_eq!(blend(Norm::Linf, &center, &x, 0.125), [0.125, 0.375, 0.25]);
    }
}
