//! Padding with a tensor's own elements, and resampling.

use super::{Table, WIDE};
use perturb_graph::{Coordinates, GridSample, Interpolation, NearestRounding, Outside, Resize};

pub fn add(table: &mut Table) {
    let x = table.input("x", [3, 4]);
    table.add("pad_reflect", &[(&x, WIDE)], x.pad_reflect(&[2, 0], &[1, 3]));
    table.add("pad_edge", &[(&x, WIDE)], x.pad_edge(&[4, 0], &[0, 2]));
    table.add("pad_circular", &[(&x, WIDE)], x.pad_circular(&[1, 4], &[3, 2]));
    table.add("roll", &[(&x, WIDE)], x.roll(1, -6).mul(&x));
    let image = table.input("image", [1, 1, 3, 4]);
    let nearest = |rounding| Resize { interpolation: Interpolation::Nearest(rounding), ..Resize::linear() };
    for resize in [
        Resize::linear(),
        Resize::linear().with(Coordinates::AlignCorners),
        Resize::cubic().with(Coordinates::Asymmetric),
        Resize::nearest(),
        nearest(NearestRounding::HalfDown),
        Resize { scales: vec![1.7, 0.6], ..Resize::cubic() },
    ] {
        table.add(format!("{resize:?}"), &[(&image, WIDE)], image.resize(&[5, 3], &resize));
    }
    let (image, grid) = (table.input("image", [1, 1, 2, 2]), table.input("grid", [1, 1, 1, 2]));
    for outside in [Outside::Zeros, Outside::Border] {
        for align_corners in [false, true] {
            let sampling = GridSample { nearest: outside == Outside::Zeros && align_corners, outside, align_corners };
            let y = image.grid_sample(&grid, sampling);
            table.add(format!("{sampling:?}"), &[(&image, WIDE), (&grid, (-1.25, 1.25))], y);
        }
    }
}
