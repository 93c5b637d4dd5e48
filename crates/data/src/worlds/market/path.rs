//! The law of the market and its paths.

use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// The law of a market:
///
/// r_t = m_s + C_t z_t + e^{h_t/2} v_s (B f_t + d ∘ ε_t), with regime s, factors f, ε ~ N(0, I), log-volatility
/// h_t = φ h_{t−1} + η √(1 − φ²) N(0, 1) of stationary deviation η, and signals z, which are autoregressive, seen before
/// the return among the features, and load on the returns through C_t, a random walk around its mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Market {
    /// Number of assets n.
    pub assets: usize,
    /// B, `[n, k]` row-major: loadings on k factors.
    pub loadings: Vec<f64>,
    /// k.
    pub factors: usize,
    /// d, `[n]`: deviations of what is an asset's own.
    pub specific: Vec<f64>,
    /// The regimes.
    pub regimes: Vec<Regime>,
    /// P(next regime | regime), row-major.
    pub switching: Vec<f64>,
    /// η: 0 for no stochastic volatility.
    pub volatility_of_volatility: f64,
    /// φ of the log-volatility.
    pub persistence: f64,
    /// Number of features.
    pub features: usize,
    /// Number of features that carry a signal.
    pub signals: usize,
    /// Deviation of the entries of the mean of C: the expected return per unit of a signal. 0 for a market without
    /// signals.
    pub signal_strength: f64,
    /// Deviation per step of each entry of C, relative to `signal_strength`, pulled back by 1 % per step.
    pub drift: f64,
}

/// A state of the market.
#[derive(Clone, Debug, PartialEq)]
pub struct Regime {
    /// Name.
    pub name: &'static str,
    /// m, `[n]`: expected return of each asset per step.
    pub mean: Vec<f64>,
    /// v: multiplies all deviations.
    pub volatility: f64,
}

/// A path of a market with its truth. Matrices are row-major, the time first.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketPath {
    assets: usize,
    /// `[T, n]`: returns.
    pub returns: Vec<f64>,
    /// `[T, features]`: what is known before the return of the same row, the signals first.
    pub features: Vec<f64>,
    /// Regime of every return.
    pub regimes: Vec<usize>,
    /// h of every return.
    pub log_volatility: Vec<f64>,
    means: Vec<f64>,
    covariances: Vec<f64>,
}

/// Autoregression of features.
const FEATURE_MEMORY: f64 = 0.9;

impl Market {
    /// Ten assets with three factors, regimes calm, volatile and crash (means about 8 %, 4 % and −60 % a year,
    /// volatilities 1, 1.7 and 3 times 16 % a year; 1 %, 3 % and 8 % chance per day to leave), volatility of volatility
    /// 0.3, 200 features of which 5 carry signals that move expected returns by 0.01 % a day each. Loadings and specific
    /// risks are drawn from the seed.
    pub fn new(seed: u64) -> Market {
        let (assets, factors) = (10, 3);
        let mut rng = stream("market", seed, 0);
        let mut normal = || rng.sample::<f64, _>(StandardNormal);
        // The first factor is the market, which moves all assets alike; the others have both signs.
        let loading = |normal: &mut dyn FnMut() -> f64, factor: usize| {
            if factor == 0 { 0.008 * (1.0 + 0.25 * normal()) } else { 0.003 * normal() }
        };
        let loadings = (0..assets * factors).map(|i| loading(&mut normal, i % factors)).collect();
        let specific = (0..assets).map(|_| 0.006 * (0.3 * normal()).exp()).collect();
        let mut regime = |name, mean: f64, volatility| Regime {
            name,
            mean: (0..assets).map(|_| mean * (1.0 + 0.3 * normal()) / 252.0).collect(),
            volatility,
        };
        let regimes = vec![regime("calm", 0.08, 1.0), regime("volatile", 0.04, 1.7), regime("crash", -0.6, 3.0)];
        Market {
            assets,
            loadings,
            factors,
            specific,
            regimes,
            switching: vec![0.99, 0.009, 0.001, 0.02, 0.97, 0.01, 0.03, 0.05, 0.92],
            volatility_of_volatility: 0.3,
            persistence: 0.97,
            features: 200,
            signals: 5,
            signal_strength: 0.0001,
            drift: 0.05,
        }
    }

