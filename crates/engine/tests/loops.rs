//! Loops, Fourier transforms, factorisations and random words against the definitions of their primitives.

use perturb_engine::{EngineError, Executable, Options};
use perturb_graph::{
    Cholesky, DType, Eigh, Expr, Fft, Gather, Qr, RandomBits, Shape, Solve, Svd, Tensor, TriangularSolve, eval, grad,
    vmap,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(rng: &mut ChaCha8Rng, shape: &Shape, dtype: DType) -> Tensor {
    let values = (0..shape.count()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_f64(shape, dtype, values).unwrap()
}

fn input(shape: impl Into<Shape>, dtype: DType) -> Expr {
    Expr::input("x", shape, dtype)
}

// Compares with the reference evaluator, twice with one thread and once with three, which must agree in every bit.
fn check(name: &str, outputs: &[Expr], inputs: &[Expr], feeds: &[Tensor]) {
    let pairs: Vec<(Expr, Tensor)> = inputs.iter().cloned().zip(feeds.iter().cloned()).collect();
    let expected = eval(outputs, &pairs).unwrap();
    let exe = Executable::compile(outputs, inputs, &Options::default()).unwrap();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| exe.run(&feeds.iter().collect::<Vec<_>>()).unwrap())
    };
    let got = run(1);
    for (g, e) in got.iter().zip(&expected) {
        assert_eq!((g.shape(), g.dtype()), (e.shape(), e.dtype()), "{name}");
        let (g, e) = (g.to_f64_vec(), e.to_f64_vec());
        let scale = e.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        let tolerance = if outputs[0].dtype() == DType::F32 { 2e-5 } else { 1e-12 } * scale;
        for (i, (a, b)) in g.iter().zip(&e).enumerate() {
            let same = (a - b).abs() <= tolerance || a == b || (a.is_nan() && b.is_nan());
            assert!(same, "{name}, element {i}: {a} instead of {b}");
        }
    }
    for threads in [1, 3] {
        let again = run(threads);
        let bits = |t: &[Tensor]| t.iter().flat_map(Tensor::to_f64_vec).map(f64::to_bits).collect::<Vec<u64>>();
        assert_eq!(bits(&got), bits(&again), "{name}: {threads} threads");
    }
}

fn both(name: &str, inputs: impl Fn(DType) -> Vec<Expr>, build: impl Fn(&[Expr]) -> Vec<Expr>) {
    for dtype in [DType::F32, DType::F64] {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let inputs = inputs(dtype);
        let feeds: Vec<Tensor> = inputs.iter().map(|i| random(&mut rng, i.shape(), dtype)).collect();
        check(name, &build(&inputs), &inputs, &feeds);
    }
}

/// A recurrent network: the state, all states and a readout of each.
fn recurrent(x: &[Expr], length: usize, reverse: bool) -> Vec<Expr> {
    let [h, u, w, v, b] = x else { panic!("five inputs") };
    let (last, all) = Expr::scan(&[h.clone()], &[u.clone()], length, reverse, |h, u| {
        let next = h[0].matmul(w).add(&u[0].matmul(v)).add(b).tanh();
        Ok((vec![next.clone()], vec![next.clone(), next.square().reduce_sum(&[1], false)]))
    })
    .unwrap();
    vec![last[0].clone(), all[0].clone(), all[1].clone()]
}

fn recurrent_inputs(length: usize, dtype: DType) -> Vec<Expr> {
    let shapes = [vec![4, 6], vec![length, 4, 3], vec![6, 6], vec![3, 6], vec![6]];
    shapes.into_iter().map(|s| input(s, dtype)).collect()
}

#[test]
fn loops_of_every_length_both_ways() {
    for length in [0, 1, 2, 7] {
        for reverse in [false, true] {
            let name = format!("{length} steps, reverse {reverse}");
            both(&name, |dtype| recurrent_inputs(length, dtype), |x| recurrent(x, length, reverse));
        }
    }
}

