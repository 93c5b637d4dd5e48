//! Published networks: the checker reads them all, agrees with exact values, and is fast enough for large proofs.

mod check_proving;

use check_proving::{at_most, case, direct, plain, property, rational};
use num_rational::BigRational;
use num_traits::ToPrimitive;
use perturb_certify::proof::{Node, Proof, Tree};
use perturb_certify::{CheckError, Confirmation, check, confirm, evaluate};
use perturb_engine::{Executable, Options};
use perturb_graph::{Graph, Tensor};
use perturb_onnx::vnnlib::Property;
use perturb_onnx::{ImportOptions, OnnxModel, import};
use std::path::PathBuf;
use std::time::Instant;

fn folder() -> Option<PathBuf> {
    let data = std::env::var_os("PERTURB_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let folder = data.join("vnncomp2021");
    if !folder.is_dir() {
        eprintln!("skipped: no vnncomp2021 in {}; set PERTURB_DATA", data.display());
    }
    folder.is_dir().then_some(folder)
}

fn network(folder: &std::path::Path, path: &str) -> Graph {
    import(&OnnxModel::read(folder.join(path)).unwrap(), &ImportOptions::default()).unwrap()
}

const NETWORKS: [&str; 9] = [
    "acasxu/ACASXU_run2a_1_1_batch_2000.onnx",
    "mnistfc/mnist-net_256x4.onnx",
    "cifar10_resnet/onnx/resnet_2b.onnx",
    "cifar10_resnet/onnx/resnet_4b.onnx",
    "marabou-cifar10/nets/cifar10_large.onnx",
    "oval21/nets/cifar_wide_kw.onnx",
    "verivital/Convnet_avgpool.onnx",
    "verivital/Convnet_maxpool.onnx",
    "eran/nets/ffnnSIGMOID__Point_6x200.onnx",
];

// Around an input, the proved lower bound is below the exact value and, for a tiny ball, close to it.
#[test]
fn bounds_enclose_exact_values() {
    let Some(folder) = folder() else { return };
    for path in NETWORKS {
        let network = network(&folder, path);
        let shape = network.inputs[0].shape().clone();
        let point: Vec<f32> = (0..shape.count()).map(|i| ((i * 37) % 101) as f32 / 101.0 - 0.3).collect();
        let outputs = network.outputs[0].1.shape().count();
        let run = Executable::of(&network, &Options::default()).unwrap();
        let fast = run.run(&[&Tensor::new(&shape, point.clone()).unwrap()]).unwrap()[0].to_f64_vec()[0];
        let began = Instant::now();
        let exact: Vec<BigRational> = point.iter().map(|&v| rational(f64::from(v))).collect();
        let value = match evaluate(&network, &exact) {
            Ok(values) => values[0].to_f64().unwrap(),
            Err(error) => {
                assert!(path.contains("SIGMOID"), "{path}: {error}");
                fast
            }
        };
        let (evaluated, began) = (began.elapsed(), Instant::now());
        assert!((value - fast).abs() <= 1e-4 * (1.0 + fast.abs()), "{path}: {value}, but {fast} in f32");
        let bounds: Vec<(f64, f64)> = point.iter().map(|&v| (f64::from(v) - 1e-6, f64::from(v) + 1e-6)).collect();
        let first: Vec<f64> = (0..outputs).map(|i| f64::from(u8::from(i == 0))).collect();
        let about = |constant: f64| property(&bounds, outputs, vec![vec![at_most(&first, constant)]]);
        let found = match check(&network, &about(0.0), &direct(&network)) {
            Ok(summary) => summary.margin,
            Err(CheckError::NotRefuted { bound, .. }) => bound,
            Err(error) => panic!("{path}: {error}"),
        };
        println!("{path}: evaluated in {evaluated:?}, bounded in {:?}", began.elapsed());
        assert!(found <= value + 1e-4 * f64::from(u8::from(path.contains("SIGMOID"))), "{path}: {found} > {value}");
        assert!(found >= value - 0.02 * (1.0 + value.abs()), "{path}: {found} is far below {value}");
    }
}

// Properties of the competition that hold on the whole box by plain CROWN bounds, or by few splits; the answers are those
// of all tools that took part.
#[test]
fn competition_properties() {
    let Some(folder) = folder() else { return };
    let network = network(&folder, "acasxu/ACASXU_run2a_3_3_batch_2000.onnx");
    let unsat = Property::read(folder.join("acasxu/prop_1.vnnlib")).unwrap();
    let proof = check_proving::prove(&network, &unsat, 3000).unwrap();
    let summary = check(&network, &unsat, &proof).unwrap();
    println!("{summary:?}");
    assert!(summary.margin > 0.0 && summary.leaves > 1);
    // Without one of its leaves it proves nothing.
    let mut broken = proof.clone();
    broken.cases[0].trees[0].nodes.retain({
        let mut first = true;
        move |node| !(matches!(node, Node::Refuted { .. }) && std::mem::take(&mut first))
    });
    assert!(check(&network, &unsat, &broken).is_err());
    // Property 2 is violated on this network: nothing is proved, and a counterexample is confirmed once it is found.
    let sat = Property::read(folder.join("acasxu/prop_2.vnnlib")).unwrap();
    assert!(check_proving::prove(&network, &sat, 60).is_none());
    let middle: Vec<f32> =
        sat.cases[0].bounds.iter().map(|(lo, hi)| (lo + hi).to_f64().unwrap() as f32 / 2.0).collect();
    let exact: Vec<BigRational> = middle.iter().map(|&v| rational(f64::from(v))).collect();
    let expected = sat.is_counterexample(&exact, &evaluate(&network, &exact).unwrap());
    let found = confirm(&network, &sat, &middle).unwrap();
    assert_eq!(matches!(found, Confirmation::Counterexample { .. }), expected, "{found:?}");
}

// 16,384 leaves, each with its own bounds of all 300 neurons.
#[test]
#[ignore = "measures time"]
fn time_of_a_large_proof() {
    let Some(folder) = folder() else { return };
    let network = network(&folder, "acasxu/ACASXU_run2a_1_1_batch_2000.onnx");
    let mut property = Property::read(folder.join("acasxu/prop_1.vnnlib")).unwrap();
    property.cases[0].any_of = vec![vec![at_most(&[1.0], 1e6)]];
    let mut nodes = Vec::new();
    let ends: Vec<(f64, f64)> =
        property.cases[0].bounds.iter().map(|(lo, hi)| (lo.to_f64().unwrap(), hi.to_f64().unwrap())).collect();
    let mut pending = vec![(0usize, ends)];
    while let Some((depth, ends)) = pending.pop() {
        if depth == 14 {
            nodes.extend([Node::Refuted { conjunction: 0, evidence: plain(&[1.0]) }, Node::Done]);
            continue;
        }
        let index = depth % 5;
        let at = 0.5 * (ends[index].0 + ends[index].1);
        nodes.push(Node::Input { index: index as u32, at });
        let (mut below, mut above) = (ends.clone(), ends);
        (below[index].1, above[index].0) = (at, at);
        pending.extend([(depth + 1, above), (depth + 1, below)]);
    }
    let proof = Proof { cases: vec![case(&network, vec![Tree { covers: vec![0], nodes }])] };
    let began = Instant::now();
    let summary = check(&network, &property, &proof).unwrap();
    println!("{summary:?} in {:?}", began.elapsed());
    assert_eq!(summary.leaves, 1 << 14);
}

// Bounds over the boxes of the competition, of every neuron whose sign they leave open, and one refutation.
#[test]
#[ignore = "measures time"]
fn time_of_bounds() {
    let Some(folder) = folder() else { return };
    let resnet = |n: usize, property: &str| {
        let path =
            format!("cifar10_resnet/vnnlib_properties_pgd_filtered/resnet{n}b_pgd_filtered/{property}.vnnlib.gz");
        (format!("cifar10_resnet/onnx/resnet_{n}b.onnx"), path)
    };
    let mnist = ("mnistfc/mnist-net_256x6.onnx".to_string(), "mnistfc/prop_0_0.03.vnnlib.gz".to_string());
    for (net, property) in [resnet(2, "prop_4_eps_0.008"), resnet(4, "prop_4_eps_0.004"), mnist] {
        let network = network(&folder, &net);
        let mut property = Property::read(folder.join(property)).unwrap();
        property.cases[0].any_of.truncate(1);
        let constraints = property.cases[0].any_of[0].len();
        let evidence = plain(&vec![1.0; constraints]);
        let proof = check_proving::single(&network, vec![Node::Refuted { conjunction: 0, evidence }, Node::Done]);
        let began = Instant::now();
        let found = check(&network, &property, &proof);
        println!("{net}: {:?}, {found:?}", began.elapsed());
    }
}
