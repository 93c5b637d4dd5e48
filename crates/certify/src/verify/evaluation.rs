//! Bounds of subdomains for given slopes and multipliers: in `f32` to choose splits, in `f64` rounded outward to prove.

use super::combine::STEP;
use super::lagrangian::Lagrangian;
use super::network::Network;
use super::query::{Case, Row};
use super::subdomain::{Layout, Subdomain};
use crate::Result;
use num_traits::FromPrimitive;
use perturb_engine::{Executable, Options};
use perturb_graph::{Element, Expr, Op, Rounding, Shape, Tensor, Unary, grad, substitute, vmap};

/// What evaluation finds of some subdomains.
#[derive(Default)]
pub(crate) struct Evaluated {
    /// Their bounds.
    pub bounds: Vec<f64>,
    /// Slopes by the inputs of the planes below, whose lowest values the bounds are; if compiled for the search.
    pub planes: Vec<Vec<f32>>,
    /// How much each element's relaxation may cost, of all layers one after the other; if compiled for the search.
    pub costs: Vec<Vec<f32>>,
}

/// Compiled bounds of a number of subdomains.
pub(crate) struct Evaluation {
    executable: Executable,
    items: usize,
    layout: Layout,
    width: usize,
    outputs: usize,
    input: Shape,
}

impl Evaluation {
    /// Bounds in the network's type. With [`Rounding::Nearest`] also what the search wants to know.
    ///
    /// # Errors
    /// If a primitive has no rule, or the plan exceeds the memory limit.
    pub fn compile(network: &Network, items: usize, rounding: Rounding, options: &Options) -> Result<Evaluation> {
        let functional = Expr::try_input("functional", [network.width()], network.input.dtype())?;
        let lagrangian = Lagrangian::new(network, &functional, rounding)?;
        let mut outputs = vec![lagrangian.bound.clone()];
        if rounding == Rounding::Nearest {
            // A·(lo + hi)/2 − |A|·(hi − lo)/2: the derivatives by both ends sum to A.
            let ends = grad(&lagrangian.bound, &lagrangian.corners)?;
            outputs.push(ends[0].add(&ends[1]));
            outputs.extend(costs(network, &lagrangian)?);
        }
        let zeros: Vec<(Expr, Expr)> = lagrangian.shifts.iter().map(|s| (s.clone(), s.like(0.0))).collect();
        let outputs = substitute(&outputs, &zeros)?;
        let mut mapped = vec![functional];
        mapped.extend(lagrangian.bounds.iter().flat_map(|b| [b.lo.clone(), b.hi.clone()]));
        mapped.extend(lagrangian.slopes.iter().chain(&lagrangian.multipliers).cloned());
        let batched: Vec<Expr> = mapped
            .iter()
            .map(|e| Expr::try_input(e.name().unwrap_or("x"), e.shape().prepend(items), e.dtype()))
            .collect::<Result<_, _>>()?;
        let pairs: Vec<(Expr, Expr)> = mapped.into_iter().zip(batched.iter().cloned()).collect();
        let outputs = vmap(&outputs, &pairs, items)?;
        let inputs: Vec<Expr> = lagrangian.corners.iter().chain(&batched).cloned().collect();
        Ok(Evaluation {
            executable: Executable::compile(&outputs, &inputs, options)?,
            items,
            layout: Layout::new(network),
            width: network.width(),
            outputs: network.outputs,
            input: network.input.shape().clone(),
        })
    }

    /// Bounds of subdomains.
    ///
    /// # Errors
    /// If the executable fails.
    pub fn run<T: Element + From<f32> + Into<f64> + FromPrimitive>(
        &self,
        subdomains: &[&Subdomain],
        case: &Case,
    ) -> Result<Evaluated> {
        let mut all = Evaluated::default();
        for chunk in subdomains.chunks(self.items) {
            let feeds = self.feeds::<T>(chunk, case)?;
            let found = self.executable.run(&feeds.iter().collect::<Vec<_>>())?;
            for (item, s) in chunk.iter().enumerate() {
                let constant = combination(s, &case.conjunctions[s.conjunction]).1;
                let bound: f64 = found[0].as_slice::<T>()[item].into() + constant;
                all.bounds.push(if bound.is_nan() { f64::NEG_INFINITY } else { bound.next_down() });
                if let [_, planes, costs @ ..] = found.as_slice() {
                    let of = |layer: &Tensor| {
                        let width = layer.count() / self.items;
                        layer.as_slice::<f32>()[item * width..(item + 1) * width].to_vec()
                    };
                    all.planes.push(of(planes));
                    all.costs.push(costs.iter().flat_map(of).collect());
                }
            }
        }
        Ok(all)
    }

