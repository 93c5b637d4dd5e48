//! Whether the numbers of a proof are what they should be.

use super::error::{CheckError, Place, malformed};
use super::network::Network;
use crate::proof::{CaseProof, Evidence, LayerSlopes};
use std::collections::HashSet;

/// Checks the slopes for the operands of each `relu`.
pub(super) fn layers(network: &Network, case: usize, proof: &CaseProof) -> Result<(), CheckError> {
    let (given, relus) = (proof.layers.len(), network.relus.len());
    if given != relus {
        return malformed(Place::Case(case), format!("slopes for {given} relus are given, but there are {relus}"));
    }
    for (layer, slopes) in proof.layers.iter().enumerate() {
        let LayerSlopes::Given(elements) = slopes else { continue };
        let place = || Place::Layer { case, layer };
        let count = network.relu_operands(layer).len();
        let mut seen = HashSet::new();
        for element in elements {
            if element.element as usize >= count || !seen.insert(element.element) {
                let reason = format!("element {} is not one of {count}, or is named twice", element.element);
                return malformed(place(), reason);
            }
            for side in [&element.lower, &element.upper] {
                if let Some(reason) = wrong_slopes(network, side, layer) {
                    return malformed(place(), format!("element {}: {reason}", element.element));
                }
            }
        }
    }
    Ok(())
}

/// What is wrong with the evidence for a conjunction of `constraints`, below so many splits of `relu`s.
pub(super) fn wrong_evidence(
    network: &Network,
    evidence: &Evidence,
    constraints: usize,
    splits: usize,
) -> Option<String> {
    let (weights, multipliers) = (&evidence.weights, &evidence.multipliers);
    if weights.len() != constraints {
        return Some(format!("there are {} weights for {constraints} constraints", weights.len()));
    }
    if !multipliers.is_empty() && multipliers.len() != splits {
        return Some(format!("there are {} multipliers for {splits} splits of relus", multipliers.len()));
    }
    let wrong = |v: &&f32| !(v.is_finite() && **v >= 0.0);
    if let Some(value) = weights.iter().chain(multipliers).find(wrong) {
        return Some(format!("{value} is neither a weight nor a multiplier: they are finite and at least 0"));
    }
    evidence.slopes.as_ref().and_then(|slopes| wrong_slopes(network, slopes, network.relus.len()))
}

// What is wrong with slopes for the elements of the first `relus`.
fn wrong_slopes(network: &Network, slopes: &[Vec<f32>], relus: usize) -> Option<String> {
    if slopes.len() != relus {
        return Some(format!("there are slopes for {} relus, not for {relus}", slopes.len()));
    }
    for (relu, slopes) in slopes.iter().enumerate() {
        let count = network.relu_operands(relu).len();
        if slopes.len() != count {
            return Some(format!("relu {relu} has {count} elements, but {} slopes", slopes.len()));
        }
        if let Some(slope) = slopes.iter().find(|s| !(0.0..=1.0).contains(*s)) {
            return Some(format!("a slope of relu {relu} is {slope}, not from 0 to 1"));
        }
    }
    None
}
