//! Seeded random tensors, evaluation to plain numbers, and comparison.

use perturb_graph::{Cast, DType, Expr, Op, Shape, Tensor, dependents, eval, topological, unroll};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, HashMap};

pub fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Uniform values in `[lo, hi]`.
pub fn uniform(rng: &mut ChaCha8Rng, shape: impl Into<Shape>, dtype: DType, (lo, hi): (f64, f64)) -> Tensor {
    let shape = shape.into();
    let values = (0..shape.count()).map(|_| rng.random_range(lo..=hi)).collect();
    Tensor::from_f64(shape, dtype, values).unwrap()
}

/// Random values in `[lo, hi]` that stay 1/128 away from every multiple of 1/32, so that no finite difference steps
/// over a kink at 0, at an integer or half-way between integers.
pub fn off_grid(rng: &mut ChaCha8Rng, shape: impl Into<Shape>, dtype: DType, (lo, hi): (f64, f64)) -> Tensor {
    let shape = shape.into();
    let mut value = || {
        let cell = rng.random_range((lo * 32.0).ceil() as i64..(hi * 32.0).floor() as i64) as f64;
        (cell + 0.25 + 0.5 * rng.random::<f64>()) / 32.0
    };
    let values = (0..shape.count()).map(|_| value()).collect();
    Tensor::from_f64(shape, dtype, values).unwrap()
}

/// Values of expressions as plain numbers.
pub fn run(outputs: &[Expr], feeds: &[(Expr, Tensor)]) -> Vec<Vec<f64>> {
    eval(outputs, feeds).unwrap().iter().map(Tensor::to_f64_vec).collect()
}

pub fn inner(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

pub fn inner_all(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    a.iter().zip(b).map(|(x, y)| inner(x, y)).sum()
}

/// The first place where two lists of numbers differ by more than `tolerance` relative to `1 + |want|`.
pub fn difference(got: &[f64], want: &[f64], tolerance: f64) -> Option<String> {
    if got.len() != want.len() {
        return Some(format!("{} numbers instead of {}", got.len(), want.len()));
    }
    let close = |g: f64, w: f64| g == w || (g - w).abs() <= tolerance * (1.0 + w.abs());
    let at = (0..got.len()).find(|&i| !close(got[i], want[i]))?;
    Some(format!("element {at}: {} instead of {}", got[at], want[at]))
}

#[track_caller]
pub fn assert_close(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    if let Some(difference) = difference(got, want, tolerance) {
        panic!("{what}: {difference}");
    }
}

/// The non-empty subsets of `0..n`, as masks.
pub fn subsets(n: usize) -> Vec<Vec<bool>> {
    (1..1usize << n).map(|bits| (0..n).map(|i| bits >> i & 1 == 1).collect()).collect()
}

/// The same computation in `f64`, with the very same constants: the real value of an `f32` graph, as good as `f64` has
/// it. The inputs that vary are replaced one for one; what does not depend on them is taken as `f32` computes it. Loops
/// are written out, because their bodies have a type of their own.
pub fn in_f64(outputs: &[Expr], varying: &[Expr], fixed: &[(Expr, Tensor)]) -> (Vec<Expr>, Vec<Expr>) {
    let outputs = &unroll(outputs, varying).unwrap();
    let twins: Vec<Expr> = varying.iter().map(|x| Expr::input(x.name().unwrap(), x.shape(), wide(x.dtype()))).collect();
    let mut map: HashMap<u64, Expr> = varying.iter().map(Expr::id).zip(twins.iter().cloned()).collect();
    let depends = dependents(outputs, varying);
    for node in topological(outputs) {
        if map.contains_key(&node.id()) {
            continue;
        }
        let twin = if depends.contains(&node.id()) {
            let operands: Vec<Expr> = node.inputs().iter().map(|i| map[&i.id()].clone()).collect();
            let op = match node.op() {
                Op::Cast(cast) => Cast { to: wide(cast.to) }.into(),
                op => op.clone(),
            };
            Expr::apply(op, &operands).unwrap()
        } else {
            Expr::constant(in_wide(&eval(&[node.clone()], fixed).unwrap()[0]))
        };
        map.insert(node.id(), twin);
    }
    (outputs.iter().map(|o| map[&o.id()].clone()).collect(), twins)
}

fn wide(dtype: DType) -> DType {
    if dtype.is_float() { DType::F64 } else { dtype }
}

/// Floating-point numbers as `f64`; integers as they are.
pub fn in_wide(value: &Tensor) -> Tensor {
    value.to_dtype(wide(value.dtype()))
}

/// Collects complaints, the first one of each kind, so that one run of a test names every sample that fails.
#[derive(Default)]
pub struct Complaints(BTreeMap<String, String>);

impl Complaints {
    pub fn add(&mut self, what: impl std::fmt::Display, complaint: Option<String>) {
        if let Some(complaint) = complaint {
            self.0.entry(what.to_string()).or_insert(complaint);
        }
    }
}

impl Drop for Complaints {
    fn drop(&mut self) {
        if !self.0.is_empty() && !std::thread::panicking() {
            let lines: Vec<String> = self.0.iter().map(|(what, complaint)| format!("{what}: {complaint}")).collect();
            panic!("{}", lines.join("\n"));
        }
    }
}
