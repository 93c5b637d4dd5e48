//! The bound that branch and bound rests on, as a graph.
//!
//! On a subdomain on which some operands `z` of activations have a known sign, `s·z ≥ 0`, every `β ≥ 0` gives
//! `min f ≥ min (f − Σ β·s·z)`, where the right side is bounded over the whole box by a backward walk with any free slopes
//! `α` (β-CROWN: Wang et al. 2021, eq. 8). The Lagrangian is one more node of the network's graph, so that its bound is
//! nothing but `linear_bounds`, and its best slopes and multipliers are found along `vjp` of it.

use super::network::Network;
use crate::Result;
use perturb_graph::{Bounder, Domain, Expr, Interval, LinearBoundsOptions, Rounding, Slopes, topological};
use std::collections::HashMap;

/// Placeholders of one subdomain and the bound in terms of them.
pub(crate) struct Lagrangian {
    /// The corners of the box, of the input's shape.
    pub corners: [Expr; 2],
    /// For each activation, bounds of its operand.
    pub bounds: Vec<Interval>,
    /// For each activation, its free slopes.
    pub slopes: Vec<Expr>,
    /// For each activation, what is taken off for each unit of its operand: β·s.
    pub multipliers: Vec<Expr>,
    /// For each activation, a shift of its result, which is always 0: the bound's derivative by it is the coefficient with which
    /// the walk arrives there.
    pub shifts: Vec<Expr>,
    /// The lower bound of `⟨functional, values⟩`, a scalar.
    pub bound: Expr,
}

impl Lagrangian {
    /// The bound of the functional `functional`, of the shape of the network's values.
    ///
    /// # Errors
    /// If a primitive has no rule.
    pub fn new(network: &Network, functional: &Expr, rounding: Rounding) -> Result<Lagrangian> {
        let (shape, dtype) = (network.input.shape(), network.input.dtype());
        let [lo, hi] = ["lower_corner", "upper_corner"].map(|name| Expr::input(name, shape.clone(), dtype));
        let like = |name: &str| -> Result<Vec<Expr>> {
            network.operands().iter().map(|z| Ok(Expr::try_input(name, z.shape(), dtype)?)).collect()
        };
        let (multipliers, shifts) = (like("multipliers")?, like("shifts")?);
        let free = network.free_slopes();
        let slopes: Vec<Expr> = (free.iter().zip(&multipliers))
            .map(|(free, z)| Ok(Expr::try_input("slopes", free.shape(z.shape()), dtype)?))
            .collect::<Result<_>>()?;
        let (lower, upper) = (like("lower")?, like("upper")?);
        let bounds: Vec<Interval> = lower.into_iter().zip(upper).map(|(lo, hi)| Interval { lo, hi }).collect();

        let shifted = shifted(network, &shifts)?;
        let mut lagrangian = functional.try_reshape([network.width()])?.inner(&shifted.values);
        for (activation, multiplier) in shifted.activations.iter().zip(&multipliers) {
            lagrangian = lagrangian.sub(&multiplier.inner(&activation.inputs()[0]));
        }
        let outputs: Vec<Expr> = std::iter::once(lagrangian).chain(shifted.activations).collect();
        let domain = Domain::Box { lo: lo.clone(), hi: hi.clone() };
        let options = LinearBoundsOptions { rounding, ..LinearBoundsOptions::default() };
        let (mut bounder, prepared) = Bounder::new(&outputs, &[(network.input.clone(), domain)], options)?;
        let mut given = Slopes::default();
        for ((activation, bounds), slopes) in prepared[1..].iter().zip(&bounds).zip(&slopes) {
            bounder.tighten(&activation.inputs()[0], bounds.clone());
            given.lower.push((activation.clone(), slopes.reshape(slopes.shape().prepend(1))));
        }
        let one = Expr::full([1], 1.0, dtype);
        let bound = bounder.functionals_with(&prepared[0], &one, &given)?.lo.try_reshape([])?;
        Ok(Lagrangian { corners: [lo, hi], bounds, slopes, multipliers, shifts, bound })
    }
}

// The network with a shift added to the result of each activation.
fn shifted(network: &Network, shifts: &[Expr]) -> Result<Network> {
    let mut map: HashMap<u64, Expr> = HashMap::new();
    let mut activations = Vec::with_capacity(shifts.len());
    for node in topological(std::slice::from_ref(&network.values)) {
        let operands: Vec<Expr> = node.inputs().iter().map(|i| map.get(&i.id()).unwrap_or(i).clone()).collect();
        let changed = operands.iter().zip(node.inputs()).any(|(a, b)| a.id() != b.id());
        let same = if changed { Expr::apply(node.op().clone(), &operands)? } else { node.clone() };
        let place = network.activations.iter().position(|a| a.id() == node.id());
        let new = match place {
            Some(place) => {
                activations.push((place, same.clone()));
                same.add(&shifts[place])
            }
            None => same,
        };
        map.insert(node.id(), new);
    }
    activations.sort_unstable_by_key(|(place, _)| *place);
    let values = map.get(&network.values.id()).unwrap_or(&network.values).clone();
    Ok(Network { values, activations: activations.into_iter().map(|(_, a)| a).collect(), ..network.clone() })
}
