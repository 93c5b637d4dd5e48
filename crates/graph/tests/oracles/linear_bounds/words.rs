//! Word substitutions against all texts that they allow.

use super::nets::weights;
use super::{NEAREST, OUTWARD, bounds};
use crate::interval::escape;
use crate::numbers::{Complaints, assert_close, run, seeded, uniform};
use perturb_graph::{DType, Domain, Expr, Rounding, Tensor, interval};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const WORDS: usize = 4;
const CANDIDATES: usize = 3;
const WIDTH: usize = 2;

/// A text and what its words may become.
struct Text {
    rows: Vec<f64>,
    candidates: Vec<f64>,
    allowed: Vec<f64>,
    dtype: DType,
}

impl Text {
    fn random(rng: &mut ChaCha8Rng, dtype: DType) -> Text {
        let mut values = |n: usize| uniform(rng, [n], DType::F32, (-1.0, 1.0)).to_f64_vec();
        let (rows, candidates) = (values(WORDS * WIDTH), values(WORDS * CANDIDATES * WIDTH));
        let allowed = (0..WORDS * CANDIDATES).map(|_| f64::from(u8::from(rng.random_range(0..3) > 0))).collect();
        Text { rows, candidates, allowed, dtype }
    }

    fn domain(&self, budget: usize) -> Domain {
        let constant =
            |shape: &[usize], v: &[f64]| Expr::constant(Tensor::from_f64(shape, self.dtype, v.to_vec()).unwrap());
        Domain::Substitutions {
            rows: constant(&[1, WORDS, WIDTH], &self.rows),
            candidates: constant(&[1, WORDS, CANDIDATES, WIDTH], &self.candidates),
            allowed: constant(&[1, WORDS, CANDIDATES], &self.allowed),
            budget,
        }
    }

    /// All texts with at most `budget` replacements.
    fn variants(&self, budget: usize) -> Vec<Tensor> {
        let base = CANDIDATES + 1;
        let mut found = Vec::new();
        for code in 0..base.pow(WORDS as u32) {
            let choice: Vec<usize> = (0..WORDS).map(|w| code / base.pow(w as u32) % base).collect();
            let allowed = |w: usize| choice[w] == 0 || self.allowed[w * CANDIDATES + choice[w] - 1] != 0.0;
            if choice.iter().filter(|&&c| c > 0).count() > budget || !(0..WORDS).all(allowed) {
                continue;
            }
            let row = |w: usize| match choice[w] {
                0 => &self.rows[w * WIDTH..(w + 1) * WIDTH],
                c => &self.candidates[(w * CANDIDATES + c - 1) * WIDTH..][..WIDTH],
            };
            let values = (0..WORDS).flat_map(|w| row(w).to_vec()).collect();
            found.push(Tensor::from_f64([1, WORDS, WIDTH], self.dtype, values).unwrap());
        }
        found
    }
}

// The extremes of a linear functional over the texts are attained, so bounds equal them.
#[test]
fn linear_functionals_are_bounded_exactly() {
    for seed in 0..20 {
        let rng = &mut seeded(seed);
        let text = Text::random(rng, DType::F64);
        let x = Expr::input("x", [1, WORDS, WIDTH], DType::F64);
        let y = x.reshape([WORDS * WIDTH]).matmul(&weights(rng, [WORDS * WIDTH, 2], DType::F64));
        for budget in 0..=WORDS + 1 {
            let (lo, hi) = bounds(&y, &[(x.clone(), text.domain(budget))], NEAREST);
            let values: Vec<Vec<f64>> =
                text.variants(budget).into_iter().map(|v| run(&[y.clone()], &[(x.clone(), v)]).remove(0)).collect();
            let extreme = |i: usize, f: fn(f64, f64) -> f64| values.iter().map(|v| v[i]).reduce(f).unwrap();
            let want: Vec<f64> = (0..2).map(|i| extreme(i, f64::min)).collect();
            assert_close(&format!("lower, budget {budget}"), &lo, &want, 1e-12);
            let want: Vec<f64> = (0..2).map(|i| extreme(i, f64::max)).collect();
            assert_close(&format!("upper, budget {budget}"), &hi, &want, 1e-12);
        }
    }
}

// A small attention-like network: no text leaves the bounds, and fewer replacements give tighter ones.
#[test]
fn no_text_leaves_the_bounds_of_a_network() {
    let mut complaints = Complaints::default();
    let mut total = [0.0; WORDS + 1];
    for (seed, dtype) in (0..12).map(|s| (s, if s % 2 == 0 { DType::F64 } else { DType::F32 })) {
        let rng = &mut seeded(50 + seed);
        let text = Text::random(rng, dtype);
        let x = Expr::input("x", [1, WORDS, WIDTH], dtype);
        let rows = x.reshape([WORDS, WIDTH]);
        let scores = rows.matmul(&weights(rng, [WIDTH, WORDS], dtype)).softmax(1);
        let h = scores.matmul(&rows).add(&rows).reshape([WORDS * WIDTH]);
        let y = h.matmul(&weights(rng, [WORDS * WIDTH, 3], dtype)).relu().matmul(&weights(rng, [3, 2], dtype));
        let mut widths = Vec::new();
        for budget in 0..=WORDS {
            let domain = text.domain(budget);
            let (lo, hi) = bounds(&y, &[(x.clone(), domain.clone())], OUTWARD);
            widths.push(hi[0] - lo[0]);
            let boxes =
                interval(&[y.clone()], &[(x.clone(), domain.bounding_box(Rounding::Outward))], Rounding::Outward);
            let ends = run(&[boxes[0].lo.clone(), boxes[0].hi.clone()], &[]);
            for variant in text.variants(budget) {
                let value = run(&[y.clone()], &[(x.clone(), variant)]).remove(0);
                complaints.add(format!("seed {seed}, budget {budget}"), escape(&lo, &hi, &value, 0.0));
                complaints.add(format!("interval, seed {seed}"), escape(&ends[0], &ends[1], &value, 0.0));
            }
        }
        assert!(widths.windows(2).all(|w| w[0] <= w[1] * (1.0 + 1e-6)), "{widths:?}");
        total.iter_mut().zip(widths).for_each(|(t, w)| *t += w);
    }
    assert!(total[1] < 0.9 * total[WORDS], "widths by budget: {total:?}");
}

#[test]
fn shapes_of_candidates_are_checked() {
    let x = Expr::input("x", [1, 3, 2], DType::F64);
    let domain = Domain::Substitutions {
        rows: x.like(0.0),
        candidates: Expr::full([1, 2, 4, 2], 0.0, DType::F64),
        allowed: Expr::full([1, 3, 4], 1.0, DType::F64),
        budget: 1,
    };
    let error = perturb_graph::linear_bounds(&[x.sum()], &[(x.clone(), domain)], NEAREST).unwrap_err().to_string();
    assert!(error.contains("[1, 3, 4, 2]"), "{error}");
}
