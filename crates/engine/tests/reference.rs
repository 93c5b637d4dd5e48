//! Every kernel against the definition of its primitive, on random graphs, in both precisions.

use perturb_engine::{Executable, Options};
use perturb_graph::{
    Conv, Convolution, DType, DotDims, Expr, Graph, MaxPool, Pool, PoolRole, Shape, Slot, Tensor, Unary, eval, grad,
    jvp, vmap,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(rng: &mut ChaCha8Rng, shape: impl Into<Shape>, dtype: DType) -> Tensor {
    let shape = shape.into();
    let values = (0..shape.count()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_f64(shape, dtype, values).unwrap()
}

fn input(shape: impl Into<Shape>, dtype: DType) -> Expr {
    Expr::input("x", shape, dtype)
}

/// Compiles, runs, and compares with the reference evaluator.
fn check(name: &str, outputs: &[Expr], inputs: &[Expr], rng: &mut ChaCha8Rng) {
    let feeds: Vec<Tensor> = inputs.iter().map(|i| random(rng, i.shape(), i.dtype())).collect();
    let exe = Executable::compile(outputs, inputs, &Options::default()).unwrap();
    let pairs: Vec<(Expr, Tensor)> = inputs.iter().cloned().zip(feeds.iter().cloned()).collect();
    let expected = eval(outputs, &pairs).unwrap();
    // Twice: the second run reuses the working memory of the first.
    for round in 0..2 {
        let got = exe.run(&feeds.iter().collect::<Vec<_>>()).unwrap();
        for (g, e) in got.iter().zip(&expected) {
            assert_eq!(g.shape(), e.shape(), "{name}");
            let (g, e) = (g.to_f64_vec(), e.to_f64_vec());
            let scale = e.iter().fold(1.0f64, |m, v| m.max(v.abs()));
            let tolerance = if outputs[0].dtype() == DType::F32 { 2e-5 } else { 1e-12 } * scale;
            for (i, (a, b)) in g.iter().zip(&e).enumerate() {
                assert!((a - b).abs() <= tolerance || a == b, "{name}, round {round}, element {i}: {a} instead of {b}");
            }
        }
    }
}

fn both(name: &str, build: impl Fn(DType, &mut ChaCha8Rng) -> (Vec<Expr>, Vec<Expr>)) {
    for dtype in [DType::F32, DType::F64] {
        for seed in 0..4 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (outputs, inputs) = build(dtype, &mut rng);
            check(name, &outputs, &inputs, &mut rng);
        }
    }
}

#[test]
fn unary_functions() {
    for f in Unary::ALL {
        both(&format!("{f:?}"), |dtype, rng| {
            let x = input([rng.random_range(1..700), 3], dtype);
            // Within the function's domain and away from its poles.
            let signed = match f {
                Unary::Log | Unary::Sqrt | Unary::Reciprocal => x.abs().offset(0.5),
                Unary::Log1p | Unary::Asin | Unary::Acos | Unary::Atanh | Unary::Tan => x.scale(0.45),
                Unary::Acosh => x.abs().offset(1.1),
                _ => x.clone(),
            };
            (vec![signed.try_unary(f).unwrap()], vec![x])
        });
    }
}

#[test]
fn fused_chains_with_every_kind_of_operand() {
    both("chain", |dtype, rng| {
        let (a, b) = (rng.random_range(1..40), rng.random_range(1..900));
        let (x, row, column) = (input([a, b], dtype), input([b], dtype), input([a, 1], dtype));
        let t = input([b, a], dtype).transpose(&[1, 0]);
        let y = (&x + &row).mul(&column).relu().sub(&t.tanh());
        let z = Expr::select(&y.greater(&x), &y.scale(2.0), &x.offset(-1.0)).maximum(&row);
        let w = z.minimum(&y).add(&x.reverse(&[1])).mul(&x.slice_axis(0, 0, 1));
        (vec![w.clone(), y, w.reduce_sum(&[0], false)], vec![x, row, column, t.inputs()[0].clone()])
    });
}

#[test]
fn large_elementwise_work_is_split_without_seams() {
    both("large", |dtype, _| {
        let (x, b) = (input([37, 51, 29], dtype), input([51, 1], dtype));
        (vec![x.add(&b).square().sub(&x)], vec![x, b])
    });
}

#[test]
fn reductions_over_every_choice_of_axes() {
    for mask in 1..16u32 {
        both(&format!("reduce {mask:04b}"), |dtype, rng| {
            let shape: Vec<usize> = (0..4).map(|_| rng.random_range(1..9)).collect();
            let x = input(shape, dtype);
            let axes: Vec<usize> = (0..4).filter(|a| mask >> a & 1 == 1).collect();
            let permuted = x.transpose(&[2, 0, 3, 1]);
            (
                vec![x.reduce_sum(&axes, false), permuted.reduce_max(&axes, true), permuted.reduce_sum(&axes, false)],
                vec![x],
            )
        });
    }
    both("large reductions", |dtype, _| {
        let x = input([300, 200], dtype);
        (
            vec![x.reduce_sum(&[0], false), x.reduce_sum(&[1], false), x.offset(3.0).sum(), x.reduce_max(&[0], false)],
            vec![x],
        )
    });
}

#[test]
fn products_of_every_layout() {
    both("dot", |dtype, rng| {
        let [b, m, n, k, l]: [usize; 5] = std::array::from_fn(|_| rng.random_range(1..14));
        let (x, y) = (input([b, m, k, l], dtype), input([l, n, b, k], dtype));
        let dims =
            DotDims { lhs_contract: vec![3, 2], rhs_contract: vec![0, 3], lhs_batch: vec![0], rhs_batch: vec![2] };
        let z = x.dot_general(&y, dims);
        let (p, q) = (input([m, k], dtype), input([n, k], dtype));
        let r = p.matmul(&q.transpose(&[1, 0]));
        (vec![z, r.clone(), p.transpose(&[1, 0]).matmul(&r)], vec![x, y, p, q])
    });
    both("large dot", |dtype, rng| {
        let (m, n, k) = (rng.random_range(1..300), rng.random_range(1..700), rng.random_range(1..300));
        let (x, y) = (input([m, k], dtype), input([k, n], dtype));
        (vec![x.matmul(&y)], vec![x, y])
    });
    both("wide dot", |dtype, _| {
        let (x, y) = (input([2, 600], dtype), input([3000, 600], dtype));
        (vec![x.matmul(&y.transpose(&[1, 0]))], vec![x, y])
    });
}

fn random_conv(rng: &mut ChaCha8Rng, spatial: usize) -> (Convolution, Vec<usize>, Vec<usize>) {
    let groups = rng.random_range(1..4);
    let (n, i, o) = (rng.random_range(1..4), rng.random_range(1..4), rng.random_range(1..5) * groups);
    let pick = |rng: &mut ChaCha8Rng, hi: usize| (0..spatial).map(|_| rng.random_range(1..hi)).collect::<Vec<usize>>();
    let (window, strides, dilation) = (pick(rng, 4), pick(rng, 4), pick(rng, 3));
    let padding = (0..spatial).map(|_| (rng.random_range(0..3), rng.random_range(0..3))).collect();
    let size: Vec<usize> = (0..spatial).map(|a| (window[a] - 1) * dilation[a] + 1 + rng.random_range(0..9)).collect();
    let conv = Convolution { strides, padding, dilation, groups, result: Slot::Response, result_spatial: vec![] };
    let image = [n, groups * i].into_iter().chain(size).collect();
    let kernel = [o, i].into_iter().chain(window).collect();
    (conv, image, kernel)
}

#[test]
fn convolutions_and_their_adjoints() {
    for spatial in 1..4 {
        for seed in 0..30 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let dtype = if seed % 2 == 0 { DType::F32 } else { DType::F64 };
            let (conv, image, kernel) = random_conv(&mut rng, spatial);
            let (x, w) = (input(image, dtype), input(kernel, dtype));
            let y = Expr::apply(conv, &[x.clone(), w.clone()]).unwrap();
            let gradients = grad(&y.square(), &[x.clone(), w.clone()]).unwrap();
            check(
                &format!("conv {spatial}-D seed {seed}"),
                &[y, gradients[0].clone(), gradients[1].clone()],
                &[x, w],
                &mut rng,
            );
        }
    }
}

