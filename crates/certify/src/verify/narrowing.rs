//! Bounds of the operands of activations, computed anew where some signs are fixed (Henriksen & Lomuscio 2020 do so after every
//! split): a `relu` whose sign is known is no longer relaxed, which narrows what later layers can reach.

use super::network::Network;
use super::query::Case;
use super::root::LayerBounds;
use super::subdomain::{Split, Subdomain};
use crate::Result;
use crate::batched::Batched;
use crate::problem::{Kind, Problem};
use crate::proof::{ElementSlopes, LayerSlopes};
use perturb_graph::{Expr, Graph, Op, Rounding, Slopes, Tensor, topological};
use std::sync::Arc;

/// How far from 0 a bound must be to count where inner bounds were narrowed, by the largest magnitude of an operand. Proofs are
/// checked with inner bounds that were narrowed in `f64`: these lie within those of `f32` rounded outward, and yet the bound of
/// a subdomain may be lower with them, since a walk through tighter relaxations is not always tighter. `mnist-net_256x4`,
/// property 5 at 0.03, with operands up to 46: more than 7.0e-4 here was −2.4e-4 there, and 1.6e-4 was −7.0e-4.
const MARGIN: f64 = 1.0 / (1 << 12) as f64;

/// Most numbers that all walks' rows and slopes may have together.
const MOST_CONSTANTS: usize = 1 << 23;

/// Compiled for a number of subdomains of one case.
pub(crate) struct Narrowing<'a> {
    case: &'a Case,
    layers: Vec<Option<Layer>>,
    margin: f64,
}

/// The walks to one operand.
struct Layer {
    /// Which elements they bound.
    elements: Vec<usize>,
    walks: Batched,
}

impl<'a> Narrowing<'a> {
    /// Compiles walks, rounded outward, for `items` subdomains at a time: for each layer those elements that have slopes of
    /// their own, with these slopes. `None` if there are none, other nodes than activations are nonlinear, the operand of
    /// one does not depend on all those before it, the walks' constants would need too much memory, weights were rounded to `f32`
    /// (what the walks find would not hold for the network as given), or it is `late`. Also
    /// `None` for convolutions: there one sign narrows little and all walks cost much (`oval21`'s cifar_base_kw, image
    /// 5303: 4,440 subdomains in 10 s without; of 980 in 30 s with narrowing none was the last), and for sigmoid and tanh, of
    /// which every element is relaxed (`eran`'s image 3991: proved after 842 subdomains in 13 s without, open after 88 in 22 s
    /// with narrowing).
    ///
    /// # Errors
    /// If a primitive has no rule, or one subdomain needs more than `memory_limit` bytes.
    pub fn compile(
        network: &Network,
        (case, root): (&'a Case, &[LayerBounds]),
        slopes: &[LayerSlopes],
        items: usize,
        memory_limit: u64,
        late: &dyn Fn() -> bool,
    ) -> Result<Option<Narrowing<'a>>> {
        let convolves =
            topological(std::slice::from_ref(&network.values)).iter().any(|n| matches!(n.op(), Op::Conv(_)));
        let curves = network.free_slopes().iter().any(|free| free.both);
        if network.rounded || convolves || curves || constants(network, slopes) > MOST_CONSTANTS {
            return Ok(None);
        }
        let graph = Graph::new(vec![network.input.clone()], vec![("values".into(), network.values.clone())])?;
        let (mut problem, operands) =
            Problem::over(Kind::Box, &graph, &network.operands(), Rounding::Outward, memory_limit)?;
        let is_operand = |node: &Expr| operands.iter().any(|o| o.id() == node.id());
        if !problem.bounder.to_tighten().iter().all(is_operand) {
            return Ok(None);
        }
        let mut layers = Vec::with_capacity(operands.len());
        for (layer, operand) in operands.iter().enumerate() {
            let activations = problem.bounder.activations(operand);
            if activations.len() != layer
                || activations.iter().zip(&operands).any(|(a, o)| a.inputs()[0].id() != o.id())
            {
                return Ok(None);
            }
            if late() {
                return Ok(None);
            }
            layers.push(match &slopes[layer] {
                LayerSlopes::Given(given) => Some(Layer::compile(&problem, operand, &activations, given, items)?),
                LayerSlopes::Adaptive => None,
            });
            problem.give(operand)?;
        }
        let ends = root.iter().flat_map(|bounds| bounds.lower.iter().chain(&bounds.upper));
        let margin = MARGIN * ends.fold(0.0, |most, end| f64::max(most, f64::from(end.abs())));
        Ok(layers.iter().any(Option::is_some).then_some(Narrowing { case, layers, margin }))
    }

