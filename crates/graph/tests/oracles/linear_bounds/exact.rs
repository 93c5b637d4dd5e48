//! Bounds that are known in closed form.

use super::nets::weights;
use super::sets::{NORMS, Set};
use super::{NEAREST, both, bounds};
use crate::numbers::{assert_close, run, seeded};
use perturb_graph::{Conv, DType, Domain, Expr, Norm, Rounding, Tensor, linear_bounds};

fn constant<const N: usize>(values: [f64; N]) -> Expr {
    Expr::constant(Tensor::new([N], values.to_vec()).unwrap())
}

fn box_around(x: &Expr, lo: f64, hi: f64) -> (Expr, Domain) {
    (x.clone(), Domain::Box { lo: x.like(lo), hi: x.like(hi) })
}

// ⟨w, x⟩ + b over a set: the value at the centre, ± radius · dual norm; over a box, the corner that w points to.
fn affine_range(w: &[f64], b: f64, set: &Set) -> (f64, f64) {
    let dot = |x: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b;
    let over_box = |lo: &[f64], hi: &[f64]| {
        let corner =
            |up: bool| (0..w.len()).map(|i| if (w[i] > 0.0) == up { hi[i] } else { lo[i] }).collect::<Vec<_>>();
        (dot(&corner(false)), dot(&corner(true)))
    };
    let at = |side: f64| set.center.iter().map(|c| c + side * set.radius).collect::<Vec<_>>();
    let dual = match set.norm {
        None => return set.limits.as_ref().map(|(lo, hi)| over_box(lo, hi)).unwrap(),
        Some(Norm::Linf) => match &set.limits {
            None => return over_box(&at(-1.0), &at(1.0)),
            Some((lo, hi)) => {
                let low: Vec<f64> = at(-1.0).iter().zip(lo).map(|(a, b)| a.max(*b)).collect();
                let high: Vec<f64> = at(1.0).iter().zip(hi).map(|(a, b)| a.min(*b)).collect();
                return over_box(&low, &high);
            }
        },
        Some(Norm::L2) => w.iter().map(|w| w * w).sum::<f64>().sqrt(),
        Some(Norm::L1) => w.iter().fold(0.0, |m: f64, w| m.max(w.abs())),
    };
    (dot(&set.center) - set.radius * dual, dot(&set.center) + set.radius * dual)
}

// Affine graphs of several kinds of primitives; the matrix is read off the graph by feeding unit vectors.
#[test]
fn affine_graphs() {
    let x = Expr::input("x", [1, 2, 3], DType::F64);
    for seed in 0..24 {
        let rng = &mut seeded(seed);
        let layer = x.reshape([6]).matmul(&weights(rng, [6, 4], DType::F64)).add(&weights(rng, [4], DType::F64));
        let two = layer.matmul(&weights(rng, [4, 3], DType::F64)).sub(&layer.slice_axis(0, 1, 4));
        let kernel = weights(rng, [2, 2, 3], DType::F64);
        let conv = x.conv(&kernel, Conv::same()).add(&x.reverse(&[2])).transpose(&[2, 0, 1]).reshape([6]);
        let spread = x.broadcast_to([4, 2, 3]).mul(&weights(rng, [4, 2, 3], DType::F64)).reduce_sum(&[0, 2], false);
        for (output, norm) in [layer, two, conv, spread].iter().zip(NORMS.iter().cycle().skip(seed as usize)) {
            // A ball and limits that are no box together have no such closed form.
            let within = seed % 2 == 0 && matches!(norm, None | Some(Norm::Linf));
            let set = Set::random(rng, x.shape(), *norm, within, DType::F64);
            let value = |v: Vec<f64>| run(&[output.clone()], &[(x.clone(), set.tensor(&v))]).remove(0);
            let offset = value(vec![0.0; 6]);
            let columns: Vec<Vec<f64>> =
                (0..6).map(|j| value((0..6).map(|i| f64::from(u8::from(i == j))).collect())).collect();
            let (mut want_lo, mut want_hi) = (Vec::new(), Vec::new());
            for (i, b) in offset.iter().enumerate() {
                let row: Vec<f64> = columns.iter().map(|c| c[i] - b).collect();
                let (lo, hi) = affine_range(&row, *b, &set);
                want_lo.push(lo);
                want_hi.push(hi);
            }
            for options in both(Rounding::Nearest) {
                let (lo, hi) = bounds(output, &[(x.clone(), set.domain())], options);
                assert_close(&format!("lower, {norm:?}"), &lo, &want_lo, 1e-12);
                assert_close(&format!("upper, {norm:?}"), &hi, &want_hi, 1e-12);
            }
        }
    }
}

// A sum over copies of one element is exact only through a backward walk: the inner bound that the relu sees must be
// tightened. x − x + y ∈ [1, 2] exactly, [−1, 4] by intervals.
#[test]
fn inner_bounds_of_copies_are_tightened() {
    let x = Expr::input("x", [1], DType::F64);
    let signs = Expr::constant(Tensor::new([2, 1], vec![1.0, -1.0]).unwrap());
    let y = x.broadcast_to([1, 2]).matmul(&signs).reshape([1]).relu();
    let (lo, hi) = bounds(&y, &[box_around(&x, -1.0, 2.0)], NEAREST);
    assert_eq!((lo, hi), (vec![0.0], vec![0.0]));
}

