//! Plans on Burn's devices against the definitions of the primitives: on the portable CPU device always, and on every
//! GPU that the build supports and the machine has.
#![cfg(feature = "burn")]

#[allow(dead_code, unused_imports, reason = "shared with the graph's own tests")]
#[path = "../../graph/tests/oracles/numbers.rs"]
mod numbers;
#[allow(dead_code, unused_imports, reason = "shared with the graph's own tests")]
#[path = "../../graph/tests/oracles/samples/mod.rs"]
mod samples;

use numbers::{Complaints, seeded, uniform};
use perturb_engine::burn::{BurnExecutable, Device, Fallback};
use perturb_engine::{EngineError, Executable, Options};
use perturb_graph::{
    ArgMax, ArgSort, Conv, CumSum, DType, Data, Domain, Expr, Gather, Graph, Intermediate, Interval,
    LinearBoundsOptions, MaxPool, Norm, Pool, PoolRole, Rounding, ScatterAdd, Shape, Sort, Tensor, eval, grad,
    interval, jvp, linear_bounds, topological, vmap,
};
use rand_chacha::ChaCha8Rng;

const BOTH: [DType; 2] = [DType::F32, DType::F64];

/// The devices that compute in this type.
fn devices(dtype: DType) -> Vec<Device> {
    let x = Expr::input("x", [1], dtype);
    let computes = |device: &Device| BurnExecutable::compile(&[x.exp()], &[x.clone()], device).is_ok();
    Device::available().into_iter().filter(computes).collect()
}

// The first element that differs by more than rounding, measured against the largest of the tensor.
fn difference(got: &Tensor, want: &Tensor) -> Option<String> {
    if got.shape() != want.shape() || got.dtype() != want.dtype() {
        return Some(format!("{}{} instead of {}{}", got.dtype(), got.shape(), want.dtype(), want.shape()));
    }
    if let Data::I64(_) | Data::Bool(_) = want.data() {
        return (got != want).then(|| format!("{got:?} instead of {want:?}"));
    }
    let relative = if want.dtype() == DType::F32 { 1e-5 } else { 1e-12 };
    let (got, want) = (got.to_f64_vec(), want.to_f64_vec());
    let scale = want.iter().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
    let same = |g: f64, w: f64| g == w || (g.is_nan() && w.is_nan()) || (g - w).abs() <= relative * scale;
    let at = (0..want.len()).find(|&i| !same(got[i], want[i]))?;
    Some(format!("element {at}: {} instead of {}", got[at], want[at]))
}

/// Compiles and runs on every device, compares with the definition, and returns the fallbacks of the CPU device.
fn check(
    complaints: &mut Complaints,
    name: &str,
    outputs: &[Expr],
    inputs: &[Expr],
    feeds: &[Tensor],
) -> Vec<Fallback> {
    let pairs: Vec<(Expr, Tensor)> = inputs.iter().cloned().zip(feeds.iter().cloned()).collect();
    let want = eval(outputs, &pairs).unwrap();
    let feeds: Vec<&Tensor> = feeds.iter().collect();
    // An index outside of its axis has a definition, but is an error of every executor.
    let cpu = Executable::compile(outputs, inputs, &Options::default()).unwrap().run(&feeds);
    let wide = topological(outputs).iter().any(|node| node.dtype() == DType::F64);
    let dtype = if wide { DType::F64 } else { DType::F32 };
    let mut fallbacks = Vec::new();
    for device in devices(dtype) {
        let executable = BurnExecutable::compile(outputs, inputs, &device).unwrap();
        // Twice: nothing that stays on the device may have been written over.
        for round in 0..2 {
            let got = match (executable.run(&feeds), &cpu) {
                (Ok(got), _) => got,
                (Err(error), Err(same)) if error == *same => continue,
                (Err(error), _) => panic!("{name}, {device}: {error}"),
            };
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                let what = format!("{name}, {device}, output {i}, round {round}");
                complaints.add(what, difference(got, want));
            }
        }
        if device == Device::Cpu {
            fallbacks = executable.fallbacks().to_vec();
        }
    }
    fallbacks
}

fn random(rng: &mut ChaCha8Rng, inputs: &[Expr]) -> Vec<Tensor> {
    inputs.iter().map(|x| uniform(rng, x.shape(), x.dtype(), (-2.0, 2.0))).collect()
}

