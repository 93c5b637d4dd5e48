//! Finite size corrections for neural network Gaussian processes (Antognini 2019).
//!
//! Claim: at initialisation the outputs of a wide network are a Gaussian perturbed by the fourth Hermite polynomial, with
//! size 1/width, and higher terms fall faster. Method: the first Edgeworth term with the exact kurtosis. Baseline: the
//! infinitely wide limit, a Gaussian. Where it must not help: weights with a third moment, whose leading error falls
//! as width^(−1/2) and has another shape.

use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};
use perturb_theory::activation::Activation;
use perturb_theory::finite_width::{WeightLaw, edgeworth_cdf, excess_kurtosis, sample_outputs, variance};

pub struct NngpFiniteWidth;

const EDGEWORTH: &str = "Edgeworth term";
const GAUSSIAN: &str = "Gaussian limit";
const KOLMOGOROV: Quantity = Quantity::share("Kolmogorov distance to outputs (ReLU, width 16)");
const KOLMOGOROV_SKEWED: Quantity =
    Quantity::share("Kolmogorov distance to outputs of skewed weights (ReLU, width 16)");
const KURTOSIS: Quantity = Quantity::real("measured ÷ predicted kurtosis, mean over networks and widths");
const FOURTH: &str = "kurtosis ÷ its constant against width";
const SIXTH: &str = "sixth cumulant against width (ReLU, Gaussian weights)";
const THIRD: &str = "third cumulant against width (ReLU, skewed weights)";
const DENSITY: &str = "density ratio to the Gaussian (ReLU, width 16)";

const ACTIVATIONS: [Activation; 4] = [Activation::Linear, Activation::Relu, Activation::Tanh, Activation::Gelu];
const LAWS: [WeightLaw; 3] = [WeightLaw::Gaussian, WeightLaw::Uniform, WeightLaw::Rademacher];
/// Width at which distributions are compared, and its place among the widths.
const COMPARED: (usize, usize) = (16, 2);

