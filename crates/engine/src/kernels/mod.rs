//! The loops that do the work. Each kernel writes one whole buffer from slices; unsafe code is confined to
//! [`gemm`], to the registers and the choice of the instruction set in [`simd`], and to the loops that use them.
//!
//! Miri checks it (nightly toolchain) on tests of small shapes in some minutes:
//!
//! ```text
//! MIRIFLAGS="-Zmiri-tree-borrows -Zmiri-ignore-leaks -Zmiri-permissive-provenance -Zmiri-deterministic-floats" \
//!     cargo +nightly miri test -p perturb-engine --test types --test state --test loops -- \
//!     adam variables_change large_variables sessions values_of mistakes states_that slices_and loops_inside
//! ```
//!
//! Miri reports no vector instructions, so that it checks the portable registers.

pub(crate) mod cast;
pub(crate) mod conv;
pub(crate) mod copy;
pub(crate) mod elementwise;
pub(crate) mod fourier;
pub(crate) mod gemm;
pub(crate) mod indexing;
pub(crate) mod integer;
pub(crate) mod lines;
pub(crate) mod math;
pub(crate) mod matrices;
pub(crate) mod pool;
pub(crate) mod random;
pub(crate) mod reduce;
pub(crate) mod simd;
pub(crate) mod tile;
pub(crate) mod tiling;

/// What happens to a part of a result, from an element on, as soon as it is there and while it is in cache.
pub(crate) type Finish<'a, T> = &'a (dyn Fn(usize, &mut [T]) + Sync);

/// Elements below which a loop is not worth splitting over threads.
pub(crate) const SERIAL: usize = 1 << 14;

/// Axes of a tensor, at most.
pub(crate) const MAX_RANK: usize = 16;
