//! How the elements of an example lie in space.

use crate::{ExplainError, Result};
use std::ops::Range;

/// An example as `[channels, spatial…]`, row-major. Windows, blurring and pixel rankings work on this view: a *pixel* is
/// one spatial position with all its channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    channels: usize,
    spatial: Vec<usize>,
}

impl Geometry {
    /// A view with these sizes, `Geometry::new(1, [28, 28])` for instance for an image that the model takes flat.
    ///
    /// # Errors
    /// [`ExplainError::Setting`] if a size is 0 or there is no spatial axis.
    pub fn new(channels: usize, spatial: impl Into<Vec<usize>>) -> Result<Geometry> {
        let spatial = spatial.into();
        let sizes = || std::iter::once(channels).chain(spatial.iter().copied());
        let fits = sizes().try_fold(1usize, usize::checked_mul).is_some_and(|n| n > 0);
        if spatial.is_empty() || !fits {
            let reason = format!("needs channels ≥ 1 and spatial sizes ≥ 1, but was {channels} × {spatial:?}");
            return Err(ExplainError::Setting { name: "geometry", reason });
        }
        Ok(Geometry { channels, spatial })
    }

    /// The view of an example's shape (batch axis left out): `[C, spatial…]` if it has at least two axes and every
    /// spatial axis is longer than 1, else flat, one channel of consecutive features (`[784]`, `[784, 1]`, `[1, 1, 5]`).
    ///
    /// # Errors
    /// [`ExplainError::Setting`] if an axis is empty.
    pub fn of(shape: &[usize]) -> Result<Geometry> {
        match shape {
            [channels, spatial @ ..] if !spatial.is_empty() && spatial.iter().all(|&n| n > 1) => {
                Geometry::new(*channels, spatial)
            }
            _ => Geometry::new(1, [shape.iter().product()]),
        }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Sizes of the spatial axes.
    pub fn spatial(&self) -> &[usize] {
        &self.spatial
    }

    /// Number of spatial positions.
    pub fn pixels(&self) -> usize {
        self.spatial.iter().product()
    }

    /// Number of elements: channels times pixels.
    pub fn elements(&self) -> usize {
        self.channels * self.pixels()
    }

    /// Whether a cube of `side` fits.
    pub(crate) fn holds(&self, side: usize) -> bool {
        self.spatial.iter().all(|&n| side <= n)
    }

    /// Calls `f` with every run of neighbouring pixels in the cube of `side` whose first corner is `corner`.
    pub(crate) fn for_each_run(&self, corner: &[usize], side: usize, mut f: impl FnMut(Range<usize>)) {
        let outer = self.spatial.len() - 1;
        for line in 0..side.pow(outer as u32) {
            let (mut rest, mut stride, mut at) = (line, self.spatial[outer], corner[outer]);
            for axis in (0..outer).rev() {
                at += (corner[axis] + rest % side) * stride;
                rest /= side;
                stride *= self.spatial[axis];
            }
            f(at..at + side);
        }
    }

    /// Copies the cube of `side` at `corner` from `source` to `target`, both `[channels, spatial…]`.
    pub(crate) fn copy_cube(&self, corner: &[usize], side: usize, source: &[f32], target: &mut [f32]) {
        let planes = source.chunks_exact(self.pixels()).zip(target.chunks_exact_mut(self.pixels()));
        for (source, target) in planes {
            self.for_each_run(corner, side, |run| target[run.clone()].copy_from_slice(&source[run]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_unless_every_spatial_axis_is_real() {
        let of = |shape: &[usize]| Geometry::of(shape).unwrap();
        assert_eq!(of(&[3, 32, 32]), Geometry::new(3, [32, 32]).unwrap());
        assert_eq!(of(&[6, 40]), Geometry::new(6, [40]).unwrap());
        for (shape, n) in [(&[784][..], 784), (&[784, 1], 784), (&[1, 1, 5], 5), (&[], 1)] {
            assert_eq!(of(shape), Geometry::new(1, [n]).unwrap());
        }
        assert!(Geometry::of(&[3, 0, 4]).is_err() && Geometry::new(0, [4]).is_err() && Geometry::new(1, []).is_err());
        assert!(Geometry::new(usize::MAX, [2]).is_err());
    }

    /// Against testing every pixel's coordinates.
    #[test]
    fn cubes_hold_the_right_pixels() {
        let geometry = Geometry::new(1, [4, 5, 6]).unwrap();
        let (corner, side) = ([1, 2, 3], 2);
        let mut found = Vec::new();
        geometry.for_each_run(&corner, side, |run| found.extend(run));
        found.sort_unstable();
        let inside = |p: &usize| {
            let at = [p / 30, p / 6 % 5, p % 6];
            at.iter().zip(&corner).all(|(&a, &c)| (c..c + side).contains(&a))
        };
        assert_eq!(found, (0..120).filter(inside).collect::<Vec<_>>());
    }
}
