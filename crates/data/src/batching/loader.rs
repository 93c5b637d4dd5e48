//! Batches made on other threads, handed on in order.

use super::{Batch, Batches};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// An iterator of the values that `make` gives for the batches, in their order, made ahead by worker threads.
///
/// Worker k makes batches k, k + workers, …, so the values are the same for any number of workers as long as `make`
/// depends on its batch alone. No more than `workers · ahead` batches are in the making or waiting. Dropping the loader ends
/// the workers, each after the batch it is at. An error is handed on in its batch's place, and the next batch follows; a
/// panic of `make` goes on in the thread that iterates.
pub struct Loader<T, E> {
    batches: Batches,
    /// Empty once the loader is being dropped.
    workers: Vec<Worker<T, E>>,
    /// Number of the next batch to give to a worker, and of the next to hand on.
    given: usize,
    taken: usize,
}

struct Worker<T, E> {
    orders: Sender<Batch>,
    made: Receiver<Result<T, E>>,
    thread: JoinHandle<()>,
}

impl<T: Send + 'static, E: Send + 'static> Loader<T, E> {
    /// Starts `workers` threads, at least one, that each make up to `ahead` batches, at least one, in advance.
    pub fn new(
        batches: Batches,
        workers: usize,
        ahead: usize,
        make: impl Fn(&Batch) -> Result<T, E> + Send + Sync + 'static,
    ) -> Loader<T, E> {
        let make = Arc::new(make);
        let spawn = |_| {
            let (orders, ordered) = channel::<Batch>();
            let (send, made) = channel();
            let make = Arc::clone(&make);
            let work = move || {
                // Either end may be gone: the loader was dropped.
                while let Ok(batch) = ordered.recv() {
                    if send.send(make(&batch)).is_err() {
                        break;
                    }
                }
            };
            Worker { orders, made, thread: std::thread::spawn(work) }
        };
        let workers: Vec<Worker<T, E>> = (0..workers.max(1)).map(spawn).collect();
        let mut loader = Loader { batches, workers, given: 0, taken: 0 };
        for _ in 0..loader.workers.len() * ahead.max(1) {
            loader.give();
        }
        loader
    }

    /// Gives the next batch to the worker whose turn it is.
    fn give(&mut self) {
        if let Some(batch) = self.batches.next() {
            let turn = self.given % self.workers.len();
            self.given += 1;
            // A worker that panicked no longer listens; that shows when its batch is taken.
            let _ = self.workers[turn].orders.send(batch);
        }
    }
}

impl<T: Send + 'static, E: Send + 'static> Iterator for Loader<T, E> {
    type Item = Result<T, E>;

    fn next(&mut self) -> Option<Result<T, E>> {
        if self.taken == self.given {
            return None;
        }
        let turn = self.taken % self.workers.len();
        match self.workers[turn].made.recv() {
            Ok(made) => {
                self.taken += 1;
                self.give();
                Some(made)
            }
            Err(_) => {
                // The worker ended although batches were given to it: it panicked. Others are ended as by dropping.
                let panicked = self.workers.swap_remove(turn);
                self.taken = self.given;
                drop(panicked.orders);
                match panicked.thread.join() {
                    Err(panic) => resume_unwind(panic),
                    Ok(()) => None,
                }
            }
        }
    }
}

impl<T, E> Drop for Loader<T, E> {
    fn drop(&mut self) {
        // First all channels, so that every worker stops after the batch it is at; then wait for them.
        let threads: Vec<JoinHandle<()>> = self.workers.drain(..).map(|worker| worker.thread).collect();
        for thread in threads {
            // A panic was either handed on already or concerns a batch that nobody waits for.
            let _ = thread.join();
        }
    }
}
