//! The reference evaluator against values worked out by hand, published values, and independent naive loops.

use crate::numbers::{assert_close, run, seeded, uniform};
use perturb_graph::{Conv, DType, DotDims, EvalError, Expr, Pad, Pool, Tensor, eval};

fn constant(shape: &[usize], values: &[f64]) -> Expr {
    Expr::constant(Tensor::new(shape, values.to_vec()).unwrap())
}

fn value(e: &Expr) -> Vec<f64> {
    run(std::slice::from_ref(e), &[]).remove(0)
}

fn counting(shape: &[usize]) -> Expr {
    let n: usize = shape.iter().product();
    constant(shape, &(0..n).map(|i| i as f64).collect::<Vec<_>>())
}

#[test]
fn moving_and_cutting() {
    let x = counting(&[2, 3]); // [[0, 1, 2], [3, 4, 5]]
    assert_eq!(value(&x.transpose(&[1, 0])), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(value(&x.reverse(&[1])), [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]);
    assert_eq!(value(&x.pad(&[0, 1], &[1, 0])), [0.0, 0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 5.0, 0.0, 0.0, 0.0, 0.0]);
    let between = Pad { low: vec![0, 1], high: vec![0, 0], interior: vec![1, 1] };
    let spread = [
        [0.0, 0.0, 0.0, 1.0, 0.0, 2.0], //
        [0.0; 6],
        [0.0, 3.0, 0.0, 4.0, 0.0, 5.0],
    ];
    assert_eq!(value(&Expr::apply(between, &[x.clone()]).unwrap()), spread.concat());
    let y = counting(&[4, 5]);
    assert_eq!(value(&y.try_slice(&[1, 0], &[4, 5], &[2, 3]).unwrap()), [5.0, 8.0, 15.0, 18.0]);
    assert_eq!(value(&Expr::concat(&[x.clone(), x.slice_axis(1, 2, 3)], 1)), [0., 1., 2., 2., 3., 4., 5., 5.]);
    assert_eq!(value(&x.reshape([2, 3, 1]).broadcast_to([2, 3, 2])), [0., 0., 1., 1., 2., 2., 3., 3., 4., 4., 5., 5.]);
    assert_eq!(value(&counting(&[2, 2, 2]).move_axis(0, 2)), [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]);
}

#[test]
fn reductions() {
    let x = constant(&[2, 2, 2], &[1.0, -2.0, 3.0, 4.0, -5.0, 6.0, 7.0, -8.0]);
    assert_eq!(value(&x.reduce_sum(&[0, 2], false)), [0.0, 6.0]);
    assert_eq!(value(&x.reduce_sum(&[2, 0], true)), [0.0, 6.0]);
    assert_eq!(value(&x.reduce_max(&[1], false)), [3.0, 4.0, 7.0, 6.0]);
    assert_eq!(value(&x.try_reduce_min(&[0, 1, 2], false).unwrap()), [-8.0]);
    assert_eq!(value(&x.reduce_mean(&[0, 1, 2], false)), [0.75]);
    let with_nan = constant(&[1, 1, 3], &[1.0, f64::NAN, 2.0]);
    assert!(value(&with_nan.reduce_max(&[2], false))[0].is_nan());
    assert!(value(&with_nan.max_pool(Pool::square(3, 1)))[0].is_nan());
}

// Abramowitz and Stegun, tables 7.1 and 26.1; ln 2; tanh and logistic by their definitions.
#[test]
fn functions_of_one_element() {
    let at = |f: fn(&Expr) -> Expr, v: f64| value(&f(&constant(&[], &[v])))[0];
    assert_close("erf", &[at(Expr::erf, 0.5), at(Expr::erf, 1.0)], &[0.520_499_877_8, 0.842_700_792_9], 1e-10);
    assert_close("gelu", &[at(Expr::gelu, 1.0)], &[0.841_344_746_1], 1e-10);
    assert_close("gelu_tanh", &[at(Expr::gelu_tanh, 1.0)], &[0.841_191_990_6], 1e-9);
    assert_close("softplus", &[at(Expr::softplus, 0.0)], &[std::f64::consts::LN_2], 1e-15);
    assert_eq!([at(Expr::softplus, 1000.0), at(Expr::softplus, -1000.0)], [1000.0, 0.0]);
    assert_eq!([at(Expr::sigmoid, -1000.0), at(Expr::sigmoid, 1000.0), at(Expr::sigmoid, 0.0)], [0.0, 1.0, 0.5]);
    assert_eq!([at(Expr::round, 0.5), at(Expr::round, 1.5), at(Expr::round, -2.5)], [0.0, 2.0, -2.0]);
    assert_eq!([at(Expr::floor, -0.5), at(Expr::ceil, -0.5)], [-1.0, -0.0]);
    assert_eq!([at(Expr::sign, -3.0), at(Expr::sign, 0.0), at(Expr::step, 0.0)], [-1.0, 0.0, 0.0]);
    assert!(at(Expr::relu, f64::NAN).is_nan() && at(Expr::sign, f64::NAN).is_nan());
    let x = constant(&[3], &[-2.0, 0.5, 3.0]);
    assert_eq!(value(&x.leaky_relu(0.25)), [-0.5, 0.5, 3.0]);
    assert_eq!(value(&x.clip(-1.0, 1.0)), [-1.0, 0.5, 1.0]);
    assert_eq!(value(&x.elu(2.0)), [2.0 * ((-2f64).exp() - 1.0), 0.5, 3.0]);
    assert_eq!(value(&x.try_pow(&x.like(3.0)).unwrap()), [-8.0, 0.125, 27.0]);
    assert_eq!(value(&x.try_pow(&x.like(-2.0)).unwrap()), [0.25, 4.0, 1.0 / 9.0]);
}

#[test]
fn softmax_is_stable() {
    let x = constant(&[2, 2], &[1000.0, 1000.0, 0.0, 2f64.ln()]);
    assert_close("softmax", &value(&x.softmax(1)), &[0.5, 0.5, 1.0 / 3.0, 2.0 / 3.0], 1e-14);
    let ln2 = std::f64::consts::LN_2;
    assert_close("log_softmax", &value(&x.log_softmax(1)), &[-ln2, -ln2, -(3f64.ln()), ln2 - 3f64.ln()], 1e-14);
    let targets = constant(&[2, 2], &[1.0, 0.0, 0.5, 0.5]);
    assert_close("cross entropy", &value(&x.cross_entropy(&targets)), &[ln2, 3f64.ln() - 0.5 * ln2], 1e-14);
}

#[test]
fn matrix_products() {
    let (a, b) = (constant(&[2, 2], &[1.0, 2.0, 3.0, 4.0]), constant(&[2, 2], &[5.0, 6.0, 7.0, 8.0]));
    assert_eq!(value(&a.matmul(&b)), [19.0, 22.0, 43.0, 50.0]);
    assert_eq!(value(&a.matmul(&constant(&[2], &[1.0, -1.0]))), [-1.0, -1.0]);
    assert_eq!(value(&constant(&[2], &[1.0, -1.0]).matmul(&b)), [-2.0, -2.0]);
    assert_eq!(value(&a.inner(&b)), [70.0]);
    // Contracted in crossed order: Σ a[i, j] b[j, i].
    let crossed = DotDims { lhs_contract: vec![1, 0], rhs_contract: vec![0, 1], ..DotDims::default() };
    assert_eq!(value(&a.dot_general(&b, crossed)), [5.0 + 14.0 + 18.0 + 32.0]);
}

// result[b, l, r] = Σ_k Σ_m x[l, k, b, m] y[m, b, r, k], with the contracted axes listed in descending order.
#[test]
fn dot_with_all_kinds_of_axes() {
    let rng = &mut seeded(1);
    let (b, l, r, k, m) = (2, 3, 2, 4, 3);
    let (x, y) = (uniform(rng, [l, k, b, m], DType::F64, (-1., 1.)), uniform(rng, [m, b, r, k], DType::F64, (-1., 1.)));
    let dims = DotDims { lhs_contract: vec![3, 1], rhs_contract: vec![0, 3], lhs_batch: vec![2], rhs_batch: vec![1] };
    let got = value(&Expr::constant(x.clone()).dot_general(&Expr::constant(y.clone()), dims));
    let (x, y) = (x.to_f64_vec(), y.to_f64_vec());
    let mut want = Vec::new();
    for ib in 0..b {
        for il in 0..l {
            for ir in 0..r {
                let terms = (0..k).flat_map(|ik| (0..m).map(move |im| (ik, im)));
                let at = |(ik, im)| x[((il * k + ik) * b + ib) * m + im] * y[((im * b + ib) * r + ir) * k + ik];
                want.push(terms.map(at).sum::<f64>());
            }
        }
    }
    assert_close("dot", &got, &want, 1e-14);
}

#[test]
fn convolution_by_hand() {
    let x = constant(&[1, 1, 5], &[1.0, 2.0, 3.0, 4.0, 5.0]);
    let w = constant(&[1, 1, 2], &[1.0, 10.0]);
    assert_eq!(value(&x.conv(&w, Conv::unit(1))), [21.0, 32.0, 43.0, 54.0]);
    let conv = Conv { strides: vec![2], padding: vec![(1, 2)], dilation: vec![2], ..Conv::default() };
    // Padded: 0 1 2 3 4 5 0 0; windows (0, 2), (2, 4), (4, 0).
    assert_eq!(value(&x.conv(&w, conv)), [20.0, 42.0, 4.0]);
    assert_eq!(value(&x.conv(&w, Conv::same())), [21.0, 32.0, 43.0, 54.0, 5.0]);
    // The transpose scatters: every element times the kernel, added up.
    let transposed = x.try_conv_transpose(&w, &Conv::unit(1).stride(2), &[]).unwrap();
    assert_eq!(value(&transposed), [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0, 5.0, 50.0]);
}

/// `[n, channel, row, column]` of an array with padding around it.
struct Padded<'a> {
    values: &'a [f64],
    sizes: [usize; 4],
    low: [usize; 2],
}

