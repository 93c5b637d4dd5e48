use super::super::latent_diffusion::AttentionTap;
use super::*;
use crate::Norm;
use perturb_graph::{Graph, eval};

const TOKENS: usize = 2;
const TIMES: usize = 40;

fn alpha_bar() -> Vec<f64> {
    (0..=TIMES).map(|t| (1.0 - t as f64 / TIMES as f64 * 0.9).powi(2)).collect()
}

fn numbers(count: usize, phase: f64) -> Vec<f64> {
    (0..count).map(|i| (1.7 * i as f64 + phase).sin()).collect()
}

fn tensor(shape: &[usize], dtype: DType, phase: f64) -> Tensor {
    Tensor::from_f64(shape, dtype, numbers(shape.iter().product(), phase)).unwrap()
}

// Images of 3×2×2 whose four places attend to each other and to two tokens of width 3; the text moves the noise.
fn model(dtype: DType) -> LatentDiffusion {
    let inputs: Vec<Expr> = [("latent", &[1, 3, 2, 2][..]), ("time", &[1]), ("text", &[1, TOKENS, 3])]
        .into_iter()
        .map(|(name, shape)| Expr::input(name, shape, dtype))
        .collect();
    let (latent, time, text) = (&inputs[0], &inputs[1], &inputs[2]);
    let places = latent.reshape([1, 1, 3, 4]).transpose(&[0, 1, 3, 2]);
    let tokens = text.reshape([1, 1, TOKENS, 3]);
    let attend = |keys: &Expr| places.matmul(&keys.transpose(&[0, 1, 3, 2])).scale(2.0).softmax(3);
    let (own, cross) = (attend(&places), attend(&tokens));
    let mixed = own.matmul(&places).scale(0.3).add(&cross.matmul(&tokens).scale(0.5));
    let noise = mixed.transpose(&[0, 1, 3, 2]).reshape([1, 3, 2, 2]);
    let noise = noise.add(&latent.mul(&time.scale(0.01).reshape([1, 1, 1, 1])));
    let outputs = [("noise", noise), ("own", own), ("cross", cross)].map(|(name, e)| (name.to_string(), e));
    LatentDiffusion {
        denoiser: Graph::new(inputs, outputs.to_vec()).unwrap(),
        attention: vec![AttentionTap::SelfAttention(1), AttentionTap::Cross(2)],
        encoder: None,
        decoder: None,
        alpha_bar: alpha_bar(),
        prompts: tensor(&[2, TOKENS, 3], dtype, 0.3),
        unconditional: tensor(&[TOKENS, 3], dtype, 2.0),
        class_tokens: 1..2,
    }
}

// Whether blue or red is more.
fn classifier() -> Classifier {
    let x = Expr::input("x", [1, 3, 2, 2], DType::F32);
    let means = x.reduce_mean(&[2, 3], false).scale(20.0);
    let logits = Expr::concat(&[means.slice_axis(1, 2, 3), means.slice_axis(1, 0, 1)], 1);
    Classifier::new(&Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap(), 2).unwrap()
}

// Three images, the last of which is red.
fn images() -> Tensor {
    let pixel = |n: usize, c: usize, i: usize| {
        let tint = 0.04 * (c as f32 - 1.0) * if n == 2 { -1.0 } else { 1.0 };
        0.5 + tint + 0.1 * ((3 * i + n) % 4) as f32 / 4.0
    };
    let values = (0..3).flat_map(|n| (0..3).flat_map(move |c| (0..4).map(move |i| pixel(n, c, i))));
    Tensor::new([3, 3, 2, 2], values.collect()).unwrap()
}

fn unbounded() -> Ball {
    Ball::unbounded(Norm::Linf, (0.0, 1.0)).unwrap()
}

