//! A made-up audit of a digit classifier: every number follows from one distance to the decision boundary per example,
//! so that the curves are consistent with each other.

use perturb_report::audit::*;
use perturb_report::picture::{Picture, base64};
use statrs::distribution::{Beta, ContinuousCDF};

const SIDE: usize = 28;
const EXAMPLES: usize = 1000;
const EPSILONS: [f64; 6] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3];

/// An accuracy with its Clopper–Pearson interval from the beta quantiles.
pub fn accuracy(correct: usize, total: usize) -> Accuracy {
    let quantile = |a: usize, b: usize, p: f64| Beta::new(a as f64, b as f64).unwrap().inverse_cdf(p);
    let low = if correct == 0 { 0.0 } else { quantile(correct, total - correct + 1, 0.025) };
    let high = if correct == total { 1.0 } else { quantile(correct + 1, total - correct, 0.975) };
    Accuracy::new(correct, total, [low, high])
}

/// A number in \[0, 1) that depends on `key` alone.
fn noise(key: u64) -> f64 {
    let mut x = key.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((x ^ (x >> 29)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Distance of example `i` to the decision boundary; negative if it is misclassified.
fn distance(i: usize) -> f64 {
    let key = i as u64 * 16;
    if noise(key) < 0.021 {
        return -0.1;
    }
    let normal = (1..13).map(|k| noise(key + k)).sum::<f64>() - 6.0;
    0.055 * (0.45 * normal).exp()
}

/// Points of a curve on which example `i` survives if its distance times `factor(i)` exceeds ε.
pub fn curve(examples: usize, epsilons: &[f64], factor: impl Fn(usize) -> f64) -> Vec<CurvePoint> {
    let survivors = |eps: f64| (0..examples).filter(|&i| distance(i) * factor(i) > eps).count();
    epsilons.iter().map(|&epsilon| CurvePoint { epsilon, accuracy: accuracy(survivors(epsilon), examples) }).collect()
}

/// A seven-segment digit with soft edges.
fn digit(class: usize) -> Vec<f32> {
    const SEGMENTS: [u8; 10] = [0x3f, 0x06, 0x5b, 0x4f, 0x66, 0x6d, 0x7d, 0x07, 0x7f, 0x6f];
    const ENDS: [[f32; 4]; 7] = [
        [9.5, 5.0, 19.0, 5.0],
        [19.0, 5.0, 18.0, 13.5],
        [18.0, 13.5, 17.0, 22.5],
        [8.0, 22.5, 17.0, 22.5],
        [9.0, 13.5, 8.0, 22.5],
        [9.5, 5.0, 9.0, 13.5],
        [9.0, 13.5, 18.0, 13.5],
    ];
    let shade = |x: f32, y: f32| {
        let near = ENDS.iter().enumerate().filter(|(s, _)| SEGMENTS[class] >> s & 1 == 1).map(|(_, e)| {
            let (dx, dy) = (e[2] - e[0], e[3] - e[1]);
            let t = (((x - e[0]) * dx + (y - e[1]) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            (x - e[0] - t * dx).hypot(y - e[1] - t * dy)
        });
        (2.2 - near.fold(f32::INFINITY, f32::min)).clamp(0.0, 1.0)
    };
    (0..SIDE * SIDE).map(|i| shade((i % SIDE) as f32, (i / SIDE) as f32)).collect()
}

fn picture(values: &[f32]) -> Picture<'_> {
    Picture::new(values, [1, SIDE, SIDE]).unwrap()
}

fn gallery_item(index: usize, class: usize, wrong: usize) -> GalleryItem {
    let (clean, other) = (digit(class), digit(wrong));
    let sign = |i: usize| if noise((index * 1000 + i) as u64) < 0.5 { -1.0 } else { 1.0 };
    let change: Vec<f32> = (0..clean.len())
        .map(|i| if other[i] == clean[i] { 0.6 * sign(i) } else { (other[i] - clean[i]).signum() })
        .collect();
    let adversarial: Vec<f32> = clean.iter().zip(&change).map(|(x, d)| (x + 0.05 * d).clamp(0.0, 1.0)).collect();
    let map = |k: u64, grain: f32| -> Vec<f32> {
        let rough = |i: usize| grain * (noise(k * 5000 + i as u64) as f32 - 0.5);
        (0..clean.len()).map(|i| clean[i] - 0.6 * other[i] + rough(i)).collect()
    };
    let (a, b) = (picture(&clean), picture(&adversarial));
    let named = |name: &str, png: Vec<u8>, caption: &str| NamedImage {
        name: name.into(),
        png_base64: base64(&png),
        caption: caption.into(),
    };
    let factor = a.magnification(&b);
    let (gradient, integrated, occlusion) = (map(1, 2.0), map(2, 0.3), map(3, 0.0));
    let difference = || clean.iter().zip(&adversarial).map(|(x, y)| f64::from(y - x));
    GalleryItem {
        index,
        label: class,
        clean_prediction: class,
        clean_confidence: Some(0.9971),
        adversarial_prediction: wrong,
        adversarial_confidence: Some(0.83),
        attack: "PGD".into(),
        epsilon: 0.05,
        linf: difference().fold(0.0, |m, d| d.abs().max(m)),
        l2: difference().map(|d| d * d).sum::<f64>().sqrt(),
        images: vec![
            named("clean", a.png(1).unwrap(), ""),
            named(
                "perturbation",
                a.perturbation_png(&b, factor, 1).unwrap(),
                &format!("magnified {factor}×, grey is 0"),
            ),
            named("adversarial", b.png(1).unwrap(), ""),
            named("gradient", picture(&gradient).heatmap_png(1).unwrap(), "blue against, red for the class"),
            named("integrated gradients", picture(&integrated).heatmap_png(1).unwrap(), ""),
            named("occlusion", picture(&occlusion).heatmap_overlay_png(&a, 0.9, 1).unwrap(), "over the input"),
        ],
    }
}

fn estimate(mean: f64, spread: f64) -> Option<Estimate> {
    Estimate::new(mean, mean - spread, mean + spread)
}

fn attributions() -> AttributionQuality {
    let row = |method: &str, infidelity, sensitivity, deletion, insertion| AttributionRow {
        method: method.into(),
        infidelity: estimate(infidelity, 0.08 * infidelity),
        max_sensitivity: estimate(sensitivity, 0.05 * sensitivity),
        deletion_auc: estimate(deletion, 0.014),
        insertion_auc: estimate(insertion, 0.017),
        pointing: None,
        mask_iou: None,
    };
    AttributionQuality {
        examples: 64,
        rows: vec![
            row("gradient", 0.0417, 0.913, 0.312, 0.701),
            row("input × gradient", 0.0236, 0.884, 0.243, 0.768),
            row("integrated gradients", 0.0121, 0.417, 0.198, 0.842),
            row("SmoothGrad", 0.0312, 0.186, 0.267, 0.779),
            row("occlusion", 0.0187, 0.232, 0.176, 0.851),
        ],
    }
}

fn weakest() -> Vec<WeakInput> {
    let mut order: Vec<usize> = (0..EXAMPLES).filter(|&i| distance(i) > 0.0).collect();
    order.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    let input = |(rank, &index): (usize, &usize)| WeakInput {
        index,
        label: index % 10,
        prediction: if rank == 0 { (index + 3) % 10 } else { index % 10 },
        margin: Some(if rank == 0 { -0.41 } else { 20.0 * distance(index) }),
        smallest_epsilon: Some(if rank == 0 { 0.0 } else { 0.02 }),
        broken_by: (rank > 0).then(|| if rank % 3 == 0 { "Square" } else { "PGD" }.into()),
        png_base64: Some(base64(&picture(&digit(index % 10)).png(1).unwrap())),
    };
    order.iter().take(10).enumerate().map(input).collect()
}

fn stage(name: &str, seconds: f64) -> StageTime {
    StageTime { name: name.into(), seconds }
}

fn method(name: &str, hyperparameters: &str) -> MethodSetting {
    MethodSetting { name: name.into(), hyperparameters: hyperparameters.into() }
}

fn model() -> ModelInfo {
    let operators = [("MatMul", 5), ("Add", 5), ("Relu", 4), ("Flatten", 1)];
    ModelInfo {
        name: "mnist-net_256x4".into(),
        path: "models/mnist-net_256x4.onnx".into(),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        parameters: 400_906,
        operators: operators.map(|(op, count)| OperatorCount { op: op.into(), count }).to_vec(),
        input_name: "image".into(),
        input_shape: vec![1, 784, 1],
        output_name: "logits".into(),
        classes: 10,
        dtype: "f32".into(),
    }
}

fn data() -> DataInfo {
    DataInfo {
        source: "mnist/t10k-images-idx3-ubyte.gz".into(),
        format: "idx, gzip".into(),
        examples: EXAMPLES,
        classes: 10,
        label_names: (0..10).map(|c| c.to_string()).collect(),
        pixel_range: Some([0.0, 1.0]),
        normalization: Normalization {
            mean: vec![],
            std: vec![],
            how_chosen: "detected: the best clean accuracy on 256 examples".into(),
            candidates: vec![
                Candidate { name: "none".into(), accuracy: 0.979 },
                Candidate { name: "MNIST mean 0.1307, std 0.3081".into(), accuracy: 0.914 },
                Candidate { name: "−1 to 1".into(), accuracy: 0.707 },
            ],
        },
    }
}

fn settings() -> Settings {
    Settings {
        norm: Norm::Linf,
        epsilons: EPSILONS.to_vec(),
        seed: 0,
        limit: Some(EXAMPLES),
        attacks: vec![
            method("FGSM", "1 step"),
            method("PGD", "steps 40, step size 0.01/0.3 · ε, restarts 3, random start"),
            method("DeepFool", "steps 50, overshoot 0.02"),
            method("Square", "queries 1000, p 0.05"),
        ],
        certificates: vec![
            method("IBP", ""),
            method("CROWN", "intermediate bounds by IBP"),
            method("smoothing", "σ 0.25, 100 + 1000 samples, α 0.001"),
        ],
        attributions: vec![
            method("integrated gradients", "50 steps, Gauss–Legendre, baseline 0"),
            method("SmoothGrad", "25 samples, σ 0.15"),
            method("occlusion", "window 4, stride 2, baseline 0"),
        ],
        rounding: Rounding::Outward,
    }
}

fn attack_curves() -> Vec<AttackCurve> {
    let attack = |name: &str, kind, factor: &dyn Fn(usize) -> f64| AttackCurve {
        name: name.into(),
        kind,
        points: curve(EXAMPLES, &EPSILONS, factor),
    };
    vec![
        attack("FGSM", AttackKind::WhiteBox, &|i| 1.25 + 0.5 * noise(i as u64 + 70_000)),
        attack("PGD", AttackKind::WhiteBox, &|i| 1.0 + 0.01 * noise(i as u64 + 80_000)),
        attack("DeepFool", AttackKind::WhiteBox, &|i| 1.03 + 0.12 * noise(i as u64 + 85_000)),
        attack("Square", AttackKind::BlackBox, &|i| 1.1 + 0.4 * noise(i as u64 + 90_000)),
    ]
}

fn certificate_curves() -> Vec<CertificateCurve> {
    let certificate = |name: &str, factor: f64, spread: f64| CertificateCurve {
        name: name.into(),
        guarantee: Guarantee::Deterministic,
        classifier: CertifiedClassifier::Model,
        norm: Norm::Linf,
        examples: EXAMPLES,
        points: curve(EXAMPLES, &EPSILONS, |i| factor + spread * noise(i as u64 + 50_000)),
        notes: String::new(),
    };
    vec![
        certificate("IBP", 0.05, 0.03),
        certificate("CROWN", 0.28, 0.3),
        CertificateCurve {
            name: "smoothing".into(),
            guarantee: Guarantee::Probabilistic { confidence: 0.999 },
            classifier: CertifiedClassifier::Smoothed { sigma: 0.25 },
            norm: Norm::L2,
            examples: 100,
            points: curve(100, &[0.0, 0.1, 0.25, 0.5], |i| 6.0 + noise(i as u64 + 60_000)),
            notes: String::new(),
        },
    ]
}

/// The whole report.
pub fn mnist_like() -> AuditReport {
    let distances: Vec<Option<f64>> =
        (0..EXAMPLES).map(distance).filter(|d| *d > 0.0).map(|d| (d < 0.16).then_some(d * 1.02)).collect();
    let mut report = AuditReport {
        schema_version: SCHEMA_VERSION,
        perturb_version: "0.1.0".into(),
        model: model(),
        data: data(),
        settings: settings(),
        clean: curve(EXAMPLES, &[0.0], |_| 1.0)[0].accuracy,
        attacks: attack_curves(),
        worst_case: curve(EXAMPLES, &EPSILONS, |_| 1.0),
        certificates: certificate_curves(),
        minimal_perturbation: Some(MinimalPerturbation::from_distances("DeepFool", Norm::Linf, &distances)),
        gallery: vec![gallery_item(17, 7, 1), gallery_item(42, 9, 8), gallery_item(311, 3, 8)],
        attributions: attributions(),
        weakest: weakest(),
        findings: vec![],
        checks: vec![],
        timings: Timings {
            finished: Some("2030-01-31T12:00:00Z".into()),
            total_seconds: 74.3,
            stages: vec![stage("clean accuracy", 0.21), stage("attacks", 41.8), stage("certificates", 22.6)],
            attributions: vec![stage("gradient", 0.013), stage("integrated gradients", 0.21), stage("occlusion", 0.62)],
        },
    };
    summarise(&mut report);
    report
}

/// Derives checks and findings anew.
pub fn summarise(report: &mut AuditReport) {
    report.checks = perturb_report::checks(report, Some((3, report.clean.total)));
    report.findings = perturb_report::findings(report);
}
