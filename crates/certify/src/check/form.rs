//! Whether the numbers of a proof are what they should be.

use super::error::{CheckError, Place, malformed};
use super::network::Network;
use crate::proof::{CaseProof, Evidence, LayerSlopes};
use std::collections::HashSet;

/// Checks the slopes for the operands of each activation.
pub(super) fn layers(network: &Network, case: usize, proof: &CaseProof) -> Result<(), CheckError> {
    let (given, count) = (proof.layers.len(), network.activations.len());
    if given != count {
        return malformed(
            Place::Case(case),
            format!("slopes for {given} activations are given, but there are {count}"),
        );
    }
    for (layer, slopes) in proof.layers.iter().enumerate() {
        let LayerSlopes::Given(elements) = slopes else { continue };
        let place = || Place::Layer { case, layer };
        let count = network.operands_of(layer).len();
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

/// What is wrong with the evidence for a conjunction of `constraints`, below so many signs.
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
        return Some(format!("there are {} multipliers for {splits} signs", multipliers.len()));
    }
    let wrong = |v: &&f32| !(v.is_finite() && **v >= 0.0);
    if let Some(value) = weights.iter().chain(multipliers).find(wrong) {
        return Some(format!("{value} is neither a weight nor a multiplier: they are finite and at least 0"));
    }
    evidence.slopes.as_ref().and_then(|slopes| wrong_slopes(network, slopes, network.activations.len()))
}

// What is wrong with slopes for the first so many activations.
fn wrong_slopes(network: &Network, slopes: &[Vec<f32>], activations: usize) -> Option<String> {
    if slopes.len() != activations {
        return Some(format!("there are slopes for {} activations, not for {activations}", slopes.len()));
    }
    for (activation, slopes) in slopes.iter().enumerate() {
        let count = network.slopes_of(activation);
        if slopes.len() != count {
            return Some(format!("activation {activation} takes {count} slopes, not {}", slopes.len()));
        }
        if let Some(slope) = slopes.iter().find(|s| !(0.0..=1.0).contains(*s)) {
            return Some(format!("a slope of activation {activation} is {slope}, not from 0 to 1"));
        }
    }
    None
}
