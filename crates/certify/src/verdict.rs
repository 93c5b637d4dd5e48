//! The last step: functionals of the output.

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
    /// Lower bounds of the rows.
    lower: Batched,
    /// Lower and upper bounds of the rows, where they are better than interval propagation.
    both: Option<Batched>,
}

impl Verdicts {
    pub fn compile(problem: &Problem, method: Method, batch: usize) -> Result<Verdicts> {
        let output = &problem.output;
        let outputs = output.shape().count();
        let rows = Expr::try_input("rows", output.shape().prepend(outputs), output.dtype())?;
        let bounds = match method {
            Method::Ibp => problem.interval_functionals(&rows)?,
            Method::CrownIbp | Method::Crown => problem.bounder.functionals(output, &rows)?,
        };
        let mut mapped = problem.mapped();
        let rows_input = mapped.len();
        mapped.push(rows);
        let most = (TARGET_BYTES / (4 * outputs * problem.widest(output))).clamp(1, batch);
        let compile = |ends: &[Expr]| {
            Batched::compile(ends, &mapped, &problem.shared(), most, problem.memory_limit, "the output")
        };
        let lower = compile(std::slice::from_ref(&bounds.lo))?;
        let both = if method == Method::Ibp { None } else { Some(compile(&[bounds.lo, bounds.hi])?) };
        Ok(Verdicts { outputs, rows_input, lower, both })
    }

    /// Tightens the interval bounds of the outputs.
    pub fn tighten(&self, group: &Group, known: &mut Known) -> Result<()> {
        let Some(both) = &self.both else { return Ok(()) };
        let bounds = self.run(both, group, |_, target| rows::write_identity(self.outputs, target))?;
        for (at, (&lo, &hi)) in bounds[0].iter().zip(&bounds[1]).enumerate() {
            known.intersect(at, lo, hi);
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
        let smallest = |(example, row): (usize, &[f32])| {
            let others = row.iter().enumerate().filter(|(j, _)| *j != labels[example]);
            others
                .fold(f64::INFINITY, |least, (_, &m)| if m.is_nan() { f64::NEG_INFINITY } else { least.min(m.into()) })
        };
        Ok(bounds[0].chunks(n).enumerate().map(smallest).collect())
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