fn input(name: &str, shape: impl Into<Shape>, dtype: DType) -> Expr {
    Expr::input(name, shape, dtype)
}

/// What Burn does not have, by the module's documentation; and results that are not floating-point.
const ON_THE_HOST: [&str; 13] = [
    "argmax",
    "argsort",
    "cast",
    "cholesky",
    "eigh",
    "fft",
    "qr",
    "rem",
    "scan",
    "solve",
    "sort",
    "svd",
    "triangular_solve",
];

#[test]
fn every_sample_of_every_primitive() {
    let mut complaints = Complaints::default();
    for dtype in BOTH {
        let mut rng = seeded(3);
        for sample in samples::all(dtype) {
            let feeds = sample.point(&mut rng);
            let mut outputs = vec![sample.output.clone()];
            if sample.output.dtype().is_float() {
                let floats: Vec<Expr> = sample.inputs.iter().filter(|i| i.dtype().is_float()).cloned().collect();
                outputs.extend(grad(&sample.output.square().sum(), &floats).unwrap());
            }
            let fallbacks = check(&mut complaints, &sample.name, &outputs, &sample.inputs, &feeds);
            let expected = |f: &&Fallback| ON_THE_HOST.contains(&f.op) || f.reason.contains("without elements");
            let unexpected = fallbacks.iter().find(|f| !expected(f));
            complaints.add(&sample.name, unexpected.map(|f| format!("{} falls back: {}", f.op, f.reason)));
        }
    }
}

#[test]
fn elementwise_functions_far_from_zero_and_near_it() {
    let mut complaints = Complaints::default();
    for dtype in BOTH {
        let x = input("x", [8], dtype);
        let values = vec![-80.0, -20.0, -0.6, -1e-3, 1e-3, 0.4, 6.0, 20.0];
        let feed = Tensor::from_f64([8], dtype, values).unwrap();
        // Quotients, so that small results count as much as large ones.
        let outputs = [
            x.sigmoid().log(),
            x.expm1().div(&x),
            x.tanh(),
            x.exp().log(),
            x.abs().log1p().div(&x),
            x.scale(0.01).log1p().div(&x),
        ];
        check(&mut complaints, &format!("{dtype}"), &outputs, &[x], &[feed]);
    }
}

/// The peers' MLP and CNN, small: see `shared/bench/peers.py`.
fn mlp(dtype: DType, rng: &mut ChaCha8Rng) -> Graph {
    let x = input("x", [1, 12], dtype);
    let mut weight = |name: &str, shape: &[usize]| Expr::param(name, uniform(rng, shape, dtype, (-0.4, 0.4)));
    let h = x.matmul(&weight("w1", &[12, 16])).add(&weight("b1", &[16])).relu();
    let h = h.matmul(&weight("w2", &[16, 16])).add(&weight("b2", &[16])).relu();
    let y = h.matmul(&weight("w3", &[16, 5])).add(&weight("b3", &[5]));
    Graph::new(vec![x], vec![("logits".into(), y)]).unwrap()
}

fn cnn(dtype: DType, rng: &mut ChaCha8Rng) -> Graph {
    let x = input("image", [1, 2, 8, 8], dtype);
    let mut weight = |name: &str, shape: &[usize]| Expr::param(name, uniform(rng, shape, dtype, (-0.4, 0.4)));
    let h = x.conv(&weight("w1", &[4, 2, 3, 3]), Conv::same()).add(&weight("b1", &[4, 1, 1])).relu();
    let h = h.max_pool(Pool::square(2, 2));
    let h = h.conv(&weight("w2", &[6, 4, 3, 3]), Conv::same().stride(2)).relu().reshape([1, 24]);
    let y = h.matmul(&weight("w3", &[24, 5])).add(&weight("b3", &[5]));
    Graph::new(vec![x], vec![("logits".into(), y)]).unwrap()
}

