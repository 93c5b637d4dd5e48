//! Linear bound propagation (CROWN: Zhang et al. 2018; LiRPA on general graphs: Xu et al. 2020): the backward walk of
//! reverse mode, with relaxed slopes in place of derivatives.

use super::interval::image;
use super::prepare::{Prepared, prepare};
use super::pull_back::pull_back;
use super::vmap::vmap;
use crate::interval::{gamma, unit_roundoff};
use crate::{DotDims, Expr, GraphError, Interval, Op, Result, Rounding, Tensor, dependents, substitute, topological};
use std::collections::{HashMap, HashSet};

/// Norm of a perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Norm {
    /// Sum of magnitudes.
    L1,
    /// Euclidean length.
    L2,
    /// Largest magnitude.
    Linf,
}

/// The set that an input ranges over; its tensors have the input's shape.
#[derive(Clone, Debug)]
pub enum Domain {
    /// All points between two corners.
    Box {
        /// Lower corner.
        lo: Expr,
        /// Upper corner.
        hi: Expr,
    },
    /// All points within `radius` (a scalar) of `center`, and within the box `within` if there is one.
    Ball {
        /// Middle.
        center: Expr,
        /// Radius, a scalar.
        radius: Expr,
        /// The norm that measures the distance.
        norm: Norm,
        /// Limits of every element, such as the pixel range.
        within: Option<(Expr, Expr)>,
    },
}

impl Domain {
    /// The smallest box around the set.
    pub fn bounding_box(&self, rounding: Rounding) -> Interval {
        match self {
            Domain::Box { lo, hi } => Interval { lo: lo.clone(), hi: hi.clone() },
            Domain::Ball { center, radius, within, .. } => {
                let radius = radius.reshape([]).broadcast_to(center.shape());
                let ball = Interval { lo: center.sub(&radius), hi: center.add(&radius) }.widen(1.0, rounding);
                match within {
                    Some((lo, hi)) => Interval { lo: ball.lo.maximum(lo), hi: ball.hi.minimum(hi) },
                    None => ball,
                }
            }
        }
    }

    // The tensors of the input's shape, and the radius.
    fn parts(&self) -> (Vec<&Expr>, Option<&Expr>) {
        match self {
            Domain::Box { lo, hi } => (vec![lo, hi], None),
            Domain::Ball { center, radius, within, .. } => {
                let limits = within.iter().flat_map(|(lo, hi)| [lo, hi]);
                (std::iter::once(center).chain(limits).collect(), Some(radius))
            }
        }
    }

    fn check(&self, input: &Expr) -> Result<()> {
        let (tensors, radius) = self.parts();
        let typed = |e: &&Expr| e.dtype() == input.dtype();
        let fits = |e: &&Expr| typed(e) && e.shape() == input.shape();
        if tensors.iter().all(fits) && radius.iter().all(|r| typed(r) && r.shape().count() == 1) {
            return Ok(());
        }
        let shapes = tensors.into_iter().chain(radius).map(|e| e.shape().clone()).collect();
        let reason = format!("a domain of {input:?} needs its shape and type, and a radius of one element");
        Err(GraphError::Shape { op: "linear_bounds".into(), reason, shapes })
    }

