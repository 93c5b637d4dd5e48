//! The constant part of a bound, and the rounding errors to take off it.

use crate::interval::{sum_error, underflow};
use crate::{DType, DotDims, Expr, Rounding};

// Which bound of a functional is being computed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Side {
    Lower,
    Upper,
}

impl Side {
    // middle − reach for a lower bound, middle + reach for an upper one.
    pub(super) fn below(self, middle: &Expr, reach: &Expr) -> Expr {
        if self == Side::Lower { middle.sub(reach) } else { middle.add(reach) }
    }

    pub(super) fn tighter(self, a: &Expr, b: &Expr) -> Expr {
        if self == Side::Lower { a.maximum(b) } else { a.minimum(b) }
    }
}

// The constant part of a bound, as it collects along the walk, and the rounding errors to take off it at the end.
pub(super) struct Total {
    pub(super) side: Side,
    outward: bool,
    pub(super) terms: Vec<Expr>,
    // Errors that are complete, and magnitudes of sums of `n` products whose error is still to be multiplied by γ.
    errors: Vec<Expr>,
    magnitudes: Vec<(Expr, usize)>,
}

impl Total {
    pub(super) fn new(rounding: Rounding, side: Side) -> Total {
        let outward = rounding == Rounding::Outward;
        Total { side, outward, terms: Vec::new(), errors: Vec::new(), magnitudes: Vec::new() }
    }

    pub(super) fn add_constant(&mut self, weight: &Expr, constant: &Expr) {
        let (product, n) = self.inner(weight, constant);
        self.terms.push(product);
        if self.outward {
            self.magnitudes.push((self.inner(&weight.abs(), &constant.abs()).0, n));
        }
    }

    pub(super) fn add_error(&mut self, covector: &Expr, error: &Expr) {
        if self.outward {
            let (product, n) = self.inner(&covector.abs(), error);
            self.errors.push(product.clone());
            self.magnitudes.push((product, n));
        }
    }

    // An inner product, and the number n whose γ bounds its rounding. Outward it is taken in two levels of sums: n
    // terms in √n blocks cost γ of 2√n, whatever the order within a level, not γ of n.
    pub(super) fn inner(&self, a: &Expr, b: &Expr) -> (Expr, usize) {
        let n = a.shape().count();
        let width = if self.outward {
            (1..=n).take_while(|w| w * w <= n).filter(|w| n.is_multiple_of(*w)).last()
        } else {
            None
        };
        match width {
            Some(width) if width >= 8 => {
                let blocks = n / width;
                let dims =
                    DotDims { lhs_contract: vec![1], rhs_contract: vec![1], lhs_batch: vec![0], rhs_batch: vec![0] };
                let sums = a.reshape([width, blocks]).dot_general(&b.reshape([width, blocks]), dims);
                (sums.sum(), width + blocks)
            }
            _ => (a.inner(b), n),
        }
    }

    pub(super) fn add_rounding(&mut self, magnitude: &Expr, n: usize) {
        if self.outward {
            self.magnitudes.push((magnitude.clone(), n));
        }
    }

    pub(super) fn finish(self, row: &Expr) -> Expr {
        // Where a graph mixes element types, the sum is in the row's type, and errs as the coarsest of all does.
        let parts = self.terms.iter().chain(&self.errors).chain(self.magnitudes.iter().map(|(m, _)| m));
        let coarsest = if parts.clone().any(|p| p.dtype() == DType::F32) { DType::F32 } else { row.dtype() };
        let sum = |terms: &[Expr]| {
            let zero = Expr::scalar(0.0, row.dtype());
            let first = terms.first().map_or(zero, |t| t.cast(row.dtype()));
            terms.iter().skip(1).fold(first, |a, b| a.add(&b.cast(row.dtype())))
        };
        let bound = sum(&self.terms);
        if !self.outward {
            return bound;
        }
        // Each inner product of n terms, then a sum of all of them: γ of the lengths together; twice, because the box
        // has one for its centre and one for its radius.
        let count = self.terms.len() + self.errors.len() + self.magnitudes.len();
        let weighted: Vec<Expr> =
            self.magnitudes.iter().map(|(m, n)| m.scale(sum_error(2.0, n + count + 8, coarsest))).collect();
        let error = sum(&self.errors).scale(1.0 + 1e-3).add(&sum(&weighted));
        let error = error.offset(1e3 * underflow(coarsest));
        self.side.below(&bound, &error)
    }
}

// Length of a covector, with derivative 0 where it is 0 (a layer of dead neurons must not train to NaN). It is measured
// relative to its largest element, so that small ones are not lost to underflow when they are squared.
pub(super) fn euclidean(covector: &Expr) -> Expr {
    let axes: Vec<usize> = (0..covector.rank()).collect();
    let largest = covector.abs().reduce_max(&axes, false);
    // The length does not depend on the unit that it is measured in, so neither does its derivative.
    let unit = largest.maximum(&largest.like(underflow(covector.dtype()))).stop_gradient();
    let squares = covector.div(&unit).square().sum();
    let nonzero = squares.step();
    Expr::select(&nonzero, &squares, &squares.like(1.0)).sqrt().mul(&nonzero).mul(&unit)
}
