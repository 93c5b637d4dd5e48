//! Long multivariate series to forecast, such as ETT (Zhou et al. 2021, Informer).

use crate::error::{DataError, Result};
use crate::lines::plain_or_gzipped;
use crate::tables::csv_rows;
use perturb_graph::Tensor;
use std::ops::Range;
use std::path::Path;

/// Several quantities observed at the same times.
#[derive(Clone, Debug, PartialEq)]
pub struct MultivariateSeries {
    /// When, as the file says it.
    pub times: Vec<String>,
    /// Name of each quantity.
    pub names: Vec<String>,
    /// f32 `[T, C]`.
    pub values: Tensor,
}

/// The parts of a series, in time steps. Validation and test begin where the part before ends; a forecast in them looks
/// back into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSplit {
    /// To learn from.
    pub train: Range<usize>,
    /// To choose by.
    pub validation: Range<usize>,
    /// To report on.
    pub test: Range<usize>,
}

/// An affine map of each quantity to mean 0 and standard deviation 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardization {
    /// Mean of each quantity.
    pub means: Vec<f64>,
    /// Standard deviation of each quantity (of the population, with n in the denominator); 1 where it would be 0.
    pub deviations: Vec<f64>,
}

/// A window to look at and the one to foretell.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// f32 `[B, L, C]`.
    pub inputs: Tensor,
    /// f32 `[B, H, C]`, right after the inputs.
    pub targets: Tensor,
}

impl MultivariateSeries {
    /// Loads a CSV file, gzipped or not: a header, the time in the first column, numbers in all others.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(path: &Path) -> Result<MultivariateSeries> {
        let path = plain_or_gzipped(path);
        let mut rows = csv_rows(&path, b',')?.into_iter();
        let Some((_, header)) = rows.next().filter(|(_, header)| header.len() > 1) else {
            return Err(DataError::Empty { path, expected: "a header of a time and at least one quantity" });
        };
        let (mut times, mut values) = (Vec::new(), Vec::new());
        for (line, row) in rows {
            if row.len() != header.len() {
                let reason = format!("{} fields, but the header has {}", row.len(), header.len());
                return Err(DataError::line(&path, line, reason));
            }
            for (name, cell) in header.iter().zip(&row).skip(1) {
                let value = cell.trim().parse().ok().filter(|v: &f32| v.is_finite());
                let reason = || DataError::line(&path, line, format!("{name} is {cell:?}, which is not a number"));
                values.push(value.ok_or_else(reason)?);
            }
            times.push(row[0].clone());
        }
        if times.is_empty() {
            return Err(DataError::Empty { path, expected: "rows of observations" });
        }
        let values =
            Tensor::new([times.len(), header.len() - 1], values).expect("every row has one value per quantity");
        Ok(MultivariateSeries { times, names: header[1..].to_vec(), values })
    }

    /// The split that all work on the hourly ETT sets uses: 12, 4 and 4 months of 30 days; what is left goes unused.
    ///
    /// `None` if the series is shorter.
    pub fn ett_hourly_split(&self) -> Option<SeriesSplit> {
        let month = 30 * 24;
        let split =
            SeriesSplit { train: 0..12 * month, validation: 12 * month..16 * month, test: 16 * month..20 * month };
        (split.test.end <= self.times.len()).then_some(split)
    }

    /// Parts of these fractions, the rest for testing, such as 0.7 and 0.1.
    pub fn fractional_split(&self, train: f64, validation: f64) -> SeriesSplit {
        let total = self.times.len();
        let end = |fraction: f64| ((total as f64 * fraction.clamp(0.0, 1.0)) as usize).min(total);
        let (a, b) = (end(train), end(train + validation));
        SeriesSplit { train: 0..a, validation: a..b.max(a), test: b.max(a)..total }
    }

    /// Mean and deviation of each quantity over `range`, the training part.
    ///
    /// # Panics
    /// If the range is not inside the series.
    #[track_caller]
    pub fn standardization(&self, range: Range<usize>) -> Standardization {
        let width = self.names.len();
        let rows = &self.values.as_slice::<f32>()[range.start * width..range.end * width];
        let count = (range.len() as f64).max(1.0);
        let mean = |f: &dyn Fn(f64, usize) -> f64| -> Vec<f64> {
            let sums = |c| rows.iter().skip(c).step_by(width).map(|&v| f(f64::from(v), c)).sum::<f64>();
            (0..width).map(|c| sums(c) / count).collect()
        };
        let means = mean(&|v, _| v);
        let variances = mean(&|v, c| (v - means[c]).powi(2));
        let deviations = variances.into_iter().map(|v| if v > 0.0 { v.sqrt() } else { 1.0 }).collect();
        Standardization { means, deviations }
    }

    /// The series with each quantity standardised.
    pub fn standardized(&self, standardization: &Standardization) -> MultivariateSeries {
        let Standardization { means, deviations } = standardization;
        let width = self.names.len();
        let map = |(i, &v): (usize, &f32)| ((f64::from(v) - means[i % width]) / deviations[i % width]) as f32;
        let values: Vec<f32> = self.values.as_slice::<f32>().iter().enumerate().map(map).collect();
        let values = Tensor::new([self.times.len(), width], values).expect("as many values as before");
        MultivariateSeries { times: self.times.clone(), names: self.names.clone(), values }
    }

    /// Where forecasts of `horizon` steps may begin so that they lie wholly in `part`; what they look at, `length` steps,
    /// may reach back before it.
    pub fn forecast_starts(&self, part: &Range<usize>, length: usize, horizon: usize) -> Range<usize> {
        let end = (part.end.min(self.times.len()) + 1).saturating_sub(horizon);
        let start = part.start.max(length);
        start..end.max(start)
    }

    /// The windows whose targets begin at these steps.
    ///
    /// # Panics
    /// If a window is not inside the series.
    #[track_caller]
    pub fn forecasts(&self, starts: &[usize], length: usize, horizon: usize) -> Forecast {
        let width = self.names.len();
        let values = self.values.as_slice::<f32>();
        let gather = |from: &dyn Fn(usize) -> usize, steps: usize| {
            let windows = starts.iter().flat_map(|&s| &values[from(s) * width..(from(s) + steps) * width]);
            Tensor::new([starts.len(), steps, width], windows.copied().collect::<Vec<f32>>()).expect("whole windows")
        };
        Forecast { inputs: gather(&|s| s - length, length), targets: gather(&|s| s, horizon) }
    }
}
