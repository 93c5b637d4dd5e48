//! Robustness as the mean relative size of the nearest perturbations.

use crate::Adversarial;
use perturb_graph::Tensor;

/// ρ_adv, the mean of `‖r(x)‖₂/‖x‖₂` (Moosavi-Dezfooli et al. 2016, eq. 15) over `inputs [N, …]` for which a perturbation
/// r was found, by an attack that minimises the distance in ℓ2. Inputs that met the criterion as they were count as 0;
/// inputs that are zero are left out. `None` if nothing is left.
pub fn rho_adv(inputs: &Tensor, found: &Adversarial) -> Option<f64> {
    let rows = found.success.len();
    let values = inputs.try_as_slice::<f32>()?;
    let width = values.len().checked_div(rows)?;
    let lengths =
        values.chunks_exact(width.max(1)).map(|x| x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt());
    let shares: Vec<f64> = (found.distances.iter().zip(&found.success).zip(lengths))
        .filter(|((_, success), length)| **success && *length > 0.0)
        .map(|((distance, _), length)| distance / length)
        .collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_what_was_found() {
        let inputs = Tensor::new([4, 2], vec![3.0f32, 4.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0]).unwrap();
        let found = Adversarial {
            inputs: inputs.clone(),
            success: vec![true, true, false, true],
            distances: vec![1.0, 0.2, 9.0, 5.0],
            queries: vec![1; 4],
        };
        assert!((rho_adv(&inputs, &found).unwrap() - 0.15).abs() < 1e-12);
        let none = Adversarial { success: vec![false; 4], ..found };
        assert_eq!(rho_adv(&inputs, &none), None);
    }
}
