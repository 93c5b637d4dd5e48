//! sRGB and CIE Lab (D65) as graphs.
//!
//! Both have a linear part near 0, where their powers have no slope; powers are taken of values beyond it only, so that no
//! gradient is infinite or NaN.

use perturb_graph::{Expr, GraphError};

/// Linear RGB to XYZ (IEC 61966-2-1).
const TO_XYZ: [[f64; 3]; 3] =
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]];
/// Its inverse.
const TO_RGB: [[f64; 3]; 3] =
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]];
/// XYZ of the white point D65.
const WHITE: [f64; 3] = [0.95047, 1.0, 1.08883];
/// Where the CIE's function becomes linear, in its value; in its argument it is the cube.
const DELTA: f64 = 6.0 / 29.0;

/// CIE Lab `[N, 3, H, W]`, L from 0 to 100, of sRGB images `[N, 3, H, W]` in [0, 1].
///
/// # Errors
/// If these are not images of three channels: a grey image has no colours.
pub fn lab(rgb: &Expr) -> Result<Expr, GraphError> {
    let linear = channels("sRGB to Lab", rgb)?.map(|v| {
        let power = v.maximum(&v.like(0.04045)).offset(0.055).scale(1.0 / 1.055).pow(&v.like(2.4));
        Expr::select(&v.greater(&v.like(0.04045)), &power, &v.scale(1.0 / 12.92))
    });
    let [x, y, z] = product(&TO_XYZ, &linear);
    let cube = DELTA.powi(3);
    let [fx, fy, fz] = [(x, WHITE[0]), (y, WHITE[1]), (z, WHITE[2])].map(|(v, white)| {
        let t = v.scale(1.0 / white);
        let root = t.maximum(&t.like(cube)).pow(&t.like(1.0 / 3.0));
        Expr::select(&t.greater(&t.like(cube)), &root, &t.scale(1.0 / (3.0 * DELTA * DELTA)).offset(4.0 / 29.0))
    });
    let parts = [fy.scale(116.0).offset(-16.0), fx.sub(&fy).scale(500.0), fy.sub(&fz).scale(200.0)];
    Expr::try_concat(&parts, 1)
}

/// sRGB images `[N, 3, H, W]` of CIE Lab `[N, 3, H, W]`; colours that the screen does not have are clipped to [0, 1].
///
/// # Errors
/// If there are not three channels.
pub fn srgb(lab: &Expr) -> Result<Expr, GraphError> {
    let [l, a, b] = channels("Lab to sRGB", lab)?;
    let fy = l.offset(16.0).scale(1.0 / 116.0);
    let [fx, fz] = [fy.add(&a.scale(1.0 / 500.0)), fy.sub(&b.scale(1.0 / 200.0))];
    let xyz = [(fx, WHITE[0]), (fy, WHITE[1]), (fz, WHITE[2])].map(|(f, white)| {
        let line = f.offset(-4.0 / 29.0).scale(3.0 * DELTA * DELTA);
        Expr::select(&f.greater(&f.like(DELTA)), &f.square().mul(&f), &line).scale(white)
    });
    let rgb = product(&TO_RGB, &xyz).map(|v| {
        let power = v.maximum(&v.like(0.0031308)).pow(&v.like(1.0 / 2.4)).scale(1.055).offset(-0.055);
        Expr::select(&v.greater(&v.like(0.0031308)), &power, &v.scale(12.92)).clip(0.0, 1.0)
    });
    Expr::try_concat(&rgb, 1)
}

fn product(matrix: &[[f64; 3]; 3], of: &[Expr; 3]) -> [Expr; 3] {
    matrix.map(|[p, q, r]| of[0].scale(p).add(&of[1].scale(q)).add(&of[2].scale(r)))
}

