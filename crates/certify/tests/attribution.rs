//! Bounds of attributions against closed forms and samples.

use perturb_certify::attribution::deviation::GradientDeviation;
use perturb_certify::attribution::smoothed::{UniformSmooth, min_radius, overlap};
use perturb_certify::{CertifyError, Method, Region, Settings};
use perturb_graph::{DType, Expr, Graph, Norm, Tensor};
use perturb_nn::{Initializer, Layers};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One dimension: intervals of length 2r share 1 − ε/2r. Three: balls share 1 − 3/2·t + t³/2 with t = ε/2r.
#[test]
fn overlap_in_closed_form() {
    for t in [0.01, 0.2, 0.5, 0.9, 0.999] {
        let (one, three) = (overlap(1, 2.0 * t * 3.0, 3.0).unwrap(), overlap(3, 2.0 * t * 3.0, 3.0).unwrap());
        assert!((one - (1.0 - t)).abs() < 2e-11, "{one}");
        assert!((three - (1.0 - 1.5 * t + 0.5 * t * t * t)).abs() < 2e-11, "{three}");
    }
    assert_eq!((overlap(5, 0.0, 1.0).unwrap(), overlap(5, 2.0, 1.0).unwrap()), (1.0, 0.0));
}

/// For `g = sign(x₁)·e₁`, two points on both sides of the wall have smoothed attributions that are exactly 2(1 − κ) apart.
#[test]
fn the_wall_reaches_the_bound() {
    let smooth = UniformSmooth { radius: 1.0, samples: 40_000, batch: 1000, seed: 3 };
    let sign = |points: &Tensor| -> Result<Tensor, CertifyError> {
        let values = points.as_slice::<f32>().chunks(4).flat_map(|x| [x[0].signum(), 0.0, 0.0, 0.0]).collect();
        Ok(Tensor::new(points.shape().clone(), values)?)
    };
    let at =
        |x: f32, example| smooth.smooth(&Tensor::new([4], vec![x, 0.3, 0.1, -0.2]).unwrap(), example, sign).unwrap();
    let epsilon = 0.4;
    let (left, right) = (at(-0.2, 0), at(0.2, 1));
    let bound = smooth.certify(&left, epsilon, 0.001).unwrap();
    let shift = right[0] - left[0];
    // Five standard errors of two means of signs.
    assert!((shift - bound.shift).abs() < 5.0 * (2.0f64 / 40_000.0).sqrt(), "{shift} {}", bound.shift);
    // Its length is half of that, so there is no certificate of the cosine.
    assert_eq!(bound.cosine, None);
}

#[test]
fn largest_distance_and_smallest_radius_undo_the_bound() {
    let smooth = UniformSmooth { radius: 2.0, samples: 100_000, batch: 1, seed: 0 };
    let smoothed = [0.0, 0.8, 0.0];
    let epsilon = smooth.max_epsilon(&smoothed, 0.9, 0.01).unwrap().unwrap();
    let cosine = |epsilon| smooth.certify(&smoothed, epsilon, 0.01).unwrap().cosine.unwrap_or(-1.0);
    assert!(cosine(epsilon) >= 0.9 && cosine(epsilon * 1.001) < 0.9);
    let length = smooth.certify(&smoothed, 0.0, 0.01).unwrap().length;
    assert!((min_radius(3, length, epsilon, 0.9).unwrap() / 2.0 - 1.0).abs() < 1e-6);
    assert_eq!(smooth.certify(&smoothed, 4.0, 0.01).unwrap().cosine, None);
    assert_eq!(smooth.max_epsilon(&[0.0; 3], 0.9, 0.01).unwrap(), None);
    assert!(min_radius(3, 0.0, 0.1, 0.9).is_err());
    assert!(smooth.max_epsilon(&smoothed, 1.0, 0.01).is_err() && smooth.certify(&smoothed, -1.0, 0.01).is_err());
    assert!(UniformSmooth { radius: 0.0, ..smooth }.certify(&smoothed, 0.1, 0.01).is_err());
}

fn graph(x: Expr, y: Expr) -> Graph {
    Graph::new(vec![x], vec![("logits".into(), y)]).unwrap()
}

