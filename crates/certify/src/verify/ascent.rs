//! Raising the bounds of many subdomains at once by ascent on slopes and multipliers.

use super::lagrangian::Lagrangian;
use super::network::Network;
use super::query::{Case, Row};
use super::subdomain::{Layout, Subdomain};
use crate::Result;
use crate::adam::{Corrections, Moments};
use perturb_engine::{Executable, Options, Session};
use perturb_graph::{DType, Expr, Rounding, Tensor, grad, substitute, vmap};
use std::sync::Arc;

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    /// Adam's step for slopes and weights.
    pub slopes: f32,
    /// Adam's step for multipliers.
    pub multipliers: f32,
    /// Factor on both from step to step.
    pub decay: f32,
    /// Steps.
    pub steps: usize,
}

/// Number of tensors that Adam and the memory of the best keep for each variable, itself included.
const COPIES: usize = 4;

/// Compiled for a number of items.
pub(crate) struct Ascent {
    items: usize,
    layout: Layout,
    rows: usize,
    width: usize,
    outputs: usize,
    corners: [Tensor; 2],
    session: Session,
}

impl Ascent {
    /// Compiles for `items` subdomains of a case at a time, whose conjunctions have at most `rows` constraints.
    ///
    /// # Errors
    /// If a primitive has no rule, or the plan exceeds the memory limit.
    pub fn compile(network: &Network, case: &Case, rows: usize, items: usize, options: &Options) -> Result<Ascent> {
        let layout = Layout::new(network);
        let (layers, width) = (layout.layers(), network.width());
        let placeholder = |name: &str, shape: &[usize]| Expr::try_input(name, shape, DType::F32);
        let matrix = placeholder("rows", &[rows, width])?;
        let constants = placeholder("constants", &[rows])?;
        let weights = placeholder("weights", &[rows])?;
        let functional = weights.reshape([1, rows]).try_matmul(&matrix)?.reshape([width]);
        let lagrangian = Lagrangian::new(network, &functional, Rounding::Nearest)?;
        let like = |name: &str| -> Result<Vec<Expr>> {
            layout.shapes.iter().map(|s| Ok(Expr::try_input(name, s, DType::F32)?)).collect()
        };
        let (signs, betas) = (like("signs")?, like("betas")?);
        let signed = signs.iter().zip(&betas).map(|(s, b)| s.mul(b));
        let zeros = lagrangian.shifts.iter().map(|s| s.like(0.0));
        let leaves = lagrangian.multipliers.iter().chain(&lagrangian.shifts).cloned();
        let pairs: Vec<(Expr, Expr)> = leaves.zip(signed.chain(zeros)).collect();
        let bound = substitute(&[lagrangian.bound.clone()], &pairs)?.remove(0).add(&weights.inner(&constants));

        // One leading axis for the items.
        let mut mapped: Vec<Expr> = lagrangian.bounds.iter().flat_map(|b| [b.lo.clone(), b.hi.clone()]).collect();
        mapped.extend(signs.iter().cloned());
        mapped.extend([matrix, constants]);
        let fed = mapped.len();
        mapped.extend(lagrangian.slopes.iter().chain(&betas).cloned());
        mapped.push(weights);
        let batched: Vec<Expr> = mapped
            .iter()
            .map(|e| Expr::try_input(e.name().unwrap_or("x"), e.shape().prepend(items), DType::F32))
            .collect::<Result<_, _>>()?;
        let pairs: Vec<(Expr, Expr)> = mapped.iter().cloned().zip(batched.iter().cloned()).collect();
        let bound = vmap(&[bound], &pairs, items)?.remove(0);
        let variables = &batched[fed..];
        let gradients = grad(&bound.sum(), variables)?;

        let scalar = |name: &str| Expr::input(name, [], DType::F32);
        let [slope_rate, beta_rate] = ["slope_rate", "beta_rate"].map(scalar);
        let corrections = ["first", "second"].map(scalar);
        let best = placeholder("best", &[items])?;
        let better = bound.greater(&best);
        let mut state = vec![(best.clone(), bound.maximum(&best))];
        for (k, (variable, gradient)) in variables.iter().zip(&gradients).enumerate() {
            let moment = |name: &str| Expr::try_input(name, variable.shape(), DType::F32);
            let (moments, kept) = (Moments { mean: moment("m")?, square: moment("v")? }, moment("kept")?);
            let rate = if (layers..2 * layers).contains(&k) { &beta_rate } else { &slope_rate };
            // Slopes move by a share of the steepest one.
            let steepest = layout.free.get(k).map_or(1.0, |free| free.steepest);
            let (direction, next_moments) = moments.ascend(gradient, &corrections);
            let moved = variable.add(&direction.mul(rate).scale(steepest)).relu();
            let next = match k {
                k if k < layers => moved.minimum(&moved.like(steepest)),
                k if k < 2 * layers => moved,
                _ => {
                    let sum = moved.reduce_sum(&[1], true).offset(1e-30);
                    moved.div(&sum.broadcast_to(moved.shape()))
                }
            };
            let axes: Vec<usize> = std::iter::once(items).chain(variable.shape()[1..].iter().map(|_| 1)).collect();
            let mask = better.reshape(axes).broadcast_to(variable.shape());
            let keep = Expr::select(&mask, variable, &kept);
            let averages = [(moments.mean, next_moments.mean), (moments.square, next_moments.square)];
            state.extend([(variable.clone(), next)].into_iter().chain(averages).chain([(kept, keep)]));
        }
        let mut inputs: Vec<Expr> = lagrangian.corners.to_vec();
        inputs.extend(batched[..fed].iter().cloned());
        inputs.extend([slope_rate, beta_rate]);
        inputs.extend(corrections);
        let executable = Executable::compile_with_state(&[bound], &inputs, &state, options)?;
        let initial: Vec<Tensor> = state.iter().map(|(leaf, _)| Tensor::full(leaf.shape(), 0.0f32)).collect();
        let corner = |values: &[f32]| Tensor::new(network.input.shape(), values.to_vec());
        Ok(Ascent {
            items,
            rows,
            width,
            outputs: network.outputs,
            corners: [corner(&case.lower)?, corner(&case.upper)?],
            session: executable.session(&initial)?,
            layout,
        })
    }

