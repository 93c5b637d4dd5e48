//! α-CROWN: bounds of functionals of the output, raised by ascent on the free slopes of activations (Xu et al. 2021).
//!
//! Any slopes give a valid bound, so every step's bound holds, and the best of them counts. Inner bounds are
//! those of CROWN; each functional has slopes of its own for the walk from the output.

use crate::adam::{Corrections, Moments};
use crate::known::Group;
use crate::problem::Problem;
use crate::{CertifyError, Result};
use perturb_engine::{EngineError, Executable, Options};
use perturb_graph::{DType, Expr, GraphError, Op, Shape, Slopes, Tensor, grad, vmap};

/// Bytes of the largest intermediate tensor that one run aims at.
const TARGET_BYTES: usize = 8 << 20;
/// Adam's step, and the factor on it from step to step.
const RATE: f32 = 0.1;
const DECAY: f32 = 0.98;

/// One functional of one example's output.
pub(crate) struct Row {
    pub example: usize,
    pub coefficients: Vec<f32>,
}

/// Compiled for a number of functionals at a time.
pub(crate) struct Alpha {
    items: usize,
    steps: usize,
    /// Shapes of what is fed for every item, items included: see [`Problem::mapped`]; the functional comes last.
    fed: Vec<Shape>,
    executable: Executable,
    initial: Vec<Tensor>,
}

impl Alpha {
    /// Compiles for at most `most` functionals at a time, or fewer if those need too much memory. `None` if no slope is
    /// free.
    ///
    /// # Errors
    /// If a primitive has no rule, or one functional alone needs too much memory.
    pub fn compile(problem: &Problem, steps: usize, most: usize) -> Result<Option<Alpha>> {
        let fits = TARGET_BYTES / (4 * problem.widest(&problem.output));
        let mut items = fits.clamp(1, most.max(1));
        loop {
            let need = match Alpha::with_items(problem, steps, items) {
                Err(CertifyError::Engine(EngineError::Memory { need, .. })) => need,
                Err(CertifyError::Graph(GraphError::TooLarge { bytes, .. })) => bytes.min(u128::from(u64::MAX)) as u64,
                other => return other,
            };
            if items == 1 {
                let what = "the output, with slopes".to_string();
                return Err(CertifyError::Memory { what, need, limit: problem.memory_limit });
            }
            items /= 2;
        }
    }

    fn with_items(problem: &Problem, steps: usize, items: usize) -> Result<Option<Alpha>> {
        let output = &problem.output;
        let activations = problem.bounder.activations(output);
        if activations.is_empty() {
            return Ok(None);
        }
        let row = Expr::try_input("row", output.shape(), output.dtype())?;
        let adaptive: Vec<Expr> = activations
            .iter()
            .filter_map(|a| match a.op() {
                Op::Unary(unary) => unary.adaptive_slopes(&problem.bounder.bounds(&a.inputs()[0])),
                _ => None,
            })
            .collect();
        let like = |e: &Expr| Expr::try_input("slopes", e.shape(), e.dtype());
        let slopes = adaptive.iter().map(like).collect::<Result<Vec<_>, _>>()?;
        let leading = |e: &Expr| e.reshape(e.shape().prepend(1));
        let pairs = activations.iter().cloned().zip(slopes.iter().map(leading)).collect();
        let given = Slopes { lower: pairs, upper: Vec::new() };
        let bound = problem.bounder.functionals_with(output, &leading(&row), &given)?.lo.try_reshape([])?;
        let outputs: Vec<Expr> = std::iter::once(bound).chain(adaptive).collect();

        let mapped: Vec<Expr> = problem.mapped().into_iter().chain([row]).chain(slopes).collect();
        let batched = mapped
            .iter()
            .map(|e| Expr::try_input(e.name().unwrap_or("x"), e.shape().prepend(items), e.dtype()))
            .collect::<Result<Vec<Expr>, _>>()?;
        let pairs: Vec<(Expr, Expr)> = mapped.iter().cloned().zip(batched.iter().cloned()).collect();
        let mut outputs = vmap(&outputs, &pairs, items)?;
        let adaptive = outputs.split_off(1);
        let (fed, slopes) = batched.split_at(batched.len() - activations.len());
        let steepest: Vec<f64> = activations.iter().filter_map(|a| Some(a.op().free_slopes()?.steepest)).collect();
        Alpha::ascending(problem, steps, (outputs.remove(0), adaptive), (fed, slopes), &steepest).map(Some)
    }

