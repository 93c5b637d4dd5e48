//! Bad input is answered by an error that says what and where; size is no reason to fail.

use crate::numbers::{assert_close, run};
use perturb_graph::{
    Conv, DType, Domain, DotDims, Expr, Graph, GraphError, Interval, LinearBoundsOptions, Norm, Pool, Result, Rounding,
    Tensor, eval, grad, jvp, linear_bounds, substitute, try_interval, try_jvp, vjp, vmap,
};
use std::time::{Duration, Instant};

fn x(shape: &[usize]) -> Expr {
    Expr::input("x", shape, DType::F32)
}

// The message names the primitive and shows the shapes.
#[track_caller]
fn refused<T>(result: Result<T>, op: &str, shows: &str) {
    let Err(error) = result else { panic!("{op} was not refused") };
    let message = error.to_string();
    assert!(message.starts_with(op) && message.contains(shows), "{message}");
}

#[test]
fn shapes_that_do_not_fit() {
    let a = x(&[2, 3]);
    refused(a.try_add(&x(&[4])), "add", "[2, 3] and [4]");
    refused(a.try_reshape([7]), "reshape", "[7]");
    refused(a.try_transpose(&[0, 0]), "transpose", "[0, 0]");
    refused(a.try_transpose(&[0]), "transpose", "[2, 3]");
    refused(a.try_broadcast_to([2, 4]), "broadcast", "[2, 4]");
    refused(a.try_broadcast_to([3]), "broadcast", "[3]");
    refused(a.try_slice(&[0, 2], &[2, 4], &[1, 1]), "slice", "[2, 4]");
    refused(a.try_slice(&[0, 0], &[2, 3], &[1, 0]), "slice", "[1, 0]");
    refused(a.try_slice(&[0], &[2], &[1]), "slice", "[2, 3]");
    refused(a.try_pad(&[1], &[1]), "pad", "[2, 3]");
    refused(a.try_pad(&[usize::MAX, 0], &[usize::MAX, 0]), "pad", "does not fit");
    refused(a.try_reverse(&[2]), "reverse", "[2]");
    refused(Expr::try_concat(&[a.clone(), x(&[3, 3])], 1), "concat", "[3, 3]");
    refused(Expr::try_concat(&[a.clone()], 5), "concat", "axis 5");
    refused(Expr::try_concat(&[], 0), "concat", "at least one");
    refused(a.try_reduce_sum(&[1, 1], false), "reduce_sum", "[1, 1]");
    refused(a.try_reduce_sum(&[2], true), "reduce_sum", "[2]");
    refused(a.try_reduce_mean(&[9], false), "reduce_sum", "[9]");
    refused(x(&[2, 0]).try_reduce_max(&[1], false), "reduce_max", "[2, 0]");
    refused(a.try_matmul(&x(&[4, 2])), "matmul", "[4, 2]");
    refused(a.try_matmul(&x(&[])), "matmul", "scalars");
    refused(x(&[2, 2, 3]).try_matmul(&x(&[3, 3, 4])), "matmul", "[2, 2, 3]");
    let dims = DotDims { lhs_contract: vec![0, 0], rhs_contract: vec![0, 1], ..DotDims::default() };
    refused(a.try_dot_general(&a, dims), "dot", "lhs_contract: [0, 0]");
    let dims = DotDims { lhs_contract: vec![0], rhs_contract: vec![1], ..DotDims::default() };
    refused(a.try_dot_general(&a, dims), "dot", "axis 0");
    refused(Expr::try_select(&x(&[5]), &a, &a), "select", "[5]");
    refused(Tensor::new([2, 2], vec![1.0f32]), "shape [2, 2]", "1 were given");
}

#[test]
fn windows_that_do_not_fit() {
    let image = x(&[1, 4, 5, 5]);
    let w = x(&[6, 2, 3, 3]);
    refused(image.try_conv(&w, &Conv::default()), "conv", "4 input and 6 output channels");
    refused(image.try_conv(&x(&[6, 4, 7, 7]), &Conv::default()), "conv", "[7, 7]");
    refused(image.try_conv(&x(&[6, 4, 3]), &Conv::default()), "conv", "rank");
    refused(image.try_conv(&x(&[6, 4]), &Conv::default()), "conv", "[6, 4]");
    refused(image.try_conv(&x(&[6, 4, 0, 3]), &Conv::default()), "conv", "[0, 3]");
    refused(image.try_conv(&w, &Conv { groups: 0, ..Conv::default() }), "conv", "positive");
    refused(image.try_conv(&w, &Conv { strides: vec![0, 1], groups: 2, ..Conv::default() }), "conv", "positive");
    let padding = Conv { padding: vec![(9, 9), (9, 9)], ..Conv::default() };
    refused(image.try_conv_transpose(&x(&[4, 2, 3, 3]), &padding, &[]), "conv_transpose", "padding");
    let pool = Pool { window: vec![2, 2], padding: vec![(2, 0), (0, 0)], ..Pool::default() };
    refused(image.try_max_pool(&pool), "max_pool", "padding must be smaller");
    refused(image.try_max_pool(&Pool::square(6, 2)), "max_pool", "[6, 6]");
    refused(image.try_max_pool(&Pool::square(0, 2)), "max_pool", "positive");
    let jumping = Pool { window: vec![2; 2], strides: vec![1; 2], padding: vec![(3, 3); 2], dilation: vec![6; 2] };
    refused(image.try_max_pool(&jumping), "max_pool", "dilation must not exceed");
    refused(image.try_avg_pool(&Pool::square(2, 1), false), "avg_pool", "rank 3");
    refused(image.try_avg_pool(&Pool::square(0, 2), false), "conv", "positive strides");
}