fn channels(op: &str, images: &Expr) -> Result<[Expr; 3], GraphError> {
    match images.shape()[..] {
        [_, 3, _, _] => Ok([0, 1, 2].map(|c| images.slice_axis(1, c, c + 1))),
        _ => {
            let reason = "needs images of three channels [N, 3, H, W]; a grey image has no colours to change";
            Err(GraphError::Shape { op: op.into(), reason: reason.into(), shapes: vec![images.shape().clone()] })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::{DType, Tensor, eval, grad};

    fn input(colours: usize) -> Expr {
        Expr::input("x", [1, 3, 1, colours], DType::F64)
    }

    // Columns of colours, as planes.
    fn planes(colours: &[[f64; 3]]) -> Tensor {
        let values = (0..3).flat_map(|c| colours.iter().map(move |colour| colour[c])).collect();
        Tensor::new([1, 3, 1, colours.len()], values).unwrap()
    }

    // Lindbloom's calculator, D65.
    #[test]
    fn known_colours() {
        let cases = [
            ([1.0, 1.0, 1.0], [100.0, 0.0, 0.0]),
            ([1.0, 0.0, 0.0], [53.2408, 80.0925, 67.2032]),
            ([0.0, 1.0, 0.0], [87.7347, -86.1827, 83.1793]),
            ([0.0, 0.0, 1.0], [32.2970, 79.1875, -107.8602]),
            ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
        ];
        let x = input(cases.len());
        let found = eval(&[lab(&x).unwrap()], &[(x.clone(), planes(&cases.map(|c| c.0)))]).unwrap().remove(0);
        let wanted = planes(&cases.map(|c| c.1));
        for (a, b) in found.as_slice::<f64>().iter().zip(wanted.as_slice::<f64>()) {
            assert!((a - b).abs() < 0.01, "{a} {b}");
        }
    }

    #[test]
    fn there_and_back() {
        let grid: Vec<[f64; 3]> = (0..343).map(|i| [i / 49, i / 7 % 7, i % 7].map(|v| v as f64 / 6.0)).collect();
        let (x, values) = (input(grid.len()), planes(&grid));
        let back = srgb(&lab(&x).unwrap()).unwrap();
        let found = eval(&[back], &[(x, values.clone())]).unwrap().remove(0);
        for (a, b) in found.as_slice::<f64>().iter().zip(values.as_slice::<f64>()) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    // The value of a weighted sum of outputs after a step in one element.
    fn stepped(sum: &Expr, x: &Expr, at: &Tensor, element: usize, step: f64) -> f64 {
        let mut moved = at.clone();
        moved.as_mut_slice::<f64>()[element] += step;
        eval(std::slice::from_ref(sum), &[(x.clone(), moved)]).unwrap()[0].as_slice::<f64>()[0]
    }

    fn slopes(sum: &Expr, x: &Expr, at: &Tensor) -> Vec<f64> {
        let slope = grad(sum, std::slice::from_ref(x)).unwrap();
        eval(&slope, &[(x.clone(), at.clone())]).unwrap()[0].as_slice::<f64>().to_vec()
    }

    // Analytic slopes against central differences, on both sides of all thresholds; of colours at black too.
    #[test]
    fn gradients_agree_with_differences() {
        let colours = [[0.0; 3], [0.001, 0.02, 0.0], [0.03, 0.5, 0.9], [0.2, 0.04, 0.05], [0.7, 0.7, 0.1]];
        let labs = [[1.0, 0.1, -0.2], [50.0, 20.0, -10.0], [5.0, 2.0, 1.0], [8.0, 0.0, 0.0], [80.0, -5.0, 5.0]];
        let x = input(5);
        let weights = Expr::constant(planes(&[[1.0, -0.3, 0.5]; 5]));
        for (output, at) in [(lab(&x).unwrap(), planes(&colours)), (srgb(&x).unwrap(), planes(&labs))] {
            let sum = output.mul(&weights).sum();
            for (i, slope) in slopes(&sum, &x, &at).into_iter().enumerate() {
                let difference = (stepped(&sum, &x, &at, i, 1e-6) - stepped(&sum, &x, &at, i, -1e-6)) / 2e-6;
                assert!((slope - difference).abs() < 1e-4 * (1.0 + difference.abs()), "{i}: {slope} {difference}");
            }
        }
    }

    // Below black everything is clipped; its slope is that of the side that the screen has.
    #[test]
    fn black_has_a_slope() {
        let (x, at) = (input(1), planes(&[[0.0; 3]]));
        let sum = srgb(&x).unwrap().sum();
        let found = slopes(&sum, &x, &at);
        let difference = stepped(&sum, &x, &at, 0, 1e-6) / 1e-6;
        assert!((found[0] - difference).abs() < 1e-6 && difference > 0.01, "{found:?} {difference}");
        assert!(found.iter().all(|slope| slope.is_finite()));
    }

    #[test]
    fn grey_images_are_refused() {
        let grey = Expr::input("x", [1, 1, 2, 2], DType::F32);
        let message = lab(&grey).unwrap_err().to_string();
        assert!(message.contains("grey"), "{message}");
    }
}
