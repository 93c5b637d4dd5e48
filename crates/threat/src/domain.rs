//! A ball as a domain of bound propagation.

use crate::{Ball, Norm};
use perturb_graph::{DType, Domain, Expr};

impl Ball {
    /// The set that an input ranges over, for [`perturb_graph::linear_bounds`] and [`perturb_graph::interval()`]: the
    /// ball around `center`, bounds included. Its radius and bounds are rounded outwards to `center`'s type, so that the
    /// domain holds every point of [`Ball::contains`].
    ///
    /// `center` is one example; batches come from `vmap`.
    pub fn domain(&self, center: &Expr) -> Domain {
        let dtype = center.dtype();
        let (lo, hi) = self.bounds();
        // The bounds of `contains` are those rounded to nearest.
        let lo = center.like(down(lo.min(f64::from(self.limits().0)), dtype));
        let hi = center.like(up(hi.max(f64::from(self.limits().1)), dtype));
        let norm = match self.norm() {
            _ if self.epsilon().is_infinite() => return Domain::Box { lo, hi },
            // A changed coordinate may take any value: the smallest convex set that is known of is the box.
            Norm::L0 => return Domain::Box { lo, hi },
            Norm::L1 => perturb_graph::Norm::L1,
            Norm::L2 => perturb_graph::Norm::L2,
            Norm::Linf => perturb_graph::Norm::Linf,
        };
        let limited = self.bounds().0.is_finite() || self.bounds().1.is_finite();
        Domain::Ball {
            center: center.clone(),
            radius: Expr::scalar(up(self.epsilon(), dtype), dtype),
            norm,
            within: limited.then_some((lo, hi)),
        }
    }
}

// The smallest value of the type that is not below `v`.
fn up(v: f64, dtype: DType) -> f64 {
    let near = v as f32;
    match dtype {
        DType::F32 if f64::from(near) < v => f64::from(near.next_up()),
        DType::F32 => f64::from(near),
        _ => v,
    }
}

fn down(v: f64, dtype: DType) -> f64 {
    -up(-v, dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::{LinearBoundsOptions, Rounding, Tensor, eval, linear_bounds};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn bounding_box_holds_every_sample_and_is_tight() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            let ball = Ball::new(norm, 0.1, (0.3, 0.9)).unwrap();
            let center: Vec<f32> = (0..5).map(|_| rng.random_range(0.3..0.9)).collect();
            let x = Expr::input("x", [5], DType::F32);
            let bounding = ball.domain(&x).bounding_box(Rounding::Outward);
            let feed = Tensor::new([5], center.clone()).unwrap();
            let corners = eval(&[bounding.lo, bounding.hi], &[(x, feed)]).unwrap();
            let (lo, hi) = (corners[0].as_slice::<f32>(), corners[1].as_slice::<f32>());
            for (i, &c) in center.iter().enumerate() {
                assert!((lo[i] - (c - 0.1).max(0.3)).abs() < 1e-5 && (hi[i] - (c + 0.1).min(0.9)).abs() < 1e-5);
            }
            for _ in 0..500 {
                let z = ball.sample(&center, &mut rng);
                assert!((0..5).all(|i| lo[i] <= z[i] && z[i] <= hi[i]), "{norm:?}");
            }
        }
    }

    // Of a linear function the bound is exact: ⟨w, c⟩ − ε·‖w‖ in the dual norm, as `linear_minimization` attains it.
    #[test]
    fn bound_of_a_linear_function_is_its_minimum() {
        let weights = [0.5f32, -1.0, 0.25];
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            let ball = Ball::new(norm, 0.1, (0.0, 1.0)).unwrap();
            let x = Expr::input("x", [3], DType::F32);
            let center = Expr::constant(Tensor::full([3], 0.5f32));
            let y = x.inner(&Expr::constant(Tensor::new([3], weights.to_vec()).unwrap()));
            let domain = ball.domain(&center);
            let bound = linear_bounds(&[y], &[(x, domain)], LinearBoundsOptions::default()).unwrap().remove(0);
            let lowest = eval(&[bound.lo], &[]).unwrap()[0].as_slice::<f32>()[0];
            let at = ball.linear_minimization(&[0.5; 3], &weights);
            let attained: f32 = weights.iter().zip(&at).map(|(w, v)| w * v).sum();
            assert!(lowest <= attained && lowest > attained - 1e-5, "{norm:?}: {lowest} {attained}");
        }
    }

    #[test]
    fn unlimited_radius_is_the_whole_range() {
        let center = Expr::constant(Tensor::full([2], 0.5f32));
        let Domain::Box { lo, hi } = Ball::unbounded(Norm::L2, (0.0, 1.0)).unwrap().domain(&center) else {
            panic!("a ball of infinite radius is a box");
        };
        assert_eq!((lo.uniform_value(), hi.uniform_value()), (Some(0.0), Some(1.0)));
    }
}
