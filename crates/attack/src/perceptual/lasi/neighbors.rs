//! The nearest earlier elements of an image.

/// For each element of an image `[C, H, W]`, row-major, the indices of its `count` nearest earlier elements, nearest first
/// and those at one distance in their order; `None` where there are no more. `[C·H·W, count]`.
pub(super) fn neighbors([c, h, w]: [usize; 3], count: usize) -> Vec<Option<usize>> {
    let offsets = earlier([c, h, w]);
    let mut found = Vec::with_capacity(c * h * w * count);
    for element in 0..c * h * w {
        let at = [element / (h * w), element / w % h, element % w];
        let inside = |offset: &[isize; 3]| {
            let there = [0, 1, 2].map(|a| at[a].checked_add_signed(offset[a]));
            match there {
                [Some(k), Some(i), Some(j)] if k < c && i < h && j < w => Some((k * h + i) * w + j),
                _ => None,
            }
        };
        // So many come before.
        let most = count.min(element);
        found.extend(offsets.iter().filter_map(inside).take(most).map(Some));
        found.extend(std::iter::repeat_n(None, count - most));
    }
    found
}

// Offsets to earlier elements, by distance. Among offsets of one distance lexicographic order is that of the elements.
fn earlier([c, h, w]: [usize; 3]) -> Vec<[isize; 3]> {
    let range = |size: usize| 1 - size as isize..size as isize;
    let all = range(c).flat_map(|k| range(h).flat_map(move |i| range(w).map(move |j| [k, i, j])));
    let mut offsets: Vec<[isize; 3]> = all.filter(|o| *o < [0, 0, 0]).collect();
    offsets.sort_by_key(|o| o.iter().map(|d| d.abs()).sum::<isize>());
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    // The authors' example: of the middle of a 3×3 image the neighbours are left, above, and above to the right, as
    // (1, 0) and (0, 1) are nearest and come in the order (0, 1), (1, 0).
    #[test]
    fn nearest_first_then_in_order() {
        let found = neighbors([1, 3, 3], 4);
        assert_eq!(found[16..20], [Some(1), Some(3), Some(0), Some(2)]);
        assert_eq!(found[..4], [None; 4]);
        assert_eq!(found[8..12], [Some(1), Some(0), None, None]);
        // In a second channel the same place of the first is as near as the pixel to the left.
        assert_eq!(neighbors([2, 1, 3], 2)[8..10], [Some(1), Some(3)]);
    }
}