// Closed forms of CROWN with the adaptive lower slope.
#[test]
fn single_neurons() {
    let x = Expr::input("x", [1], DType::F64);
    let over = |y: &Expr, lo: f64, hi: f64| {
        let (l, h) = bounds(y, &[box_around(&x, lo, hi)], NEAREST);
        (l[0], h[0])
    };
    assert_eq!(over(&x.relu(), -1.0, 3.0), (0.0, 3.0));
    assert_eq!(over(&x.relu(), 1.0, 3.0), (1.0, 3.0));
    assert_eq!(over(&x.relu(), -3.0, -1.0), (0.0, 0.0));
    // The chord ¾x + ¾ minus x is largest at −1; the lower line x minus x is 0. Intervals give [−3, 4].
    assert_eq!(over(&x.relu().sub(&x), -1.0, 3.0), (0.0, 1.0));
    // With the lower slope 0 (hi ≤ −lo): −x + [0, ¼x + ¾] over [−3, 1].
    assert_eq!(over(&x.relu().sub(&x), -3.0, 1.0), (-1.0, 3.0));
    // Two chords ½x + ½ and −½x + ½ sum to the exact maximum of |x|.
    assert_eq!(over(&x.relu().add(&x.neg().relu()), -1.0, 1.0), (0.0, 1.0));
    // The chord of x² over [−1, 3] is 2x + 3; the tangent at the middle 1 is 2x − 1.
    assert_eq!(over(&x.square().sub(&x.scale(2.0)), -1.0, 3.0), (-1.0, 3.0));
    // McCormick: x·(1 − x) with y = 1 − x over [0, 1]: both lower planes vanish; the upper ones are x and 1 − x.
    let (lo, hi) = over(&x.mul(&x.like(1.0).sub(&x)), 0.0, 1.0);
    assert!(lo == 0.0 && (0.25..=1.0).contains(&hi), "[{lo}, {hi}]");
}

// An affine map of eˣ, √x, log x, 1/x, tanh x over an interval: the chord and the tangent at the known point.
#[test]
fn chords_and_tangents() {
    let x = Expr::input("x", [1], DType::F64);
    let (lo, hi) = (0.5, 1.25);
    let middle: f64 = 0.5 * (lo + hi);
    type Case = (fn(&Expr) -> Expr, fn(f64) -> f64, fn(f64) -> f64, bool);
    let cases: [Case; 4] = [
        (Expr::exp, f64::exp, f64::exp, true),
        (Expr::sqrt, f64::sqrt, |v| 0.5 / v.sqrt(), false),
        (Expr::log, f64::ln, |v| 1.0 / v, false),
        (Expr::reciprocal, |v| 1.0 / v, |v| -1.0 / (v * v), true),
    ];
    for (f, value, slope, convex) in cases {
        // f(x) − k·x for the chord's own slope is flat along the chord, and the tangent at the middle bounds it on the
        // other side, worst at one of the ends.
        let k = (value(hi) - value(lo)) / (hi - lo);
        let (l, h) = bounds(&f(&x).sub(&x.scale(k)), &[box_around(&x, lo, hi)], NEAREST);
        let chord = value(lo) - k * lo;
        let tangent = |v: f64| value(middle) + slope(middle) * (v - middle) - k * v;
        let (a, b) = (tangent(lo), tangent(hi));
        let want = if convex { (a.min(b), chord) } else { (chord, a.max(b)) };
        assert_close("lower", &l, &[want.0], 1e-12);
        assert_close("upper", &h, &[want.1], 1e-12);
    }
}

// Largest value of the line above `f`, less k·x, over [lo, hi]. `f` is convex left of 0 and concave right of it: the line
// is the chord, the tangent at the middle, or, where that one would cut the curve, the line from the left end that touches it.
fn above_s_shape(f: &dyn Fn(f64) -> f64, slope: &dyn Fn(f64) -> f64, k: f64, (lo, hi): (f64, f64)) -> f64 {
    let chord = (f(hi) - f(lo)) / (hi - lo);
    let (line, through) = if lo >= 0.0 {
        let middle = 0.5 * (lo + hi);
        (slope(middle), (middle, f(middle)))
    } else if hi <= 0.0 || slope(hi) >= chord {
        (chord, (lo, f(lo)))
    } else {
        // The touching point: the tangent there passes through the left end.
        let (mut near, mut far) = (0.0, hi);
        for _ in 0..100 {
            let d: f64 = 0.5 * (near + far);
            if f(d) + slope(d) * (lo - d) >= f(lo) { far = d } else { near = d }
        }
        let point: f64 = far.max(0.5 * (lo + hi));
        (slope(point), (point, f(point)))
    };
    let at = |x: f64| through.1 + line * (x - through.0) - k * x;
    at(lo).max(at(hi))
}

