//! Equations with what is known on the border.

use super::{Domain, Jet};
use crate::{Result, ScienceError};
use perturb_graph::{Expr, Tensor};
use std::f64::consts::PI;

/// A differential equation: what must vanish.
pub trait Equation {
    /// The residual `[n, 1]` at points `x [n, d]` for a function with these derivatives there.
    fn residual(&self, x: &Expr, u: &Jet) -> Expr;
}

/// `u_xx + u_yy + u = q` on the square `[−1, 1]²`, with q such that `u = sin(aπx)·sin(bπy)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Helmholtz {
    /// a and b.
    pub waves: [f64; 2],
}

impl Helmholtz {
    fn product(&self, x: &Expr) -> Expr {
        let wave = |axis: usize| x.slice_axis(1, axis, axis + 1).scale(PI * self.waves[axis]).sin();
        wave(0).mul(&wave(1))
    }
}

impl Equation for Helmholtz {
    fn residual(&self, x: &Expr, u: &Jet) -> Expr {
        let factor = 1.0 - PI * PI * self.waves.iter().map(|w| w * w).sum::<f64>();
        u.second[0].add(&u.second[1]).add(&u.value).sub(&self.product(x).scale(factor))
    }
}

/// `u_t + u·u_x = ν·u_xx` at points (x, t).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burgers {
    /// ν.
    pub viscosity: f64,
}

impl Equation for Burgers {
    fn residual(&self, _: &Expr, u: &Jet) -> Expr {
        u.first[1].add(&u.value.mul(&u.first[0])).sub(&u.second[0].scale(self.viscosity))
    }
}

/// A function of one point.
type Solution = dyn Fn(&[f64]) -> f64;

/// An equation on a domain, with values at points of the border.
pub struct Problem {
    /// The equation.
    pub equation: Box<dyn Equation>,
    /// Where it holds.
    pub domain: Domain,
    /// Points `[m, d]` at which the solution is known.
    pub points: Tensor,
    /// Its values there, `[m, 1]`.
    pub values: Tensor,
    /// The solution, to be compared with.
    solution: Box<Solution>,
}

impl Problem {
    /// An equation with border values at `points [m, d]`, taken from its `solution`.
    ///
    /// # Errors
    /// If the points do not have the domain's dimension.
    pub fn new(
        equation: impl Equation + 'static,
        domain: Domain,
        points: Tensor,
        solution: impl Fn(&[f64]) -> f64 + 'static,
    ) -> Result<Problem> {
        let d = domain.dimension();
        let fits = points.shape().len() == 2 && points.shape()[1] == d && points.shape()[0] > 0;
        ScienceError::check(fits, "shape of the points", points.shape(), "[m, d] with m at least 1")?;
        let values: Vec<f64> = points.to_f64_vec().chunks_exact(d).map(&solution).collect();
        let values = Tensor::new([values.len(), 1], values)?;
        Ok(Problem { equation: Box::new(equation), domain, points, values, solution: Box::new(solution) })
    }

    /// [`Helmholtz`] on the square, with `n` points on each side.
    ///
    /// # Errors
    /// If there are fewer than two points.
    pub fn helmholtz(equation: Helmholtz, n: usize) -> Result<Problem> {
        let domain = Domain::square();
        let sides = [(0, false), (0, true), (1, false), (1, true)];
        let sides = sides.map(|(axis, upper)| domain.side(axis, upper, n));
        let points = stacked(sides.into_iter().collect::<Result<Vec<_>>>()?)?;
        let [a, b] = equation.waves;
        Problem::new(equation, domain, points, move |x| (PI * a * x[0]).sin() * (PI * b * x[1]).sin())
    }

    /// [`Burgers`] on a rectangle of x and t: values are those of `solution` at its first time and at both ends of x,
    /// `n` points on each.
    ///
    /// # Errors
    /// If the domain is no rectangle, or there are fewer than two points.
    pub fn burgers(
        equation: Burgers,
        domain: Domain,
        n: usize,
        solution: impl Fn(&[f64]) -> f64 + 'static,
    ) -> Result<Problem> {
        let sides = [(0, false), (0, true), (1, false)].map(|(axis, upper)| domain.side(axis, upper, n));
        let points = stacked(sides.into_iter().collect::<Result<Vec<_>>>()?)?;
        Problem::new(equation, domain, points, solution)
    }

    /// The solution at points `[n, d]`.
    pub fn exact(&self, points: &Tensor) -> Vec<f64> {
        points.to_f64_vec().chunks_exact(self.domain.dimension()).map(&self.solution).collect()
    }
}

fn stacked(parts: Vec<Tensor>) -> Result<Tensor> {
    let values: Vec<f64> = parts.iter().flat_map(Tensor::to_f64_vec).collect();
    Ok(Tensor::new([values.len() / 2, 2], values)?)
}
