//! Every graph of the table of samples that the rules of the primitives are tested with, and its gradient, in both
//! precisions.

#[allow(dead_code)] // shared with the tests of the graph
#[path = "../../graph/tests/oracles/numbers.rs"]
mod numbers;
#[allow(dead_code, unused_imports)]
#[path = "../../graph/tests/oracles/samples/mod.rs"]
mod samples;

use perturb_engine::{EngineError, Executable, Options};
use perturb_graph::{DType, Expr, Tensor, eval, grad};

#[test]
fn values_and_gradients_of_all_samples() {
    let mut failures = Vec::new();
    for dtype in [DType::F32, DType::F64] {
        let all = samples::all(dtype);
        assert!(all.len() > 100, "{} samples", all.len());
        for (seed, sample) in all.into_iter().enumerate() {
            let mut point = sample.point(&mut numbers::seeded(seed as u64));
            let floats: Vec<Expr> = sample.inputs.iter().filter(|i| i.dtype().is_float()).cloned().collect();
            let mut outputs = vec![sample.output.clone()];
            if sample.output.dtype().is_float() {
                outputs.extend(grad(&sample.output.square().sum(), &floats).unwrap());
            }
            let exe = Executable::compile(&outputs, &sample.inputs, &Options::default()).unwrap();
            // The definition clamps indices, the engine refuses those outside.
            for _ in 0..20 {
                let run = exe.run(&point.iter().collect::<Vec<_>>());
                let Err(EngineError::Index { index, size, .. }) = run else { break };
                assert!(index < 0 || index >= size as i64, "{}: {index} is inside of {size}", sample.name);
                point.iter_mut().for_each(|feed| clamp(feed, index, size));
            }
            let expected = eval(&outputs, &sample.feeds(&point)).unwrap();
            let got = exe.run(&point.iter().collect::<Vec<_>>()).unwrap();
            for (k, (g, e)) in got.iter().zip(&expected).enumerate() {
                failures.extend(differ(g, e).map(|d| format!("{} in {dtype}, output {k}: {d}", sample.name)));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

// Brings an index that was refused inside.
fn clamp(feed: &mut Tensor, refused: i64, size: usize) {
    if feed.dtype() == DType::I64 {
        let wrong = feed.as_mut_slice::<i64>().iter_mut().filter(|i| **i == refused);
        wrong.for_each(|i| *i = refused.clamp(0, size as i64 - 1));
    }
}

// The first element that is off by more than the rounding of a few operations on numbers like the largest.
fn differ(got: &Tensor, expected: &Tensor) -> Option<String> {
    if (got.shape(), got.dtype()) != (expected.shape(), expected.dtype()) {
        return Some(format!("{}{} instead of {}{}", got.dtype(), got.shape(), expected.dtype(), expected.shape()));
    }
    let (g, e) = (got.to_f64_vec(), expected.to_f64_vec());
    let scale = e.iter().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
    let tolerance = match got.dtype() {
        DType::F32 => 2e-4,
        DType::F64 => 1e-11,
        _ => 0.0,
    } * scale;
    let same = |a: f64, b: f64| a == b || (a - b).abs() <= tolerance || (a.is_nan() && b.is_nan());
    let at = (0..g.len()).find(|&i| !same(g[i], e[i]))?;
    Some(format!("element {at}: {} instead of {}", g[at], e[at]))
}