// Planes so small that runs of places would mostly cross lines, in batches: tiles of single places.
#[test]
fn convolutions_of_many_small_images() {
    for (seed, stride) in (0..18).zip([1, 2, 3].into_iter().cycle()) {
        let mut rng = ChaCha8Rng::seed_from_u64(100 + seed);
        let dtype = if seed % 2 == 0 { DType::F32 } else { DType::F64 };
        let mut pick = |range: std::ops::Range<usize>| rng.random_range(range);
        let (groups, size) = (pick(1..3), [pick(3..8), pick(5..16)]);
        let (inputs, outputs) = (pick(8..12), pick(3..19));
        let conv = Conv {
            strides: vec![stride, pick(1..3)],
            padding: vec![(pick(0..3), pick(1..3)), (pick(1..3), pick(0..3))],
            dilation: vec![1, pick(1..3)],
            groups,
            ..Conv::default()
        };
        let x = input([pick(8..11), groups * inputs, size[0], size[1]], dtype);
        let w = input([groups * outputs, inputs, 3, pick(1..4)], dtype);
        let y = x.conv(&w, conv);
        let gradients = grad(&y.square().scale(0.01), &[x.clone(), w.clone()]).unwrap();
        let outputs = [y, gradients[0].clone(), gradients[1].clone()];
        check(&format!("small images, seed {seed}"), &outputs, &[x, w], &mut rng);
    }
}

