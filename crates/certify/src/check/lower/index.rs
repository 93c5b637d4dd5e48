//! Row-major places of multi-indices.

/// Calls `f` with every multi-index of a shape, in row-major order.
pub(super) fn for_each_index(shape: &[usize], mut f: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    loop {
        f(&index);
        let Some(axis) = (0..shape.len()).rev().find(|&a| index[a] + 1 < shape[a]) else { return };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}

/// Places, from `start` on, of all combinations of indices along some axes, given their sizes and strides in order.
pub(super) fn places(start: usize, axes: &[(usize, usize)]) -> Vec<usize> {
    let sizes: Vec<usize> = axes.iter().map(|a| a.0).collect();
    let mut places = Vec::with_capacity(sizes.iter().product());
    for_each_index(&sizes, |index| {
        places.push(start + index.iter().zip(axes).map(|(i, a)| i * a.1).sum::<usize>());
    });
    places
}

/// Sizes and strides of the chosen axes of a row-major shape.
pub(super) fn axes_of(shape: &perturb_graph::Shape, axes: &[usize]) -> Vec<(usize, usize)> {
    let strides = shape.strides();
    axes.iter().map(|&a| (shape[a], strides[a])).collect()
}
