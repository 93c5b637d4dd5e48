//! How far weights may move.

use perturb_graph::Expr;
use perturb_nn::{Hook, Step, TrainError, Updated};

/// What training may change of the weights that a network has: after every step they are brought back there. Only trained
/// parameters move; running statistics of normalizations stay as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Room {
    /// Each weight by at most this share of its size. A weight that is zero has no room.
    Relative(f64),
    /// All weights together by at most this length, in ℓ2.
    Length(f64),
}

impl Hook for Room {
    /// # Errors
    /// If the room is negative or no number.
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        let (Room::Relative(size) | Room::Length(size)) = *self;
        if size < 0.0 || !size.is_finite() {
            return Err(TrainError::Setting(format!("{self:?}: the room must be at least 0, and finite")));
        }
        let room = *self;
        step.after_update(move |_, updated| {
            match room {
                Room::Relative(share) => updated.iter_mut().for_each(|u| within_share(u, share)),
                Room::Length(length) => within_length(updated, length),
            }
            Ok(())
        });
        Ok(())
    }
}

/// The value that a parameter starts with.
fn start(updated: &Updated) -> Expr {
    updated.parameter.value().map_or_else(|| updated.parameter.clone(), |value| Expr::constant(value.clone()))
}

fn within_share(updated: &mut Updated, share: f64) {
    let start = start(updated);
    let reach = start.abs().scale(share);
    updated.next = start.add(&updated.next.sub(&start).minimum(&reach).maximum(&reach.neg()));
}

fn within_length(updated: &mut [Updated], length: f64) {
    let moved: Vec<(Expr, Expr)> =
        updated.iter().map(start).zip(&*updated).map(|(s, u)| (s.clone(), u.next.sub(&s))).collect();
    let Some(square) = moved.iter().map(|(_, d)| d.square().sum()).reduce(|a, b| a.add(&b)) else { return };
    let norm = square.sqrt();
    // At most 1, and 1 where nothing has moved.
    let factor = norm.like(length).div(&norm.maximum(&norm.like(length.max(f64::from(f32::MIN_POSITIVE)))));
    updated.iter_mut().zip(moved).for_each(|(u, (start, d))| u.next = start.add(&d.mul(&factor)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::{DType, Tensor};
    use perturb_nn::{Parameters, Sgd, Trainer, Without};

    // Weights (2, −1, 0) under the loss −(3w₀ − 4w₂ + w₁), whose descent never ends.
    fn moved(room: Room) -> Vec<f64> {
        let w = Expr::param("w", Tensor::new([3], vec![2.0, -1.0, 0.0]).unwrap());
        let slope = Expr::constant(Tensor::new([3], vec![3.0, 1.0, -4.0]).unwrap());
        let mut step = Step::with_dtype(DType::F64);
        step.minimize(w.mul(&slope).sum().neg());
        step.apply(&room).unwrap();
        let trainer = Trainer { epochs: 50, ..Trainer::with(Sgd { learning_rate: 0.1, ..Sgd::default() }) };
        let trained: Parameters = trainer.fit(step, &Without(1), &mut []).unwrap().parameters;
        trained.get("w").unwrap().to_f64_vec()
    }

    #[test]
    fn weights_end_where_their_room_does() {
        let near = |a: &[f64], b: [f64; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near(&moved(Room::Relative(0.1)), [2.2, -0.9, 0.0]), "{:?}", moved(Room::Relative(0.1)));
        // Along the slope, of length √26.
        let unit = [3.0, 1.0, -4.0].map(|v: f64| v / 26f64.sqrt());
        let end = moved(Room::Length(0.5));
        assert!(near(&end, [2.0 + 0.5 * unit[0], -1.0 + 0.5 * unit[1], 0.5 * unit[2]]), "{end:?}");
        assert_eq!(moved(Room::Relative(0.0)), [2.0, -1.0, 0.0]);
        assert_eq!(moved(Room::Length(0.0)), [2.0, -1.0, 0.0]);
    }
}
