//! Time series: long multivariate ones to forecast, many short ones to classify.

mod archive;
mod forecast;

pub use archive::SeriesClassification;
pub use forecast::{Forecast, MultivariateSeries, SeriesSplit, Standardization};