    // Over a box, an affine map of one layer has exact interval bounds.
    fn is_box(&self) -> bool {
        matches!(self, Domain::Box { .. } | Domain::Ball { norm: Norm::Linf, .. })
    }
}

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
        let useful = |n: &&Expr| wanted.contains(&n.id()) && !exact.contains(&n.id()) && !is_input(n);
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
        node.op().primitive()?.linear_in(&mask)
    }

    /// Bounds of every element of `node`, of its shape, by one backward walk per element.
    ///
    /// # Errors
    /// If a nonlinear node has no relaxation, or the identity matrix of the node's size would be too large.
    pub fn elementwise(&self, node: &Expr) -> Result<Interval> {
        if !self.varying.contains(&node.id()) {
            return Ok(Interval::point(node));
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

// Length of a covector, with derivative 0 where it is 0 (a layer of dead neurons must not train to NaN). It is measured
// relative to its largest element, so that small ones are not lost to underflow when they are squared.
fn euclidean(covector: &Expr) -> Expr {
    let axes: Vec<usize> = (0..covector.rank()).collect();
    let largest = covector.abs().reduce_max(&axes, false);
    // The length does not depend on the unit that it is measured in, so neither does its derivative.
    let unit = largest.maximum(&largest.like(crate::interval::underflow(covector.dtype()))).stop_gradient();
    let squares = covector.div(&unit).square().sum();
    let nonzero = squares.step();
    Expr::select(&nonzero, &squares, &squares.like(1.0)).sqrt().mul(&nonzero).mul(&unit)
}

// Inputs with what they range over.
type Sets = Vec<(Expr, Domain)>;

// A domain may be described through the very input that it is for (a ball around x). What varies within the domain must
// then be told apart from the x that it is centred at.
fn apart_from_domains(outputs: &[Expr], inputs: &[(Expr, Domain)]) -> Result<(Vec<Expr>, Sets)> {
    let sources: Vec<Expr> = inputs.iter().map(|(x, _)| x.clone()).collect();
    let mut described = Vec::new();
    for (x, domain) in inputs {
        domain.check(x)?;
        let (tensors, radius) = domain.parts();
        described.extend(tensors.into_iter().chain(radius).cloned());
    }
    let depends = dependents(&described, &sources);
    if described.iter().all(|d| !depends.contains(&d.id())) {
        return Ok((outputs.to_vec(), inputs.to_vec()));
    }
    let varying: Vec<Expr> = sources.iter().map(|x| Expr::input("varying", x.shape(), x.dtype())).collect();
    let pairs: Vec<(Expr, Expr)> = sources.into_iter().zip(varying.iter().cloned()).collect();
    let domains = inputs.iter().map(|(_, d)| d.clone());
    Ok((substitute(outputs, &pairs)?, varying.into_iter().zip(domains).collect()))
}

fn relax_error(node: &Expr, error: &GraphError) -> GraphError {
    let reason = format!("for operands that vary together ({error})");
    GraphError::NoRule { op: node.op().name().into(), rule: "linear_bounds", reason }
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Lower,
    Upper,
}

impl Side {
    // middle − reach for a lower bound, middle + reach for an upper one.
    fn below(self, middle: &Expr, reach: &Expr) -> Expr {
        if self == Side::Lower { middle.sub(reach) } else { middle.add(reach) }
    }

    fn tighter(self, a: &Expr, b: &Expr) -> Expr {
        if self == Side::Lower { a.maximum(b) } else { a.minimum(b) }
    }
}

// The constant part of a bound, as it collects along the walk, and the rounding errors to take off it at the end.
struct Total {
    side: Side,
    outward: bool,
    terms: Vec<Expr>,
    // Errors that are complete, and magnitudes of sums of `n` products whose error is still to be multiplied by γ.
    errors: Vec<Expr>,
    magnitudes: Vec<(Expr, usize)>,
}

impl Total {
    fn new(rounding: Rounding, side: Side) -> Total {
        let outward = rounding == Rounding::Outward;
        Total { side, outward, terms: Vec::new(), errors: Vec::new(), magnitudes: Vec::new() }
    }

    fn add_constant(&mut self, weight: &Expr, constant: &Expr) {
        let (product, n) = self.inner(weight, constant);
        self.terms.push(product);
        if self.outward {
            self.magnitudes.push((self.inner(&weight.abs(), &constant.abs()).0, n));
        }
    }

    fn add_error(&mut self, covector: &Expr, error: &Expr) {
        if self.outward {
            let (product, n) = self.inner(&covector.abs(), error);
            self.errors.push(product.clone());
            self.magnitudes.push((product, n));
        }
    }

    // An inner product, and the number n whose γ bounds its rounding. Outward it is taken in two levels of sums: n
    // terms in √n blocks cost γ of 2√n, whatever the order within a level, not γ of n.
    fn inner(&self, a: &Expr, b: &Expr) -> (Expr, usize) {
        let n = a.shape().count();
        let width = if self.outward { (1..=n).take_while(|w| w * w <= n).filter(|w| n % w == 0).last() } else { None };
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

    fn add_rounding(&mut self, magnitude: &Expr, n: usize) {
        if self.outward {
            self.magnitudes.push((magnitude.clone(), n));
        }
    }

    fn finish(self, row: &Expr) -> Expr {
        let sum = |terms: &[Expr]| {
            let zero = Expr::scalar(0.0, row.dtype());
            terms.iter().skip(1).fold(terms.first().cloned().unwrap_or(zero), |a, b| a.add(b))
        };
        let bound = sum(&self.terms);
        if !self.outward {
            return bound;
        }
        // Each inner product of n terms, then a sum of all of them: γ of the lengths together; twice, because the box
        // has one for its centre and one for its radius; the last tenth for the roundings of this very estimate.
        let count = self.terms.len() + self.errors.len() + self.magnitudes.len();
        let weighted: Vec<Expr> =
            self.magnitudes.iter().map(|(m, n)| m.scale(2.2 * gamma(n + count + 8, row.dtype()))).collect();
        let error = sum(&self.errors).scale(1.0 + 1e-3).add(&sum(&weighted));
        let error = error.offset(1e3 * crate::interval::underflow(row.dtype()));
        self.side.below(&bound, &error)
    }
}