#[test]
fn images_are_of_eight_bits_and_judged_as_they_are() {
    let (model, classifier, inputs) = (model(DType::F32), classifier(), images());
    let attack = DiffAttack { rate: 0.05, variance: 1.0, structure: 1.0, ..DiffAttack::new(&model) };
    let criterion = Criterion::Misclassify { labels: vec![0; 3] };
    let found = attack.run(&classifier, &inputs, &criterion, &unbounded(), &Seed::new(0, 0)).unwrap();
    let changed = found.inputs.rows(0, 2);
    let whole = |v: &f32| (255.0 * v - (255.0 * v).round()).abs() < 1e-3;
    assert!(changed.as_slice::<f32>().iter().all(|v| (0.0..=1.0).contains(v) && whole(v)));
    assert_eq!(found.success[..2], [true, true], "{found:?}");
    let predictions = classifier.predictions(&found.inputs).unwrap();
    assert!(predictions[..2].iter().all(|p| *p != Some(0)));
    assert_eq!(found.queries, [30, 30, 0]);
    // The last image was wrong before.
    assert_eq!((found.success[2], found.distances[2]), (true, 0.0));
    assert_eq!(found.inputs.rows(2, 3), inputs.rows(2, 3));
    // A part of the images gives what all give.
    let part = attack.run(
        &classifier,
        &inputs.rows(1, 2),
        &Criterion::Misclassify { labels: vec![0] },
        &unbounded(),
        &Seed::new(0, 1),
    );
    assert_eq!(part.unwrap().inputs, found.inputs.rows(1, 2));
}

#[test]
fn tuned_texts_lead_back_to_the_images() {
    let (model, inputs) = (model(DType::F32), images());
    let error = |iterations: usize| {
        let tuning = Tuning { iterations, increase: 0, rate: 0.1 };
        let back = DiffAttack { tuning, ..DiffAttack::new(&model) }.reconstructed(&inputs, &[0, 0, 1]).unwrap();
        let pairs = back.as_slice::<f32>().iter().zip(inputs.as_slice::<f32>());
        pairs.map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
    };
    let (untuned, tuned) = (error(0), error(40));
    assert!(tuned < 0.2 * untuned, "{tuned} after tuning, {untuned} before");
}

// In double precision, so that differences are exact enough to tell a wrong factor or a step that is left out.
#[test]
fn slopes_are_those_of_differences() {
    let model = model(DType::F64);
    let attack = DiffAttack { variance: 7.0, structure: 3.0, kept: 3, ..DiffAttack::new(&model) };
    let (inputs, slopes) = attack.pull().unwrap();
    let feeds: Vec<(Expr, Tensor)> = inputs
        .iter()
        .enumerate()
        // Attention before is that of another latent.
        .map(|(i, x)| (x.clone(), tensor(x.shape(), DType::F64, 0.37 * i as f64)))
        .collect();
    // Pixels away from the limits.
    let shrink = |(x, value): &(Expr, Tensor)| match x.name() {
        Some("latent") => {
            let values = value.to_f64_vec().iter().map(|v| 0.5 + 0.1 * v).collect();
            (x.clone(), Tensor::from_f64(x.shape(), DType::F64, values).unwrap())
        }
        _ => (x.clone(), value.clone()),
    };
    let feeds: Vec<(Expr, Tensor)> = feeds.iter().map(shrink).collect();
    let lowered = |latent: &Tensor| {
        let sampled = attack.back().sample(&inputs[0], &inputs[1], &inputs[2]).unwrap();
        let total = sampled.image.mul(&inputs[3]).sum().add(&attack.penalty(&sampled, &inputs[4..]).unwrap());
        let mut feeds = feeds.clone();
        feeds[0].1 = latent.clone();
        eval(&[total], &feeds).unwrap()[0].to_f64_vec()[0]
    };
    let found = eval(&[slopes], &feeds).unwrap()[0].to_f64_vec();
    let at = feeds[0].1.to_f64_vec();
    for (i, slope) in found.iter().enumerate() {
        let moved = |by: f64| {
            let mut values = at.clone();
            values[i] += by;
            lowered(&Tensor::from_f64(inputs[0].shape(), DType::F64, values).unwrap())
        };
        let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((difference - slope).abs() < 1e-6 * (1.0 + slope.abs()), "{i}: {slope}, by differences {difference}");
    }
}

