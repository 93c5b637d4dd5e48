//! A table of small graphs: every primitive and every composite function, with seeded random shapes.

mod composites;
pub use composites::layer_norm;
mod contractions;
mod cumulative;
mod elementwise;
mod fourier;
mod indexing;
mod linear_algebra;
mod loops;
pub use loops::recurrent;
mod pooling;
mod random;
mod sampling;
mod structure;

use crate::numbers::{off_grid, seeded};
use perturb_graph::{DType, Expr, Shape, Tensor};
use rand_chacha::ChaCha8Rng;

/// A graph with one output, and where each of its inputs may lie.
pub struct Sample {
    pub name: String,
    pub inputs: Vec<Expr>,
    /// Range of the elements of each input within which the function is defined.
    pub ranges: Vec<(f64, f64)>,
    pub output: Expr,
}

impl Sample {
    /// A point at which the function has derivatives.
    pub fn point(&self, rng: &mut ChaCha8Rng) -> Vec<Tensor> {
        let draw = |(x, &range): (&Expr, &(f64, f64))| off_grid(rng, x.shape(), x.dtype(), range);
        self.inputs.iter().zip(&self.ranges).map(draw).collect()
    }

    /// The inputs with values.
    pub fn feeds(&self, values: &[Tensor]) -> Vec<(Expr, Tensor)> {
        self.inputs.iter().cloned().zip(values.iter().cloned()).collect()
    }
}

/// Collects samples of one element type.
pub struct Table {
    dtype: DType,
    rng: ChaCha8Rng,
    samples: Vec<Sample>,
}

const WIDE: (f64, f64) = (-2.5, 2.5);

impl Table {
    fn input(&self, name: &str, shape: impl Into<Shape>) -> Expr {
        Expr::input(name, shape, self.dtype)
    }

    /// Indices that are drawn from `range`, fractions dropped.
    fn indices(&self, shape: impl Into<Shape>) -> Expr {
        Expr::input("indices", shape, DType::I64)
    }

    fn add(&mut self, name: impl Into<String>, inputs: &[(&Expr, (f64, f64))], output: Expr) {
        let (inputs, ranges) = inputs.iter().map(|(x, r)| ((*x).clone(), *r)).unzip();
        self.samples.push(Sample { name: name.into(), inputs, ranges, output });
    }

    /// A sample of one input `[2, 3]`.
    fn one(&mut self, name: impl Into<String>, range: (f64, f64), f: impl FnOnce(&Expr) -> Expr) {
        let x = self.input("x", [2, 3]);
        let y = f(&x);
        self.add(name, &[(&x, range)], y);
    }

    /// A sample of two inputs of given shapes.
    fn two(&mut self, name: impl Into<String>, a: &[usize], b: &[usize], f: impl FnOnce(&Expr, &Expr) -> Expr) {
        let (x, y) = (self.input("x", a), self.input("y", b));
        let z = f(&x, &y);
        self.add(name, &[(&x, WIDE), (&y, WIDE)], z);
    }
}

/// All samples in the given element type; the same graphs for every type.
pub fn all(dtype: DType) -> Vec<Sample> {
    let mut table = Table { dtype, rng: seeded(7), samples: Vec::new() };
    elementwise::add(&mut table);
    indexing::add(&mut table);
    structure::add(&mut table);
    contractions::add(&mut table);
    pooling::add(&mut table);
    composites::add(&mut table);
    fourier::add(&mut table);
    linear_algebra::add(&mut table);
    loops::add(&mut table);
    cumulative::add(&mut table);
    sampling::add(&mut table);
    random::add(&mut table);
    table.samples
}