#[test]
fn networks_their_gradients_and_a_step_of_adam() {
    let mut complaints = Complaints::default();
    for dtype in BOTH {
        let mut rng = seeded(11);
        for (name, graph) in [("mlp", mlp(dtype, &mut rng)), ("cnn", cnn(dtype, &mut rng))] {
            let graph = graph.vmap(4).unwrap();
            let (x, logits) = (graph.inputs[0].clone(), graph.outputs[0].1.reshape([4, 5]));
            let targets = input("targets", [4, 5], dtype);
            let loss = logits.cross_entropy(&targets.softmax(1)).sum();
            let params = graph.params();
            let mut outputs = vec![logits.clone(), loss.clone()];
            let gradients = grad(&loss, &[vec![x.clone()], params.clone()].concat()).unwrap();
            outputs.push(gradients[0].clone());
            outputs.extend(gradients[1..].iter().zip(&params).map(|(g, p)| adam_step(p, g)));
            let inputs = [x, targets];
            let feeds = random(&mut rng, &inputs);
            let fallbacks = check(&mut complaints, &format!("{name} {dtype}"), &outputs, &inputs, &feeds);
            assert!(fallbacks.is_empty(), "{name}: {fallbacks:?}");
        }
    }
}

// The first step of Adam (Kingma and Ba 2015, alg. 1), from moments of zero.
fn adam_step(parameter: &Expr, gradient: &Expr) -> Expr {
    let (mean, square) = (gradient.scale(0.1), gradient.square().scale(0.001));
    let (mean, square) = (mean.scale(1.0 / 0.1), square.scale(1.0 / 0.001));
    parameter.sub(&mean.div(&square.sqrt().offset(1e-3)).scale(0.01))
}

#[test]
fn interval_and_linear_bounds_of_networks() {
    let mut complaints = Complaints::default();
    for dtype in BOTH {
        let mut rng = seeded(12);
        for (name, graph) in [("mlp", mlp(dtype, &mut rng)), ("cnn", cnn(dtype, &mut rng))] {
            let (x, y) = (graph.inputs[0].clone(), graph.outputs[0].1.clone());
            let center = input("center", x.shape(), dtype);
            let radius = center.like(0.05);
            let ends = Interval { lo: center.sub(&radius), hi: center.add(&radius) };
            let boxed = interval(&[y.clone()], &[(x.clone(), ends)], Rounding::Nearest).remove(0);
            let ball = Domain::Ball {
                center: center.clone(),
                radius: Expr::full([], 0.05, dtype),
                norm: Norm::L2,
                within: None,
            };
            let options = LinearBoundsOptions { rounding: Rounding::Nearest, intermediate: Intermediate::Backward };
            let crown = linear_bounds(&[y], &[(x, ball)], options).unwrap().remove(0);
            let inputs = [center];
            let feeds = random(&mut rng, &inputs);
            let outputs = [boxed.lo, boxed.hi, crown.lo, crown.hi];
            let fallbacks = check(&mut complaints, &format!("{name} {dtype}"), &outputs, &inputs, &feeds);
            assert!(fallbacks.is_empty(), "{name}: {fallbacks:?}");
        }
    }
}

#[test]
fn attention_and_its_directional_derivative() {
    let mut complaints = Complaints::default();
    for dtype in BOTH {
        let mut rng = seeded(13);
        let inputs = ["q", "k", "v"].map(|name| input(name, [2, 3, 5, 4], dtype));
        let [q, k, v] = &inputs;
        let scores = q.matmul(&k.transpose(&[0, 1, 3, 2])).scale(0.5).softmax(3);
        let y = samples::layer_norm(&scores.matmul(v)).gelu();
        let tangent = jvp(&[y.clone()], &[q.clone()], &[Some(v.clone())])[0].clone().unwrap();
        let feeds = random(&mut rng, &inputs);
        let fallbacks = check(&mut complaints, &format!("{dtype}"), &[y, tangent], &inputs, &feeds);
        assert!(fallbacks.is_empty(), "{fallbacks:?}");
    }
}

#[test]
fn per_example_gradients_of_a_convolutional_network() {
    let mut complaints = Complaints::default();
    let mut rng = seeded(14);
    let graph = cnn(DType::F32, &mut rng);
    let (x, y) = (graph.inputs[0].clone(), graph.outputs[0].1.clone());
    let gradients = grad(&y.square().sum(), &graph.params()).unwrap();
    let batched = input("images", x.shape().prepend(3), DType::F32);
    let outputs = vmap(&gradients, &[(x, batched.clone())], 3).unwrap();
    let inputs = [batched];
    let feeds = random(&mut rng, &inputs);
    let fallbacks = check(&mut complaints, "per example", &outputs, &inputs, &feeds);
    assert!(fallbacks.is_empty(), "{fallbacks:?}");
}

