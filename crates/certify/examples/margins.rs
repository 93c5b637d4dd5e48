//! Prints a lower bound of the smallest margin of every example over an ℓ∞ ball within [0, 1]:
//!
//!     cargo run --release -p perturb-certify --example margins -- MODEL.onnx DATA.npz EPSILON METHOD STEPS ROUNDING
//!
//! METHOD is `ibp`, `crown-ibp`, `crown` or `alpha-crown`, ROUNDING `outward` or `nearest`. `benches/bounds.py` sets them beside those of auto_LiRPA.

use perturb_certify::{Certifier, Method, Region, Settings};
use perturb_data::{LoadOptions, load};
use perturb_graph::Rounding;
use perturb_onnx::{ImportOptions, OnnxModel, import};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, data, epsilon, method, steps, rounding] = arguments.as_slice() else {
        return Err("usage: margins MODEL.onnx DATA.npz EPSILON METHOD STEPS ROUNDING".into());
    };
    let steps = steps.parse()?;
    let rounding = if rounding == "nearest" { Rounding::Nearest } else { Rounding::Outward };
    let method = match method.as_str() {
        "ibp" => Method::Ibp,
        "crown-ibp" => Method::CrownIbp,
        "crown" => Method::Crown,
        "alpha-crown" => Method::AlphaCrown { steps },
        other => return Err(format!("unknown method {other}").into()),
    };
    let network = import(&OnnxModel::read(model)?, &ImportOptions::default())?;
    let data = load(Path::new(data), &LoadOptions::default())?;
    let labels = data.labels.ok_or("the data have no labels")?;
    let certifier = Certifier::new(&network, method, Settings { rounding, ..Settings::default() })?;
    let region = Region::from(epsilon.parse::<f64>()?).within(0.0, 1.0);
    let shape = network.inputs[0].shape().clone();
    let inputs =
        data.inputs.reshape([labels.len()].into_iter().chain(shape[1..].iter().copied()).collect::<Vec<_>>())?;
    certifier.margins(&inputs, &labels, &region)?.iter().for_each(|margin| println!("{margin}"));
    Ok(())
}