impl Reproduction for NngpFiniteWidth {
    fn slug(&self) -> &'static str {
        "nngp-finite-width"
    }

    fn claim(&self) -> Claim {
        let ratio = |quantity: Quantity| Estimator::Ratio(quantity.of(EDGEWORTH), quantity.of(GAUSSIAN));
        Claim {
            method: EDGEWORTH,
            baselines: &[GAUSSIAN],
            seeds: 5,
            preconditions: Vec::new(),
            rules: vec![
                ratio(KOLMOGOROV).at_most(0.3),
                Estimator::Level(KURTOSIS.of(EDGEWORTH)).within(0.95, 1.05),
                Estimator::Slope(FOURTH).within(-1.05, -0.95),
                Estimator::Slope(SIXTH).within(-2.25, -1.75),
                // Where the expansion must not help.
                Estimator::Slope(THIRD).within(-0.55, -0.45),
                ratio(KOLMOGOROV_SKEWED).at_least(0.7),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let widths: &[usize] = run.scaled(&[4, 8, 16, 32], &[4, 8, 16, 32, 64, 128]);
        let count = run.scaled(200_000, 2_000_000);
        let mut found = Measurements::new();
        let (mut fourth, mut squares) = (vec![0.0; widths.len()], 0.0);
        let networks = ACTIVATIONS.len() * LAWS.len();
        for (index, (activation, law)) in ACTIVATIONS.into_iter().flat_map(|a| LAWS.map(|l| (a, l))).enumerate() {
            run.progress(index as f64 / (networks + 1) as f64, activation.name());
            let outputs = sample_outputs(activation, law, widths, count, run.seed * 100 + index as u64)?;
            let constant = excess_kurtosis(activation, law, 1)?;
            // Regression of what is measured on the constants, one of which is zero.
            squares += constant * constant;
            for (sum, outputs) in fourth.iter_mut().zip(&outputs) {
                *sum += cumulant(outputs, 4) * constant;
            }
            if (activation, law) == (Activation::Relu, WeightLaw::Gaussian) {
                let sixth = widths.iter().zip(&outputs).take_while(|(w, _)| **w <= 32);
                found.curve(SIXTH, sixth.map(|(w, f)| (*w as f64, cumulant(f, 6))).collect());
                compare(&mut found, KOLMOGOROV, &outputs[COMPARED.1], law)?;
                found.curve(DENSITY, density_ratio(&outputs[COMPARED.1]));
            }
        }
        fourth.iter_mut().for_each(|v| *v /= squares);
        // Wider networks have less kurtosis, and its relative error grows with the width.
        let precision: f64 = widths.iter().map(|w| (*w as f64).powi(-2)).sum();
        let mean =
            fourth.iter().zip(widths).map(|(k, w)| k * *w as f64 * (*w as f64).powi(-2)).sum::<f64>() / precision;
        found.record(KURTOSIS.of(EDGEWORTH), mean)?;
        found.curve(FOURTH, widths.iter().map(|w| *w as f64).zip(fourth).collect());

        run.progress(networks as f64 / (networks + 1) as f64, "skewed weights");
        let skewed = sample_outputs(Activation::Relu, WeightLaw::Skewed, widths, count, run.seed * 100 + 99)?;
        found.curve(THIRD, widths.iter().zip(&skewed).map(|(w, f)| (*w as f64, cumulant(f, 3))).collect());
        compare(&mut found, KOLMOGOROV_SKEWED, &skewed[COMPARED.1], WeightLaw::Skewed)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let Some(points) = seeds.first().and_then(|s| s.measurements.points(DENSITY)) else { return Vec::new() };
        let kurtosis = excess_kurtosis(Activation::Relu, WeightLaw::Gaussian, COMPARED.0).unwrap_or(0.0);
        let hermite = |z: f64| 1.0 + kurtosis / 24.0 * (z.powi(4) - 6.0 * z * z + 3.0);
        let sample = |x: f64, y: f64| Sample { x, y, interval: None, note: String::new() };
        let predicted = (-30..=30).map(|i| f64::from(i) / 10.0).map(|z| sample(z, hermite(z))).collect();
        let chart = LineChart {
            description:
                "Density of network outputs over that of a Gaussian, with the prediction of the fourth Hermite \
                          polynomial."
                    .into(),
            x_label: "output, in standard deviations".into(),
            y_label: "density ÷ Gaussian density".into(),
            x_range: (-3.0, 3.0),
            y_range: (0.6, 2.4),
            percent: false,
            series: vec![
                Series {
                    name: "1 + κ₄/24·He₄ (predicted)".into(),
                    points: predicted,
                    hue: Hue::Blue,
                    marker: Marker::Circle,
                    dashed: true,
                    bold: false,
                },
                Series {
                    name: "measured".into(),
                    points: points.iter().map(|p| sample(p.0, p.1)).collect(),
                    hue: Hue::Vermillion,
                    marker: Marker::Square,
                    dashed: false,
                    bold: false,
                },
            ],
            regions: Vec::new(),
        };
        let caption = "Random ReLU networks of width 16 with Gaussian weights, outputs of the first seed.";
        vec![Figure { name: "density", caption: caption.into(), chart }]
    }
}

/// Kolmogorov distances of the outputs to both predictions.
fn compare(found: &mut Measurements, quantity: Quantity, outputs: &[f64], law: WeightLaw) -> Result<(), RunError> {
    let kurtosis = excess_kurtosis(Activation::Relu, law, COMPARED.0)?;
    let variance = variance(Activation::Relu);
    let mut sorted = outputs.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    for (arm, kurtosis) in [(EDGEWORTH, kurtosis), (GAUSSIAN, 0.0)] {
        let n = sorted.len() as f64;
        let gap = |(i, &f): (usize, &f64)| {
            let predicted = edgeworth_cdf(f, variance, kurtosis);
            (predicted - i as f64 / n).abs().max(((i + 1) as f64 / n - predicted).abs())
        };
        found.record(quantity.of(arm), sorted.iter().enumerate().map(gap).fold(0.0, f64::max))?;
    }
    Ok(())
}

/// A standardised cumulant. With 200,000 samples and more the bias of plain moments is far below the error.
fn cumulant(values: &[f64], order: i32) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let moment = |power: i32| values.iter().map(|v| (v - mean).powi(power)).sum::<f64>() / n;
    let (m2, m3, m4) = (moment(2), moment(3), moment(4));
    match order {
        3 => m3 / m2.powf(1.5),
        4 => m4 / (m2 * m2) - 3.0,
        _ => (moment(6) - 15.0 * m4 * m2 - 10.0 * m3 * m3 + 30.0 * m2.powi(3)) / m2.powi(3),
    }
}

/// Shares of outputs in bins of 0.3 standard deviations, over those of a Gaussian.
fn density_ratio(outputs: &[f64]) -> Vec<(f64, f64)> {
    let deviation = variance(Activation::Relu).sqrt();
    let edge = |bin: usize| -2.85 + 0.3 * bin as f64;
    let ratio = |bin: usize| {
        let (low, high) = (edge(bin), edge(bin + 1));
        let inside = outputs.iter().filter(|f| (low..high).contains(&(**f / deviation))).count() as f64;
        let expected = edgeworth_cdf(high, 1.0, 0.0) - edgeworth_cdf(low, 1.0, 0.0);
        (0.5 * (low + high), inside / outputs.len() as f64 / expected)
    };
    (0..19).map(ratio).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three points −1, 0, 1 with weights 1, 2, 1: variance ½, fourth moment ½, sixth ½.
    #[test]
    fn cumulants_by_hand() {
        let values = [-1.0, 0.0, 0.0, 1.0];
        assert_eq!(cumulant(&values, 3), 0.0);
        assert!((cumulant(&values, 4) - (0.5 / 0.25 - 3.0)).abs() < 1e-15);
        assert!((cumulant(&values, 6) - (0.5 - 15.0 * 0.25 + 30.0 * 0.125) / 0.125).abs() < 1e-12);
    }
}
