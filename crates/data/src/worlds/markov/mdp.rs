//! Markov decision processes.

use super::chain::Chain;
use super::{check_rows, random_law};
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use faer::Mat;
use faer::prelude::Solve;
use rand::RngExt;

/// A process with finitely many states and actions and a discounted reward.
#[derive(Clone, Debug, PartialEq)]
pub struct Mdp {
    states: usize,
    actions: usize,
    transitions: Vec<f64>,
    rewards: Vec<f64>,
    discount: f64,
}

impl Mdp {
    /// A process from P(next | state, action), row-major `[states, actions, states]`, the expected rewards
    /// `[states, actions]`, and the discount.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for lengths that do not agree, rows that are no laws, rewards that are not finite, and
    /// discounts outside of [0, 1).
    pub fn new(
        states: usize,
        actions: usize,
        transitions: Vec<f64>,
        rewards: Vec<f64>,
        discount: f64,
    ) -> Result<Mdp, WorldError> {
        let pairs = states * actions;
        if pairs == 0 || transitions.len() != pairs * states || rewards.len() != pairs {
            let value = format!("{} and {} values", transitions.len(), rewards.len());
            let expected =
                format!("{states} states and {actions} actions (at least one each) need {pairs}×{states} and {pairs}");
            return Err(WorldError::parameter("markov", "transitions and rewards", value, expected));
        }
        check_rows("transitions", &transitions, states)?;
        if let Some(reward) = rewards.iter().find(|r| !r.is_finite()) {
            return Err(WorldError::parameter("markov", "reward", reward, "rewards must be finite"));
        }
        if !(0.0..1.0).contains(&discount) {
            return Err(WorldError::parameter("markov", "discount", discount, "it must lie from 0 to 1 (exclusive)"));
        }
        Ok(Mdp { states, actions, transitions, rewards, discount })
    }

    /// A random process: laws of next states uniform and sharpened (values cubed), rewards uniform from [0, 1), discount
    /// 0.9.
    pub fn random(states: usize, actions: usize, seed: u64) -> Mdp {
        let (states, actions) = (states.max(1), actions.max(1));
        let mut rng = stream("markov mdp", seed, 0);
        let transitions = (0..states * actions).flat_map(|_| random_law(states, 3.0, &mut rng)).collect();
        let rewards = (0..states * actions).map(|_| rng.random_range(0.0..1.0)).collect();
        Mdp { states, actions, transitions, rewards, discount: 0.9 }
    }

    /// A grid of rows and columns, actions right, down, left, up; with probability `slip` the move is uniform among the
    /// four instead. Moves off the grid stay. Reward 1 for every action taken at the goal, whose next state is uniform
    /// on the grid.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for a goal off the grid, and for what is no probability or discount.
    pub fn grid(rows: usize, columns: usize, goal: usize, slip: f64, discount: f64) -> Result<Mdp, WorldError> {
        let n = rows * columns;
        if goal >= n {
            return Err(WorldError::parameter("markov", "goal", goal, format!("states are 0 to {n} (exclusive)")));
        }
        if !(0.0..=1.0).contains(&slip) {
            return Err(WorldError::parameter("markov", "slip", slip, "a probability must lie between 0 and 1"));
        }
        let neighbour = |state: usize, action: usize| {
            let (row, column) = (state / columns, state % columns);
            match action {
                0 if column + 1 < columns => state + 1,
                1 if row + 1 < rows => state + columns,
                2 if column > 0 => state - 1,
                3 if row > 0 => state - columns,
                _ => state,
            }
        };
        let (mut transitions, mut rewards) = (vec![0.0; n * 4 * n], vec![0.0; n * 4]);
        for state in 0..n {
            for action in 0..4 {
                let law = &mut transitions[(state * 4 + action) * n..][..n];
                if state == goal {
                    law.fill(1.0 / n as f64);
                    rewards[state * 4 + action] = 1.0;
                    continue;
                }
                (0..4).for_each(|other| law[neighbour(state, other)] += slip / 4.0);
                law[neighbour(state, action)] += 1.0 - slip;
            }
        }
        Mdp::new(n, 4, transitions, rewards, discount)
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.states
    }