#[test]
fn a_convolution_larger_than_one_block() {
    both("large conv", |dtype, _| {
        let (x, w) = (input([3, 8, 40, 40], dtype), input([16, 8, 3, 3], dtype));
        let y = x.conv(&w, Conv::same());
        let gradients = grad(&y.square().scale(0.01), &[x.clone(), w.clone()]).unwrap();
        (vec![y, gradients[0].clone(), gradients[1].clone()], vec![x, w])
    });
}

#[test]
fn pooling_in_all_roles() {
    both("pool", |dtype, rng| {
        let window = vec![rng.random_range(2..4), rng.random_range(2..4)];
        let padding = vec![(rng.random_range(0..2), rng.random_range(0..2)); 2];
        let strides = vec![rng.random_range(1..4), rng.random_range(1..4)];
        let x = input([rng.random_range(1..3), 2, rng.random_range(6..20), 9], dtype);
        let pool = MaxPool {
            window: window.clone(),
            strides: strides.clone(),
            padding: padding.clone(),
            dilation: vec![1, 1],
            role: PoolRole::Max,
        };
        let y = Expr::apply(pool, &[x.clone()]).unwrap();
        let tangent = jvp(&[y.clone()], &[x.clone()], &[Some(x.square())])[0].clone().unwrap();
        let gradient = grad(&y.square(), &[x.clone()]).unwrap().remove(0);
        let average = x.avg_pool(Pool { window, strides, padding, dilation: vec![] });
        (vec![y, tangent, gradient, average], vec![x])
    });
}

#[test]
fn padding_concatenation_and_views() {
    both("moves", |dtype, rng| {
        let (a, b) = (rng.random_range(1..6), rng.random_range(2..8));
        let (x, y) = (input([a, b], dtype), input([a, 3], dtype));
        let joined = Expr::concat(&[x.clone(), y.clone(), x.reverse(&[0, 1])], 1);
        let cut = joined.try_slice(&[0, 1], &[a, 2 * b + 3], &[1, 2]).unwrap();
        let spread = grad(&cut.square(), &[x.clone(), y.clone()]).unwrap();
        let padded = x.pad(&[1, 0], &[2, 3]).transpose(&[1, 0]).reshape([(a + 3) * (b + 3)]);
        (vec![joined, cut, spread[0].clone(), spread[1].clone(), padded, x.repeat(3).reshape([3 * a, b])], vec![x, y])
    });
}

#[test]
fn a_constant_or_an_input_can_be_an_output() {
    let x = input([2, 3], DType::F32);
    let c = Expr::constant(Tensor::new([2], vec![1.0f32, 2.0]).unwrap());
    let outputs = [x.clone(), c.exp(), Expr::full([2, 2], 3.0, DType::F32), x.transpose(&[1, 0]), c];
    check("leaves", &outputs, &[x], &mut ChaCha8Rng::seed_from_u64(0));
}

