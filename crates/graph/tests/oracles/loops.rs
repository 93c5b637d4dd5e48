//! Loops against the same graphs written out by hand.

use crate::interval::escape;
use crate::numbers::{assert_close, inner_all, run, seeded, uniform};
use crate::samples::recurrent;
use perturb_graph::{
    Body, DType, Domain, Expr, LinearBoundsOptions, Op, Primitive, Scan, Tensor, grad, jvp, linear_bounds, topological,
    unroll, vjp, vmap,
};
use std::sync::Arc;

// `recurrent`, step by step.
fn written_out(h: &Expr, x: &Expr, w: &Expr, reverse: bool) -> (Expr, Expr) {
    let (length, n) = (x.shape()[0], h.shape()[0]);
    let (mut state, mut rows) = (h.clone(), vec![None; length]);
    let order: Vec<usize> = if reverse { (0..length).rev().collect() } else { (0..length).collect() };
    for t in order {
        state = w.matmul(&state).add(&x.slice_axis(0, t, t + 1).reshape([n])).tanh();
        rows[t] = Some(state.square().mul(&w.slice_axis(0, 0, 1).reshape([n])).reshape([1, n]));
    }
    let rows: Vec<Expr> = rows.into_iter().flatten().collect();
    (state, Expr::concat(&rows, 0))
}

fn inputs(length: usize, n: usize) -> [Expr; 3] {
    let input = |name: &str, shape: &[usize]| Expr::input(name, shape, DType::F64);
    [input("h", &[n]), input("x", &[length, n]), input("w", &[n, n])]
}

fn feeds(inputs: &[Expr], seed: u64) -> Vec<(Expr, Tensor)> {
    let rng = &mut seeded(seed);
    inputs.iter().map(|i| (i.clone(), uniform(rng, i.shape(), DType::F64, (-0.8, 0.8)))).collect()
}

// Weighted sum of both results, so that every element of the gradient differs.
fn loss((last, all): &(Expr, Expr)) -> Expr {
    let weights = Expr::constant(uniform(&mut seeded(3), all.shape(), DType::F64, (-1.0, 1.0)));
    last.exp().sum().add(&all.mul(&weights).sum())
}

#[test]
fn derivatives_of_two_orders_are_those_of_the_steps() {
    for (length, reverse) in [(1, false), (2, true), (5, false), (5, true)] {
        let variables = inputs(length, 3);
        let [h, x, w] = &variables;
        let of = |y: &Expr| {
            let first = grad(y, &variables).unwrap();
            let squares = first.iter().skip(1).fold(first[0].square().sum(), |sum, g| sum.add(&g.square().sum()));
            let second = grad(&squares, &variables).unwrap();
            [vec![y.clone()], first, second].concat()
        };
        let looped = of(&loss(&recurrent(h, x, w, reverse)));
        let direct = of(&loss(&written_out(h, x, w, reverse)));
        let at = feeds(&variables, length as u64);
        for (got, want) in run(&looped, &at).iter().zip(run(&direct, &at)) {
            assert_close(&format!("{length} steps, reverse {reverse}"), got, &want, 1e-12);
        }
        assert!(looped.iter().all(|y| topological(&[y.clone()]).iter().any(|n| matches!(n.op(), Op::Scan(_)))));
    }
}

#[test]
fn unrolled_loops_have_the_same_value_and_no_loop() {
    let variables = inputs(4, 2);
    let [h, x, w] = &variables;
    let y = loss(&recurrent(h, x, w, false));
    let outputs = [vec![y.clone()], grad(&y, &variables).unwrap()].concat();
    let plain = unroll(&outputs, &variables).unwrap();
    assert!(topological(&plain).iter().all(|n| !matches!(n.op(), Op::Scan(_))));
    let at = feeds(&variables, 11);
    for (got, want) in run(&plain, &at).iter().zip(run(&outputs, &at)) {
        assert_close("unrolled", got, &want, 1e-14);
    }
    // Only what depends on the variables is written out.
    let other = Expr::input("other", [2], DType::F64);
    let kept = unroll(&[y.clone()], &[other]).unwrap();
    assert_eq!(kept[0].id(), y.id());
}

