//! Fused chains of elementwise functions, run tile by tile in cache.

use super::SERIAL;
use super::simd::{Level, level};
use crate::element::Lane;
use crate::float::Float;
use perturb_graph::{Binary, Compare, Unary};
use rayon::prelude::*;

/// Elements of a tile: a register of f32 is 2 KiB, so that a dozen stay in the first-level cache.
const TILE: usize = 512;
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
    let loads = program.loads.len();
    T::with_scratch((program.registers + loads) * TILE, |scratch| {
        let (registers, staging) = scratch.split_at_mut(program.registers * TILE);
        for (i, tile) in out.chunks_mut(TILE).enumerate() {
            run_tile(program, inputs, start + i * TILE, tile, registers, staging);
        }
    });
}

fn run_tile<T: Lane>(
    program: &Program,
    inputs: &[&[T]],
    start: usize,
    out: &mut [T],
    registers: &mut [T],
    staging: &mut [T],
) {
    let n = out.len();
    for ((load, input), stage) in program.loads.iter().zip(inputs).zip(staging.chunks_mut(TILE)) {
        match load {
            None => stage[..n].copy_from_slice(out),
            Some((strides, offset)) if !is_flat(strides, &program.sizes) => {
                gather(&program.sizes, strides, *offset, input, start, &mut stage[..n]);
            }
            Some(_) => {}
        }
    }
    let load = |k: usize| -> &[T] {
        match &program.loads[k] {
            Some((strides, offset)) if is_flat(strides, &program.sizes) => {
                &inputs[k][offset + start..offset + start + n]
            }
            _ => &staging[k * TILE..k * TILE + n],
        }
    };
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
        let args = instruction.args.map(|a| operand(a, register, |k| load(k)));
        T::execute(instruction.op, args, &mut target[..n]);
    }
    let registers = &*registers;
    let args = last.args.map(|a| operand(a, |r| &registers[r * TILE..r * TILE + n], |k| load(k)));
    T::execute(last.op, args, out);
}

/// An operand of one instruction over one tile.
#[derive(Clone, Copy)]
pub(crate) enum Operand<'a, T> {
    Slice(&'a [T]),
    Immediate(T),
}

fn operand<'a, T: Lane>(
    arg: Arg,
    register: impl Fn(usize) -> &'a [T],
    load: impl Fn(usize) -> &'a [T],
) -> Operand<'a, T> {
    match arg {
        Arg::Register(r) => Operand::Slice(register(r)),
        Arg::Load(k) => Operand::Slice(load(k)),
        Arg::Immediate(_) | Arg::Integer(_) | Arg::None => Operand::Immediate(T::immediate(arg)),
    }
}

/// Whether strides walk the elements one after another.
fn is_flat(strides: &[isize], sizes: &[usize]) -> bool {
    sizes.len() == 1 && (strides[0] == 1 || sizes[0] == 1)
}

// Reads `tile.len()` elements from flat position `start` of the strided source.
fn gather<T: Copy>(sizes: &[usize], strides: &[isize], offset: usize, source: &[T], start: usize, tile: &mut [T]) {
    let axes = sizes.len();
    let mut index = [0usize; 16];
    let mut rest = start;
    let mut position = offset as isize;
    for a in (0..axes).rev() {
        index[a] = rest % sizes[a];
        rest /= sizes[a];
        position += index[a] as isize * strides[a];
    }
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
    let at = |x: Operand<T>, i: usize| match x {
        Operand::Slice(s) => s[i],
        Operand::Immediate(v) => v,
    };
    match (mask, a, b) {
        (Operand::Slice(m), Operand::Slice(a), Operand::Slice(b)) => {
            let choices = a.iter().zip(b);
            out.iter_mut()
                .zip(m.iter().zip(choices))
                .for_each(|(o, (&m, (&x, &y)))| *o = if m != T::ZERO { x } else { y });
        }
        (m, a, b) => {
            for (i, o) in out.iter_mut().enumerate() {
                *o = if at(m, i) != T::ZERO { at(a, i) } else { at(b, i) };
            }
        }
    }
}