impl Padded<'_> {
    fn at(&self, n: usize, c: usize, row: usize, column: usize) -> f64 {
        let (Some(i), Some(j)) = (row.checked_sub(self.low[0]), column.checked_sub(self.low[1])) else { return 0.0 };
        let [_, channels, rows, columns] = self.sizes;
        if i < rows && j < columns { self.values[((n * channels + c) * rows + i) * columns + j] } else { 0.0 }
    }
}

// Grouped, strided, dilated, unevenly padded convolution and its transpose, by their textbook sums.
#[test]
fn convolution_in_two_dimensions() {
    let rng = &mut seeded(2);
    let (n, groups, cg, og) = (2, 2, 2, 3);
    let x = uniform(rng, [n, groups * cg, 5, 6], DType::F64, (-1.0, 1.0));
    let w = uniform(rng, [groups * og, cg, 2, 3], DType::F64, (-1.0, 1.0));
    let conv =
        Conv { strides: vec![2, 1], padding: vec![(1, 0), (2, 1)], dilation: vec![2, 1], groups, ..Conv::default() };
    let y = Expr::constant(x.clone()).conv(&Expr::constant(w.clone()), conv.clone());
    let (xv, wv) = (x.to_f64_vec(), w.to_f64_vec());
    let image = Padded { values: &xv, sizes: [n, groups * cg, 5, 6], low: [1, 2] };
    let (rows, columns) = ((5 + 1 - 3) / 2 + 1, 6 + 3 - 3 + 1);
    assert_eq!(*y.shape(), [n, groups * og, rows, columns].into());
    let weight = |o: usize, c: usize, i: usize, j: usize| wv[((o * cg + c) * 2 + i) * 3 + j];
    let mut want = Vec::new();
    let mut scattered = vec![0.0; n * groups * cg * 5 * 6];
    let r = uniform(rng, y.shape(), DType::F64, (-1.0, 1.0));
    for (position, response) in r.to_f64_vec().into_iter().enumerate() {
        let (column, rest) = (position % columns, position / columns);
        let (row, o, image_index) = (rest % rows, rest / rows % (groups * og), rest / rows / (groups * og));
        let mut sum = 0.0;
        for (c, i, j) in (0..cg).flat_map(|c| (0..2).flat_map(move |i| (0..3).map(move |j| (c, i, j)))) {
            let (channel, down, across) = (o / og * cg + c, row * 2 + i * 2, column + j);
            sum += weight(o, c, i, j) * image.at(image_index, channel, down, across);
            if (1..6).contains(&down) && (2..8).contains(&across) {
                let at = ((image_index * groups * cg + channel) * 5 + down - 1) * 6 + across - 2;
                scattered[at] += weight(o, c, i, j) * response;
            }
        }
        want.push(sum);
    }
    assert_close("conv", &value(&y), &want, 1e-13);
    let transposed = Expr::constant(r).try_conv_transpose(&Expr::constant(w), &conv, &[1, 0]).unwrap();
    assert_eq!(*transposed.shape(), *x.shape());
    assert_close("conv_transpose", &value(&transposed), &scattered, 1e-13);
}

