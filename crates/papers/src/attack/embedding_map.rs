//! Embeddings in a plane, as a picture.

use crate::RunError;
use perturb_graph::{Tensor, linear_algebra};
use perturb_report::picture::Picture;

const SIDE: usize = 120;
const BLUE: [f32; 3] = [0.0, 0.45, 0.7];
const RED: [f32; 3] = [0.84, 0.37, 0.0];

/// Directions of embeddings `clean [N, D]`, blue, and `moved [M, D]`, red, in the plane of their largest variance: a PNG
/// file.
pub(super) fn embedding_map(clean: &Tensor, moved: &Tensor) -> Result<Vec<u8>, RunError> {
    let placed = in_plane(&[unit_rows(clean), unit_rows(moved)].concat(), clean.shape()[1]);
    let reach = placed.iter().flatten().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let pixel = |v: f64| ((v / reach + 1.0) * 0.5 * (SIDE - 2) as f64) as usize;
    let mut values = vec![1.0f32; 3 * SIDE * SIDE];
    for (i, [x, y]) in placed.into_iter().enumerate() {
        let color = if i < clean.shape()[0] { BLUE } else { RED };
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(r, c)| (pixel(-y) + r, pixel(x) + c)) {
            (0..3).for_each(|c| values[(c * SIDE + row) * SIDE + column] = color[c]);
        }
    }
    Ok(Picture::new(&values, [3, SIDE, SIDE])?.png(3)?)
}

fn unit_rows(rows: &Tensor) -> Vec<f64> {
    let unit = |row: &[f64]| -> Vec<f64> {
        let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter().map(|v| v / length).collect()
    };
    rows.to_f64_vec().chunks_exact(rows.shape()[1]).flat_map(unit).collect()
}

/// The first two principal components of rows `[N, width]`.
fn in_plane(rows: &[f64], width: usize) -> Vec<[f64; 2]> {
    let n = rows.len() / width;
    let mean: Vec<f64> = (0..width).map(|k| rows.iter().skip(k).step_by(width).sum::<f64>() / n as f64).collect();
    let centred: Vec<f64> = rows.iter().enumerate().map(|(i, v)| v - mean[i % width]).collect();
    let rank = n.min(width);
    let mut packed = vec![0.0; (n + 1 + width) * rank];
    linear_algebra::svd(n, width, &centred, &mut packed);
    // u, the singular values, vᵀ; the components of a row are those of u, times the values.
    let values = &packed[n * rank..(n + 1) * rank];
    packed[..n * rank].chunks_exact(rank).map(|u| [0, 1].map(|k| u[k] * values[k])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Points on a line in three dimensions: all variance is in the first component.
    #[test]
    fn a_line_stays_a_line() {
        let rows: Vec<f64> = (0..6).flat_map(|i| [f64::from(i), 2.0 * f64::from(i), 3.0]).collect();
        for (i, [x, y]) in in_plane(&rows, 3).into_iter().enumerate() {
            assert!((x.abs() - 5f64.sqrt() * (i as f64 - 2.5).abs()).abs() < 1e-9 && y.abs() < 1e-9);
        }
    }
}
