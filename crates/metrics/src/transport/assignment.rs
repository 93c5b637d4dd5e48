//! The linear assignment problem.

use crate::error::{MetricError, Result};
use crate::matrix::Matrix;

/// The cheapest way to give each row a column of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The column of each row.
    pub columns: Vec<usize>,
    /// The sum of the chosen costs.
    pub cost: f64,
    /// A lower bound of that sum over all assignments, from the dual; equal to `cost` but for rounding.
    pub lower_bound: f64,
}

/// Solves the assignment problem by shortest augmenting paths (Jonker & Volgenant 1987, as organised by Crouse 2016),
/// in O(rows²·columns).
///
/// # Errors
/// [`MetricError::Domain`] with more rows than columns: transpose the costs.
///
/// ```
/// use perturb_metrics::{Matrix, transport::assignment};
/// let costs = Matrix::new(&[4.0, 1.0, 3.0, 2.0, 0.0, 5.0, 3.0, 2.0, 2.0], 3)?;
/// let found = assignment(&costs)?;
/// assert_eq!((found.columns, found.cost), (vec![1, 0, 2], 5.0));
/// # Ok::<(), perturb_metrics::MetricError>(())
/// ```
pub fn assignment(cost: &Matrix) -> Result<Assignment> {
    let (rows, columns) = (cost.rows(), cost.columns());
    if rows > columns {
        let reason = format!("{rows} rows cannot each have one of {columns} columns; transpose it");
        return Err(MetricError::Domain { what: "cost", reason });
    }
    let mut state =
        Search { u: vec![0.0; rows], v: vec![0.0; columns], row_of: vec![None; columns], column_of: vec![0; rows] };
    for row in 0..rows {
        state.augment(cost, row);
    }
    let total = (0..rows).map(|i| cost.row(i)[state.column_of[i]]).sum();
    // Only assigned columns have potentials other than zero, and none is positive.
    let lower_bound = state.u.iter().sum::<f64>() + state.v.iter().sum::<f64>();
    Ok(Assignment { columns: state.column_of, cost: total, lower_bound })
}

/// Potentials with `u[i] + v[j] ≤ cost[i, j]`, tight where row i has column j.
struct Search {
    u: Vec<f64>,
    v: Vec<f64>,
    row_of: Vec<Option<usize>>,
    column_of: Vec<usize>,
}

impl Search {
    /// Assigns one more row along a shortest path of reduced costs that ends at a free column.
    fn augment(&mut self, cost: &Matrix, start: usize) {
        let columns = cost.columns();
        let mut distance = vec![f64::INFINITY; columns];
        let mut came_from = vec![start; columns];
        let mut done = vec![false; columns];
        let (mut row, mut reached) = (start, 0.0);
        let end = loop {
            let costs = cost.row(row);
            let mut nearest: Option<usize> = None;
            for column in (0..columns).filter(|&j| !done[j]) {
                let length = reached + costs[column] - self.u[row] - self.v[column];
                if length < distance[column] {
                    (distance[column], came_from[column]) = (length, row);
                }
                // Of equally near columns a free one ends the search.
                let better = nearest.is_none_or(|n| {
                    let free = self.row_of[column].is_none() && self.row_of[n].is_some();
                    distance[column] < distance[n] || (distance[column] == distance[n] && free)
                });
                nearest = if better { Some(column) } else { nearest };
            }
            let column = nearest.expect("with at least as many columns as rows a free column is left");
            reached = distance[column];
            done[column] = true;
            match self.row_of[column] {
                None => break column,
                Some(next) => row = next,
            }
        };
        self.u[start] += reached;
        for column in (0..columns).filter(|&j| done[j]) {
            let slack = reached - distance[column];
            self.v[column] -= slack;
            if let Some(owner) = self.row_of[column] {
                self.u[owner] += slack;
            }
        }
        let mut column = end;
        loop {
            let row = came_from[column];
            self.row_of[column] = Some(row);
            std::mem::swap(&mut self.column_of[row], &mut column);
            if row == start {
                break;
            }
        }
    }
}
