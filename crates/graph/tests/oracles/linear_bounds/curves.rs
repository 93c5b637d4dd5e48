//! Lines around elementwise functions: how tight they are, besides that they hold.

use super::{NEAREST, OUTWARD, bounds};
use crate::numbers::{Complaints, seeded};
use perturb_graph::{DType, Domain, Expr, LinearBoundsOptions, Unary};
use rand::RngExt;

/// Bounds of f(x) − k·x for x within h of m.
fn tilted(f: Unary, k: f64, (m, h): (f64, f64), options: LinearBoundsOptions) -> (f64, f64) {
    let x = Expr::input("x", [1], DType::F64);
    let y = x.try_unary(f).unwrap().sub(&x.scale(k));
    let domain = Domain::Box { lo: x.like(m - h), hi: x.like(m + h) };
    let (lo, hi) = bounds(&y, &[(x, domain)], options);
    (lo[0], hi[0])
}

// With k = f′(m), f(x) − k·x varies with h² only, where an interval of f by itself varies with h. Chords and tangents
// stay within 2·M·h² of it on either side, where |f″| ≤ M.
#[test]
fn lines_follow_the_curve() {
    let mut complaints = Complaints::default();
    let rng = &mut seeded(77);
    let curves = [
        (Unary::Sin, (-20.0, 20.0)),
        (Unary::Cos, (-20.0, 20.0)),
        (Unary::Tan, (-1.2, 1.2)),
        (Unary::Tan, (1.95, 4.3)),
        (Unary::Asin, (-0.8, 0.8)),
        (Unary::Acos, (-0.8, 0.8)),
        (Unary::Atan, (-3.0, 3.0)),
        (Unary::Sinh, (-3.0, 3.0)),
        (Unary::Cosh, (-3.0, 3.0)),
        (Unary::Asinh, (-3.0, 3.0)),
        (Unary::Acosh, (1.3, 4.0)),
        (Unary::Atanh, (-0.8, 0.8)),
        (Unary::Log1p, (-0.8, 3.0)),
        (Unary::Expm1, (-3.0, 3.0)),
        (Unary::Tanh, (-3.0, 3.0)),
    ];
    for (f, (a, b)) in curves {
        for _ in 0..40 {
            let (m, h): (f64, f64) = (rng.random_range(a..b), [0.2, 0.1, 0.02][rng.random_range(0..3)]);
            let at = |x: f64| f.value(x);
            let second = |x: f64| (at(x + 1e-4) - 2.0 * at(x) + at(x - 1e-4)) / 1e-8;
            let curvature = (0..=20).map(|i| second(m - 0.95 * h + i as f64 * 0.095 * h).abs()).fold(0.0, f64::max);
            let slope = (at(m + 1e-6) - at(m - 1e-6)) / 2e-6;
            let limit = 4.0 * (1.1 * curvature + 1e-6) * h * h + 1e-7;
            for options in [NEAREST, OUTWARD] {
                let (lo, hi) = tilted(f, slope, (m, h), options);
                let complaint = (hi - lo > limit || lo.is_nan()).then(|| format!("[{lo}, {hi}] is wider than {limit}"));
                complaints.add(format!("{f:?} at {m} ± {h}"), complaint);
            }
        }
    }
}

// Around a point of inflection, where a curve crosses its tangent, the lines part with h³ only.
#[test]
fn lines_at_inflections() {
    let pi = std::f64::consts::PI;
    let inflections = [
        (Unary::Sin, 3.0 * pi, -1.0),
        (Unary::Sin, -2.0 * pi, 1.0),
        (Unary::Cos, 1.5 * pi, 1.0),
        (Unary::Tan, pi, 1.0),
    ];
    for (f, m, slope) in inflections {
        for h in [0.3, 0.03] {
            let (lo, hi) = tilted(f, slope, (m, h), NEAREST);
            assert!(hi - lo < 2.0 * h * h * h + 1e-9, "{f:?} at {m} ± {h}: [{lo}, {hi}]");
        }
    }
}

// Over more than half a period, and far from 0, the image is all that is known; it holds.
#[test]
fn long_intervals() {
    let rng = &mut seeded(78);
    for f in [Unary::Sin, Unary::Cos, Unary::Tan] {
        for _ in 0..60 {
            let (m, h): (f64, f64) = (rng.random_range(-300.0..300.0), rng.random_range(0.0..6.0));
            for k in [0.0, 1.0, -0.3] {
                let (lo, hi) = tilted(f, k, (m, h), OUTWARD);
                for i in 0..=100 {
                    let x = (m - h + f64::from(i) * 0.02 * h).min(m + h);
                    let value = f.value(x) - k * x;
                    assert!(lo <= value && value <= hi, "{f:?} − {k}·x at {x}: {value} is not in [{lo}, {hi}]");
                }
                assert!(f == Unary::Tan || hi - lo <= 2.0 + 2.0 * k.abs() * h + 1e-9, "{f:?}: [{lo}, {hi}]");
            }
        }
    }
}
