//! Where an image gets hints of its colours.

use rand::RngExt;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

/// Rounds of Lloyd's algorithm; segments of an image hardly change after a few.
const ROUNDS: usize = 20;

/// Segments of like colour: the number of each pixel's segment, by k-means of the colours (a, b) from starting points
/// drawn as k-means++ does (Arthur and Vassilvitskii 2007).
pub(super) fn segments(colors: &[[f64; 2]], clusters: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut centers = vec![colors[rng.random_range(0..colors.len())]];
    while centers.len() < clusters {
        let far: Vec<f64> = colors.iter().map(|&c| distance(c, centers[nearest(c, &centers)])).collect();
        let mut left = rng.random_range(0.0..1.0) * far.iter().sum::<f64>();
        let drawn = far.iter().position(|d| {
            left -= d;
            left < 0.0
        });
        // Where there are fewer colours than clusters, no colour is far from all.
        let Some(drawn) = drawn else { break };
        centers.push(colors[drawn]);
    }
    for _ in 0..ROUNDS {
        let mut sums = vec![[0.0; 3]; centers.len()];
        for &color in colors {
            let sum = &mut sums[nearest(color, &centers)];
            *sum = [sum[0] + color[0], sum[1] + color[1], sum[2] + 1.0];
        }
        for (center, [a, b, count]) in centers.iter_mut().zip(sums) {
            if count > 0.0 {
                *center = [a / count, b / count];
            }
        }
    }
    colors.iter().map(|&color| nearest(color, &centers)).collect()
}

/// `count` pixels at random, or all there are, of the `chosen` segments where the mean of `uncertainty` is least.
pub(super) fn sites(
    segments: &[usize],
    uncertainty: &[f64],
    chosen: usize,
    count: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<usize> {
    let clusters = segments.iter().max().map_or(0, |k| k + 1);
    let mean = |k: usize| {
        let inside: Vec<f64> = segments.iter().zip(uncertainty).filter(|(s, _)| **s == k).map(|(_, u)| *u).collect();
        // Segments without pixels come last.
        if inside.is_empty() { f64::INFINITY } else { inside.iter().sum::<f64>() / inside.len() as f64 }
    };
    let mut order: Vec<(f64, usize)> = (0..clusters).map(|k| (mean(k), k)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let sure: Vec<usize> = order.into_iter().take(chosen).map(|(_, k)| k).collect();
    let pixels: Vec<usize> = (0..segments.len()).filter(|&i| sure.contains(&segments[i])).collect();
    sample(rng, pixels.len(), count.min(pixels.len())).into_iter().map(|i| pixels[i]).collect()
}

fn distance(p: [f64; 2], q: [f64; 2]) -> f64 {
    (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2)
}

fn nearest(color: [f64; 2], centers: &[[f64; 2]]) -> usize {
    let nearer =
        |best: usize, k: usize| if distance(color, centers[k]) < distance(color, centers[best]) { k } else { best };
    (0..centers.len()).fold(0, nearer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    // Three clouds of colours: whatever the start, they are the segments; hints lie in the surest one.
    #[test]
    fn segments_are_the_clouds_and_sites_lie_in_the_surest() {
        let clouds = [[0.0, 0.0], [50.0, 0.0], [0.0, 60.0]];
        let colors: Vec<[f64; 2]> =
            (0..90).map(|i| [clouds[i % 3][0] + (i / 3) as f64 * 0.1, clouds[i % 3][1]]).collect();
        for seed in 0..5 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let found = segments(&colors, 3, &mut rng);
            assert!((0..90).all(|i| (0..90).all(|j| (found[i] == found[j]) == (i % 3 == j % 3))));
            let uncertainty: Vec<f64> = (0..90).map(|i| [3.0, 1.0, 2.0][i % 3]).collect();
            let mut chosen = sites(&found, &uncertainty, 1, 10, &mut rng);
            chosen.sort_unstable();
            chosen.dedup();
            assert!(chosen.len() == 10 && chosen.iter().all(|i| i % 3 == 1), "{chosen:?}");
            assert_eq!(sites(&found, &uncertainty, 3, 1000, &mut rng).len(), 90);
        }
    }

    #[test]
    fn an_image_of_one_colour_is_one_segment() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert_eq!(segments(&[[1.0, 2.0]; 8], 4, &mut rng), [0; 8]);
    }
}
