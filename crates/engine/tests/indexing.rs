//! Kernels that convert, pick, place and order elements, against the definitions of their primitives.

use perturb_engine::{EngineError, Executable, Options};
use perturb_graph::{
    ArgMax, ArgSort, Binary, Cast, Compare, CumSum, DType, Expr, Gather, ReduceMax, ReduceSum, ScatterAdd, Sort,
    Tensor, Unary, eval,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const NUMBERS: [DType; 3] = [DType::F32, DType::F64, DType::I64];

/// Numbers with many ties, signs, and the special values of their type.
fn numbers(rng: &mut ChaCha8Rng, shape: &[usize], dtype: DType) -> Tensor {
    let count = shape.iter().product();
    let mut float = || match rng.random_range(0..12) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => f64::NEG_INFINITY,
        3 => -0.0,
        4 => 0.0,
        _ => f64::from(rng.random_range(-6..6)) / 2.0,
    };
    match dtype {
        DType::F32 => Tensor::new(shape, (0..count).map(|_| float() as f32).collect()).unwrap(),
        DType::F64 => Tensor::new(shape, (0..count).map(|_| float()).collect()).unwrap(),
        DType::I64 => {
            let special = [i64::MIN, i64::MAX, i64::MAX - 1, -1, 0, 1, 3];
            let value =
                |_| if rng.random_bool(0.5) { special[rng.random_range(0..7)] } else { rng.random_range(-9..9) };
            Tensor::new(shape, (0..count).map(value).collect()).unwrap()
        }
        DType::Bool => Tensor::new(shape, (0..count).map(|_| rng.random_bool(0.5)).collect()).unwrap(),
    }
}

fn indices(rng: &mut ChaCha8Rng, shape: &[usize], size: usize) -> Tensor {
    let count = shape.iter().product();
    Tensor::new(shape, (0..count).map(|_| rng.random_range(0..size as i64)).collect()).unwrap()
}

fn leaf(value: &Tensor) -> Expr {
    Expr::input("x", value.shape(), value.dtype())
}

// Equal, NaN to NaN, up to `tolerance` relative to the largest finite element.
fn same(name: &str, got: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!((got.shape(), got.dtype()), (expected.shape(), expected.dtype()), "{name}");
    if got.dtype() == DType::I64 {
        return assert_eq!(got, expected, "{name}");
    }
    let (g, e) = (got.to_f64_vec(), expected.to_f64_vec());
    let scale = e.iter().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
    for (i, (a, b)) in g.iter().zip(&e).enumerate() {
        let equal = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * scale;
        assert!(equal, "{name}, element {i}: {a} instead of {b}");
    }
}

// Compares with the reference evaluator, with one thread and with several.
fn check(name: &str, outputs: &[Expr], inputs: &[Expr], feeds: &[Tensor], tolerance: f64) {
    let pairs: Vec<(Expr, Tensor)> = inputs.iter().cloned().zip(feeds.iter().cloned()).collect();
    let expected = eval(outputs, &pairs).unwrap();
    let exe = Executable::compile(outputs, inputs, &Options::default()).unwrap();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| exe.run(&feeds.iter().collect::<Vec<_>>()).unwrap())
    };
    let one = run(1);
    for (got, want) in one.iter().zip(&expected) {
        same(name, got, want, tolerance);
    }
    let bits = |tensors: &[Tensor]| -> Vec<u64> {
        let all = tensors.iter().filter(|t| t.dtype() != DType::I64).flat_map(|t| t.to_f64_vec());
        all.map(f64::to_bits).collect()
    };
    let three = run(3);
    assert_eq!(bits(&one), bits(&three), "{name} with three threads");
}

fn tolerance(dtype: DType) -> f64 {
    if dtype == DType::F32 { 2e-5 } else { 1e-12 }
}

fn shapes(rng: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let mut random = || (0..3).map(|_| rng.random_range(1..9)).collect::<Vec<usize>>();
    vec![random(), random(), vec![1, 1, 1], vec![3, 40, 200], vec![2, 0, 3], vec![0, 4, 1], vec![5, 7000, 2]]
}

