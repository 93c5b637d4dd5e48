//! Batches from other threads: order, errors, panics, shutdown.

use perturb_data::batching::{Batch, Batches, Loader, Sequential, Shuffled};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn batches(len: usize, size: usize) -> Batches {
    Batches::new(Shuffled { len, seed: 3 }, size)
}

#[test]
fn the_same_order_for_any_number_of_workers() {
    let expected: Vec<Batch> = batches(103, 10).epochs(3).collect();
    for (workers, ahead) in [(1, 1), (2, 1), (3, 4), (8, 2), (0, 0)] {
        // Early batches take longest, so that later ones are ready before them.
        let make = |batch: &Batch| {
            std::thread::sleep(Duration::from_micros(800u64.saturating_sub(batch.number * 50)));
            Ok::<Batch, ()>(batch.clone())
        };
        let found: Result<Vec<Batch>, ()> = Loader::new(batches(103, 10).epochs(3), workers, ahead, make).collect();
        assert_eq!(found.unwrap(), expected, "{workers} workers");
    }
}

#[test]
fn errors_keep_their_place() {
    let make = |batch: &Batch| if batch.number == 4 { Err("four") } else { Ok(batch.number) };
    let found: Vec<Result<u64, &str>> = Loader::new(batches(70, 10), 3, 2, make).collect();
    assert_eq!(found, [Ok(0), Ok(1), Ok(2), Ok(3), Err("four"), Ok(5), Ok(6)]);
}

#[test]
fn panics_go_on_where_the_batch_is_taken() {
    let make = |batch: &Batch| {
        assert!(batch.number != 5, "batch five");
        Ok::<u64, ()>(batch.number)
    };
    let mut loader = Loader::new(batches(200, 10), 2, 3, make);
    for number in 0..5 {
        assert_eq!(loader.next(), Some(Ok(number)));
    }
    let panic = catch_unwind(AssertUnwindSafe(|| loader.next())).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"batch five"));
    assert_eq!(loader.next(), None);
}

#[test]
fn dropping_ends_the_workers() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let make = move |_: &Batch| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        Ok::<(), ()>(())
    };
    let start = Instant::now();
    let mut loader = Loader::new(Batches::new(Sequential { len: 8 }, 1).forever(), 2, 10, make);
    assert!(loader.next().is_some());
    drop(loader);
    // Twenty batches were ordered; each worker ends after the one or two that it was at.
    assert!(start.elapsed() < Duration::from_millis(300), "{:?}", start.elapsed());
    let after = made.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!((made.load(Ordering::SeqCst), Arc::strong_count(&made)), (after, 1));
}

#[test]
fn no_more_batches_are_ahead_than_agreed() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let make = move |_: &Batch| Ok::<usize, ()>(counter.fetch_add(1, Ordering::SeqCst));
    let mut loader = Loader::new(Batches::new(Sequential { len: 100 }, 1), 2, 3, make);
    for taken in 0..20 {
        std::thread::sleep(Duration::from_millis(2));
        assert!(made.load(Ordering::SeqCst) <= taken + 6);
        assert!(loader.next().is_some());
    }
}