    fn feeds<T: Element + From<f32> + FromPrimitive>(
        &self,
        subdomains: &[&Subdomain],
        case: &Case,
    ) -> Result<Vec<Tensor>> {
        let of = |item: usize| subdomains[item.min(subdomains.len() - 1)];
        let corner = |values: &[f32]| Tensor::new(&self.input, values.iter().map(|&v| T::from(v)).collect::<Vec<T>>());
        let mut feeds = vec![corner(&case.lower)?, corner(&case.upper)?];
        let mut push = |shape: Shape, write: &dyn Fn(&Subdomain, &mut [T])| -> Result<()> {
            let width = shape.count();
            let mut values = vec![T::from(0.0); self.items * width];
            values.chunks_mut(width).enumerate().for_each(|(item, target)| write(of(item), target));
            feeds.push(Tensor::new(shape.prepend(self.items), values)?);
            Ok(())
        };
        push([self.width].into(), &|s, target| {
            let coefficients = combination(s, &case.conjunctions[s.conjunction]).0;
            for (index, coefficient) in coefficients {
                let at = if index < 0 { self.outputs + (-index - 1) as usize } else { index as usize };
                target[at] = T::from_f64(coefficient).unwrap_or_default();
            }
        })?;
        for (layer, shape) in self.layout.shapes.iter().enumerate() {
            for upper in [false, true] {
                push(shape.clone(), &|s, target| s.write_bounds(layer, upper, target))?;
            }
        }
        for layer in 0..self.layout.layers() {
            push(self.layout.slope_shape(layer), &|s, target| {
                let slopes = self.layout.slopes_of(&s.slopes, layer);
                target.iter_mut().zip(slopes).for_each(|(t, &v)| *t = T::from(v));
            })?;
        }
        for (layer, shape) in self.layout.shapes.iter().enumerate() {
            push(shape.clone(), &|s, target| {
                for (split, &beta) in s.splits.iter().zip(&s.multipliers).filter(|(split, _)| split.layer == layer) {
                    target[split.element] = T::from(if split.active { beta } else { -beta });
                }
            })?;
        }
        Ok(feeds)
    }
}

/// The weights with which constraints are combined to be proved.
pub(crate) fn exact_weights(subdomain: &Subdomain) -> Vec<f32> {
    let mut weights: Vec<f32> = subdomain.weights.iter().map(|w| (w / STEP).round().max(0.0) * STEP).collect();
    if let [one] = weights.as_mut_slice() {
        *one = 1.0;
    }
    weights
}

// The combination of a conjunction's constraints: coefficients, of inputs by −1 − index, and not more than its constant.
fn combination(subdomain: &Subdomain, rows: &[Row]) -> (Vec<(isize, f64)>, f64) {
    let mut sums: std::collections::BTreeMap<isize, f64> = std::collections::BTreeMap::new();
    let mut constant = 0.0f64;
    for (weight, row) in exact_weights(subdomain).into_iter().zip(rows).filter(|(w, _)| *w > 0.0) {
        let outputs = row.outputs.iter().map(|&(i, c)| (i as isize, c));
        for (index, coefficient) in outputs.chain(row.inputs.iter().map(|&(i, c)| (-1 - i as isize, c))) {
            *sums.entry(index).or_default() += f64::from(weight) * f64::from(coefficient);
        }
        let term = f64::from(weight) * row.constant;
        let down = |x: f64| if x == 0.0 { x } else { x.next_down() };
        constant = if rows.len() == 1 { row.constant } else { down(constant + down(term)) };
    }
    (sums.into_iter().collect(), constant)
}

/// How much of the lower line's gap counts: where it is taken, slopes were raised until it costs next to nothing. Counted in full,
/// such elements crowd out those that matter (`oval21`'s cifar_base_kw, image 5303: 4,764 subdomains with 1, 128 with 0.3, 108 with
/// 0.05 and below; cifar_deep_kw, image 5533: open after 22,602 with 1, proved after 1,256 with 0.02).
const LOWER_GAP: f64 = 0.02;

// What fixing the sign of each element may add to the bound, estimated: the coefficient at which the walk arrives at the
// activation's result times the largest gap between the upper line and the function, if the walk takes that one (Bunel et al.
// 2020); if it takes the lower line, a little of its gap on the better half.
fn costs(network: &Network, lagrangian: &Lagrangian) -> Result<Vec<Expr>> {
    let coefficients = grad(&lagrangian.bound, &lagrangian.shifts)?;
    let mut all = Vec::with_capacity(coefficients.len());
    for (k, (activation, coefficient)) in network.activations.iter().zip(&coefficients).enumerate() {
        let (bounds, slope) = (&lagrangian.bounds[k], &lagrangian.slopes[k]);
        all.push(if matches!(activation.op(), Op::Unary(Unary::Relu)) {
            let (below, above) = (bounds.lo.neg().relu(), bounds.hi.relu());
            let width = below.add(&above).maximum(&below.like(1e-30));
            let upper_gap = below.mul(&above).div(&width);
            let lower_gap = slope.mul(&below).maximum(&slope.neg().offset(1.0).mul(&above));
            let lower = coefficient.relu().mul(&lower_gap).scale(LOWER_GAP);
            coefficient.neg().relu().mul(&upper_gap).add(&lower)
        } else {
            // By how much a curve rises more than a line as steep as its flatter end.
            let ends = [&bounds.lo, &bounds.hi];
            let values = ends.map(|end| Expr::apply(activation.op().clone(), std::slice::from_ref(end)));
            let [lo, hi] = values;
            let (lo, hi) = (lo?, hi?);
            let steepness = grad(&lo.add(&hi).sum(), &[bounds.lo.clone(), bounds.hi.clone()])?;
            let flattest = steepness[0].minimum(&steepness[1]);
            coefficient.abs().mul(&hi.sub(&lo).sub(&flattest.mul(&bounds.hi.sub(&bounds.lo))))
        });
    }
    Ok(all)
}
