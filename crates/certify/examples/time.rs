//! Temporary.
use perturb_certify::*;
use perturb_graph::*;
use perturb_nn::{peers, recipe};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (model, batch) = if a[1] == "mlp" { (peers::mlp(), 16) } else { (peers::cnn(), 4) };
    let n: usize = a[2].parse().unwrap();
    let images = recipe(7, [batch, 1, 28, 28], 1.0);
    let images: Vec<f32> = images.as_slice::<f32>().iter().map(|v| (v + 1.0) / 2.0).collect();
    let images = Tensor::new([batch, 1, 28, 28], images).unwrap();
    let c =
        Certifier::new(&model, Method::Crown, Settings { batch, rounding: Rounding::Nearest, ..Settings::default() })
            .unwrap();
    let mut times: Vec<f64> = (0..n)
        .map(|_| {
            let s = std::time::Instant::now();
            std::hint::black_box(c.bounds(&images, &Region::from(0.02)).unwrap());
            s.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("min {:.1} median {:.1}", times.first().unwrap_or(&0.0), times.get(n / 2).unwrap_or(&0.0));
}
