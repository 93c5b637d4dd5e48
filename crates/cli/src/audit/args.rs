//! Options of `perturb audit`.

use super::roster::Roster;
use super::vqa::QuestionArgs;
use crate::parse;
use crate::preprocessing::PreprocessingArgs;
use perturb::report::audit::Norm;
use std::path::PathBuf;

/// Options of `perturb audit`.
#[derive(clap::Args, Debug, Clone)]
pub struct AuditArgs {
    /// An ONNX classifier. Without it, a built-in model is trained on a procedural world and audited.
    pub model: Option<PathBuf>,
    /// Examples: .npz, .npy, IDX (MNIST), CIFAR-10 binary, or a folder of PNG or JPEG images.
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Labels, where they are not found with the data: .npy, IDX, CSV or text.
    #[arg(long, value_name = "PATH", requires = "data")]
    pub labels: Option<PathBuf>,
    /// Use the first N examples.
    #[arg(long, value_name = "N", value_parser = parse::count)]
    pub limit: Option<usize>,
    /// Budgets, in units of the pixel range: numbers or fractions such as 8/255.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse::epsilon)]
    pub epsilon: Vec<f64>,
    /// Norm that measures perturbations.
    #[arg(long, default_value = "linf")]
    pub norm: AuditNorm,
    /// Which attacks: `standard` (FGSM, PGD on two losses, 200 queries of Square), `thorough` (these, the members of
    /// AutoAttack and the nearest examples of FAB and DDN), or a list of names of `perturb attack --list`.
    #[arg(long, value_name = "standard|thorough|LIST", default_value = "standard", value_parser = Roster::parse)]
    pub attacks: Roster,
    /// Folder for report.html, report.json and run.sqlite.
    #[arg(long, value_name = "DIR", default_value = "perturb-audit")]
    pub out: PathBuf,
    /// Continue a run that was interrupted.
    #[arg(long)]
    pub resume: bool,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Weights in place of the model's own: .safetensors with the names of the model's weights, or another .onnx.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub weights: Option<PathBuf>,
    /// Compare with these weights: how far each tensor moved, and what became of accuracy and robustness, beside changes
    /// of the same size in random directions.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub against: Option<PathBuf>,
    /// Audit an encoder instead, from images to embeddings, with the images of --data: how far perturbations carry an
    /// embedding away, and towards that of another image.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["model", "weights", "against", "labels", "attacks"])]
    pub encoder: Option<PathBuf>,
    /// What the model does: `classify`, or answer questions about images (`vqa`): these are changed in one word and in
    /// their answer.
    #[arg(long, default_value = "classify")]
    pub task: Task,
    /// Options of `--task vqa`.
    #[command(flatten)]
    pub questions: QuestionArgs,
    /// Range of stored pixel values that are not bytes, such as 0:1, -1:1 or 0:255 (default: detected).
    #[arg(long, value_name = "LOW:HIGH", value_parser = parse::range, allow_hyphen_values = true)]
    pub pixel_range: Option<(f64, f64)>,
    /// How pixels become the model's input (default: the usual normalization with the best accuracy).
    #[command(flatten)]
    pub preprocessing: PreprocessingArgs,
}

/// What an audited model does.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Give an input a class.
    Classify,
    /// Answer a question about an image.
    Vqa,
}

/// Norms of an audit.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditNorm {
    /// Largest change of a pixel.
    Linf,
    /// Euclidean length of the change.
    L2,
}

impl AuditArgs {
    /// The norm as the report names it.
    pub fn report_norm(&self) -> Norm {
        match self.norm {
            AuditNorm::Linf => Norm::Linf,
            AuditNorm::L2 => Norm::L2,
        }
    }

    /// The norm as the graph names it.
    pub fn graph_norm(&self) -> perturb::graph::Norm {
        match self.norm {
            AuditNorm::Linf => perturb::graph::Norm::Linf,
            AuditNorm::L2 => perturb::graph::Norm::L2,
        }
    }

    /// The budgets, ascending and without repetition; five usual ones if none are given.
    pub fn epsilons(&self) -> Vec<f64> {
        let mut list = if self.epsilon.is_empty() {
            match self.norm {
                AuditNorm::Linf => vec![0.005, 0.01, 0.02, 0.05, 0.1],
                AuditNorm::L2 => vec![0.1, 0.25, 0.5, 1.0, 2.0],
            }
        } else {
            self.epsilon.clone()
        };
        list.sort_by(f64::total_cmp);
        list.dedup();
        list
    }
}