fn checkpointed(variables: &[Expr; 3], every: usize, reverse: bool) -> (Expr, Expr) {
    let [h, x, w] = variables;
    let length = x.shape()[0];
    let (finals, stacks) = Expr::scan_checkpointed(&[h.clone()], &[x.clone()], length, reverse, every, |state, row| {
        let next = w.matmul(&state[0]).add(&row[0]).tanh();
        let weight = w.slice_axis(0, 0, 1).reshape(state[0].shape());
        Ok((vec![next.clone()], vec![next.square().mul(&weight)]))
    })
    .unwrap();
    (finals[0].clone(), stacks[0].clone())
}

#[test]
fn checkpoints_change_neither_values_nor_gradients() {
    for length in [1, 4, 7] {
        for (every, reverse) in [(1, false), (2, true), (3, false), (3, true), (7, false), (9, true)] {
            let variables = inputs(length, 2);
            let [h, x, w] = &variables;
            let of = |y: Expr| [grad(&y, &variables).unwrap(), vec![y]].concat();
            let got = of(loss(&checkpointed(&variables, every, reverse)));
            let want = of(loss(&recurrent(h, x, w, reverse)));
            let at = feeds(&variables, length as u64);
            for (got, want) in run(&got, &at).iter().zip(run(&want, &at)) {
                assert_close(&format!("{length} steps, every {every}, reverse {reverse}"), got, &want, 1e-13);
            }
        }
    }
}

// The most elements of any loop's result, in the graph and in the bodies of its loops.
fn largest_loop(outputs: &[Expr]) -> usize {
    let size = |node: &Expr| match node.op() {
        Op::Scan(scan) => node.shape().count().max(largest_loop(&scan.body.results())),
        _ => 0,
    };
    topological(outputs).iter().map(size).max().unwrap_or(0)
}

#[test]
fn checkpoints_save_memory() {
    let (length, n) = (64, 5);
    let h = Expr::input("h", [n], DType::F64);
    let step = |state: &[Expr], _: &[Expr]| Ok((vec![state[0].sin()], vec![]));
    let plain = Expr::scan(&[h.clone()], &[], length, false, step).unwrap().0[0].sum();
    let saving = Expr::scan_checkpointed(&[h.clone()], &[], length, false, 8, step).unwrap().0[0].sum();
    let largest = |y: &Expr| largest_loop(&grad(y, &[h.clone()]).unwrap());
    assert!(largest(&plain) >= length * n);
    assert!(largest(&saving) <= (8 + 2) * n, "{}", largest(&saving));
}

// A state that no derivative needs is not stacked: the adjoint of a linear loop is a single loop.
#[test]
fn linear_loops_store_no_states() {
    let x = Expr::input("x", [6, 3], DType::F64);
    let (finals, _) = Expr::scan(&[Expr::full([3], 0.0, DType::F64)], &[x.clone()], 6, false, |s, row| {
        Ok((vec![s[0].scale(0.5).add(&row[0])], vec![]))
    })
    .unwrap();
    let gradient = grad(&finals[0].sum(), &[x.clone()]).unwrap();
    let loops = topological(&gradient).iter().filter(|n| matches!(n.op(), Op::Scan(_))).count();
    assert_eq!(loops, 1);
    let at = Tensor::full([6, 3], 1.0);
    let want: Vec<f64> = (0..18).map(|i| 0.5f64.powi(5 - i / 3)).collect();
    assert_eq!(run(&gradient, &[(x, at)])[0], want);
}

// In which operands a loop is linear: what is added to something that varies has to vary with it.
#[test]
fn groups_of_linear_operands() {
    let input = |name: &str| Expr::input(name, [2], DType::F64);
    let (s, row, w) = (input("s"), input("row"), input("w"));
    let scan = |next: Expr, output: Expr| Scan {
        body: Arc::new(
            Body::new(vec![s.clone()], vec![row.clone()], vec![w.clone()], vec![next], vec![output]).unwrap(),
        ),
        length: 3,
        reverse: false,
    };
    let affine = scan(s.mul(&w).add(&row), s.clone());
    assert_eq!(affine.linear_in(&[true, false, false]), Some(vec![true, true, false]));
    assert_eq!(affine.linear_in(&[false, true, false]), Some(vec![true, true, false]));
    // The weight multiplies a state that varies with it.
    assert_eq!(affine.linear_in(&[false, false, true]), None);
    // A constant is no operand that could join, and neither can the exponential of a row.
    assert_eq!(scan(s.offset(1.0), s.clone()).linear_in(&[true, false, false]), None);
    assert_eq!(scan(s.add(&row.exp()), s.clone()).linear_in(&[true, false, false]), None);
    assert_eq!(scan(s.add(&s.like(0.0)), s.clone()).linear_in(&[true, false, false]), Some(vec![true, false, false]));
    // A result that does not vary is a constant part.
    assert_eq!(scan(s.clone(), w.exp()).linear_in(&[true, false, false]), None);
}