#[test]
fn orders_and_running_sums_along_every_axis() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for dtype in NUMBERS {
        for shape in shapes(&mut rng) {
            let feed = numbers(&mut rng, &shape, dtype);
            let x = leaf(&feed);
            for axis in 0..3 {
                let mut outputs = vec![];
                for flag in [false, true] {
                    outputs.push(Expr::apply(Sort { axis, descending: flag }, &[x.clone()]).unwrap());
                    outputs.push(Expr::apply(ArgSort { axis, descending: flag }, &[x.clone()]).unwrap());
                }
                outputs.extend((shape[axis] > 0).then(|| Expr::apply(ArgMax { axis }, &[x.clone()]).unwrap()));
                check(
                    &format!("orders of {dtype} {shape:?} along {axis}"),
                    &outputs,
                    &[x.clone()],
                    &[feed.clone()],
                    0.0,
                );
                // Sums of infinities of both signs are NaN from different places on in different orders of summation.
                let finite = x.minimum(&x.like(9.0)).maximum(&x.like(-9.0));
                let sums: Vec<Expr> = [(false, false), (true, false), (false, true), (true, true)]
                    .map(|(exclusive, reverse)| CumSum { axis, exclusive, reverse })
                    .map(|c| Expr::apply(c, &[finite.clone()]).unwrap())
                    .into();
                check(&format!("sums of {dtype} {shape:?}"), &sums, &[x.clone()], &[feed.clone()], tolerance(dtype));
            }
        }
    }
}

#[test]
fn a_sorted_view_of_a_view() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let feed = numbers(&mut rng, &[6, 5], DType::F64);
    let x = leaf(&feed);
    let turned = x.slice_axis(0, 1, 5).transpose(&[1, 0]).reverse(&[0]);
    let sorted = Expr::apply(Sort { axis: 0, descending: true }, &[turned]).unwrap();
    check("views", &[sorted.slice_axis(1, 1, 3).reshape([10]), sorted], &[x], &[feed], 0.0);
}

#[test]
fn gathers_and_scatters_of_every_type_and_axis() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for dtype in [DType::F32, DType::F64, DType::I64, DType::Bool] {
        for (x_shape, i_shape, axis, batch) in [
            (vec![7, 5], vec![4], 0, 0),
            (vec![7, 5], vec![], 1, 0),
            (vec![7, 5, 2], vec![2, 3], 1, 0),
            (vec![4, 6, 3], vec![4, 5], 1, 1),
            (vec![4, 3, 6], vec![4, 3, 2], 2, 2),
            (vec![4, 3, 6], vec![4, 9], 2, 1),
            (vec![1, 1], vec![1], 1, 0),
            (vec![3, 4], vec![0], 1, 0),
            (vec![0, 4], vec![3], 1, 0),
            (vec![300, 64], vec![700], 0, 0),
            (vec![2000], vec![40000], 0, 0),
            (vec![30, 200], vec![30, 900], 1, 1),
        ] {
            let x = numbers(&mut rng, &x_shape, dtype);
            let picks = indices(&mut rng, &i_shape, x_shape[axis]);
            let (xe, ie) = (leaf(&x), leaf(&picks));
            let gathered = Expr::apply(Gather { axis, batch }, &[xe.clone(), ie.clone()]).unwrap();
            let name = format!("{dtype} {x_shape:?} at {i_shape:?}, axis {axis}, batch {batch}");
            check(&name, &[gathered.clone()], &[xe, ie.clone()], &[x, picks.clone()], 0.0);
            if dtype != DType::Bool {
                let shape: Vec<usize> = gathered.shape().to_vec();
                let values = (0..gathered.shape().count()).map(|_| f64::from(rng.random_range(-9..9)) / 4.0).collect();
                let updates = Tensor::from_f64(shape, dtype, values).unwrap();
                let ue = leaf(&updates);
                let scatter = ScatterAdd { axis, batch, size: x_shape[axis] };
                let sum = Expr::apply(scatter, &[ue.clone(), ie.clone()]).unwrap();
                check(&format!("scatter {name}"), &[sum], &[ue, ie], &[updates, picks], tolerance(dtype));
            }
        }
    }
}

#[test]
fn an_index_outside_of_its_axis_is_an_error_that_names_it() {
    for (values, wrong) in [(vec![0i64, 3, 1], 3), (vec![-1, 0, 0], -1), (vec![i64::MAX, 0, 0], i64::MAX)] {
        let picks = Tensor::new([3], values).unwrap();
        let (x, i) = (Expr::input("x", [3, 2], DType::F32), Expr::input("i", [3], DType::I64));
        let feed = Tensor::full([3, 2], 1.0f32);
        for (op, y) in [
            ("gather", Expr::apply(Gather { axis: 0, batch: 0 }, &[x.clone(), i.clone()]).unwrap()),
            ("scatter_add", Expr::apply(ScatterAdd { axis: 0, batch: 0, size: 3 }, &[x.clone(), i.clone()]).unwrap()),
        ] {
            let exe = Executable::compile(&[y], &[x.clone(), i.clone()], &Options::default()).unwrap();
            let error = exe.run(&[&feed, &picks]).unwrap_err();
            assert_eq!(error, EngineError::Index { op, index: wrong, size: 3 });
            // The executable goes on working.
            assert!(exe.run(&[&feed, &Tensor::new([3], vec![0i64, 1, 2]).unwrap()]).is_ok());
        }
    }
}

