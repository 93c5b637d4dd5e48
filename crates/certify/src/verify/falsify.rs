//! Looking for counterexamples.

use super::network::Network;
use super::query::{Case, Row};
use crate::Result;
use crate::check::prover::Prover;
use crate::exact::{Confirmation, confirm};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Interval, Rounding, Tensor, grad, try_interval, vmap};
use perturb_onnx::vnnlib::Property;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

/// Points that are evaluated together.
pub(crate) const POINTS: usize = 64;
/// First steps from anywhere, relative to the box.
pub(crate) const FAR: f32 = 0.1;

/// A point of the box for which all constraints of a conjunction hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// The network's input, row-major.
    pub inputs: Vec<f32>,
    /// The network's output there: as computed in `f32`, or of a network in `f64` as enclosed and then rounded to `f32`.
    pub outputs: Vec<f32>,
    /// Index of the property's case.
    pub case: usize,
    /// Index of the conjunction.
    pub conjunction: usize,
}

/// How hard to look for a counterexample by gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Effort {
    /// Searches from different points for each conjunction.
    pub restarts: usize,
    /// Steps of each.
    pub steps: usize,
}

/// What encloses a network's outputs at a point.
enum Values<'a> {
    /// In the checker's form, which leaves out weights that are 0.
    Checked(&'a Prover<'a>),
    /// For networks that have no such form.
    Compiled(Executable),
}

/// Executables that evaluate points and move them towards a counterexample.
pub(crate) struct Falsifier<'a> {
    graph: &'a Graph,
    property: &'a Property,
    forward: Executable,
    descent: Executable,
    values: Values<'a>,
    shape: Vec<usize>,
    inputs: usize,
    outputs: usize,
    width: usize,
    rows: usize,
    /// Whether the executables compute with weights that were rounded to `f32`.
    rounded: bool,
    rng: ChaCha8Rng,
    /// When searches by gradients end, however far they are.
    pub until: Instant,
}

impl<'a> Falsifier<'a> {
    /// Compiles for conjunctions of at most `rows` constraints.
    ///
    /// # Errors
    /// If a primitive has no kernel or a plan exceeds the memory limit.
    pub fn compile(
        (graph, property): (&'a Graph, &'a Property),
        (network, double): (&Network, &Network),
        prover: Option<&'a Prover<'a>>,
        rows: usize,
        (seed, until): (u64, Instant),
        options: &Options,
    ) -> Result<Falsifier<'a>> {
        let batched = |e: &Expr| Expr::try_input(e.name().unwrap_or("x"), e.shape().prepend(POINTS), e.dtype());
        let x = batched(&network.input)?;
        let values = vmap(&[network.values.clone()], &[(network.input.clone(), x.clone())], POINTS)?;
        let forward = Executable::compile(&values, &[x], options)?;

        // Projected signed descent on the largest left side.
        let shape = network.input.shape();
        let point = Expr::try_input("point", shape, DType::F32)?;
        let [lo, hi] = ["lower", "upper"].map(|n| Expr::input(n, shape.clone(), DType::F32));
        let step = Expr::input("step", [], DType::F32);
        let matrix = Expr::try_input("rows", [rows, network.width()], DType::F32)?;
        let constants = Expr::try_input("constants", [rows], DType::F32)?;
        let here =
            perturb_graph::substitute(&[network.values.clone()], &[(network.input.clone(), point.clone())])?.remove(0);
        let left = matrix.try_matmul(&here.reshape([network.width(), 1]))?.reshape([rows]).try_add(&constants)?;
        let worst = left.reduce_max(&[0], false);
        let gradient = grad(&worst, &[point.clone()])?.remove(0);
        let moved = point.sub(&gradient.sign().mul(&hi.sub(&lo)).mul(&step));
        let next = moved.maximum(&lo).minimum(&hi);
        let mapped = [&point, &matrix, &constants];
        let pairs: Vec<(Expr, Expr)> = mapped.iter().map(|e| Ok(((*e).clone(), batched(e)?))).collect::<Result<_>>()?;
        let outputs = vmap(&[worst, next], &pairs, POINTS)?;
        let mut inputs: Vec<Expr> = pairs.iter().map(|(_, b)| b.clone()).collect();
        inputs.extend([lo, hi, step]);
        let descent = Executable::compile(&outputs, &inputs, options)?;

