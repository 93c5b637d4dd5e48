//! `perturb attack`: adversarial examples of one image, or of a data set.

mod image;
mod list;
mod ordered;
mod plan;
mod set;
mod transfer;
mod universal;

use crate::preprocessing::PreprocessingArgs;
use crate::{CliError, parse};
use plan::{AttackNorm, Method, ORDERED, method};
pub use plan::{check_norm, known, warn_of_excess};
use std::path::{Path, PathBuf};
pub use transfer::noise;
use universal::Fit;

/// Options of `perturb attack`.
#[derive(clap::Args, Debug)]
pub struct AttackArgs {
    /// The model.
    #[arg(required_unless_present = "list")]
    model: Option<PathBuf>,
    /// The image, PNG or JPEG, of the model's input size; or a data set: .npz, .npy, IDX, CIFAR-10 binary, or a folder.
    #[arg(value_name = "IMAGE_OR_DATA", required_unless_present_any = ["list", "universal"])]
    image: Option<PathBuf>,
    /// One perturbation for all inputs: fitted on the first half of this data set, judged on the second half beside
    /// noise of the same size. Writes it as .npz and .png, and the rates as .json (default: universal.npz).
    #[arg(long, value_name = "DATA", conflicts_with_all = ["image", "attack", "target", "label", "transfer"])]
    universal: Option<PathBuf>,
    /// How the perturbation for all inputs is found.
    #[arg(long, value_name = "METHOD", default_value = "uap", requires = "universal")]
    fit: Fit,
    /// How well examples made on each model fool each other one: attacks the model and these with a data set, and writes a
    /// page with the table as --out (default: transfer.html), the numbers as .json beside it.
    #[arg(long, value_name = "MODEL", num_args = 1.., conflicts_with = "target")]
    transfer: Vec<PathBuf>,
    /// List the attacks.
    #[arg(long)]
    list: bool,
    /// Which attack; `--list` shows them (default: pgd, with --order quadattack).
    #[arg(long, value_name = "NAME", value_parser = method)]
    attack: Option<Method>,
    /// The classes that are to be first, from the likeliest down, such as 3,1,4: the nearest example in ℓ2 at which they are.
    #[arg(long, value_name = "CLASSES", value_delimiter = ',', conflicts_with_all = ["universal", "transfer", "target", "label"])]
    order: Vec<usize>,
    /// Budget in units of the pixels, a number or a fraction such as 8/255; for ℓ0 a number of coordinates. Attacks that
    /// look for the nearest example need none, and with one stop within it (default for the others: 8/255 for ℓ∞, 0.5 for
    /// ℓ2, 12 for ℓ1, 10 for ℓ0).
    #[arg(long, value_name = "E", value_parser = parse::epsilon)]
    epsilon: Option<f64>,
    /// Norm of the budget (default: the attack's usual one).
    #[arg(long)]
    norm: Option<AttackNorm>,
    /// The true class (default: that of the data set, or the predicted one).
    #[arg(long, value_name = "CLASS")]
    label: Option<usize>,
    /// The class to reach (default: any other).
    #[arg(long, value_name = "CLASS", conflicts_with = "label")]
    target: Option<usize>,
    /// The adversarial image, or for a data set the .npz of adversarial examples; a .json with norms and predictions goes
    /// beside it (default: adversarial.png or adversarial.npz).
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Labels of a data set, where they are not found with it.
    #[arg(long, value_name = "PATH")]
    labels: Option<PathBuf>,
    /// Use the first N examples of a data set.
    #[arg(long, value_name = "N", value_parser = parse::count)]
    limit: Option<usize>,
    /// Most examples of a data set that the model runs on at once.
    #[arg(long, value_name = "N", default_value = "64", value_parser = parse::count)]
    batch: usize,
    /// Range of the values of a data set that are not bytes.
    #[arg(long, value_name = "LOW:HIGH", default_value = "0:1", value_parser = parse::range, allow_hyphen_values = true)]
    pixel_range: (f64, f64),
    #[command(flatten)]
    preprocessing: PreprocessingArgs,
}

/// Lists the attacks, or attacks and writes what was found.
///
/// # Errors
/// If the model, the image or the data cannot be used, options do not fit, or a file cannot be written.
pub fn run(args: &AttackArgs) -> Result<(), CliError> {
    let (Some(model), false) = (&args.model, args.list) else {
        list::print();
        return Ok(());
    };
    if let Some(data) = &args.universal {
        return universal::run(args, model, data);
    }
    let Some(image) = &args.image else {
        return Err(CliError::Usage("there is no image or data set to attack".into()));
    };
    if !args.transfer.is_empty() {
        return transfer::run(args, model, image);
    }
    if !args.order.is_empty() {
        return ordered::run(args, model, image);
    }
    if is_picture(image) { image::run(args, model, image) } else { set::run(args, model, image) }
}

impl AttackArgs {
    /// The attack asked for, or the usual one.
    ///
    /// # Errors
    /// If `--order` goes with another kind of attack.
    fn method(&self) -> Result<Method, CliError> {
        match (self.attack, self.order.is_empty()) {
            (None, false) => Ok(Method::Ordered(&ORDERED[0])),
            (Some(Method::Each(_) | Method::Universal), false) => {
                let names: Vec<&str> = ORDERED.iter().map(|ordered| ordered.name).collect();
                Err(CliError::Usage(format!("--order is for the attacks {}", names.join(", "))))
            }
            (Some(attack), _) => Ok(attack),
            (None, true) => method("pgd").map_err(CliError::Usage),
        }
    }
}

/// Whether a path is that of one image, by its ending.
fn is_picture(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    ["png", "jpg", "jpeg"].contains(&extension.as_str())
}
