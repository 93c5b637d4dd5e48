//! The linear program of a piece of a box: every `relu` of open sign is relaxed to the triangle over its operand's bounds
//! (Ehlers 2017). Its dual gives weights, slopes and multipliers, with which a backward walk reaches the same bound; since that
//! walk is what proves, nothing rests on the solver.

use super::forms::Forms;
use super::query::Row;
use crate::check::network::Network;
use crate::check::prover::Sign;
use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};

/// Largest multiplier. A piece that holds no point has arbitrarily good ones, of which some are large enough.
const LARGEST: f64 = 1e4;

/// An optimum of the dual.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dual {
    /// The greatest lower bound of the best combination.
    pub value: f64,
    /// Of the constraints, of sum 1.
    pub weights: Vec<f64>,
    /// The lower slope of each open operand; `None` where it does not matter.
    pub slopes: Vec<Option<f64>>,
    /// Of each sign.
    pub multipliers: Vec<f64>,
    /// How much fixing the sign of each open operand may add to the value, estimated.
    pub costs: Vec<f64>,
}

/// What is asked of a piece.
pub(crate) struct Program<'a> {
    pub network: &'a Network,
    pub forms: &'a Forms,
    pub signs: &'a [Sign],
    pub rows: &'a [Row],
}

impl Program<'_> {
    /// Solves the dual. `None` if the solver fails.
    pub fn dual(&self) -> Option<Dual> {
        let (width, inputs) = (self.forms.width(), self.network.inputs);
        let open = &self.forms.open;
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        // For each coefficient of a form, the terms that must sum to nothing.
        let mut sums: Vec<Vec<(Variable, f64)>> = vec![Vec::new(); width - 1];
        let mut add = |problem: &mut Problem, form: &[f64], largest: f64| {
            let variable = problem.add_var(form[width - 1], (0.0, largest));
            let terms = sums.iter_mut().zip(form).filter(|(_, c)| **c != 0.0);
            terms.for_each(|(sum, &c)| sum.push((variable, c)));
            variable
        };
        let weights: Vec<Variable> = self.rows.iter().map(|row| add(&mut problem, &self.left(row), 1.0)).collect();
        // a ≥ 0, a ≥ z and a ≤ u(z − l)/(u − l) for the result a of each open operand z.
        let triangles: Vec<[Variable; 3]> = (0..open.len())
            .map(|k| {
                let (z, at) = (self.forms.of(open[k].scalar), inputs + k);
                let slope = open[k].upper / (open[k].upper - open[k].lower);
                let mut zero = vec![0.0; width];
                zero[at] = -1.0;
                let mut identity = z.to_vec();
                identity[at] -= 1.0;
                let mut above: Vec<f64> = z.iter().map(|c| -slope * c).collect();
                above[width - 1] += slope * open[k].lower;
                above[at] += 1.0;
                [zero, identity, above].map(|form| add(&mut problem, &form, LARGEST))
            })
            .collect();
        let multipliers: Vec<Variable> = self
            .signs
            .iter()
            .map(|sign| {
                let z = self.forms.of(self.network.operands_of(sign.activation)[sign.element]);
                let sign = if sign.above { -1.0 } else { 1.0 };
                add(&mut problem, &z.iter().map(|c| sign * c).collect::<Vec<_>>(), LARGEST)
            })
            .collect();
        // The least value over y in [−1, 1] costs the absolute value of y's coefficient, as the sum of two parts.
        for sum in &mut sums[..inputs] {
            for part in [1.0, -1.0] {
                sum.push((problem.add_var(-1.0, (0.0, f64::INFINITY)), part));
            }
        }
        for sum in sums.iter().filter(|sum| !sum.is_empty()) {
            problem.add_constraint(sum.as_slice(), ComparisonOp::Eq, 0.0);
        }
        problem.add_constraint(weights.iter().map(|&w| (w, 1.0)).collect::<Vec<_>>(), ComparisonOp::Eq, 1.0);
        let solution = problem.solve().ok()?.into_solution().ok()?;
        let value = |v: Variable| solution.var_value(v).max(0.0);
        let dual = triangles.iter().zip(open).map(|(&[zero, identity, above], operand)| {
            let (zero, identity, above) = (value(zero), value(identity), value(above));
            let slope = (zero + identity > 0.0).then(|| (identity / (zero + identity)).clamp(0.0, 1.0));
            let (u, l) = (operand.upper, operand.lower);
            (slope, (zero * u).max(-identity * l).max(-above * u * l / (u - l)))
        });
        let (slopes, costs) = dual.unzip();
        Some(Dual {
            value: solution.objective(),
            weights: weights.into_iter().map(value).collect(),
            slopes,
            multipliers: multipliers.into_iter().map(value).collect(),
            costs,
        })
    }

    /// Where on a piece without open signs the largest left side is lowest, as y. `None` if there is no point.
    pub fn lowest_point(&self) -> Option<Vec<f64>> {
        let (width, inputs) = (self.forms.width(), self.network.inputs);
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let y: Vec<Variable> = (0..inputs).map(|_| problem.add_var(0.0, (-1.0, 1.0))).collect();
        let largest = problem.add_var(1.0, (f64::NEG_INFINITY, f64::INFINITY));
        let terms = |form: &[f64]| -> Vec<(Variable, f64)> { y.iter().copied().zip(form.iter().copied()).collect() };
        for row in self.rows {
            let form = self.left(row);
            let mut terms = terms(&form);
            terms.push((largest, -1.0));
            problem.add_constraint(terms, ComparisonOp::Le, -form[width - 1]);
        }
        for sign in self.signs {
            let z = self.forms.of(self.network.operands_of(sign.activation)[sign.element]);
            let side = if sign.above { ComparisonOp::Ge } else { ComparisonOp::Le };
            problem.add_constraint(terms(z), side, -z[width - 1]);
        }
        let solution = problem.solve().ok()?.into_solution().ok()?;
        Some(y.into_iter().map(|v| solution.var_value(v)).collect())
    }

    // The form of a constraint's left side.
    fn left(&self, row: &Row) -> Vec<f64> {
        let mut left = vec![0.0; self.forms.width()];
        let outputs = row.outputs.iter().map(|&(i, c)| (self.network.outputs[i], c));
        for (scalar, coefficient) in outputs.chain(row.inputs.iter().map(|&(i, c)| (i as u32, c))) {
            let form = self.forms.of(scalar);
            left.iter_mut().zip(form).for_each(|(t, f)| *t += f64::from(coefficient) * f);
        }
        left[self.forms.width() - 1] += row.constant;
        left
    }
}
