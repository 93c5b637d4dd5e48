//! Vectors of the processor's widest registers, behind one small trait, and the choice of the instruction set.
//!
//! A kernel is a [`Task`] whose body is written once for any [`Lanes`]; [`dispatch`] runs the version for the best
//! instruction set that the processor reports. Everything in a body must be inlined by force, for a function of its own
//! would be compiled without the instruction set.

use crate::float::Float;

/// Elements of the widest register.
const MOST_LANES: usize = 16;

/// A register of elements. All methods need the instruction set of the implementing type.
///
/// # Safety
/// Callers run on a processor with the instruction set, and pointers are valid for as many elements as each method says.
pub(crate) trait Lanes<T: Copy + Default>: Copy {
    /// Elements in a register.
    const N: usize;
    /// Rows and columns of the largest block of accumulators that fits the registers beside a row of operands and one
    /// factor. Blocks of at most two rows may be twice as wide.
    const ROWS: usize;
    const COLUMNS: usize;
    unsafe fn splat(x: T) -> Self;
    /// Reads `N` elements.
    unsafe fn load(p: *const T) -> Self;
    /// Writes `N` elements.
    unsafe fn store(self, p: *mut T);
    /// `self·b + c`, in one rounding where the processor can.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;

    /// The magnitude of every element.
    unsafe fn abs(self) -> Self;
    /// The sum of all elements, in an order of its own.
    unsafe fn sum(self) -> T;

    /// Reads `n ≤ N` elements; the others are zero.
    #[inline(always)]
    unsafe fn load_first(p: *const T, n: usize) -> Self {
        let mut lanes = [T::default(); MOST_LANES];
        // SAFETY: `p` is valid for n elements by the caller's promise, and no register has more than there are lanes.
        unsafe {
            Self::copy(p, lanes.as_mut_ptr(), n);
            Self::load(lanes.as_ptr())
        }
    }

    /// Writes the first `n ≤ N` elements.
    #[inline(always)]
    unsafe fn store_first(self, p: *mut T, n: usize) {
        let mut lanes = [T::default(); MOST_LANES];
        // SAFETY: as for `load_first`.
        unsafe {
            self.store(lanes.as_mut_ptr());
            Self::copy(lanes.as_ptr(), p, n);
        }
    }

    /// Copies `n ≤ N` elements.
    #[inline(always)]
    unsafe fn copy(from: *const T, to: *mut T, n: usize) {
        unsafe { std::ptr::copy_nonoverlapping(from, to, n) }
    }

    /// Splits `2n ≤ 2N` elements into those at even and those at odd places.
    #[inline(always)]
    unsafe fn split(from: *const T, even: *mut T, odd: *mut T, n: usize) {
        unsafe { split_one_by_one(from, even, odd, n) }
    }

    /// The inverse of `split`.
    #[inline(always)]
    unsafe fn merge(even: *const T, odd: *const T, to: *mut T, n: usize) {
        unsafe { merge_one_by_one(even, odd, to, n) }
    }

    /// Transposes an `N × N` block between matrices whose rows are `from_stride` and `to_stride` apart.
    #[inline(always)]
    unsafe fn transpose(from: *const T, from_stride: usize, to: *mut T, to_stride: usize) {
        for i in 0..Self::N {
            for j in 0..Self::N {
                unsafe { *to.add(j * to_stride + i) = *from.add(i * from_stride + j) }
            }
        }
    }
}

#[inline(always)]
unsafe fn split_one_by_one<T: Copy>(from: *const T, even: *mut T, odd: *mut T, n: usize) {
    for i in 0..n {
        // SAFETY: the pointers are valid for 2n and n elements by the contract of `Lanes`.
        unsafe {
            *even.add(i) = *from.add(2 * i);
            *odd.add(i) = *from.add(2 * i + 1);
        }
    }
}

#[inline(always)]
unsafe fn merge_one_by_one<T: Copy>(even: *const T, odd: *const T, to: *mut T, n: usize) {
    for i in 0..n {
        // SAFETY: as above.
        unsafe {
            *to.add(2 * i) = *even.add(i);
            *to.add(2 * i + 1) = *odd.add(i);
        }
    }
}

/// The registers of an element type: widest, middle, and those of every processor.
pub(crate) trait Simd: Copy + Default {
    type Wide: Lanes<Self>;
    type Middle: Lanes<Self>;
    type Portable: Lanes<Self>;
}