        // What the values are in real arithmetic.
        let values = match prover {
            Some(prover) => Values::Checked(prover),
            None => {
                let at = Interval::point(&double.input);
                let inputs = [(double.input.clone(), at)];
                let exact = try_interval(&[double.values.clone()], &inputs, Rounding::Outward)?.remove(0);
                Values::Compiled(Executable::compile(&[exact.lo, exact.hi], &[double.input.clone()], options)?)
            }
        };
        Ok(Falsifier {
            graph,
            property,
            forward,
            descent,
            values,
            shape: shape.to_vec(),
            inputs: network.inputs(),
            outputs: network.outputs,
            width: network.width(),
            rows,
            rounded: network.rounded,
            rng: ChaCha8Rng::seed_from_u64(seed),
            until,
        })
    }

    /// The first of `points [n · inputs]`, moved into the box as written, that is a counterexample.
    ///
    /// # Errors
    /// If an executable fails.
    pub fn check(&self, index: usize, case: &Case, points: &[f32]) -> Result<Option<Witness>> {
        if case.inner.iter().any(|(lo, hi)| lo > hi) {
            return Ok(None);
        }
        for chunk in points.chunks(POINTS * self.inputs) {
            let mut batch = vec![0.0; POINTS * self.inputs];
            for (k, target) in batch.iter_mut().enumerate() {
                let (lo, hi) = case.inner[k % self.inputs];
                *target = chunk[k % chunk.len()].clamp(lo, hi);
            }
            let found = self.forward.run(&[&self.tensor(POINTS, &batch)?])?;
            let values = found[0].as_slice::<f32>();
            let distinct = chunk.len() / self.inputs;
            for (point, values) in batch.chunks(self.inputs).zip(values.chunks(self.width)).take(distinct) {
                let outputs = &values[..self.outputs];
                // Outputs by rounded weights tell nothing for sure: there every point is a candidate.
                let broken = |rows: &Vec<_>| self.rounded || rows.iter().all(|row: &Row| row.at(point, outputs) <= 0.0);
                for (conjunction, _) in case.conjunctions.iter().enumerate().filter(|(_, rows)| broken(rows)) {
                    let witness =
                        Witness { inputs: point.to_vec(), outputs: outputs.to_vec(), case: index, conjunction };
                    if self.confirm(case, &witness)? {
                        return Ok(Some(Witness { outputs: self.outputs_of(&witness)?, ..witness }));
                    }
                }
            }
        }
        Ok(None)
    }

    // Whether it is one in exact arithmetic; where a network has no exact values, by their enclosure in f64.
    fn confirm(&self, case: &Case, witness: &Witness) -> Result<bool> {
        let point: Vec<f64> = witness.inputs.iter().map(|&x| f64::from(x)).collect();
        let ends = self.enclosed(&witness.inputs)?;
        // Least and greatest value of a left side; the constant is as written but for a unit in its last place.
        let side = |row: &Row, upper: bool| {
            let end = |(i, c): (usize, f32)| f64::from(c) * if (c > 0.0) == upper { ends[i].1 } else { ends[i].0 };
            let terms = row.outputs.iter().map(|&t| end(t));
            let inputs = row.inputs.iter().map(|&(i, c)| f64::from(c) * point[i]);
            let terms: Vec<f64> = terms.chain(inputs).chain([row.constant]).collect();
            let slack = terms.iter().map(|t| t.abs()).sum::<f64>() * (terms.len() + 2) as f64 * f64::EPSILON;
            terms.iter().sum::<f64>() + if upper { slack } else { -slack }
        };
        let rows = &case.conjunctions[witness.conjunction];
        if rows.iter().any(|row| side(row, false) > 0.0) {
            return Ok(false);
        }
        match confirm(self.graph, self.property, &witness.inputs) {
            Ok(Confirmation::Counterexample { .. }) => Ok(true),
            Ok(Confirmation::Not { .. }) => Ok(false),
            Ok(Confirmation::Undecided { .. }) | Err(_) => Ok(rows.iter().all(|row| side(row, true) < 0.0)),
        }
    }

    // Intervals that hold the outputs at a point.
    fn enclosed(&self, point: &[f32]) -> Result<Vec<(f64, f64)>> {
        match &self.values {
            Values::Checked(prover) => Ok(prover.values(point)),
            Values::Compiled(enclosure) => {
                let point = point.iter().map(|&x| f64::from(x)).collect();
                let ends = enclosure.run(&[&Tensor::new(self.shape.as_slice(), point)?])?;
                Ok(ends[0].as_slice::<f64>().iter().copied().zip(ends[1].as_slice::<f64>().iter().copied()).collect())
            }
        }
    }

    // What a counterexample's outputs are said to be.
    fn outputs_of(&self, witness: &Witness) -> Result<Vec<f32>> {
        if !self.rounded {
            return Ok(witness.outputs.clone());
        }
        let ends = self.enclosed(&witness.inputs)?;
        Ok(ends[..self.outputs].iter().map(|(lo, hi)| (0.5 * lo + 0.5 * hi) as f32).collect())
    }

    /// Random points of the box, and its middle.
    pub fn random(&mut self, case: &Case, count: usize) -> Vec<f32> {
        let mut points: Vec<f32> = case.lower.iter().zip(&case.upper).map(|(l, u)| 0.5 * l + 0.5 * u).collect();
        for _ in 1..count {
            points.extend(self.start(case));
        }
        points
    }

    fn start(&mut self, case: &Case) -> Vec<f32> {
        let ends = case.lower.iter().zip(&case.upper);
        ends.map(|(l, u)| l + (u - l) * self.rng.random_range(0.0..=1.0f32)).collect()
    }

    /// Searches by gradients for a counterexample to some conjunctions.
    ///
    /// # Errors
    /// If an executable fails.
    pub fn descend(&mut self, index: usize, case: &Case, open: &[usize], effort: Effort) -> Result<Option<Witness>> {
        if case.inner.iter().any(|(lo, hi)| lo > hi) {
            return Ok(None);
        }
        let items: Vec<usize> = (0..effort.restarts).flat_map(|_| open.iter().copied()).collect();
        for chunk in items.chunks(POINTS) {
            if Instant::now() > self.until {
                return Ok(None);
            }
            let starts: Vec<f32> = (0..POINTS).flat_map(|_| self.start(case)).collect();
            let found = self.descend_from(index, case, &starts, chunk, FAR, effort.steps)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Searches by gradients for a counterexample from given points, at most [`POINTS`] at once: from point k to conjunction
    /// `conjunctions[k mod their number]`, with steps from `first` of the box's sides down to a hundredth of that.
    ///
    /// # Errors
    /// If the executable fails.
    pub fn descend_from(
        &self,
        index: usize,
        case: &Case,
        starts: &[f32],
        conjunctions: &[usize],
        first: f32,
        steps: usize,
    ) -> Result<Option<Witness>> {
        let (rows, width) = (self.rows, self.width);
        let (mut points, mut matrix) = (vec![0.0; POINTS * self.inputs], vec![0.0; POINTS * rows * width]);
        let mut constants = vec![0.0; POINTS * rows];
        for item in 0..POINTS {
            let start = item % (starts.len() / self.inputs) * self.inputs;
            points[item * self.inputs..(item + 1) * self.inputs].copy_from_slice(&starts[start..start + self.inputs]);
            let conjunction = &case.conjunctions[conjunctions[item % conjunctions.len()]];
            for k in 0..rows {
                // The last constraint again where there are fewer.
                let Some(row) = conjunction.get(k.min(conjunction.len().saturating_sub(1))) else { continue };
                let place = item * rows + k;
                row.write(self.outputs, &mut matrix[place * width..(place + 1) * width]);
                constants[place] = row.constant as f32;
            }
        }
        let mut points = self.tensor(POINTS, &points)?;
        let matrix = Tensor::new([POINTS, rows, width], matrix)?;
        let constants = Tensor::new([POINTS, rows], constants)?;
        let inner = |end: fn(&(f32, f32)) -> f32| -> Result<Tensor> {
            Ok(Tensor::new(self.shape.as_slice(), case.inner.iter().map(end).collect::<Vec<f32>>())?)
        };
        let (lo, hi) = (inner(|e| e.0)?, inner(|e| e.1)?);
        for step in (0..steps).take_while(|_| Instant::now() <= self.until) {
            let size = Tensor::scalar(first * 0.01f32.powf(step as f32 / steps as f32));
            let found = self.descent.run(&[&points, &matrix, &constants, &lo, &hi, &size])?;
            let worst = found[0].as_slice::<f32>();
            if let Some(at) = (0..POINTS).find(|&i| worst[i] <= 0.0) {
                let point = &points.as_slice::<f32>()[at * self.inputs..(at + 1) * self.inputs];
                if let Some(witness) = self.check(index, case, point)? {
                    return Ok(Some(witness));
                }
            }
            points = found[1].clone();
        }
        self.check(index, case, points.as_slice())
    }

    fn tensor(&self, count: usize, values: &[f32]) -> Result<Tensor> {
        let shape: Vec<usize> = std::iter::once(count).chain(self.shape.iter().copied()).collect();
        Ok(Tensor::new(shape, values.to_vec())?)
    }
}
