//! Projection onto a ball within bounds.

use crate::{Ball, Norm};

impl Ball {
    /// Moves `x` to the nearest point, in Euclidean distance, of the ball around `center` and within the bounds, then,
    /// where rounding to `f32` left it outside the ball, one unit in the last place towards the centre: the result
    /// satisfies [`Ball::contains`]. A coordinate that is not finite becomes that of the centre. Of equally near points
    /// of an ℓ0 ball, the one that keeps the first coordinates.
    pub fn project(&self, center: &[f32], x: &mut [f32]) {
        for (v, &c) in x.iter_mut().zip(center) {
            if !v.is_finite() {
                *v = c;
            }
        }
        match self.norm() {
            Norm::L0 => self.keep_largest(center, x),
            Norm::L1 => self.soften(center, x),
            Norm::L2 => self.scale_down(center, x),
            Norm::Linf => clamp(center, x, self.epsilon()),
        }
        self.settle(center, x);
    }

    // Clips to the bounds, and takes back what rounding added to the distance: half a unit in the last place of each
    // coordinate, so a step or two. More means that the centre is out of bounds; then it is the answer.
    fn settle(&self, center: &[f32], x: &mut [f32]) {
        let (lo, hi) = self.limits();
        x.iter_mut().for_each(|v| *v = v.clamp(lo, hi));
        match self.norm() {
            Norm::Linf => x.iter_mut().zip(center).for_each(|(v, c)| self.shorten(&[*c], std::slice::from_mut(v))),
            _ => self.shorten(center, x),
        }
    }

    fn shorten(&self, center: &[f32], x: &mut [f32]) {
        for _ in 0..STEPS {
            if self.distance(center, x) <= self.epsilon() {
                return;
            }
            x.iter_mut().zip(center).for_each(|(v, &c)| *v = towards(*v, c));
        }
        x.copy_from_slice(center);
    }
}

const STEPS: usize = 4;

fn towards(v: f32, c: f32) -> f32 {
    if v > c {
        v.next_down()
    } else if v < c {
        v.next_up()
    } else {
        v
    }
}

fn clamp(center: &[f32], x: &mut [f32], epsilon: f64) {
    for (v, &c) in x.iter_mut().zip(center) {
        let (wide, c) = (f64::from(*v), f64::from(c));
        *v = wide.clamp(c - epsilon, c + epsilon) as f32;
    }
}

// A coordinate of the point to be projected: its offset from the centre, and how far the bounds let it go that way.
struct Offset {
    size: f64,
    room: f64,
    up: bool,
}

impl Ball {
    fn offsets(&self, center: &[f32], x: &[f32]) -> Vec<Offset> {
        let (lo, hi) = (f64::from(self.limits().0), f64::from(self.limits().1));
        let offset = |(&c, &v): (&f32, &f32)| {
            let (c, v) = (f64::from(c), f64::from(v));
            let room = if v > c { hi - c } else { c - lo };
            Offset { size: (v - c).abs(), room: room.max(0.0), up: v > c }
        };
        center.iter().zip(x).map(offset).collect()
    }

    // The optimality conditions give xᵢ − cᵢ = min(s·sizeᵢ, roomᵢ) with one s ≤ 1. Each round solves for s as if no
    // further coordinate reached its bound; s only grows, so that those at their bound stay there.
    fn scale_down(&self, center: &[f32], x: &mut [f32]) {
        if crate::distance(Norm::L2, center, x) <= self.epsilon() {
            return;
        }
        let offsets = self.offsets(center, x);
        let squared = self.epsilon() * self.epsilon();
        if offsets.iter().map(|o| o.size.min(o.room).powi(2)).sum::<f64>() <= squared {
            return;
        }
        let (mut s, mut stopped) = (0.0, usize::MAX);
        loop {
            let (mut left, mut free, mut count) = (squared, 0.0, 0);
            for o in &offsets {
                if s * o.size >= o.room {
                    left -= o.room * o.room;
                    count += 1;
                } else {
                    free += o.size * o.size;
                }
            }
            if count == stopped || free == 0.0 {
                break;
            }
            (s, stopped) = (f64::max(s, (left.max(0.0) / free).sqrt()), count);
        }
        place(center, x, &offsets, |o| (s * o.size).min(o.room));
    }