    /// Raises the bounds of at most as many subdomains as were compiled for, from the multipliers that they have; each
    /// gets its best bound and what gives it. `stop` ends it early.
    ///
    /// # Errors
    /// If the executable fails.
    pub fn raise(
        &mut self,
        subdomains: &mut [Subdomain],
        case: &Case,
        rates: Rates,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        let feeds = self.feeds(subdomains, case)?;
        self.load(subdomains)?;
        let (mut slope_rate, mut beta_rate) = (rates.slopes, rates.multipliers);
        // The bound is that of the variables before each step.
        for (step, [first, second]) in (0..=rates.steps).zip(Corrections::new()) {
            let scalars = [slope_rate, beta_rate, first, second].map(Tensor::scalar);
            let all: Vec<&Tensor> = self.corners.iter().chain(&feeds).chain(&scalars).collect();
            let bounds = self.session.run(&all)?;
            (slope_rate, beta_rate) = (slope_rate * rates.decay, beta_rate * rates.decay);
            let now = bounds[0].as_slice::<f32>();
            if step > 0 && (stop() || now[..subdomains.len()].iter().all(|b| *b > 0.0)) {
                break;
            }
        }
        self.unload(subdomains);
        Ok(())
    }

    // What is fed: bounds of each layer, signs of the splits, and the constraints; items beyond the last repeat it.
    fn feeds(&self, subdomains: &[Subdomain], case: &Case) -> Result<Vec<Tensor>> {
        let of = |item: usize| &subdomains[item.min(subdomains.len() - 1)];
        let mut feeds = Vec::new();
        let filled = |shape: &perturb_graph::Shape, write: &dyn Fn(&Subdomain, &mut [f32])| -> Result<Tensor> {
            let width = shape.count();
            let mut values = vec![0.0f32; self.items * width];
            values.chunks_mut(width).enumerate().for_each(|(item, target)| write(of(item), target));
            Ok(Tensor::new(shape.prepend(self.items), values)?)
        };
        for (layer, shape) in self.layout.shapes.iter().enumerate() {
            for upper in [false, true] {
                feeds.push(filled(shape, &|s, target| s.write_bounds(layer, upper, target))?);
            }
        }
        for (layer, shape) in self.layout.shapes.iter().enumerate() {
            feeds.push(filled(shape, &|s, target| {
                for split in s.splits.iter().filter(|split| split.layer == layer) {
                    target[split.element] = if split.active { 1.0 } else { -1.0 };
                }
            })?);
        }
        let rows_of = |s: &Subdomain| -> &[Row] { &case.conjunctions[s.conjunction] };
        feeds.push(filled(&[self.rows, self.width].into(), &|s, target| {
            for (k, target) in target.chunks_mut(self.width).enumerate() {
                constraint(rows_of(s), k).write(self.outputs, target);
            }
        })?);
        feeds.push(filled(&[self.rows].into(), &|s, target| {
            target.iter_mut().enumerate().for_each(|(k, t)| *t = constraint(rows_of(s), k).constant as f32);
        })?);
        Ok(feeds)
    }

