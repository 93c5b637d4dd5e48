//! Batches made ahead, on a thread of their own.

use super::{Batch, Batches, Position};
use crate::TrainError;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};

/// Batches ready at once, beside the one that is trained on.
const AHEAD: usize = 2;

/// Calls `train` with every batch of the steps in `range`, in order, until it returns `false`. Batches go around between
/// the two threads: after the first few none is allocated.
pub(crate) fn with_batches(
    batches: &dyn Batches,
    blank: &Batch,
    range: Range<u64>,
    seed: u64,
    mut train: impl FnMut(&Batch) -> Result<bool, TrainError>,
) -> Result<(), TrainError> {
    let (send, ready) = sync_channel(AHEAD);
    let (give_back, used): (Sender<Batch>, Receiver<Batch>) = channel();
    let per_epoch = batches.steps() as u64;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (made, step) in range.enumerate() {
                let spare = if made <= AHEAD { None } else { used.recv().ok() };
                let mut batch = spare.unwrap_or_else(|| blank.clone());
                let filled = batches.fill(Position::of(seed, step, per_epoch), &mut batch).map(|()| batch);
                let failed = filled.is_err();
                // Nobody listens any more when training has stopped.
                if send.send(filled).is_err() || failed {
                    return;
                }
            }
        });
        // Owned here, so that whatever ends this loop also ends the other thread.
        let (ready, give_back) = (ready, give_back);
        for batch in &ready {
            let batch = batch?;
            if !train(&batch)? {
                break;
            }
            let _ = give_back.send(batch);
        }
        Ok(())
    })
}