    // The optimality conditions give xᵢ − cᵢ = clamp(sizeᵢ − θ, 0, roomᵢ) with one θ ≥ 0. The norm of that is linear in θ
    // between the points where a coordinate leaves its bound or reaches 0: search those, then interpolate. (Without
    // bounds: Duchi et al. 2008, fig. 1; with them: Croce and Hein 2021, proposition 2.3.)
    fn soften(&self, center: &[f32], x: &mut [f32]) {
        let offsets = self.offsets(center, x);
        let norm = |theta: f64| offsets.iter().map(|o| (o.size - theta).clamp(0.0, o.room)).sum::<f64>();
        let at_zero = norm(0.0);
        if at_zero <= self.epsilon() {
            return;
        }
        let mut breaks: Vec<f64> =
            offsets.iter().flat_map(|o| [o.size, o.size - o.room]).filter(|&b| b > 0.0).collect();
        breaks.sort_unstable_by(f64::total_cmp);
        // The last break is the largest size, where nothing is left.
        let next = breaks.partition_point(|&theta| norm(theta) > self.epsilon()).min(breaks.len() - 1);
        let (below, above) = (if next == 0 { 0.0 } else { breaks[next - 1] }, breaks[next]);
        let (high, low) = (if next == 0 { at_zero } else { norm(below) }, norm(above));
        let theta = if high > low { below + (above - below) * (high - self.epsilon()) / (high - low) } else { above };
        place(center, x, &offsets, |o| (o.size - theta).clamp(0.0, o.room));
    }

    // Moving a coordinate back to the centre costs size², leaving it at its bound (size − room)²: keep where that saves
    // most.
    fn keep_largest(&self, center: &[f32], x: &mut [f32]) {
        let offsets = self.offsets(center, x);
        let saved = |o: &Offset| o.size.powi(2) - (o.size - o.room).max(0.0).powi(2);
        let mut order: Vec<usize> = (0..x.len()).filter(|&i| offsets[i].size > 0.0).collect();
        order.sort_by(|&i, &j| saved(&offsets[j]).total_cmp(&saved(&offsets[i])));
        for &i in order.iter().skip(self.epsilon().min(x.len() as f64) as usize) {
            x[i] = center[i];
        }
    }
}

