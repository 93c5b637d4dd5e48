//! Windows of images.

/// A window of an image `[channels, height, width]`, and where in the image it lies.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Row and column of the window's first element; may be outside.
    pub origin: [isize; 2],
    /// Height and width.
    pub size: [usize; 2],
}

impl Place {
    /// Whether nothing of it is outside another window.
    pub fn lies_in(&self, other: &Place) -> bool {
        let end = |p: &Place, a: usize| p.origin[a] + p.size[a] as isize;
        [0, 1].into_iter().all(|a| self.origin[a] >= other.origin[a] && end(self, a) <= end(other, a))
    }

    /// Copies what two windows of an image share from this one to another.
    ///
    /// # Panics
    /// If a slice is too short for its window.
    #[inline]
    pub fn copy<T: Copy>(&self, from: &[T], to_place: &Place, to: &mut [T]) {
        let [rows, columns] = [0, 1].map(|a| {
            let end = |p: &Place| p.origin[a] + p.size[a] as isize;
            let first = self.origin[a].max(to_place.origin[a]);
            (first, (end(self).min(end(to_place)) - first).max(0) as usize)
        });
        if rows.1 == 0 || columns.1 == 0 {
            return;
        }
        let at = |p: &Place| {
            let [row, column] = [rows.0 - p.origin[0], columns.0 - p.origin[1]];
            row as usize * p.size[1] + column as usize
        };
        let (first, to_first) = (at(self), at(to_place));
        let (plane, to_plane) = (self.size[0] * self.size[1], to_place.size[0] * to_place.size[1]);
        for (from, to) in from.chunks_exact(plane).zip(to.chunks_exact_mut(to_plane)) {
            for row in 0..rows.1 {
                let from = &from[first + row * self.size[1]..][..columns.1];
                let to = &mut to[to_first + row * to_place.size[1]..][..columns.1];
                // Rows are too short for a call of `memcpy`.
                to.iter_mut().zip(from).for_each(|(t, &f)| *t = f);
            }
        }
    }
}
