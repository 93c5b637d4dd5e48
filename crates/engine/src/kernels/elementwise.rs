//! Fused chains of elementwise functions, run tile by tile in cache.

use super::SERIAL;
use super::simd::{Level, level};
use super::tiling::{Place, Reading, Staged, Tiling, stage};
use crate::element::Lane;
use crate::float::Float;
use perturb_graph::{Binary, Compare, Unary};
use rayon::prelude::*;
use smallvec::SmallVec;

/// Elements of a tile, at most: a register of f32 is 2 KiB, so that a dozen stay in the first-level cache.
pub(super) const TILE: usize = 512;
/// Elements of one parallel task, a multiple of the tile.
const TASK: usize = 16 * TILE;

/// One instruction of a program.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Instruction {
    pub op: Scalar,
    pub args: [Arg; 3],
    /// Register written; the last instruction writes the output instead.
    pub register: usize,
}

/// An elementwise function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar {
    Copy,
    Unary(Unary),
    Binary(Binary),
    Compare(Compare),
    Select,
}

/// An operand of an instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Arg {
    Register(usize),
    Load(usize),
    Immediate(f64),
    /// An immediate of an integer program.
    Integer(i64),
    None,
}

/// A straight-line program over the elements of its loads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Program {
    pub instructions: Vec<Instruction>,
    pub registers: usize,
    /// Common sizes of all loads and the output, merged where all walk evenly.
    pub sizes: Vec<usize>,
    /// For every load its strides over `sizes` and its offset; `None` for the load that is overwritten in place.
    pub loads: Vec<Option<(Vec<isize>, usize)>>,
}

/// Runs `program` over `out`; `inputs` has one slice for each load (empty for the one that is in place).
pub(crate) fn run<T: Lane>(program: &Program, inputs: &[&[T]], out: &mut [T]) {
    if out.len() <= SERIAL {
        run_part(program, inputs, 0, out);
    } else {
        out.par_chunks_mut(TASK).enumerate().for_each(|(i, chunk)| run_part(program, inputs, i * TASK, chunk));
    }
}

/// The elements from `start` on, on this thread.
pub(crate) fn run_part<T: Lane>(program: &Program, inputs: &[&[T]], start: usize, out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let (registers, loads) = (program.registers, program.loads.len());
    let tiling = Tiling::of(&program.sizes);
    let mut staged: SmallVec<[Staged; 32]> =
        program.loads.iter().map(|load| Staged::new(load, &program.sizes, &tiling)).collect();
    T::with_scratch((registers + loads) * TILE, |scratch| {
        let (registers, staging) = scratch.split_at_mut(registers * TILE);
        let mut place = Place::at(start, &program.sizes);
        let mut rest = out;
        while !rest.is_empty() {
            let n = tiling.length(&place).min(rest.len());
            let (tile, after) = rest.split_at_mut(n);
            stage(program, inputs, &place, tile, &mut staged, staging);
            let load = |k: usize| -> Operand<T> {
                match staged[k].reading {
                    Reading::Neighbours { at } => Operand::Slice(&inputs[k][at..at + n]),
                    Reading::Same { at } => Operand::Immediate(inputs[k][at]),
                    Reading::Staged => Operand::Slice(&staging[k * TILE..k * TILE + n]),
                }
            };
            run_tile(program, load, tile, registers);
            place.advance(n, &program.sizes);
            rest = after;
        }
    });
}

fn run_tile<'a, T: Lane>(
    program: &Program,
    load: impl Fn(usize) -> Operand<'a, T>,
    out: &mut [T],
    registers: &mut [T],
) {
    let n = out.len();
    let Some((last, before_last)) = program.instructions.split_last() else { return };
    for instruction in before_last {
        // A register is never read by the instruction that writes it (the planner sees to that).
        let (before, rest) = registers.split_at_mut(instruction.register * TILE);
        let (target, after) = rest.split_at_mut(TILE);
        let (before, after) = (&*before, &*after);
        let register = |r: usize| -> &[T] {
            if r < instruction.register {
                &before[r * TILE..r * TILE + n]
            } else {
                let r = r - instruction.register - 1;
                &after[r * TILE..r * TILE + n]
            }
        };
        let [a, b, c] = instruction.args;
        let operand = |arg: Arg| operand(arg, register, &load);
        T::execute(instruction.op, [operand(a), operand(b), operand(c)], &mut target[..n]);
    }
    let registers = &*registers;
    let [a, b, c] = last.args;
    let operand = |arg: Arg| operand(arg, |r| &registers[r * TILE..r * TILE + n], &load);
    T::execute(last.op, [operand(a), operand(b), operand(c)], out);
}