#[test]
fn gathers_scatters_and_running_sums() {
    let mut complaints = Complaints::default();
    for dtype in BOTH {
        let mut rng = seeded(15);
        let (x, u) = (input("x", [2, 5, 3], dtype), input("u", [2, 4, 3], dtype));
        let (i, j) = (input("i", [4], DType::I64), input("j", [2, 4], DType::I64));
        let index = |shape: &[usize], values: [i64; 4]| {
            Tensor::new(shape, values.repeat(shape.iter().product::<usize>() / 4)).unwrap()
        };
        let feeds =
            [random(&mut rng, &[x.clone(), u.clone()]), vec![index(&[4], [4, 0, 2, 2]), index(&[2, 4], [1, 1, 3, 0])]];
        let apply = |op: perturb_graph::Op, a: &Expr, b: &Expr| Expr::apply(op, &[a.clone(), b.clone()]).unwrap();
        let mut outputs = vec![
            apply(Gather { axis: 1, batch: 0 }.into(), &x, &i),
            apply(Gather { axis: 1, batch: 0 }.into(), &x, &j),
            apply(Gather { axis: 1, batch: 1 }.into(), &x, &j),
            apply(Gather { axis: 1, batch: 1 }.into(), &x.square(), &j.add(&j.like(1.0))),
            apply(ScatterAdd { axis: 1, batch: 0, size: 6 }.into(), &u, &i),
            apply(ScatterAdd { axis: 1, batch: 1, size: 6 }.into(), &u, &j),
            x.slice_axis(0, 0, 1).reshape([15]).cast(DType::F32),
            j.cast(dtype),
        ];
        for axis in 0..3 {
            for (exclusive, reverse) in [(false, false), (false, true), (true, false), (true, true)] {
                outputs.push(Expr::apply(CumSum { axis, exclusive, reverse }, &[x.clone()]).unwrap());
            }
        }
        let feeds = feeds.concat();
        let fallbacks = check(&mut complaints, &format!("{dtype}"), &outputs, &[x, u, i, j], &feeds);
        assert!(fallbacks.is_empty(), "{fallbacks:?}");
    }
}

#[test]
fn what_the_device_lacks_runs_on_the_host_and_is_named() {
    let mut complaints = Complaints::default();
    let mut rng = seeded(16);
    let x = input("x", [3, 4], DType::F32);
    let y = x.exp();
    let of = |op: perturb_graph::Op| Expr::apply(op, &[y.clone()]).unwrap();
    let order = of(ArgSort { axis: 1, descending: true }.into());
    let outputs = [
        of(Sort { axis: 1, descending: false }.into()).square(),
        order.clone(),
        y.take_along_axis(1, &order).sum(),
        of(ArgMax { axis: 0 }.into()),
        x.rem(&x.like(0.7)).sin(),
        x.cast(DType::I64).cast(DType::F32).add(&x),
    ];
    let inputs = [x];
    let feeds = random(&mut rng, &inputs);
    let fallbacks = check(&mut complaints, "fallbacks", &outputs, &inputs, &feeds);
    let mut named: Vec<&str> = fallbacks.iter().map(|f| f.op).collect();
    named.sort_unstable();
    assert_eq!(named, ["argmax", "argsort", "cast", "rem", "sort"]);
}

