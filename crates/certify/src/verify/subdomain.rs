//! Subdomains of branch and bound over the signs of activations' operands.

use super::network::Network;
use super::root::LayerBounds;
use perturb_graph::{FreeSlopes, Shape};
use std::sync::Arc;

/// One operand's element whose sign is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub layer: usize,
    pub element: usize,
    /// Whether the operand is at least 0, or at most 0.
    pub active: bool,
}

/// A subdomain, and the multipliers with which its bound was found.
#[derive(Clone, Debug)]
pub(crate) struct Subdomain {
    pub conjunction: usize,
    /// Bounds of the operand of each activation, which the splits may narrow further.
    pub inner: Vec<Arc<LayerBounds>>,
    /// Outermost first.
    pub splits: Vec<Split>,
    /// How many of the splits, from the first on, `inner` was computed with.
    pub seen: usize,
    /// Whether no input meets the signs: then everything holds.
    pub empty: bool,
    /// Free slopes of all activations, one after the other.
    pub slopes: Arc<Vec<f32>>,
    /// One for each split.
    pub multipliers: Vec<f32>,
    /// One for each constraint of the conjunction, of sum 1.
    pub weights: Vec<f32>,
    /// Not above what it bounds but for rounding; −∞ at first.
    pub bound: f64,
    /// Number in the tree.
    pub place: usize,
}

/// How elements of layers lie one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub shapes: Vec<Shape>,
    /// Where each layer starts, and where the last ends.
    pub starts: Vec<usize>,
    /// What is free in each layer's relaxation.
    pub free: Vec<FreeSlopes>,
    /// Where each layer's slopes start, and where the last ones end.
    slopes: Vec<usize>,
}

impl Layout {
    pub fn new(network: &Network) -> Layout {
        let shapes: Vec<Shape> = network.operands().iter().map(|z| z.shape().clone()).collect();
        let free = network.free_slopes();
        let starts = |counts: &mut dyn Iterator<Item = usize>| {
            counts.fold(vec![0], |mut starts, count| {
                starts.push(starts[starts.len() - 1] + count);
                starts
            })
        };
        let slopes = starts(&mut free.iter().zip(&shapes).map(|(free, shape)| free.shape(shape).count()));
        Layout { starts: starts(&mut shapes.iter().map(Shape::count)), slopes, shapes, free }
    }

    pub fn layers(&self) -> usize {
        self.shapes.len()
    }

    /// Shape of a layer's slopes.
    pub fn slope_shape(&self, layer: usize) -> Shape {
        self.free[layer].shape(&self.shapes[layer])
    }

    /// One number of each element of a layer, from those of all.
    pub fn of<'a>(&self, all: &'a [f32], layer: usize) -> &'a [f32] {
        &all[self.starts[layer]..self.starts[layer + 1]]
    }

    /// The slopes of a layer, from those of all.
    pub fn slopes_of<'a>(&self, all: &'a [f32], layer: usize) -> &'a [f32] {
        &all[self.slopes[layer]..self.slopes[layer + 1]]
    }
}

impl Subdomain {
    /// The whole box, with slopes to start from.
    pub fn root(
        conjunction: usize,
        constraints: usize,
        bounds: &[Arc<LayerBounds>],
        slopes: &Arc<Vec<f32>>,
    ) -> Subdomain {
        Subdomain {
            conjunction,
            inner: bounds.to_vec(),
            splits: Vec::new(),
            seen: 0,
            empty: false,
            slopes: slopes.clone(),
            multipliers: Vec::new(),
            weights: vec![1.0 / constraints.max(1) as f32; constraints],
            bound: f64::NEG_INFINITY,
            place: 0,
        }
    }

    /// Both halves.
    pub fn children(&self, layer: usize, element: usize, places: [usize; 2]) -> [Subdomain; 2] {
        [false, true].map(|active| {
            let mut child = self.clone();
            child.splits.push(Split { layer, element, active });
            child.multipliers.push(0.0);
            child.place = places[usize::from(active)];
            child
        })
    }

    /// Writes the bounds of one layer's operand.
    pub fn write_bounds<T: From<f32> + Copy>(&self, layer: usize, upper: bool, target: &mut [T]) {
        let source = if upper { &self.inner[layer].upper } else { &self.inner[layer].lower };
        target.iter_mut().zip(source).for_each(|(t, &s)| *t = T::from(s));
        for split in self.splits.iter().filter(|s| s.layer == layer && s.active != upper) {
            let end = source[split.element];
            target[split.element] = T::from(if upper { end.min(0.0) } else { end.max(0.0) });
        }
    }

    /// Whether no sign is open, so that there is nothing left to split.
    pub fn is_settled(&self, layout: &Layout) -> bool {
        (0..layout.layers()).all(|layer| (0..layout.shapes[layer].count()).all(|e| !self.is_open(layer, e)))
    }

    /// Whether the sign of an element is open.
    pub fn is_open(&self, layer: usize, element: usize) -> bool {
        self.inner[layer].straddles(element) && !self.splits.iter().any(|s| (s.layer, s.element) == (layer, element))
    }
}
