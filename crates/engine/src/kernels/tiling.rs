//! How elementwise programs walk over their operands: tile by tile, each operand read where it lies if it can be.

use super::MAX_RANK;
use super::elementwise::{Program, TILE};
use crate::element::Lane;

/// Elements of a row from which tiles end with it, so that what repeats along it, or follows it, needs no copy. Of
/// shorter rows a tile holds several.
const ROW: usize = 128;

/// How the elements are cut into tiles.
#[derive(Clone, Copy)]
pub(super) enum Tiling {
    /// Tiles of this many elements, that end with a row of so many.
    InRow { width: usize, row: usize },
    /// Tiles of this many elements, which are whole rows.
    Rows(usize),
}

impl Tiling {
    pub fn of(sizes: &[usize]) -> Tiling {
        let row = sizes[sizes.len() - 1].max(1);
        if row < ROW && sizes.len() > 1 {
            return Tiling::Rows(TILE / row * row);
        }
        // Parts as even as whole registers allow.
        let width = row.div_ceil(row.div_ceil(TILE)).next_multiple_of(16);
        Tiling::InRow { width, row }
    }

    /// Elements of the tile at `place`, should there be as many left.
    pub fn length(&self, place: &Place) -> usize {
        match *self {
            Tiling::InRow { width, row } => width.min(row - place.in_row()),
            // A first tile that begins inside a row brings the next ones to where rows begin.
            Tiling::Rows(n) => n - place.in_row(),
        }
    }
}

/// An element, as its index along each axis.
pub(super) struct Place {
    flat: usize,
    index: [usize; MAX_RANK],
    axes: usize,
}

impl Place {
    pub fn at(flat: usize, sizes: &[usize]) -> Place {
        let (mut index, mut rest) = ([0; MAX_RANK], flat);
        for a in (1..sizes.len()).rev() {
            index[a] = rest % sizes[a];
            rest /= sizes[a];
        }
        index[0] = rest;
        Place { flat, index, axes: sizes.len() }
    }

    fn in_row(&self) -> usize {
        self.index[self.axes - 1]
    }

    fn position(&self, strides: &[isize], offset: usize) -> isize {
        offset as isize + self.index.iter().zip(strides).map(|(&i, &s)| i as isize * s).sum::<isize>()
    }

    /// Goes on by `n` elements.
    pub fn advance(&mut self, n: usize, sizes: &[usize]) {
        self.flat += n;
        self.index[self.axes - 1] += n;
        for a in (1..self.axes).rev() {
            if self.index[a] < sizes[a] {
                break;
            }
            self.index[a - 1] += self.index[a] / sizes[a];
            self.index[a] %= sizes[a];
        }
    }
}

/// How the elements of a tile are read.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Reading {
    /// They follow one another.
    Neighbours { at: usize },
    /// They are one element.
    Same { at: usize },
    /// They are copied first.
    Staged,
}

/// How a load moves with the tiles.
#[derive(Clone, Copy, PartialEq)]
enum Motion {
    InPlace,
    /// As the result does.
    Along,
    /// Along a row by neighbours, or not at all; tiles end with rows.
    Row,
    Rest,
    Strided {
        /// Elements of the result after which the load repeats.
        period: usize,
    },
}

/// The state of a load from tile to tile.
pub(super) struct Staged {
    pub reading: Reading,
    motion: Motion,
    /// Where in its period the tile began that is staged, and its length.
    held: Option<(usize, usize)>,
}

impl Staged {
    pub fn new(load: &Option<(Vec<isize>, usize)>, sizes: &[usize], tiling: &Tiling) -> Staged {
        let motion = match load {
            None => Motion::InPlace,
            Some((strides, _)) => motion(strides, sizes, tiling),
        };
        Staged { reading: Reading::Staged, motion, held: None }
    }
}

fn motion(strides: &[isize], sizes: &[usize], tiling: &Tiling) -> Motion {
    if row_major(strides, sizes) {
        return Motion::Along;
    }
    match (tiling, strides[strides.len() - 1]) {
        (Tiling::InRow { .. }, 1) => Motion::Row,
        (Tiling::InRow { .. }, 0) => Motion::Rest,
        _ => {
            let moving = strides.iter().position(|&s| s != 0).unwrap_or(strides.len());
            Motion::Strided { period: sizes[moving..].iter().product::<usize>().max(1) }
        }
    }
}

/// Whether strides walk the elements one after another.
pub(crate) fn row_major(strides: &[isize], sizes: &[usize]) -> bool {
    let mut expected = 1;
    strides.iter().zip(sizes).rev().all(|(&s, &n)| {
        let fits = s == expected || n == 1;
        expected *= n as isize;
        fits
    })
}

/// Prepares the loads of a tile: finds where they lie, and copies those that are not read there.
pub(super) fn stage<T: Lane>(
    program: &Program,
    inputs: &[&[T]],
    place: &Place,
    tile: &[T],
    staged: &mut [Staged],
    staging: &mut [T],
) {
    let n = tile.len();
    let loads = program.loads.iter().zip(inputs).zip(staged.iter_mut());
    for (((load, input), staged), target) in loads.zip(staging.chunks_mut(TILE)) {
        let (strides, offset) = load.as_ref().map_or((&[][..], 0), |(strides, offset)| (&strides[..], *offset));
        let position = place.position(strides, offset);
        match staged.motion {
            Motion::InPlace => target[..n].copy_from_slice(tile),
            Motion::Along => staged.reading = Reading::Neighbours { at: offset + place.flat },
            Motion::Row => staged.reading = Reading::Neighbours { at: position as usize },
            Motion::Rest => staged.reading = Reading::Same { at: position as usize },
            Motion::Strided { period } => {
                let now = (place.flat % period, n);
                if staged.held != Some(now) {
                    gather(&program.sizes, strides, position, input, place, &mut target[..n]);
                    staged.held = Some(now);
                }
            }
        }
    }
}

// Reads `tile.len()` elements from `place` on, which lies at `position` of the strided source.
fn gather<T: Copy>(
    sizes: &[usize],
    strides: &[isize],
    mut position: isize,
    source: &[T],
    place: &Place,
    tile: &mut [T],
) {
    let axes = sizes.len();
    let mut index = place.index;
    let (inner, step) = (sizes[axes - 1], strides[axes - 1]);
    let mut filled = 0;
    while filled < tile.len() {
        let run = (inner - index[axes - 1]).min(tile.len() - filled);
        let target = &mut tile[filled..filled + run];
        match step {
            0 => target.fill(source[position as usize]),
            1 => target.copy_from_slice(&source[position as usize..position as usize + run]),
            _ => {
                for (j, t) in target.iter_mut().enumerate() {
                    *t = source[(position + j as isize * step) as usize];
                }
            }
        }
        filled += run;
        position += run as isize * step;
        index[axes - 1] += run;
        // Carry into the outer axes.
        let mut a = axes - 1;
        while a > 0 && index[a] == sizes[a] {
            position += strides[a - 1] - sizes[a] as isize * strides[a];
            index[a] = 0;
            index[a - 1] += 1;
            a -= 1;
        }
    }
}
