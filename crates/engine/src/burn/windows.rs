//! Maximum over windows, in its three roles: one pass over the places of a window, each a strided box of the image.

use super::kernel::{Kernel, Site, take};
use super::layout::range;
use burn_backend::ops::{BoolTensorOps, FloatTensorOps, PadMode};
use burn_backend::{BoolDType, FloatDType, Slice as Range, TensorMetadata};
use burn_dispatch::{Dispatch, DispatchDevice, DispatchTensor};
use perturb_graph::{MaxPool, PoolRole};

struct Windows {
    /// Padding of each axis of the image.
    around: Vec<(usize, usize)>,
    /// Shape of the padded image.
    whole: Vec<usize>,
    /// Where the image lies in it.
    image: Vec<Range>,
    /// For each place of a window, the elements there, one for each window.
    places: Vec<Vec<Range>>,
    truth: BoolDType,
    float: FloatDType,
    device: DispatchDevice,
}

/// The kernel of a pool.
pub(super) fn max_pool(pool: &MaxPool, site: &Site) -> Kernel {
    let windows = Windows::new(pool, site);
    match pool.role {
        PoolRole::Max => Box::new(move |operands| {
            let [x] = take(operands);
            windows.largest(x)
        }),
        PoolRole::Choose => Box::new(move |operands| {
            let [x, t] = take(operands);
            windows.choose(x, t)
        }),
        PoolRole::Scatter => Box::new(move |operands| {
            let [x, y] = take(operands);
            windows.scatter(x, y)
        }),
    }
}

impl Windows {
    fn new(pool: &MaxPool, site: &Site) -> Windows {
        let x = site.operands[0];
        let pooled = if pool.role == PoolRole::Scatter { site.operands[1] } else { site.shape };
        let around: Vec<(usize, usize)> = [(0, 0), (0, 0)].into_iter().chain(pool.padding.iter().copied()).collect();
        let whole = x.iter().zip(&around).map(|(n, (low, high))| n + low + high).collect();
        let image = x.iter().zip(&around).map(|(&n, &(low, _))| range(low, low + n, 1)).collect();
        let mut places = vec![vec![range(0, x[0], 1), range(0, x[1], 1)]];
        for a in 0..pool.window.len() {
            let at = |k: usize| {
                let start = k * pool.dilation[a];
                range(start, start + (pooled[2 + a] - 1) * pool.strides[a] + 1, pool.strides[a])
            };
            let grown = places.iter().flat_map(|p| (0..pool.window[a]).map(move |k| [p.clone(), vec![at(k)]].concat()));
            places = grown.collect();
        }
        let (truth, float, device) = (site.truth, site.float(), site.device.clone());
        Windows { around, whole, image, places, truth, float, device }
    }

    fn pad(&self, x: DispatchTensor, value: f32) -> DispatchTensor {
        if self.around.iter().all(|&p| p == (0, 0)) {
            return x;
        }
        Dispatch::float_pad(x, &self.around, PadMode::Constant(value))
    }

    // Where `x` beats `best`: it is larger, or the first NaN.
    fn above(&self, x: &DispatchTensor, best: &DispatchTensor) -> DispatchTensor {
        let larger = Dispatch::float_greater(x.clone(), best.clone(), self.truth);
        let number = Dispatch::bool_not(Dispatch::float_is_nan(best.clone(), self.truth));
        let first = Dispatch::bool_and(Dispatch::float_is_nan(x.clone(), self.truth), number);
        Dispatch::bool_or(larger, first)
    }

    fn largest(&self, x: DispatchTensor) -> DispatchTensor {
        let x = self.pad(x, f32::NEG_INFINITY);
        let at = |place: &[Range]| Dispatch::float_slice(x.clone(), place);
        self.places[1..].iter().fold(at(&self.places[0]), |best, place| {
            let next = at(place);
            let mask = self.above(&next, &best);
            Dispatch::float_mask_where(best, mask, next)
        })
    }

    // For every place of a window but the first, where the search for the largest element moves on to it. Padding is
    // left behind by any element of the image, −∞ too.
    fn moves(&self, x: &DispatchTensor) -> Vec<DispatchTensor> {
        let padded = self.around.iter().any(|&p| p != (0, 0));
        let inside = padded.then(|| {
            let ones = Dispatch::float_full(x.shape(), 1f64.into(), &self.device, self.float);
            self.pad(ones, 0.0)
        });
        let inside = |place: &[Range]| {
            let inside = inside.as_ref().map(|m| Dispatch::float_slice(m.clone(), place));
            inside.map(|m| Dispatch::float_greater_elem(m, 0.5f64.into(), self.truth))
        };
        let x = self.pad(x.clone(), f32::NEG_INFINITY);
        let mut best = Dispatch::float_slice(x.clone(), &self.places[0]);
        let mut found = inside(&self.places[0]);
        let mut moves = Vec::with_capacity(self.places.len() - 1);
        for place in &self.places[1..] {
            let next = Dispatch::float_slice(x.clone(), place);
            let mut mask = self.above(&next, &best);
            if let (Some(here), Some(before)) = (inside(place), found.take()) {
                mask = Dispatch::bool_or(mask, Dispatch::bool_and(here.clone(), Dispatch::bool_not(before.clone())));
                found = Some(Dispatch::bool_or(here, before));
            }
            best = Dispatch::float_mask_where(best, mask.clone(), next);
            moves.push(mask);
        }
        moves
    }

    fn choose(&self, x: DispatchTensor, t: DispatchTensor) -> DispatchTensor {
        let moves = self.moves(&x);
        let t = self.pad(t, 0.0);
        let at = |place: &[Range]| Dispatch::float_slice(t.clone(), place);
        let steps = self.places[1..].iter().zip(moves);
        steps.fold(at(&self.places[0]), |chosen, (place, mask)| Dispatch::float_mask_where(chosen, mask, at(place)))
    }

    fn scatter(&self, x: DispatchTensor, y: DispatchTensor) -> DispatchTensor {
        let moves = self.moves(&x);
        let mut rest = y;
        let mut sum = Dispatch::float_zeros(self.whole.clone().into(), &self.device, self.float);
        let mut add = |place: &[Range], part: DispatchTensor| {
            let before = Dispatch::float_slice(sum.clone(), place);
            sum = Dispatch::float_slice_assign(sum.clone(), place, Dispatch::float_add(before, part));
        };
        // From the last place on: what a place keeps is gone for those before it.
        for (place, mask) in self.places[1..].iter().zip(moves).rev() {
            let kept = Dispatch::float_mask_fill(rest.clone(), Dispatch::bool_not(mask.clone()), 0f64.into());
            rest = Dispatch::float_mask_fill(rest, mask, 0f64.into());
            add(place, kept);
        }
        add(&self.places[0], rest);
        Dispatch::float_slice(sum, &self.image)
    }
}
