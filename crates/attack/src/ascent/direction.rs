//! Directions of steepest ascent in a norm.

use crate::{Ball, Norm};

/// Calls `apply` with each coordinate of `x` and the direction of steepest ascent there, in the ball's norm; for ℓ1 on
/// the share of coordinates given.
pub(crate) fn direction(
    x: &mut [f32],
    gradient: &[f32],
    ball: &Ball,
    share: f64,
    mut apply: impl FnMut(&mut f32, f64),
) {
    let magnitude = |&g: &f32| f64::from(g).abs();
    let length = match ball.norm() {
        Norm::Linf => 1.0,
        Norm::L2 => gradient.iter().map(|g| magnitude(g).powi(2)).sum::<f64>().sqrt(),
        Norm::L0 => gradient.iter().map(magnitude).sum(),
        Norm::L1 => return sparse_direction(x, gradient, ball, share, apply),
    };
    let length = length.max(f64::MIN_POSITIVE);
    let signs = ball.norm() == Norm::Linf;
    for (v, &g) in x.iter_mut().zip(gradient) {
        let d = match signs {
            false => f64::from(g) / length,
            // `signum` is 1 at zero.
            true if g == 0.0 => 0.0,
            true => f64::from(g.signum()),
        };
        apply(v, d);
    }
}

fn sparse_direction(x: &mut [f32], gradient: &[f32], ball: &Ball, share: f64, mut apply: impl FnMut(&mut f32, f64)) {
    let (lo, hi) = ball.limits();
    let movable = |(&v, &g): (&f32, &f32)| if (g > 0.0 && v < hi) || (g < 0.0 && v > lo) { g } else { 0.0 };
    let gradient: Vec<f32> = x.iter().zip(gradient).map(movable).collect();
    let mut magnitudes: Vec<f32> = gradient.iter().map(|g| g.abs()).collect();
    let count = ((share * x.len() as f64).ceil() as usize).clamp(1, x.len());
    let (_, &mut threshold, _) = magnitudes.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    let chosen = |g: f32| g != 0.0 && g.abs() >= threshold;
    let count = gradient.iter().filter(|&&g| chosen(g)).count().max(1) as f64;
    for (v, &g) in x.iter_mut().zip(&gradient).filter(|(_, g)| chosen(**g)) {
        apply(v, f64::from(g.signum()) / count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_those_of_steepest_ascent() {
        let gradient = [3.0, 0.0, -4.0, 0.0];
        let along = |norm, share| {
            let ball = Ball::new(norm, 1.0, (0.0, 1.0)).unwrap();
            let mut found = Vec::new();
            let mut x = [0.5; 4];
            direction(&mut x, &gradient, &ball, share, |_, d| found.push(d));
            found
        };
        assert_eq!(along(Norm::Linf, 1.0), [1.0, 0.0, -1.0, 0.0]);
        assert_eq!(along(Norm::L2, 1.0), [0.6, 0.0, -0.8, 0.0]);
        assert_eq!(along(Norm::L1, 0.01), [-1.0]);
        assert_eq!(along(Norm::L1, 0.5), [0.5, -0.5]);
    }

    // A coordinate at its bound is not chosen: the next largest is.
    #[test]
    fn sparse_steps_go_where_there_is_room() {
        let ball = Ball::new(Norm::L1, 1.0, (0.0, 1.0)).unwrap();
        let mut x = [0.0, 0.5];
        direction(&mut x, &[-9.0, 1.0], &ball, 0.01, |v, d| *v += d as f32);
        assert_eq!(x, [0.0, 1.5]);
    }
}
