//! The backward walk: a covector on a node, carried to the inputs.

use super::Bounder;
use super::total::{Side, Total};
use crate::interval::unit_roundoff;
use crate::transforms::pull_back::pull_back;
use crate::transforms::vmap::vmap;
use crate::{Expr, GraphError, Interval, Op, Result, Rounding, Tensor, topological};
use std::collections::HashMap;

/// Slopes of the lines around activations for one backward walk (α-CROWN: Xu et al. 2021), as pairs of a node of
/// [`Bounder::activations`] and slopes `[rows, …shape]`, where the shape is that of [`FreeSlopes::shape`](crate::FreeSlopes::shape):
/// of the line below `relu`, of the lines below and above `sigmoid` and `tanh`. They are clipped to what can be of use. Lower and
/// upper bounds have their own. Nodes that are not named take adaptive slopes.
#[derive(Clone, Debug, Default)]
pub struct Slopes {
    /// For lower bounds.
    pub lower: Vec<(Expr, Expr)>,
    /// For upper bounds.
    pub upper: Vec<(Expr, Expr)>,
}

impl Bounder {
    /// Bounds of every element of `node`, of its shape, by one backward walk per element.
    ///
    /// # Errors
    /// If a nonlinear node has no relaxation, or the identity matrix of the node's size would be too large.
    pub fn elementwise(&self, node: &Expr) -> Result<Interval> {
        if !self.varying.contains(&node.id()) {
            return Ok(Interval::point(node));
        }
        if !node.dtype().is_float() {
            return Ok(self.bounds(node));
        }
        let n = node.shape().count();
        let bytes = (n as u128) * (n as u128) * node.dtype().size() as u128;
        if bytes > crate::MAX_TENSOR_BYTES {
            let op = "linear_bounds".to_string();
            return Err(GraphError::TooLarge { op, shape: [n, n].into(), bytes, limit: crate::MAX_TENSOR_BYTES });
        }
        let mut identity = vec![0.0; n * n];
        (0..n).for_each(|i| identity[i * n + i] = 1.0);
        let rows = Expr::constant(Tensor::from_f64(node.shape().prepend(n), node.dtype(), identity)?);
        let by_rows = self.functionals(node, &rows)?;
        let shaped = Interval { lo: by_rows.lo.reshape(node.shape()), hi: by_rows.hi.reshape(node.shape()) };
        Ok(shaped.intersect(&self.bounds(node)))
    }

    /// Bounds, of shape `[rows]`, of the linear functionals `⟨row, node⟩` for `rows [rows, …shape of node]`.
    ///
    /// # Errors
    /// If a nonlinear node has no relaxation, or `rows` does not fit.
    pub fn functionals(&self, node: &Expr, rows: &Expr) -> Result<Interval> {
        self.functionals_with(node, rows, &Slopes::default())
    }

    /// [`Bounder::functionals`] with given slopes of activations: any slopes give valid bounds, the best ones are found
    /// by ascent on the bounds (α-CROWN).
    ///
    /// # Errors
    /// As [`Bounder::functionals`]; or if slopes do not have the shape `[rows, …shape of their node]`.
    pub fn functionals_with(&self, node: &Expr, rows: &Expr, slopes: &Slopes) -> Result<Interval> {
        let row = Expr::input("row", node.shape(), node.dtype());
        let size = rows.shape().first().copied().unwrap_or(0);
        let one = |side: Side, given: &[(Expr, Expr)]| -> Result<Expr> {
            let mut pairs = vec![(row.clone(), rows.clone())];
            let mut of_row = HashMap::new();
            for (activation, slope) in given {
                let Some(free) = activation.op().free_slopes() else {
                    let (op, reason) = (activation.op().name().into(), "with chosen slopes".into());
                    return Err(GraphError::NoRule { op, rule: "linear_bounds", reason });
                };
                let placeholder = Expr::input("slope", free.shape(activation.shape()), activation.dtype());
                of_row.insert(activation.id(), placeholder.clone());
                pairs.push((placeholder, slope.clone()));
            }
            let bound = self.walk(node, &row, side, &of_row)?;
            Ok(vmap(&[bound], &pairs, size)?.remove(0))
        };
        Ok(Interval { lo: one(Side::Lower, &slopes.lower)?, hi: one(Side::Upper, &slopes.upper)? })
    }

    /// The nodes whose slopes are free when `node` is bounded, in the order of the graph.
    pub fn activations(&self, node: &Expr) -> Vec<Expr> {
        let below = topological(std::slice::from_ref(node));
        let is_free = |n: &&Expr| n.op().free_slopes().is_some() && self.varying.contains(&n.inputs()[0].id());
        below.iter().filter(is_free).cloned().collect()
    }