#[test]
fn s_shapes_touch_their_curves() {
    let x = Expr::input("x", [1], DType::F64);
    let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
    type Function<'a> = &'a dyn Fn(f64) -> f64;
    type Case<'a> = (fn(&Expr) -> Expr, Function<'a>, Function<'a>, f64);
    // With f(−x) = c − f(x), the lower line is the mirror image of the upper one.
    let cases: [Case; 2] = [
        (Expr::tanh, &f64::tanh, &|v: f64| 1.0 - v.tanh().powi(2), 0.0),
        (Expr::sigmoid, &sigmoid, &|v: f64| sigmoid(v) * (1.0 - sigmoid(v)), 1.0),
    ];
    for (primitive, f, slope, mirror) in cases {
        for (lo, hi) in [(-1.0, 4.0), (-4.0, 1.0), (-0.5, 0.75), (-9.0, 9.0), (-1.0, -0.25), (0.25, 2.0), (-3.0, 0.0)] {
            for k in [0.02, 0.1, 0.3] {
                let y = primitive(&x).sub(&x.scale(k));
                let (l, h) = bounds(&y, &[box_around(&x, lo, hi)], NEAREST);
                let upper = above_s_shape(f, slope, k, (lo, hi)).min(f(hi) - k * lo);
                let lower = mirror - above_s_shape(f, slope, k, (-hi, -lo)).min(f(-lo) + k * hi);
                // Touching points are found by bisection to a finite precision, from the side where lines are valid;
                // such a line may even end a little lower.
                let near = |got: f64, want: f64| (-4e-3..4e-3).contains(&(got - want));
                assert!(near(h[0], upper) && near(lower, l[0]), "[{lo}, {hi}], {k}: {l:?} {lower}, {h:?} {upper}");
            }
        }
    }
}

#[test]
fn maximum_of_a_decided_window_is_exact() {
    let x = Expr::input("x", [3], DType::F64);
    let domain = Domain::Box { lo: constant([0.0, 2.0, -1.0]), hi: constant([1.0, 3.0, 1.5]) };
    // The second element is always the largest, so max(x) − x₂ is 0.
    let lead = x.reduce_max(&[0], false).sub(&x.slice_axis(0, 1, 2).reshape([]));
    let (lo, hi) = bounds(&lead, &[(x.clone(), domain.clone())], NEAREST);
    assert_eq!((lo[0], hi[0]), (0.0, 0.0));
    let pooled = x.reshape([1, 1, 3]).max_pool(perturb_graph::Pool::square(3, 1)).reshape([]);
    let lead = pooled.sub(&x.slice_axis(0, 1, 2).reshape([]));
    let (lo, hi) = bounds(&lead, &[(x.clone(), domain)], NEAREST);
    assert_eq!((lo[0], hi[0]), (0.0, 0.0));
}

// The element that one window picks may still be the rival of another window that it lies in.
#[test]
fn overlapping_windows_share_rivals() {
    let x = Expr::input("x", [1, 1, 3], DType::F64);
    let corner = |values: [f64; 3]| constant(values).reshape([1, 1, 3]);
    let domain = Domain::Box { lo: corner([-5.0, 0.0, 1.0]), hi: corner([-4.0, 10.0, 2.0]) };
    let pool = perturb_graph::Pool { window: vec![2], strides: vec![1], ..perturb_graph::Pool::default() };
    let (lo, hi) = bounds(&x.max_pool(pool), &[(x.clone(), domain)], NEAREST);
    assert_eq!((lo, hi), (vec![0.0, 1.0], vec![10.0, 10.0]));
}

#[test]
fn outputs_that_do_not_vary_are_exact() {
    let (x, w) = (Expr::input("x", [1], DType::F64), constant([3.0]));
    let found = linear_bounds(&[w.exp(), x.clone()], &[box_around(&x, 1.0, 2.0)], NEAREST).unwrap();
    assert!(found[0].is_point());
    assert_eq!(run(&[found[1].lo.clone(), found[1].hi.clone()], &[]), [[1.0], [2.0]]);
}

// Where a varying mask is decided on the whole set, the chosen operand passes as it is: select(x > 0, 2x, −x) − 2x is 0
// for x in [1, 2], and −3x for x in [−2, −1].
#[test]
fn decided_masks_pass_their_choice() {
    let x = Expr::input("x", [1], DType::F64);
    let y = Expr::select(&x.greater(&x.like(0.0)), &x.scale(2.0), &x.neg()).sub(&x.scale(2.0));
    for (lo, hi, want) in [(1.0, 2.0, (0.0, 0.0)), (-2.0, -1.0, (3.0, 6.0)), (-1.0, 1.0, (-5.0, 5.0))] {
        let (lower, upper) = bounds(&y, &[box_around(&x, lo, hi)], NEAREST);
        if lo * hi > 0.0 {
            assert_close("decided", &[lower[0], upper[0]], &[want.0, want.1], 1e-12);
        } else {
            assert!(lower[0] >= want.0 - 1e-12 && lower[0] <= 0.0 && upper[0] <= want.1 + 1e-12 && upper[0] >= 3.0);
        }
    }
}