/// `f = ½xᵀAx`: the gradient moves by A·δ, exactly.
#[test]
fn quadratic_forms_are_exact() {
    let x = Expr::input("x", [1, 3], DType::F32);
    // Eigenvalues 1, 3 (along (1, 1, 0)) and −5.
    let a = Tensor::new([3, 3], vec![2.0f32, 1.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, -5.0]).unwrap();
    let y = x.matmul(&Expr::constant(a)).mul(&x).reduce_sum(&[1], true).scale(0.5);
    let bound = GradientDeviation::new(&graph(x, y), 0).unwrap();
    let at = Tensor::new([1, 3], vec![0.1f32, 0.2, 2.0]).unwrap();
    let l2 = bound.practical(&at, 0.1, Norm::L2).unwrap();
    assert!((l2.l2 - 0.5).abs() < 1e-6, "{l2:?}");
    let length = (0.4f64.powi(2) + 0.5f64.powi(2) + 100.0).sqrt();
    assert!(
        (l2.length - length).abs() < 1e-5 && (l2.cosine.unwrap() - (1.0 - 0.25 / length.powi(2)).sqrt()).abs() < 1e-6
    );
    let linf = bound.practical(&at, 0.1, Norm::Linf).unwrap();
    assert!((linf.l2 - 0.1 * (9.0f64 + 9.0 + 25.0).sqrt()).abs() < 1e-6);
    let certified = bound.certified(&at, &Region::from(0.1), Method::Ibp, Settings::default()).unwrap();
    assert!((certified.l2 - linf.l2).abs() < 1e-4 && certified.l2 >= linf.l2, "{certified:?}");
}

#[test]
fn certified_bounds_hold_for_samples() {
    let x = Expr::input("x", [1, 5], DType::F32);
    let y = Layers::new(Initializer::he(1)).mlp(&x, &[8, 8, 3], Expr::tanh);
    let bound = GradientDeviation::new(&graph(x, y), 1).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for (norm, epsilon) in [(Norm::Linf, 0.05), (Norm::L2, 0.1)] {
        let settings = Settings { norm, ..Settings::default() };
        let center: Vec<f32> = (0..5).map(|_| rng.random_range(-1.0..1.0)).collect();
        let at = Tensor::new([1, 5], center.clone()).unwrap();
        let gradient = bound.gradient(&at).unwrap();
        let certified: Vec<f64> = [Method::Ibp, Method::Crown]
            .map(|m| bound.certified(&at, &Region::from(epsilon), m, settings).unwrap().l2)
            .to_vec();
        let mut worst = 0.0f64;
        for _ in 0..300 {
            let direction: Vec<f64> = (0..5).map(|_| rng.random_range(-1.0..1.0)).collect();
            let size = match norm {
                Norm::L2 => direction.iter().map(|d| d * d).sum::<f64>().sqrt(),
                _ => direction.iter().fold(0.0, |m, d| d.abs().max(m)),
            };
            let moved = center.iter().zip(&direction).map(|(c, d)| c + (0.9999 * epsilon * d / size) as f32).collect();
            let other = bound.gradient(&Tensor::new([1, 5], moved).unwrap()).unwrap();
            worst = worst.max(gradient.iter().zip(&other).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt());
        }
        assert!(certified.iter().all(|&c| c >= worst && c < 50.0 * worst), "{norm:?}: {certified:?}, sampled {worst}");
        let practical = bound.practical(&at, epsilon, norm).unwrap().l2;
        assert!(practical > 0.8 * worst, "{norm:?}: first order {practical}, sampled {worst}");
    }
}

#[test]
fn piecewise_linear_models_are_refused() {
    let x = Expr::input("x", [1, 4], DType::F32);
    let y = Layers::new(Initializer::he(1)).mlp(&x, &[8, 2], Expr::relu);
    let network = graph(x, y);
    let bound = GradientDeviation::new(&network, 0).unwrap();
    let at = Tensor::new([1, 4], vec![0.5f32; 4]).unwrap();
    assert!(matches!(bound.practical(&at, 0.1, Norm::L2), Err(CertifyError::Model { .. })));
    assert!(matches!(GradientDeviation::new(&network, 2), Err(CertifyError::Label { .. })));
}
