//! A network and the symbolic ball around one example, from which all executables are made.

use crate::{CertifyError, Result};
use perturb_graph::{
    Bounder, DType, Domain, Expr, Graph, Interval, LinearBoundsOptions, Norm, Op, Rounding, Shape, Unary, dependents,
    substitute, topological,
};
use std::collections::HashSet;

/// What one example's input ranges over: placeholders for what is known only when an executable runs.
pub(crate) struct SymbolicSet {
    kind: Kind,
    /// A ball's centre or a box's lower corner, of the input's shape.
    first: Expr,
    /// A ball's radius, a scalar, or a box's upper corner.
    second: Expr,
    /// Limits of every element of a ball, scalars.
    limits: [Expr; 2],
}

/// Which sets inputs range over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Balls of a norm, within limits that are the same for all elements.
    Ball(Norm),
    /// Boxes.
    Box,
}

impl SymbolicSet {
    fn new(kind: Kind, shape: &Shape) -> Result<SymbolicSet> {
        let limits = ["lower", "upper"].map(|name| Expr::input(name, [], DType::F32));
        let names = if kind == Kind::Box { ["lower_corner", "upper_corner"] } else { ["center", "radius"] };
        let second = if kind == Kind::Box { shape.clone() } else { Shape::from([]) };
        let first = Expr::try_input(names[0], shape, DType::F32)?;
        Ok(SymbolicSet { kind, first, second: Expr::try_input(names[1], second, DType::F32)?, limits })
    }

    /// The same for a part of the input, of another shape; limits and the radius of a ball stay.
    pub fn cropped(&self, shape: &Shape) -> Result<SymbolicSet> {
        let own = SymbolicSet::new(self.kind, shape)?;
        let second = if self.kind == Kind::Box { own.second } else { self.second.clone() };
        Ok(SymbolicSet { second, limits: self.limits.clone(), ..own })
    }

    /// What is fed for every example.
    pub fn mapped(&self) -> Vec<Expr> {
        vec![self.first.clone(), self.second.clone()]
    }

    pub fn domain(&self) -> Domain {
        let (first, second) = (self.first.clone(), self.second.clone());
        let Kind::Ball(norm) = self.kind else { return Domain::Box { lo: first, hi: second } };
        let everywhere = |e: &Expr| e.broadcast_to(first.shape());
        let within = Some((everywhere(&self.limits[0]), everywhere(&self.limits[1])));
        Domain::Ball { center: first, radius: second, norm, within }
    }
}

/// Bounds of a node that come from an earlier stage, as placeholders.
#[derive(Clone)]
pub(crate) struct Given {
    pub node: Expr,
    pub bounds: Interval,
}

/// The network, rewritten for bound propagation, and the state of propagating bounds through it.
pub(crate) struct Problem {
    pub input: Expr,
    pub output: Expr,
    pub set: SymbolicSet,
    pub bounder: Bounder,
    pub rounding: Rounding,
    /// Bounds handed in so far, in the order of the nodes.
    pub given: Vec<Given>,
    /// Most bytes of working memory of one executable.
    pub memory_limit: u64,
    varying: HashSet<u64>,
}

impl Problem {
    pub fn new(graph: &Graph, norm: Norm, rounding: Rounding, memory_limit: u64) -> Result<Problem> {
        Ok(Problem::over(Kind::Ball(norm), graph, &[], rounding, memory_limit)?.0)
    }

    /// The problem over any kind of set. Also returns what `nodes` of the graph are after rewriting.
    pub fn over(
        kind: Kind,
        graph: &Graph,
        nodes: &[Expr],
        rounding: Rounding,
        memory_limit: u64,
    ) -> Result<(Problem, Vec<Expr>)> {
        let (input, output) = single_example(graph)?;
        let set = SymbolicSet::new(kind, input.shape())?;
        let options = LinearBoundsOptions { rounding, ..LinearBoundsOptions::default() };
        let all: Vec<Expr> = nodes.iter().cloned().chain([output]).collect();
        let (bounder, mut prepared) = Bounder::new(&all, &[(input.clone(), set.domain())], options)?;
        let output = prepared.remove(nodes.len());
        let varying = dependents(std::slice::from_ref(&output), std::slice::from_ref(&input));
        if !varying.contains(&output.id()) {
            return CertifyError::model("its output does not depend on its input");
        }
        let problem = Problem { input, output, set, bounder, rounding, given: Vec::new(), memory_limit, varying };
        Ok((problem, prepared))
    }

    pub fn varies(&self, node: &Expr) -> bool {
        self.varying.contains(&node.id())
    }

