//! Certified accuracy of a published network on MNIST: interval propagation ≤ CROWN ≤ accuracy under attack.

use perturb_certify::{Certifier, Method, Region, Settings};
use perturb_data::{LoadOptions, load};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Norm, Tensor, grad};
use perturb_onnx::{ImportOptions, OnnxModel, import};
use perturb_threat::Ball;
use std::path::PathBuf;

const IMAGES: usize = 50;

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("PERTURB_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let found = folder.join("vnncomp2021/mnistfc").is_dir() && folder.join("mnist").is_dir();
    if !found {
        eprintln!("skipped: no mnist and vnncomp2021/mnistfc in {}; set PERTURB_DATA", folder.display());
    }
    found.then_some(folder)
}

/// For every image, whether 20 sign-gradient steps on the smallest margin leave it correctly classified.
fn survives(model: &Graph, images: &Tensor, labels: &[usize], epsilon: f64) -> Vec<bool> {
    let batch = model.vmap(IMAGES).unwrap();
    let z = batch.outputs[0].1.reshape([IMAGES, 10]);
    let truth: Vec<f32> = (0..IMAGES * 10).map(|i| f32::from(u8::from(labels[i / 10] == i % 10))).collect();
    let truth = Expr::constant(Tensor::new([IMAGES, 10], truth).unwrap());
    let rival = z.sub(&truth.scale(1e6)).reduce_max(&[1], false);
    let margin = z.mul(&truth).reduce_sum(&[1], false).sub(&rival);
    let gradient = grad(&margin, &batch.inputs).unwrap().remove(0);
    let run = Executable::compile(&[margin, gradient], &batch.inputs, &Options::default()).unwrap();
    let ball = Ball::new(Norm::Linf, epsilon, (0.0, 1.0)).unwrap();
    let shape = batch.inputs[0].shape().clone();
    let mut x = images.reshape(&shape).unwrap();
    let clean = x.clone();
    let mut alive = vec![true; IMAGES];
    for _ in 0..=20 {
        let out = run.run(&[&x]).unwrap();
        let margins = out[0].as_slice::<f32>();
        alive.iter_mut().zip(margins).for_each(|(a, &m)| *a &= m > 0.0);
        let width = clean.count() / IMAGES;
        let centers = clean.as_slice::<f32>().chunks(width);
        let moves = out[1].as_slice::<f32>().chunks(width);
        for ((x, g), c) in x.as_mut_slice::<f32>().chunks_mut(width).zip(moves).zip(centers) {
            x.iter_mut().zip(g).for_each(|(x, g)| *x -= 0.25 * epsilon as f32 * g.signum());
            ball.project(c, x);
        }
    }
    alive
}

#[test]
fn certified_accuracy_of_mnistfc() {
    let Some(folder) = data() else { return };
    let model = OnnxModel::read(folder.join("vnncomp2021/mnistfc/mnist-net_256x2.onnx")).unwrap();
    let model = import(&model, &ImportOptions { dtype: DType::F32, ..ImportOptions::default() }).unwrap();
    let options = LoadOptions { limit: Some(IMAGES), ..LoadOptions::default() };
    let mnist = load(&folder.join("mnist"), &options).unwrap();
    let labels = mnist.labels.unwrap();
    let images = mnist.inputs.reshape(model.inputs[0].shape().prepend(IMAGES)).unwrap();
    assert!(images.as_slice::<f32>().iter().all(|v| (0.0..=1.0).contains(v)));

    let settings = Settings { batch: 25, ..Settings::default() };
    let methods = [Method::Ibp, Method::CrownIbp, Method::Crown];
    let certifiers = methods.map(|m| Certifier::new(&model, m, settings).unwrap());
    for epsilon in [0.01, 0.02, 0.03] {
        let region = Region::from(&Ball::new(Norm::Linf, epsilon, (0.0, 1.0)).unwrap());
        let certified = certifiers.each_ref().map(|c| {
            let margins = c.margins(&images, &labels, &region).unwrap();
            margins.into_iter().map(|m| m > 0.0).collect::<Vec<bool>>()
        });
        let attacked = survives(&model, &images, &labels, epsilon);
        let count = |v: &[bool]| v.iter().filter(|&&b| b).count();
        let [ibp, crown_ibp, crown] = &certified;
        println!(
            "epsilon {epsilon}: certified by ibp {}, crown-ibp {}, crown {}; {} survive the attack; of {IMAGES}",
            count(ibp),
            count(crown_ibp),
            count(crown),
            count(&attacked)
        );
        for i in 0..IMAGES {
            assert!(
                ibp[i] <= crown_ibp[i] && crown_ibp[i] <= crown[i] && crown[i] <= attacked[i],
                "image {i}, {epsilon}"
            );
        }
        if epsilon == 0.01 {
            assert!(count(crown) > 25 && count(crown) > count(ibp), "CROWN certifies most images here");
        }
    }
}
