//! Options of `perturb certify`.

use crate::audit::AuditNorm;
use crate::parse;
use crate::preprocessing::PreprocessingArgs;
use perturb::certify::Method;
use perturb::report::audit::Norm;
use std::path::PathBuf;

/// Options of `perturb certify`.
#[derive(clap::Args, Debug, Clone)]
pub struct CertifyArgs {
    /// An ONNX classifier.
    pub model: PathBuf,
    /// Examples: .npz, .npy, IDX (MNIST), CIFAR-10 binary, or a folder of PNG or JPEG images.
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    /// Labels, where they are not found with the data: .npy, IDX, CSV or text.
    #[arg(long, value_name = "PATH")]
    pub labels: Option<PathBuf>,
    /// Use the first N examples.
    #[arg(long, value_name = "N", default_value = "100", value_parser = parse::count)]
    pub limit: usize,
    /// Methods, from the cheapest to the tightest.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "ibp,crown,alpha-crown,smoothing")]
    pub methods: Vec<CertifyMethod>,
    /// Budgets of the deterministic methods, in units of the pixel range: numbers or fractions such as 8/255.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse::epsilon)]
    pub epsilon: Vec<f64>,
    /// Norm that measures the budgets of the deterministic methods; smoothing is about ℓ2 always.
    #[arg(long, default_value = "linf")]
    pub norm: AuditNorm,
    /// Steps of the ascent on slopes of alpha-crown.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub steps: usize,
    /// Standard deviation of the noise of smoothing, in units of the pixel range (default: from the budgets, at least 0.12).
    #[arg(long, value_name = "S", value_parser = parse::epsilon)]
    pub sigma: Option<f64>,
    /// ℓ2 radii at which smoothing is reported (default: from 0 to the largest that can be certified).
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse::epsilon)]
    pub radius: Vec<f64>,
    /// Noisy copies of an example that count how often its class wins.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = parse::count)]
    pub draws: usize,
    /// Probability with which a certificate of smoothing may be wrong.
    #[arg(long, value_name = "P", default_value_t = 0.001)]
    pub alpha: f64,
    /// Folder for report.html, report.json and run.sqlite.
    #[arg(long, value_name = "DIR", default_value = "perturb-certify")]
    pub out: PathBuf,
    /// Continue a run that was interrupted.
    #[arg(long)]
    pub resume: bool,
    /// Seed of the noise.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Range of stored pixel values that are not bytes, such as 0:1, -1:1 or 0:255 (default: detected).
    #[arg(long, value_name = "LOW:HIGH", value_parser = parse::range, allow_hyphen_values = true)]
    pub pixel_range: Option<(f64, f64)>,
    /// How pixels become the model's input (default: the usual normalization with the best accuracy).
    #[command(flatten)]
    pub preprocessing: PreprocessingArgs,
}

/// A way to certify.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CertifyMethod {
    /// Interval bound propagation.
    Ibp,
    /// Linear bounds from backward walks.
    Crown,
    /// The same, with slopes chosen for each example.
    AlphaCrown,
    /// Randomized smoothing.
    Smoothing,
}

impl CertifyArgs {
    /// The norm as reports name it.
    pub fn report_norm(&self) -> Norm {
        match self.norm {
            AuditNorm::Linf => Norm::Linf,
            AuditNorm::L2 => Norm::L2,
        }
    }

    /// The methods, from the cheapest on and without repetition.
    pub fn ordered_methods(&self) -> Vec<CertifyMethod> {
        ascending(&self.methods, Ord::cmp)
    }

    /// The budgets, ascending and without repetition; usual ones if none are given.
    pub fn epsilons(&self) -> Vec<f64> {
        let usual: &[f64] = match self.norm {
            AuditNorm::Linf => &[0.001, 0.005, 0.01, 0.02, 0.05, 0.1],
            AuditNorm::L2 => &[0.05, 0.1, 0.25, 0.5, 1.0],
        };
        let given = if self.epsilon.is_empty() { usual } else { &self.epsilon };
        ascending(given, f64::total_cmp)
    }

    /// The radii of smoothing with this noise, ascending and without repetition. By default round numbers up to σ·Φ⁻¹(α^{1/n}),
    /// the certificate of a class that wins all draws.
    pub fn radii(&self, sigma: f64) -> Vec<f64> {
        if !self.radius.is_empty() {
            return ascending(&self.radius, f64::total_cmp);
        }
        let most = perturb::metrics::normal::inverse_cdf(self.alpha.powf(1.0 / self.draws as f64)).unwrap_or(0.0);
        let most = sigma * most.max(0.0);
        // 1, 2 or 5 times a power of ten, whichever gives at most ten points.
        let unit = 10f64.powf((most / 10.0).log10().floor());
        let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| most / (f * unit) <= 9.0).unwrap_or(10.0);
        // A quotient by a whole number is the nearest to its decimals; a product with 0.1 is not.
        let step = factor * unit;
        let point = |k: i32| if step < 1.0 { f64::from(k) / (1.0 / step).round() } else { f64::from(k) * step };
        (0..=10).map(point).take_while(|r| *r <= most).collect()
    }
}

impl CertifyMethod {
    /// What computes bounds, and its name; none for smoothing.
    pub fn bounds(self, steps: usize) -> Option<(&'static str, Method)> {
        match self {
            CertifyMethod::Ibp => Some(("IBP", Method::Ibp)),
            CertifyMethod::Crown => Some(("CROWN", Method::Crown)),
            CertifyMethod::AlphaCrown => Some(("α-CROWN", Method::AlphaCrown { steps })),
            CertifyMethod::Smoothing => None,
        }
    }
}

fn ascending<T: Copy + PartialEq>(list: &[T], order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Vec<T> {
    let mut list = list.to_vec();
    list.sort_by(order);
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: CertifyArgs,
    }

    #[test]
    fn radii_are_round_and_can_be_certified() {
        let radii = |sigma: f64, more: &[&str]| {
            let line = [&["certify", "m.onnx", "--data", "d"], more].concat();
            Line::parse_from(line).args.radii(sigma)
        };
        // Φ⁻¹(0.001^(1/1000)) = 2.46.
        assert_eq!(radii(0.28, &[]), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
        assert_eq!(radii(0.12, &[]), [0.0, 0.05, 0.1, 0.15, 0.2, 0.25]);
        assert_eq!(radii(1.0, &[]), [0.0, 0.5, 1.0, 1.5, 2.0]);
        assert_eq!(radii(100.0, &[]), [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_eq!(radii(1.0, &["--radius", "2,1,1"]), [1.0, 2.0]);
        for sigma in [1e-3, 0.01, 0.07, 0.5, 3.0, 40.0] {
            let found = radii(sigma, &[]);
            assert!((4..=11).contains(&found.len()) && found[found.len() - 1] <= 2.47 * sigma, "{sigma}: {found:?}");
        }
    }
}