#[test]
fn nan_and_infinities_survive() {
    let mut complaints = Complaints::default();
    for dtype in BOTH {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        let (x, z) = (input("x", [1, 1, 8], dtype), input("z", [1, 1, 8], dtype));
        let feeds = [vec![nan, 1.0, -inf, 2.0, inf, -inf, -0.5, nan], vec![0.0, nan, nan, inf, -inf, -inf, 1.0, 1.0]]
            .map(|values| Tensor::from_f64([1, 1, 8], dtype, values).unwrap());
        let pool = MaxPool {
            window: vec![2],
            strides: vec![1],
            padding: vec![(1, 1)],
            dilation: vec![1],
            role: PoolRole::Max,
        };
        let pooled = Expr::apply(pool.clone(), &[x.clone()]).unwrap();
        let role = |role, t: &Expr| Expr::apply(pool.with_role(role), &[x.clone(), t.clone()]).unwrap();
        let lines = x.reshape([4, 2]);
        let outputs = [
            x.relu(),
            x.sign(),
            x.step(),
            x.maximum(&z),
            x.minimum(&z),
            x.maximum(&x.like(0.0)),
            x.expm1(),
            x.equal(&z),
            x.less_equal(&z),
            Expr::select(&z, &x, &x.like(3.0)),
            Expr::select(&x.equal(&x), &x, &x.like(-1.0)),
            lines.reduce_max(&[1], false),
            lines.reduce_max(&[0, 1], false),
            x.slice_axis(2, 5, 6).reduce_max(&[0, 1, 2], false),
            lines.reduce_sum(&[1], false),
            role(PoolRole::Choose, &z.like(0.0).add(&z.step())),
            role(PoolRole::Scatter, &pooled.like(1.0)),
            pooled,
        ];
        check(&mut complaints, &format!("{dtype}"), &outputs, &[x.clone(), z], &feeds);
    }
}

#[test]
fn leaves_scalars_and_tensors_without_elements() {
    let mut complaints = Complaints::default();
    let (x, s) = (input("x", [2, 3], DType::F32), input("s", [], DType::F32));
    let empty = x.slice_axis(0, 1, 1);
    let constant = Expr::constant(Tensor::new([2], vec![1.0f32, 2.0]).unwrap());
    let outputs = [
        x.clone(),
        s.clone(),
        constant.exp(),
        constant,
        Expr::full([2, 2], 3.0, DType::F32),
        Expr::full([], 3.0, DType::F32),
        s.square().add(&s).broadcast_to([2, 3]).mul(&x),
        x.sum().mul(&s),
        empty.exp(),
        empty.reduce_sum(&[0], false).add(&x.slice_axis(0, 0, 1).reshape([3])),
        Expr::concat(&[x.clone(), empty, x.clone()], 0),
        x.transpose(&[1, 0]),
    ];
    let inputs = [x, s];
    let feeds = random(&mut seeded(17), &inputs);
    check(&mut complaints, "leaves", &outputs, &inputs, &feeds);
}

#[test]
fn errors_say_what_to_do() {
    let x = input("pixels", [2, 3], DType::F32);
    let compile = |device: Device| BurnExecutable::compile(&[x.relu()], &[x.clone()], &device);
    for device in [Device::Cuda(99), Device::Vulkan(99), Device::Metal(99), Device::WebGpu(99)] {
        let message = compile(device).err().unwrap().to_string();
        let names = |text: &str| message.contains(text);
        assert!(names(&device.to_string()) && (names("feature `burn-") || names("found")), "{message}");
    }
    let executable = compile(Device::Cpu).unwrap();
    let message = executable.run(&[&Tensor::full([3, 2], 0.0f32)]).unwrap_err().to_string();
    assert!(message.contains("pixels") && message.contains("[2, 3]") && message.contains("[3, 2]"), "{message}");
    assert!(executable.run(&[]).unwrap_err().to_string().contains("1 input"));
    let stray = input("stray", [2, 3], DType::F32);
    let error = BurnExecutable::compile(&[x.add(&stray)], &[x.clone()], &Device::Cpu).err().unwrap();
    assert!(error.to_string().contains("stray"));
}

#[test]
fn an_index_outside_of_its_axis_is_an_error() {
    let (x, i) = (input("x", [3, 2], DType::F32), input("i", [2], DType::I64));
    let values = Tensor::full([3, 2], 1.0f32);
    let gather = BurnExecutable::compile(&[x.gather(0, &i)], &[x.clone(), i.clone()], &Device::Cpu).unwrap();
    let scatter = BurnExecutable::compile(&[x.scatter_add(1, &i, 2)], &[x, i], &Device::Cpu).unwrap();
    for (executable, op, index, size) in [(gather, "gather", 3, 3), (scatter, "scatter_add", -1, 2)] {
        let indices = Tensor::new([2], vec![0i64, index]).unwrap();
        assert_eq!(executable.run(&[&values, &indices]).unwrap_err(), EngineError::Index { op, index, size });
    }
}

#[test]
fn the_cpu_is_always_available() {
    assert_eq!(Device::available().first(), Some(&Device::Cpu));
}
