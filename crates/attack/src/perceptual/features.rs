//! Distances of the features of a network.

use super::{Metric, shape_error, sizes};
use perturb_graph::{Expr, Graph, GraphError, Tensor, substitute};

/// LPIPS (Zhang et al. 2018, eq. 1) over the feature maps of any network:
/// `Σ_layers mean_positions Σ_c w_c·(x̂_c − ŷ_c)²`, where x̂, ŷ are the features of each position, scaled to length 1.
#[derive(Clone, Debug)]
pub struct Lpips {
    network: Graph,
    weights: Vec<Vec<f64>>,
}

/// Under the root of a position's length.
const TINY: f64 = 1e-12;

impl Lpips {
    /// From a network of one image `[1, C, H, W]`, or `[C, H, W]`, whose outputs are feature maps `[1, channels, h, w]`, and
    /// the weights of each map's channels; none for ones.
    ///
    /// # Errors
    /// If the network has not one input or no outputs, an output is no feature map, or weights do not fit or are negative.
    pub fn new(network: &Graph, weights: Option<Vec<Vec<f64>>>) -> Result<Lpips, GraphError> {
        let maps: Vec<&Expr> = network.outputs.iter().map(|(_, map)| map).collect();
        if network.inputs.len() != 1 || maps.is_empty() || maps.iter().any(|m| m.rank() != 4 || m.shape()[0] != 1) {
            return shape_error("LPIPS", "needs a network from one image to feature maps [1, channels, h, w]", &maps);
        }
        let weights = weights.unwrap_or_else(|| maps.iter().map(|m| vec![1.0; m.shape()[1]]).collect());
        let sound = |(w, map): (&Vec<f64>, &&Expr)| w.len() == map.shape()[1] && w.iter().all(|&w| w >= 0.0);
        if weights.len() != maps.len() || !weights.iter().zip(&maps).all(sound) {
            return shape_error("LPIPS", "needs one weight of 0 or more for each channel of each map", &maps);
        }
        Ok(Lpips { network: network.clone(), weights })
    }

    /// For each channel of each map, one after another, the mean over positions of `(x̂_c − ŷ_c)²`: what the weights weigh.
    ///
    /// # Errors
    /// If the images do not fit the network.
    pub fn parts(&self, x: &Expr, y: &Expr) -> Result<Expr, GraphError> {
        sizes("LPIPS", x, y)?;
        let maps = self.unit_features(x)?.into_iter().zip(self.unit_features(y)?);
        let parts: Vec<Expr> = maps.map(|(x, y)| x.sub(&y).square().reduce_mean(&[0, 2, 3], false)).collect();
        Expr::try_concat(&parts, 0)
    }

    fn unit_features(&self, image: &Expr) -> Result<Vec<Expr>, GraphError> {
        let input = &self.network.inputs[0];
        let image = image.try_reshape(input.shape())?;
        let maps = substitute(&self.network.output_exprs(), &[(input.clone(), image)])?;
        let unit = |map: Expr| map.div(&map.square().reduce_sum(&[1], true).offset(TINY).sqrt());
        Ok(maps.into_iter().map(unit).collect())
    }
}

impl Metric for Lpips {
    fn name(&self) -> &'static str {
        "LPIPS"
    }

    fn distance(&self, x: &Expr, y: &Expr) -> Result<Expr, GraphError> {
        let parts = self.parts(x, y)?;
        let weights = Tensor::from_f64(parts.shape(), parts.dtype(), self.weights.concat())?;
        Ok(parts.mul(&Expr::constant(weights)).reduce_sum(&[0], false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perceptual::Distances;
    use perturb_graph::{Conv, DType, eval};
    use perturb_metrics::image::{FeatureMap, feature_distance};

    fn network() -> Graph {
        let x = Expr::input("x", [1, 1, 5, 5], DType::F32);
        let kernel = |shape: [usize; 4], step: usize| {
            let values = (0..shape.iter().product()).map(|i: usize| ((i * step) % 7) as f32 - 3.0).collect::<Vec<_>>();
            Expr::constant(Tensor::new(shape, values).unwrap())
        };
        let first = x.conv(&kernel([2, 1, 3, 3], 3), Conv::default()).relu();
        let second = first.conv(&kernel([3, 2, 2, 2], 5), Conv::default()).relu();
        Graph::new(vec![x], vec![("first".into(), first), ("second".into(), second)]).unwrap()
    }

    #[test]
    fn the_graph_agrees_with_the_measure() {
        let network = network();
        let weights = vec![vec![0.5, 2.0], vec![1.0, 0.0, 3.0]];
        let lpips = Lpips::new(&network, Some(weights.clone())).unwrap();
        let image = |step: usize| {
            Tensor::new([1, 1, 5, 5], (0..25).map(|i| ((i * step) % 11) as f32 / 10.0).collect()).unwrap()
        };
        let (a, b) = (image(3), image(4));
        let found = Distances::new(&lpips, [1, 5, 5], 2).unwrap().of(&a, &b).unwrap()[0];
        let features = |image: &Tensor| {
            let feed = (network.inputs[0].clone(), image.reshape([1, 1, 5, 5]).unwrap());
            eval(&network.output_exprs(), &[feed]).unwrap()
        };
        let (x, y) = (features(&a), features(&b));
        let map = |k: usize| FeatureMap {
            x: x[k].as_slice(),
            y: y[k].as_slice(),
            channels: weights[k].len(),
            weights: Some(&weights[k]),
        };
        let expected = feature_distance(&[map(0), map(1)]).unwrap();
        assert!((found - expected).abs() < 1e-5 && expected > 0.1, "{found} {expected}");
    }

    #[test]
    fn weights_must_fit() {
        for weights in [vec![vec![1.0, 1.0]], vec![vec![1.0, 1.0], vec![1.0]], vec![vec![1.0, -1.0], vec![1.0; 3]]] {
            assert!(Lpips::new(&network(), Some(weights)).is_err());
        }
    }
}