    // The executable of one step: its bounds, and the variables of the next.
    fn ascending(
        problem: &Problem,
        steps: usize,
        (bound, adaptive): (Expr, Vec<Expr>),
        (fed, variables): (&[Expr], &[Expr]),
        steepest: &[f64],
    ) -> Result<Alpha> {
        let items = bound.shape()[0];
        let scalar = |name: &str| Expr::input(name, [], DType::F32);
        let (start, rate, corrections) = (scalar("start"), scalar("rate"), ["first", "second"].map(scalar));
        // The first step takes the slopes of CROWN, whatever the variables are.
        let here: Vec<Expr> =
            variables.iter().zip(&adaptive).map(|(v, a)| Expr::select(&start.broadcast_to(v.shape()), a, v)).collect();
        let pairs: Vec<(Expr, Expr)> = variables.iter().cloned().zip(here.iter().cloned()).collect();
        let gradients = grad(&bound.sum(), variables)?;
        let all: Vec<Expr> = std::iter::once(bound).chain(gradients).collect();
        let mut all = perturb_graph::substitute(&all, &pairs)?;
        let (bound, gradients) = (all.remove(0), all);
        let mut state = Vec::new();
        for (((variable, here), gradient), &steepest) in variables.iter().zip(&here).zip(&gradients).zip(steepest) {
            let moment = |name: &str| Expr::try_input(name, variable.shape(), DType::F32);
            let moments = Moments { mean: moment("mean")?, square: moment("square")? };
            let (direction, next) = moments.ascend(gradient, &corrections);
            // A step is a share of the steepest slope.
            let moved = here.add(&direction.mul(&rate).scale(steepest)).clip(0.0, steepest);
            state.extend([(variable.clone(), moved), (moments.mean, next.mean), (moments.square, next.square)]);
        }
        let inputs: Vec<Expr> =
            fed.iter().cloned().chain(problem.shared()).chain([start, rate]).chain(corrections).collect();
        let options = Options { memory_limit: problem.memory_limit };
        let executable = Executable::compile_with_state(&[bound], &inputs, &state, &options)?;
        let initial = state.iter().map(|(leaf, _)| Tensor::full(leaf.shape(), 0.0f32)).collect();
        Ok(Alpha { items, steps, fed: fed.iter().map(|e| e.shape().clone()).collect(), executable, initial })
    }

    /// Lower bounds of `rows`; −∞ where nothing is known. With `until_positive`, the ascent of rows that are bounded
    /// together ends when all are above 0.
    ///
    /// # Errors
    /// If the executable fails.
    pub fn raise(&self, group: &Group, rows: &[Row], until_positive: bool) -> Result<Vec<f32>> {
        let mut all = Vec::with_capacity(rows.len());
        for rows in rows.chunks(self.items) {
            all.extend(self.raise_some(group, rows, until_positive)?);
        }
        Ok(all)
    }

    fn raise_some(&self, group: &Group, rows: &[Row], until_positive: bool) -> Result<Vec<f32>> {
        let mut feeds = Vec::with_capacity(self.fed.len());
        for (k, shape) in self.fed.iter().enumerate() {
            let width: usize = shape[1..].iter().product();
            let mut values = vec![0.0f32; self.items * width];
            for (item, target) in values.chunks_mut(width).enumerate() {
                // The last one again where there are fewer.
                let row = &rows[item.min(rows.len() - 1)];
                if k + 1 == self.fed.len() {
                    target.copy_from_slice(&row.coefficients);
                } else {
                    group.feed(row.example, k, target);
                }
            }
            feeds.push(Tensor::new(shape, values)?);
        }
        let mut session = self.executable.session(&self.initial)?;
        let mut best = vec![f32::NEG_INFINITY; rows.len()];
        let mut rate = RATE;
        for (step, [first, second]) in (0..=self.steps).zip(Corrections::new()) {
            let start = if step == 0 { 1.0 } else { 0.0 };
            let scalars = [start, rate, first, second].map(Tensor::scalar::<f32>);
            let limits = [&group.balls.lower, &group.balls.upper];
            let all: Vec<&Tensor> = feeds.iter().chain(limits).chain(&scalars).collect();
            let bounds = session.run(&all)?;
            // NaN, about which nothing is known, loses against any number.
            best.iter_mut().zip(bounds[0].as_slice::<f32>()).for_each(|(best, now)| *best = best.max(*now));
            if until_positive && best.iter().all(|b| *b > 0.0) {
                break;
            }
            rate *= DECAY;
        }
        Ok(best)
    }
}
