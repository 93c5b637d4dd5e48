//! Times of compiling: a convolutional training step, and chains and layers of many nodes.
//!
//! `cargo run --release -p perturb-engine --example compile_time`

use perturb_engine::{Executable, Options};
use perturb_graph::{Conv, DType, Expr, Pool, Tensor, grad};
use std::time::Instant;

fn param(name: &str, shape: &[usize]) -> Expr {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|i| ((i * 7919) % 101) as f32 / 505.0 - 0.1).collect();
    Expr::param(name.to_string(), Tensor::new(shape, values).expect("the count fits"))
}

/// A network of three convolutions and two dense layers, its loss, gradients, and momentum.
fn training_step() -> (Vec<Expr>, Vec<Expr>, Vec<(Expr, Expr)>) {
    let (x, y) = (Expr::input("x", [1, 1, 28, 28], DType::F32), Expr::input("y", [1, 10], DType::F32));
    let mut params: Vec<Expr> = Vec::new();
    let mut new = |name: &str, shape: &[usize]| {
        params.push(param(name, shape));
        params[params.len() - 1].clone()
    };
    let mut h = x.clone();
    for (i, (channels, from)) in [(32, 1), (64, 32), (64, 64)].into_iter().enumerate() {
        let (w, b) = (new(&format!("w{i}"), &[channels, from, 3, 3]), new(&format!("b{i}"), &[channels, 1, 1]));
        h = h.conv(&w, Conv::same()).add(&b).relu();
        if i < 2 {
            h = h.max_pool(Pool::square(2, 2));
        }
    }
    let h = h.reshape([1, 64 * 49]).matmul(&new("w4", &[64 * 49, 128])).add(&new("b4", &[128])).relu();
    let logits = h.matmul(&new("w5", &[128, 10])).add(&new("b5", &[10]));
    let loss = logits.log_softmax(1).mul(&y).sum().neg();
    let (big_x, big_y) =
        (Expr::input("x", [128, 1, 1, 28, 28], DType::F32), Expr::input("y", [128, 1, 10], DType::F32));
    let pairs = [(x, big_x.clone()), (y, big_y.clone())];
    let loss = perturb_graph::vmap(&[loss], &pairs, 128).expect("a batched loss")[0].sum();
    let gradients = grad(&loss, &params).expect("gradients");
    let mut state = Vec::new();
    for (p, g) in params.iter().zip(gradients) {
        let m = Expr::input("m", p.shape(), DType::F32);
        let next = m.scale(0.9).add(&g);
        state.push((p.clone(), p.sub(&next.scale(0.01))));
        state.push((m, next));
    }
    (vec![loss], vec![big_x, big_y], state)
}

fn time(name: &str, outputs: &[Expr], inputs: &[Expr], state: &[(Expr, Expr)]) {
    let nodes = perturb_graph::topological(&[outputs, &state.iter().map(|s| s.1.clone()).collect::<Vec<_>>()].concat());
    let mut best = f64::INFINITY;
    let mut statistics = None;
    for _ in 0..5 {
        let start = Instant::now();
        let exe = Executable::compile_with_state(outputs, inputs, state, &Options::default()).expect("it compiles");
        best = best.min(start.elapsed().as_secs_f64());
        statistics = Some(exe.statistics());
    }
    println!("{name}: {} nodes, {:.2} ms, {statistics:?}", nodes.len(), best * 1e3);
}

fn main() {
    let (outputs, inputs, state) = training_step();
    time("training step", &outputs, &inputs, &state);
    for n in [1_000, 10_000, 100_000] {
        let x = Expr::input("x", [64], DType::F32);
        let chain = (0..n / 2).fold(x.clone(), |v, i| v.mul(&x).offset(f64::from(i)));
        time("elementwise chain", &[chain.sum()], &[x.clone()], &[]);
        let fan: Vec<Expr> = (0..n / 3).map(|i| x.scale(f64::from(i)).sum()).collect();
        let total = fan.iter().fold(Expr::scalar(0.0, DType::F32), |a, b| a.add(b));
        time("many results of one value", &[total], &[x.clone()], &[]);
        let layers = (0..n / 10).fold(x.reshape([8, 8]), |v, _| v.matmul(&v).tanh().transpose(&[1, 0]).softmax(1));
        time("layers", &[layers], &[x], &[]);
    }
}