/// A kernel's body for any register.
pub(crate) trait Task<T: Simd> {
    type Output;
    /// Implementations are `#[inline(always)]`.
    ///
    /// # Safety
    /// The processor has the instruction set of `V`.
    unsafe fn run<V: Lanes<T>>(self) -> Self::Output;
}

/// Runs a kernel with the widest registers there are.
#[inline]
pub(crate) fn dispatch<T: Simd, K: Task<T>>(task: K) -> K::Output {
    match level() {
        // SAFETY: portable registers need no instruction set.
        Level::Portable => unsafe { task.run::<T::Portable>() },
        // SAFETY: `level` returns this only after the processor reported every feature that the function enables.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { run_avx2(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { run_avx512(task) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn run_avx512<T: Simd, K: Task<T>>(task: K) -> K::Output {
    // SAFETY: this function enables the instruction set.
    unsafe { task.run::<T::Wide>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<T: Simd, K: Task<T>>(task: K) -> K::Output {
    // SAFETY: this function enables the instruction set.
    unsafe { task.run::<T::Middle>() }
}

/// Asks for memory to be brought into the second-level cache.
#[inline(always)]
pub(crate) fn prefetch<T>(data: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in data.chunks((64 / size_of::<T>().max(1)).max(1)) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint has no effect but on caches, and every x86-64 processor knows it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = data;
}

/// Instruction sets that kernels are compiled for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The best instruction set that the processor reports.
pub(crate) fn level() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        use std::sync::OnceLock;
        static LEVEL: OnceLock<Level> = OnceLock::new();
        *LEVEL.get_or_init(|| {
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw");
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            match (wide && avx2, avx2) {
                (true, _) => Level::Avx512,
                (_, true) => Level::Avx2,
                _ => Level::Portable,
            }
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    Level::Portable
}

/// Four elements of any type, for processors without wider registers.
#[derive(Clone, Copy)]
pub(crate) struct Four<T>([T; 4]);

impl<T: Float> Lanes<T> for Four<T> {
    const N: usize = 4;
    const ROWS: usize = 4;
    const COLUMNS: usize = 2;
    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Four([x; 4])
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> Self {
        // SAFETY: the caller's pointer is valid for four elements; an array has the alignment of its element.
        Four(unsafe { *p.cast::<[T; 4]>() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut T) {
        // SAFETY: as for `load`.
        unsafe { *p.cast::<[T; 4]>() = self.0 }
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        Four(std::array::from_fn(
            #[inline(always)]
            |i| self.0[i] * b.0[i] + c.0[i],
        ))
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        Four(self.0.map(
            #[inline(always)]
            |x| x.abs(),
        ))
    }
    #[inline(always)]
    unsafe fn sum(self) -> T {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod sets {
    use super::{Four, Simd};
    impl Simd for f32 {
        type Wide = Four<f32>;
        type Middle = Four<f32>;
        type Portable = Four<f32>;
    }
    impl Simd for f64 {
        type Wide = Four<f64>;
        type Middle = Four<f64>;
        type Portable = Four<f64>;
    }
}

// Each method is one or a few instructions of the set that the trait's contract promises, on elements that the caller
// vouches for; that is the argument for every unsafe block here.
#[cfg(target_arch = "x86_64")]
mod sets {
    use super::{Four, Lanes, Simd, merge_one_by_one, split_one_by_one};
    use std::arch::x86_64::*;

    impl Simd for f32 {
        type Wide = __m512;
        type Middle = __m256;
        type Portable = Four<f32>;
    }
    impl Simd for f64 {
        type Wide = __m512d;
        type Middle = __m256d;
        type Portable = Four<f64>;
    }

    macro_rules! lanes {
        ($v:ty, $t:ty, $n:literal, $rows:literal by $columns:literal, $splat:ident, $load:ident, $store:ident, $fma:ident, |$x:ident| $abs:expr, $sum:expr, { $($more:tt)* }) => {
            impl Lanes<$t> for $v {
                const N: usize = $n;
                const ROWS: usize = $rows;
                const COLUMNS: usize = $columns;
                #[inline(always)]
                unsafe fn splat(x: $t) -> Self {
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                unsafe fn load(p: *const $t) -> Self {
                    unsafe { $load(p) }
                }
                #[inline(always)]
                unsafe fn store(self, p: *mut $t) {
                    unsafe { $store(p, self) }
                }
                #[inline(always)]
                unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                    unsafe { $fma(self, b, c) }
                }
                #[inline(always)]
                unsafe fn abs(self) -> Self {
                    let $x = self;
                    unsafe { $abs }
                }
                #[inline(always)]
                unsafe fn sum(self) -> $t {
                    let $x = self;
                    unsafe { $sum }
                }
                $($more)*
            }
        };
    }
    lanes!(__m256, f32, 8, 6 by 2, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, |x| _mm256_andnot_ps(_mm256_set1_ps(-0.0), x), {
        let half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
        let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
        _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
    }, {
        #[inline(always)]
        unsafe fn copy(from: *const f32, to: *mut f32, n: usize) {
            unsafe {
                match n {
                    8 => _mm256_storeu_ps(to, _mm256_loadu_ps(from)),
                    // Two copies of four that overlap.
                    4..8 => {
                        let (first, last) = (_mm_loadu_ps(from), _mm_loadu_ps(from.add(n - 4)));
                        _mm_storeu_ps(to, first);
                        _mm_storeu_ps(to.add(n - 4), last);
                    }
                    _ => (0..n).for_each(|i| *to.add(i) = *from.add(i)),
                }
            }
        }
        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
            unsafe {
                let mut r = [_mm256_setzero_ps(); 8];
                let mut i = 0;
                while i < 8 {
                    r[i] = _mm256_loadu_ps(from.add(i * from_stride));
                    i += 1;
                }
                // 4 × 4 blocks inside the halves of the registers, then the halves.
                let mut q = [_mm256_setzero_ps(); 8];
                let mut i = 0;
                while i < 8 {
                    let (a, b) = (_mm256_unpacklo_ps(r[i], r[i + 1]), _mm256_unpackhi_ps(r[i], r[i + 1]));
                    let (c, d) = (_mm256_unpacklo_ps(r[i + 2], r[i + 3]), _mm256_unpackhi_ps(r[i + 2], r[i + 3]));
                    q[i] = _mm256_shuffle_ps::<0x44>(a, c);
                    q[i + 1] = _mm256_shuffle_ps::<0xee>(a, c);
                    q[i + 2] = _mm256_shuffle_ps::<0x44>(b, d);
                    q[i + 3] = _mm256_shuffle_ps::<0xee>(b, d);
                    i += 4;
                }
                let mut j = 0;
                while j < 4 {
                    _mm256_storeu_ps(to.add(j * to_stride), _mm256_permute2f128_ps::<0x20>(q[j], q[j + 4]));
                    _mm256_storeu_ps(to.add((j + 4) * to_stride), _mm256_permute2f128_ps::<0x31>(q[j], q[j + 4]));
                    j += 1;
                }
            }
        }
        #[inline(always)]
        unsafe fn split(from: *const f32, even: *mut f32, odd: *mut f32, n: usize) {
            unsafe {
                if n < 8 {
                    if n < 4 {
                        return split_one_by_one(from, even, odd, n);
                    }
                    // Two runs of four pairs, which overlap.
                    for i in [0, n - 4] {
                        let (low, high) = (_mm_loadu_ps(from.add(2 * i)), _mm_loadu_ps(from.add(2 * i + 4)));
                        _mm_storeu_ps(even.add(i), _mm_shuffle_ps::<0x88>(low, high));
                        _mm_storeu_ps(odd.add(i), _mm_shuffle_ps::<0xdd>(low, high));
                    }
                    return;
                }
                let (low, high) = (_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8)));
                let (a, b) = (_mm256_shuffle_ps::<0x88>(low, high), _mm256_shuffle_ps::<0xdd>(low, high));
                // The shuffles work inside halves: 0 2 | 8 10 | 4 6 | 12 14 in pairs.
                let order = |x| _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(_mm256_castps_pd(x)));
                _mm256_storeu_ps(even, order(a));
                _mm256_storeu_ps(odd, order(b));
            }
        }
        #[inline(always)]
        unsafe fn merge(even: *const f32, odd: *const f32, to: *mut f32, n: usize) {
            unsafe {
                if n < 8 {
                    if n < 4 {
                        return merge_one_by_one(even, odd, to, n);
                    }
                    for i in [0, n - 4] {
                        let (a, b) = (_mm_loadu_ps(even.add(i)), _mm_loadu_ps(odd.add(i)));
                        _mm_storeu_ps(to.add(2 * i), _mm_unpacklo_ps(a, b));
                        _mm_storeu_ps(to.add(2 * i + 4), _mm_unpackhi_ps(a, b));
                    }
                    return;
                }
                let (a, b) = (_mm256_loadu_ps(even), _mm256_loadu_ps(odd));
                let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                _mm256_storeu_ps(to, _mm256_permute2f128_ps::<0x20>(low, high));
                _mm256_storeu_ps(to.add(8), _mm256_permute2f128_ps::<0x31>(low, high));
            }
        }
    });
    lanes!(__m256d, f64, 4, 6 by 2, _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd, |x| _mm256_andnot_pd(_mm256_set1_pd(-0.0), x), {
        let half = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x));
        _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)))
    }, {});
    lanes!(__m512d, f64, 8, 8 by 3, _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd, |x| _mm512_abs_pd(x), _mm512_reduce_add_pd(x), {
        #[inline(always)]
        unsafe fn copy(from: *const f64, to: *mut f64, n: usize) {
            let mask = (0xff_u32 >> (8 - n)) as __mmask8;
            unsafe { _mm512_mask_storeu_pd(to, mask, _mm512_maskz_loadu_pd(mask, from)) }
        }
        #[inline(always)]
        unsafe fn load_first(p: *const f64, n: usize) -> Self {
            unsafe { _mm512_maskz_loadu_pd((0xff_u32 >> (8 - n)) as __mmask8, p) }
        }
        #[inline(always)]
        unsafe fn store_first(self, p: *mut f64, n: usize) {
            unsafe { _mm512_mask_storeu_pd(p, (0xff_u32 >> (8 - n)) as __mmask8, self) }
        }
    });
    lanes!(__m512, f32, 16, 8 by 3, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, |x| _mm512_abs_ps(x), _mm512_reduce_add_ps(x), {
        #[inline(always)]
        unsafe fn copy(from: *const f32, to: *mut f32, n: usize) {
            let mask = first(n);
            unsafe { _mm512_mask_storeu_ps(to, mask, _mm512_maskz_loadu_ps(mask, from)) }
        }
        #[inline(always)]
        unsafe fn load_first(p: *const f32, n: usize) -> Self {
            unsafe { _mm512_maskz_loadu_ps(first(n), p) }
        }
        #[inline(always)]
        unsafe fn store_first(self, p: *mut f32, n: usize) {
            unsafe { _mm512_mask_storeu_ps(p, first(n), self) }
        }
        #[inline(always)]
        unsafe fn split(from: *const f32, even: *mut f32, odd: *mut f32, n: usize) {
            unsafe {
                let low = _mm512_maskz_loadu_ps(first((2 * n).min(16)), from);
                let high = _mm512_maskz_loadu_ps(first((2 * n).saturating_sub(16)), from.wrapping_add(16));
                let places = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
                let next = _mm512_add_epi32(places, _mm512_set1_epi32(1));
                _mm512_mask_storeu_ps(even, first(n), _mm512_permutex2var_ps(low, places, high));
                _mm512_mask_storeu_ps(odd, first(n), _mm512_permutex2var_ps(low, next, high));
            }
        }
        #[inline(always)]
        unsafe fn merge(even: *const f32, odd: *const f32, to: *mut f32, n: usize) {
            unsafe {
                let (a, b) = (_mm512_maskz_loadu_ps(first(n), even), _mm512_maskz_loadu_ps(first(n), odd));
                let places = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
                let next = _mm512_add_epi32(places, _mm512_set1_epi32(8));
                let (low, high) = (_mm512_permutex2var_ps(a, places, b), _mm512_permutex2var_ps(a, next, b));
                _mm512_mask_storeu_ps(to, first((2 * n).min(16)), low);
                _mm512_mask_storeu_ps(to.wrapping_add(16), first((2 * n).saturating_sub(16)), high);
            }
        }
        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
            unsafe {
                let mut r = [_mm512_setzero_ps(); 16];
                let mut i = 0;
                while i < 16 {
                    r[i] = _mm512_loadu_ps(from.add(i * from_stride));
                    i += 1;
                }
                // 4 × 4 blocks inside the quarters of the registers, then the quarters.
                let mut q = [_mm512_setzero_ps(); 16];
                let mut i = 0;
                while i < 16 {
                    let (a, b) = (_mm512_unpacklo_ps(r[i], r[i + 1]), _mm512_unpackhi_ps(r[i], r[i + 1]));
                    let (c, d) = (_mm512_unpacklo_ps(r[i + 2], r[i + 3]), _mm512_unpackhi_ps(r[i + 2], r[i + 3]));
                    q[i] = _mm512_shuffle_ps::<0x44>(a, c);
                    q[i + 1] = _mm512_shuffle_ps::<0xee>(a, c);
                    q[i + 2] = _mm512_shuffle_ps::<0x44>(b, d);
                    q[i + 3] = _mm512_shuffle_ps::<0xee>(b, d);
                    i += 4;
                }
                let mut j = 0;
                while j < 4 {
                    let (a, b) = (
                        _mm512_shuffle_f32x4::<0x88>(q[j], q[j + 4]),
                        _mm512_shuffle_f32x4::<0x88>(q[j + 8], q[j + 12]),
                    );
                    let (c, d) = (
                        _mm512_shuffle_f32x4::<0xdd>(q[j], q[j + 4]),
                        _mm512_shuffle_f32x4::<0xdd>(q[j + 8], q[j + 12]),
                    );
                    _mm512_storeu_ps(to.add(j * to_stride), _mm512_shuffle_f32x4::<0x88>(a, b));
                    _mm512_storeu_ps(to.add((j + 4) * to_stride), _mm512_shuffle_f32x4::<0x88>(c, d));
                    _mm512_storeu_ps(to.add((j + 8) * to_stride), _mm512_shuffle_f32x4::<0xdd>(a, b));
                    _mm512_storeu_ps(to.add((j + 12) * to_stride), _mm512_shuffle_f32x4::<0xdd>(c, d));
                    j += 1;
                }
            }
        }
    });

    /// The first `n ≤ 16` lanes.
    #[inline(always)]
    fn first(n: usize) -> __mmask16 {
        (0xffff_u32 >> (16 - n)) as __mmask16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Moves<'a> {
        from: &'a [f32],
        n: usize,
    }

    /// Copy, split, merge of the split, and a transposed block.
    impl Task<f32> for Moves<'_> {
        type Output = (usize, [Vec<f32>; 4]);
        #[inline(always)]
        unsafe fn run<V: Lanes<f32>>(self) -> Self::Output {
            let (from, n) = (self.from, self.n.min(V::N));
            let mut out = [vec![-1.0; 16], vec![-1.0; 32], vec![-1.0; 32], vec![0.0; 16 * 16]];
            let [copied, halves, merged, transposed] = &mut out;
            let (even, odd) = halves.split_at_mut(16);
            // SAFETY: `from` holds 16 × 16 elements, every target as many as are written, N ≤ 16.
            unsafe {
                V::copy(from.as_ptr(), copied.as_mut_ptr(), n);
                V::split(from.as_ptr(), even.as_mut_ptr(), odd.as_mut_ptr(), n);
                V::merge(even.as_ptr(), odd.as_ptr(), merged.as_mut_ptr(), n);
                V::transpose(from.as_ptr(), 16, transposed.as_mut_ptr(), 16);
            }
            (V::N, out)
        }
    }

    fn check((lanes, [copied, halves, merged, transposed]): (usize, [Vec<f32>; 4]), from: &[f32], n: usize) {
        let n = n.min(lanes);
        let untouched = |v: &[f32]| v.iter().all(|&x| x == -1.0);
        assert!(copied[..n] == from[..n] && untouched(&copied[n..]));
        assert!((0..n).all(|i| halves[i] == from[2 * i] && halves[16 + i] == from[2 * i + 1]));
        assert!(untouched(&halves[n..16]) && untouched(&halves[16 + n..]));
        assert!(merged[..2 * n] == from[..2 * n] && untouched(&merged[2 * n..]));
        for (i, j) in (0..lanes).flat_map(|i| (0..lanes).map(move |j| (i, j))) {
            assert_eq!(transposed[j * 16 + i], from[i * 16 + j]);
        }
    }

    #[test]
    fn moves_agree_with_their_definitions_and_write_nothing_else() {
        let from: Vec<f32> = (0..256).map(|i| i as f32).collect();
        for n in 0..=16 {
            check(dispatch(Moves { from: &from, n }), &from, n);
            // SAFETY: portable registers need no instruction set.
            check(unsafe { Moves { from: &from, n }.run::<Four<f32>>() }, &from, n);
        }
    }
}
