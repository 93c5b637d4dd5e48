//! Contractions with constants, and sums.

use super::index::{axes_of, for_each_index, places};
use super::{Lowering, Operand, Reason, Value, finite};
use crate::check::network::{Affine, Kind, ZERO};
use perturb_graph::{Convolution, DotDims, Expr, Slot};
use std::ops::Range;

impl Lowering {
    /// Rows that share their sources: one block for each place along the batch and the free axes of what varies.
    pub(super) fn dot(&mut self, node: &Expr, dims: &DotDims) -> Result<Value, Reason> {
        let (value, known, left) = match (self.operand(node, 0), self.operand(node, 1)) {
            (Operand::Varying(value), Operand::Known(known)) => (value, known, true),
            (Operand::Known(known), Operand::Varying(value)) => (value, known, false),
            _ => return Err("both factors depend on the input".into()),
        };
        let constants = finite(known)?;
        let sides = [(&dims.lhs_contract, &dims.lhs_batch), (&dims.rhs_contract, &dims.rhs_batch)];
        // For the left and the right operand: its axes along the batch, those that are free, and those summed over.
        let axes: Vec<[Vec<(usize, usize)>; 3]> = (0..2)
            .map(|side| {
                let (shape, (contract, batch)) = (node.inputs()[side].shape(), sides[side]);
                let free = DotDims::free(shape.len(), contract, batch);
                [axes_of(shape, batch), axes_of(shape, &free), axes_of(shape, contract)]
            })
            .collect();
        let (varying, fixed) = if left { (&axes[0], &axes[1]) } else { (&axes[1], &axes[0]) };
        let free = [places(0, &varying[1]), places(0, &fixed[1])];
        let (own, others) = (free[0].len(), free[1].len());
        let mut affine = Affine::new(node.shape().count());
        let batches = places(0, &varying[0]).into_iter().zip(places(0, &fixed[0]));
        for (batch, (from, constant)) in batches.enumerate() {
            let along = places(0, &fixed[2]);
            let weight = |row: usize, k: usize| constants[constant + free[1][row] + along[k]];
            for Run { rows, terms } in runs(others, along.len(), weight) {
                let all = rows.clone().flat_map(|row| terms.iter().map(move |&k| weight(row, k)));
                let weights = affine.add_weights(all.collect::<Vec<_>>());
                for (place, &start) in free[0].iter().enumerate() {
                    let elements = places(from + start, &varying[2]);
                    let sources = affine.add_sources(terms.iter().map(|&k| value.elements[elements[k]]));
                    let (first, step) =
                        if left { (place * others + rows.start, 1) } else { (rows.start * own + place, own) };
                    affine.add_block(batch * own * others + first, step, rows.len(), sources, weights);
                }
            }
        }
        Ok(self.push(Kind::Affine(affine)))
    }

    /// Rows of all channels of a group at one position share their sources.
    pub(super) fn conv(&mut self, node: &Expr, conv: &Convolution) -> Result<Value, Reason> {
        let (Operand::Varying(value), Operand::Known(kernel)) = (self.operand(node, 0), self.operand(node, 1)) else {
            return Err("only convolutions of what varies with a constant kernel can be checked".into());
        };
        let weights = finite(kernel)?;
        match conv.result {
            Slot::Response => {
                let affine = responses(node, conv, value, weights);
                Ok(self.push(Kind::Affine(affine)))
            }
            Slot::Image => {
                let affine = images(node, conv, value, &weights);
                Ok(self.push(Kind::Affine(affine)))
            }
            Slot::Kernel => Err("convolutions whose kernel depends on the input cannot be checked".into()),
        }
    }

    pub(super) fn reduce_sum(&mut self, node: &Expr, axes: &[usize]) -> Result<Value, Reason> {
        let Operand::Varying(value) = self.operand(node, 0) else { return Err("it sums nothing that varies".into()) };
        let shape = node.inputs()[0].shape();
        let kept: Vec<usize> = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
        let summed = axes_of(shape, axes);
        let mut affine = Affine::new(node.shape().count());
        let weights = affine.add_weights(vec![1.0; summed.iter().map(|a| a.0).product()]);
        for (result, start) in places(0, &axes_of(shape, &kept)).into_iter().enumerate() {
            let sources = affine.add_sources(places(start, &summed).into_iter().map(|p| value.elements[p]));
            affine.add_block(result, 1, 1, sources, weights);
        }
        Ok(self.push(Kind::Affine(affine)))
    }
}

