//! How two sets of weights differ, and changes of the same size that mean nothing.

use crate::CliError;
use perturb::graph::Tensor;
use perturb::nn::{Parameters, recipe};
use serde::Serialize;

/// How far one tensor moved.
#[derive(Serialize, Debug, Clone, PartialEq)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Number of values.
    pub values: usize,
    /// How many of them differ.
    pub changed: usize,
    /// `‖Δ‖₂/‖θ‖₂`; none where θ is 0 and Δ is not.
    pub relative: Option<f64>,
    /// Largest `|Δᵢ|/|θᵢ|` where θᵢ is not 0.
    pub largest: f64,
    /// How many values were 0 and are not: no relative limit allows that.
    pub from_zero: usize,
}

/// How far each tensor moved, and all together under the name `all`, which comes last. Integers are left out: sizes and
/// indices are not learned.
pub fn changes(before: &Parameters, after: &Parameters) -> Vec<Change> {
    let floats = before.iter().filter(|(_, tensor)| tensor.dtype().is_float());
    let pairs = floats.filter_map(|(name, a)| Some((name, a.to_f64_vec(), after.get(name)?.to_f64_vec())));
    let mut sums = Vec::new();
    let mut found: Vec<Change> = pairs
        .map(|(name, a, b)| {
            let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(&b).map(|(&a, &b)| f(a, b)).sum::<f64>();
            let squares = [sum(&|a, b| (b - a).powi(2)), sum(&|a, _| a * a)];
            sums.push(squares);
            let shares = a.iter().zip(&b).filter(|(a, _)| **a != 0.0).map(|(a, b)| ((b - a) / a).abs());
            Change {
                name: name.to_string(),
                values: a.len(),
                changed: a.iter().zip(&b).filter(|(a, b)| a != b).count(),
                relative: ratio(squares),
                largest: shares.fold(0.0, f64::max),
                from_zero: a.iter().zip(&b).filter(|(a, b)| **a == 0.0 && **b != 0.0).count(),
            }
        })
        .collect();
    let count = |of: &dyn Fn(&Change) -> usize| found.iter().map(of).sum();
    let all = Change {
        name: "all".into(),
        values: count(&|c| c.values),
        changed: count(&|c| c.changed),
        relative: ratio([0, 1].map(|i| sums.iter().map(|s| s[i]).sum())),
        largest: found.iter().map(|c| c.largest).fold(0.0, f64::max),
        from_zero: count(&|c| c.from_zero),
    };
    found.push(all);
    found
}

fn ratio([change, size]: [f64; 2]) -> Option<f64> {
    match (change, size) {
        (0.0, _) => Some(0.0),
        (_, 0.0) => None,
        _ => Some((change / size).sqrt()),
    }
}

/// Weights at the same distance from `before` as `after` is, value by value, each change up or down at random.
///
/// # Errors
/// If a tensor of `after` is missing or of another shape.
pub fn control(before: &Parameters, after: &Parameters, seed: u64) -> Result<Parameters, CliError> {
    let mut found = Parameters::default();
    for (position, (name, a)) in before.iter().enumerate() {
        let moved = match after.get(name) {
            Some(b) if a.dtype().is_float() => {
                let stream = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(position as u64);
                let signs = recipe(stream, [a.count()], 1.0);
                let pairs = a.to_f64_vec().into_iter().zip(b.to_f64_vec()).zip(signs.as_slice::<f32>());
                let values = pairs.map(|((a, b), &sign)| a + (b - a).abs().copysign(f64::from(sign))).collect();
                Tensor::from_f64(a.shape().clone(), a.dtype(), values)?
            }
            _ => a.clone(),
        };
        found.insert(name, moved);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(w: [f32; 4], b: [f32; 2]) -> Parameters {
        let tensors = [("w", Tensor::new([2, 2], w.to_vec())), ("b", Tensor::new([2], b.to_vec()))];
        tensors.into_iter().map(|(name, tensor)| (name.to_string(), tensor.unwrap())).collect()
    }

    #[test]
    fn changes_are_counted_and_measured() {
        let before = weights([3.0, 0.0, -4.0, 0.0], [0.0, 0.0]);
        let after = weights([3.0, 0.5, -5.0, 0.0], [0.0, 1.0]);
        let [b, w, all] = &changes(&before, &after)[..] else { panic!("two tensors and all") };
        assert_eq!((b.name.as_str(), b.changed, b.relative, b.largest, b.from_zero), ("b", 1, None, 0.0, 1));
        assert_eq!((w.values, w.changed, w.largest, w.from_zero), (4, 2, 0.25, 1));
        assert!((w.relative.unwrap() - (1.25f64 / 25.0).sqrt()).abs() < 1e-12);
        assert!((all.relative.unwrap() - (2.25f64 / 25.0).sqrt()).abs() < 1e-12);
        assert_eq!((all.values, all.changed, all.from_zero), (6, 3, 2));
        assert!(changes(&before, &before).iter().all(|c| c.changed == 0 && c.relative == Some(0.0)));
    }

    #[test]
    fn the_control_is_as_far_in_every_value() {
        let before = weights([3.0, 0.0, -4.0, 0.0], [0.0, 8.0]);
        let after = weights([3.5, 0.5, -5.0, 0.0], [0.0, 1.0]);
        let found: Vec<Parameters> = (0..8).map(|seed| control(&before, &after, seed).unwrap()).collect();
        for (name, a) in before.iter() {
            let distance = |p: &Parameters| -> Vec<f64> {
                a.to_f64_vec().iter().zip(p.get(name).unwrap().to_f64_vec()).map(|(a, b)| (a - b).abs()).collect()
            };
            assert!(found.iter().all(|c| distance(c) == distance(&after)), "{name}");
        }
        assert!(found.iter().any(|c| *c != found[0]), "the seed decides about the signs");
    }
}
