//! Fitting stored examples to the shape that a model takes.

/// The array's shape with its batch axis: an array that is itself one expected example gets an axis of 1 in front.
pub(crate) fn with_batch_axis(shape: &[usize], expected: Option<&[usize]>) -> Vec<usize> {
    let is_one_example = |expected: &[usize]| {
        let example = shape.get(1..).unwrap_or_default();
        squeeze(shape) == squeeze(expected) && squeeze(example) != squeeze(expected)
    };
    if shape.is_empty() || expected.is_some_and(is_one_example) {
        std::iter::once(1).chain(shape.iter().copied()).collect()
    } else {
        shape.to_vec()
    }
}

/// Rearranges examples of shape `example` in place to `expected`; `false` if they do not fit.
///
/// They fit if both shapes agree but for axes of size 1, if either is flat and the counts agree (row-major), or if
/// one is channels-first `[C, H, W]` and the other channels-last `[H, W, C]` of the same image.
pub(crate) fn fit(data: &mut [f32], example: &[usize], expected: &[usize]) -> bool {
    let (from, to) = (squeeze(example), squeeze(expected));
    let flat = from.len() <= 1 || to.len() <= 1;
    if from == to || (flat && from.iter().product::<usize>() == to.iter().product::<usize>()) {
        return true;
    }
    match (&from[..], &to[..]) {
        (&[h, w, c], &[c2, h2, w2]) if (h, w, c) == (h2, w2, c2) => transpose_each(data, h * w, c),
        (&[c, h, w], &[h2, w2, c2]) if (h, w, c) == (h2, w2, c2) => transpose_each(data, c, h * w),
        _ => return false,
    }
    true
}

fn squeeze(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&d| d != 1).collect()
}

/// Transposes every consecutive `rows × columns` matrix.
fn transpose_each(data: &mut [f32], rows: usize, columns: usize) {
    let mut scratch = vec![0.0; rows * columns];
    for matrix in data.chunks_exact_mut(rows * columns) {
        scratch.copy_from_slice(matrix);
        for (i, row) in scratch.chunks_exact(columns).enumerate() {
            row.iter().enumerate().for_each(|(j, &v)| matrix[j * rows + i] = v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_move() {
        // Two images of 2×2 pixels, three channels last: value 100·image + 10·pixel + channel.
        let value = |n, p, c| (100 * n + 10 * p + c) as f32;
        let mut data: Vec<f32> = (0..24).map(|i| value(i / 12, i / 3 % 4, i % 3)).collect();
        let last = data.clone();
        assert!(fit(&mut data, &[2, 2, 3], &[1, 3, 2, 2]));
        let first: Vec<f32> = (0..24).map(|i| value(i / 12, i % 4, i / 4 % 3)).collect();
        assert_eq!(data, first);
        assert!(fit(&mut data, &[3, 2, 2], &[2, 2, 3]));
        assert_eq!(data, last);
    }

    #[test]
    fn what_fits_and_what_does_not() {
        let fits =
            |example: &[usize], expected: &[usize]| fit(&mut vec![0.0; example.iter().product()], example, expected);
        assert!(fits(&[784], &[1, 784, 1]));
        assert!(fits(&[1, 28, 28], &[784]));
        assert!(fits(&[28, 28], &[1, 1, 28, 28]));
        assert!(!fits(&[1, 28, 28], &[1, 14, 56]));
        assert!(!fits(&[3, 32, 32], &[3, 28, 28]));
        assert!(!fits(&[2, 3, 4], &[3, 2, 4]));
    }

    #[test]
    fn one_example_without_batch_axis() {
        assert_eq!(with_batch_axis(&[3, 8, 8], Some(&[1, 3, 8, 8])), [1, 3, 8, 8]);
        assert_eq!(with_batch_axis(&[5, 3, 8, 8], Some(&[1, 3, 8, 8])), [5, 3, 8, 8]);
        assert_eq!(with_batch_axis(&[1, 8, 8], Some(&[1, 8, 8])), [1, 8, 8]);
        assert_eq!(with_batch_axis(&[7], None), [7]);
        assert_eq!(with_batch_axis(&[], None), [1]);
    }
}
