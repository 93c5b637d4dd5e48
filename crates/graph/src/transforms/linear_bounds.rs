//! Linear bound propagation (CROWN: Zhang et al. 2018; LiRPA on general graphs: Xu et al. 2020): the backward walk of
//! reverse mode, with relaxed slopes in place of derivatives.

use super::domain::{Domain, Norm, Sets, apart_from_domains};
use super::interval::image;
use super::prepare::{Prepared, prepare};
use super::pull_back::pull_back;
use super::total::{Side, Total, euclidean};
use super::vmap::vmap;
use crate::interval::unit_roundoff;
use crate::op::linear_group;
use crate::{Expr, GraphError, Interval, Op, Result, Rounding, Tensor, dependents, topological};
use std::collections::{HashMap, HashSet};

/// Where the bounds of inner nodes, which the relaxations need, come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Intermediate {
    /// Interval propagation only: "CROWN-IBP" (Zhang et al. 2020).
    Interval,
    /// A backward walk from every node that a nonlinearity sees: CROWN.
    #[default]
    Backward,
}

/// How [`linear_bounds`] works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LinearBoundsOptions {
    /// What the arithmetic promises.
    pub rounding: Rounding,
    /// Where inner bounds come from.
    pub intermediate: Intermediate,
}

/// Elementwise bounds of `outputs` while every input stays in its domain. Never looser than interval propagation with
/// the same inner bounds, because both are intersected.
///
/// Where nothing is known, such as about a quotient by an interval with 0 in it, the bound is infinite.
///
/// # Errors
/// If a domain does not have its input's shape and type, or a tensor of rows would be too large.
pub fn linear_bounds(
    outputs: &[Expr],
    inputs: &[(Expr, Domain)],
    options: LinearBoundsOptions,
) -> Result<Vec<Interval>> {
    let (mut bounder, prepared) = Bounder::new(outputs, inputs, options)?;
    if options.intermediate == Intermediate::Backward {
        for node in bounder.to_tighten() {
            let bounds = bounder.elementwise(&node)?;
            bounder.tighten(&node, bounds);
        }
    }
    prepared.iter().map(|o| Ok(bounder.elementwise(o)?.or_infinite())).collect()
}

/// Bound propagation over one graph and one set of domains, step by step: bounds of inner nodes can be computed here,
/// or elsewhere and handed in.
pub struct Bounder {
    order: Vec<Expr>,
    varying: HashSet<u64>,
    inputs: Sets,
    rounding: Rounding,
    known: HashMap<u64, Interval>,
    // What a node was before it was rewritten, by id of the node: its interval can be the better one.
    originals: HashMap<u64, Expr>,
    // Bounds that were handed in, which interval propagation must not overwrite.
    given: HashMap<u64, Interval>,
}

impl Bounder {
    /// Starts with interval bounds of every node. Also returns `outputs` as they are bounded: rewritten so that every
    /// nonlinear node has a relaxation.
    ///
    /// # Errors
    /// If a domain does not have its input's shape and type, or rewriting makes a tensor too large.
    pub fn new(
        outputs: &[Expr],
        inputs: &[(Expr, Domain)],
        options: LinearBoundsOptions,
    ) -> Result<(Bounder, Vec<Expr>)> {
        let (outputs, inputs) = apart_from_domains(outputs, inputs)?;
        let sources: Vec<Expr> = inputs.iter().map(|(x, _)| x.clone()).collect();
        let Prepared { outputs: prepared, originals } = prepare(&outputs, &sources)?;
        let varying = dependents(&prepared, &sources);
        let order = topological(&prepared).into_iter().filter(|n| varying.contains(&n.id())).collect();
        let mut bounder = Bounder {
            order,
            varying,
            inputs,
            rounding: options.rounding,
            known: HashMap::new(),
            originals,
            given: HashMap::new(),
        };
        bounder.propagate();
        Ok((bounder, prepared))
    }

    // Interval propagation, but for nodes whose bounds were handed in: those replace the image.
    fn propagate(&mut self) {
        self.known.clear();
        for (input, domain) in &self.inputs {
            self.known.insert(input.id(), domain.bounding_box(self.rounding));
        }
        for node in &self.order {
            if self.known.contains_key(&node.id()) {
                continue;
            }
            let bounds = match (self.given.get(&node.id()), self.originals.get(&node.id())) {
                (Some(given), _) => given.clone(),
                (None, Some(original)) => {
                    let own = image(node, &self.known, self.rounding);
                    own.intersect(&image(original, &self.known, self.rounding))
                }
                (None, None) => image(node, &self.known, self.rounding),
            };
            self.known.insert(node.id(), bounds);
        }
    }

    /// Current bounds of a node; a node that does not vary is exact.
    pub fn bounds(&self, node: &Expr) -> Interval {
        self.known.get(&node.id()).cloned().unwrap_or_else(|| Interval::point(node))
    }

    /// Replaces the bounds of a node by bounds from elsewhere, which must hold; bounds of later nodes are propagated
    /// anew. What [`Bounder::elementwise`] gives is already intersected with the bounds it replaces.
    pub fn tighten(&mut self, node: &Expr, bounds: Interval) {
        self.given.insert(node.id(), bounds);
        self.propagate();
    }

