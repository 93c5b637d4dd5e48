//! Registers of fused programs.

use crate::kernels::elementwise::{Arg, Instruction};

/// Renames registers so that one is reused after its last reader; returns how many are needed. The register that an
/// instruction writes is never one that it reads.
pub(super) fn allocate_registers(instructions: &mut [Instruction]) -> usize {
    let mut last_use = vec![0; instructions.len()];
    for (at, instruction) in instructions.iter().enumerate() {
        for arg in instruction.args {
            if let Arg::Register(r) = arg {
                last_use[r] = at;
            }
        }
    }
    let mut name = vec![usize::MAX; instructions.len()];
    let mut free: Vec<usize> = Vec::new();
    let mut count = 0;
    let last = instructions.len() - 1;
    for at in 0..instructions.len() {
        if at < last {
            name[at] = free.pop().unwrap_or_else(|| {
                count += 1;
                count - 1
            });
        }
        let mut released = Vec::new();
        for arg in &mut instructions[at].args {
            if let Arg::Register(r) = arg {
                if last_use[*r] == at && !released.contains(&name[*r]) {
                    released.push(name[*r]);
                }
                *arg = Arg::Register(name[*r]);
            }
        }
        instructions[at].register = if at < last { name[at] } else { usize::MAX };
        free.extend(released);
    }
    count
}
