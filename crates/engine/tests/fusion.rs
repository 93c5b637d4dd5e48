//! What is computed inside other steps gives the same values as the primitives' definitions, and in the steps expected.

use perturb_engine::{Executable, Options};
use perturb_graph::{Conv, DType, Expr, Shape, Tensor, eval, grad};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(rng: &mut ChaCha8Rng, shape: &Shape, dtype: DType) -> Tensor {
    let values = (0..shape.count()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_f64(shape.clone(), dtype, values).unwrap()
}

/// Compares with the definition, and returns the number of steps.
fn check(name: &str, outputs: &[Expr], inputs: &[Expr], seed: u64) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let feeds: Vec<Tensor> = inputs.iter().map(|i| random(&mut rng, i.shape(), i.dtype())).collect();
    let exe = Executable::compile(outputs, inputs, &Options::default()).unwrap();
    let pairs: Vec<(Expr, Tensor)> = inputs.iter().cloned().zip(feeds.iter().cloned()).collect();
    let expected = eval(outputs, &pairs).unwrap();
    for (got, expected) in exe.run(&feeds.iter().collect::<Vec<_>>()).unwrap().iter().zip(&expected) {
        let (got, expected) = (got.to_f64_vec(), expected.to_f64_vec());
        let scale = expected.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        let tolerance = if outputs[0].dtype() == DType::F32 { 2e-5 } else { 1e-12 } * scale;
        for (i, (g, e)) in got.iter().zip(&expected).enumerate() {
            assert!((g - e).abs() <= tolerance, "{name}, seed {seed}, element {i}: {g} instead of {e}");
        }
    }
    exe.statistics().steps
}

#[test]
fn bias_residual_and_relu_finish_a_convolution() {
    for (seed, (images, channels, size)) in [(1, 3, 9), (11, 5, 7), (2, 17, 18), (9, 1, 30)].into_iter().enumerate() {
        for dtype in [DType::F32, DType::F64] {
            let x = Expr::input("x", [images, 3, size, size], dtype);
            let w = Expr::input("w", [channels, 3, 3, 3], dtype);
            let b = Expr::input("b", [channels, 1, 1], dtype);
            let r = Expr::input("r", [images, channels, size, size], dtype);
            let y = x.conv(&w, Conv { padding: vec![(1, 1); 2], ..Conv::default() });
            let z = (&(&y + &b) + &r).relu().scale(0.5);
            assert_eq!(check("convolution", &[z], &[x, w, b, r], seed as u64), 1);
        }
    }
}

#[test]
fn bias_and_activation_finish_a_product() {
    for (seed, (m, k, n)) in
        [(1, 7, 5), (65, 33, 129), (300, 70, 200), (3, 90, 2000), (130, 1, 900)].into_iter().enumerate()
    {
        for dtype in [DType::F32, DType::F64] {
            let (x, w) = (Expr::input("x", [m, k], dtype), Expr::input("w", [k, n], dtype));
            let (b, s) = (Expr::input("b", [n], dtype), Expr::input("s", [m, 1], dtype));
            let y = (&x.matmul(&w) + &b).mul(&s).relu();
            assert_eq!(check("product", &[y], &[x, w, b, s], seed as u64), 1);
        }
    }
}

#[test]
fn a_result_that_is_needed_before_its_finish_is_kept() {
    let (x, w) = (Expr::input("x", [40, 20], DType::F64), Expr::input("w", [20, 30], DType::F64));
    let y = x.matmul(&w);
    check("kept", &[y.relu(), y.clone(), y.square().sum()], &[x, w], 0);
}

#[test]
fn outer_products_of_every_layout() {
    for (seed, (batch, m, n)) in [(1, 1, 1), (3, 7, 5), (5, 130, 200), (64, 33, 65)].into_iter().enumerate() {
        for dtype in [DType::F32, DType::F64] {
            let (x, y) = (Expr::input("x", [batch, m], dtype), Expr::input("y", [batch, n], dtype));
            let column = x.clone().try_reshape([batch, m, 1]).unwrap();
            let row = y.clone().try_reshape([batch, 1, n]).unwrap();
            let dims = perturb_graph::DotDims {
                lhs_contract: vec![2],
                rhs_contract: vec![1],
                lhs_batch: vec![0],
                rhs_batch: vec![0],
            };
            let outer = column.dot_general(&row, dims);
            assert_eq!(check("outer", &[outer.relu()], &[x, y], seed as u64), 1);
        }
    }
}

#[test]
fn products_that_are_read_transposed_are_computed_so() {
    for (seed, (batch, m, k, n)) in [(1, 5, 7, 3), (4, 65, 1, 33), (2, 90, 40, 130)].into_iter().enumerate() {
        for dtype in [DType::F32, DType::F64] {
            let (x, g) = (Expr::input("x", [batch, k, m], dtype), Expr::input("g", [batch, k, n], dtype));
            let dims = perturb_graph::DotDims {
                lhs_contract: vec![1],
                rhs_contract: vec![1],
                lhs_batch: vec![0],
                rhs_batch: vec![0],
            };
            let y = x.dot_general(&g, dims);
            let z = y.transpose(&[0, 2, 1]).scale(3.0);
            let inputs = [x, g];
            assert_eq!(check("transposed", std::slice::from_ref(&z), &inputs, seed as u64), 1);
            check("both ways", &[z, y.relu(), y], &inputs, seed as u64);
        }
    }
}

