//! `perturb attack --list`.

use super::plan::{ORDERED, UNIVERSAL};
use perturb::attack::Norm;
use perturb::attack::registry::attacks;

/// One line for each attack: name, norms, what it asks the model for, and what it is.
pub fn print() {
    let line = |name: &str, norms: &[Norm], access: &str, title: &str| {
        let norms: Vec<&str> = norms.iter().map(|norm| norm.name()).collect();
        println!("{name:<20} {:<16} {access:<10} {title}", norms.join(" "));
    };
    for entry in attacks() {
        line(entry.name, entry.norms, entry.access.name(), entry.title);
    }
    line(UNIVERSAL.0, &[Norm::Linf, Norm::L2], "gradients", UNIVERSAL.1);
    for ordered in &ORDERED {
        line(ordered.name, &[Norm::L2], "gradients", ordered.title);
    }
    println!("\nOne perturbation for all inputs: --universal DATA, by --fit uap, gd-uap or singular");
}
