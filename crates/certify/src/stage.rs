//! One inner node at a time: interval bounds, then backward walks for the elements that need better ones.

use crate::batched::Batched;
use crate::known::{Group, Known};
use crate::problem::Problem;
use crate::rows::Rows;
use crate::window::Windowed;
use crate::{CertifyError, Result};
use perturb_graph::Expr;

/// Bytes of the largest tensor that one run of interval propagation aims at.
const TARGET_BYTES: usize = 8 << 20;

/// Interval bounds of one node, given those of the nodes before it.
pub(crate) struct Intervals(Batched);

impl Intervals {
    pub fn compile(problem: &Problem, node: &Expr, batch: usize) -> Result<Intervals> {
        let bounds = problem.bounder.bounds(node);
        let most = (TARGET_BYTES / (4 * problem.widest(node))).clamp(1, batch);
        let what = format!("{} {}", node.op().name(), node.shape());
        let outputs = [bounds.lo, bounds.hi];
        let limit = problem.memory_limit;
        Ok(Intervals(Batched::compile(&outputs, &problem.mapped(), &problem.shared(), most, limit, &what)?))
    }

    pub fn run(&self, group: &Group) -> Result<Known> {
        let shared = [&group.balls.lower, &group.balls.upper];
        let mut ends = self.0.run(group.len, &shared, |e, k, target| group.feed(e, k, target))?.into_iter();
        let (lo, hi) = (ends.next().unwrap_or_default(), ends.next().unwrap_or_default());
        let unknown =
            |values: Vec<f32>, end: f32| values.into_iter().map(|v| if v.is_nan() { end } else { v }).collect();
        Ok(Known { lo: unknown(lo, f32::NEG_INFINITY), hi: unknown(hi, f32::INFINITY) })
    }
}

/// How the elements of a node are bounded from behind.
enum Backward {
    /// Functionals of whole tensors.
    Rows(Rows),
    /// Functionals of what the node sees from one position of its image.
    Windowed(Windowed),
}

/// Bounds one node.
pub(crate) struct Stage {
    intervals: Intervals,
    backward: Backward,
    /// Whether only elements whose interval contains 0 need better bounds.
    kink: bool,
}

impl Stage {
    pub fn compile(problem: &Problem, node: &Expr, batch: usize) -> Result<Stage> {
        let backward = match Windowed::compile(problem, node, batch) {
            Ok(Some(windowed)) => Backward::Windowed(windowed),
            // One row needs less memory than all channels of a position may.
            Ok(None) | Err(CertifyError::Memory { .. }) => Backward::Rows(Rows::compile(problem, node, batch)?),
            Err(other) => return Err(other),
        };
        let intervals = Intervals::compile(problem, node, batch)?;
        Ok(Stage { intervals, backward, kink: problem.has_kink_at_zero(node) })
    }

    /// Bounds of the node for all examples of `group`, in which the nodes before it are known.
    pub fn run(&self, group: &Group) -> Result<Known> {
        let mut known = self.intervals.run(group)?;
        let wanted = |known: &Known, at: usize| !self.kink || known.straddles(at);
        match &self.backward {
            Backward::Rows(rows) => rows.run(group, &mut known, wanted)?,
            Backward::Windowed(windowed) => windowed.run(group, &mut known, wanted)?,
        }
        Ok(known)
    }
}
