//! Published networks: certified accuracy between interval propagation and attacks, and soundness at real sizes.

use perturb_certify::{Certifier, Method, Region, Settings};
use perturb_data::{LoadOptions, load};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Norm, Tensor, grad};
use perturb_onnx::{ImportOptions, OnnxModel, import};
use perturb_threat::Ball;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;

const IMAGES: usize = 50;

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("PERTURB_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let found = folder.join("vnncomp2021").is_dir() && folder.join("mnist").is_dir();
    if !found {
        eprintln!("skipped: no mnist and vnncomp2021 in {}; set PERTURB_DATA", folder.display());
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

// The residual network of CIFAR-10: windows of two paths that join, strides, padding, a dense layer behind.
#[test]
fn no_point_leaves_the_bounds_of_a_residual_network() {
    let Some(folder) = data() else { return };
    let model = OnnxModel::read(folder.join("vnncomp2021/cifar10_resnet/onnx/resnet_2b.onnx")).unwrap();
    let model = import(&model, &ImportOptions { dtype: DType::F32, ..ImportOptions::default() }).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let width = model.inputs[0].shape().count();
    let center: Vec<f32> = (0..width).map(|_| rng.random_range(-1.0..1.0)).collect();
    let images = Tensor::new(model.inputs[0].shape().prepend(1), center.clone()).unwrap();
    let gradients = grad(&model.outputs[0].1.slice_axis(1, 0, 1), &model.inputs).unwrap();
    let outputs = [model.outputs[0].1.clone(), gradients[0].clone()];
    let run = Executable::compile(&outputs, &model.inputs, &Options::default()).unwrap();
    let mut widths = Vec::new();
    let ball = Ball::new(Norm::Linf, 0.004, (-2.0, 2.0)).unwrap();
    for method in [Method::Ibp, Method::CrownIbp, Method::Crown] {
        let certifier = Certifier::new(&model, method, Settings { batch: 1, ..Settings::default() }).unwrap();
        let bounds = certifier.bounds(&images, &Region::from(&ball)).unwrap();
        let (lower, upper) = (bounds.lower.to_f64_vec(), bounds.upper.to_f64_vec());
        let mut x = center.clone();
        for step in 0..40 {
            let out = run.run(&[&Tensor::new(model.inputs[0].shape(), x).unwrap()]).unwrap();
            for (j, z) in out[0].to_f64_vec().into_iter().enumerate() {
                assert!(lower[j] <= z && z <= upper[j], "{method:?}, output {j}: {} {z} {}", lower[j], upper[j]);
            }
            // Down and up along the first output's gradient, and at random.
            let g: Vec<f32> = out[1].as_slice::<f32>().iter().map(|v| if step % 4 == 1 { -v } else { *v }).collect();
            x = if step % 2 == 0 { ball.sample(&center, &mut rng) } else { ball.linear_minimization(&center, &g) };
        }
        widths.push(upper.iter().zip(&lower).map(|(u, l)| u - l).sum::<f64>());
    }
    println!("total widths: ibp {:.3}, crown-ibp {:.3}, crown {:.3}", widths[0], widths[1], widths[2]);
    assert!(widths[0] >= widths[1] && widths[1] > 5.0 * widths[2], "{widths:?}");
}