/// An operand of one instruction over one tile.
#[derive(Clone, Copy)]
pub(crate) enum Operand<'a, T> {
    Slice(&'a [T]),
    Immediate(T),
}

fn operand<'r, 'l: 'r, T: Lane>(
    arg: Arg,
    register: impl Fn(usize) -> &'r [T],
    load: impl Fn(usize) -> Operand<'l, T>,
) -> Operand<'r, T> {
    match arg {
        Arg::Register(r) => Operand::Slice(register(r)),
        Arg::Load(k) => load(k),
        Arg::Immediate(_) | Arg::Integer(_) | Arg::None => Operand::Immediate(T::immediate(arg)),
    }
}

macro_rules! versions {
    ($($name:ident: $features:literal),*) => {$(
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = $features)]
        fn $name<T: Float>(op: Scalar, args: [Operand<T>; 3], out: &mut [T]) { execute::<T, true>(op, args, out) }
    )*};
}
versions!(execute_avx512: "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", execute_avx2: "avx2,fma");

/// One instruction with the widest vectors that the processor has.
#[inline]
pub(crate) fn dispatch<T: Float>(op: Scalar, args: [Operand<T>; 3], out: &mut [T]) {
    match level() {
        Level::Portable => execute::<T, false>(op, args, out),
        // SAFETY: `level` returns this only after the processor reported every feature that the function enables.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { execute_avx2(op, args, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { execute_avx512(op, args, out) },
    }
}

// Compiled once for each instruction set: the loops below are plain enough to be vectorised. Whatever holds arithmetic
// is inlined by force, for a function of its own would be compiled without the instruction set.
#[inline(always)]
fn execute<T: Float, const FMA: bool>(op: Scalar, args: [Operand<T>; 3], out: &mut [T]) {
    let [a, b, c] = args;
    match op {
        Scalar::Copy => map1(a, out, |x| x),
        Scalar::Unary(f) => unary::<T, FMA>(f, a, out),
        Scalar::Binary(Binary::Add) => map2(a, b, out, |x, y| x + y),
        Scalar::Binary(Binary::Sub) => map2(a, b, out, |x, y| x - y),
        Scalar::Binary(Binary::Mul) => map2(a, b, out, |x, y| x * y),
        Scalar::Binary(Binary::Div) => map2(a, b, out, |x, y| x / y),
        // NaN in the first operand stays: not `>=` alone, which would drop it.
        Scalar::Binary(Binary::Max) => map2(a, b, out, |x, y| if x.is_nan() | (x >= y) { x } else { y }),
        Scalar::Binary(Binary::Min) => map2(a, b, out, |x, y| if x.is_nan() | (x <= y) { x } else { y }),
        Scalar::Compare(Compare::Equal) => map2(a, b, out, |x, y| truth(x == y)),
        Scalar::Compare(Compare::Greater) => map2(a, b, out, |x, y| truth(x > y)),
        Scalar::Compare(Compare::GreaterEqual) => map2(a, b, out, |x, y| truth(x >= y)),
        Scalar::Compare(Compare::Less) => map2(a, b, out, |x, y| truth(x < y)),
        Scalar::Compare(Compare::LessEqual) => map2(a, b, out, |x, y| truth(x <= y)),
        Scalar::Select => select(a, b, c, out),
        Scalar::Binary(Binary::Pow) => map2(a, b, out, |x, y| x.powf(y)),
        Scalar::Binary(Binary::Atan2) => map2(a, b, out, |y, x| y.atan2(x)),
        Scalar::Binary(Binary::Rem) => map2(a, b, out, |x, y| x % y),
    }
}

/// Applies a function whose body is inlined by force.
macro_rules! each {
    ($a:expr, $out:expr, |$x:ident| $value:expr) => {
        map1(
            $a,
            $out,
            #[inline(always)]
            |$x| $value,
        )
    };
}