#[test]
fn derivatives_and_batches_of_loops() {
    for reverse in [false, true] {
        both(
            "gradients",
            |dtype| recurrent_inputs(5, dtype),
            |x| {
                let y = recurrent(x, 5, reverse);
                let loss = y[0].sum().add(&y[1].square().sum()).add(&y[2].sum());
                let first = grad(&loss, x).unwrap();
                let second = grad(&first[2].square().sum(), &[x[2].clone(), x[1].clone()]).unwrap();
                [first, second].concat()
            },
        );
    }
    both(
        "batch",
        |dtype| [vec![input([3, 4, 6], dtype)], recurrent_inputs(5, dtype)].concat(),
        |x| {
            let y = recurrent(&x[1..], 5, false);
            vmap(&y, &[(x[1].clone(), x[0].clone())], 3).unwrap()
        },
    );
}

#[test]
fn states_that_change_places_stay_or_come_from_outside() {
    both(
        "states",
        |dtype| vec![input([3], dtype), input([3], dtype), input([4, 3], dtype)],
        |x| {
            let (last, all) =
                Expr::scan(&[x[0].clone(), x[1].clone(), x[0].clone()], &[x[2].clone()], 4, false, |c, s| {
                    Ok((vec![c[1].clone(), c[0].clone(), c[2].clone()], vec![s[0].clone(), c[0].clone(), x[1].exp()]))
                })
                .unwrap();
            [last, all].concat()
        },
    );
}

#[test]
fn loops_inside_of_loops() {
    both(
        "nested",
        |dtype| vec![input([3], dtype), input([4, 5, 3], dtype), input([3], dtype)],
        |x| {
            let (last, all) = Expr::scan(&[x[0].clone()], &[x[1].clone()], 4, false, |c, s| {
                let (inner, rows) = Expr::scan(&[c[0].clone()], &[s[0].clone()], 5, true, |d, t| {
                    let next = d[0].mul(&x[2]).add(&t[0]).sin();
                    Ok((vec![next.clone()], vec![next.mul(&c[0])]))
                })?;
                Ok((vec![inner[0].clone()], vec![rows[0].clone()]))
            })
            .unwrap();
            let gradient = grad(&all[0].sum().add(&last[0].sum()), &x[2..]).unwrap();
            [last, all, gradient].concat()
        },
    );
}

#[test]
fn slices_and_captured_values_of_other_types() {
    let (table, words) = (input([5, 2], DType::F32), input([6], DType::I64));
    let (last, all) = Expr::scan(&[Expr::full([2], 0.0, DType::F32)], &[words.clone()], 6, false, |c, w| {
        let row = Expr::apply(Gather { axis: 0, batch: 0 }, &[table.clone(), w[0].clone()])?;
        let even = w[0].cast(DType::F32).broadcast_to([2]);
        let next = c[0].scale(0.5).add(&row).add(&even);
        Ok((vec![next.clone()], vec![next]))
    })
    .unwrap();
    let inputs = [table, words];
    let table = random(&mut ChaCha8Rng::seed_from_u64(1), &[5, 2].into(), DType::F32);
    let feeds = [table.clone(), Tensor::new([6], vec![0i64, 4, 2, 2, 1, 3]).unwrap()];
    check("words", &[last[0].clone(), all[0].clone()], &inputs, &feeds);
    // An error in the fourth step passes through, and the executable goes on working.
    let exe = Executable::compile(&all, &inputs, &Options::default()).unwrap();
    let wrong = Tensor::new([6], vec![0i64, 1, 2, 5, 1, 3]).unwrap();
    assert_eq!(exe.run(&[&table, &wrong]), Err(EngineError::Index { op: "gather", index: 5, size: 5 }));
    assert!(exe.run(&[&feeds[0], &feeds[1]]).is_ok());
}

#[test]
fn transforms_of_any_length() {
    for (lines, n) in [(1, 1), (3, 2), (2, 7), (5, 64), (4, 101), (0, 4), (700, 30)] {
        both(
            &format!("transform of {n}"),
            |dtype| vec![input([lines, n, 2], dtype)],
            |x| {
                let forward = Expr::apply(Fft { inverse: false }, &[x[0].clone()]).unwrap();
                let back = Expr::apply(Fft { inverse: true }, &[x[0].reverse(&[1])]).unwrap();
                vec![forward, back]
            },
        );
    }
}