    fn load(&mut self, subdomains: &[Subdomain]) -> Result<()> {
        let of = |item: usize| &subdomains[item.min(subdomains.len() - 1)];
        self.session.set_variable(0, &Tensor::full([self.items], f32::NEG_INFINITY))?;
        let layers = self.layout.layers();
        for k in 0..=2 * layers {
            let layer = k % layers;
            let shape = match k / layers.max(1) {
                0 => self.layout.slope_shape(layer),
                1 => self.layout.shapes[layer].clone(),
                _ => [self.rows].into(),
            };
            let mut values = vec![0.0f32; self.items * shape.count()];
            for (item, target) in values.chunks_mut(shape.count()).enumerate() {
                let s = of(item);
                if k < layers {
                    target.copy_from_slice(self.layout.slopes_of(&s.slopes, layer));
                } else if k < 2 * layers {
                    let own = s.splits.iter().zip(&s.multipliers).filter(|(split, _)| split.layer == layer);
                    own.for_each(|(split, &beta)| target[split.element] = beta);
                } else {
                    target[..s.weights.len()].copy_from_slice(&s.weights);
                }
            }
            let tensor = Tensor::new(shape.prepend(self.items), values)?;
            let zero = Tensor::full(tensor.shape(), 0.0f32);
            for (copy, value) in [&tensor, &zero, &zero, &tensor].into_iter().enumerate() {
                self.session.set_variable(1 + COPIES * k + copy, value)?;
            }
        }
        Ok(())
    }

    fn unload(&self, subdomains: &mut [Subdomain]) {
        let layers = self.layout.layers();
        let kept: Vec<Tensor> = (0..=2 * layers).map(|k| self.session.variable(1 + COPIES * k + COPIES - 1)).collect();
        let bounds = self.session.variable(0);
        for (item, s) in subdomains.iter_mut().enumerate() {
            let row = |k: usize| {
                let values = kept[k].as_slice::<f32>();
                let width = values.len() / self.items;
                &values[item * width..(item + 1) * width]
            };
            s.slopes = Arc::new((0..layers).flat_map(row).copied().collect());
            s.multipliers = s.splits.iter().map(|split| row(layers + split.layer)[split.element]).collect();
            let (own, repeated) = row(2 * layers).split_at(s.weights.len());
            s.weights = own.to_vec();
            if let Some(last) = s.weights.last_mut() {
                *last += repeated.iter().sum::<f32>();
            }
            // What a child's relaxation allows, its parent's bound shows too.
            s.bound = s.bound.max(f64::from(bounds.as_slice::<f32>()[item]));
        }
    }
}

// Constraint `k` of a conjunction; the last one again where there are fewer.
fn constraint(rows: &[Row], k: usize) -> &Row {
    &rows[k.min(rows.len() - 1)]
}