    /// How far from 0 a bound must be to count.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// Whether the sign of an element of this layer's operand can narrow other bounds.
    pub fn concerns(&self, layer: usize) -> bool {
        self.layers[layer + 1..].iter().any(Option::is_some)
    }

    /// Narrows the inner bounds of subdomains by their signs, layer by layer until it is `late`.
    ///
    /// # Errors
    /// If an executable fails.
    pub fn run(&self, subdomains: &mut [Subdomain], late: &dyn Fn() -> bool) -> Result<()> {
        for (index, layer) in self.layers.iter().enumerate() {
            let Some(layer) = layer else { continue };
            if late() {
                return Ok(());
            }
            let concerned = |s: &&mut Subdomain| s.splits[s.seen..].iter().any(|split| split.layer < index);
            let mut concerned: Vec<&mut Subdomain> = subdomains.iter_mut().filter(concerned).collect();
            layer.narrow(index, (self.case, self.margin as f32), &mut concerned)?;
        }
        subdomains.iter_mut().for_each(|s| s.seen = s.splits.len());
        Ok(())
    }
}

// How many numbers the rows and slopes of all walks are.
fn constants(network: &Network, slopes: &[LayerSlopes]) -> usize {
    let mut below = 0;
    let mut all = 0;
    for (operand, slopes) in network.operands().iter().zip(slopes) {
        let width = operand.shape().count();
        if let LayerSlopes::Given(given) = slopes {
            all += given.len() * (width + 2 * below);
        }
        below += width;
    }
    all
}

impl Layer {
    fn compile(
        problem: &Problem,
        operand: &Expr,
        activations: &[Expr],
        given: &[ElementSlopes],
        items: usize,
    ) -> Result<Layer> {
        let elements: Vec<usize> = given.iter().map(|g| g.element as usize).collect();
        let (count, width) = (elements.len(), operand.shape().count());
        let mut rows = vec![0.0f32; count * width];
        elements.iter().enumerate().for_each(|(row, element)| rows[row * width + element] = 1.0);
        let rows = Expr::constant(Tensor::new(operand.shape().prepend(count), rows)?);
        let of = |side: fn(&ElementSlopes) -> &Vec<Vec<f32>>| -> Result<Vec<(Expr, Expr)>> {
            let all = activations.iter().enumerate().map(|(below, activation)| {
                let values = given.iter().flat_map(|g| side(g)[below].iter().copied()).collect();
                let free = activation.op().free_slopes().map(|free| free.shape(activation.shape()));
                let shape = free.unwrap_or_else(|| activation.shape().clone()).prepend(count);
                Ok((activation.clone(), Expr::constant(Tensor::new(shape, values)?)))
            });
            all.collect()
        };
        let slopes = Slopes { lower: of(|g| &g.lower)?, upper: of(|g| &g.upper)? };
        let bounds = problem.bounder.functionals_with(operand, &rows, &slopes)?;
        let outputs = [bounds.lo, bounds.hi];
        let (mapped, shared) = (problem.mapped(), problem.shared());
        let walks =
            Batched::compile(&outputs, &mapped, &shared, items, problem.memory_limit, "the operand of an activation")?;
        Ok(Layer { elements, walks })
    }

    fn narrow(&self, layer: usize, (case, margin): (&Case, f32), subdomains: &mut [&mut Subdomain]) -> Result<()> {
        let limits = [f32::MIN, f32::MAX].map(Tensor::scalar);
        let bounds = self.walks.run(subdomains.len(), &[&limits[0], &limits[1]], |item, k, target| match k {
            0 => target.copy_from_slice(&case.lower),
            1 => target.copy_from_slice(&case.upper),
            _ => subdomains[item].write_bounds(k / 2 - 1, k % 2 == 1, target),
        })?;
        for (item, s) in subdomains.iter_mut().enumerate() {
            let mut inner = (*s.inner[layer]).clone();
            for (row, &element) in self.elements.iter().enumerate() {
                let at = item * self.elements.len() + row;
                let (lo, hi) = (inner.lower[element].max(bounds[0][at]), inner.upper[element].min(bounds[1][at]));
                if lo <= hi {
                    (inner.lower[element], inner.upper[element]) = (lo, hi);
                } else {
                    s.empty |= lo - hi > margin;
                }
            }
            let excluded = |split: &Split| {
                let end = if split.active { &inner.upper } else { &inner.lower }[split.element];
                if split.active { end < -margin } else { end > margin }
            };
            s.empty |= s.splits.iter().filter(|split| split.layer == layer).any(excluded);
            s.inner[layer] = Arc::new(inner);
        }
        Ok(())
    }
}
