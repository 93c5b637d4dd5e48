//! Occlusion.

use crate::error::require;
use crate::{Attribution, Baseline, Geometry, Model, Result};
use perturb_graph::Tensor;

/// How much the target's logit drops when a window of the input is covered: `f(x) − f(x with the window at its
/// baseline)`, averaged over the windows that cover a pixel (Zeiler and Fergus 2014, section 4.2). A window covers all
/// channels, so all channels of a pixel have the same attribution; flat inputs have windows of consecutive features
/// ([`Model::with_geometry`] tells that they are images).
#[derive(Clone, Debug, PartialEq)]
pub struct Occlusion {
    /// Side of the window in pixels.
    pub window: usize,
    /// Step between windows in pixels, at most `window`. The last window along an axis ends at the border.
    pub stride: usize,
    /// What covers.
    pub baseline: Baseline,
}

impl Occlusion {
    /// Windows of an eighth of the shortest side, half a window apart, covering with zeros. The paper, which names no
    /// sizes, covers with grey.
    pub fn of(geometry: &Geometry) -> Occlusion {
        let side = geometry.spatial().iter().copied().min().unwrap_or(1);
        let window = side.div_ceil(8);
        Occlusion { window, stride: window.div_ceil(2), baseline: Baseline::Zero }
    }

    // First corners of all windows.
    fn corners(&self, geometry: &Geometry) -> Result<Vec<Vec<usize>>> {
        let (window, stride, sizes) = (self.window, self.stride, geometry.spatial());
        require(window > 0, "occlusion window", || "must be at least 1 pixel, but was 0".into())?;
        let reason = || format!("must be at most the image, but was {window} for {sizes:?}");
        require(geometry.holds(window), "occlusion window", reason)?;
        let reason =
            || format!("must be between 1 and the window of {window}, but was {stride}: every pixel must be covered");
        require((1..=window).contains(&stride), "occlusion stride", reason)?;
        let mut corners = vec![vec![]];
        for &size in sizes {
            let last = size - window;
            let starts = || (0..last).step_by(stride).chain([last]);
            corners = corners.iter().flat_map(|c: &Vec<usize>| starts().map(|s| [&c[..], &[s]].concat())).collect();
        }
        Ok(corners)
    }
}

impl Attribution for Occlusion {
    fn name(&self) -> &'static str {
        "occlusion"
    }

    fn attribute(&self, model: &Model, inputs: &Tensor, targets: &[usize]) -> Result<Tensor> {
        let geometry = model.geometry();
        let (corners, side) = (self.corners(geometry)?, self.window);
        let examples = model.targeted(inputs, targets)?;
        let baselines = self.baseline.of(model, examples)?;
        let width = geometry.elements();
        let mut cover = vec![0.0f64; geometry.pixels()];
        for corner in &corners {
            geometry.for_each_run(corner, side, |run| cover[run].iter_mut().for_each(|c| *c += 1.0));
        }
        // Draw 0 is the input itself, draw k > 0 has window k − 1 covered.
        let fill = |example: usize, draw: usize, row: &mut [f32]| {
            row.copy_from_slice(examples.row(example));
            if draw > 0 {
                geometry.copy_cube(&corners[draw - 1], side, &baselines[example * width..][..width], row);
            }
        };
        let mut maps = Vec::with_capacity(inputs.count());
        let (mut whole, mut drops) = (0.0, vec![0.0f64; geometry.pixels()]);
        model.for_each_logits(examples.count(), corners.len() + 1, fill, |row| {
            let logit = f64::from(row.result[targets[row.example]]);
            if row.draw == 0 {
                whole = logit;
                drops.fill(0.0);
                return;
            }
            let drop = whole - logit;
            geometry.for_each_run(&corners[row.draw - 1], side, |run| drops[run].iter_mut().for_each(|d| *d += drop));
            if row.draw == corners.len() {
                for _ in 0..geometry.channels() {
                    maps.extend(drops.iter().zip(&cover).map(|(sum, count)| (sum / count) as f32));
                }
            }
        })?;
        Ok(Tensor::new(inputs.shape(), maps)?)
    }
}