// Numbers as a damaged or hostile file may hold them: no arithmetic on sizes overflows.
#[test]
fn absurd_parameters() {
    let (image, w) = (x(&[1, 2, 4, 4]), x(&[2, 2, 3, 3]));
    let huge = vec![usize::MAX; 2];
    let all_huge = vec![(usize::MAX, usize::MAX); 2];
    let convs = [
        Conv { dilation: huge.clone(), ..Conv::default() },
        Conv { dilation: huge.clone(), ..Conv::same() },
        Conv { padding: all_huge.clone(), ..Conv::default() },
        Conv { groups: usize::MAX, ..Conv::default() },
        Conv { groups: 1 << 63, ..Conv::default() },
        Conv { dilation: vec![usize::MAX / 2; 2], padding: all_huge.clone(), ..Conv::default() },
    ];
    for conv in convs {
        assert!(image.try_conv(&w, &conv).is_err(), "{conv:?}");
        assert!(image.try_conv_transpose(&w, &conv, &[]).is_err(), "{conv:?}");
    }
    let strided = Conv { strides: huge.clone(), ..Conv::default() };
    assert!(image.try_conv_transpose(&w, &strided, &huge).is_err());
    for pool in [
        Pool::square(usize::MAX, 2),
        Pool::square(1 << 40, 2),
        Pool { dilation: huge.clone(), ..Pool::square(3, 2) },
        Pool { padding: all_huge, ..Pool::square(2, 2) },
        Pool { strides: vec![0, 0], ..Pool::square(2, 2) },
        Pool { strides: vec![1], ..Pool::square(2, 2) },
        Pool { dilation: vec![2], padding: vec![(0, 0)], ..Pool::square(2, 2) },
    ] {
        assert!(image.try_max_pool(&pool).is_err(), "{pool:?}");
    }
    assert!(image.try_avg_pool(&Pool::square(usize::MAX, 2), true).is_err());
    assert!(image.try_avg_pool(&Pool::square(1 << 40, 2), false).is_err());
}

#[test]
fn types_that_do_not_fit() {
    let (a, b) = (x(&[2]), Expr::input("b", [2], DType::F64));
    refused(a.try_add(&b), "add", "f32 and f64");
    refused(Expr::input("i", [2], DType::I64).try_unary(perturb_graph::Unary::Exp), "exp", "i64");
    refused(Expr::try_concat(&[a.clone(), b.clone()], 0), "concat", "f32 and f64");
    refused(vjp(&[a.exp()], &[a.clone()], &[b.clone()]), "vjp", "f64");
    refused(vjp(&[a.exp()], &[a.clone()], &[x(&[3])]), "vjp", "[3]");
    refused(vjp(&[a.exp()], &[a.clone()], &[]), "vjp", "covector");
    refused(vmap(&[a.exp()], &[(a.clone(), x(&[5, 3]))], 5), "vmap", "[5, 2]");
    refused(substitute(&[a.exp().add(&x(&[2]))], &[(a.clone(), b)]), "add", "f64 and f32");
}

#[test]
fn domains_that_do_not_fit() {
    let input = x(&[2]);
    let output = input.relu();
    let over =
        |domain: Domain| linear_bounds(&[output.clone()], &[(input.clone(), domain)], LinearBoundsOptions::default());
    refused(over(Domain::Box { lo: x(&[3]), hi: x(&[3]) }), "linear_bounds", "[3]");
    let ball = |radius: Expr, norm: Norm| Domain::Ball { center: input.like(0.0), radius, norm, within: None };
    refused(over(ball(x(&[2]), Norm::L2)), "linear_bounds", "radius of one element");
    refused(over(ball(Expr::scalar(1.0, DType::F64), Norm::Linf)), "linear_bounds", "f32[2]");
    assert!(over(ball(Expr::full([1, 1], 1.0, DType::F32), Norm::Linf)).is_ok());
}

