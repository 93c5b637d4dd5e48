//! Sampling from a discrete distribution in constant time.

use rand::Rng;

/// Walker's alias table in Vose's construction (1991).
#[derive(Clone, Debug)]
pub struct AliasTable {
    /// For each column, the 2³²-fold probability to stay there, and where to go otherwise.
    columns: Vec<(u32, u32)>,
}

impl AliasTable {
    /// A table that draws index i with probability proportional to `weights[i]`. `None` if a weight is negative or not
    /// finite, or all are zero, or there are 2³² or more.
    pub fn new(weights: &[f64]) -> Option<AliasTable> {
        let total: f64 = weights.iter().sum();
        let usable = weights.iter().all(|w| *w >= 0.0) && total > 0.0 && total.is_finite();
        if !usable || u32::try_from(weights.len()).is_err() {
            return None;
        }
        let mut rest: Vec<f64> = weights.iter().map(|w| w / total * weights.len() as f64).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..weights.len() as u32).partition(|i| rest[*i as usize] < 1.0);
        let mut columns: Vec<(u32, u32)> = (0..weights.len() as u32).map(|i| (u32::MAX, i)).collect();
        while let (Some(&low), Some(&high)) = (small.last(), large.last()) {
            small.pop();
            let stay = rest[low as usize];
            columns[low as usize] = ((stay * 4_294_967_296.0) as u32, high);
            rest[high as usize] -= 1.0 - stay;
            if rest[high as usize] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        Some(AliasTable { columns })
    }

    /// Draws an index.
    #[inline]
    pub fn sample(&self, rng: &mut impl Rng) -> u32 {
        let bits = rng.next_u64();
        // The high half chooses the column (Lemire's multiply-shift), the low half whether to stay there.
        let column = ((bits >> 32) * self.columns.len() as u64) >> 32;
        let (stay, alias) = self.columns[column as usize];
        if (bits as u32) < stay { column as u32 } else { alias }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// What the table draws is a sum over columns: it must be the weights, to the table's 2⁻³².
    #[test]
    fn probabilities_are_the_weights() {
        for weights in [vec![1.0], vec![1.0, 0.0, 3.0], vec![5.0, 1.0, 1.0, 1.0, 0.5, 20.0], vec![2.0; 7]] {
            let table = AliasTable::new(&weights).unwrap();
            let mut drawn = vec![0.0; weights.len()];
            for (column, &(stay, alias)) in table.columns.iter().enumerate() {
                let stay = f64::from(stay) / 4_294_967_296.0;
                drawn[column] += stay / weights.len() as f64;
                drawn[alias as usize] += (1.0 - stay) / weights.len() as f64;
            }
            let total: f64 = weights.iter().sum();
            for (drawn, weight) in drawn.iter().zip(&weights) {
                assert!((drawn - weight / total).abs() < 1e-9, "{weights:?} {drawn}");
            }
        }
    }

    #[test]
    fn samples_follow_the_table() {
        let table = AliasTable::new(&[1.0, 0.0, 3.0]).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut counts = [0; 3];
        (0..40_000).for_each(|_| counts[table.sample(&mut rng) as usize] += 1);
        // Five standard deviations of a binomial with p = 1/4.
        assert!(counts[1] == 0 && (f64::from(counts[0]) - 10_000.0).abs() < 5.0 * 7500f64.sqrt(), "{counts:?}");
    }

    #[test]
    fn weights_without_a_distribution() {
        for weights in [&[][..], &[0.0, 0.0], &[1.0, -1.0], &[f64::NAN], &[f64::INFINITY]] {
            assert!(AliasTable::new(weights).is_none(), "{weights:?}");
        }
    }
}