#[test]
fn factorisations_and_solutions() {
    for (lead, m, n, k) in
        [(vec![], 3, 3, 2), (vec![4], 5, 2, 1), (vec![2, 3], 1, 4, 3), (vec![60], 9, 8, 8), (vec![0], 2, 2, 1)]
    {
        let shape = |rows, columns| lead.iter().copied().chain([rows, columns]).collect::<Shape>();
        both(
            &format!("{lead:?} {m}x{n}"),
            |dtype| vec![input(shape(m, n), dtype), input(shape(n, n), dtype), input(shape(n, k), dtype)],
            |x| {
                let rank = x[1].rank();
                let turned = x[1].move_axis(rank - 1, rank - 2);
                let definite = x[1].matmul(&turned).add(&identity(&x[1]));
                let shifted = x[1].add(&identity(&x[1]).scale(3.0));
                let one = |op: perturb_graph::Op, x: &Expr| Expr::apply(op, &[x.clone()]).unwrap();
                let mut outputs = vec![
                    one(Cholesky.into(), &definite),
                    one(Eigh.into(), &definite),
                    one(Qr.into(), &x[0]),
                    one(Svd.into(), &x[0]),
                    Expr::apply(Solve, &[shifted.clone(), x[2].clone()]).unwrap(),
                ];
                for (lower, transpose) in [(true, false), (true, true), (false, false), (false, true)] {
                    let solve = TriangularSolve { lower, transpose };
                    outputs.push(Expr::apply(solve, &[shifted.clone(), x[2].clone()]).unwrap());
                }
                outputs
            },
        );
    }
}

// A unit matrix for every matrix of a stack.
fn identity(like: &Expr) -> Expr {
    let n = like.shape()[like.rank() - 1];
    let values = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
    Expr::constant(Tensor::from_f64([n, n], like.dtype(), values).unwrap()).broadcast_to(like.shape())
}

#[test]
fn a_matrix_that_is_not_definite_has_no_factor() {
    let x = input([2, 2], DType::F64);
    let exe = Executable::compile(&[Expr::apply(Cholesky, &[x.clone()]).unwrap()], &[x], &Options::default()).unwrap();
    let out = exe.run(&[&Tensor::new([2, 2], vec![1.0, 2.0, 2.0, 1.0]).unwrap()]).unwrap();
    assert!(out[0].as_slice::<f64>().iter().all(|v| v.is_nan()));
}

#[test]
fn random_words_are_those_of_the_definition() {
    for (keys, shape) in [
        (vec![2], vec![7]),
        (vec![3, 2], vec![2, 5]),
        (vec![2], vec![50001]),
        (vec![0, 2], vec![3]),
        (vec![2], vec![0]),
    ] {
        let key = input(keys.clone(), DType::I64);
        let words = Expr::apply(RandomBits { shape: shape.clone().into() }, &[key.clone()]).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let seeds = (0..keys.iter().product()).map(|_| rng.random::<i64>()).collect();
        let feed = Tensor::new(keys, seeds).unwrap();
        let exe = Executable::compile(&[words.clone()], &[key.clone()], &Options::default()).unwrap();
        assert_eq!(exe.run(&[&feed]).unwrap(), eval(&[words], &[(key, feed)]).unwrap(), "{shape:?}");
    }
}

/// Known answers of Random123 (`kat_vectors`, philox4x32 10): key and counter all zero.
#[test]
fn random_words_have_the_published_values() {
    let key = input([2], DType::I64);
    let words = Expr::apply(RandomBits { shape: [4].into() }, &[key.clone()]).unwrap();
    let exe = Executable::compile(&[words], &[key], &Options::default()).unwrap();
    let out = exe.run(&[&Tensor::new([2], vec![0i64, 0]).unwrap()]).unwrap();
    assert_eq!(out[0].as_slice::<i64>(), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
}

#[test]
fn statistics_count_what_a_loop_does() {
    let x = recurrent_inputs(7, DType::F32);
    let exe = Executable::compile(&recurrent(&x, 7, false), &x, &Options::default()).unwrap();
    assert_eq!(exe.statistics().flops, 7 * 2 * (4 * 6 * 6 + 4 * 3 * 6));
}