#[inline(always)]
fn unary<T: Float, const FMA: bool>(f: Unary, a: Operand<T>, out: &mut [T]) {
    match f {
        Unary::Neg => each!(a, out, |x| -x),
        Unary::Abs => each!(a, out, |x| x.abs()),
        Unary::Sign => each!(a, out, |x| {
            if x > T::ZERO {
                T::ONE
            } else if x < T::ZERO {
                -T::ONE
            } else {
                x * T::ZERO
            }
        }),
        Unary::Step => each!(a, out, |x| truth(x > T::ZERO)),
        Unary::Relu => each!(a, out, |x| if x < T::ZERO { T::ZERO } else { x }),
        Unary::Exp => each!(a, out, |x| x.exp::<FMA>()),
        Unary::Log => each!(a, out, |x| x.ln::<FMA>()),
        Unary::Sqrt => each!(a, out, |x| x.sqrt()),
        Unary::Square => each!(a, out, |x| x * x),
        Unary::Reciprocal => each!(a, out, |x| T::ONE / x),
        Unary::Tanh => each!(a, out, |x| x.tanh::<FMA>()),
        Unary::Sigmoid => each!(a, out, |x| x.sigmoid::<FMA>()),
        Unary::Erf => each!(a, out, |x| x.erf::<FMA>()),
        Unary::Sin => {
            each!(a, out, |x| x.sin::<FMA>());
            mend_far(a, out, T::far_sin);
        }
        Unary::Cos => {
            each!(a, out, |x| x.cos::<FMA>());
            mend_far(a, out, T::far_cos);
        }
        Unary::Floor => each!(a, out, |x| x.floor()),
        Unary::Ceil => each!(a, out, |x| x.ceil()),
        Unary::Round => each!(a, out, |x| x.round_ties_even()),
        Unary::Log1p => each!(a, out, |x| x.ln_1p()),
        Unary::Expm1 => each!(a, out, |x| x.exp_m1()),
        Unary::Tan => each!(a, out, |x| x.tan()),
        Unary::Asin => each!(a, out, |x| x.asin()),
        Unary::Acos => each!(a, out, |x| x.acos()),
        Unary::Atan => each!(a, out, |x| x.atan()),
        Unary::Sinh => each!(a, out, |x| x.sinh()),
        Unary::Cosh => each!(a, out, |x| x.cosh()),
        Unary::Asinh => each!(a, out, |x| x.asinh()),
        Unary::Acosh => each!(a, out, |x| x.acosh()),
        Unary::Atanh => each!(a, out, |x| x.atanh()),
    }
}

#[inline(always)]
fn truth<T: Float>(holds: bool) -> T {
    if holds { T::ONE } else { T::ZERO }
}

#[inline(always)]
pub(super) fn map1<T: Copy>(a: Operand<T>, out: &mut [T], f: impl Fn(T) -> T) {
    match a {
        Operand::Slice(a) => {
            for (o, &x) in out.iter_mut().zip(a) {
                *o = f(x);
            }
        }
        Operand::Immediate(x) => out.fill(f(x)),
    }
}

// A second pass for arguments that are too large for the first.
fn mend_far<T: Float>(a: Operand<T>, out: &mut [T], far: impl Fn(T) -> T) {
    match a {
        Operand::Slice(a) => out.iter_mut().zip(a).filter(|(_, x)| x.far()).for_each(|(o, &x)| *o = far(x)),
        Operand::Immediate(x) if x.far() => out.fill(far(x)),
        Operand::Immediate(_) => {}
    }
}

#[inline(always)]
pub(super) fn map2<T: Copy>(a: Operand<T>, b: Operand<T>, out: &mut [T], f: impl Fn(T, T) -> T) {
    match (a, b) {
        (Operand::Slice(a), Operand::Slice(b)) => {
            out.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (&x, &y))| *o = f(x, y));
        }
        (Operand::Slice(a), Operand::Immediate(y)) => out.iter_mut().zip(a).for_each(|(o, &x)| *o = f(x, y)),
        (Operand::Immediate(x), Operand::Slice(b)) => out.iter_mut().zip(b).for_each(|(o, &y)| *o = f(x, y)),
        (Operand::Immediate(x), Operand::Immediate(y)) => out.fill(f(x, y)),
    }
}

#[inline(always)]
pub(super) fn select<T: Lane>(mask: Operand<T>, a: Operand<T>, b: Operand<T>, out: &mut [T]) {
    let mask = match mask {
        Operand::Slice(mask) => mask,
        Operand::Immediate(mask) => return map1(if mask != T::ZERO { a } else { b }, out, |x| x),
    };
    let each = out.iter_mut().zip(mask);
    match (a, b) {
        (Operand::Slice(a), Operand::Slice(b)) => {
            each.zip(a.iter().zip(b)).for_each(|((o, &m), (&x, &y))| *o = if m != T::ZERO { x } else { y });
        }
        (Operand::Slice(a), Operand::Immediate(y)) => {
            each.zip(a).for_each(|((o, &m), &x)| *o = if m != T::ZERO { x } else { y });
        }
        (Operand::Immediate(x), Operand::Slice(b)) => {
            each.zip(b).for_each(|((o, &m), &y)| *o = if m != T::ZERO { x } else { y });
        }
        (Operand::Immediate(x), Operand::Immediate(y)) => {
            each.for_each(|(o, &m)| *o = if m != T::ZERO { x } else { y });
        }
    }
}