#[test]
fn conversions_between_all_types() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let all = [DType::F32, DType::F64, DType::I64, DType::Bool];
    for from in all {
        for shape in [vec![], vec![0, 2], vec![5, 7], vec![30000]] {
            let feed = numbers(&mut rng, &shape, from);
            let x = leaf(&feed);
            let mut outputs: Vec<Expr> =
                all.iter().map(|&to| Expr::apply(Cast { to }, &[x.clone()]).unwrap()).collect();
            // There and back, of a view, and of a value known when compiling.
            outputs.push(x.cast(DType::F64).cast(from));
            outputs.push(x.repeat(2).cast(DType::F32).exp());
            let known = Expr::constant(Tensor::from_f64([], from, vec![1.9]).unwrap());
            outputs.extend(all.iter().map(|&to| known.cast(to).broadcast_to([3])));
            check(&format!("{from} {shape:?}"), &outputs, &[x], &[feed], 1e-6);
        }
    }
}

#[test]
fn integers_are_exact() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for shape in [vec![], vec![3, 5], vec![1], vec![0], vec![19000]] {
        let feeds = [numbers(&mut rng, &shape, DType::I64), numbers(&mut rng, &shape, DType::I64)];
        let (a, b) = (leaf(&feeds[0]), leaf(&feeds[1]));
        let mut outputs: Vec<Expr> = Vec::new();
        for f in Unary::ALL {
            outputs.extend(f.integer(0).and_then(|_| Expr::apply(f, &[a.clone()]).ok()));
        }
        for f in Binary::ALL {
            outputs.extend(f.integer(1, 1).and_then(|_| Expr::apply(f, &[a.clone(), b.clone()]).ok()));
        }
        assert!(outputs.len() >= 12);
        for c in [Compare::Equal, Compare::Greater, Compare::GreaterEqual, Compare::Less, Compare::LessEqual] {
            outputs.push(Expr::apply(c, &[a.clone(), b.clone()]).unwrap());
        }
        outputs.push(Expr::select(&outputs[outputs.len() - 1], &a, &b));
        // A fused chain with a constant beyond 2⁵³.
        let large = Expr::constant(Tensor::scalar((1i64 << 60) + 1)).broadcast_to(&shape[..]);
        outputs.push(a.mul(&b).add(&large).sub(&a).mul(&a));
        let axes: Vec<usize> = (0..shape.len()).collect();
        outputs.push(Expr::apply(ReduceSum { axes: axes.clone() }, &[a.clone()]).unwrap());
        if !shape.contains(&0) {
            outputs.push(Expr::apply(ReduceMax { axes }, &[a.clone()]).unwrap());
        }
        check(&format!("integers {shape:?}"), &outputs, &[a, b], &feeds, 0.0);
    }
}

#[test]
fn functions_of_two_operands_and_new_functions_of_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for dtype in [DType::F32, DType::F64] {
        let mut draw = |low: f64, high: f64| {
            let values = (0..600).map(|_| rng.random_range(low..high)).collect();
            Tensor::from_f64([600], dtype, values).unwrap()
        };
        let feeds = [draw(0.05, 4.0), draw(-3.0, 3.0), draw(-0.95, 0.95)];
        let [a, b, c] = [leaf(&feeds[0]), leaf(&feeds[1]), leaf(&feeds[2])];
        let mut outputs: Vec<Expr> =
            Binary::ALL.iter().map(|&f| Expr::apply(f, &[a.clone(), b.clone()]).unwrap()).collect();
        outputs.push(Expr::apply(Binary::Atan2, &[b.clone(), c.clone()]).unwrap());
        outputs.push(Expr::apply(Binary::Rem, &[b.clone(), a.clone()]).unwrap());
        outputs.push(Expr::apply(Binary::Pow, &[b.clone(), a.like(3.0)]).unwrap());
        for f in Unary::ALL {
            let x = match f {
                Unary::Log | Unary::Sqrt | Unary::Reciprocal => &a,
                Unary::Acosh => &a.offset(1.0),
                _ => &c,
            };
            outputs.push(Expr::apply(f, &[x.clone()]).unwrap());
        }
        check(&format!("functions of {dtype}"), &outputs, &[a, b, c], &feeds, tolerance(dtype));
    }
}
