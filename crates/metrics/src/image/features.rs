//! Perceptual distance over feature maps.

use super::check_image;
use crate::error::{MetricError, Result, check_lengths};

/// Features of one layer for the two images that are compared.
#[derive(Clone, Copy, Debug)]
pub struct FeatureMap<'a> {
    /// Features of the first image, `[channels, positions]`.
    pub x: &'a [f32],
    /// Features of the second, of the same shape.
    pub y: &'a [f32],
    /// Number of channels.
    pub channels: usize,
    /// Weight of each channel, not negative; `None` for ones.
    pub weights: Option<&'a [f64]>,
}

/// The distance of LPIPS (Zhang et al. 2018, eq. 1) for feature maps of any network:
/// `Σ_layers mean_positions Σ_c w_c (x̂_c − ŷ_c)²`, where x̂, ŷ are the features scaled to length one over the channels
/// of each position. With weights of one each layer contributes twice the mean of `1 − cosine`.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::Nan`]; [`MetricError::Domain`] for values that are
/// infinite or not whole channels, or a negative weight.
pub fn feature_distance(layers: &[FeatureMap]) -> Result<f64> {
    if layers.is_empty() {
        return Err(MetricError::Empty { what: "layers" });
    }
    layers.iter().map(of_layer).sum()
}

fn of_layer(layer: &FeatureMap) -> Result<f64> {
    check_lengths("x and y", layer.x.len(), layer.y.len())?;
    check_image("x", layer.x, 1.0)?;
    check_image("y", layer.y, 1.0)?;
    let channels = layer.channels;
    if channels == 0 || !layer.x.len().is_multiple_of(channels) {
        let reason = format!("{} values are not whole channels of {channels}", layer.x.len());
        return Err(MetricError::Domain { what: "feature map", reason });
    }
    if let Some(weights) = layer.weights {
        check_lengths("weights and channels", weights.len(), channels)?;
        if weights.iter().any(|w| !(*w >= 0.0 && w.is_finite())) {
            return Err(MetricError::Domain { what: "weights", reason: "must be finite and not negative".into() });
        }
    }
    let positions = layer.x.len() / channels;
    let weight = |channel: usize| layer.weights.map_or(1.0, |w| w[channel]);
    let column = |values: &[f32], position: usize| -> Vec<f64> {
        let column: Vec<f64> = (0..channels).map(|c| f64::from(values[c * positions + position])).collect();
        // As in the reference code, so that a position without any activation is zero and not NaN.
        let norm = column.iter().map(|v| v * v).sum::<f64>().sqrt() + 1e-10;
        column.iter().map(|v| v / norm).collect()
    };
    let at = |position: usize| -> f64 {
        let (x, y) = (column(layer.x, position), column(layer.y, position));
        (0..channels).map(|c| weight(c) * (x[c] - y[c]) * (x[c] - y[c])).sum()
    };
    Ok((0..positions).map(at).sum::<f64>() / positions as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_of_channels() {
        // Two positions: parallel vectors, and orthogonal ones (distance 2); scale does not matter.
        let layer = FeatureMap { x: &[3.0, 1.0, 0.0, 0.0], y: &[1.0, 0.0, 0.0, 5.0], channels: 2, weights: None };
        assert!((feature_distance(&[layer]).unwrap() - 1.0).abs() < 1e-9);
        let weighted = FeatureMap { weights: Some(&[0.5, 2.0]), ..layer };
        assert!((feature_distance(&[weighted, layer]).unwrap() - 2.25).abs() < 1e-9);
        let silent = FeatureMap { x: &[0.0, 0.0], y: &[0.0, 1.0], channels: 2, weights: None };
        assert!((feature_distance(&[silent]).unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn refuses_what_has_no_answer() {
        let layer = FeatureMap { x: &[1.0; 6], y: &[1.0; 6], channels: 2, weights: None };
        assert!(matches!(feature_distance(&[]), Err(MetricError::Empty { .. })));
        let error = |layer| feature_distance(&[layer]).unwrap_err();
        assert!(matches!(error(FeatureMap { channels: 4, ..layer }), MetricError::Domain { .. }));
        assert!(matches!(error(FeatureMap { y: &[1.0; 4], ..layer }), MetricError::Length { .. }));
        assert!(matches!(error(FeatureMap { weights: Some(&[1.0]), ..layer }), MetricError::Length { .. }));
        assert!(matches!(error(FeatureMap { weights: Some(&[1.0, -1.0]), ..layer }), MetricError::Domain { .. }));
    }
}