fn place(center: &[f32], x: &mut [f32], offsets: &[Offset], length: impl Fn(&Offset) -> f64) {
    for ((v, &c), o) in x.iter_mut().zip(center).zip(offsets) {
        let c = f64::from(c);
        *v = if o.up { c + length(o) } else { c - length(o) } as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const NORMS: [Norm; 4] = [Norm::L0, Norm::L1, Norm::L2, Norm::Linf];

    fn points(rng: &mut impl Rng, size: usize, lo: f32, hi: f32) -> Vec<f32> {
        (0..size).map(|_| rng.random_range(lo..=hi)).collect()
    }

    #[test]
    fn result_is_in_ball_and_bounds_whatever_the_size() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for round in 0..3000 {
            let norm = NORMS[round % 4];
            let size = rng.random_range(1..40);
            // Budgets from below the resolution of f32 to far outside the bounds.
            let epsilon = 10f64.powf(rng.random_range(-10.0..3.0));
            let (lo, hi) = if round % 2 == 0 { (0.0, 1.0) } else { (-1000.0, 2000.0) };
            let ball = Ball::new(norm, epsilon, (lo, hi)).unwrap();
            let center = points(&mut rng, size, lo as f32, hi as f32);
            let mut x = points(&mut rng, size, 3.0 * lo as f32 - 1.0, 3.0 * hi as f32);
            if round % 7 == 0 {
                x[0] = [f32::NAN, f32::INFINITY, f32::MAX][round % 3];
            }
            ball.project(&center, &mut x);
            assert!(ball.contains(&center, &x), "{norm:?} {epsilon}: {}", ball.distance(&center, &x));
            let before = x.clone();
            ball.project(&center, &mut x);
            assert_eq!(x, before, "projecting twice is projecting once");
        }
    }

    // A point is the projection onto a convex set exactly if ⟨x − p, z − p⟩ ≤ 0 for all z of the set, that is if no z of
    // the set gives ⟨p − x, z⟩ less than p does. The least of a linear function over the set is known.
    #[test]
    fn result_is_the_nearest_point_of_ball_and_bounds() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for round in 0..900 {
            let norm = NORMS[1 + round % 3];
            let bounds = if round % 2 == 0 { (0.0, 1.0) } else { (f64::NEG_INFINITY, f64::INFINITY) };
            let ball = Ball::new(norm, rng.random_range(0.05..3.0), bounds).unwrap();
            let size = rng.random_range(1..12);
            let mut center = points(&mut rng, size, 0.0, 1.0);
            center[0] = center[0].round();
            let x = points(&mut rng, size, -3.0, 3.0);
            let mut nearest = x.clone();
            ball.project(&center, &mut nearest);
            let weights: Vec<f32> = nearest.iter().zip(&x).map(|(p, v)| p - v).collect();
            let value = |z: &[f32]| z.iter().zip(&weights).map(|(&z, &w)| f64::from(z) * f64::from(w)).sum::<f64>();
            let least = value(&ball.linear_minimization(&center, &weights));
            assert!(value(&nearest) <= least + 1e-5, "{norm:?}: {} above {least}", value(&nearest));
        }
    }

    // By trying all choices of coordinates.
    #[test]
    fn sparse_result_is_the_nearest_point() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for round in 0..200 {
            let count = round % 7;
            let ball = Ball::new(Norm::L0, count as f64 + 0.5, (0.0, 1.0)).unwrap();
            let center = points(&mut rng, 6, 0.0, 1.0);
            let x = points(&mut rng, 6, -1.0, 2.0);
            let square = |z: &[f32]| (0..6).map(|i| f64::from(z[i] - x[i]).powi(2)).sum::<f64>();
            let mut nearest = x.clone();
            ball.project(&center, &mut nearest);
            let choice = |mask: u32| {
                let at = |i: usize| if mask >> i & 1 == 1 { x[i].clamp(0.0, 1.0) } else { center[i] };
                square(&(0..6).map(at).collect::<Vec<f32>>())
            };
            let best =
                (0..64u32).filter(|m| m.count_ones() as usize <= count).map(choice).fold(f64::INFINITY, f64::min);
            assert!((square(&nearest) - best).abs() < 1e-9 && ball.contains(&center, &nearest));
        }
    }

    // Cases by hand: θ = 0.5 for (2, 1, −0.25) and ε = 2; the ℓ2 projection scales; ℓ∞ clips.
    #[test]
    fn agrees_with_cases_by_hand() {
        let project = |norm, epsilon| {
            let mut x = [2.0, 1.0, -0.25];
            Ball::new(norm, epsilon, (-10.0, 10.0)).unwrap().project(&[0.0; 3], &mut x);
            x
        };
        assert_eq!(project(Norm::L1, 2.0), [1.5, 0.5, 0.0]);
        assert_eq!(project(Norm::Linf, 0.5), [0.5, 0.5, -0.25]);
        let length = (4.0f64 + 1.0 + 0.0625).sqrt();
        for (v, w) in project(Norm::L2, length / 2.0).iter().zip([1.0, 0.5, -0.125]) {
            assert!((v - w).abs() < 1e-6);
        }
    }
}