fn small_cnn(dtype: DType, rng: &mut ChaCha8Rng) -> Graph {
    let x = Expr::input("image", [1, 2, 9, 9], dtype);
    // Small weights: with large ones second derivatives amplify the rounding of f32 itself.
    let mut weight = |name: &str, shape: &[usize]| Expr::param(name, random(rng, shape, dtype)).scale(0.2);
    let h = x.conv(&weight("w1", &[4, 2, 3, 3]), Conv::same().stride(2)).add(&weight("b1", &[4, 1, 1])).relu();
    let h = h.add(&h.conv(&weight("w2", &[4, 4, 3, 3]), Conv::same())).tanh();
    let h = h.max_pool(Pool::square(2, 2)).reshape([1, 16]);
    let y = h.matmul(&weight("w3", &[16, 5])).log_softmax(1);
    Graph::new(vec![x], vec![("logits".into(), y)]).unwrap()
}

#[test]
fn a_network_its_gradient_and_its_batch() {
    both("network", |dtype, rng| {
        let graph = small_cnn(dtype, rng);
        let batched = graph.vmap(5).unwrap();
        let (x, y) = (batched.inputs[0].clone(), batched.outputs[0].1.clone());
        let gradient = grad(&y.square(), &[x.clone()]).unwrap().remove(0);
        let second = grad(&gradient.square(), &[x.clone()]).unwrap().remove(0);
        (vec![y, gradient, second], vec![x])
    });
}

#[test]
fn per_example_gradients_of_parameters() {
    both("per-example", |dtype, rng| {
        let graph = small_cnn(dtype, rng);
        let (x, y) = (graph.inputs[0].clone(), graph.outputs[0].1.clone());
        let gradients = grad(&y.square(), &graph.params()).unwrap();
        let batched = Expr::input("images", x.shape().prepend(3), dtype);
        (vmap(&gradients, &[(x, batched.clone())], 3).unwrap(), vec![batched])
    });
}

#[test]
fn results_are_bit_equal_for_any_number_of_threads() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let graph = small_cnn(DType::F32, &mut rng).vmap(64).unwrap();
    let (x, y) = (graph.inputs[0].clone(), graph.outputs[0].1.clone());
    let params = graph.params();
    let mut outputs = vec![y.clone()];
    outputs.extend(grad(&y.square(), &[vec![x.clone()], params].concat()).unwrap());
    let feed = random(&mut rng, x.shape(), DType::F32);
    let exe = Executable::compile(&outputs, &[x], &Options::default()).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| exe.run(&[&feed]).unwrap())
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert_eq!(one, run(threads), "{threads} threads");
    }
}

#[test]
fn wrong_feeds_are_errors_that_say_what_was_expected() {
    let x = Expr::input("pixels", [2, 3], DType::F32);
    let exe = Executable::compile(&[x.relu()], &[x.clone()], &Options::default()).unwrap();
    let message = exe.run(&[&Tensor::full([3, 2], 0.0f32)]).unwrap_err().to_string();
    assert!(message.contains("pixels") && message.contains("[2, 3]") && message.contains("[3, 2]"), "{message}");
    assert!(exe.run(&[]).unwrap_err().to_string().contains("1 input"));
    let stray = Expr::input("stray", [2, 3], DType::F32);
    let error = Executable::compile(&[x.add(&stray)], &[x.clone()], &Options::default()).err().unwrap();
    assert!(error.to_string().contains("stray"));
    let options = Options { memory_limit: 10 };
    let error = Executable::compile(&[x.relu()], &[x], &options).err().unwrap();
    assert!(error.to_string().contains("24 bytes"), "{error}");
}

#[test]
fn nan_and_infinity_pass_through() {
    let x = Expr::input("x", [4], DType::F32);
    let pooled = x.reshape([1, 1, 4]).max_pool(Pool::square(2, 1)).reshape([2]);
    let outputs = [x.relu(), x.maximum(&x.like(0.0)), x.reduce_max(&[0], false), x.sum(), pooled];
    let exe = Executable::compile(&outputs, &[x], &Options::default()).unwrap();
    let feed = Tensor::new([4], vec![f32::NAN, 1.0, f32::NEG_INFINITY, 2.0]).unwrap();
    let out = exe.run(&[&feed]).unwrap();
    assert!(out.iter().all(|o| o.as_slice::<f32>()[0].is_nan()), "{out:?}");
    assert_eq!(&out[0].as_slice::<f32>()[1..], [1.0, 0.0, 2.0]);
}
