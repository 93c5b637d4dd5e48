//! The steady state allocates nothing: counted by the allocator of this test's process.

use perturb_engine::{Executable, Options};
use perturb_graph::{ArgSort, CumSum, DType, Expr, Fft, Gather, RandomBits, ScatterAdd, Tensor, grad};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps this function's contract, which is that of `System`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Fewest allocations of one call among several, so that another thread's do not count.
fn allocations(mut f: impl FnMut()) -> usize {
    f();
    f();
    let count = |f: &mut dyn FnMut()| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        f();
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    (0..5).map(|_| count(&mut f)).min().unwrap_or(0)
}

// One test, so that no other runs beside it.
#[test]
fn steady_state_allocates_nothing() {
    let x = Expr::input("x", [64, 48], DType::F32);
    let feed = Tensor::full([64, 48], 0.5f32);

    let elementwise = [x.tanh().mul(&x).sum(), x.transpose(&[1, 0]), x.pad(&[1, 0], &[0, 2]), x.log_softmax(1)];
    let exe = Executable::compile(&elementwise, &[x.clone()], &Options::default()).unwrap();
    let mut outputs = exe.run(&[&feed]).unwrap();
    assert_eq!(allocations(|| exe.run_into(&[&feed], &mut outputs).unwrap()), 0, "elementwise");

    // Large enough to be split over threads.
    let large = Expr::input("large", [512, 300], DType::F32);
    let big = Tensor::full([512, 300], 0.5f32);
    let split = [large.tanh().mul(&large), large.reduce_sum(&[0], false), large.exp().reduce_max(&[1], false)];
    let exe = Executable::compile(&split, &[large], &Options::default()).unwrap();
    let mut outputs = exe.run(&[&big]).unwrap();
    assert_eq!(allocations(|| exe.run_into(&[&big], &mut outputs).unwrap()), 0, "parallel");

    // Loops, orders, indices, transforms and random words.
    let (rows, key) = (Expr::input("rows", [9, 16], DType::F32), Expr::input("key", [2], DType::I64));
    let (last, all) = Expr::scan(&[rows.slice_axis(0, 0, 1)], &[rows.clone()], 9, false, |c, s| {
        let next = c[0].tanh().add(&s[0].reshape([1, 16]));
        Ok((vec![next.clone()], vec![next.square()]))
    })
    .unwrap();
    let order = Expr::apply(ArgSort { axis: 1, descending: true }, &[rows.clone()]).unwrap();
    let outputs = [
        last[0].clone(),
        all[0].clone(),
        Expr::apply(Gather { axis: 1, batch: 1 }, &[rows.clone(), order.clone()]).unwrap(),
        Expr::apply(ScatterAdd { axis: 1, batch: 1, size: 20 }, &[rows.clone(), order]).unwrap(),
        Expr::apply(Fft { inverse: false }, &[rows.reshape([9, 8, 2])]).unwrap(),
        Expr::apply(RandomBits { shape: [9].into() }, &[key.clone()]).unwrap().cast(DType::F64),
        Expr::apply(CumSum { axis: 0, exclusive: false, reverse: true }, &[rows.clone()]).unwrap(),
    ];
    let exe = Executable::compile(&outputs, &[rows, key], &Options::default()).unwrap();
    let (feed_rows, feed_key) = (Tensor::full([9, 16], 0.25f32), Tensor::full([2], 5i64));
    let mut results = exe.run(&[&feed_rows, &feed_key]).unwrap();
    assert_eq!(allocations(|| exe.run_into(&[&feed_rows, &feed_key], &mut results).unwrap()), 0, "loops and indices");

    let w = Expr::input("w", [48, 40], DType::F32);
    let loss = x.matmul(&w).relu().square().sum();
    let next = w.sub(&grad(&loss, &[w.clone()]).unwrap()[0].scale(1e-6));
    let step = Executable::compile_with_state(&[loss], &[x], &[(w, next)], &Options::default()).unwrap();
    let mut session = step.session(&[Tensor::full([48, 40], 0.1f32)]).unwrap();
    let mut outputs = session.run(&[&feed]).unwrap();
    // The crate that multiplies matrices packs operands into memory of its own: two allocations a product.
    let products = 2;
    assert!(allocations(|| session.run_into(&[&feed], &mut outputs).unwrap()) <= 2 * products, "training step");
}
