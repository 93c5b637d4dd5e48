//! Rows of numbers that several threads change at once.

use std::sync::atomic::{AtomicU64, Ordering};

/// Rows of doubles that threads read and write without locks.
///
/// Each number is an atomic word, accessed with relaxed order: a plain move on today's processors, and defined behaviour
/// where threads meet. A row may then mix numbers of two updates, which descent on sparse rows tolerates (Niu et al.
/// 2011). Doubles, because in the Poincaré ball single precision has no digits left for `1 − ‖x‖²` near the rim.
#[derive(Debug)]
pub struct RowStore {
    width: usize,
    words: Vec<AtomicU64>,
}

impl RowStore {
    /// Rows of `width` numbers each, one after the other.
    pub fn new(width: usize, values: impl IntoIterator<Item = f64>) -> RowStore {
        RowStore { width, words: values.into_iter().map(|v| AtomicU64::new(v.to_bits())).collect() }
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The numbers of a row.
    #[inline]
    pub fn row(&self, row: u32) -> impl Iterator<Item = f64> {
        self.words(row).iter().map(|w| f64::from_bits(w.load(Ordering::Relaxed)))
    }

    /// Overwrites a row.
    #[inline]
    pub fn set_row(&self, row: u32, values: impl IntoIterator<Item = f64>) {
        self.words(row).iter().zip(values).for_each(|(w, v)| w.store(v.to_bits(), Ordering::Relaxed));
    }

    /// All numbers, row after row.
    pub fn into_values(self) -> Vec<f64> {
        self.words.into_iter().map(|w| f64::from_bits(w.into_inner())).collect()
    }

    #[inline]
    fn words(&self, row: u32) -> &[AtomicU64] {
        &self.words[row as usize * self.width..][..self.width]
    }
}
