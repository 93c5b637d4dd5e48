//! The transportation problem with arbitrary weights.

use super::{dual_value, normalised};
use crate::error::Result;
use crate::matrix::Matrix;

/// The cheapest way to move one distribution onto another.
#[derive(Clone, Debug, PartialEq)]
pub struct Transport {
    /// `(row, column, mass)` of every pair between which mass moves; fewer than rows + columns of them.
    pub plan: Vec<(usize, usize, f64)>,
    /// `Σ mass·cost`, for distributions of mass one.
    pub cost: f64,
    /// A lower bound of the cost of all plans, from the dual; equal to `cost` but for rounding.
    pub lower_bound: f64,
}

/// Moves weights of rows onto weights of columns, each scaled to sum to one, at least total cost: successive shortest
/// paths with potentials (Ahuja, Magnanti & Orlin 1993, §9.7), exact, in O(rows·columns) per path and about as many paths
/// as rows and columns.
///
/// # Errors
/// [`MetricError::Length`](crate::MetricError::Length) unless there is a weight per row and per column;
/// [`MetricError::Domain`](crate::MetricError::Domain) for weights that are negative, infinite or all zero.
pub fn transport(cost: &Matrix, row_weights: &[f64], column_weights: &[f64]) -> Result<Transport> {
    let supplies = normalised("row weights", row_weights, cost.rows())?;
    let demands = normalised("column weights", column_weights, cost.columns())?;
    let mut state = Flow {
        u: vec![0.0; cost.rows()],
        v: vec![0.0; cost.columns()],
        demand: demands.clone(),
        into: vec![Vec::new(); cost.columns()],
        // What rounding leaves over when masses are subtracted; together far below the accuracy of the weights.
        dust: 1e-15 / (cost.rows() + cost.columns()) as f64,
    };
    for (row, &supply) in supplies.iter().enumerate() {
        let mut left = supply;
        while left > state.dust {
            match state.augment(cost, row, left) {
                Some(moved) => left -= moved,
                None => break,
            }
        }
    }
    let flows = state.into.iter().enumerate().flat_map(|(j, flows)| flows.iter().map(move |&(i, mass)| (i, j, mass)));
    let mut plan: Vec<(usize, usize, f64)> = flows.collect();
    plan.sort_unstable_by_key(|&(i, j, _)| (i, j));
    let total = plan.iter().map(|&(i, j, mass)| mass * cost.row(i)[j]).sum();
    let lower_bound = dual_value(cost, &state.u, &supplies, &demands);
    Ok(Transport { plan, cost: total, lower_bound })
}

/// Potentials with `u[i] + v[j] ≤ cost[i, j]`, tight where mass flows, and the flows into each column.
struct Flow {
    u: Vec<f64>,
    v: Vec<f64>,
    demand: Vec<f64>,
    into: Vec<Vec<(usize, f64)>>,
    dust: f64,
}

impl Flow {
    /// Sends up to `supply` from row `start` along a shortest path to a column in need; `None` if there is none left.
    fn augment(&mut self, cost: &Matrix, start: usize, supply: f64) -> Option<f64> {
        let columns = cost.columns();
        let mut distance = vec![f64::INFINITY; columns];
        let mut came_from = vec![start; columns];
        let mut done = vec![false; columns];
        // For each row that was reached, its distance and the column through which.
        let mut reached: Vec<Option<(f64, usize)>> = vec![None; cost.rows()];
        reached[start] = Some((0.0, usize::MAX));
        let mut scan = vec![(start, 0.0)];
        let end = loop {
            for (row, base) in scan.drain(..) {
                let costs = cost.row(row);
                for column in (0..columns).filter(|&j| !done[j]) {
                    let length = base + (costs[column] - self.u[row] - self.v[column]).max(0.0);
                    if length < distance[column] {
                        (distance[column], came_from[column]) = (length, row);
                    }
                }
            }
            let open = (0..columns).filter(|&j| !done[j]);
            let column = open.min_by(|&a, &b| distance[a].total_cmp(&distance[b]))?;
            if self.demand[column] > self.dust {
                break column;
            }
            done[column] = true;
            for &(row, _) in &self.into[column] {
                if reached[row].is_none() {
                    reached[row] = Some((distance[column], column));
                    scan.push((row, distance[column]));
                }
            }
        };
        let shortest = distance[end];
        for (u, found) in self.u.iter_mut().zip(&reached) {
            *u += found.map_or(0.0, |(base, _)| shortest - base);
        }
        for column in (0..columns).filter(|&j| done[j]) {
            self.v[column] -= shortest - distance[column];
        }
        // The path, as pairs of a row and the column it sends to; mass is taken back from the column it came through.
        let mut path = vec![(came_from[end], end)];
        while let (row, _) = path[path.len() - 1]
            && row != start
        {
            let through = reached[row].expect("rows on the path were reached").1;
            path.push((came_from[through], through));
        }
        let taken = |pair: &[(usize, usize)]| self.mass(pair[0].0, pair[1].1);
        let moved = path.windows(2).map(taken).fold(supply.min(self.demand[end]), f64::min);
        for pair in path.windows(2) {
            self.add(pair[0].0, pair[1].1, -moved);
        }
        path.iter().for_each(|&(row, column)| self.add(row, column, moved));
        self.demand[end] -= moved;
        Some(moved)
    }

    fn mass(&self, row: usize, column: usize) -> f64 {
        self.into[column].iter().find(|flow| flow.0 == row).map_or(0.0, |flow| flow.1)
    }

    fn add(&mut self, row: usize, column: usize, mass: f64) {
        let flows = &mut self.into[column];
        match flows.iter().position(|flow| flow.0 == row) {
            Some(at) => {
                flows[at].1 += mass;
                if flows[at].1 <= self.dust {
                    flows.swap_remove(at);
                }
            }
            None => flows.push((row, mass)),
        }
    }
}
