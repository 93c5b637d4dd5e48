//! Attributions against the true place of the object.

use crate::channels::descending;
use crate::examples::Examples;
use crate::{ChannelSum, ExplainError, Geometry, Result};
use perturb_graph::Tensor;
use perturb_metrics::rank::ranks;

/// How well each example's attributions find its object. All three rank the pixels by attribution, so they do not depend
/// on its unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Localisation {
    /// 1 if the pixel with the largest attribution lies on the object, else 0: the pointing game (Zhang et al. 2018)
    /// without tolerance.
    pub pointing: Vec<f64>,
    /// Intersection over union of the mask with equally many pixels of largest attribution.
    pub iou: Vec<f64>,
    /// Area under the ROC curve of the attribution as a detector of the mask's pixels: the probability that a pixel on
    /// the object has a larger attribution than one beside it, ties counting half. Chance is 0.5.
    pub auc: Vec<f64>,
}

/// Compares attributions f32 `[N, …]`, each `[channels, spatial…]` in `geometry`, with masks f32 `[N, spatial…]`, non-zero on
/// the object. Of equal attributions the first in order of position counts as larger for `pointing` and `iou`.
///
/// # Errors
/// If the tensors do not fit each other or are not finite; [`ExplainError::Mask`] if a mask covers nothing or everything.
pub fn localise(
    attributions: &Tensor,
    masks: &Tensor,
    geometry: &Geometry,
    channels: ChannelSum,
) -> Result<Localisation> {
    let shape = attributions.shape().get(1..).unwrap_or(&[]);
    if shape.iter().product::<usize>() != geometry.elements() {
        let expected = format!("f32[N, …] with {} elements for each example", geometry.elements());
        let (got, got_type) = (attributions.shape().clone(), attributions.dtype());
        return Err(ExplainError::Shape { what: "attributions", expected, got, got_type });
    }
    let maps = Examples::new("attributions", attributions, shape)?;
    let masks = maps.partner("masks", masks, geometry.spatial())?;
    let pixels = geometry.pixels();
    let mut result = Localisation::default();
    for (example, (map, mask)) in maps.rows().zip(masks.rows()).enumerate() {
        let inside = |&pixel: &usize| mask[pixel] != 0.0;
        let covered = (0..pixels).filter(inside).count();
        if covered == 0 || covered == pixels {
            return Err(ExplainError::Mask { example, covered, pixels });
        }
        let scores = channels.pixels(geometry, map);
        let order = descending(&scores);
        let hits = order[..covered].iter().filter(|p| inside(p)).count();
        // Mann–Whitney: the ranks of the object's pixels, less their smallest possible sum, over the number of pairs.
        let ranks = ranks(&scores)?;
        let sum: f64 = (0..pixels).filter(inside).map(|p| ranks[p]).sum();
        let n = covered as f64;
        result.pointing.push(if inside(&order[0]) { 1.0 } else { 0.0 });
        result.iou.push(hits as f64 / (2 * covered - hits) as f64);
        result.auc.push((sum - n * (n + 1.0) / 2.0) / (n * (pixels as f64 - n)));
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Against looking at all pairs of pixels, and at all pixels one by one; few levels make many ties.
    #[test]
    fn auc_by_pairs_and_iou_by_sets() {
        let geometry = Geometry::new(2, [5, 6]).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for levels in [2, 5, 1000] {
            let map: Vec<f32> = (0..60).map(|_| rng.random_range(-levels..levels) as f32).collect();
            let mask: Vec<f32> =
                (0..30).map(|i| if i == 0 { 1.0 } else { f32::from(rng.random_bool(0.4) && i < 29) }).collect();
            let tensor = |shape: &[usize], v: &[f32]| Tensor::new(shape, v.to_vec()).unwrap();
            let (attributions, masks) = (tensor(&[1, 2, 5, 6], &map), tensor(&[1, 5, 6], &mask));
            let got = localise(&attributions, &masks, &geometry, ChannelSum::Absolute).unwrap();

            let score = |p: usize| map[p].abs() + map[30 + p].abs();
            let (object, rest): (Vec<usize>, Vec<usize>) = (0..30).partition(|&p| mask[p] > 0.0);
            let mut wins = 0.0;
            for (&p, &q) in object.iter().flat_map(|p| rest.iter().map(move |q| (p, q))) {
                wins += if score(p) > score(q) {
                    1.0
                } else if score(p) == score(q) {
                    0.5
                } else {
                    0.0
                };
            }
            assert!((got.auc[0] - wins / (object.len() * rest.len()) as f64).abs() < 1e-12);
            // A pixel is among the first k if fewer than k come before it.
            let before = |p: usize| (0..30).filter(|&q| score(q) > score(p) || (score(q) == score(p) && q < p)).count();
            let top: Vec<usize> = (0..30).filter(|&p| before(p) < object.len()).collect();
            let both = top.iter().filter(|p| object.contains(p)).count() as f64;
            assert_eq!(got.iou[0], both / (2.0 * object.len() as f64 - both));
            let first = (0..30).find(|&p| before(p) == 0).unwrap();
            assert_eq!(got.pointing[0] == 1.0, object.contains(&first));
        }
    }

    #[test]
    fn perfect_and_reversed_maps() {
        let geometry = Geometry::new(1, [4]).unwrap();
        let masks = Tensor::new([2, 4], vec![0.0f32, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]).unwrap();
        let maps = Tensor::new([2, 4], vec![0.0f32, 2.0, 3.0, -1.0, 0.0, -2.0, -3.0, 1.0]).unwrap();
        let got = localise(&maps, &masks, &geometry, ChannelSum::Signed).unwrap();
        assert_eq!(got, Localisation { pointing: vec![1.0, 0.0], iou: vec![1.0, 0.0], auc: vec![1.0, 0.0] });
    }

    #[test]
    fn refuses_masks_that_judge_nothing() {
        let geometry = Geometry::new(1, [2]).unwrap();
        let maps = Tensor::full([1, 2], 1.0f32);
        let judge = |maps: &Tensor, masks: &Tensor| localise(maps, masks, &geometry, ChannelSum::Signed);
        for value in [0.0f32, 1.0] {
            assert!(matches!(judge(&maps, &Tensor::full([1, 2], value)), Err(ExplainError::Mask { example: 0, .. })));
        }
        let mask = Tensor::new([1, 2], vec![1.0f32, 0.0]).unwrap();
        assert!(matches!(judge(&Tensor::full([1, 3], 1.0f32), &mask), Err(ExplainError::Shape { .. })));
        assert!(matches!(judge(&Tensor::full([2, 2], 1.0f32), &mask), Err(ExplainError::Shape { .. })));
        assert!(matches!(judge(&Tensor::full([1, 2], f32::NAN), &mask), Err(ExplainError::NotFinite { .. })));
    }
}
