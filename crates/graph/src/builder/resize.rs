//! Resampling on a regular grid of another size.

use crate::op::{same_float, shape_error};
use crate::{DotDims, Expr, Result, Tensor};

/// Which place of the source a place of the result stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Coordinates {
    /// Elements are areas: `(i + ½)/scale − ½`.
    #[default]
    HalfPixel,
    /// The first and the last element of both grids coincide: `i·(n − 1)/(m − 1)`.
    AlignCorners,
    /// The first elements coincide: `i/scale`.
    Asymmetric,
}

/// How a place between elements is rounded to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NearestRounding {
    /// Down (with [`Coordinates::Asymmetric`], PyTorch's `nearest`).
    #[default]
    Floor,
    /// Up.
    Ceil,
    /// To the nearest, halves down.
    HalfDown,
    /// To the nearest, halves up (with [`Coordinates::HalfPixel`], PyTorch's `nearest-exact`).
    HalfUp,
}

/// How values between elements are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interpolation {
    /// The value of one element.
    Nearest(NearestRounding),
    /// Linear between two neighbours.
    Linear,
    /// Cubic convolution of four neighbours (Keys 1981).
    Cubic {
        /// Keys' parameter: −½ is exact for parabolas; PyTorch has −¾.
        a: f64,
    },
}

/// How [`Expr::try_resize`] works. Beyond the edge, the edge's element repeats.
#[derive(Clone, Debug, PartialEq)]
pub struct Resize {
    /// How values between elements are made.
    pub interpolation: Interpolation,
    /// Which places correspond.
    pub coordinates: Coordinates,
    /// Ratio of new to old size for each resized axis, where it is not the ratio of the sizes themselves.
    pub scales: Vec<f64>,
}

impl Resize {
    /// Linear interpolation of areas: PyTorch's `bilinear` without aligned corners.
    pub fn linear() -> Resize {
        Resize { interpolation: Interpolation::Linear, coordinates: Coordinates::HalfPixel, scales: vec![] }
    }

    /// The same with other coordinates.
    pub fn with(self, coordinates: Coordinates) -> Resize {
        Resize { coordinates, ..self }
    }

    /// The nearest element: PyTorch's `nearest`.
    pub fn nearest() -> Resize {
        let interpolation = Interpolation::Nearest(NearestRounding::Floor);
        Resize { interpolation, coordinates: Coordinates::Asymmetric, scales: vec![] }
    }

    /// Cubic convolution of areas: PyTorch's `bicubic` without aligned corners.
    pub fn cubic() -> Resize {
        let interpolation = Interpolation::Cubic { a: -0.75 };
        Resize { interpolation, coordinates: Coordinates::HalfPixel, scales: vec![] }
    }

    fn source(&self, i: usize, from: usize, to: usize, scale: f64) -> f64 {
        let i = i as f64;
        match self.coordinates {
            Coordinates::HalfPixel => (i + 0.5) / scale - 0.5,
            Coordinates::AlignCorners if to <= 1 => 0.0,
            Coordinates::AlignCorners => i * (from - 1) as f64 / (to - 1) as f64,
            Coordinates::Asymmetric => i / scale,
        }
    }
}

// The elements around a place and their weights, before indices are clamped to the axis.
fn taps(interpolation: Interpolation, place: f64) -> Vec<(f64, f64)> {
    let (base, t) = (place.floor(), place - place.floor());
    match interpolation {
        Interpolation::Nearest(rounding) => vec![(round(rounding, place), 1.0)],
        Interpolation::Linear => vec![(base, 1.0 - t), (base + 1.0, t)],
        Interpolation::Cubic { a } => {
            let near = |x: f64| ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
            let far = |x: f64| ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
            let weights = [far(1.0 + t), near(t), near(1.0 - t), far(2.0 - t)];
            weights.into_iter().enumerate().map(|(k, w)| (base + k as f64 - 1.0, w)).collect()
        }
    }
}

fn round(rounding: NearestRounding, place: f64) -> f64 {
    match rounding {
        NearestRounding::Floor => place.floor(),
        NearestRounding::Ceil => place.ceil(),
        NearestRounding::HalfDown => (place - 0.5).ceil(),
        NearestRounding::HalfUp => (place + 0.5).floor(),
    }
}

impl Expr {
    /// Resamples the last `sizes.len()` axes to `sizes`, one axis after the other: by a matrix product each, or by
    /// choosing elements where that is all there is to do.
    ///
    /// # Errors
    /// If there are not that many axes, one of them is empty, or there is not a positive scale for each.
    pub fn try_resize(&self, sizes: &[usize], resize: &Resize) -> Result<Expr> {
        let scaled = resize.scales.is_empty()
            || (resize.scales.len() == sizes.len() && resize.scales.iter().all(|s| s.is_finite() && *s > 0.0));
        if sizes.len() > self.rank() || !scaled || self.shape()[self.rank() - sizes.len()..].contains(&0) {
            let reason = format!("needs axes that are not empty and positive scales for each of {sizes:?}");
            return shape_error("resize", reason, std::slice::from_ref(self));
        }
        let first = self.rank() - sizes.len();
        let mut x = self.clone();
        for (k, &to) in sizes.iter().enumerate() {
            let from = x.shape()[first + k];
            let scale = resize.scales.get(k).copied().unwrap_or(to as f64 / from as f64);
            if from != to || scale != 1.0 {
                x = x.resize_axis(first + k, to, scale, resize)?;
            }
        }
        Ok(x)
    }

    /// See [`Expr::try_resize`].
    ///
    /// # Panics
    /// Where that returns an error.
    #[track_caller]
    pub fn resize(&self, sizes: &[usize], resize: &Resize) -> Expr {
        self.try_resize(sizes, resize).unwrap_or_else(|e| panic!("{e}"))
    }

    fn resize_axis(&self, axis: usize, to: usize, scale: f64, resize: &Resize) -> Result<Expr> {
        let from = self.shape()[axis];
        let clamp = |place: f64| place.clamp(0.0, (from - 1) as f64) as usize;
        let place = |i: usize| resize.source(i, from, to, scale);
        if let Interpolation::Nearest(rounding) = resize.interpolation {
            let indices = (0..to).map(|i| clamp(round(rounding, place(i))) as i64).collect();
            return self.try_gather(axis, &Expr::constant(Tensor::new([to], indices)?));
        }
        same_float("resize", std::slice::from_ref(self))?;
        let mut matrix = vec![0.0; to * from];
        for i in 0..to {
            for (at, weight) in taps(resize.interpolation, place(i)) {
                matrix[i * from + clamp(at)] += weight;
            }
        }
        let matrix = Expr::constant(Tensor::from_f64([to, from], self.dtype(), matrix)?);
        let dims = DotDims { lhs_contract: vec![axis], rhs_contract: vec![1], ..DotDims::default() };
        Ok(self.try_dot_general(&matrix, dims)?.move_axis(self.rank() - 1, axis))
    }
}