// Attention 0.1, 0.2, 0.3, 0.6 has a variance of 0.14/3; self-attention is off by 0.5 in one of two steps of 1×1×1×1.
#[test]
fn penalties_by_hand() {
    let model = model(DType::F64);
    let attack = DiffAttack { kept: 2, ..DiffAttack::new(&model) };
    let constant = |shape: &[usize], values: Vec<f64>| Expr::constant(Tensor::new(shape, values).unwrap());
    let penalty = |cross: Vec<f64>, own: Vec<f64>| {
        let image = constant(&[1, 1, 1, 1], vec![0.0]);
        let (cross, own) = (Some(constant(&[4, 1], cross)), vec![constant(&[2, 1, 1, 1, 1], own)]);
        let before = constant(&[2, 1, 1, 1, 1], vec![1.0, 1.0]);
        let sum = attack.penalty(&Sampled { image, cross, own }, &[before]).unwrap();
        eval(&[sum], &[]).unwrap()[0].to_f64_vec()[0]
    };
    assert_eq!(penalty(vec![0.25; 4], vec![1.0, 1.0]), 0.0);
    assert!((penalty(vec![0.1, 0.2, 0.3, 0.6], vec![1.0, 1.0]) - 1e4 * 0.14 / 3.0).abs() < 1e-9);
    assert!((penalty(vec![0.25; 4], vec![0.5, 1.0]) - 100.0 * 0.25).abs() < 1e-9);
}

#[test]
fn models_that_do_not_fit_are_refused() {
    type Change = fn(&mut LatentDiffusion);
    let (sound, classifier) = (model(DType::F32), classifier());
    let run = |model: &LatentDiffusion, inputs: &Tensor| {
        let criterion = Criterion::Misclassify { labels: vec![0; 3] };
        let attack = DiffAttack::new(model);
        attack.run(&classifier, inputs, &criterion, &unbounded(), &Seed::new(0, 0)).unwrap_err().to_string()
    };
    let broken = |change: Change| {
        let mut model = sound.clone();
        change(&mut model);
        run(&model, &images())
    };
    let cases: [(Change, &str); 8] = [
        (|m| m.alpha_bar[0] = 0.9, "ᾱ"),
        (|m| m.alpha_bar.truncate(10), "steps is 20"),
        (|m| m.class_tokens = 2..3, "class tokens"),
        (|m| m.unconditional = tensor(&[TOKENS, 4], DType::F32, 0.0), "unconditional"),
        (|m| m.attention = vec![AttentionTap::Cross(1)], "leave it out"),
        (|m| m.attention = vec![AttentionTap::Cross(3)], "choose among 1 to 2"),
        (|m| m.prompts = m.prompts.rows(0, 0), "prompts"),
        (|m| *m = model(DType::F64), "f32"),
    ];
    for (change, message) in cases {
        let said = broken(change);
        assert!(said.contains(message), "{said}");
    }
    let ball = Ball::unbounded(Norm::Linf, (-1.0, 1.0)).unwrap();
    let criterion = Criterion::Misclassify { labels: vec![0; 3] };
    let attack = DiffAttack::new(&sound);
    let range = attack.run(&classifier, &images(), &criterion, &ball, &Seed::new(0, 0)).unwrap_err().to_string();
    assert!(range.contains("upper bound"), "{range}");
    let size = attack.reconstructed(&images().reshape([3, 3, 4, 1]).unwrap(), &[0; 3]).unwrap_err().to_string();
    assert!(size.contains("[3, 2, 2]"), "{size}");
    let class = attack.reconstructed(&images(), &[0, 1, 5]).unwrap_err().to_string();
    assert!(class.contains("class 5"), "{class}");
}