#[test]
fn long_loops_need_no_stack() {
    let length = 5000;
    let x = Expr::input("x", [], DType::F64);
    let decay = 1.0 - 1e-3;
    let (finals, _) =
        Expr::scan(&[x.clone()], &[], length, false, |s, _| Ok((vec![s[0].scale(decay)], vec![]))).unwrap();
    let outputs = [finals[0].clone(), grad(&finals[0].square(), &[x.clone()]).unwrap().remove(0)];
    let got = run(&outputs, &[(x, Tensor::scalar(2.0))]);
    let want = 2.0 * decay.powi(length as i32);
    assert_close("value", &got[0], &[want], 1e-10);
    assert_close("gradient", &got[1], &[2.0 * want * decay.powi(length as i32)], 1e-10);
    // Written out, the graph is as deep as the loop is long.
    let deep = unroll(&finals, &[outputs[0].inputs()[0].inputs()[0].clone()]).unwrap();
    drop(deep);
}

// Forward over reverse through a loop that contains the derivative of its own step.
#[test]
fn derivatives_within_and_around_loops() {
    let x = Expr::input("x", [2], DType::F64);
    // Newton's iteration for s² = x, with the derivative of s² − x taken by the step itself.
    let (finals, _) = Expr::scan(&[x.like(1.5)], &[], 6, false, |s, _| {
        let residual = s[0].square().sub(&x);
        let slope = grad(&residual, &[s[0].clone()])?.remove(0);
        Ok((vec![s[0].sub(&residual.div(&slope))], vec![]))
    })
    .unwrap();
    let first = grad(&finals[0], &[x.clone()]).unwrap().remove(0);
    let second = jvp(&[first.clone()], &[x.clone()], &[Some(x.like(1.0))]).remove(0).unwrap();
    let at = (x.clone(), Tensor::new([2], vec![2.0, 3.0]).unwrap());
    let got = run(&[finals[0].clone(), first, second], &[at]);
    assert_close("root", &got[0], &[2f64.sqrt(), 3f64.sqrt()], 1e-14);
    assert_close("first", &got[1], &[0.5 / 2f64.sqrt(), 0.5 / 3f64.sqrt()], 1e-12);
    assert_close("second", &got[2], &[-0.25 * 2f64.powf(-1.5), -0.25 * 3f64.powf(-1.5)], 1e-11);
}

#[test]
fn adjoints_of_what_is_captured_or_sliced_alone() {
    let variables = inputs(4, 2);
    let [h, x, w] = &variables;
    let (last, all) = recurrent(h, x, w, true);
    let at = feeds(&variables, 21);
    let rng = &mut seeded(22);
    for variable in &variables {
        let direction = uniform(rng, variable.shape(), DType::F64, (-1.0, 1.0));
        let cotangents = [last.clone(), all.clone()].map(|y| uniform(rng, y.shape(), DType::F64, (-1.0, 1.0)));
        let seeds = [Some(Expr::constant(direction.clone()))];
        let forward = jvp(&[last.clone(), all.clone()], &[variable.clone()], &seeds);
        let forward: Vec<Expr> = forward.into_iter().map(Option::unwrap).collect();
        let constants: Vec<Expr> = cotangents.iter().cloned().map(Expr::constant).collect();
        let reverse = vjp(&[last.clone(), all.clone()], &[variable.clone()], &constants).unwrap();
        let numbers: Vec<Vec<f64>> = cotangents.iter().map(Tensor::to_f64_vec).collect();
        let left = inner_all(&numbers, &run(&forward, &at));
        let right = inner_all(&run(&reverse, &at), &[direction.to_f64_vec()]);
        assert_close(variable.name().unwrap(), &[right], &[left], 1e-13);
    }
}