    /// The nodes whose bounds enter a relaxation and are not exact yet, in the order in which they should be bounded.
    pub fn to_tighten(&self) -> Vec<Expr> {
        let mut wanted = HashSet::new();
        for node in &self.order {
            if self.inputs.iter().all(|(x, _)| x.id() != node.id()) && self.linear_group(node).is_none() {
                wanted.extend(node.inputs().iter().filter(|i| self.varying.contains(&i.id())).map(Expr::id));
            }
        }
        let box_inputs = self.inputs.iter().all(|(_, d)| d.is_box());
        let exact = if box_inputs { self.exactly_bounded() } else { HashSet::new() };
        let is_input = |n: &Expr| self.inputs.iter().any(|(x, _)| x.id() == n.id());
        let useful =
            |n: &&Expr| wanted.contains(&n.id()) && n.dtype().is_float() && !exact.contains(&n.id()) && !is_input(n);
        self.order.iter().filter(useful).cloned().collect()
    }

    // Nodes for which interval propagation from a box is exact: at most one summing map, then elementwise scaling.
    fn exactly_bounded(&self) -> HashSet<u64> {
        let mut single: HashSet<u64> = self.inputs.iter().map(|(x, _)| x.id()).collect();
        let mut exact = single.clone();
        for node in &self.order {
            let from: Vec<&Expr> = node.inputs().iter().filter(|i| self.varying.contains(&i.id())).collect();
            if from.len() != 1 || self.linear_group(node).is_none() {
                continue;
            }
            let sums = matches!(node.op(), Op::Dot(_) | Op::Conv(_) | Op::ReduceSum(_) | Op::MaxPool(_));
            // Copies of one element vary together, so a sum over them is not exact any more.
            if single.contains(&from[0].id()) && !sums && !matches!(node.op(), Op::Broadcast(_)) {
                single.insert(node.id());
            }
            if (sums && single.contains(&from[0].id())) || (!sums && exact.contains(&from[0].id())) {
                exact.insert(node.id());
            }
        }
        exact
    }

    fn linear_group(&self, node: &Expr) -> Option<Vec<bool>> {
        let mask: Vec<bool> = node.inputs().iter().map(|i| self.varying.contains(&i.id())).collect();
        linear_group(node, &mask)
    }

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
        let row = Expr::input("row", node.shape(), node.dtype());
        let lo = self.walk(node, &row, Side::Lower)?;
        let hi = self.walk(node, &row, Side::Upper)?;
        let size = rows.shape().first().copied().unwrap_or(0);
        let bounds = vmap(&[lo, hi], &[(row, rows.clone())], size)?;
        Ok(Interval { lo: bounds[0].clone(), hi: bounds[1].clone() })
    }

    // One bound of ⟨row, output⟩: the covector walks from the output to the inputs.
    fn walk(&self, output: &Expr, row: &Expr, side: Side) -> Result<Expr> {
        let mut total = Total::new(self.rounding, side);
        let mut pending: HashMap<u64, Expr> = HashMap::from([(output.id(), row.clone())]);
        for node in self.order.iter().rev() {
            let Some(covector) = pending.remove(&node.id()) else { continue };
            if let Some((_, domain)) = self.inputs.iter().find(|(x, _)| x.id() == node.id()) {
                self.concretize(domain, node, &covector, &mut total);
                continue;
            }
            if self.linear_group(node).is_some() {
                self.through(node, &covector, node.inputs(), node, &mut pending, &mut total)?;
                continue;
            }
            // Below, a positive weight takes the lower enclosure and a negative one the upper; above, vice versa.
            let (positive, negative) = (covector.relu(), covector.neg().relu().neg());
            let bounds: Vec<Interval> = node.inputs().iter().map(|i| self.bounds(i)).collect();
            let relaxed = node.op().primitive().and_then(|r| r.relax(node, &bounds, self.rounding));
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

    fn concretize(&self, domain: &Domain, input: &Expr, covector: &Expr, total: &mut Total) {
        let bounding = self.bounds(input);
        let side = total.side;
        let (size, n) = total.inner(&covector.abs(), &bounding.magnitude());
        total.add_rounding(&size, n);
        let middle = total.inner(covector, &bounding.center()).0;
        let reach = total.inner(&covector.abs(), &bounding.radius()).0;
        let over_box = side.below(&middle, &reach);
        let value = match domain {
            Domain::Box { .. } | Domain::Ball { norm: Norm::Linf, .. } => over_box,
            Domain::Ball { center, radius, norm, within } => {
                let dual = match norm {
                    Norm::L2 => euclidean(covector),
                    _ => covector.abs().reduce_max(&(0..covector.rank()).collect::<Vec<_>>(), false),
                };
                let reach = dual.mul(&radius.reshape([]));
                let over_ball = side.below(&total.inner(covector, center).0, &reach);
                // The centre itself may lie outside the limits.
                let (size, n) = total.inner(&covector.abs(), &center.abs());
                total.add_rounding(&size, n);
                total.add_rounding(&reach, input.shape().count());
                match within {
                    Some(_) => side.tighter(&over_ball, &over_box),
                    None => over_ball,
                }
            }
        };
        total.terms.push(value);
    }
}

fn relax_error(node: &Expr, error: &GraphError) -> GraphError {
    let reason = format!("for operands that vary together ({error})");
    GraphError::NoRule { op: node.op().name().into(), rule: "linear_bounds", reason }
}