    /// Path `index` of `seed`, of `steps` returns, which depends on nothing else. It starts in regime 0.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] if the fields' lengths do not agree, or rows of `switching` are no laws.
    pub fn sample(&self, steps: usize, seed: u64, index: u64) -> Result<MarketPath, WorldError> {
        self.check()?;
        let mut rng = stream("market path", seed, index);
        let (n, k) = (self.assets, self.regimes.len());
        let centre: Vec<f64> =
            normals(n * self.signals, &mut rng).into_iter().map(|v| self.signal_strength * v).collect();
        let mut signal_loadings = centre.clone();
        let mut features = normals(self.features, &mut rng);
        let (mut regime, mut h) = (0, self.volatility_of_volatility * normals(1, &mut rng)[0]);
        let mut path = MarketPath {
            assets: n,
            returns: Vec::with_capacity(steps * n),
            features: Vec::with_capacity(steps * self.features),
            regimes: Vec::with_capacity(steps),
            log_volatility: Vec::with_capacity(steps),
            means: Vec::with_capacity(steps * n),
            covariances: Vec::with_capacity(steps * n * n),
        };
        for step in 0..steps {
            if step > 0 {
                let mut rest: f64 = rng.random_range(0.0..1.0);
                let row = &self.switching[regime * k..][..k];
                let next = row.iter().position(|p| {
                    rest -= p;
                    rest < 0.0
                });
                regime = next.unwrap_or(regime);
                h = walk(h, self.persistence, self.volatility_of_volatility, &mut rng);
                features.iter_mut().for_each(|x| *x = walk(*x, FEATURE_MEMORY, 1.0, &mut rng));
                for (c, centre) in signal_loadings.iter_mut().zip(&centre) {
                    *c += 0.01 * (centre - *c) + self.drift * self.signal_strength * normals(1, &mut rng)[0];
                }
            }
            let mean = self.mean(regime, &signal_loadings, &features);
            let scale = self.regimes[regime].volatility * (0.5 * h).exp();
            let factors = normals(self.factors, &mut rng);
            for (i, expected) in mean.iter().enumerate() {
                let common: f64 = self.row(i).iter().zip(&factors).map(|(b, f)| b * f).sum();
                path.returns.push(expected + scale * (common + self.specific[i] * normals(1, &mut rng)[0]));
            }
            path.means.extend(mean);
            path.covariances.extend(self.base_covariance().into_iter().map(|c| c * scale * scale));
            path.features.extend(&features);
            path.regimes.push(regime);
            path.log_volatility.push(h);
        }
        Ok(path)
    }

    fn check(&self) -> Result<(), WorldError> {
        let (n, k) = (self.assets, self.regimes.len());
        let means = self.regimes.iter().map(|regime| regime.mean.len());
        for (parameter, found, expected) in [
            ("number of loadings", self.loadings.len(), n * self.factors),
            ("number of specific risks", self.specific.len(), n),
            ("number of switching probabilities", self.switching.len(), k * k),
            ("number of signals", self.signals.max(self.features), self.features),
            ("number of expected returns", means.fold(n, |all, m| if m == n { all } else { m }), n),
        ] {
            if found != expected {
                return Err(WorldError::parameter(
                    "market",
                    parameter,
                    found,
                    format!("the other fields need {expected}"),
                ));
            }
        }
        let law = |row: &[f64]| row.iter().all(|p| *p >= 0.0) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-9;
        match self.switching.chunks(k.max(1)).position(|row| !law(row)) {
            _ if k == 0 || n == 0 => {
                Err(WorldError::parameter("market", "regimes and assets", format!("{k} and {n}"), "at least one each"))
            }
            Some(row) => {
                let expected = format!("row {row} must hold probabilities that sum to 1");
                Err(WorldError::parameter("market", "switching", format!("{:?}", self.switching), expected))
            }
            None => Ok(()),
        }
    }

    /// Loadings of an asset.
    fn row(&self, asset: usize) -> &[f64] {
        &self.loadings[asset * self.factors..][..self.factors]
    }

    /// m_s + C z.
    fn mean(&self, regime: usize, signal_loadings: &[f64], features: &[f64]) -> Vec<f64> {
        let moved = |i: usize| -> f64 {
            let loadings = &signal_loadings[i * self.signals..][..self.signals];
            loadings.iter().zip(features).map(|(c, z)| c * z).sum()
        };
        self.regimes[regime].mean.iter().enumerate().map(|(i, m)| m + moved(i)).collect()
    }

    /// B Bᵀ + diag(d²): the covariance where volatilities are 1.
    pub fn base_covariance(&self) -> Vec<f64> {
        let n = self.assets;
        let entry = |i: usize, j: usize| {
            let common: f64 = self.row(i).iter().zip(self.row(j)).map(|(a, b)| a * b).sum();
            common + if i == j { self.specific[i].powi(2) } else { 0.0 }
        };
        (0..n * n).map(|k| entry(k / n, k % n)).collect()
    }
}

/// One step of an autoregression of stationary deviation `deviation`.
fn walk(now: f64, memory: f64, deviation: f64, rng: &mut ChaCha8Rng) -> f64 {
    memory * now + deviation * (1.0 - memory * memory).max(0.0).sqrt() * rng.sample::<f64, _>(StandardNormal)
}

fn normals(n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..n).map(|_| rng.sample(StandardNormal)).collect()
}

impl MarketPath {
    /// Number of returns.
    pub fn steps(&self) -> usize {
        self.regimes.len()
    }

    /// The expected return `[n]` of a step given regime, features and volatility.
    pub fn mean(&self, step: usize) -> &[f64] {
        &self.means[step * self.assets..][..self.assets]
    }

    /// The covariance `[n, n]` of the return of a step given regime, features and volatility.
    pub fn covariance(&self, step: usize) -> &[f64] {
        let size = self.assets * self.assets;
        &self.covariances[step * size..][..size]
    }

    /// The returns of a step.
    pub fn returns(&self, step: usize) -> &[f64] {
        &self.returns[step * self.assets..][..self.assets]
    }
}