    // One bound of ⟨row, output⟩: the covector walks from the output to the inputs.
    fn walk(&self, output: &Expr, row: &Expr, side: Side, slopes: &HashMap<u64, Expr>) -> Result<Expr> {
        let mut total = Total::new(self.rounding, side);
        let mut pending: HashMap<u64, Expr> = HashMap::from([(output.id(), row.clone())]);
        for node in self.order.iter().rev() {
            let Some(covector) = pending.remove(&node.id()) else { continue };
            if let Some((_, domain)) = self.inputs.iter().find(|(x, _)| x.id() == node.id()) {
                domain.bound(&self.bounds(node), &covector, &mut total);
                continue;
            }
            if self.linear_group(node).is_some() {
                self.through(node, &covector, node.inputs(), node, &mut pending, &mut total)?;
                continue;
            }
            // Below, a positive weight takes the lower enclosure and a negative one the upper; above, vice versa.
            let (positive, negative) = (covector.relu(), covector.neg().relu().neg());
            let bounds: Vec<Interval> = node.inputs().iter().map(|i| self.bounds(i)).collect();
            let relaxed = match slopes.get(&node.id()) {
                Some(slopes) => match node.op() {
                    Op::Unary(unary) => {
                        unary.lines_with(&bounds[0], slopes, self.rounding).map(|l| l.of(&node.inputs()[0]))
                    }
                    _ => None,
                },
                None => node.op().primitive().and_then(|r| r.relax(node, &bounds, self.rounding)),
            };
            let own = self.bounds(node);
            let (lower, upper) = relaxed.map_or((own.lo, own.hi), |r| (r.lower, r.upper));
            let (for_positive, for_negative) = if side == Side::Lower { (lower, upper) } else { (upper, lower) };
            self.through(&for_positive, &positive, node.inputs(), node, &mut pending, &mut total)?;
            self.through(&for_negative, &negative, node.inputs(), node, &mut pending, &mut total)?;
        }
        Ok(total.finish(row))
    }

    // Pulls `covector` on the affine expression `affine` of `operands` back to the operands that vary.
    fn through(
        &self,
        affine: &Expr,
        covector: &Expr,
        operands: &[Expr],
        node: &Expr,
        pending: &mut HashMap<u64, Expr>,
        total: &mut Total,
    ) -> Result<()> {
        let mut variables: Vec<Expr> = operands.iter().filter(|i| self.varying.contains(&i.id())).cloned().collect();
        variables.sort_unstable_by_key(Expr::id);
        variables.dedup_by_key(|v| v.id());
        let adjoint = pull_back(affine, covector, &variables).map_err(|e| relax_error(node, &e))?;
        if self.rounding == Rounding::Outward {
            self.account(&adjoint.visited, &variables, total);
        }
        for (constant, weight) in &adjoint.constants {
            total.add_constant(weight, constant);
        }
        for (variable, part) in variables.iter().zip(adjoint.variables) {
            let Some(part) = part else { continue };
            let sum = match pending.remove(&variable.id()) {
                Some(earlier) => {
                    let sum = earlier.add(&part);
                    let rounding = self.bounds(variable).magnitude().scale(2.0 * unit_roundoff(variable.dtype()));
                    total.add_error(&sum, &rounding);
                    sum
                }
                None => part,
            };
            pending.insert(variable.id(), sum);
        }
        Ok(())
    }

    // Rounding of the adjoints along an affine expression. Every covector is an exact number once computed: what is
    // lost is the difference between the adjoint as computed and as defined, times the operand that it meets.
    fn account(&self, visited: &[(Expr, Expr)], variables: &[Expr], total: &mut Total) {
        let mut known: HashMap<u64, Interval> = variables.iter().map(|v| (v.id(), self.bounds(v))).collect();
        let mut ascending: Vec<&(Expr, Expr)> = visited.iter().collect();
        ascending.sort_unstable_by_key(|(n, _)| n.id());
        for (node, covector) in ascending {
            let operands: Vec<Interval> = node
                .inputs()
                .iter()
                .map(|i| known.get(&i.id()).cloned().unwrap_or_else(|| Interval::point(i)))
                .collect();
            let varies: Vec<bool> = node.inputs().iter().map(|i| known.contains_key(&i.id())).collect();
            if let Some(rules) = node.op().primitive() {
                if let Some(error) = rules.adjoint_error(node, &operands, &varies) {
                    total.add_error(covector, &error);
                }
                known.insert(node.id(), rules.interval(node, &operands, self.rounding));
            }
        }
    }
}

fn relax_error(node: &Expr, error: &GraphError) -> GraphError {
    let reason = format!("for operands that vary together ({error})");
    GraphError::NoRule { op: node.op().name().into(), rule: "linear_bounds", reason }
}