fn inner_products(a: &Expr, b: &Expr, batch: usize) -> Expr {
    let (axes, last) = ((0..batch).collect::<Vec<_>>(), vec![a.rank() - 1]);
    let dims = perturb_graph::DotDims {
        lhs_contract: last,
        rhs_contract: vec![b.rank() - 1],
        lhs_batch: axes.clone(),
        rhs_batch: axes,
    };
    a.dot_general(b, dims)
}

#[test]
fn products_of_few_columns_read_their_matrices_once() {
    for (seed, (batch, m, k)) in
        [(1, 1, 1), (3, 5, 7), (2, 33, 65), (5, 130, 784), (1, 700, 900)].into_iter().enumerate()
    {
        for dtype in [DType::F32, DType::F64] {
            let a = Expr::input("a", [batch, m, k], dtype);
            let (c, r) = (Expr::input("c", [batch, k], dtype), Expr::input("r", [batch, k], dtype));
            let middle = inner_products(&a, &c, 1);
            // The radius is made after the first product, and that is reshaped before the second.
            let reach = inner_products(&a.abs(), &r.square(), 1).reshape([batch * m]);
            let bound = middle.reshape([batch * m]).sub(&reach);
            let inputs = [a.clone(), c, r];
            // The square, both products, their difference.
            assert_eq!(check("bound", &[bound.clone()], &inputs, seed as u64), 3);
            // Of several columns, beside one whose result the second product needs, and magnitudes that are an output.
            let columns = Expr::input("columns", [3, batch, k], dtype).transpose(&[1, 0, 2]);
            let spread = inner_products(&a, &columns, 1);
            let after = inner_products(&a.abs(), &middle.sum().broadcast_to([batch, k]), 1);
            let inputs: Vec<Expr> = inputs.into_iter().chain([columns.inputs()[0].clone()]).collect();
            check("columns", &[spread.relu(), bound.clone(), after], &inputs, seed as u64);
            check("magnitudes", &[bound, a.abs()], &inputs[..3], seed as u64);
        }
    }
}

#[test]
fn products_by_magnitudes_of_matrices_of_every_layout() {
    for (seed, (m, k)) in [(5, 7), (64, 300), (300, 64), (900, 700)].into_iter().enumerate() {
        for dtype in [DType::F32, DType::F64] {
            let (a, t) = (Expr::input("a", [m, k], dtype), Expr::input("t", [k, m], dtype).transpose(&[1, 0]));
            let (c, r) = (Expr::input("c", [k], dtype), Expr::input("r", [k], dtype));
            let pair = |x: &Expr| inner_products(x, &c, 0).add(&inner_products(&x.abs(), &r, 0));
            let outputs = [pair(&a), pair(&t), pair(&a.slice_axis(1, 1, k).pad(&[0, 0], &[0, 1])), pair(&a.mul(&t))];
            check("layouts", &outputs, &[a.clone(), t.inputs()[0].clone(), c.clone(), r.clone()], seed as u64);
        }
    }
}

#[test]
fn magnitudes_keep_what_is_not_a_number() {
    let (a, r) = (Expr::input("a", [5, 40], DType::F32), Expr::input("r", [40], DType::F32));
    let exe = Executable::compile(&[inner_products(&a.abs(), &r, 0)], &[a, r], &Options::default()).unwrap();
    let mut values = vec![-1.0f32; 200];
    (values[3], values[41], values[119]) = (f32::NAN, f32::NEG_INFINITY, f32::NAN);
    let feeds = [Tensor::new([5, 40], values).unwrap(), Tensor::full([40], 0.5f32)];
    let out = exe.run(&[&feeds[0], &feeds[1]]).unwrap().remove(0);
    let out = out.as_slice::<f32>();
    assert!(out[0].is_nan() && out[1] == f32::INFINITY && out[2].is_nan() && out[3..] == [20.0, 20.0]);
}

#[test]
fn the_sign_of_an_argument_is_that_of_its_rectified_value() {
    let x = Expr::input("x", [7], DType::F32);
    let values = [f32::NAN, -0.0, 0.0, 1e-45, -1e-45, f32::INFINITY, f32::NEG_INFINITY];
    let feed = Tensor::new([7], values.to_vec()).unwrap();
    let exe = Executable::compile(&[x.relu(), x.step()], std::slice::from_ref(&x), &Options::default()).unwrap();
    assert_eq!(exe.run(&[&feed]).unwrap()[1].as_slice::<f32>(), [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
}

#[test]
fn a_layer_and_its_gradients() {
    for (seed, images) in [1, 12].into_iter().enumerate() {
        let x = Expr::input("x", [images, 2, 8, 8], DType::F64);
        let (w, b) = (Expr::input("w", [5, 2, 3, 3], DType::F64), Expr::input("b", [5, 1, 1], DType::F64));
        let y = (&x.conv(&w, Conv { strides: vec![2; 2], padding: vec![(1, 1); 2], ..Conv::default() }) + &b).relu();
        let loss = y.square().sum();
        let mut outputs = grad(&loss, &[x.clone(), w.clone(), b.clone()]).unwrap();
        outputs.push(loss);
        check("layer", &outputs, &[x, w, b], seed as u64);
    }
}
