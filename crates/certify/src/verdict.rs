//! The last step: functionals of the output.

use crate::alpha::{Alpha, Row};
use crate::batched::Batched;
use crate::certifier::Method;
use crate::known::{Group, Known};
use crate::problem::Problem;
use crate::{Result, rows};
use perturb_graph::Expr;

/// Bytes of the largest intermediate tensor that one run aims at.
const TARGET_BYTES: usize = 16 << 20;

/// Bounds of rows of functionals of the output.
pub(crate) struct Verdicts {
    outputs: usize,
    /// Place of the fed rows among the mapped inputs.
    rows_input: usize,
    /// Lower bounds of the rows: those of interval propagation, and those of backward walks if the method has them.
    lower: Batched,
    /// Lower and upper bounds of the rows, where they are better than interval propagation.
    both: Option<Batched>,
    /// What raises the bounds of the rows further.
    alpha: Option<Alpha>,
}

impl Verdicts {
    pub fn compile(problem: &Problem, method: Method, batch: usize) -> Result<Verdicts> {
        let output = &problem.output;
        let outputs = output.shape().count();
        let rows = Expr::try_input("rows", output.shape().prepend(outputs), output.dtype())?;
        let intervals = problem.interval_functionals(&rows)?;
        let mut mapped = problem.mapped();
        let rows_input = mapped.len();
        mapped.push(rows.clone());
        let most = (TARGET_BYTES / (4 * outputs * problem.widest(output))).clamp(1, batch);
        let compile = |ends: &[Expr]| {
            Batched::compile(ends, &mapped, &problem.shared(), most, problem.memory_limit, "the output")
        };
        if method == Method::Ibp {
            return Ok(Verdicts { outputs, rows_input, lower: compile(&[intervals.lo])?, both: None, alpha: None });
        }
        let walked = problem.bounder.functionals(output, &rows)?;
        let lower = compile(&[intervals.lo, walked.lo.clone()])?;
        let both = Some(compile(&[walked.lo, walked.hi])?);
        let alpha = match method {
            Method::AlphaCrown { steps } => Alpha::compile(problem, steps, batch * outputs)?,
            _ => None,
        };
        Ok(Verdicts { outputs, rows_input, lower, both, alpha })
    }

    /// Tightens the interval bounds of the outputs.
    pub fn tighten(&self, group: &Group, known: &mut Known) -> Result<()> {
        let Some(both) = &self.both else { return Ok(()) };
        let bounds = self.run(both, group, |_, target| rows::write_identity(self.outputs, target))?;
        for (at, (&lo, &hi)) in bounds[0].iter().zip(&bounds[1]).enumerate() {
            known.intersect(at, lo, hi);
        }
        let Some(alpha) = &self.alpha else { return Ok(()) };
        let n = self.outputs;
        let rows = |sign: f32| -> Vec<Row> {
            let row = |at: usize| {
                let coefficients = (0..n).map(|j| if j == at % n { sign } else { 0.0 }).collect();
                Row { example: at / n, coefficients }
            };
            (0..group.len * n).map(row).collect()
        };
        let (lower, negated) = (alpha.raise(group, &rows(1.0), false)?, alpha.raise(group, &rows(-1.0), false)?);
        for (at, (&lo, &hi)) in lower.iter().zip(&negated).enumerate() {
            known.intersect(at, lo, -hi);
        }
        Ok(())
    }

    /// Lower bounds of the smallest difference between the label's output and another one; −∞ where nothing is known.
    pub fn margins(&self, group: &Group, labels: &[usize]) -> Result<Vec<f64>> {
        let n = self.outputs;
        // Row j is z_y − z_j; row y is 0 and not looked at.
        let bounds = self.run(&self.lower, group, |example, target| {
            for j in (0..n).filter(|&j| j != labels[example]) {
                target[j * n + labels[example]] = 1.0;
                target[j * n + j] = -1.0;
            }
        })?;
        // A walk may be looser than intervals, for which affine layers at the end are merged too: the best bound of each
        // row counts. What is not known is NaN, which loses against any number.
        let best = |at: usize| bounds.iter().fold(f32::NEG_INFINITY, |best, bound| best.max(bound[at]));
        let mut best: Vec<f32> = (0..group.len * n).map(best).collect();
        if let Some(alpha) = &self.alpha {
            self.raise(alpha, group, labels, &mut best)?;
        }
        let smallest = |example: usize| {
            let others = (0..n).filter(|&j| j != labels[example]);
            others.fold(f64::INFINITY, |least, j| least.min(best[example * n + j].into()))
        };
        Ok((0..group.len).map(smallest).collect())
    }

    // Raises the margins that are not positive yet.
    fn raise(&self, alpha: &Alpha, group: &Group, labels: &[usize], margins: &mut [f32]) -> Result<()> {
        let n = self.outputs;
        let open: Vec<usize> =
            (0..margins.len()).filter(|&at| at % n != labels[at / n] && margins[at] <= 0.0).collect();
        let row = |&at: &usize| {
            let mut coefficients = vec![0.0; n];
            (coefficients[labels[at / n]], coefficients[at % n]) = (1.0, -1.0);
            Row { example: at / n, coefficients }
        };
        let raised = alpha.raise(group, &open.iter().map(row).collect::<Vec<_>>(), true)?;
        for (at, raised) in open.into_iter().zip(raised) {
            margins[at] = margins[at].max(raised);
        }
        Ok(())
    }

    fn run(
        &self,
        batched: &Batched,
        group: &Group,
        write_rows: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Result<Vec<Vec<f32>>> {
        let shared = [&group.balls.lower, &group.balls.upper];
        batched.run(group.len, &shared, |example, k, target| {
            if k == self.rows_input { write_rows(example, target) } else { group.feed(example, k, target) }
        })
    }
}