    /// From now on the bounds of `node` are placeholders.
    pub fn give(&mut self, node: &Expr) -> Result<()> {
        let placeholder = |name: &str| Expr::try_input(name, node.shape(), node.dtype());
        let bounds = Interval { lo: placeholder("known_lower")?, hi: placeholder("known_upper")? };
        self.bounder.tighten(node, bounds.clone());
        self.given.push(Given { node: node.clone(), bounds });
        Ok(())
    }

    /// What is fed for every example: the ball's centre and radius, then the given bounds.
    pub fn mapped(&self) -> Vec<Expr> {
        let given = self.given.iter().flat_map(|g| [g.bounds.lo.clone(), g.bounds.hi.clone()]);
        self.set.mapped().into_iter().chain(given).collect()
    }

    /// What is fed once for all examples.
    pub fn shared(&self) -> [Expr; 2] {
        self.set.limits.clone()
    }

    /// The nodes that vary and that `node` needs, operands first.
    pub fn cone(&self, node: &Expr) -> Vec<Expr> {
        topological(std::slice::from_ref(node)).into_iter().filter(|n| self.varies(n)).collect()
    }

    /// Elements of the largest tensor that a backward walk from `node` passes.
    pub fn widest(&self, node: &Expr) -> usize {
        self.cone(node).iter().map(|n| n.shape().count()).max().unwrap_or(1)
    }

    fn is_linear(&self, node: &Expr) -> bool {
        let mask: Vec<bool> = node.inputs().iter().map(|i| self.varies(i)).collect();
        node.id() == self.input.id() || node.op().primitive().is_none_or(|p| p.linear_in(&mask).is_some())
    }

    /// Whether the relaxations that see `node` depend on its bounds only where those contain 0, as for `relu`.
    pub fn has_kink_at_zero(&self, node: &Expr) -> bool {
        let cone = self.cone(&self.output);
        let mut users = cone.iter().filter(|u| u.inputs().iter().any(|i| i.id() == node.id()) && !self.is_linear(u));
        users.all(|u| matches!(u.op(), Op::Unary(Unary::Relu | Unary::Abs)))
    }

    /// Bounds of functionals of the output over the intervals of its last nonlinear nodes: interval propagation with all
    /// affine layers after the last nonlinearity merged into the rows ("elision", Gowal et al. 2018, §3).
    pub fn interval_functionals(&self, rows: &Expr) -> Result<Interval> {
        let cone = self.cone(&self.output);
        let (mut reached, mut frontier) = (HashSet::from([self.output.id()]), Vec::new());
        for node in cone.iter().rev().filter(|n| n.id() != self.input.id()) {
            if !reached.contains(&node.id()) {
                continue;
            }
            if self.is_linear(node) {
                reached.extend(node.inputs().iter().map(Expr::id));
            } else {
                frontier.push(node.clone());
            }
        }
        let mut replaced = Vec::new();
        let mut domains = Vec::new();
        for node in &frontier {
            let free = Expr::try_input("frontier", node.shape(), node.dtype())?;
            let bounds = self.bounder.bounds(node);
            replaced.push((node.clone(), free.clone()));
            domains.push((free, Domain::Box { lo: bounds.lo, hi: bounds.hi }));
        }
        let affine = substitute(std::slice::from_ref(&self.output), &replaced)?;
        if reached.contains(&self.input.id()) {
            domains.push((self.input.clone(), self.set.domain()));
        }
        let options = LinearBoundsOptions { rounding: self.rounding, ..LinearBoundsOptions::default() };
        let (bounder, prepared) = Bounder::new(&affine, &domains, options)?;
        Ok(bounder.functionals(&prepared[0], rows)?)
    }
}

// The network's only input and output.
pub(crate) fn single_example(graph: &Graph) -> Result<(Expr, Expr)> {
    let (input, output) = one_of_each(graph)?;
    if let Some(other) = [&input, &output].into_iter().find(|e| e.dtype() != DType::F32) {
        let reason = format!("it computes in {}, but bounds are computed in f32: convert it", other.dtype());
        return CertifyError::model(reason);
    }
    Ok((input, output))
}

/// The one input and the one output of a graph.
///
/// # Errors
/// If it has others.
pub(crate) fn one_of_each(graph: &Graph) -> Result<(Expr, Expr)> {
    let ([input], [(_, output)]) = (&graph.inputs[..], &graph.outputs[..]) else {
        let (i, o) = (graph.inputs.len(), graph.outputs.len());
        return CertifyError::model(format!("it has {i} inputs and {o} outputs, and certificates are for one of each"));
    };
    Ok((input.clone(), output.clone()))
}
