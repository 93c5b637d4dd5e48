//! The shape of a reproduction.

use crate::harness::SeedResult;
use crate::{Claim, Measurements, Rejection};
use perturb_report::chart::LineChart;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An experiment that measures what a paper claims.
pub trait Reproduction: Sync {
    /// The system's name in the catalogue.
    fn slug(&self) -> &'static str;

    /// The arms, the number of seeds and the rules.
    fn claim(&self) -> Claim;

    /// One run with one seed: the method and its baselines on the same data.
    ///
    /// # Errors
    /// If data are missing or something cannot be computed.
    fn run(&self, run: &Run) -> Result<Measurements, RunError>;

    /// The figures over all seeds. Pictures that a seed kept are shown without being asked for.
    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure>;
}

/// How much work a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// At most a minute on two cores.
    Quick,
    /// As much as the claim needs; the verdict in the table of results comes from here, where it was run.
    Full,
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Tier::Quick { "quick" } else { "full" })
    }
}

/// A chart with its caption.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Name of its file, without extension.
    pub name: &'static str,
    /// What it shows.
    pub caption: String,
    /// The chart.
    pub chart: LineChart,
}

/// What a run of one seed gets.
pub struct Run<'a> {
    /// The seed; everything random derives from it.
    pub seed: u64,
    /// How much work to do.
    pub tier: Tier,
    progress: &'a dyn Fn(f64, &str),
}

impl<'a> Run<'a> {
    /// A run that tells `progress` which share is done and what is being done.
    pub fn new(seed: u64, tier: Tier, progress: &'a dyn Fn(f64, &str)) -> Run<'a> {
        Run { seed, tier, progress }
    }

    /// Reports that `share` of this seed, from 0 to 1, is done, and what comes next.
    pub fn progress(&self, share: f64, next: &str) {
        (self.progress)(share, next);
    }

    /// One value for the quick tier, another for the full one.
    pub fn scaled<T>(&self, quick: T, full: T) -> T {
        if self.tier == Tier::Quick { quick } else { full }
    }

    /// The folder of a data set below `PERTURB_DATA`.
    ///
    /// # Errors
    /// [`RunError::MissingData`] if it is not there.
    pub fn data(&self, name: &str) -> Result<PathBuf, RunError> {
        let root = std::env::var_os("PERTURB_DATA").map(PathBuf::from);
        match root.map(|r| r.join(name)) {
            Some(path) if path.exists() => Ok(path),
            found => Err(RunError::MissingData { name: name.into(), looked: found }),
        }
    }
}

/// Why a reproduction gives no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The claim is no test.
    #[error("refused: {0}")]
    Rejected(#[from] Rejection),
    /// A data set is not on this machine.
    #[error("the data set '{name}' is missing{}: set PERTURB_DATA to a folder that holds it", where_(.looked))]
    MissingData {
        /// The data set.
        name: String,
        /// Where it was looked for.
        looked: Option<PathBuf>,
    },
    /// What was measured makes no sense.
    #[error("{0}")]
    Measurement(String),
    /// The file of results cannot be used.
    #[error(transparent)]
    Store(#[from] crate::StoreError),
    /// Files cannot be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A measure does not exist.
    #[error(transparent)]
    Metric(#[from] perturb_metrics::MetricError),
    /// Data cannot be read.
    #[error(transparent)]
    Data(#[from] perturb_data::DataError),
    /// A world cannot be made.
    #[error(transparent)]
    World(#[from] perturb_data::worlds::WorldError),
    /// A graph cannot be built.
    #[error(transparent)]
    Graph(#[from] perturb_graph::GraphError),
    /// Training fails.
    #[error(transparent)]
    Train(#[from] perturb_nn::TrainError),
    /// An attack fails.
    #[error(transparent)]
    Attack(#[from] perturb_attack::AttackError),
    /// A certificate cannot be given.
    #[error(transparent)]
    Certify(#[from] perturb_certify::CertifyError),
    /// An attribution fails.
    #[error(transparent)]
    Explain(#[from] perturb_explain::ExplainError),
    /// An embedding cannot be learned.
    #[error(transparent)]
    Embed(#[from] perturb_embed::EmbedError),
    /// A threat model makes no sense.
    #[error(transparent)]
    Threat(#[from] perturb_threat::ThreatError),
    /// A law of the theory does not apply.
    #[error(transparent)]
    Theory(#[from] perturb_theory::TheoryError),
    /// A representation cannot be learned.
    #[error(transparent)]
    Ssl(#[from] perturb_ssl::SslError),
    /// A generative model cannot be trained or sampled.
    #[error(transparent)]
    Generate(#[from] perturb_generate::GenerateError),
    /// A differential equation cannot be solved.
    #[error(transparent)]
    Science(#[from] perturb_science::ScienceError),
    /// A graph cannot be run.
    #[error(transparent)]
    Engine(#[from] perturb_engine::EngineError),
    /// A picture cannot be made.
    #[error(transparent)]
    Picture(#[from] perturb_report::picture::PictureError),
}

fn where_(looked: &Option<PathBuf>) -> String {
    looked.as_ref().map_or_else(|| " (PERTURB_DATA is not set)".into(), |p| format!(" (looked for {})", p.display()))
}