#[test]
fn pooling() {
    let x = constant(&[1, 1, 3, 3], &[1.0, 2.0, 3.0, 4.0, -5.0, 6.0, 7.0, 8.0, -9.0]);
    let pool = Pool { window: vec![2, 2], strides: vec![1, 1], ..Pool::default() };
    assert_eq!(value(&x.max_pool(pool)), [4.0, 6.0, 8.0, 8.0]);
    let padded = Pool { window: vec![2, 2], strides: vec![2, 2], padding: vec![(1, 0), (1, 0)], ..Pool::default() };
    // Padding never wins, not even over negative values.
    let negative = x.abs().neg();
    assert_eq!(value(&negative.max_pool(padded.clone())), [-1.0, -2.0, -4.0, -5.0]);
    assert_eq!(value(&x.try_avg_pool(&padded, false).unwrap()), [1.0, 2.5, 5.5, 0.0]);
    assert_eq!(value(&x.try_avg_pool(&padded, true).unwrap()), [0.25, 1.25, 2.75, 0.0]);
}

#[test]
fn results_are_rounded_to_their_type() {
    let x = Expr::constant(Tensor::new([1], vec![16_777_216.0f32]).unwrap());
    assert_eq!(value(&x.offset(1.0)), [16_777_216.0]);
    assert_eq!(value(&x.offset(1.0).offset(1.0)), [16_777_216.0]);
}

#[test]
fn feeds_override_parameters_and_inner_nodes() {
    let x = Expr::input("x", [1], DType::F64);
    let w = Expr::param("w", Tensor::new([1], vec![2.0]).unwrap());
    let h = x.mul(&w);
    let y = h.offset(1.0);
    let number = |v: f64| Tensor::new([1], vec![v]).unwrap();
    assert_eq!(run(&[y.clone()], &[(x.clone(), number(3.0))])[0], [7.0]);
    assert_eq!(run(&[y.clone()], &[(x.clone(), number(3.0)), (w, number(5.0))])[0], [16.0]);
    // Nothing below an overridden node is needed.
    assert_eq!(run(&[y.clone()], &[(h, number(10.0))])[0], [11.0]);
    assert_eq!(eval(&[y.clone()], &[]), Err(EvalError::Missing("x".into())));
    let wrong = eval(&[y], &[(x, Tensor::new([2], vec![1.0, 2.0]).unwrap())]).unwrap_err();
    assert!(wrong.to_string().contains("f64[2]"), "{wrong}");
}