    /// Number of actions.
    pub fn actions(&self) -> usize {
        self.actions
    }

    /// P(next | state, action).
    pub fn law(&self, state: usize, action: usize) -> &[f64] {
        &self.transitions[(state * self.actions + action) * self.states..][..self.states]
    }

    /// Expected reward of an action in a state.
    pub fn reward(&self, state: usize, action: usize) -> f64 {
        self.rewards[state * self.actions + action]
    }

    /// The chain that a policy, P(action | state) `[states, actions]`, makes of the process, and its expected rewards.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for a policy of another size or rows that are no laws.
    pub fn under(&self, policy: &[f64]) -> Result<(Chain, Vec<f64>), WorldError> {
        let (n, m) = (self.states, self.actions);
        if policy.len() != n * m {
            let expected = format!("{n} states and {m} actions need {}", n * m);
            return Err(WorldError::parameter("markov", "number of the policy's values", policy.len(), expected));
        }
        check_rows("policy", policy, m)?;
        let mut transitions = vec![0.0; n * n];
        for (pair, weight) in policy.iter().enumerate() {
            let row = &mut transitions[pair / m * n..][..n];
            row.iter_mut().zip(self.law(pair / m, pair % m)).for_each(|(t, p)| *t += weight * p);
        }
        let rewards = (0..n).map(|s| (0..m).map(|a| policy[s * m + a] * self.reward(s, a)).sum()).collect();
        Ok((Chain::new(n, transitions)?, rewards))
    }

    /// V(state) of a policy: the solution of V = r + γ P V.
    ///
    /// # Errors
    /// As [`Mdp::under`].
    pub fn value(&self, policy: &[f64]) -> Result<Vec<f64>, WorldError> {
        let (chain, rewards) = self.under(policy)?;
        let n = self.states;
        let entry = |i: usize, j: usize| f64::from(u8::from(i == j)) - self.discount * chain.transitions()[i * n + j];
        let solution = Mat::from_fn(n, n, entry).partial_piv_lu().solve(Mat::from_fn(n, 1, |i, _| rewards[i]));
        Ok((0..n).map(|i| solution[(i, 0)]).collect())
    }

    /// Q(state, action) `[states, actions]` for given values of the next states.
    pub fn action_values(&self, values: &[f64]) -> Vec<f64> {
        let q = |pair: usize| {
            let (state, action) = (pair / self.actions, pair % self.actions);
            let next: f64 = self.law(state, action).iter().zip(values).map(|(p, v)| p * v).sum();
            self.reward(state, action) + self.discount * next
        };
        (0..self.states * self.actions).map(q).collect()
    }

    /// The best policy (one action per state, the first of equally good ones) and its values, by policy iteration
    /// (Howard 1960): exact but for rounding.
    pub fn optimal(&self) -> (Vec<usize>, Vec<f64>) {
        let (n, m) = (self.states, self.actions);
        let mut actions = vec![0; n];
        loop {
            let policy: Vec<f64> = (0..n * m).map(|pair| f64::from(u8::from(actions[pair / m] == pair % m))).collect();
            let values = self.value(&policy).expect("one action per state is a policy");
            let q = self.action_values(&values);
            let mut changed = false;
            for (state, action) in actions.iter_mut().enumerate() {
                let q = &q[state * m..][..m];
                let best = (0..m).fold(0, |best, a| if q[a] > q[best] + 1e-12 { a } else { best });
                // Only real gains count, or rounding could turn between equals for ever.
                if q[best] > q[*action] + 1e-10 * (1.0 + q[best].abs()) {
                    (*action, changed) = (best, true);
                }
            }
            if !changed {
                return (actions, values);
            }
        }
    }
}
