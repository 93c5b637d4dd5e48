//! CROWN against auto_LiRPA 0.7.1 on the same weights, ε = 0.02, no limits: the sum of `upper − lower` over all outputs.

use perturb_certify::{Certifier, Method, Region, Settings};
use perturb_graph::{Graph, Rounding, Tensor};
use perturb_nn::{peers, recipe};
use std::time::Instant;

fn total_width(name: &str, model: &Graph, batch: usize, rounding: Rounding) -> f64 {
    let settings = Settings { batch, rounding, ..Settings::default() };
    let images = recipe(7, [batch, 1, 28, 28], 1.0);
    let images: Vec<f32> = images.as_slice::<f32>().iter().map(|v| (v + 1.0) / 2.0).collect();
    let images = Tensor::new([batch, 1, 28, 28], images).unwrap();
    let start = Instant::now();
    let certifier = Certifier::new(model, Method::Crown, settings).unwrap();
    let compiled = start.elapsed();
    let (mut total, mut best) = (0.0, f64::INFINITY);
    for _ in 0..5 {
        let start = Instant::now();
        let bounds = certifier.bounds(&images, &Region::from(0.02)).unwrap();
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
        let (lower, upper) = (bounds.lower.to_f64_vec(), bounds.upper.to_f64_vec());
        total = upper.iter().zip(&lower).map(|(u, l)| u - l).sum();
    }
    println!("{name} {rounding:?}: {total:.4}; compiled in {compiled:?}, best of five runs {best:.1} ms");
    total
}

// A smaller sum is tighter; more than 0.1 % larger would be a fault.
#[test]
fn crown_on_the_mlp() {
    let nearest = total_width("mlp", &peers::mlp(), 16, Rounding::Nearest);
    assert!(nearest <= 718.51 * 1.001 && nearest > 718.51 * 0.98, "{nearest}");
    let outward = total_width("mlp", &peers::mlp(), 16, Rounding::Outward);
    assert!(outward >= nearest && outward <= 1.02 * nearest, "{outward}");
}

#[test]
fn crown_on_the_cnn() {
    let nearest = total_width("cnn", &peers::cnn(), 4, Rounding::Nearest);
    assert!(nearest <= 59.2046 * 1.001 && nearest > 59.2046 * 0.98, "{nearest}");
    let outward = total_width("cnn", &peers::cnn(), 4, Rounding::Outward);
    assert!(outward >= nearest && outward <= 1.13 * nearest, "{outward}");
}