/// Neighbouring rows of a constant factor, and which of their terms are summed: those of weight 0 add nothing.
struct Run {
    rows: Range<usize>,
    terms: Vec<usize>,
}

/// A constant of which at least this share is 0 is taken apart into its other weights.
const SPARSE: f64 = 0.75;

// All rows with all terms; of a sparse constant, as many neighbours as have their terms in common.
fn runs(rows: usize, terms: usize, weight: impl Fn(usize, usize) -> f64) -> Vec<Run> {
    let of = |row: usize| (0..terms).filter(|&k| weight(row, k) != 0.0).collect::<Vec<usize>>();
    let kept: usize = (0..rows).map(|row| of(row).len()).sum();
    if kept as f64 > (1.0 - SPARSE) * (rows * terms) as f64 {
        return vec![Run { rows: 0..rows, terms: (0..terms).collect() }];
    }
    let mut runs: Vec<Run> = Vec::new();
    for row in 0..rows {
        let terms = of(row);
        match runs.last_mut() {
            Some(run) if run.terms == terms => run.rows.end = row + 1,
            _ => runs.push(Run { rows: row..row + 1, terms }),
        }
    }
    runs
}

// Where a window's element meets an image: `None` outside of it.
fn meets(conv: &Convolution, axis: usize, position: usize, offset: usize, size: usize) -> Option<usize> {
    let place = position * conv.strides[axis] + offset * conv.dilation[axis];
    place.checked_sub(conv.padding[axis].0).filter(|&p| p < size)
}

fn responses(node: &Expr, conv: &Convolution, value: &Value, weights: Vec<f64>) -> Affine {
    let shapes = conv.shapes(node);
    let (image, kernel, response) = (&shapes.image, &shapes.kernel, &shapes.response);
    let strides = image.strides();
    let spatial = conv.strides.len();
    let (per_group, positions): (usize, usize) = (kernel[0] / conv.groups, response[2..].iter().product());
    let width: usize = kernel[1..].iter().product();
    let mut affine = Affine { weights, ..Affine::new(node.shape().count()) };
    for (example, group) in (0..image[0]).flat_map(|n| (0..conv.groups).map(move |g| (n, g))) {
        let mut position = 0;
        for_each_index(&response[2..], |at| {
            let start = affine.sources.len();
            for_each_index(&kernel[1..], |k| {
                let mut place = Some(example * strides[0] + (group * kernel[1] + k[0]) * strides[1]);
                for axis in 0..spatial {
                    let met = meets(conv, axis, at[axis], k[1 + axis], image[2 + axis]);
                    place = place.zip(met).map(|(place, met)| place + met * strides[2 + axis]);
                }
                affine.sources.push(place.map_or(ZERO, |p| value.elements[p]));
            });
            let first = (example * response[1] + group * per_group) * positions + position;
            let sources = start..affine.sources.len();
            affine.add_block(first, positions, per_group, sources, group * per_group * width);
            position += 1;
        });
    }
    affine
}

// The adjoint, row by row: each element of the image collects what it is met by.
fn images(node: &Expr, conv: &Convolution, value: &Value, weights: &[f64]) -> Affine {
    let shapes = conv.shapes(node);
    let (kernel, response) = (&shapes.kernel, &shapes.response);
    let (xs, ws) = (shapes.image.strides(), kernel.strides());
    let per_group = kernel[0] / conv.groups;
    let mut rows: Vec<Vec<(u32, f64)>> = vec![Vec::new(); node.shape().count()];
    let mut from = 0;
    for_each_index(response, |y| {
        for_each_index(&kernel[1..], |k| {
            let channel = y[1] / per_group * kernel[1] + k[0];
            let mut place = Some(y[0] * xs[0] + channel * xs[1]);
            let mut weight = y[1] * ws[0] + k[0] * ws[1];
            for axis in 0..conv.strides.len() {
                let met = meets(conv, axis, y[2 + axis], k[1 + axis], shapes.image[2 + axis]);
                place = place.zip(met).map(|(place, met)| place + met * xs[2 + axis]);
                weight += k[1 + axis] * ws[2 + axis];
            }
            if let Some(place) = place {
                rows[place].push((value.elements[from], weights[weight]));
            }
        });
        from += 1;
    });
    let mut affine = Affine::new(rows.len());
    for (result, row) in rows.into_iter().enumerate() {
        let sources = affine.add_sources(row.iter().map(|r| r.0));
        let weights = affine.add_weights(row.iter().map(|r| r.1));
        affine.add_block(result, 1, 1, sources, weights);
    }
    affine
}
