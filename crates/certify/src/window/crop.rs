//! Cutting windows out of concrete tensors.

use super::geometry::Window;
use perturb_graph::Expr;

/// Where every element of a window is found in its tensor, for every position of the bounded node.
pub(crate) struct Crop {
    /// Elements of one channel of the whole tensor.
    plane: usize,
    /// For each position, the elements of the window within one channel; those outside read their nearest neighbour.
    elements: Vec<Vec<usize>>,
    /// For each position, whether each element lies inside.
    inside: Vec<Vec<bool>>,
}

impl Crop {
    /// The windows of `tensor`, one for each axis, at all positions of `bounded`.
    pub fn new(tensor: &Expr, bounded: &Expr, windows: &[Window]) -> Crop {
        let (extents, positions) = (&tensor.shape()[2..], &bounded.shape()[2..]);
        let count: usize = positions.iter().product();
        let (mut elements, mut inside) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for flat in 0..count {
            let position = unravel(flat, positions);
            let sizes: Vec<usize> = windows.iter().map(|w| w.size).collect();
            let (mut at, mut valid) = (Vec::new(), Vec::new());
            for k in 0..sizes.iter().product() {
                let (mut element, mut within) = (0, true);
                for (a, k) in unravel(k, &sizes).into_iter().enumerate() {
                    let wanted = windows[a].offset + (windows[a].stride * position[a] + k) as isize;
                    let nearest = wanted.clamp(0, extents[a] as isize - 1);
                    within &= wanted == nearest;
                    element = element * extents[a] + nearest as usize;
                }
                at.push(element);
                valid.push(within);
            }
            elements.push(at);
            inside.push(valid);
        }
        Crop { plane: extents.iter().product(), elements, inside }
    }

    /// The window `[channels, window…]` at `position` of one example's tensor `[channels, spatial…]`.
    pub fn read(&self, tensor: &[f32], position: usize, target: &mut [f32]) {
        let elements = &self.elements[position];
        for (channel, target) in tensor.chunks(self.plane).zip(target.chunks_mut(elements.len())) {
            target.iter_mut().zip(elements).for_each(|(t, &e)| *t = channel[e]);
        }
    }

    /// For every position 1 at the elements inside the tensor and 0 outside.
    pub fn masks(&self) -> Vec<Vec<f32>> {
        self.inside.iter().map(|m| m.iter().map(|&i| f32::from(u8::from(i))).collect()).collect()
    }
}

fn unravel(mut flat: usize, sizes: &[usize]) -> Vec<usize> {
    let mut index = vec![0; sizes.len()];
    for (i, &size) in index.iter_mut().zip(sizes).rev() {
        (*i, flat) = (flat % size, flat / size);
    }
    index
}