#[test]
fn linear_bounds_pass_through_loops() {
    let variables = inputs(3, 2);
    let [h, x, w] = &variables;
    let weights = uniform(&mut seeded(5), w.shape(), DType::F64, (-1.0, 1.0));
    let center = uniform(&mut seeded(6), x.shape(), DType::F64, (-0.5, 0.5));
    let fix = |e: &Expr| {
        let pairs = [(w.clone(), Expr::constant(weights.clone())), (h.clone(), h.like(0.25))];
        perturb_graph::substitute(&[e.clone()], &pairs).unwrap().remove(0)
    };
    let looped = fix(&recurrent(h, x, w, false).1);
    let direct = fix(&written_out(h, x, w, false).1);
    let move_by = |by: f64| {
        let values = center.to_f64_vec().iter().map(|v| v + by).collect();
        Expr::constant(Tensor::from_f64(x.shape(), DType::F64, values).unwrap())
    };
    let domain = Domain::Box { lo: move_by(-0.1), hi: move_by(0.1) };
    let ends = |y: &Expr| {
        let found = linear_bounds(&[y.clone()], &[(x.clone(), domain.clone())], LinearBoundsOptions::default());
        let found = found.unwrap().remove(0);
        run(&[found.lo, found.hi], &[])
    };
    let (got, want) = (ends(&looped), ends(&direct));
    assert_close("lower", &got[0], &want[0], 1e-12);
    assert_close("upper", &got[1], &want[1], 1e-12);
    let rng = &mut seeded(7);
    for _ in 0..100 {
        let moved = uniform(rng, x.shape(), DType::F64, (-0.1, 0.1)).to_f64_vec();
        let values = center.to_f64_vec().iter().zip(moved).map(|(c, m)| c + m).collect();
        let at = Tensor::from_f64(x.shape(), DType::F64, values).unwrap();
        let value = run(&[looped.clone()], &[(x.clone(), at)]).remove(0);
        assert_eq!(escape(&got[0], &got[1], &value, 0.0), None);
    }
}

#[test]
fn bodies_and_operands_that_do_not_fit() {
    let input = |name: &str, shape: &[usize], dtype| Expr::input(name, shape, dtype);
    let x = input("x", &[3, 2], DType::F64);
    let message = |result: perturb_graph::Result<(Vec<Expr>, Vec<Expr>)>| result.unwrap_err().to_string();
    let keep = |s: &[Expr], _: &[Expr]| Ok((s.to_vec(), vec![]));
    assert!(message(Expr::scan(&[x.clone()], &[x.clone()], 4, false, keep)).contains("4 rows"));
    let grow = |s: &[Expr], _: &[Expr]| Ok((vec![s[0].repeat(2)], vec![]));
    assert!(message(Expr::scan(&[x.clone()], &[], 4, false, grow)).contains("state's shape"));
    let forget = |_: &[Expr], _: &[Expr]| Ok((vec![], vec![]));
    assert!(message(Expr::scan(&[x.clone()], &[], 4, false, forget)).contains("carried state"));
    let mix = |s: &[Expr], _: &[Expr]| Ok((s.to_vec(), vec![Expr::scalar(0.0, DType::F32)]));
    assert!(message(Expr::scan(&[x.clone()], &[], 4, false, mix)).contains("floating-point type"));
    assert!(message(Expr::scan_checkpointed(&[x.clone()], &[], 4, false, 0, keep)).contains("at least one step"));

    let s = input("s", &[2], DType::F64);
    let stray = Body::new(vec![s.clone()], vec![], vec![], vec![s.add(&input("w", &[2], DType::F64))], vec![]);
    assert!(stray.err().unwrap().to_string().contains("'w' must be captured"));
    let body = Body::new(vec![s.clone()], vec![], vec![], vec![s.exp()], vec![s.clone()]).unwrap();
    let scan = |length| Scan { body: Arc::new(body.clone()), length, reverse: false };
    assert!(Expr::apply(scan(3), &[x.clone()]).unwrap_err().to_string().contains("operand 0"));
    assert!(Expr::apply(scan(3), &[]).unwrap_err().to_string().contains("1 operand"));
    assert!(Expr::apply(scan(usize::MAX), &[s.clone()]).unwrap_err().to_string().contains("bytes"));
}

// A body that would be too large for every example at once is refused before it is built.
#[test]
fn batches_that_are_too_large() {
    let x = Expr::input("x", [1 << 10], DType::F64);
    let (finals, _) =
        Expr::scan(&[x.clone()], &[], 2, false, |s, _| Ok((vec![s[0].outer(&s[0]).reduce_sum(&[0], false)], vec![])))
            .unwrap();
    let size = 1 << 15;
    let batched = Expr::input("xs", [size, 1 << 10], DType::F64);
    assert!(vmap(&finals, &[(x, batched)], size).unwrap_err().to_string().contains("vmap"));
}