#[test]
fn tensors_that_are_too_large() {
    let terabyte = Expr::try_input("x", [1 << 20, 1 << 18], DType::F32);
    assert!(matches!(terabyte, Err(GraphError::TooLarge { bytes, .. }) if bytes == 1 << 40));
    refused(terabyte, "input", "1099511627776 bytes");
    refused(Expr::try_input("x", [usize::MAX, usize::MAX, usize::MAX], DType::F64), "input", "more than the limit");
    // An axis of size 0 does not make the others harmless.
    refused(Expr::try_input("x", [0, usize::MAX, 4], DType::F64), "input", "more than the limit");
    let (column, row) = (x(&[1 << 18, 1]), x(&[1, 1 << 18]));
    refused(column.try_add(&row), "broadcast", "more than the limit");
    refused(column.try_matmul(&row), "dot", "more than the limit");
    refused(x(&[4]).try_broadcast_to([1 << 40, 4]), "broadcast", "more than the limit");
    refused(x(&[4]).try_pad(&[1 << 60], &[0]), "pad", "more than the limit");
    refused(Tensor::new([usize::MAX, 2], vec![0.0f32]), "shape", "1 were given");
}

// Batching multiplies inner tensors too.
#[test]
fn batches_that_are_too_large() {
    let input = x(&[1, 1]);
    let wide = input.broadcast_to([1, 1 << 20]).relu().reduce_sum(&[1], false);
    let graph = Graph::new(vec![input.clone()], vec![("y".into(), wide.clone())]).unwrap();
    assert!(graph.vmap(8).is_ok());
    refused(graph.vmap(1 << 20), "vmap", "more than the limit");
    let many = x(&[1 << 16, 1]).broadcast_to([1 << 16, 1 << 4]).relu();
    let over = many.inputs()[0].clone();
    let lo = over.like(0.0);
    let domain = Domain::Box { hi: over.like(1.0), lo };
    refused(linear_bounds(&[many], &[(over, domain)], LinearBoundsOptions::default()), "linear_bounds", "limit");
}

#[test]
fn graphs_name_inputs_that_are_missing() {
    let (a, b) = (x(&[1]), Expr::input("mask", [1], DType::F32));
    let error = Graph::new(vec![a.clone()], vec![("y".into(), a.mul(&b))]).unwrap_err();
    assert!(error.to_string().contains("mask"), "{error}");
    let missing = eval(&[a.mul(&b)], &[(a, Tensor::new([1], vec![1.0f32]).unwrap())]).unwrap_err();
    assert!(missing.to_string().contains("'mask'"), "{missing}");
}

// 200,000 nodes in a row: no transform and no destructor recurses.
#[test]
fn deep_graphs() {
    const DEPTH: usize = 200_000;
    let start = Instant::now();
    let input = Expr::input("x", [1], DType::F64);
    let mut y = input.clone();
    for _ in 0..DEPTH {
        y = y.add(&input);
    }
    let feed = [(input.clone(), Tensor::new([1], vec![0.5]).unwrap())];
    let gradient = grad(&y, &[input.clone()]).unwrap();
    let tangent = jvp(&[y.clone()], &[input.clone()], &[Some(input.like(2.0))]).remove(0).unwrap();
    let values = run(&[y.clone(), gradient[0].clone(), tangent.clone()], &feed);
    let n = (DEPTH + 1) as f64;
    assert_close("deep sum", &values.concat(), &[0.5 * n, n, 2.0 * n], 1e-12);
    let batched = vmap(&[y.clone()], &[(input.clone(), Expr::input("xs", [2, 1], DType::F64))], 2).unwrap();
    drop((y, gradient, tangent, batched));
    assert!(start.elapsed() < Duration::from_secs(60), "took {:?}", start.elapsed());
}

#[test]
fn what_transforms_are_given() {
    let (a, b) = (x(&[2]), Expr::input("b", [2], DType::F64));
    let y = [a.exp()];
    refused(try_jvp(&y, &[a.clone()], &[Some(x(&[3]))]), "jvp", "[3]");
    refused(try_jvp(&y, &[a.clone()], &[Some(b.clone())]), "jvp", "f64");
    refused(try_jvp(&y, &[a.clone()], &[]), "jvp", "each of 1 inputs, not 0");
    let of = |lo: Expr, hi: Expr| try_interval(&y, &[(a.clone(), Interval { lo, hi })], Rounding::Nearest);
    refused(of(x(&[2]), x(&[1])), "interval", "[1]");
    refused(of(b.clone(), b), "interval", "f64");
    assert!(of(x(&[2]), x(&[2])).is_ok());
}
